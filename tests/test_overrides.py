"""What overrides may do with `conn` and `db`: it joins the batch, and cannot end it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, assert_sound, count, query, record, snapshot
from updaters.daily_updater import BatchResult, Checkpoint, DailyUpdater
from updaters.errors import DatabaseError
from updaters.sandbox import Sandbox


class WithNotes(DailyUpdater):
    """Writes its own rows beside each hearing, through `conn` and through `self.db`."""

    fail_at = ""

    def _add_new_hearing(self, conn: Any, hearing_data: dict[str, Any]) -> None:
        super()._add_new_hearing(conn, hearing_data)
        event_id = hearing_data["eventId"]
        row = conn.execute("SELECT * FROM hearings WHERE event_id = ?", (event_id,)).fetchone()
        assert row["event_id"] == event_id == dict(row)["event_id"]
        assert row[0] == row["hearing_id"]
        # The batch's own transaction: the row is not to be seen from outside.
        assert not query(self.db.db_path, "SELECT 1 FROM hearings WHERE event_id = ?", event_id)
        cursor = conn.execute(
            "UPDATE hearings SET location = 'by conn' WHERE hearing_id = ?", row[:1]
        )
        assert cursor.rowcount == 1
        self.db.execute_insert("INSERT INTO policy_areas (name) VALUES (?)", (f"by db {event_id}",))
        committee = self.db.fetch_one("SELECT committee_id FROM committees ORDER BY 1")[0]
        self.db.link_hearing_committee(row["hearing_id"], committee)
        assert self.db.get_hearing_by_event_id(event_id)["location"] == "by conn"
        with self.db.transaction() as inner:
            inner.execute("INSERT INTO policy_areas (name) VALUES (:n)", {"n": f"inner {event_id}"})
        if event_id == self.fail_at:
            raise RuntimeError("failed on purpose")


def test_sql_of_overrides_joins_the_batch_and_is_undone_with_it(
    make_updater: MakeUpdater, filled_db: Path
) -> None:
    updater = make_updater(filled_db, WithNotes, batch_processing_size=2)
    updater.fail_at = "9004"
    updater._apply_updates_with_batches(
        {"updates": [], "additions": [record(str(n)) for n in range(9001, 9007)]}
    )
    assert updater.metrics.batch_errors == [
        {"batch": 2, "error": "event 9004: RuntimeError: failed on purpose"}
    ]
    names = {name for (name,) in query(filled_db, "SELECT name FROM policy_areas")}
    for n in ("9001", "9002", "9005", "9006"):
        assert {f"by db {n}", f"inner {n}"} <= names
    assert not [name for name in names if name.endswith(("9003", "9004"))]
    assert query(
        filled_db, "SELECT event_id FROM hearings WHERE location = 'by conn' ORDER BY event_id"
    ) == [("9001",), ("9002",), ("9005",), ("9006",)]
    assert_sound(filled_db)


def test_sql_of_overrides_is_journaled(make_updater: MakeUpdater, filled_db: Path) -> None:
    updater = make_updater(filled_db, WithNotes)
    before = snapshot(filled_db)
    checkpoint = Checkpoint(1)
    assert updater._process_batch([record("9001"), record("9002")], 1, checkpoint).success
    after = snapshot(filled_db)
    assert len(after["policy_areas"]) == len(before["policy_areas"]) + 4
    assert updater._rollback_checkpoint(checkpoint) is True
    assert snapshot(filled_db) == before


def test_a_replace_and_a_delete_of_an_override_are_journaled(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    before = snapshot(filled_db)
    checkpoint = Checkpoint(1)

    def own(conn: Any, hearing_data: dict[str, Any]) -> None:
        conn.execute("DELETE FROM witness_documents")
        conn.execute("DELETE FROM hearing_committees")
        conn.execute(
            "INSERT OR REPLACE INTO committees (committee_id, system_code, name, chamber, type,"
            " congress) SELECT committee_id, system_code, 'Renamed', chamber, type, congress"
            " FROM committees ORDER BY committee_id LIMIT 1"
        )
        conn.executemany(
            "UPDATE hearings SET title = ? WHERE event_id = ?",
            [("one", sandbox.event_ids()[0]), ("two", sandbox.event_ids()[1])],
        )

    updater._add_new_hearing = own  # type: ignore[method-assign]
    result = updater._process_batch([record("9001")], 1, checkpoint)
    assert result.success, result.error
    assert snapshot(filled_db) != before
    assert updater._rollback_checkpoint(checkpoint) is True
    assert snapshot(filled_db) == before


ENDINGS = [
    "COMMIT",
    "commit;",
    "END TRANSACTION",
    "ROLLBACK",
    "-- a comment\nROLLBACK",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "VACUUM",
    "ATTACH DATABASE ':memory:' AS other",
    "PRAGMA journal_mode = MEMORY",
    "PRAGMA foreign_keys = OFF",
]


@pytest.mark.parametrize("sql", ENDINGS)
def test_a_statement_that_would_end_the_transaction_is_refused(
    sql: str, updater: DailyUpdater, filled_db: Path
) -> None:
    before = snapshot(filled_db)
    seen: list[Exception] = []
    # What was refused is named (a COMMIT may be spelled END).
    statement = sql.splitlines()[-1].upper().replace("END", "COMMIT")
    word = statement.split()[0].strip(";")
    default = updater._add_new_hearing

    def own(conn: Any, hearing_data: dict[str, Any]) -> None:
        default(conn, hearing_data)
        for execute in (conn.execute, updater.db.execute):
            with pytest.raises(DatabaseError) as refused:
                execute(sql)
            assert word in str(refused.value)
            seen.append(refused.value)
        if hearing_data["eventId"] == "9002":
            conn.execute(sql)

    updater._add_new_hearing = own  # type: ignore[method-assign]
    # One that catches the refusal goes on in the same transaction.
    checkpoint = Checkpoint(1)
    assert updater._process_batch([record("9001")], 1, checkpoint).success
    assert len(seen) == 2
    assert updater._rollback_checkpoint(checkpoint)
    assert snapshot(filled_db) == before
    # One that does not fails its batch, of which nothing stays.
    result = updater._process_batch([record("9001"), record("9002")], 2, Checkpoint(2))
    assert not result.success
    assert str(seen[0]) in str(result.error)
    assert snapshot(filled_db) == before


def test_insert_or_rollback_fails_its_batch_only(updater: DailyUpdater, filled_db: Path) -> None:
    before = snapshot(filled_db)
    updater.settings.batch_processing_size = 2
    default = updater._add_new_hearing

    def own(conn: Any, hearing_data: dict[str, Any]) -> None:
        default(conn, hearing_data)
        if hearing_data["eventId"] in ("9003", "9004"):
            # SQLite ends the whole transaction where this violates a constraint.
            try:
                conn.execute("INSERT OR ROLLBACK INTO policy_areas (policy_area_id, name) VALUES"
                             " (1, 'x'), (1, 'y')")  # fmt: skip
            except Exception:
                updater.swallowed = True  # type: ignore[attr-defined]

    updater._add_new_hearing = own  # type: ignore[method-assign]
    updater._apply_updates_with_batches(
        {"updates": [], "additions": [record(str(n)) for n in range(9001, 9007)]}
    )
    assert updater.swallowed  # type: ignore[attr-defined]
    assert [error["batch"] for error in updater.metrics.batch_errors] == [2]
    assert "transaction" in updater.metrics.batch_errors[0]["error"]
    now = {row["event_id"] for row in snapshot(filled_db)["hearings"]}
    assert now - {row["event_id"] for row in before["hearings"]} == {"9001", "9002", "9005", "9006"}
    assert count(filled_db, "policy_areas") == len(before["policy_areas"])
    assert_sound(filled_db)


def test_an_override_that_leaves_its_transaction_open(
    updater: DailyUpdater, filled_db: Path
) -> None:
    before = snapshot(filled_db)
    updater.settings.batch_processing_size = 1
    default = updater._process_batch
    left: list[Any] = []

    def own(batch: list[Any], number: int, checkpoint: Checkpoint) -> BatchResult:
        if number != 2:
            return default(batch, number, checkpoint)
        transaction = updater.db.transaction()
        conn = transaction.__enter__()
        left.append(transaction)
        updater._add_new_hearing(conn, batch[0])
        return BatchResult(False, error="went away")

    updater._process_batch = own  # type: ignore[method-assign]
    updater._apply_updates_with_batches(
        {"updates": [], "additions": [record("9001"), record("9002"), record("9003")]}
    )
    assert updater.metrics.batches_succeeded == 2
    assert updater.db.in_transaction is False
    now = {row["event_id"] for row in snapshot(filled_db)["hearings"]}
    assert now - {row["event_id"] for row in before["hearings"]} == {"9001", "9003"}
    assert_sound(filled_db)


def test_a_conn_is_of_no_use_after_its_transaction(updater: DailyUpdater, filled_db: Path) -> None:
    kept: list[Any] = []
    updater._add_new_hearing = lambda conn, hearing_data: kept.append(conn)  # type: ignore[method-assign]
    assert updater._process_batch([record("9001")], 1, Checkpoint(1)).success
    before = snapshot(filled_db)
    with pytest.raises(DatabaseError):
        kept[0].execute("DELETE FROM witnesses")
    assert snapshot(filled_db) == before


def test_other_threads_wait_for_the_batch(updater: DailyUpdater, filled_db: Path) -> None:
    default = updater._add_new_hearing
    order: list[str] = []
    threads: list[threading.Thread] = []
    tried = threading.Event()

    def elsewhere() -> None:
        tried.set()
        updater.db.execute("INSERT INTO policy_areas (name) VALUES ('from another thread')")
        order.append("other thread")

    def own(conn: Any, hearing_data: dict[str, Any]) -> None:
        default(conn, hearing_data)
        if not threads:
            threads.append(threading.Thread(target=elsewhere))
            threads[0].start()
            assert tried.wait(10)
            # It is at it, and does not get in, neither into our transaction nor beside it.
            threads[0].join(0.3)
        order.append("batch")
        rows = conn.execute("SELECT name FROM policy_areas").fetchall()
        assert "from another thread" not in [row[0] for row in rows]
        if hearing_data["eventId"] == "9002":
            raise RuntimeError("the batch is undone")

    updater._add_new_hearing = own  # type: ignore[method-assign]
    result = updater._process_batch([record("9001"), record("9002")], 1, Checkpoint(1))
    assert not result.success
    threads[0].join(30)
    assert order == ["batch", "batch", "other thread"]
    # What the other thread wrote is not undone with the batch.
    assert ("from another thread",) in query(filled_db, "SELECT name FROM policy_areas")
    assert not query(filled_db, "SELECT 1 FROM hearings WHERE event_id IN ('9001', '9002')")


def test_what_an_override_tracked_itself_is_tracked_once(
    make_updater: MakeUpdater, filled_db: Path
) -> None:
    class Tracking(DailyUpdater):
        def _process_batch(
            self, batch: list[Any], batch_number: int, checkpoint: Checkpoint
        ) -> BatchResult:
            for item in batch:
                checkpoint.track_addition(item["eventId"])
            return super()._process_batch(batch, batch_number, checkpoint)

    updater = make_updater(filled_db, Tracking)
    checkpoint = Checkpoint(1)
    assert updater._process_batch([record("9001"), record("9002")], 1, checkpoint).success
    assert checkpoint.hearings_to_add == ["9001", "9002"]
    assert updater._rollback_checkpoint(checkpoint)
