"""The users' trial plan, its third day: failures on purpose, integrity, the way back."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, assert_sound, change_of, count, query, record, snapshot
from helpers_plan import FAILURE_INJECTION, FIRST_RUN, LARGE, ON, Shell, needs_sqlite3
from updaters.daily_updater import BatchResult, Checkpoint, DailyUpdater
from updaters.sandbox import Sandbox


def test_failure_injection(shell: Shell) -> None:
    """Test 2.1 as it stands."""
    database = shell.folder / "database.db"
    before = snapshot(database)
    (shell.folder / "test_failure_injection.py").write_text(FAILURE_INJECTION)
    said = subprocess.run(
        ["python3", "test_failure_injection.py"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == (
        "Total batches: 2\nSucceeded: 1\nFailed: 1\n✅ Partial failure test PASSED\n"
    )
    after = snapshot(database)
    new = [row for row in after["hearings"] if row not in before["hearings"]]
    # The batch with the bad record is skipped whole, the other one is in.
    assert [row["event_id"] for row in new] == ["TEST-119-002"]
    assert new[0]["title"] == "Another Valid Hearing"
    assert (new[0]["hearing_type"], new[0]["status"], new[0]["chamber"], new[0]["congress"]) == (
        "Hearing",
        "Scheduled",
        "House",
        119,
    )
    assert {**after, "hearings": before["hearings"]} == before
    assert_sound(database)


def test_failure_injection_on_an_old_database_without_key_or_network(
    legacy_db: Path, sandbox: Sandbox
) -> None:
    legacy_db.rename(legacy_db.parent / "database.db")
    shell = Shell(legacy_db.parent, sandbox)
    (shell.folder / "test_failure_injection.py").write_text(FAILURE_INJECTION)
    said = shell(
        "python3 test_failure_injection.py", CONGRESS_API_KEY="", API_BASE_URL="http://127.0.0.1:9"
    )
    assert said.endswith("✅ Partial failure test PASSED\n")
    assert sandbox.request_count == 0
    assert count(shell.folder / "database.db", "hearings") == 4


def test_batch_errors_are_in_the_log_with_details(shell: Shell) -> None:
    """F2, F4: one batch fails, the others do not, and the log says why."""
    changed = shell.sandbox.change(20, seed=4)
    broken = {**shell.sandbox.meeting(changed[3]), "date": "some day"}
    shell.sandbox.set_meeting(broken)
    log = shell(FIRST_RUN, ENABLE_BATCH_PROCESSING="true", BATCH_PROCESSING_SIZE="1")
    assert re.search(
        rf"WARNING - Batch \d+ failed validation: .*{changed[3]}.*Invalid date format", log
    )
    metrics = json.loads(log[log.index("\n{\n") : log.rindex("\n}") + 2])
    batches = metrics["batch_processing"]
    assert (batches["batches_succeeded"], batches["batches_failed"]) == (19, 1)
    # R1, F3
    assert batches["batches_succeeded"] / batches["batch_count"] >= 0.95
    (error,) = batches["batch_errors"]
    assert error["error"] == "Validation failed"
    assert "Invalid date format" in error["issues"][0]
    assert metrics["error_count"] == 0
    assert metrics["deferred"][0]["event_id"] == changed[3]


@needs_sqlite3
def test_the_integrity_checks(shell: Shell) -> None:
    """Test 2.3 as it stands."""
    shell.sandbox.change(30, seed=6)
    counted = 'sqlite3 database.db "SELECT COUNT(*) FROM hearings WHERE congress = 119;"'
    before = shell(counted)
    shell("python3 -m updaters.daily_updater --congress 119 --lookback-days 7", **ON)
    assert shell('sqlite3 database.db "PRAGMA integrity_check;"') == "ok\n"
    assert shell('sqlite3 database.db "PRAGMA foreign_key_check;"') == ""
    assert shell(counted) == before == "150\n"
    shell("python3 -m scripts.verify_updates")


def test_a_backup_is_put_back_with_plain_cp(shell: Shell) -> None:
    """The abort procedure."""
    database = shell.folder / "database.db"
    before = snapshot(database)
    shell.sandbox.change(30, seed=6)
    shell(FIRST_RUN, **ON)
    assert snapshot(database) != before
    shell("cp backups/database_backup_*.db database.db")
    assert snapshot(database) == before
    assert_sound(database)
    assert '"hearings_updated": 30' in shell(FIRST_RUN, ENABLE_BATCH_PROCESSING="false")


def test_the_real_database(real_db: Path, sandbox: Sandbox) -> None:
    """The plan on the file that people have: script 2.1, a run, the checks."""
    hearings = count(real_db, "hearings")
    real_db.rename(real_db.parent / "database.db")
    shell = Shell(real_db.parent, sandbox)
    (shell.folder / "test_failure_injection.py").write_text(FAILURE_INJECTION)
    assert "PASSED" in shell("python3 test_failure_injection.py")
    assert '"hearings_added": 150' in shell(LARGE, **ON)
    database = shell.folder / "database.db"
    assert count(database, "hearings") == hearings + 151
    assert query(database, "PRAGMA integrity_check") == [("ok",)]
    assert query(database, "PRAGMA foreign_key_check") == []


# --- test 2.2, the manual one: _process_batch made to raise after tracking ---------------------


def changes_for(updater: DailyUpdater, sandbox: Sandbox) -> dict[str, list[Any]]:
    changed = sandbox.change(4, seed=8)
    return {
        "updates": [change_of(updater, sandbox, event_id) for event_id in changed],
        "additions": [record("9001"), record("9002")],
    }


def assert_second_batch_alone_is_undone(
    updater: DailyUpdater, before: dict[str, Any], called: list[Checkpoint]
) -> None:
    """Of three batches of two (two of updates, one of additions) the second one failed."""
    assert (updater.metrics.batches_succeeded, updater.metrics.batches_failed) == (2, 1)
    assert updater.metrics.batch_errors[0]["batch"] == 2
    assert "thrown on purpose" in updater.metrics.batch_errors[0]["error"]
    assert [checkpoint.batch_number for checkpoint in called] == [2]
    assert updater.metrics.errors == []
    path = updater.db.db_path
    after = {row["event_id"]: row for row in snapshot(path)["hearings"]}
    was = {row["event_id"]: row for row in before["hearings"]}
    (checkpoint,) = called
    for event_id in checkpoint.hearings_to_update:
        assert after[event_id] == was[event_id]
    assert len([e for e in was if after[e] != was[e]]) == 2
    assert set(after) - set(was) == {"9001", "9002"}
    assert_sound(path)


@pytest.mark.parametrize("when", ["before it applies", "after it committed"])
def test_process_batch_that_raises_after_tracking(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox, when: str
) -> None:
    updater = make_updater(filled_db, batch_processing_size=2)
    before = snapshot(filled_db)
    changes = changes_for(updater, sandbox)
    called: list[Checkpoint] = []
    process, roll_back = updater._process_batch, updater._rollback_checkpoint

    def raising(batch: list[Any], number: int, checkpoint: Checkpoint) -> BatchResult:
        if number != 2:
            return process(batch, number, checkpoint)
        if when == "after it committed":
            assert process(batch, number, checkpoint).success
            assert snapshot(filled_db) != middle[0]
        else:
            for item in batch:
                data = updater._extract_original_data(item["existing"])
                checkpoint.track_update(data["event_id"], data)
        raise RuntimeError("thrown on purpose")

    middle: list[Any] = []
    validate = updater._validate_batch

    def remembering(batch: list[Any]) -> Any:
        if updater.metrics.batches_succeeded == 1 and not middle:
            middle.append(snapshot(filled_db))
        return validate(batch)

    def watched(checkpoint: Checkpoint) -> bool:
        answer = roll_back(checkpoint)
        called.append(checkpoint)
        # Row by row as it was when the second batch began.
        assert snapshot(filled_db) == middle[0]
        return answer

    updater._validate_batch = remembering
    updater._process_batch = raising
    updater._rollback_checkpoint = watched
    updater._apply_updates_with_batches(changes)
    assert len(called[0].hearings_to_update) == 2
    assert_second_batch_alone_is_undone(updater, before, called)


def test_process_batch_written_anew_that_raises_after_tracking(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    """A copy of the old updater's method, that commits on its own and tracks by hand."""
    updater = make_updater(filled_db, batch_processing_size=2)
    before = snapshot(filled_db)
    changes = changes_for(updater, sandbox)
    called: list[Checkpoint] = []
    roll_back = updater._rollback_checkpoint

    def own(batch: list[Any], number: int, checkpoint: Checkpoint) -> BatchResult:
        with updater.db.transaction() as conn:
            for item in batch:
                if "existing" in item:
                    data = updater._extract_original_data(item["existing"])
                    checkpoint.track_update(data["event_id"], data)
                    updater._update_hearing_record(conn, item["existing"], item["new_data"])
                else:
                    checkpoint.track_addition(item["eventId"])
                    updater._add_new_hearing(conn, item)
        if number == 2:
            raise RuntimeError("thrown on purpose")
        return BatchResult(True, len(batch))

    def watched(checkpoint: Checkpoint) -> bool:
        called.append(checkpoint)
        return roll_back(checkpoint)

    updater._process_batch = own
    updater._rollback_checkpoint = watched
    updater._apply_updates_with_batches(changes)
    assert_second_batch_alone_is_undone(updater, before, called)
    assert (updater.metrics.hearings_updated, updater.metrics.hearings_added) == (2, 2)
