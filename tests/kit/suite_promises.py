"""A user's suite: what `updaters.testing` promises of its blocks, databases and updaters.

`test_testing_kit.py` runs it with the plugin, in a folder of its own.
"""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from updaters import _native
from updaters.daily_updater import Checkpoint, DailyUpdater
from updaters.errors import DatabaseBusyError
from updaters.testing import assert_sound, assert_unchanged, snapshot
from updaters.testing.snapshots import differences


def batches(result) -> tuple[int, int]:
    told = result["metrics"]["batch_processing"]
    return told["batches_succeeded"], told["batches_failed"]


def failed(result) -> list[int]:
    return [e["batch"] for e in result["metrics"]["batch_processing"]["batch_errors"]]


def titles(db) -> dict[str, str]:
    return {row["event_id"]: row["update_date"] for row in snapshot(db)["hearings"]}


# --- batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{"after": 3}, {"committed": True}])
def test_one_batch_of_three_is_undone_and_the_others_stay(
    updater, hearing_db, congress_api, inject, caplog, how
) -> None:
    changed = congress_api.change(15)
    updater.settings.batch_processing_size = 5
    before = titles(hearing_db)
    caplog.set_level("INFO")
    with inject.batch(2, **how) as fault:
        result = updater.run_daily_update()
    assert (fault.struck, batches(result), failed(result)) == (1, (2, 1), [2])
    undone = {event["event_id"] for event in result["metrics"]["deferred"]}
    now = titles(hearing_db)
    assert len(undone) == 5
    assert {event for event in before if before[event] != now[event]} == set(changed) - undone
    assert "Batch 2 rolled back successfully" in caplog.text
    assert_sound(hearing_db)
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 5


def test_a_batch_that_failed_after_its_commit_is_undone_by_its_checkpoint(
    updater, hearing_db, congress_api, inject
) -> None:
    congress_api.change(4)
    changes = updater._identify_changes(updater._fetch_recent_hearings())
    checkpoint = Checkpoint(7)
    before = snapshot(hearing_db)
    with inject.batch(7, committed=True):
        assert not updater._process_batch(changes["updates"], 7, checkpoint).success
    # It is stored: only the checkpoint can take it back.
    with pytest.raises(AssertionError, match="hearings hearing_id="):
        assert_unchanged(hearing_db, before)
    assert updater._rollback_checkpoint(checkpoint)
    assert_unchanged(hearing_db, before)


def test_a_rollback_that_fails_after_a_commit_leaves_the_batch_and_says_so(
    updater, hearing_db, congress_api, inject
) -> None:
    congress_api.change(3)
    with inject.batch(1, committed=True), inject.rollback(1):
        result = updater.run_daily_update()
    assert any("could not be rolled back" in error for error in result["metrics"]["errors"])
    assert_sound(hearing_db)


def test_the_disk_fills_up_in_the_second_batch(updater, hearing_db, congress_api, inject) -> None:
    congress_api.change(15)
    updater.settings.batch_processing_size = 5
    with inject.disk("full", batch=2) as disk:
        result = updater.run_daily_update()
        assert disk.struck > 0
    assert not result["success"]
    assert "disk is full" in result["error"]
    assert batches(result) == (1, 1)
    assert_sound(hearing_db)
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 10


# --- the API ----------------------------------------------------------------------------------


def test_faults_of_the_api_do_not_get_in_each_others_way(updater, congress_api, inject) -> None:
    first, second = congress_api.change(2)
    with inject.api(500, event_id=first) as outer:
        with inject.api("503", event_id=second, strict=False) as inner:
            pass
        deferred = updater.run_daily_update()["metrics"]["deferred"]
    assert [event["event_id"] for event in deferred] == [first]
    assert outer.struck > 0 == inner.struck
    one, other = inject.api("500", share=0.5).arm(), inject.api("503", share=0.25).arm()
    one.disarm()
    assert congress_api.faults == {"503": 0.25}
    other.disarm()
    assert congress_api.faults == {}


def test_an_event_whose_id_begins_like_another(updater, congress_api, inject) -> None:
    meeting = congress_api.meeting(congress_api.event_ids()[0])
    for event in ("777", "7771"):
        congress_api.set_meeting({**meeting, "eventId": event})
    with inject.api("500", event_id="777") as fault:
        deferred = updater.run_daily_update()["metrics"]["deferred"]
    assert [event["event_id"] for event in deferred] == ["777"]
    assert fault.struck > 0


@pytest.mark.parametrize("options", [{"times": 1}, {"share": 1.0}])
def test_a_cleared_log_of_requests_hides_no_fault(updater, congress_api, inject, options) -> None:
    updater.run_daily_update()
    with inject.api("reset", **options) as fault:
        congress_api.clear_requests()
        updater.run_daily_update()
    assert fault.struck >= 1


# --- another program --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_the_lock_stays_whatever_this_process_opens_and_closes(request, mode) -> None:
    request.applymarker(pytest.mark.hearings(journal_mode=mode))
    path = request.getfixturevalue("hearing_db")
    inject = request.getfixturevalue("inject")
    make_updater = request.getfixturevalue("make_updater")
    updater = make_updater(path, wait_seconds=0.1)
    with inject.locked(path):
        snapshot(path)
        with closing(sqlite3.connect(path)) as other:
            other.execute("SELECT count(*) FROM hearings").fetchone()
        with pytest.raises(DatabaseBusyError):
            updater.db.execute("DELETE FROM hearing_committees")
        updater.db.close()
        with pytest.raises(DatabaseBusyError):
            updater.db.execute("DELETE FROM hearing_committees")
    updater.db.execute("DELETE FROM hearing_committees WHERE 0")


