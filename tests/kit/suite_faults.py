"""A user's suite: each fault of `updaters.testing`, what it does and that nothing is left of it.

`test_testing_kit.py` runs it with the plugin, in a folder of its own.
"""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from updaters import _native
from updaters.database import Database
from updaters.errors import DatabaseBusyError
from updaters.sandbox import FAULTS, Sandbox
from updaters.testing import (
    Inject,
    MakeUpdater,
    assert_sound,
    assert_unchanged,
    snapshot,
)


def changed(api: Sandbox, updater, size: int = 5, batches: int = 3) -> list[str]:
    updater.settings.batch_processing_size = size
    return api.change(size * batches)


def batches(result) -> tuple[int, int]:
    told = result["metrics"]["batch_processing"]
    return told["batches_succeeded"], told["batches_failed"]


def is_in(updater, api: Sandbox, event_id: str) -> bool:
    stored = updater.db.get_hearing_by_event_id(event_id)["update_date"]
    return stored[:10] == api.meeting(event_id)["updateDate"][:10] and (
        stored[11:19] == api.meeting(event_id)["updateDate"][11:19]
    )


def test_what_the_api_serves_is_what_the_database_holds(updater, congress_api) -> None:
    with assert_unchanged(updater):
        metrics = updater.run_daily_update()["metrics"]
    assert metrics["hearings_checked"] == len(congress_api.event_ids()) == 60
    assert (metrics["hearings_added"], metrics["hearings_updated"]) == (0, 0)


@pytest.mark.parametrize("nth", [1, 7, 15])
def test_the_nth_record(updater, congress_api, inject, nth: int) -> None:
    changed(congress_api, updater)
    with inject.record(nth) as fault:
        result = updater.run_daily_update()
    assert fault.struck == 1
    assert batches(result) == (2, 1)
    assert result["metrics"]["batch_processing"]["batch_errors"][0]["batch"] == (nth - 1) // 5 + 1
    assert len(result["metrics"]["deferred"]) == 5
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 5
    assert_sound(updater)


def test_the_record_of_one_event_in_plain_mode_is_undone_alone(
    make_updater, hearing_db, congress_api, inject
) -> None:
    updater = make_updater(hearing_db, enable_batch_processing=False)
    first, *others = congress_api.change(4)
    with inject.record(event_id=first):
        result = updater.run_daily_update()
    assert first in result["metrics"]["errors"][0]
    assert not is_in(updater, congress_api, first)
    assert all(is_in(updater, congress_api, event) for event in others)


def test_a_batch(updater, congress_api, inject) -> None:
    changed(congress_api, updater)
    with inject.batch(2):
        result = updater.run_daily_update()
    assert batches(result) == (2, 1)
    assert [e["batch"] for e in result["metrics"]["batch_processing"]["batch_errors"]] == [2]


def test_a_commit(updater, congress_api, inject) -> None:
    changed(congress_api, updater, batches=1)
    with assert_unchanged(updater), inject.commit(1):
        assert batches(updater.run_daily_update()) == (0, 1)


def test_the_commit_of_the_plain_pass(make_updater, hearing_db, congress_api, inject) -> None:
    updater = make_updater(hearing_db, enable_batch_processing=False)
    congress_api.change(4)
    with assert_unchanged(updater), inject.commit(None):
        updater.run_daily_update()
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 4


def test_a_rollback(updater, congress_api, inject, caplog) -> None:
    changed(congress_api, updater)
    with inject.record(nth=8), inject.rollback(2):
        result = updater.run_daily_update()
    assert "Batch 2 could not be rolled back" in caplog.text
    assert any("could not be rolled back" in error for error in result["metrics"]["errors"])


def test_undoing_what_was_committed(updater, congress_api, inject) -> None:
    congress_api.change(4)
    assert updater.run_daily_update()["success"]
    with assert_unchanged(updater), inject.undo(), pytest.raises(Exception, match="undo"):
        updater._rollback_database()
    assert updater._rollback_database() is True


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("error", ["full", "io"])
def test_the_disk(request, mode: str, error: str, tmp_path) -> None:
    request.applymarker(pytest.mark.hearings(journal_mode=mode))
    updater = request.getfixturevalue("updater")
    api = request.getfixturevalue("congress_api")
    inject: Inject = request.getfixturevalue("inject")
    path = request.getfixturevalue("hearing_db")
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == (mode,)
    db.close()
    api.change(10)
    with assert_unchanged(updater), inject.disk(error) as fault:
        result = updater.run_daily_update()
    assert fault.struck > 0
    assert result["success"] is False
    assert_sound(updater)
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 10


def test_one_file_and_some_writes(updater, congress_api, inject, hearing_db) -> None:
    congress_api.change(10)
    with assert_unchanged(updater), inject.disk("io", file="database.db-wal", times=1) as fault:
        updater.run_daily_update()
    assert fault.struck == 1


