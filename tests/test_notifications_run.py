"""What a run tells, and how often: once at most by our notifier, and never at the run's expense."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from helpers_notify import Receiver
from helpers_run import World, meeting, started, until
from updaters import _native, notifier
from updaters.daily_updater import DailyUpdater
from updaters.errors import RateLimitError, UpdaterError

Told = Callable[..., DailyUpdater]


@pytest.fixture
def told(world: World, receiver: Receiver) -> Told:
    """Makes updaters of `world`, whose notifications go to `receiver`."""

    def make(**settings: Any) -> DailyUpdater:
        values = {
            "notification_enabled": True,
            "notification_type": "webhook",
            "notification_webhook_url": receiver.url,
            **settings,
        }
        return world.updater(values)

    return make


def failing(updater: DailyUpdater, *event_ids: str, why: str = "the disk hiccuped") -> None:
    """Adding these events fails."""
    add = updater._add_new_hearing

    def fail(conn: Any, data: dict[str, Any]) -> None:
        if data["eventId"] in event_ids:
            raise RuntimeError(why)
        add(conn, data)

    updater._add_new_hearing = fail  # type: ignore[method-assign]


def cut_off(updater: DailyUpdater) -> None:
    """Nothing can be fetched."""

    def fetch(callback: Any = None) -> list[Any]:
        raise UpdaterError("the API is not there")

    updater._fetch_recent_hearings = fetch  # type: ignore[method-assign]


def broken(updater: DailyUpdater, *issues: str) -> None:
    """The checks after the run find these issues."""

    def check() -> None:
        updater.metrics.validation_passed = False
        updater.metrics.validation_issues.extend(issues)

    updater._run_post_update_validation = check  # type: ignore[method-assign]


def test_a_run_without_trouble_tells_nobody(world: World, told: Told, receiver: Receiver) -> None:
    world.put(meeting(1))
    assert told().run_daily_update()["success"]
    assert receiver.bodies == []


def test_a_failure_comes_with_the_metrics(world: World, told: Told, receiver: Receiver) -> None:
    updater = told()
    cut_off(updater)
    result = updater.run_daily_update()
    [body] = receiver.bodies
    assert (body["title"], body["severity"]) == ("Daily update failed", "error")
    assert body["message"] == "The update failed: the API is not there"
    assert body["metadata"]["errors"] == result["metrics"]["errors"]


def test_a_run_that_was_undone_is_told_once(world: World, told: Told, receiver: Receiver) -> None:
    world.put(meeting(1))
    updater = told()
    issues = [f"{n} orphaned witnesses" for n in range(1, 9)]
    broken(updater, *issues)
    assert not updater.run_daily_update()["success"]
    [body] = receiver.bodies
    assert (body["title"], body["severity"]) == ("Daily update failed (and 2 more)", "error")
    assert "Validation after the update failed: 8 issues: 1 orphaned witnesses; " in body["message"]
    assert body["message"].count("and 3 more") == 1
    assert "This run rolled back: This run: what it wrote was undone" in body["message"]
    assert set(body["metadata"]) == {"update_failure", "validation_failure"}
    assert body["metadata"]["validation_failure"]["issues"] == issues


@pytest.mark.parametrize("raises", [False, True])
def test_a_run_that_could_not_be_undone_is_critical_and_names_the_backup(
    world: World, told: Told, receiver: Receiver, raises: bool
) -> None:
    world.put(meeting(1))
    updater = told()
    broken(updater, "orphans")

    def no() -> bool:
        if raises:
            raise RuntimeError("the journal is gone")
        return False

    updater._rollback_database = no  # type: ignore[method-assign]
    assert not updater.run_daily_update()["success"]
    [body] = receiver.bodies
    assert body["severity"] == "critical"
    assert body["title"] == "This run could NOT be rolled back (and 2 more)"
    assert f"hearing-updater restore {updater.backup_path}" in body["message"]


def test_a_batch_that_was_rolled_back_is_told(world: World, told: Told, receiver: Receiver) -> None:
    world.put(*(meeting(n) for n in range(1, 5)))
    updater = told(batch_processing_size=1)
    failing(updater, "2", "3")
    assert updater.run_daily_update()["success"]
    [body] = receiver.bodies
    numbers = [entry["batch"] for entry in updater.metrics.batch_errors]
    assert len(numbers) == 2
    assert body["title"] == f"Batches {numbers[0]}, {numbers[1]} rolled back"
    assert body["severity"] == "warning"
    assert body["message"].count("the disk hiccuped") == 2
    assert [entry["batch"] for entry in body["metadata"]["batches"]] == numbers


def test_a_batch_that_could_not_be_rolled_back_is_critical(
    world: World, told: Told, receiver: Receiver
) -> None:
    world.put(meeting(1), meeting(2))
    updater = told(batch_processing_size=1)
    failing(updater, "2")
    updater._rollback_checkpoint = lambda checkpoint: False  # type: ignore[method-assign]
    updater.run_daily_update()
    [number] = [entry["batch"] for entry in updater.metrics.batch_errors]
    [body] = receiver.bodies
    assert body["title"].startswith(f"Batch {number} could NOT be rolled back")
    assert body["severity"] == "critical"


def test_batches_that_are_not_valid_are_told_by_issue(
    world: World, told: Told, receiver: Receiver
) -> None:
    world.put(meeting(1), meeting(2, date="someday"))
    updater = told(batch_processing_size=1)
    assert updater.run_daily_update()["success"]
    [body] = receiver.bodies
    assert (body["title"], body["severity"]) == ("Batches failed validation", "warning")
    assert body["message"].startswith("1 of 2 batches failed validation: batch ")
    assert "Invalid date format" in body["message"]


def test_every_batch_failed_is_one_message(world: World, told: Told, receiver: Receiver) -> None:
    world.put(meeting(1), meeting(2, date="someday"))
    updater = told(batch_processing_size=1)
    failing(updater, "1")
    assert not updater.run_daily_update()["success"]
    [body] = receiver.bodies
    assert body["title"] == "Daily update failed (and 2 more)"
    for part in ("every batch failed (2 of 2)", "what it wrote was undone", "Invalid date format"):
        assert part in body["message"]


@pytest.mark.parametrize(
    ("severity", "told_as"), [("critical", "critical"), ("warning", "warning")]
)
def test_an_alert_on_unusual_figures_is_told(
    world: World, told: Told, receiver: Receiver, severity: str, told_as: str
) -> None:
    world.put(meeting(1))
    updater = told(enable_historical_validation=True)

    def compare() -> None:
        found = {"metric": "hearings_added", "value": 1.0, "mean": 37.5, "z_score": -4.25}
        updater.metrics.historical_anomalies = [{**found, "severity": severity}, "odd"]
        updater.metrics.historical_alert_triggered = True

    updater._run_historical_validation = compare  # type: ignore[method-assign]
    assert updater.run_daily_update()["success"]
    [body] = receiver.bodies
    assert (body["title"], body["severity"]) == ("Unusual figures in the daily update", told_as)
    assert body["message"] == (
        "2 anomalies: hearings_added is 1, 4.2 standard deviations from the usual 37.5; odd"
    )


@pytest.mark.parametrize(("failures", "messages"), [(1, 0), (3, 1)])
def test_many_errors_are_told_and_few_are_not(
    world: World, told: Told, receiver: Receiver, failures: int, messages: int
) -> None:
    world.put(*(meeting(n) for n in range(1, 13)))
    updater = told(enable_batch_processing=False)
    failing(updater, *map(str, range(1, failures + 1)))
    assert updater.run_daily_update()["success"]
    assert len(receiver.bodies) == messages
    for body in receiver.bodies:
        assert body["message"] == "3 errors with 12 hearings checked (25.0%)"


def test_a_request_limit_that_is_used_up_is_told(
    world: World, told: Told, receiver: Receiver
) -> None:
    updater = told()

    def refuse(callback: Any = None) -> list[Any]:
        raise RateLimitError("the hourly limit is used up")

    updater._fetch_recent_hearings = refuse  # type: ignore[method-assign]
    assert not updater.run_daily_update()["success"]
    assert [body["title"] for body in receiver.bodies] == ["Request limit of the API used up"]
    # A fake client has no figures; the run is told of all the same.
    updater.api_client = SimpleNamespace()
    updater.run_daily_update()
    assert receiver.bodies[1]["title"] == "Daily update failed"


def test_meetings_that_are_left_as_the_limit_is_used_up_are_told(
    world: World, told: Told, receiver: Receiver
) -> None:
    world.put(meeting(0))
    world.run()
    world.put(*(meeting(number) for number in range(1, 7)))
    result = told(rate_limit=3).run_daily_update()
    assert result["success"], result
    # One for the list, and two meetings that came in.
    assert len(result["metrics"]["deferred"]) == 4
    [body] = receiver.bodies
    assert body["title"] == "Request limit of the API used up"
    assert body["message"].startswith("0 requests remain; more are allowed from 20")
    # Not where it just sufficed.
    assert "deferred" not in told(rate_limit=5).run_daily_update()["metrics"]
    assert len(receiver.bodies) == 1


def test_the_limit_is_one_of_the_things_that_a_run_tells(
    world: World, told: Told, receiver: Receiver
) -> None:
    world.put(*(meeting(number) for number in range(1, 7)))
    updater = told(rate_limit=3)
    broken(updater, "orphans")
    updater.run_daily_update()
    [body] = receiver.bodies
    assert "Request limit of the API used up: 0 requests remain" in body["message"]


def test_a_dry_run_tells_nobody(world: World, told: Told, receiver: Receiver) -> None:
    updater = told()
    cut_off(updater)
    assert not updater.run_daily_update(dry_run=True)["success"]
    assert receiver.bodies == []


# --- who stops a run -----------------------------------------------------------------------------


def test_who_stops_a_run_by_hand_is_not_told(world: World, told: Told, receiver: Receiver) -> None:
    updater = told()

    def stop(callback: Any = None) -> list[Any]:
        raise KeyboardInterrupt

    updater._fetch_recent_hearings = stop  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        updater.run_daily_update()
    assert receiver.bodies == []


def test_who_cancels_a_task_is_not_told(world: World, told: Told, receiver: Receiver) -> None:
    world.put(meeting(1))
    updater = told()

    async def cancelled() -> None:
        task = asyncio.create_task(updater.run_daily_update_async())
        began = asyncio.Event()
        loop = asyncio.get_running_loop()
        fetch = updater._fetch_recent_hearings

        def slowly(callback: Any = None) -> Any:
            loop.call_soon_threadsafe(began.set)
            until(lambda: task.cancelling() if hasattr(task, "cancelling") else True, "cancelled")
            return fetch(callback)

        updater._fetch_recent_hearings = slowly  # type: ignore[method-assign]
        await began.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert receiver.bodies == []


def test_a_run_that_is_terminated_is_told(world: World, receiver: Receiver) -> None:
    world.put(meeting(1))
    world.sandbox.latency_ms = 10_000
    with started(
        world,
        NOTIFICATION_ENABLED="true",
        NOTIFICATION_TYPE="webhook",
        NOTIFICATION_WEBHOOK_URL=receiver.url,
    ) as process:
        assert process.stderr is not None
        while " started (" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143, stderr
    [body] = receiver.bodies
    assert "interrupted" in body["message"]
    assert "secret" not in stderr


# --- at nobody's expense -------------------------------------------------------------------------


def test_a_receiver_that_hangs_holds_no_lock_and_changes_nothing(
    world: World, told: Told, receiver: Receiver
) -> None:
    updater = told()
    cut_off(updater)
    receiver.release.clear()
    locked: list[bool] = []

    def look() -> None:
        until(lambda: receiver.received, "the notification arrived")
        with _native.RunLock(str(world.path), "somebody else"):
            locked.append(True)
        receiver.release.set()

    looking = threading.Thread(target=look)
    looking.start()
    result = updater.run_daily_update()
    looking.join()
    assert locked == [True]
    assert result["error"] == "the API is not there"


def test_a_receiver_that_refuses_changes_nothing(
    world: World, told: Told, receiver: Receiver
) -> None:
    world.put(meeting(1), meeting(2, date="someday"))
    receiver.status = 500
    updater = told(batch_processing_size=1)
    result = updater.run_daily_update()
    assert result["success"]
    assert len(receiver.bodies) == 1
    assert result["metrics"]["errors"] == []
    assert world.value("SELECT COUNT(*) FROM hearings") == 1


def test_the_methods_that_somebody_replaced_are_called(
    world: World, told: Told, receiver: Receiver
) -> None:
    """As `mock.patch.object(updater.notifier, ...)` does; the rest goes its way."""
    world.put(meeting(1))
    updater = told()
    broken(updater, "orphans")
    calls: list[Any] = []
    updater.notifier.notify_update_failure = lambda *given: calls.append(given)
    updater.run_daily_update()
    [(error, metrics)] = calls
    assert "orphans" in error
    assert metrics["validation_passed"] is False
    [body] = receiver.bodies
    assert body["title"] == "Validation after the update failed (and 1 more)"


class Theirs:
    """A checkout's own notifier, of the contract and no more."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def send(self, title: str, message: str, severity: str = "error", metadata: Any = None) -> None:
        self.calls.append(("send", (title, message, severity, metadata)))

    def notify_update_failure(self, error: Any, metrics: Any = None) -> None:
        self.calls.append(("notify_update_failure", error))
        raise OSError("http://hooks.example.org/their-own-secret is not there")


