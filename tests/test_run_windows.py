"""The days a run looks back over, and the windows of a full one."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest

from helpers_run import World, meeting, utc
from updaters.sandbox import Sandbox


@pytest.mark.parametrize("catch_up", [True, False])
def test_missed_days_are_caught_up(
    filled: World, catch_up: bool, caplog: pytest.LogCaptureFixture
) -> None:
    last = (datetime.now() - timedelta(days=20)).strftime("%Y-%m-%d %H:%M:%S")
    filled.do(
        f"UPDATE update_logs SET start_time = '{last}', end_time = '{last}', update_date = '{last}'"
    )
    filled.put(meeting(50, updateDate=utc(days=15)))
    with caplog.at_level(logging.INFO):
        metrics = filled.run({"catch_up": catch_up}, lookback_days=7)
    assert metrics["hearings_added"] == (1 if catch_up else 0)
    told = [r for r in caplog.records if "last successful run" in r.getMessage()]
    assert bool(told) is catch_up


def test_a_full_run_goes_window_by_window(world: World) -> None:
    with Sandbox(meetings=520, seed=5) as sandbox:
        world.sandbox = sandbox
        updater = world.updater({"batch_processing_size": 100}, update_mode="full")
        windows: list[int] = []
        fetch = updater._fetch_recent_hearings

        def counted(progress_callback: Any = None) -> list[Any]:
            # What came before is committed by now.
            assert world.value("SELECT COUNT(*) FROM hearings") == sum(windows)
            got = fetch(progress_callback)
            windows.append(len(got))
            return got

        updater._fetch_recent_hearings = counted  # type: ignore[method-assign]
        result = updater.run_daily_update()
        metrics = result["metrics"]
        assert result["success"], result
        assert windows == [250, 250, 20]
        assert metrics["hearings_checked"] == metrics["hearings_added"] == 520
        numbers = world.rows(
            "SELECT batch_number FROM updater_batches WHERE kind = 'batch' ORDER BY batch_id"
        )
        assert [row["batch_number"] for row in numbers] == [1, 2, 3, 4, 5, 6, 7]
        assert metrics["batch_processing"]["batch_count"] == 7
        assert world.value("SELECT COUNT(*) FROM update_logs") == 1
        # All of it once more: everything is asked for, nothing changes.
        before = world.snapshot()
        sandbox.clear_requests()
        again = world.run(update_mode="full")
        assert (again["hearings_updated"], again["hearings_added"]) == (0, 0)
        assert len(world.details()) == 520
        assert world.snapshot() == before
