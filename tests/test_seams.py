"""The seams of `DailyUpdater`: the run goes through every one, and each can be called alone."""

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, assert_sound, count, query, record, snapshot
from updaters.daily_updater import BatchResult, Checkpoint, DailyUpdater
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
