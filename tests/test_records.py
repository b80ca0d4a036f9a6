"""Records in every shape, and those that fail: undone, salvaged, asked for again."""

import logging
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, change_of, count, query, record, snapshot
from updaters.daily_updater import BatchResult, Checkpoint, DailyUpdater
from updaters.sandbox import Sandbox


@pytest.mark.parametrize("shape", ["row", "tuple", "dict", "none", "sqlite3.Row"])
def test_existing_in_every_shape(
    shape: str, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    import sqlite3

    event_id = sandbox.event_ids()[0]
    change = change_of(updater, sandbox, event_id, title="Another title")
    row = change["existing"]
    with sqlite3.connect(filled_db) as db:
        db.row_factory = sqlite3.Row
        foreign = db.execute("SELECT * FROM hearings WHERE event_id = ?", (event_id,)).fetchone()
    db.close()
    shapes = {"row": row, "tuple": tuple(row), "dict": dict(row), "none": None,
              "sqlite3.Row": foreign}  # fmt: skip
    change["existing"] = shapes[shape]
    before = snapshot(filled_db)
    expected = {} if shape == "none" else dict(row)
    assert updater._extract_original_data(shapes[shape]) == expected
    assert updater._hearing_needs_update(shapes[shape], change["new_data"]) is True
    assert updater._validate_batch([change]) == (True, [])
    checkpoint = Checkpoint(1)
    result = updater._process_batch([change], 1, checkpoint)
    assert result.success, result.error
    assert checkpoint.hearings_to_update == [event_id]
    assert checkpoint.original_hearing_data == {event_id: dict(row)}
    assert count(filled_db, "hearings") == len(before["hearings"])
    titles = dict(query(filled_db, "SELECT event_id, title FROM hearings"))
    assert titles[event_id] == "Another title"
    assert updater._rollback_checkpoint(checkpoint)
    assert snapshot(filled_db) == before


def test_process_batch_stores_a_bare_event_id_with_defaults(
    updater: DailyUpdater, filled_db: Path
) -> None:
    assert updater._process_batch([{"eventId": "9001"}], 1, Checkpoint(1)).success
    assert query(
        filled_db,
        "SELECT chamber, title, hearing_type, status, congress FROM hearings WHERE event_id='9001'",
    ) == [("NoChamber", "", "Hearing", "Scheduled", 119)]
    before = snapshot(filled_db)
    result = updater._process_batch([record("9002"), {"chamber": "House"}], 2, Checkpoint(2))
    assert not result.success
    assert "eventId" in str(result.error)
    assert snapshot(filled_db) == before


def test_a_plain_pass_undoes_a_failing_record_alone(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    updater = make_updater(filled_db, enable_batch_processing=False)
    before = snapshot(filled_db)
    default = updater._add_new_hearing

    def own(conn: Any, hearing_data: dict[str, Any]) -> None:
        default(conn, hearing_data)
        if hearing_data["eventId"] == "9002":
            raise ValueError("not this one")

    updater._add_new_hearing = own  # type: ignore[method-assign]
    updater._apply_updates(
        {"updates": [], "additions": [record("9001"), record("9002"), record("9003"), {"x": 1}]}
    )
    assert len(updater.metrics.errors) == 2
    assert "9002" in updater.metrics.errors[0]
    assert "not this one" in updater.metrics.errors[0]
    assert "eventId" in updater.metrics.errors[1]
    assert updater.metrics.hearings_added == 2
    after = snapshot(filled_db)
    new = {row["event_id"] for row in after["hearings"]} - {
        row["event_id"] for row in before["hearings"]
    }
    assert new == {"9001", "9003"}
    assert not [row for row in after["witnesses"] if "9002" in row["full_name"]]
    assert updater.metrics.witnesses_updated == 4
    # Journaled as well.
    assert updater._rollback_database() is True
    assert snapshot(filled_db) == before


def test_a_record_that_fails_in_a_plain_run_is_asked_for_again(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    updater = make_updater(filled_db, enable_batch_processing=False)
    (event_id, *others) = sandbox.change(4)
    broken = {**sandbox.meeting(event_id), "date": "soon"}
    sandbox.set_meeting(broken)
    result = updater.run_daily_update()
    assert result["success"], result
    metrics = result["metrics"]
    assert metrics["hearings_updated"] == len(others)
    assert metrics["error_count"] == 1
    assert event_id in metrics["errors"][0]
    assert [entry["event_id"] for entry in metrics["deferred"]] == [event_id]
    sandbox.set_meeting({**broken, "date": "2025-10-10T10:00:00Z"})
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 1


def test_salvage_applies_the_valid_records_of_a_failed_batch(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    updater = make_updater(filled_db, batch_salvage=True, batch_processing_size=5)
    changed = sandbox.change(10, seed=3)
    broken = {**sandbox.meeting(changed[0]), "date": "soon"}
    sandbox.set_meeting(broken)
    before = snapshot(filled_db)
    result = updater.run_daily_update()
    assert result["success"], result
    metrics = result["metrics"]
    # The batch still counts as failed.
    assert metrics["batch_processing"]["batches_failed"] == 1
    assert metrics["batch_processing"]["batches_succeeded"] == 1
    assert metrics["hearings_updated"] == 9
    assert [entry["event_id"] for entry in metrics["deferred"]] == [changed[0]]
    was = {row["event_id"]: row for row in before["hearings"]}
    changed_rows = [
        row["event_id"] for row in snapshot(filled_db)["hearings"] if row != was[row["event_id"]]
    ]
    assert sorted(changed_rows) == sorted(changed[1:])
    assert updater._rollback_database() is True
    assert snapshot(filled_db) == before


def test_a_run_of_which_every_batch_fails_has_failed(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    updater = make_updater(filled_db, batch_processing_size=3)
    changed = sandbox.change(9)
    before = snapshot(filled_db)
    updater._process_batch = lambda *_: BatchResult(False, error="never")  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"] is False
    assert "3 of 3" in result["error"]
    assert result["error"] in result["metrics"]["errors"]
    assert result["metrics"]["batch_processing"]["batches_failed"] == 3
    assert sorted(e["event_id"] for e in result["metrics"]["deferred"]) == sorted(changed)
    assert snapshot(filled_db) == before
    assert query(filled_db, "SELECT success FROM update_logs ORDER BY log_id DESC LIMIT 1") == [
        (0,)
    ]
    # The next run asks for all of them again.
    del updater._process_batch
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 9


def test_a_rollback_that_answers_false_is_critical(
    updater: DailyUpdater, caplog: pytest.LogCaptureFixture
) -> None:
    updater._process_batch = lambda *_: BatchResult(False, error="never")  # type: ignore[method-assign]
    updater._rollback_checkpoint = lambda checkpoint: False  # type: ignore[method-assign]
    with caplog.at_level(logging.INFO, logger="updaters"):
        updater._apply_updates_with_batches({"updates": [], "additions": [record("9001")]})
    assert len(updater.metrics.errors) == 1
    assert "could not be rolled back" in updater.metrics.errors[0]
    assert ("updaters.daily_updater", logging.CRITICAL, "Batch 1 could not be rolled back") in (
        caplog.record_tuples
    )
