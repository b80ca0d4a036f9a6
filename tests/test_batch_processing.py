"""Batch processing, test by test as the users' own suite names them; here none is skipped."""

import logging
import time
from datetime import datetime
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
from updaters.sandbox import Sandbox

ENABLED = "✓ Batch processing ENABLED - using Phase 2.3.1 batch processing"
DISABLED = "Batch processing DISABLED - using Phase 2.2 standard processing"


def additions(*event_ids: str, **fields: Any) -> dict[str, list[Any]]:
    return {"updates": [], "additions": [record(event_id, **fields) for event_id in event_ids]}


def _witnesses(meeting: dict[str, Any]) -> list[dict[str, Any]]:
    """A meeting's witnesses, where they are a plain list (other shapes are the parser's tests)."""
    found = meeting.get("witnesses")
    return found if isinstance(found, list) else []


def events_in(path: Path) -> set[str]:
    return {event_id for (event_id,) in query(path, "SELECT event_id FROM hearings")}


class TestCheckpointClass:
    def test_checkpoint_creation(self) -> None:
        before = datetime.now()
        checkpoint = Checkpoint(7)
        assert checkpoint.batch_number == 7
        assert before <= checkpoint.timestamp <= datetime.now()
        assert checkpoint.hearings_to_update == []
        assert checkpoint.hearings_to_add == []
        assert checkpoint.witnesses_to_add == []
        assert checkpoint.documents_to_add == []
        assert checkpoint.original_hearing_data == {}
        # Lists and dicts of its own, that callers append to.
        other = Checkpoint(8)
        other.hearings_to_add.append("1")
        other.original_hearing_data["1"] = {}
        assert checkpoint.hearings_to_add == []
        assert checkpoint.original_hearing_data == {}

    def test_checkpoint_tracks_update(self) -> None:
        checkpoint = Checkpoint(1)
        original = {"title": "Before", "status": "Scheduled"}
        checkpoint.track_update("118296", original)
        assert checkpoint.hearings_to_update == ["118296"]
        assert checkpoint.original_hearing_data == {"118296": original}
        assert checkpoint.hearings_to_add == []

    def test_checkpoint_tracks_addition(self) -> None:
        checkpoint = Checkpoint(1)
        checkpoint.track_addition("118297")
        assert checkpoint.hearings_to_add == ["118297"]
        assert checkpoint.hearings_to_update == []
        assert checkpoint.original_hearing_data == {}

    def test_checkpoint_tracks_witness_addition(self) -> None:
        checkpoint = Checkpoint(1)
        checkpoint.track_witness_addition(41)
        assert checkpoint.witnesses_to_add == [41]
        assert checkpoint.documents_to_add == []

    def test_checkpoint_tracks_document_addition(self) -> None:
        checkpoint = Checkpoint(1)
        checkpoint.track_document_addition(42)
        assert checkpoint.documents_to_add == [42]
        assert checkpoint.witnesses_to_add == []

    def test_checkpoint_tracks_multiple_items(
        self, updater: DailyUpdater, sandbox: Sandbox
    ) -> None:
        by_hand = Checkpoint(1)
        for number in range(3):
            by_hand.track_update(f"u{number}", {"title": f"was {number}"})
            by_hand.track_addition(f"a{number}")
            by_hand.track_witness_addition(number)
            by_hand.track_document_addition(10 + number)
        assert by_hand.hearings_to_update == ["u0", "u1", "u2"]
        assert by_hand.hearings_to_add == ["a0", "a1", "a2"]
        assert by_hand.witnesses_to_add == [0, 1, 2]
        assert by_hand.documents_to_add == [10, 11, 12]
        assert by_hand.original_hearing_data["u1"] == {"title": "was 1"}

        # A batch fills its checkpoint with what it did.
        old = sandbox.event_ids()[0]
        before = dict(updater.db.get_hearing_by_event_id(old))
        checkpoint = Checkpoint(2)
        batch = [change_of(updater, sandbox, old, title="Another title"), record("9001")]
        assert updater._process_batch(batch, 2, checkpoint).success
        assert checkpoint.hearings_to_update == [old]
        assert checkpoint.hearings_to_add == ["9001"]
        assert checkpoint.original_hearing_data == {old: before}
        new_witnesses = updater.db.fetch_all(
            "SELECT witness_id FROM witnesses WHERE full_name LIKE '%9001'"
        )
        assert sorted(checkpoint.witnesses_to_add) == sorted(row[0] for row in new_witnesses)
        document = updater.db.fetch_one(
            "SELECT document_id FROM witness_documents WHERE document_url LIKE '%Newcomer9001A%'"
        )
        assert checkpoint.documents_to_add == [document[0]]