@pytest.mark.parametrize("kind", ["500", "503", "reset", "truncated", "html", "404"])
def test_the_api_for_one_event(updater, congress_api, inject, kind: str) -> None:
    first, second = congress_api.change(2)
    with inject.api(kind, event_id=first) as fault:
        result = updater.run_daily_update()
    assert fault.struck >= 1
    assert [event["event_id"] for event in result["metrics"]["deferred"]] == [first]
    assert is_in(updater, congress_api, second)
    assert congress_api.faults == {}
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 1


def test_the_next_requests(updater, congress_api, inject) -> None:
    congress_api.change(3)
    with assert_unchanged(updater), inject.api("reset", times=1) as fault:
        assert updater.run_daily_update()["success"] is False
    assert fault.struck == 1
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 3


def test_another_program_that_holds_the_lock(
    make_updater, hearing_db, congress_api, inject
) -> None:
    updater = make_updater(hearing_db)
    updater.db = Database(str(hearing_db), wait_seconds=0.1)
    with (
        assert_unchanged(hearing_db),
        inject.locked(hearing_db),
        pytest.raises(DatabaseBusyError),
    ):
        updater.db.execute("DELETE FROM hearing_committees")


# --- promises ---------------------------------------------------------------------------------


def test_a_fault_that_nobody_met_fails_the_test(inject) -> None:
    with pytest.raises(AssertionError, match="batch 3: nothing came by"), inject.batch(3):
        pass
    with inject.batch(3, strict=False):
        pass
    with pytest.raises(AssertionError, match="no request met it"), inject.api("500", times=1):
        pass


def test_what_the_test_raises_is_not_hidden(inject) -> None:
    with pytest.raises(KeyError), inject.batch(3):
        raise KeyError("mine")


LEFT: list[int] = []


def test_a_fault_that_is_left_armed(inject) -> None:
    fault = inject.batch(1).arm()
    LEFT.append(fault._number)


def test_is_gone_with_its_test() -> None:
    (number,) = LEFT
    assert _native.disarm_fault(number) is None


def test_what_changed_is_named(updater, hearing_db) -> None:
    row = snapshot(hearing_db)["hearings"][0]
    change = "UPDATE hearings SET title = 'Other' WHERE hearing_id = ?"
    with pytest.raises(AssertionError) as raised, assert_unchanged(hearing_db):
        updater.db.execute(change, (row["hearing_id"],))
        updater.db.execute("DELETE FROM witness_documents")
    told = str(raised.value)
    assert f"hearings hearing_id={row['hearing_id']} (event {row['event_id']}), title: was" in told
    assert "is 'Other'" in told
    assert "witness_documents document_id=" in told
    assert ": gone" in told


def test_columns_and_tables_can_be_left_out(updater, hearing_db) -> None:
    with assert_unchanged(hearing_db, without_columns=["title", "updated_at"]):
        updater.db.execute("UPDATE hearings SET title = 'Other'")
    with assert_unchanged(hearing_db, without_tables=["witness_documents"]):
        updater.db.execute("DELETE FROM witness_documents")
    with pytest.raises(AssertionError), assert_unchanged(hearing_db, ours=True):
        updater.db.execute("UPDATE hearings SET title = 'Once more'")


def test_a_damaged_reference_is_not_sound(hearing_db) -> None:
    assert_sound(hearing_db)
    with sqlite3.connect(hearing_db) as db:
        db.execute("DELETE FROM witnesses")
    db.close()
    with pytest.raises(AssertionError, match="not sound"):
        assert_sound(hearing_db)


def test_settings_and_arguments(make_updater: MakeUpdater, hearing_db) -> None:
    updater = make_updater(hearing_db, batch_processing_size=3, lookback_days=9, update_mode="full")
    assert updater.settings.batch_processing_size == 3
    assert (updater.lookback_days, updater.update_mode) == (9, "full")
    with pytest.raises(TypeError, match="no setting 'batch_procesing_size'"):
        make_updater(hearing_db, batch_procesing_size=3)


def test_nobodys_settings_are_in_force(updater, monkeypatch) -> None:
    assert updater.settings.api_key == "test-key"
    assert updater.settings.batch_processing_size == 50
    assert Path(updater.settings.database_path).parent == Path.cwd()


@pytest.mark.hearings(meetings=7, seed=3, congress=118)
def test_another_congress(updater, congress_api, hearing_db) -> None:
    rows = snapshot(hearing_db)["hearings"]
    assert len(rows) == 7
    assert {row["congress"] for row in rows} == {118}
    assert updater.run_daily_update()["success"]


def test_async(updater, congress_api, inject) -> None:
    congress_api.change(3)
    with assert_unchanged(updater), inject.commit(1):
        result = asyncio.run(updater.run_daily_update_async())
    assert batches(result) == (0, 1)


def test_every_kind_of_the_sandbox_can_be_ordered(inject) -> None:
    for kind in FAULTS:
        inject.api(kind).arm()
    with pytest.raises(ValueError, match="no API fault 'nonsense'"):
        inject.api("nonsense")
