"""A second call while an updater runs, from wherever: refused at once, nothing else touched."""

import asyncio
import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from conftest import query
from updaters.daily_updater import DailyUpdater, UpdateMetrics
from updaters.sandbox import Sandbox

REFUSAL = "this updater is already running an update"


def assert_refused(result: dict[str, Any]) -> None:
    assert (result["success"], result["error"]) == (False, REFUSAL)
    metrics = result["metrics"]
    assert metrics["errors"] == [REFUSAL]
    assert list(metrics) == list(UpdateMetrics().to_dict())
    assert metrics["hearings_checked"] == 0
    assert metrics["end_time"]


def test_from_the_callback_and_from_another_thread(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(20)
    updater.settings.batch_processing_size = 5
    refused: list[dict[str, Any]] = []
    before: list[Any] = []

    def second() -> None:
        metrics, started = updater.metrics, updater.metrics.start_time
        refused.append(updater.run_daily_update())
        assert updater.metrics is metrics
        assert (metrics.start_time, metrics.end_time, metrics.errors) == (started, None, [])

    def callback(info: dict[str, Any]) -> None:
        if info["phase"] in ("initializing", "applying"):
            before.append(info["phase"])
            second()
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

    result = updater.run_daily_update(progress_callback=callback)
    assert result["success"], result
    assert result["metrics"]["hearings_updated"] == 20
    assert result["metrics"]["errors"] == []
    # The batches went on being told.
    assert before.count("applying") == 5
    assert len(refused) == 2 * len(before)
    for one in refused:
        assert_refused(one)
    assert query(filled_db, "SELECT success FROM update_logs ORDER BY log_id") == [(1,), (1,)]
    # Once it is over, the next one runs; also after a failure.
    updater.update_mode = "no such"
    assert updater.run_daily_update()["error"] != REFUSAL
    updater.update_mode = "incremental"
    assert updater.run_daily_update()["success"]


def test_gathered(updater: DailyUpdater, sandbox: Sandbox, filled_db: Path) -> None:
    sandbox.change(7)
    sandbox.latency_ms = 100

    async def main() -> list[dict[str, Any]]:
        return await asyncio.gather(
            updater.run_daily_update_async(), updater.run_daily_update_async()
        )

    refused, result = sorted(asyncio.run(main()), key=lambda one: bool(one["success"]))
    assert_refused(refused)
    assert result["success"], result
    assert result["metrics"]["hearings_updated"] == 7
    assert len(query(filled_db, "SELECT success FROM update_logs")) == 2


def test_cancelling_the_second_leaves_the_first_alone(
    updater: DailyUpdater, sandbox: Sandbox
) -> None:
    sandbox.change(7)
    sandbox.latency_ms = 100

    async def main() -> dict[str, Any]:
        started = asyncio.Event()
        first = asyncio.create_task(
            updater.run_daily_update_async(progress_callback=lambda info: started.set())
        )
        await asyncio.wait_for(started.wait(), 30)
        for _ in range(20):
            second = asyncio.create_task(updater.run_daily_update_async())
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait({second})
        return await first

    result = asyncio.run(main())
    assert result["success"], result
    assert result["metrics"]["hearings_updated"] == 7


def test_two_updaters_do_not_stand_in_each_others_way(
    updater: DailyUpdater, make_updater: Any, legacy_db: Path
) -> None:
    other = make_updater(legacy_db)
    results: list[dict[str, Any]] = []

    def callback(info: dict[str, Any]) -> None:
        if info["phase"] == "initializing":
            results.append(other.run_daily_update(dry_run=True))

    results.append(updater.run_daily_update(progress_callback=callback))
    assert [one["success"] for one in results] == [True, True]


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_updater_cannot_be_copied(clean_env: Path, how: Any) -> None:
    with pytest.raises(TypeError, match="make another one with the same arguments"):
        how(DailyUpdater())
