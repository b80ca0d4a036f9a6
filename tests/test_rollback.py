"""Undoing batches by checkpoint: later, twice, elsewhere, and by checkpoints made by hand."""

import logging
import pickle
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import updaters
from conftest import MakeUpdater, assert_sound, change_of, query, record, snapshot
from updaters.daily_updater import BatchResult, Checkpoint, DailyUpdater
from updaters.sandbox import Sandbox

LATER = """
import pickle, sys
from updaters.daily_updater import DailyUpdater

updater = DailyUpdater()
updater.settings.database_path = sys.argv[1]
with open(sys.argv[2], "rb") as file:
    print(updater._rollback_checkpoint(pickle.load(file)))
"""


def applied(updater: DailyUpdater, sandbox: Sandbox, seed: int = 5) -> Checkpoint:
    """A batch of ten updates and two additions, applied."""
    checkpoint = Checkpoint(1)
    batch = [change_of(updater, sandbox, event_id) for event_id in sandbox.change(10, seed=seed)]
    result = updater._process_batch([*batch, record("9001"), record("9002")], 1, checkpoint)
    assert result.success, result.error
    return checkpoint


def test_twice_is_harmless(updater: DailyUpdater, filled_db: Path, sandbox: Sandbox) -> None:
    before = snapshot(filled_db)
    checkpoint = applied(updater, sandbox)
    assert snapshot(filled_db) != before
    assert updater._rollback_checkpoint(checkpoint) is True
    assert snapshot(filled_db) == before
    assert updater._rollback_checkpoint(checkpoint) is True
    assert snapshot(filled_db) == before
    # Nor does it harm what came after the first.
    again = applied(updater, sandbox, seed=6)
    after = snapshot(filled_db)
    assert updater._rollback_checkpoint(checkpoint) is True
    assert snapshot(filled_db) == after
    assert updater._rollback_checkpoint(again) is True
    assert snapshot(filled_db) == before


