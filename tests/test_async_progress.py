"""The progress callback of an awaited run: the run waits while the event loop runs it."""

import asyncio
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conftest import query, snapshot
from updaters import event_loop
from updaters.daily_updater import DailyUpdater
from updaters.sandbox import Sandbox


@pytest.fixture(autouse=True)
def small_batches(updater: DailyUpdater, sandbox: Sandbox) -> None:
    sandbox.change(20)
    updater.settings.batch_processing_size = 5


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if "progress callback failed" in line]


def test_no_lock_is_held_meanwhile(updater: DailyUpdater, filled_db: Path) -> None:
    calls: list[int] = []

    def callback(info: dict[str, Any]) -> None:
        time.sleep(0.02)
        with closing(sqlite3.connect(filled_db, timeout=0)) as db, db:
            db.execute("INSERT INTO policy_areas (name) VALUES (?)", (f"call {len(calls)}",))
        calls.append(updater.metrics.batches_succeeded)

    result = asyncio.run(updater.run_daily_update_async(progress_callback=callback))
    assert result["success"], result
    # Each batch was told before the next one began.
    assert [number for number in calls if number][:4] == [1, 2, 3, 4]
    assert query(filled_db, "SELECT COUNT(*) FROM policy_areas WHERE name LIKE 'call %'") == [
        (len(calls),)
    ]


@pytest.mark.parametrize("awaited", [False, True])
def test_one_that_raises_is_logged_once_and_not_called_again(
    updater: DailyUpdater, caplog: pytest.LogCaptureFixture, awaited: bool
) -> None:
    calls: list[str] = []

    def callback(info: dict[str, Any]) -> None:
        calls.append(info["phase"])
        raise ValueError("the caller's own mistake")

    async def later(info: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        callback(info)

    called = later if awaited else callback
    result = asyncio.run(updater.run_daily_update_async(progress_callback=called))
    assert result["success"], result
    assert calls == ["initializing"]
    assert len(failures(caplog)) == 1
    assert "the caller's own mistake" in caplog.text


def test_a_coroutine_is_awaited(updater: DailyUpdater) -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def callback(info: dict[str, Any]) -> None:
        begun.append(updater.metrics.batches_succeeded)
        await asyncio.sleep(0.02)
        ended.append(updater.metrics.batches_succeeded)

    assert asyncio.run(updater.run_daily_update_async(progress_callback=callback))["success"]
    assert begun == ended
    assert begun[-1] == 4


@pytest.mark.parametrize("awaited", [False, True])
def test_cancelling_while_a_callback_is_waited_for(
    updater: DailyUpdater, filled_db: Path, awaited: bool
) -> None:
    before = snapshot(filled_db)

    async def main() -> None:
        waiting = asyncio.Event()

        async def callback(info: dict[str, Any]) -> None:
            waiting.set()
            await asyncio.sleep(60)

        def at_once(info: dict[str, Any]) -> None:
            run.cancel()

        run = asyncio.create_task(
            updater.run_daily_update_async(progress_callback=callback if awaited else at_once)
        )
        if awaited:
            await asyncio.wait_for(waiting.wait(), 30)
            run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(run, 10)

    asyncio.run(main())
    assert snapshot(filled_db) == before
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 20


def test_cancelled_twice_it_is_wound_down_all_the_same(
    updater: DailyUpdater, filled_db: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    default = updater._process_batch

    def slow(batch: Any, number: int, checkpoint: Any) -> Any:
        if number == 3:
            reached.set()
            assert go_on.wait(30)
        return default(batch, number, checkpoint)

    updater._process_batch = slow  # type: ignore[method-assign]

    async def main() -> None:
        run = asyncio.create_task(updater.run_daily_update_async())
        assert await asyncio.to_thread(reached.wait, 30)
        for _ in range(3):
            run.cancel()
            await asyncio.sleep(0.02)
        assert not run.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    assert updater.metrics.end_time is not None
    assert query(filled_db, "SELECT success FROM update_logs ORDER BY log_id") == [(1,), (0,)]


def test_a_stuck_loop_is_given_up(
    updater: DailyUpdater, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(event_loop, "CALLBACK_LIMIT", 0.3)
    calls: list[str] = []

    async def callback(info: dict[str, Any]) -> None:
        calls.append(info["phase"])
        await asyncio.sleep(60)

    result = asyncio.run(updater.run_daily_update_async(progress_callback=callback))
    assert result["success"], result
    assert calls == ["initializing"]
    assert len(failures(caplog)) == 1


def test_a_closed_loop_does_not_hold_the_run_up(
    updater: DailyUpdater, filled_db: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.new_event_loop()
    reached, closed, over = threading.Event(), threading.Event(), threading.Event()

    def apply(changes: Any) -> None:
        reached.set()
        assert closed.wait(30)
        default(changes)

    def clean_up(days: int = 7) -> None:
        over.set()

    default = updater._apply_updates_with_batches
    updater._apply_updates_with_batches = apply  # type: ignore[method-assign]
    updater._cleanup_old_backups = clean_up  # type: ignore[method-assign]

    async def main() -> None:
        run = asyncio.ensure_future(
            updater.run_daily_update_async(progress_callback=lambda info: None)
        )
        # Not awaited to its end: whoever owns this loop is gone.
        await asyncio.wait({run}, timeout=0.01)
        await asyncio.to_thread(reached.wait, 30)

    loop.run_until_complete(main())
    loop.close()
    closed.set()
    assert over.wait(20)
    assert len(failures(caplog)) == 1
    assert query(filled_db, "SELECT success FROM update_logs ORDER BY log_id") == [(1,), (1,)]