class TestBatchProcessingLogic:
    def test_divide_into_batches_equal_sizes(self, updater: DailyUpdater) -> None:
        batches = updater._divide_into_batches(list(range(150)))
        assert [len(batch) for batch in batches] == [50, 50, 50]
        assert [item for batch in batches for item in batch] == list(range(150))

    def test_divide_into_batches_unequal_sizes(self, updater: DailyUpdater) -> None:
        batches = updater._divide_into_batches(list(range(125)), batch_size=50)
        assert [len(batch) for batch in batches] == [50, 50, 25]
        assert batches[2] == list(range(100, 125))
        updater.settings.batch_processing_size = 100
        assert [len(b) for b in updater._divide_into_batches(list("x" * 125))] == [100, 25]

    def test_divide_into_batches_small_dataset(self, updater: DailyUpdater) -> None:
        items = [{"eventId": "1"}, ("a", "tuple"), None]
        assert updater._divide_into_batches(items, batch_size=50) == [items]
        assert updater._divide_into_batches(items, 1) == [[item] for item in items]

    def test_divide_into_batches_empty_dataset(self, updater: DailyUpdater) -> None:
        assert updater._divide_into_batches([]) == []
        updater._apply_updates_with_batches({"updates": [], "additions": []})
        assert updater.metrics.batch_count == 0
        assert updater.metrics.batches_failed == 0


class TestBatchValidation:
    def test_validate_batch_all_valid(self, updater: DailyUpdater, sandbox: Sandbox) -> None:
        batch = [sandbox.meeting(event_id) for event_id in sandbox.event_ids()[:50]]
        batch += [{"eventId": "1", "chamber": "House"}]  # no title: no issue
        assert updater._validate_batch(batch) == (True, [])
        assert updater._validate_batch([]) == (True, [])

    def test_validate_batch_mixed_formats(self, updater: DailyUpdater, sandbox: Sandbox) -> None:
        first, second, third = sandbox.event_ids()[:3]
        row = updater.db.get_hearing_by_event_id(first)
        batch = [
            {"existing": row, "new_data": sandbox.meeting(first)},
            {"existing": tuple(row), "new_data": sandbox.meeting(second)},
            {"existing": dict(row), "new_data": sandbox.meeting(third)},
            {"existing": None, "new_data": record("9001")},
            record("9002", chamber="SENATE", date="2023-03-24 13:00:00+00:00"),
            record("9003", chamber="joint", eventId=9003),
        ]
        assert updater._validate_batch(batch) == (True, [])
        broken = [*batch, {"existing": row, "new_data": record("9004", chamber=None)}]
        valid, issues = updater._validate_batch(broken)
        assert not valid
        assert len(issues) == 1
        assert "Item 6" in issues[0]
        assert "9004" in issues[0]
        assert "Missing required field 'chamber'" in issues[0]

    def test_validate_batch_duplicate_within_batch(self, updater: DailyUpdater) -> None:
        batch = [record("9001"), record("9002"), record("9001"), record("9003")]
        valid, issues = updater._validate_batch(batch)
        assert valid is False
        assert issues == ["Duplicate hearing IDs within batch: 9001"]

    def test_validate_batch_invalid_data_format(self, updater: DailyUpdater) -> None:
        def issues(item: Any) -> str:
            valid, found = updater._validate_batch([record("9001"), item])
            assert not valid
            return "\n".join(found)

        assert "Item 1: Missing required field 'eventId'" in issues({"chamber": "Senate"})
        assert "Missing required field 'chamber'" in issues({"eventId": "9002"})
        assert "Invalid date format" in issues(record("9002", date="next Tuesday"))
        assert "Congress must be a number, got" in issues(record("9002", congress="119th"))
        assert "1" in issues(record("9002", congress=201))
        assert "Lords" in issues(record("9002", chamber="Lords"))
        unknown = record("9002", committees=[{"systemCode": "zzzz99"}])
        assert "zzzz99" in issues(unknown)
        # A wrong type anywhere is an issue, never an exception.
        wrong: list[Any] = [["list"], {"a": 1}, 3.5, object(), datetime.now(), b"bytes", {1, 2}]
        for value in wrong:
            for field in ("eventId", "chamber", "title", "date", "congress", "witnesses"):
                if (field, value) not in [("title", None), ("congress", 3.5)]:
                    valid, found = updater._validate_batch([record("9002", **{field: value})])
                    assert valid is (found == [])
            assert issues(value)
        assert issues(record("9002", title=["a list"]))
        assert issues(record("9002", witnesses=[{"name": ["x"]}]))


