"""What overrides raise or answer may quote a request: no key of it gets anywhere."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from helpers_run import KEY, World, meeting
from updaters.api_client import ApiClient
from updaters.daily_updater import BatchResult, DailyUpdater
from updaters.errors import ApiError, UpdaterError

HOOK = "https://hooks.example.org/services/room/of-a-webhook"
QUOTED = f"GET /v3/bill?api_key={KEY}&x=1 and {KEY} alone, by {HOOK}"


@pytest.fixture
def lines(root_logging: logging.Logger) -> Iterator[list[str]]:
    """What a handler of somebody else's writes, tracebacks too."""
    found: list[str] = []

    class Theirs(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    root_logging.addHandler(Theirs())
    root_logging.setLevel(logging.INFO)
    yield found


def make(world: World, **settings: Any) -> DailyUpdater:
    world.put(meeting(1), meeting(2))
    return world.updater({"notification_webhook_url": HOOK, **settings})


def dump(world: World) -> str:
    """All that the file holds besides people's data."""
    tables = ("updater_batches", "updater_deferred", "update_logs", "updater_runs")
    return json.dumps([world.rows(f"SELECT * FROM {table}") for table in tables])


def assert_masked(world: World, found: Any, lines: list[str], *where: str) -> None:
    """No secret anywhere; the rest of the text arrived at each of these."""
    metrics = json.dumps(vars(world.made[-1].metrics), default=str)
    for text in (json.dumps(found, default=str), metrics, dump(world), "\n".join(lines)):
        assert KEY not in text
        assert "of-a-webhook" not in text
    for text in where:
        assert "/v3/bill?api_key=****" in text
        assert "and **** alone" in text


def raising(problem: type[Exception] = RuntimeError) -> Any:
    def fail(*given: Any, **named: Any) -> Any:
        raise problem(QUOTED)

    return fail


def test_a_batch_that_raises(world: World, lines: list[str]) -> None:
    updater = make(world)
    updater._process_batch = raising()  # type: ignore[method-assign]
    updater._rollback_checkpoint = raising()  # type: ignore[method-assign]
    result = updater.run_daily_update()
    metrics = result["metrics"]
    assert_masked(
        world,
        result,
        lines,
        updater.metrics.batch_errors[0]["error"],
        metrics["errors"][0],
        metrics["deferred"][0]["reason"],
        world.value("SELECT error FROM updater_batches WHERE error IS NOT NULL"),
        world.value("SELECT reason FROM updater_deferred WHERE event_id = '1'"),
        world.value("SELECT errors FROM update_logs"),
        "\n".join(lines),
    )


def test_a_batch_that_answers_it(world: World, lines: list[str]) -> None:
    updater = make(world, batch_processing_size=1)
    answers = [
        BatchResult(success=False, error=QUOTED),
        BatchResult(success=False, issues=[QUOTED]),
    ]
    updater._process_batch = lambda *given: answers.pop(0)  # type: ignore[method-assign]
    result = updater.run_daily_update()
    errors = updater.metrics.batch_errors
    assert_masked(world, result, lines, errors[0]["error"], errors[1]["issues"][0])


@pytest.mark.parametrize("answer", [lambda batch: (False, [QUOTED]), raising()])
def test_a_validation(world: World, lines: list[str], answer: Any) -> None:
    updater = make(world)
    updater._validate_batch = answer  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert_masked(world, result, lines, json.dumps(updater.metrics.batch_errors), dump(world))


@pytest.mark.parametrize("batched", [True, False])
def test_a_record_that_raises(world: World, lines: list[str], batched: bool) -> None:
    updater = make(world, enable_batch_processing=batched)
    updater._add_new_hearing = raising()  # type: ignore[method-assign]
    result = updater.run_daily_update()
    [why, *_] = [entry["error"] for entry in updater.metrics.batch_errors] + updater.metrics.errors
    assert_masked(world, result, lines, why, "\n".join(lines))


@pytest.mark.parametrize("problem", [RuntimeError, UpdaterError])
def test_a_step_that_ends_the_run(world: World, lines: list[str], problem: type[Exception]) -> None:
    updater = make(world)
    updater._update_related_data = raising(problem)  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert_masked(
        world,
        result,
        lines,
        result["error"],
        result["metrics"]["errors"][0],
        world.value("SELECT errors FROM update_logs"),
    )


@pytest.mark.parametrize("step", ["_create_database_backup", "_cleanup_old_backups"])
def test_a_step_that_only_warns(world: World, lines: list[str], step: str) -> None:
    updater = make(world)
    setattr(updater, step, raising())
    result = updater.run_daily_update()
    assert result["success"]
    assert_masked(world, result, lines, "\n".join(lines))
    # The run's filter does not outlive it.
    assert logging.getLogger("updaters.daily_updater").filters == []


class Client(ApiClient):
    """One that quotes its request where it fails."""

    problem: Exception = RuntimeError(QUOTED)

    def get(self, endpoint: str, params: Any = None) -> dict[str, Any]:
        if endpoint.count("/") >= 3:
            raise self.problem
        return super().get(endpoint, params)


@pytest.mark.parametrize("problem", [RuntimeError(QUOTED), ApiError(QUOTED, 400)])
def test_a_client_that_raises(world: World, lines: list[str], problem: Exception) -> None:
    updater = make(world)
    updater.api_client = Client(lambda: updater.settings)
    updater.api_client.problem = problem
    result = updater.run_daily_update()
    assert_masked(
        world,
        result,
        lines,
        result["metrics"]["deferred"][0]["reason"],
        world.value("SELECT reason FROM updater_deferred WHERE event_id = '1'"),
        "\n".join(lines),
    )