def test_theirs_gets_what_it_has_no_method_for_in_one_send(
    world: World, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    world.put(meeting(1))
    updater = told()
    updater.notifier = theirs = Theirs()
    broken(updater, "orphans")
    result = updater.run_daily_update()
    assert [name for name, _ in theirs.calls] == ["notify_update_failure", "send"]
    title, message, severity, metadata = theirs.calls[1][1]
    assert (title, severity) == ("Validation after the update failed (and 1 more)", "error")
    assert "orphans" in message
    assert "was undone" in message
    assert set(metadata) == {"validation_failure"}
    # What its first method raised kept nobody from anything.
    assert "orphans" in result["error"]
    told_of = "Could not notify: OSError: http://hooks.example.org/... is not there"
    assert told_of in caplog.messages


def test_theirs_that_hangs_is_given_up(
    world: World, told: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notifier, "TIME_LIMIT", 0.2)
    done = threading.Event()
    updater = told()
    updater.notifier = SimpleNamespace(notify_update_failure=lambda *given: done.wait(60))
    cut_off(updater)
    with caplog.at_level(logging.WARNING):
        assert not updater.run_daily_update()["success"]
    assert "has not answered in 0.2 seconds" in caplog.text
    done.set()


# --- an API that is not well ---------------------------------------------------------------------


@pytest.mark.parametrize(("broken_ones", "messages"), [(4, 0), (8, 1)])
def test_many_meetings_that_could_not_be_fetched_are_told(
    world: World,
    told: Told,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    broken_ones: int,
    messages: int,
) -> None:
    world.put(*(meeting(n) for n in range(10, 20)))
    for number in range(10, 10 + broken_ones):
        world.sandbox.fail_next("500", times=9, path=f"/house/{number}")
    result = told().run_daily_update()
    assert (result["success"], result["metrics"]["error_count"]) == (True, 0)
    text = f"{broken_ones} of 10 meetings could not be fetched"
    warned = [r for r in caplog.records if r.getMessage().startswith(text)]
    assert [r.levelname for r in warned] == ["WARNING"] * messages
    assert len(receiver.bodies) == messages
    for body in receiver.bodies:
        assert body["severity"] == "warning"
        assert body["message"].startswith(text)
        assert "500" in body["message"]


def test_an_hour_without_requests_is_no_failure(
    world: World, told: Told, receiver: Receiver
) -> None:
    world.put(*(meeting(n) for n in range(10, 40)))
    world.sandbox.rate_limit = 10
    result = told().run_daily_update()
    assert result["success"]
    assert len(result["metrics"]["deferred"]) > 10
    # It is told as what it is.
    assert [body["title"] for body in receiver.bodies] == ["Request limit of the API used up"]


def test_committees_that_the_hour_left_no_request_for_are_told_as_that(
    world: World, told: Told, receiver: Receiver
) -> None:
    world.put(meeting(1, committees=[{"systemCode": "hsfa05", "name": "Another"}]))
    world.sandbox.rate_limit = 2  # the list and the meeting
    updater = told()
    assert updater.run_daily_update()["success"]
    [event] = updater.metrics.deferred
    assert "committee hsfa05 could not be looked up: the hourly request limit" in event["reason"]
    assert [body["title"] for body in receiver.bodies] == ["Request limit of the API used up"]
