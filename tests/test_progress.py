"""The progress callback of a run, and what happens when it raises."""

import json
import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, assert_sound, query, record, snapshot
from helpers_run import World, meeting
from updaters.daily_updater import DailyUpdater
from updaters.sandbox import Sandbox

KEYS = {"phase", "message", "hearings_checked", "total_hearings", "hearings_found", "percent"}
PHASES = ["initializing", "fetching", "checking", "applying", "validating"]


def test_each_call_gets_a_fresh_plain_dict(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(20)
    updater.settings.batch_processing_size = 5
    calls: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    threads = set()

    def callback(info: dict[str, Any]) -> None:
        assert type(info) is dict
        assert set(info) == KEYS
        json.dumps(info)
        threads.add(threading.current_thread())
        calls.append(dict(info))
        kept.append(info)
        # Callers change it.
        info.clear()
        info["changed"] = True
        # And they write to the same database, with their own connection: no lock is held.
        with closing(sqlite3.connect(filled_db, timeout=0)) as db, db:
            db.execute("INSERT INTO policy_areas (name) VALUES (?)", (f"call {len(calls)}",))

    assert updater.run_daily_update(progress_callback=callback)["success"]
    assert len({id(info) for info in kept}) == len(kept)
    assert threads == {threading.current_thread()}
    phases = [info["phase"] for info in calls]
    assert sorted(set(phases), key=PHASES.index) == PHASES
    assert phases == sorted(phases, key=PHASES.index)
    percents = [info["percent"] for info in calls]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0.0, 100.0)
    assert calls[-1]["hearings_checked"] == calls[-1]["total_hearings"] == 150
    assert phases.count("applying") == 5  # the start, and four batches
    assert query(filled_db, "SELECT COUNT(*) FROM policy_areas WHERE name LIKE 'call %'") == [
        (len(calls),)
    ]
    assert_sound(filled_db)


def test_one_that_raises_is_logged_once_and_not_called_again(
    updater: DailyUpdater, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.change(3)
    calls: list[str] = []

    def callback(info: dict[str, Any]) -> None:
        calls.append(info["phase"])
        if info["phase"] == "fetching":
            raise ValueError("the caller's own mistake")

    with caplog.at_level(logging.WARNING, logger="updaters"):
        result = updater.run_daily_update(progress_callback=callback)
    assert result["success"], result
    assert result["metrics"]["hearings_updated"] == 3
    assert calls.count("fetching") == 1
    assert calls[-1] == "fetching"
    told = [m for m in caplog.messages if "progress callback" in m]
    assert len(told) == 1
    assert "the caller's own mistake" in caplog.text


@pytest.mark.parametrize("phase", PHASES)
def test_keyboard_interrupt_passes(
    phase: str, updater: DailyUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(20)
    updater.settings.batch_processing_size = 5
    seen: list[dict[str, Any]] = []

    def callback(info: dict[str, Any]) -> None:
        seen.append(info)
        if info["phase"] == phase and (phase != "applying" or updater.metrics.batches_succeeded):
            raise KeyboardInterrupt

    before = snapshot(filled_db)
    with pytest.raises(KeyboardInterrupt):
        updater.run_daily_update(progress_callback=callback)
    assert seen[-1]["phase"] == phase
    assert updater.metrics.end_time is not None
    assert_sound(filled_db)
    now = snapshot(filled_db)["hearings"]
    changed = len([row for row in now if row not in before["hearings"]])
    # As after the last whole batch.
    assert changed == {"applying": 5, "validating": 20}.get(phase, 0)
    # A run that fails after its first list page is recorded.
    recorded = query(filled_db, "SELECT success FROM update_logs ORDER BY log_id")
    early = phase in ("initializing", "fetching")
    assert recorded == ([(1,)] if early else [(1,), (0,)])
    # The next run does the rest.
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 20 - changed


def test_a_fetch_called_alone_tells_too(updater: DailyUpdater) -> None:
    calls: list[dict[str, Any]] = []
    updater._fetch_recent_hearings(calls.append)
    assert calls
    assert {info["phase"] for info in calls} == {"fetching"}


def test_signs_of_life_while_the_api_is_slow(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    """Counters that move are told while details are under way."""
    updater = make_updater(filled_db, max_concurrency=2)
    sandbox.change(20)
    sandbox.latency_ms = 100
    calls: list[dict[str, Any]] = []
    updater._fetch_recent_hearings(calls.append)
    found = [info["hearings_found"] for info in calls]
    assert found == sorted(found)
    assert len({number for number in found if 0 < number < 20}) >= 2


def test_a_dry_run_tells_and_writes_nothing(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(4)
    sandbox.add(2)
    before = filled_db.read_bytes()
    beside = sorted(path.name for path in filled_db.parent.iterdir())
    calls: list[dict[str, Any]] = []
    result = updater.run_daily_update(dry_run=True, progress_callback=calls.append)
    assert (result["success"], result["dry_run"]) == (True, True)
    assert result["metrics"]["hearings_updated"] == 4
    assert result["metrics"]["hearings_added"] == 2
    assert calls[-1]["percent"] == 100.0
    assert filled_db.read_bytes() == before
    assert sorted(path.name for path in filled_db.parent.iterdir()) == beside
    # It cannot be written either, whatever an override tries.
    updater._identify_changes = lambda hearings: updater.db.execute(  # type: ignore[method-assign, assignment]
        "DELETE FROM witnesses"
    )
    assert updater.run_daily_update(dry_run=True)["success"] is False
    assert filled_db.read_bytes() == before
    del updater._identify_changes
    updater._apply_updates_with_batches({"updates": [], "additions": [record("9001")]})
    assert updater.metrics.hearings_added >= 1


def test_the_progress_callback_may_write_to_the_database(world: World) -> None:
    world.put(*(meeting(n) for n in range(6)))
    world.do("CREATE TABLE told (phase TEXT)")
    phases: list[str] = []

    def callback(info: dict[str, Any]) -> None:
        json.dumps(info)
        phases.append(info["phase"])
        with closing(sqlite3.connect(world.path, timeout=1)) as db, db:
            db.execute("INSERT INTO told VALUES (?)", (info["phase"],))
        info.clear()

    updater = world.updater({"batch_processing_size": 2})
    assert updater.run_daily_update(progress_callback=callback)["success"]
    assert set(phases) == {"initializing", "fetching", "checking", "applying", "validating"}
    assert world.value("SELECT COUNT(*) FROM told") == len(phases)


def test_a_callback_that_raises_is_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put(meeting(1))
    calls: list[int] = []

    def callback(info: dict[str, Any]) -> None:
        calls.append(1)
        raise ValueError("no")

    assert world.updater().run_daily_update(progress_callback=callback)["success"]
    assert len(calls) == 1
    assert len([r for r in caplog.records if "progress callback" in r.getMessage()]) == 1


def test_waiting_for_another_program_does_not_tell_of_the_past(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(4)
    calls: list[dict[str, Any]] = []
    released: list[threading.Timer] = []

    def callback(info: dict[str, Any]) -> None:
        calls.append(info)
        if info["phase"] == "applying" and not released:
            other = sqlite3.connect(filled_db, isolation_level=None, check_same_thread=False)
            other.execute("BEGIN IMMEDIATE")
            # Some looks longer than it takes until what moved is told.
            released.append(threading.Timer(1.0, other.close))
            released[0].start()

    assert updater.run_daily_update(progress_callback=callback)["success"]
    released[0].join()
    phases = [info["phase"] for info in calls]
    assert phases == sorted(phases, key=PHASES.index)
    percents = [info["percent"] for info in calls]
    assert percents == sorted(percents)