class TestCheckpointRollback:
    def test_rollback_added_hearings(self, updater: DailyUpdater, filled_db: Path) -> None:
        before = snapshot(filled_db)
        checkpoint = Checkpoint(1)
        batch = [
            record("9001", committees=[{"systemCode": "hsju00"}]),
            record("9002"),
            {"eventId": "9003"},
        ]
        batch[0]["committees"][0]["systemCode"] = query(
            filled_db, "SELECT system_code FROM committees LIMIT 1"
        )[0][0]
        result = updater._process_batch(batch, 1, checkpoint)
        assert result.success, result.error
        assert result.records == 3
        assert {"9001", "9002", "9003"} <= events_in(filled_db)
        assert snapshot(filled_db) != before
        assert updater._rollback_checkpoint(checkpoint) is True
        assert snapshot(filled_db) == before
        assert_sound(filled_db)

    def test_rollback_updated_hearings(
        self, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        before = snapshot(filled_db)
        changed = sandbox.change(20, seed=5)
        batch = [change_of(updater, sandbox, event_id) for event_id in changed]
        batch[0]["new_data"].update(
            title="Quite another title",
            meetingStatus="Postponed",
            date="2030-01-02T03:04:05Z",
            location={"room": "2", "building": "Rayburn House Office Building"},
            type="Markup",
            witnesses=[{"name": "Only One", "organization": "Now"}],
        )
        checkpoint = Checkpoint(1)
        result = updater._process_batch(batch, 1, checkpoint)
        assert result.success, result.error
        after = snapshot(filled_db)
        rows = {row["event_id"]: row for row in after["hearings"]}
        assert rows[changed[0]]["title"] == "Quite another title"
        assert rows[changed[0]]["hearing_time"] == "03:04:05"
        assert sorted(checkpoint.hearings_to_update) == sorted(changed)
        assert updater._rollback_checkpoint(checkpoint) is True
        assert snapshot(filled_db) == before
        assert_sound(filled_db)

    def test_rollback_added_witnesses(
        self, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        before = snapshot(filled_db)
        with_witnesses = next(
            event_id for event_id in sandbox.event_ids() if _witnesses(sandbox.meeting(event_id))
        )
        present = _witnesses(sandbox.meeting(with_witnesses))
        shared = present[0]
        batch = [
            change_of(
                updater,
                sandbox,
                with_witnesses,
                witnesses=[*present, {"name": "Dr. New Face", "organization": "Lab"}],
            ),
            record("9001", witnesses=[shared, {"name": "Second New", "organization": "Lab"}]),
        ]
        checkpoint = Checkpoint(1)
        result = updater._process_batch(batch, 1, checkpoint)
        assert result.success, result.error
        after = snapshot(filled_db)
        new = {row["witness_id"] for row in after["witnesses"]} - {
            row["witness_id"] for row in before["witnesses"]
        }
        # The witness that was there already is not added again.
        assert len(new) == 2
        assert set(checkpoint.witnesses_to_add) == new
        assert len(after["witness_appearances"]) == len(before["witness_appearances"]) + 3
        assert updater._rollback_checkpoint(checkpoint) is True
        assert snapshot(filled_db) == before
        assert_sound(filled_db)

    def test_rollback_doesnt_affect_other_batches(
        self, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        one, two, three = sandbox.event_ids()[:3]
        checkpoints = [Checkpoint(number) for number in (1, 2, 3)]
        batches = [
            [change_of(updater, sandbox, event_id, title=f"Batch {number}"), record(f"900{number}")]
            for number, event_id in ((1, one), (2, two), (3, three))
        ]
        for number, (batch, checkpoint) in enumerate(zip(batches, checkpoints, strict=True), 1):
            assert updater._process_batch(batch, number, checkpoint).success
        after = snapshot(filled_db)
        original = checkpoints[1].original_hearing_data[two]

        assert updater._rollback_checkpoint(checkpoints[1]) is True

        def of_the_second(table: str, row: dict[str, Any]) -> bool:
            return "9002" in repr([row.get("event_id"), row.get("full_name")])

        ids = {r["hearing_id"] for r in after["hearings"] if r["event_id"] == "9002"}
        appearances = {
            r["appearance_id"] for r in after["witness_appearances"] if r["hearing_id"] in ids
        }
        expected = {
            table: sorted(
                (
                    original if row.get("event_id") == two else row
                    for row in rows
                    if not of_the_second(table, row)
                    and not (table != "hearings" and row.get("hearing_id") in ids)
                    and not (table == "witness_documents" and row["appearance_id"] in appearances)
                ),
                key=repr,
            )
            for table, rows in after.items()
        }
        assert snapshot(filled_db) == expected
        assert {"9001", "9003"} <= events_in(filled_db)
        assert "9002" not in events_in(filled_db)
        assert_sound(filled_db)


class TestFeatureFlag:
    def run(
        self, updater: DailyUpdater, caplog: pytest.LogCaptureFixture
    ) -> tuple[dict[str, Any], list[str]]:
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="updaters"):
            result = updater.run_daily_update()
        assert result["success"], result
        return result["metrics"], caplog.messages

    def test_feature_flag_enabled(
        self, updater: DailyUpdater, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        updater.settings.batch_processing_size = 5
        sandbox.change(12, seed=2)
        metrics, messages = self.run(updater, caplog)
        assert ENABLED in messages
        assert DISABLED not in messages
        assert "Divided into 3 batches of up to 5 changes each" in messages
        assert metrics["batch_processing"] == {
            "enabled": True,
            "batch_count": 3,
            "batches_succeeded": 3,
            "batches_failed": 0,
            "batch_errors": [],
        }
        assert metrics["hearings_updated"] == 12

    def test_feature_flag_disabled_fallback(
        self,
        make_updater: MakeUpdater,
        filled_db: Path,
        sandbox: Sandbox,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        updater = make_updater(filled_db, enable_batch_processing=False)

        def not_this(*_: Any) -> None:
            raise AssertionError("the batched path was taken")

        updater._apply_updates_with_batches = not_this
        updater._process_batch = not_this
        sandbox.change(12, seed=2)
        sandbox.add(3)
        metrics, messages = self.run(updater, caplog)
        assert DISABLED in messages
        assert ENABLED not in messages
        assert "batch_processing" not in metrics
        assert (metrics["hearings_updated"], metrics["hearings_added"]) == (12, 3)
        assert count(filled_db, "hearings") == 153

    def test_feature_flag_toggle(
        self,
        make_updater: MakeUpdater,
        filled_db: Path,
        sandbox: Sandbox,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        assert DailyUpdater().settings.enable_batch_processing is False
        monkeypatch.setenv("ENABLE_BATCH_PROCESSING", "true")
        assert DailyUpdater().settings.enable_batch_processing is True

        updater = make_updater(filled_db, enable_batch_processing=False)
        for number, on in enumerate((False, True, False, True)):
            updater.settings.enable_batch_processing = on
            sandbox.change(6, seed=number)
            metrics, messages = self.run(updater, caplog)
            assert ((ENABLED in messages), (DISABLED in messages)) == (on, not on)
            assert ("batch_processing" in metrics) is on
            assert metrics["hearings_updated"] == 6
        assert_sound(filled_db)


class TestBatchProcessingIntegration:
    def test_full_batch_processing_flow_success(
        self,
        updater: DailyUpdater,
        filled_db: Path,
        sandbox: Sandbox,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        updater.settings.batch_processing_size = 10
        changed = sandbox.change(17, seed=4)
        added = sandbox.add(8)
        with caplog.at_level(logging.INFO, logger="updaters"):
            result = updater.run_daily_update()
        assert result["success"], result
        assert result["dry_run"] is False
        metrics = result["metrics"]
        assert (metrics["hearings_updated"], metrics["hearings_added"]) == (17, 8)
        assert metrics["batch_processing"]["batch_count"] == 3
        assert metrics["batch_processing"]["batches_succeeded"] == 3
        assert metrics["error_count"] == 0
        assert metrics["validation_passed"] is True
        start = caplog.messages.index("Batch Processing Summary:")
        assert caplog.messages[start : start + 6] == [
            "Batch Processing Summary:",
            "  Total batches: 3",
            "  Succeeded: 3",
            "  Failed: 0",
            "  Hearings updated: 17",
            "  Hearings added: 8",
        ]
        rows = dict(query(filled_db, "SELECT event_id, title FROM hearings"))
        assert set(added) <= set(rows)
        for event_id in changed:
            assert rows[event_id] == " ".join(sandbox.meeting(event_id)["title"].split())
        assert_sound(filled_db)
        # Once more: nothing to ask for, nothing to do.
        before = snapshot(filled_db)
        sandbox.clear_requests()
        again = updater.run_daily_update()["metrics"]
        assert (again["hearings_updated"], again["hearings_added"]) == (0, 0)
        assert not [r for r in sandbox.requests if r.path.split("?")[0].count("/") > 4], (
            sandbox.requests
        )
        assert snapshot(filled_db) == before

    def test_full_batch_processing_flow_partial_failure(
        self, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        updater.settings.batch_processing_size = 5
        changed = sandbox.change(20, seed=4)
        broken = sandbox.meeting(changed[7])
        broken["date"] = "whenever"
        sandbox.set_meeting(broken)
        before = snapshot(filled_db)
        result = updater.run_daily_update()
        # Success means that the run completed.
        assert result["success"], result
        batches = result["metrics"]["batch_processing"]
        assert batches["batch_count"] == 4
        assert (batches["batches_succeeded"], batches["batches_failed"]) == (3, 1)
        (error,) = batches["batch_errors"]
        assert error["error"] == "Validation failed"
        assert len(error["issues"]) == 1
        assert changed[7] in error["issues"][0]
        assert "Invalid date format" in error["issues"][0]
        assert result["metrics"]["hearings_updated"] == 15
        # The five of the batch are as they were, and are asked for again.
        deferred = {entry["event_id"] for entry in result["metrics"]["deferred"]}
        assert len(deferred) == 5
        assert changed[7] in deferred
        was = {row["event_id"]: row for row in before["hearings"]}
        for row in snapshot(filled_db)["hearings"]:
            same = row == was[row["event_id"]]
            assert same is (row["event_id"] in deferred or row["event_id"] not in changed)
        assert_sound(filled_db)
        # Mended upstream, it goes in with the others of its batch.
        broken["date"] = "2025-10-10T10:00:00Z"
        sandbox.set_meeting(broken)
        again = updater.run_daily_update()["metrics"]
        assert again["hearings_updated"] == 5
        assert "deferred" not in again

    def test_batch_processing_with_phase_2_2_backup(
        self, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        before = snapshot(filled_db)
        sandbox.change(12, seed=4)
        result = updater.run_daily_update()
        assert result["success"], result
        assert updater.backup_path is not None
        backup = Path(updater.backup_path)
        assert backup.parent == filled_db.parent / "backups"
        assert backup.name.startswith("database_backup_")
        assert [path.name for path in backup.parent.iterdir()] == [backup.name]
        # It holds the database as it was before the first batch, in one file.
        assert snapshot(backup) == before
        assert snapshot(filled_db) != before
        assert_sound(backup)
        assert updater._rollback_database() is True
        assert snapshot(filled_db) == before

    def test_batch_metrics_recorded_correctly(
        self, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        updater.settings.batch_processing_size = 4
        sandbox.change(9, seed=4)
        sandbox.add(2)
        original = updater._process_batch

        def second_fails(batch: list[Any], number: int, checkpoint: Checkpoint) -> BatchResult:
            if number == 2:
                return BatchResult(False, error="said no", issues=["because"])
            return original(batch, number, checkpoint)

        updater._process_batch = second_fails  # type: ignore[method-assign]
        metrics = updater.run_daily_update()["metrics"]
        assert metrics["batch_processing"] == {
            "enabled": True,
            "batch_count": 3,
            "batches_succeeded": 2,
            "batches_failed": 1,
            "batch_errors": [{"batch": 2, "error": "said no", "issues": ["because"]}],
        }
        assert metrics["hearings_updated"] + metrics["hearings_added"] == 7
        assert (updater.metrics.batch_count, updater.metrics.batches_failed) == (3, 1)
        # The row of the run's log says the same.
        (row,) = query(
            filled_db,
            "SELECT hearings_checked, hearings_updated, hearings_added, error_count, success,"
            " api_requests, duration_seconds >= 0 FROM update_logs ORDER BY log_id DESC LIMIT 1",
        )
        assert row == (
            metrics["hearings_checked"],
            metrics["hearings_updated"],
            metrics["hearings_added"],
            metrics["error_count"],
            1,
            metrics["api_requests"],
            1,
        )


class TestErrorScenarios:
    def test_database_error_during_batch(
        self,
        updater: DailyUpdater,
        filled_db: Path,
        sandbox: Sandbox,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        updater.settings.batch_processing_size = 2
        query(
            filled_db,
            "CREATE TRIGGER in_the_way BEFORE INSERT ON hearings WHEN NEW.event_id = '9003' "
            "BEGIN SELECT RAISE(ABORT, 'the disk fell off'); END",
        )
        before = snapshot(filled_db)
        called: list[Checkpoint] = []
        original = updater._rollback_checkpoint

        def watched(checkpoint: Checkpoint) -> bool:
            called.append(checkpoint)
            return original(checkpoint)

        updater._rollback_checkpoint = watched  # type: ignore[method-assign]
        with caplog.at_level(logging.INFO, logger="updaters"):
            updater._apply_updates_with_batches(
                additions("9001", "9002", "9004", "9003", "9005", "9006")
            )
        metrics = updater.metrics
        assert (metrics.batches_succeeded, metrics.batches_failed) == (2, 1)
        (error,) = metrics.batch_errors
        assert error["batch"] == 2
        assert "the disk fell off" in error["error"]
        assert "9003" in error["error"]
        assert [checkpoint.batch_number for checkpoint in called] == [2]
        assert called[0].hearings_to_add == ["9004"]
        assert "✓ Batch 2 rolled back successfully" in caplog.messages
        now = events_in(filled_db)
        assert {"9001", "9002", "9005", "9006"} <= now
        assert not {"9003", "9004"} & now
        assert not [w for w in snapshot(filled_db)["witnesses"] if "9004" in w["full_name"]]
        assert len(snapshot(filled_db)["hearings"]) == len(before["hearings"]) + 4
        assert_sound(filled_db)

    def test_memory_error_with_large_checkpoint(
        self, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        # Memory runs out while the checkpoint grows: the batch fails, and only it.
        class Full(list[Any]):
            def append(self, item: Any) -> None:
                if len(self) >= 100:
                    raise MemoryError("no room for another id")
                super().append(item)

        before = snapshot(filled_db)
        checkpoint = Checkpoint(1)
        checkpoint.hearings_to_add = Full()
        many = [record(str(number)) for number in range(20_000, 20_150)]
        result = updater._process_batch(many, 1, checkpoint)
        assert result.success is False
        assert "MemoryError" in str(result.error)
        assert len(checkpoint.hearings_to_add) == 100
        assert updater._rollback_checkpoint(checkpoint) is True
        assert snapshot(filled_db) == before

        # A large one is no trouble where memory lasts.
        checkpoint = Checkpoint(2)
        result = updater._process_batch(many, 2, checkpoint)
        assert result.success, result.error
        assert len(checkpoint.hearings_to_add) == 150
        assert len(checkpoint.witnesses_to_add) == 300
        assert updater._rollback_checkpoint(checkpoint) is True
        assert snapshot(filled_db) == before

    def test_timeout_during_validation(
        self, updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
    ) -> None:
        updater.settings.batch_processing_size = 2
        original = updater._validate_batch

        def too_slow(batch: list[Any]) -> tuple[bool, list[str]]:
            if batch[0]["eventId"] == "9003":
                raise TimeoutError("validation took too long")
            return original(batch)

        updater._validate_batch = too_slow  # type: ignore[method-assign]
        updater._apply_updates_with_batches(additions("9001", "9002", "9003", "9004", "9005"))
        assert updater.metrics.batch_count == 3
        assert (updater.metrics.batches_succeeded, updater.metrics.batches_failed) == (2, 1)
        (error,) = updater.metrics.batch_errors
        assert error["batch"] == 2
        assert "validation took too long" in error["error"]
        now = events_in(filled_db)
        assert {"9001", "9002", "9005"} <= now
        assert not {"9003", "9004"} & now
        assert_sound(filled_db)


class TestPerformance:
    """They measure and record; a slow machine is no failure."""

    def test_checkpoint_creation_performance(
        self, updater: DailyUpdater, sandbox: Sandbox, record_property: Any
    ) -> None:
        rows = [updater.db.get_hearing_by_event_id(e) for e in sandbox.event_ids()[:50]]
        started = time.perf_counter()
        checkpoint = Checkpoint(1)
        for row in rows:
            data = updater._extract_original_data(row)
            checkpoint.track_update(data["event_id"], data)
        took = (time.perf_counter() - started) * 1000
        assert len(checkpoint.original_hearing_data) == 50
        assert checkpoint.original_hearing_data[rows[7]["event_id"]] == dict(rows[7])
        record_property("checkpoint_of_50_ms", round(took, 3))
        print(f"checkpoint of 50 hearings: {took:.3f} ms")

    def test_batch_validation_performance(
        self, updater: DailyUpdater, sandbox: Sandbox, record_property: Any
    ) -> None:
        batch = [sandbox.meeting(event_id) for event_id in sandbox.event_ids()[:50]]
        updater._validate_batch(batch)
        started = time.perf_counter()
        answer = updater._validate_batch(batch)
        took = (time.perf_counter() - started) * 1000
        assert answer == (True, [])
        record_property("validation_of_50_ms", round(took, 3))
        print(f"validation of 50 records: {took:.3f} ms")

    def test_overall_performance_vs_phase_2_2(
        self, make_updater: MakeUpdater, filled_once: Path, clean_env: Path, record_property: Any
    ) -> None:
        took: dict[bool, float] = {}
        results: dict[bool, Any] = {}
        changes = [record(str(number)) for number in range(20_000, 20_200)]
        for batched in (False, True):
            path = clean_env / f"batched_{batched}.db"
            path.write_bytes(filled_once.read_bytes())
            updater = make_updater(path)
            apply = updater._apply_updates_with_batches if batched else updater._apply_updates
            started = time.perf_counter()
            apply({"updates": [], "additions": changes})
            took[batched] = (time.perf_counter() - started) * 1000
            assert updater.metrics.hearings_added == 200
            assert updater.metrics.errors == []
            stamps = ("created_at", "updated_at")
            results[batched] = {
                table: [{k: v for k, v in row.items() if k not in stamps} for row in rows]
                for table, rows in snapshot(path).items()
            }
        # Both ways store the same.
        assert results[True] == results[False]
        record_property("plain_200_ms", round(took[False], 1))
        record_property("batched_200_ms", round(took[True], 1))
        print(f"200 additions: plain {took[False]:.1f} ms, in batches {took[True]:.1f} ms")
