"""The seams of `DailyUpdater`: the run goes through every one, and each can be called alone."""

import inspect
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import (
    MakeUpdater,
    assert_sound,
    change_of,
    count,
    query,
    record,
    snapshot,
)
from updaters.daily_updater import BatchResult, Checkpoint, DailyUpdater
from updaters.database import Database
from updaters.errors import DatabaseError, UpdaterError
from updaters.sandbox import Sandbox

SIGNATURES = {
    "_fetch_recent_hearings": "(progress_callback=None)",
    "_identify_changes": "(api_hearings)",
    "_hearing_needs_update": "(db_record, api_data)",
    "_apply_updates": "(changes)",
    "_apply_updates_with_batches": "(changes)",
    "_divide_into_batches": "(items, batch_size=None)",
    "_validate_batch": "(batch)",
    "_process_batch": "(batch, batch_number, checkpoint)",
    "_rollback_checkpoint": "(checkpoint)",
    "_extract_original_data": "(db_record)",
    "_update_hearing_record": "(conn, existing, new_data)",
    "_add_new_hearing": "(conn, hearing_data)",
    "_update_related_data": "(changes)",
    "_run_pre_update_sanity_checks": "()",
    "_run_post_update_validation": "()",
    "_run_historical_validation": "()",
    "_create_database_backup": "()",
    "_rollback_database": "()",
    "_record_update_metrics": "()",
    "_cleanup_old_backups": "(days=7)",
}
#: Those that a good run in batches calls once.
STEPS = (
    "_run_pre_update_sanity_checks",
    "_fetch_recent_hearings",
    "_identify_changes",
    "_create_database_backup",
    "_apply_updates_with_batches",
    "_divide_into_batches",
    "_update_related_data",
    "_run_post_update_validation",
    "_run_historical_validation",
    "_record_update_metrics",
    "_cleanup_old_backups",
)


def recording(updater: DailyUpdater, names: Any, calls: list[str]) -> None:
    """Replace seams on the instance by ones that note their name, and call the default."""
    for name in names:
        default = getattr(updater, name)

        def replacement(
            *args: Any, _name: str = name, _default: Any = default, **named: Any
        ) -> Any:
            calls.append(_name)
            return _default(*args, **named)

        setattr(updater, name, replacement)


def recording_class(calls: list[str]) -> type[DailyUpdater]:
    """A subclass that overrides every seam."""

    def override(name: str) -> Callable[..., Any]:
        def method(self: DailyUpdater, *args: Any, **named: Any) -> Any:
            calls.append(name)
            return getattr(DailyUpdater, name)(self, *args, **named)

        return method

    return type("Recorded", (DailyUpdater,), {name: override(name) for name in SIGNATURES})


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_signature_of_a_seam(name: str) -> None:
    signature = inspect.signature(getattr(DailyUpdater, name))
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in list(signature.parameters.values())[1:]
    ]
    bare = signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)
    assert str(bare) == SIGNATURES[name]