def test_a_lock_for_a_while_is_waited_for(updater, congress_api, hearing_db, inject) -> None:
    congress_api.change(2)
    with inject.locked(hearing_db, seconds=0.4):
        result = updater.run_daily_update()
    assert result["metrics"]["hearings_updated"] == 2


def test_what_cannot_be_locked_is_told(inject, tmp_path) -> None:
    with pytest.raises(RuntimeError, match=r"none\.db could not be locked: .*unable to open"):
        inject.locked(tmp_path / "none.db").arm()


# --- blocks -----------------------------------------------------------------------------------


def test_a_fault_used_again_has_to_strike_again(updater, congress_api, inject) -> None:
    congress_api.change(3)
    fault = inject.commit(1)
    with fault:
        updater.run_daily_update()
        assert fault.struck == 1
    assert fault.struck == 1
    with pytest.raises(AssertionError, match="nothing came by"), fault:
        pass


def test_arm_and_disarm(updater, congress_api, inject) -> None:
    congress_api.change(3)
    fault = inject.commit(1)
    assert fault.disarm() == 0
    assert fault.arm().arm().armed
    assert batches(updater.run_daily_update()) == (0, 1)
    assert fault.disarm() == fault.disarm() == 1
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 3


def test_a_fault_strikes_in_other_threads_and_in_asyncio(updater, congress_api, inject) -> None:
    congress_api.change(3)
    results = []
    with assert_unchanged(updater), inject.commit(1, times=2) as fault:
        thread = threading.Thread(target=lambda: results.append(updater.run_daily_update()))
        thread.start()
        thread.join()
        results.append(asyncio.run(updater.run_daily_update_async()))
    assert fault.struck == 2
    assert [batches(result) for result in results] == [(0, 1)] * 2


# --- what is in the database ------------------------------------------------------------------


@pytest.mark.hearings(meetings=8, legacy=True)
def test_the_oldest_shape_in_use(updater, hearing_db, congress_api, inject) -> None:
    tables = snapshot(hearing_db, without_tables=(), ours=True)
    assert len(tables["hearings"]) == 8
    assert "video_url" not in tables["hearings"][0]
    assert "update_logs" not in tables
    assert not any(name.startswith("updater_") for name in tables)
    congress_api.change(2)
    # The first write brings it up, which changes nobody's rows.
    with assert_unchanged(hearing_db), inject.commit(1):
        updater.run_daily_update()
    with closing(sqlite3.connect(hearing_db)) as db:
        assert db.execute("SELECT count(*) FROM update_logs").fetchone() == (1,)
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 2
    assert_sound(hearing_db)


def test_it_is_what_a_first_run_stores(make_updater, hearing_db, tmp_path) -> None:
    empty = tmp_path / "empty.db"
    _native.init_database(str(empty))
    make_updater(empty, update_mode="full").run_daily_update()
    stamps = ("created_at", "updated_at")

    def content(db) -> dict[str, list[str]]:
        """Without row ids: a run finds the meetings in an order of its own."""
        found = snapshot(db, without_columns=stamps)
        return {
            table: sorted(
                str([value for name, value in row.items() if not name.endswith("_id")])
                for row in rows
            )
            for table, rows in found.items()
        }

    assert content(empty) == content(hearing_db)


def test_a_row_in_a_table_of_pairs_is_named_by_both() -> None:
    pairs = [{"hearing": 1, "committee": 1, "x": 1}, {"hearing": 1, "committee": 2, "x": 1}]
    found = list(differences({"links": pairs}, {"links": pairs[:1]}))
    assert found == ["links hearing=1, committee=2: gone"]
    other = [pairs[0], {**pairs[1], "x": 2}]
    found = list(differences({"links": pairs}, {"links": other}))
    assert found == ["links hearing=1, committee=2, x: was 1, is 2"]


def test_rows_that_nothing_tells_apart_are_counted() -> None:
    same = [{"a": 1, "b": None}] * 3
    assert list(differences({"t": same}, {"t": same[:1]})) == ["t a=1: gone 2 times"]
    assert list(differences({"t": same}, {"t": list(same)})) == []
    assert list(differences({}, {"t": []})) == []
    assert list(differences({"t": []}, {})) == ["t: the table is gone"]


def test_one_value_of_another_type_is_another_value(updater, hearing_db) -> None:
    before = snapshot(hearing_db)
    updater.db.execute("UPDATE hearings SET location = 'x'")
    with pytest.raises(AssertionError, match="location: was"):
        assert_unchanged(hearing_db, before)
    assert_unchanged(hearing_db, before, without_columns=["location"])
    assert_unchanged(hearing_db, before, without_tables=["hearings", "update_logs"])


# --- updaters ---------------------------------------------------------------------------------


class Own(DailyUpdater):
    """An override that keeps its own count."""

    def __init__(self, **arguments) -> None:
        super().__init__(**arguments)
        self.seen: list[int] = []

    def _process_batch(self, batch, batch_number, checkpoint):
        self.seen.append(batch_number)
        return super()._process_batch(batch, batch_number, checkpoint)


def test_overrides_meet_the_same_faults(make_updater, hearing_db, congress_api, inject) -> None:
    congress_api.change(4)
    updater = make_updater(hearing_db, cls=Own, batch_processing_size=2)
    with inject.batch(2, committed=True):
        result = updater.run_daily_update()
    assert updater.seen == [1, 2]
    assert batches(result) == (1, 1)


def test_an_updater_whose_database_was_replaced_is_closed_all_the_same(updater, monkeypatch):
    updater.run_daily_update()
    updater.db = None


def test_child_processes_find_nobodys_settings_either(hearing_db) -> None:
    code = "from config.settings import Settings; print(Settings().api_key)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "DEMO_KEY"
    assert "CONGRESS_API_KEY" not in os.environ
