"""The async twins: `run_daily_update_async` and `get_async`."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, assert_sound, query, record, snapshot
from updaters.daily_updater import Checkpoint, DailyUpdater
from updaters.errors import ApiError, RunCancelled
from updaters.sandbox import Sandbox


def test_a_run(updater: DailyUpdater, sandbox: Sandbox, filled_db: Path) -> None:
    sandbox.change(7)
    sandbox.latency_ms = 50
    beats: list[int] = []
    calls: list[dict[str, Any]] = []
    threads = set()

    def callback(info: dict[str, Any]) -> None:
        calls.append(info)
        threads.add(threading.current_thread())

    async def main() -> dict[str, Any]:
        async def heart() -> None:
            while True:
                beats.append(len(beats))
                await asyncio.sleep(0.005)

        heartbeat = asyncio.create_task(heart())
        result = await updater.run_daily_update_async(progress_callback=callback)
        await asyncio.sleep(0)
        heartbeat.cancel()
        return result

    result = asyncio.run(main())
    assert result["success"], result
    assert result["metrics"]["hearings_updated"] == 7
    # The event loop lived on meanwhile, and the callback was called in it.
    assert len(beats) > 5
    assert threads == {threading.main_thread()}
    assert calls[0]["phase"] == "initializing"
    assert_sound(filled_db)


def test_a_dry_run(updater: DailyUpdater, sandbox: Sandbox, filled_db: Path) -> None:
    sandbox.change(7)
    before = filled_db.read_bytes()
    result = asyncio.run(updater.run_daily_update_async(dry_run=True))
    assert (result["dry_run"], result["metrics"]["hearings_updated"]) == (True, 7)
    assert filled_db.read_bytes() == before


def test_a_failed_run_is_a_result(updater: DailyUpdater, sandbox: Sandbox) -> None:
    sandbox.stop()
    updater.settings.retry_attempts = 0
    updater.settings.circuit_breaker_enabled = False
    result = asyncio.run(updater.run_daily_update_async())
    assert result["success"] is False
    assert result["error"]


def test_cancelling_while_it_fetches(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(20)
    sandbox.latency_ms = 60_000
    before = snapshot(filled_db)

    async def main() -> None:
        started = asyncio.Event()
        run = asyncio.create_task(
            updater.run_daily_update_async(
                progress_callback=lambda info: info["phase"] == "fetching" and started.set()
            )
        )
        await asyncio.wait_for(started.wait(), 30)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(run, 30)

    asyncio.run(main())
    assert snapshot(filled_db) == before
    assert updater.metrics.end_time is not None
    # Nothing of it stays behind: the next run goes through.
    sandbox.latency_ms = 0
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 20


def test_cancelling_between_two_batches(
    make_updater: MakeUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    updater = make_updater(filled_db, batch_processing_size=5)
    sandbox.change(20)
    before = snapshot(filled_db)
    reached, go_on = threading.Event(), threading.Event()
    default = updater._process_batch

    def slow(batch: Any, number: int, checkpoint: Any) -> Any:
        if number == 3:
            reached.set()
            assert go_on.wait(30)
        return default(batch, number, checkpoint)

    updater._process_batch = slow

    async def main() -> None:
        run = asyncio.create_task(updater.run_daily_update_async())
        assert await asyncio.to_thread(reached.wait, 30)
        run.cancel()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    del updater._process_batch
    changed = [row for row in snapshot(filled_db)["hearings"] if row not in before["hearings"]]
    # The batches before, whole; nothing of the one under way, nor of those after it.
    assert len(changed) == 10
    assert query(filled_db, "SELECT success FROM update_logs ORDER BY log_id") == [(1,), (0,)]
    assert_sound(filled_db)
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 20 - len(changed)


def test_cancelling_before_it_started(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(5)
    before = snapshot(filled_db)

    async def main() -> None:
        run = asyncio.create_task(updater.run_daily_update_async())
        await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    assert snapshot(filled_db) == before
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 5


def test_a_cancelled_run_leaves_the_seams_usable(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(5)
    default = updater._process_batch

    def cancelling(batch: Any, number: int, checkpoint: Any) -> Any:
        updater._engine.cancel()
        return default(batch, number, checkpoint)

    updater._process_batch = cancelling  # type: ignore[method-assign]
    with pytest.raises(RunCancelled):
        updater.run_daily_update()
    assert updater.metrics.hearings_updated == 0
    del updater._process_batch
    assert updater._process_batch([record("9001")], 1, Checkpoint(1)).success


def test_get_async(updater: DailyUpdater, sandbox: Sandbox) -> None:
    one, two = sandbox.event_ids()[:2]

    async def main() -> list[dict[str, Any]]:
        get = updater.api_client.get_async
        chamber = {e: str(sandbox.meeting(e)["chamber"]).lower() for e in (one, two)}
        return list(
            await asyncio.gather(
                get(f"committee-meeting/119/{chamber[one]}/{one}"),
                get(f"committee-meeting/119/{chamber[two]}/{two}"),
                get("committee-meeting/119", {"limit": 3}),
            )
        )

    first, second, page = asyncio.run(main())
    assert first["committeeMeeting"] == sandbox.meeting(one)
    assert second["committeeMeeting"] == sandbox.meeting(two)
    assert len(page["committeeMeetings"]) == 3
    assert (
        updater.api_client.get("committee-meeting/119", {"limit": 3})["committeeMeetings"]
        == (page["committeeMeetings"])
    )
    assert all(request.key_in == "header" for request in sandbox.requests)


def test_get_async_requests_are_in_flight_together(updater: DailyUpdater, sandbox: Sandbox) -> None:
    sandbox.latency_ms = 200

    async def main() -> None:
        client = updater.api_client
        await asyncio.gather(*(client.get_async("committee-meeting/119") for _ in range(4)))

    asyncio.run(main())
    assert sandbox.max_in_flight > 1


def test_get_async_fails_as_get_does(updater: DailyUpdater) -> None:
    async def main() -> None:
        with pytest.raises(ApiError, match="no-such"):
            await updater.api_client.get_async("committee-meeting/119/house/no-such")

    asyncio.run(main())
    with pytest.raises(ApiError, match="no-such"):
        updater.api_client.get("committee-meeting/119/house/no-such")


def test_cancelling_get_async_drops_the_request(updater: DailyUpdater, sandbox: Sandbox) -> None:
    sandbox.latency_ms = 60_000

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(updater.api_client.get_async("committee-meeting/119"), 0.2)

    asyncio.run(main())
    sandbox.latency_ms = 0
    assert updater.api_client.get("committee-meeting/119", {"limit": 1})["committeeMeetings"]


FORKED = """
import asyncio, os, signal, sys
from updaters.daily_updater import DailyUpdater

parent = DailyUpdater()
asyncio.run(parent.api_client.get_async("committee-meeting/119", {"limit": 1}))
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
signal.alarm(30)
updater = DailyUpdater(lookback_days=60)
answer = asyncio.run(updater.api_client.get_async("committee-meeting/119", {"limit": 1}))
again = asyncio.run(parent.api_client.get_async("committee-meeting/119", {"limit": 1}))
result = asyncio.run(updater.run_daily_update_async())
os._exit(0 if result["success"] and answer == again else 1)
"""


def test_a_forked_child_awaits_as_its_parent_did(
    sandbox: Sandbox, filled_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_BASE_URL", sandbox.url)
    monkeypatch.setenv("DATABASE_PATH", str(filled_db))
    sandbox.change(3)
    assert subprocess.run([sys.executable, "-c", FORKED], timeout=60, check=False).returncode == 0
    assert_sound(filled_db)
