"""Clocks that are wrong, or jump: the machine's in a process of its own, and the API's."""

import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from helpers_run import World, meeting, metrics_of, started, until, update, utc

DAY = 86_400
SHIM = Path(__file__).parent / "clock.c"


class Clock:
    """The clock of the processes that get its variables."""

    def __init__(self, folder: Path) -> None:
        library = folder / "clock.so"
        # The compiler that SQLite is built with.
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SHIM, "-ldl"], check=True)
        self._file = folder / "wrong-by"
        self.variables = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(self._file)}
        self.set(0)

    def set(self, seconds: int) -> None:
        # In one piece: it may be read at any moment.
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)


@pytest.fixture(scope="module")
def clock_once(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def clock(clock_once: Clock) -> Iterator[Clock]:
    yield clock_once
    clock_once.set(0)


def run(world: World, clock: Clock, days: int = 7, **options: Any) -> dict[str, Any]:
    done = update(world, "--lookback-days", str(days), **clock.variables, **options)
    return metrics_of(done)


@pytest.mark.parametrize("jump", [400 * DAY, -400 * DAY, 3 * DAY, -2 * 3600])
def test_a_clock_that_jumps_during_a_run(world: World, clock: Clock, jump: int) -> None:
    """Everything is stored, and the run takes as long as it takes."""
    world.put(*(meeting(n) for n in range(30)))
    world.sandbox.latency_ms = 20
    with started(world, "--lookback-days", "7", **clock.variables) as process:
        until(lambda: world.sandbox.request_count > 3, "details asked for")
        clock.set(jump)
        _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert world.value("SELECT COUNT(*) FROM hearings") == 30
    log = world.row("SELECT start_time, end_time, duration_seconds, success FROM update_logs")
    assert log["success"] == 1
    assert 0 <= log["duration_seconds"] < 60
    assert log["start_time"] <= log["end_time"]
    # The next run, by a clock that is right again, has nothing to do and no complaint.
    clock.set(0)
    world.put(meeting(99))
    metrics = run(world, clock)
    assert (metrics["hearings_added"], metrics["hearings_updated"]) == (1, 0)
    assert metrics["error_count"] == 0


@pytest.mark.parametrize("ahead", [30, 4000])
def test_a_clock_that_is_days_ahead_hides_nothing(world: World, clock: Clock, ahead: int) -> None:
    """The window begins where it would by the API's clock."""
    world.put(meeting(1, updateDate=utc(days=5)), meeting(2, updateDate=utc(hours=1)))
    clock.set(ahead * DAY)
    done = update(world, "--lookback-days", "7", **clock.variables)
    assert metrics_of(done)["hearings_added"] == 2
    assert f"clock is {ahead * 1440} minutes ahead" in done.stderr


def test_a_success_from_the_future_is_none_to_go_on_from(world: World, clock: Clock) -> None:
    world.put(meeting(1))
    run(world, clock)
    start = datetime.now() - timedelta(days=20)
    world.do(f"UPDATE update_logs SET start_time = '{start:%Y-%m-%d %H:%M:%S}'")
    clock.set(60 * DAY)
    run(world, clock, days=1)
    # While nobody looked, and out of the window.
    world.put(meeting(2, updateDate=utc(days=15)))
    clock.set(0)
    world.do("DELETE FROM updater_facts WHERE key LIKE 'look_back_to%'")
    assert run(world, clock, days=1)["hearings_added"] == 1


def test_days_missed_after_the_clock_was_ahead_are_caught_up(world: World, clock: Clock) -> None:
    """It said three days later than it was; then the machine was off for two."""
    world.put(meeting(1))
    clock.set(3 * DAY)
    run(world, clock, days=1)
    fact = world.value("SELECT value FROM updater_facts WHERE key = 'look_back_to_119'")
    assert abs(datetime.fromisoformat(fact) - datetime.fromisoformat(utc()[:-1])) < timedelta(
        minutes=5
    )
    # As if both were two days ago.
    moved = datetime.fromisoformat(fact) - timedelta(days=2)
    world.do(
        f"UPDATE updater_facts SET value = '{moved}' WHERE key = 'look_back_to_119'",
        "UPDATE update_logs SET start_time = datetime(start_time, '-2 days')",
    )
    world.put(meeting(2, updateDate=utc(days=1.5)))
    clock.set(0)
    done = update(world, "--lookback-days", "1", **clock.variables)
    assert metrics_of(done)["hearings_added"] == 1
    assert "The list was last read whole" in done.stderr
    # Caught up, and forgotten.
    assert world.value("SELECT value FROM updater_facts WHERE key = 'look_back_to_119'") == ""


def test_a_clock_that_is_behind_looks_further_back(world: World, clock: Clock) -> None:
    world.put(meeting(1, updateDate=utc(days=5)), meeting(2))
    clock.set(-3000 * DAY)
    metrics = run(world, clock)
    assert metrics["hearings_added"] == 2
    clock.set(0)
    assert run(world, clock)["error_count"] == 0


@pytest.mark.parametrize("odd", ["2999-01-01T00:00:00Z", "9000-01-01T00:00:00Z"])
def test_an_update_date_from_the_future_is_not_the_last_word(world: World, odd: str) -> None:
    """One answer said so, later ones know better: the meeting is not frozen."""
    world.put(meeting(1, updateDate=odd), meeting(2))
    world.run()
    assert world.hearing(1)["update_date"].startswith(odd[:10])
    assert world.run()["hearings_updated"] == 0
    world.put(meeting(1, title="Another title", updateDate=utc(hours=1)))
    assert world.run()["hearings_updated"] == 1
    assert world.hearing(1)["title"] == "Another title"
    # And where only the date comes back.
    world.put(meeting(2, updateDate=odd))
    world.run()
    right = utc(hours=2)
    world.put(meeting(2, updateDate=right))
    assert world.run()["hearings_updated"] == 0
    assert world.hearing(2)["update_date"] == right.replace("T", " ").rstrip("Z")
    world.sandbox.clear_requests()
    world.run()
    assert world.details() == []


def test_update_dates_from_the_far_past_are_stored(world: World) -> None:
    world.put(meeting(1, updateDate="1800-01-01T00:00:00Z"), meeting(2, updateDate="1969-12-31"))
    assert world.run(update_mode="full")["hearings_added"] == 2
    world.alter(1, title="Another title")
    assert world.run()["hearings_updated"] == 1


def test_the_apis_clock_may_say_what_it_likes(world: World) -> None:
    world.put(*(meeting(n) for n in range(20)))
    world.sandbox.fail_next("odd-headers", times=1000)
    metrics = world.run({"retry_attempts": 3, "retry_backoff_factor": 0.01})
    done = metrics["hearings_added"] + len(metrics.get("deferred", ()))
    assert (done, metrics["errors"]) == (20, [])
    world.sandbox.forget_orders()
    world.run()
    assert world.value("SELECT COUNT(*) FROM hearings") == 20