def test_in_a_later_process(updater: DailyUpdater, filled_db: Path, sandbox: Sandbox) -> None:
    before = snapshot(filled_db)
    checkpoint = applied(updater, sandbox)
    updater.db.close()
    kept = filled_db.parent / "checkpoint.pickle"
    kept.write_bytes(pickle.dumps(checkpoint))
    done = subprocess.run(
        [sys.executable, "-c", LATER, str(filled_db), str(kept)],
        env={"PYTHONPATH": str(Path(updaters.__file__).parent.parent)},
        cwd=filled_db.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
    assert snapshot(filled_db) == before
    assert_sound(filled_db)


def test_by_another_updater(
    make_updater: MakeUpdater, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    before = snapshot(filled_db)
    checkpoint = applied(updater, sandbox)
    assert make_updater(filled_db)._rollback_checkpoint(checkpoint) is True
    assert snapshot(filled_db) == before


def test_batches_undone_in_the_order_they_came(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    """Two batches touch the same hearing: the first cannot be undone alone, and says so."""
    before = snapshot(filled_db)
    event_id = sandbox.event_ids()[0]
    checkpoints = []
    for number in (1, 2):
        checkpoint = Checkpoint(number)
        change = change_of(updater, sandbox, event_id, title=f"Title {number}")
        assert updater._process_batch([change], number, checkpoint).success
        checkpoints.append(checkpoint)
    after = snapshot(filled_db)
    assert updater._rollback_checkpoint(checkpoints[0]) is False
    assert snapshot(filled_db) == after
    assert updater._rollback_checkpoint(checkpoints[1]) is True
    assert updater._rollback_checkpoint(checkpoints[0]) is True
    assert snapshot(filled_db) == before


def test_a_row_that_a_later_batch_uses_too_stays_and_is_named(
    updater: DailyUpdater, filled_db: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = {"name": "Dr. Mary Shared", "organization": "Both Times"}
    checkpoints = [Checkpoint(1), Checkpoint(2)]
    for number, checkpoint in enumerate(checkpoints, 1):
        item = record(f"900{number}", witnesses=[shared], witnessDocuments=[])
        assert updater._process_batch([item], number, checkpoint).success
    with caplog.at_level(logging.INFO, logger="updaters"):
        assert updater._rollback_checkpoint(checkpoints[0]) is True
    assert any("Shared" in message and "stays" in message for message in caplog.messages)
    events = {row["event_id"] for row in snapshot(filled_db)["hearings"]}
    assert "9001" not in events
    assert "9002" in events
    assert len(query(filled_db, "SELECT 1 FROM witnesses WHERE full_name LIKE '%Shared'")) == 1
    assert_sound(filled_db)


# --- made by hand ------------------------------------------------------------------------------


def test_additions_by_hand_go_with_their_dependants(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    before = snapshot(filled_db)
    assert updater._process_batch([record("9001"), record("9002")], 1, Checkpoint(1)).success
    by_hand = Checkpoint(2)
    by_hand.track_addition("9001")
    by_hand.track_addition("9002")
    for (witness_id,) in query(filled_db, "SELECT witness_id FROM witnesses"):
        if witness_id not in {row["witness_id"] for row in before["witnesses"]}:
            by_hand.track_witness_addition(witness_id)
    assert len(by_hand.witnesses_to_add) == 4
    assert updater._rollback_checkpoint(by_hand) is True
    assert snapshot(filled_db) == before
    assert_sound(filled_db)


def test_updates_by_hand_are_restored(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    one, two = sandbox.event_ids()[:2]
    before = snapshot(filled_db)
    by_hand = Checkpoint(1)
    for event_id in (one, two):
        row = updater.db.get_hearing_by_event_id(event_id)
        by_hand.track_update(event_id, updater._extract_original_data(row))
        updater.db.execute(
            "UPDATE hearings SET title = 'x', status = 'Canceled', location = NULL,"
            " hearing_date = '1999-01-01', updated_at = '1999' WHERE event_id = ?",
            (event_id,),
        )
    assert snapshot(filled_db) != before
    assert updater._rollback_checkpoint(by_hand) is True
    assert snapshot(filled_db) == before


def test_a_document_added_by_hand_goes(updater: DailyUpdater, filled_db: Path) -> None:
    before = snapshot(filled_db)
    appearance = before["witness_appearances"][0]["appearance_id"]
    document = updater.db.execute_insert(
        "INSERT INTO witness_documents (appearance_id, document_type, document_url) VALUES (?,?,?)",
        (appearance, "Statement", "https://example.org/by-hand.pdf"),
    )
    by_hand = Checkpoint(1)
    by_hand.track_document_addition(document)
    assert updater._rollback_checkpoint(by_hand) is True
    assert snapshot(filled_db) == before


def test_a_witness_by_hand_that_others_use_stays(
    updater: DailyUpdater, filled_db: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = snapshot(filled_db)
    by_hand = Checkpoint(1)
    by_hand.track_witness_addition(before["witness_appearances"][0]["witness_id"])
    with caplog.at_level(logging.INFO, logger="updaters"):
        assert updater._rollback_checkpoint(by_hand) is True
    assert any("used by witness_appearances" in message for message in caplog.messages)
    assert snapshot(filled_db) == before


HOSTILE = [
    "title = 'x' --",
    "title\" = 'x', \"status",
    "title; DROP TABLE hearings",
    "no_such_column",
    "rowid",
    "",
    "title\x00",
    "hearings.title",
]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_hostile_column_name_is_refused(
    key: str,
    updater: DailyUpdater,
    filled_db: Path,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = snapshot(filled_db)
    by_hand = Checkpoint(1)
    one, two, three = sandbox.event_ids()[:3]
    by_hand.track_update(one, {"title": "changed"})
    by_hand.track_update(two, {"title": "changed", key: "x"})
    by_hand.track_addition(three)
    with caplog.at_level(logging.INFO, logger="updaters"):
        assert updater._rollback_checkpoint(by_hand) is False
    assert any("is no column of hearings" in m and two in m for m in caplog.messages)
    assert snapshot(filled_db) == before


def test_hostile_ids_and_values_are_only_values(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    before = snapshot(filled_db)
    one = sandbox.event_ids()[0]
    by_hand = Checkpoint(1)
    by_hand.track_addition("' OR 1=1 --")
    by_hand.track_update(one, {"title": "'); DROP TABLE hearings; --"})
    assert updater._rollback_checkpoint(by_hand) is True
    after = snapshot(filled_db)
    assert len(after["hearings"]) == len(before["hearings"])
    titles = {row["event_id"]: row["title"] for row in after["hearings"]}
    assert titles[one] == "'); DROP TABLE hearings; --"


def test_ids_that_do_not_exist_are_warned_about(
    updater: DailyUpdater, filled_db: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = snapshot(filled_db)
    by_hand = Checkpoint(1)
    by_hand.track_addition("no-such-addition")
    by_hand.track_update("no-such-update", {"title": "x"})
    by_hand.track_witness_addition(999_999)
    by_hand.track_document_addition(888_888)
    with caplog.at_level(logging.INFO, logger="updaters"):
        assert updater._rollback_checkpoint(by_hand) is True
    warned = "\n".join(
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    )
    for named in ("no-such-addition", "no-such-update", "999999", "888888"):
        assert named in warned
    assert snapshot(filled_db) == before


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("witnesses_to_add", ["not a number"]),
        ("original_hearing_data", {"1": "not a dict"}),
        ("original_hearing_data", {"1": {"title": object()}}),
        ("hearings_to_add", None),
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_refused(
    attribute: str, value: Any, updater: DailyUpdater, filled_db: Path
) -> None:
    before = snapshot(filled_db)
    by_hand = Checkpoint(1)
    setattr(by_hand, attribute, value)
    assert updater._rollback_checkpoint(by_hand) is False
    assert snapshot(filled_db) == before


def test_an_empty_checkpoint_is_a_no_op(updater: DailyUpdater, filled_db: Path) -> None:
    before = filled_db.read_bytes()
    assert updater._rollback_checkpoint(Checkpoint(1)) is True
    assert filled_db.read_bytes() == before


def test_by_hand_twice_and_with_numbers_for_ids(updater: DailyUpdater, filled_db: Path) -> None:
    before = snapshot(filled_db)
    assert updater._process_batch([{"eventId": 9001}], 1, Checkpoint(1)).success
    by_hand = Checkpoint(2)
    by_hand.track_addition(9001)
    assert updater._rollback_checkpoint(by_hand) is True
    assert snapshot(filled_db) == before
    assert updater._rollback_checkpoint(by_hand) is True
    assert snapshot(filled_db) == before


def test_by_hand_on_a_database_of_the_oldest_shape(
    make_updater: MakeUpdater, legacy_db: Path
) -> None:
    updater = make_updater(legacy_db)
    by_hand = Checkpoint(1)
    by_hand.track_addition("1001")
    by_hand.track_update(
        "1002", {"title": "As it was", "updated_at": datetime(2025, 1, 2, 3, 4, 5)}
    )
    assert updater._rollback_checkpoint(by_hand) is True
    assert query(legacy_db, "SELECT event_id, title FROM hearings ORDER BY 1") == [
        ("1002", "As it was"),
        ("1003", "On both"),
    ]
    assert query(legacy_db, "SELECT COUNT(*) FROM witness_documents") == [(1,)]
    assert_sound(legacy_db)


def test_a_hearing_that_was_there_before_is_never_deleted(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    """An addition of what is stored already is an update, and undone as one."""
    before = snapshot(filled_db)
    event_id = sandbox.event_ids()[0]
    checkpoint = Checkpoint(1)
    item = {**sandbox.meeting(event_id), "title": "Not new at all"}
    assert updater._process_batch([item], 1, checkpoint).success
    assert checkpoint.hearings_to_add == []
    assert checkpoint.hearings_to_update == [event_id]
    assert updater._rollback_checkpoint(checkpoint) is True
    assert snapshot(filled_db) == before


def test_on_the_real_database(
    make_updater: MakeUpdater, real_db: Path, sandbox: Sandbox, moment: datetime
) -> None:
    """A batch of 50 real hearings, changed all over, and back."""
    before = snapshot(real_db)
    with Sandbox(db=real_db, now=moment) as api:
        updater = make_updater(real_db, api_base_url=api.url)
        changes = [change_of(updater, api, event_id) for event_id in api.change(50, seed=2)]
        checkpoint = Checkpoint(1)
        result = updater._process_batch([*changes, record("TEST-1")], 1, checkpoint)
        assert result.success, result.error
        assert len(checkpoint.hearings_to_update) == 50
        assert updater._rollback_checkpoint(checkpoint) is True
    after = snapshot(real_db)
    for table, rows in before.items():
        # The newer columns that bringing up added are empty.
        old = [{key: row[key] for key in rows[0]} for row in after[table]] if rows else []
        assert sorted(old, key=repr) == rows, table


class OwnCheckpoint:
    """As a suite may have made one before: the contract's attributes and nothing of ours."""

    def __init__(self, batch_number: int) -> None:
        self.batch_number = batch_number
        self.hearings_to_update: list[Any] = []
        self.hearings_to_add: list[Any] = []
        self.witnesses_to_add: list[Any] = []
        self.documents_to_add: list[Any] = []
        self.original_hearing_data: dict[str, Any] = {}

    def track_update(self, hearing_id: Any, original_data: dict[str, Any]) -> None:
        self.hearings_to_update.append(hearing_id)
        self.original_hearing_data[hearing_id] = original_data

    def track_addition(self, hearing_id: Any) -> None:
        self.hearings_to_add.append(hearing_id)

    def track_witness_addition(self, witness_id: Any) -> None:
        self.witnesses_to_add.append(witness_id)

    def track_document_addition(self, document_id: Any) -> None:
        self.documents_to_add.append(document_id)


def test_a_checkpoint_of_the_callers_own_class_is_filled_and_undone_exactly(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    before = snapshot(filled_db)
    checkpoint: Any = OwnCheckpoint(1)
    batch = [change_of(updater, sandbox, event_id) for event_id in sandbox.change(3, seed=5)]
    assert updater._process_batch([*batch, record("9001")], 1, checkpoint).success
    assert checkpoint.hearings_to_add == ["9001"]
    assert len(checkpoint.hearings_to_update) == 3
    assert updater._rollback_checkpoint(checkpoint) is True
    assert snapshot(filled_db) == before


def test_a_run_is_undone_with_the_dates_that_it_moved(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    assert updater.run_daily_update()["success"]
    before = snapshot(filled_db)
    changed = sandbox.change(5, seed=5)
    touched = [event_id for event_id in sandbox.event_ids() if event_id not in changed][:4]
    for event_id in touched:
        sandbox.touch(event_id)
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 5
    dates = "SELECT event_id, update_date FROM hearings"
    assert query(filled_db, dates) != [
        (row["event_id"], row["update_date"]) for row in before["hearings"]
    ]
    run = updater.db.native.runs(1)[0]["run"]
    outcome = updater.db.native.undo_run(run, None, False)
    assert outcome["undone"], outcome
    assert snapshot(filled_db) == before
    # Nothing of the touched ones was undone that would have to be held back.
    assert sorted(outcome["held"]) == sorted(changed)


def test_a_batch_that_an_override_gave_another_checkpoint_is_undone_when_it_fails(
    make_updater: MakeUpdater, filled_db: Path
) -> None:
    class OwnCheckpoint(DailyUpdater):
        def _process_batch(
            self, batch: list[Any], batch_number: int, checkpoint: Checkpoint
        ) -> BatchResult:
            super()._process_batch(batch, batch_number, Checkpoint(batch_number))
            return BatchResult(False, error="not good enough")

    updater = make_updater(filled_db, OwnCheckpoint)
    before = snapshot(filled_db)
    updater._apply_updates_with_batches({"updates": [], "additions": [record("9001")]})
    assert updater.metrics.batches_failed == 1
    assert snapshot(filled_db) == before