@pytest.mark.parametrize("how", ["on the instance", "in a subclass"])
class TestARunGoesThroughEverySeam:
    def prepare(
        self, how: str, make_updater: MakeUpdater, path: Path, **settings: Any
    ) -> tuple[DailyUpdater, list[str]]:
        calls: list[str] = []
        settings = {"batch_processing_size": 5, "enable_historical_validation": True, **settings}
        if how == "in a subclass":
            return make_updater(path, recording_class(calls), **settings), calls
        updater = make_updater(path, **settings)
        recording(updater, SIGNATURES, calls)
        return updater, calls

    def test_in_batches(
        self, how: str, make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        updater, calls = self.prepare(how, make_updater, filled_db)
        sandbox.change(8)
        sandbox.add(4)
        result = updater.run_daily_update()
        assert result["success"], result
        steps = [name for name in calls if name in STEPS]
        assert tuple(steps) == STEPS
        assert calls.count("_hearing_needs_update") == 8
        assert calls.count("_validate_batch") == calls.count("_process_batch") == 3
        assert calls.count("_update_hearing_record") == 8
        assert calls.count("_extract_original_data") == 8
        assert calls.count("_add_new_hearing") == 4
        assert not {"_apply_updates", "_rollback_checkpoint", "_rollback_database"} & set(calls)

    def test_plainly(
        self, how: str, make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        updater, calls = self.prepare(how, make_updater, filled_db, enable_batch_processing=False)
        sandbox.change(8)
        sandbox.add(4)
        assert updater.run_daily_update()["success"]
        assert calls.count("_apply_updates") == 1
        assert calls.count("_update_hearing_record") == 8
        assert calls.count("_add_new_hearing") == 4
        assert "_process_batch" not in calls

    def test_when_a_batch_fails_and_validation_fails(
        self, how: str, make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        updater, calls = self.prepare(how, make_updater, filled_db)
        before = snapshot(filled_db)
        sandbox.change(8)
        default = updater._process_batch

        def process(batch: list[Any], number: int, checkpoint: Checkpoint) -> BatchResult:
            if number == 1:
                calls.append("_process_batch")
                return BatchResult(False, error="no")
            return default(batch, number, checkpoint)

        def nothing_passes() -> None:
            updater.metrics.validation_passed = False
            updater.metrics.validation_issues.append("an issue of ours")

        updater._process_batch = process  # type: ignore[method-assign]
        updater._run_post_update_validation = nothing_passes  # type: ignore[method-assign]
        result = updater.run_daily_update()
        assert result["success"] is False
        assert "an issue of ours" in result["error"]
        assert calls.count("_rollback_checkpoint") == 1
        assert calls.count("_rollback_database") == 1
        assert snapshot(filled_db) == before
        assert query(filled_db, "SELECT success FROM update_logs ORDER BY log_id") == [(1,), (0,)]

    def test_a_full_run_repeats_the_windows_steps(
        self, how: str, make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        calls: list[str] = []
        if how == "in a subclass":
            updater = make_updater(filled_db, recording_class(calls), mode="full")
        else:
            updater = make_updater(filled_db, mode="full")
            recording(updater, SIGNATURES, calls)
        sandbox.add(150)
        result = updater.run_daily_update()
        assert result["success"], result
        assert result["metrics"]["hearings_added"] == 150
        for name in ("_fetch_recent_hearings", "_identify_changes", "_apply_updates_with_batches",
                     "_update_related_data"):  # fmt: skip
            assert calls.count(name) == 2, name
        for name in ("_run_pre_update_sanity_checks", "_create_database_backup",
                     "_run_post_update_validation", "_record_update_metrics"):  # fmt: skip
            assert calls.count(name) == 1, name


def test_what_a_replacement_answers_is_what_the_run_uses(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    """Each replacement changes the outcome: nothing goes around it."""
    sandbox.change(5)
    before = snapshot(filled_db)
    old = sandbox.event_ids()[0]

    updater._fetch_recent_hearings = lambda progress_callback=None: [  # type: ignore[method-assign]
        record("9001"), {**sandbox.meeting(old), "title": "From the fake"}]  # fmt: skip
    updater._divide_into_batches = lambda items, batch_size=None: [  # type: ignore[method-assign]
        [item] for item in items]  # fmt: skip
    result = updater.run_daily_update()
    assert result["success"], result
    assert result["metrics"]["hearings_checked"] == 2
    assert result["metrics"]["batch_processing"]["batch_count"] == 2
    rows = dict(query(filled_db, "SELECT event_id, title FROM hearings"))
    assert rows[old] == "From the fake"
    assert "9001" in rows
    assert len(rows) == len(before["hearings"]) + 1

    updater._hearing_needs_update = lambda db_record, api_data: False  # type: ignore[method-assign]
    assert updater.run_daily_update()["metrics"]["hearings_updated"] == 0
    updater._identify_changes = lambda api_hearings: {  # type: ignore[method-assign]
        "updates": [], "additions": [record("9005")]}  # fmt: skip
    assert updater.run_daily_update()["metrics"]["hearings_added"] == 1
    updater._run_pre_update_sanity_checks = lambda: False  # type: ignore[method-assign]
    refused = updater.run_daily_update()
    assert refused["success"] is False
    assert refused["error"]


def test_a_backup_that_fails_does_not_keep_the_run_from_going_on(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (filled_db.parent / "backups").write_text("in the way")
    sandbox.change(2)
    with caplog.at_level(logging.WARNING, logger="updaters"):
        result = updater.run_daily_update()
    assert result["success"], result
    assert updater.backup_path is None
    assert any("ackup" in message for message in caplog.messages)


# --- alone, on a database that was never brought up --------------------------------------------


def alone(name: str, updater: DailyUpdater, sandbox: Sandbox) -> Any:
    """Call one seam with something sensible."""
    changes = {
        "updates": [{"existing": None, "new_data": record("1001")}],
        "additions": [record("9001")],
    }
    row = updater.db.get_hearing_by_event_id("1001")
    checkpoint = Checkpoint(1)
    arguments: dict[str, tuple[Any, ...]] = {
        "_identify_changes": ([record("1001"), record("9001")],),
        "_hearing_needs_update": (row, record("1001")),
        "_apply_updates": (changes,),
        "_apply_updates_with_batches": (changes,),
        "_divide_into_batches": ([1, 2, 3], 2),
        "_validate_batch": ([record("9001"), record("9001")],),
        "_process_batch": ([*changes["updates"], *changes["additions"]], 1, checkpoint),
        "_rollback_checkpoint": (checkpoint,),
        "_extract_original_data": (row,),
        "_update_hearing_record": (None, row, record("1001")),
        "_add_new_hearing": (None, record("9001")),
        "_update_related_data": (changes,),
    }
    if name == "_rollback_checkpoint":
        checkpoint.track_addition("1001")
    return getattr(updater, name)(*arguments.get(name, ()))


WRITERS = {
    "_apply_updates",
    "_apply_updates_with_batches",
    "_process_batch",
    "_rollback_checkpoint",
    "_update_hearing_record",
    "_add_new_hearing",
    "_update_related_data",
    "_record_update_metrics",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_seam_alone_on_a_database_never_brought_up(
    name: str, make_updater: MakeUpdater, legacy_db: Path, sandbox: Sandbox
) -> None:
    updater = make_updater(legacy_db)
    bytes_before = legacy_db.read_bytes()
    before = snapshot(legacy_db)
    titles_before = dict(query(legacy_db, "SELECT event_id, title FROM hearings"))
    answer = alone(name, updater, sandbox)
    titles = dict(query(legacy_db, "SELECT event_id, title FROM hearings"))
    if name not in WRITERS:
        assert legacy_db.read_bytes() == bytes_before
    if name == "_fetch_recent_hearings":
        assert {str(item["eventId"]) for item in answer} == set(sandbox.event_ids())
        assert all(item["title"] is not None for item in answer)
    elif name == "_identify_changes":
        assert [change["new_data"]["eventId"] for change in answer["updates"]] == ["1001"]
        assert [item["eventId"] for item in answer["additions"]] == ["9001"]
        assert dict(answer["updates"][0]["existing"]) == before["hearings"][0]
    elif name == "_hearing_needs_update":
        assert answer is True
    elif name == "_divide_into_batches":
        assert answer == [[1, 2], [3]]
    elif name == "_validate_batch":
        assert answer == (False, ["Duplicate hearing IDs within batch: 9001"])
    elif name == "_extract_original_data":
        assert answer == before["hearings"][0]
    elif name in ("_apply_updates", "_apply_updates_with_batches", "_process_batch"):
        assert titles == {**titles_before, "1001": "On matter 1001", "9001": "On matter 9001"}
        if name == "_process_batch":
            assert answer.success
            assert answer.records == 2
        else:
            assert updater.metrics.hearings_updated == updater.metrics.hearings_added == 1
    elif name == "_update_hearing_record":
        assert titles == {**titles_before, "1001": "On matter 1001"}
    elif name == "_add_new_hearing":
        assert titles == {**titles_before, "9001": "On matter 9001"}
        assert count(legacy_db, "witnesses") == len(before["witnesses"]) + 2
    elif name == "_update_related_data":
        # Gaps only, of hearings that are there: two witnesses more at 1001, no new hearing.
        assert titles == titles_before
        assert count(legacy_db, "hearing_committees") == 2
    elif name == "_rollback_checkpoint":
        assert answer is True
        assert set(titles) == {"1002", "1003"}
    elif name in ("_run_pre_update_sanity_checks", "_rollback_database"):
        assert answer is True
    elif name == "_run_post_update_validation":
        assert updater.metrics.validation_passed is True
        assert updater.metrics.validation_issues == []
    elif name == "_run_historical_validation":
        assert updater.metrics.historical_validation_enabled is True
        assert updater.metrics.historical_alert_triggered is False
    elif name == "_create_database_backup":
        assert snapshot(answer) == before
    elif name == "_record_update_metrics":
        assert query(legacy_db, "SELECT success, hearings_added FROM update_logs") == [(1, 0)]
    elif name == "_cleanup_old_backups":
        assert answer is None
    else:
        raise AssertionError(f"{name} is not tested")
    assert_sound(legacy_db)


# --- what overrides may do with conn and db ----------------------------------------------------


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


# --- records -----------------------------------------------------------------------------------


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


# --- fakes of the API --------------------------------------------------------------------------


class FakeClient:
    """A test's stand-in for the API client: nothing but `get`."""

    def __init__(self, meetings: list[dict[str, Any]]) -> None:
        self.meetings = {meeting["eventId"]: meeting for meeting in meetings}
        self.asked: list[str] = []

    def get(self, endpoint: str, params: Any = None) -> dict[str, Any]:
        self.asked.append(endpoint)
        parts = endpoint.strip("/").split("/")
        if len(parts) == 4:
            return {"committeeMeeting": self.meetings[parts[3]]}
        keys = ("eventId", "updateDate", "congress", "chamber")
        items = [{key: m[key] for key in keys} for m in self.meetings.values()]
        return {"committeeMeetings": items, "pagination": {"count": len(items)}}


def test_a_fake_client(updater: DailyUpdater, filled_db: Path, sandbox: Sandbox) -> None:
    fake = FakeClient([record("9001", updateDate="2030-01-01T00:00:00Z"),
                       record("9002", updateDate="2030-01-01T00:00:00Z")])  # fmt: skip
    updater.api_client = fake
    result = updater.run_daily_update()
    assert result["success"], result
    assert result["metrics"]["hearings_added"] == 2
    assert result["metrics"]["api_requests"] == len(fake.asked)
    assert {"9001", "9002"} <= {row["event_id"] for row in snapshot(filled_db)["hearings"]}
    assert sandbox.request_count == 0


def test_a_fake_get(updater: DailyUpdater, filled_db: Path, sandbox: Sandbox) -> None:
    fake = FakeClient([record("9001", updateDate="2030-01-01T00:00:00Z")])
    updater.api_client.get = fake.get
    assert updater.run_daily_update()["metrics"]["hearings_added"] == 1
    assert sandbox.request_count == 0
    assert fake.asked
    del updater.api_client.get
    updater.run_daily_update()
    assert sandbox.request_count > 0


def test_a_fake_get_that_fails(updater: DailyUpdater, filled_db: Path) -> None:
    before = filled_db.read_bytes()

    def get(endpoint: str, params: Any = None) -> dict[str, Any]:
        raise UpdaterError("nobody is there")

    updater.api_client.get = get
    result = updater.run_daily_update()
    assert result["success"] is False
    assert "nobody is there" in result["error"]
    # It failed before the first page: the file is untouched.
    assert filled_db.read_bytes() == before


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
