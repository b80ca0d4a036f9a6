"""What goes wrong in a run: an API that fails, a step that raises, batches that all fail."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from helpers_run import World, meeting
from updaters.sandbox import Sandbox


@pytest.mark.parametrize("kind", ["502", "429", "reset", "truncated", "html"])
def test_a_passing_fault_is_retried(world: World, kind: str) -> None:
    world.put(*(meeting(n) for n in range(5)))
    world.sandbox.fail_next(kind, times=1, path="/house/3")
    metrics = world.run({"retry_attempts": 3})
    assert metrics["hearings_added"] == 5
    assert metrics["errors"] == []
    assert world.details().count("3") == 2


def test_a_bad_row_of_the_list_is_stepped_over_and_reported(clean_env: Path) -> None:
    with Sandbox(meetings=60, seed=2, faults={"bad-row": 0.3}) as sandbox:
        world = World(clean_env, sandbox).init()
        metrics = world.run({"retry_attempts": 1})
        assert 0 < metrics["hearings_added"] < 60
        assert metrics["errors"]
        assert metrics["hearings_added"] == metrics["hearings_checked"]


def test_the_open_circuit_breaker_ends_the_run_and_says_so(filled: World) -> None:
    before = filled.snapshot()
    for number in (1, 2, 3):
        filled.alter(number, title="Never seen")
    filled.sandbox.fail_next("503", times=99, path="/house/")
    updater = filled.updater(
        {"circuit_breaker_threshold": 1, "circuit_breaker_timeout": 1, "max_concurrency": 1}
    )
    result = updater.run_daily_update()
    assert result["success"] is False
    assert result.get("circuit_breaker_open") is True
    assert filled.snapshot() == before


def test_a_run_that_fails_before_its_first_page_leaves_the_file_untouched(filled: World) -> None:
    filled.do("PRAGMA journal_mode = delete")
    before = filled.files()
    filled.sandbox.faults = {"500": 1.0}
    metrics = filled.run(success=False)
    assert metrics["errors"]
    assert filled.files() == before


def test_a_run_that_fails_later_leaves_a_row_in_the_log(filled: World) -> None:
    filled.alter(1, title="Another title")
    updater = filled.updater()

    def fails(changes: Any) -> None:
        raise RuntimeError("out of paper")

    updater._update_related_data = fails  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"] is False
    assert "out of paper" in result["error"]
    log = filled.row(
        "SELECT success, errors, duration_seconds FROM update_logs ORDER BY log_id DESC LIMIT 1"
    )
    assert log["success"] == 0
    assert "out of paper" in log["errors"]
    assert log["duration_seconds"] is not None


def test_every_batch_failing_fails_the_run(world: World) -> None:
    world.put(meeting(1, date="never"))
    metrics = world.run(success=False)
    assert metrics["batch_processing"]["batches_failed"] == 1
    assert "every batch failed" in metrics["error"]


def test_a_backup_that_fails_is_warned_about_and_the_run_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put(meeting(1))
    updater = world.updater()

    def fails() -> None:
        raise OSError("no space on the shelf")

    updater._create_database_backup = fails  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"] is True
    assert updater.backup_path is None
    assert world.hearing(1)["title"] == "Meeting 1"
    assert [r.levelname for r in caplog.records if "on the shelf" in r.getMessage()] == ["WARNING"]
    # So is the real one, where its folder cannot be made.
    shutil.rmtree(world.folder / "backups", ignore_errors=True)
    (world.folder / "backups").write_text("a file")
    world.alter(1, title="Another title")
    assert world.run()["hearings_updated"] == 1
