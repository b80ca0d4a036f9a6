"""Ctrl-C and SIGTERM: wherever they land, they end the run, and whole batches stay."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import query
from helpers_run import World, command, locked, metrics_of, started, until, update
from updaters.daily_updater import DailyUpdater
from updaters.database import Database
from updaters.sandbox import Sandbox


@pytest.fixture
def world(busy_world: World) -> World:
    return busy_world


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_fetches(world: World, number: signal.Signals) -> None:
    world.sandbox.latency_ms = 60_000
    before = world.snapshot()
    with started(world) as process:
        until(lambda: world.sandbox.max_in_flight > 0, "it asks")
        sent = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        took = time.monotonic() - sent
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert took < 10, "it waited for the API"
    assert "Traceback" not in err
    json.loads(out)
    assert world.snapshot() == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_between_two_windows(world: World, number: signal.Signals, code: int) -> None:
    with Sandbox(meetings=300, seed=8, spread_days=5, latency_ms=100) as slow:
        world.sandbox = slow
        with started(world, "--mode", "full", BATCH_PROCESSING_SIZE="50") as process:
            stored = "SELECT COUNT(*) FROM hearings"
            until(lambda: world.value(stored) == 250, "the first window is in")
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        assert process.returncode == code, err
        assert "Traceback" not in err
        metrics = json.loads(out)
        # What was committed stays; what was under way does not.
        assert metrics["hearings_added"] == world.value("SELECT COUNT(*) FROM hearings") == 250
        assert metrics["error_count"] == 1
        assert world.row("SELECT success, hearings_added FROM update_logs") == {
            "success": 0,
            "hearings_added": 250,
        }
        assert world.value("SELECT success FROM updater_runs") == 0
        assert world.rows("PRAGMA foreign_key_check") == []
        assert not (world.folder / "database.db.updater-lock").exists()
        slow.latency_ms = 0
        assert metrics_of(update(world))["hearings_added"] == 50


def test_a_signal_while_another_program_holds_the_lock(world: World) -> None:
    before = world.snapshot()
    with locked(world) as holder:
        with started(world) as process:
            assert process.stderr is not None
            # From here on it waits for the lock.
            while "to update" not in process.stderr.readline():
                assert process.poll() is None
            sent = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            took = time.monotonic() - sent
        holder.communicate("")
    assert process.returncode == 143
    assert took < 15, "it waited for the other program"
    assert world.snapshot() == before


def test_a_signal_in_the_middle_of_a_batch(world: World) -> None:
    code = (
        "import os, signal, sys\n"
        "from updaters.daily_updater import DailyUpdater\n"
        "u = DailyUpdater(lookback_days=60)\n"
        "u.settings.batch_processing_size = 10\n"
        "add, seen = u._add_new_hearing, []\n"
        "def hit(conn, data):\n"
        "    add(conn, data)\n"
        "    seen.append(1)\n"
        "    if len(seen) == 15: os.kill(os.getpid(), signal.SIGINT)\n"
        "u._add_new_hearing = hit\n"
        "try:\n"
        "    u.run_daily_update()\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', u.metrics.hearings_added)\n"
    )
    done = command(world.folder, world.sandbox.url, "-c", code)
    assert done.stdout == "stopped 10\n"
    assert world.value("SELECT COUNT(*) FROM hearings") == 10
    assert world.rows("SELECT success FROM update_logs") == [{"success": 0}]


def test_ctrl_c_in_a_fake_get_passes(updater: DailyUpdater) -> None:
    def get(endpoint: str, params: Any = None) -> dict[str, Any]:
        raise KeyboardInterrupt

    updater.api_client.get = get
    with pytest.raises(KeyboardInterrupt):
        updater.run_daily_update()


@pytest.mark.parametrize("nth", range(1, 9))
def test_ctrl_c_that_lands_where_the_database_is_looked_up_ends_the_run(
    updater: DailyUpdater,
    filled_db: Path,
    sandbox: Sandbox,
    nth: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.change(20)
    native = Database.native
    looked_up = 0

    def interrupted(db: Database) -> Any:
        nonlocal looked_up
        looked_up += updater.metrics.batches_succeeded == 1
        if looked_up == nth:
            looked_up += 1
            raise KeyboardInterrupt
        return native.fget(db)

    updater.settings.batch_processing_size = 5
    monkeypatch.setattr(Database, "native", property(interrupted))
    with pytest.raises(KeyboardInterrupt):
        updater.run_daily_update()
    assert updater.metrics.batches_failed == 0
    assert query(filled_db, "SELECT success FROM update_logs ORDER BY log_id DESC")[0][0] == 0
