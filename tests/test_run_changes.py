"""What a run takes for a change, and what it then writes."""

import re
from pathlib import Path
from typing import Any

import pytest

from helpers_run import World, contents, make_legacy, meeting
from updaters.sandbox import Sandbox


def set_back(world: World, table: str = "hearings") -> None:
    """All rows were written yesterday: what is written from now on shows."""
    world.do(
        f"UPDATE {table} SET created_at = '2025-01-01 00:00:00', updated_at = '2025-01-01 00:00:00'"
    )


def test_a_second_run_right_after_asks_for_no_detail_and_changes_nothing(filled: World) -> None:
    before = filled.snapshot()
    metrics = filled.run()
    assert filled.details() == []
    assert (metrics["hearings_checked"], metrics["hearings_added"]) == (3, 0)
    assert metrics["hearings_updated"] == 0
    assert metrics["errors"] == []
    assert filled.snapshot() == before


def test_only_the_changed_meeting_is_asked_for(filled: World) -> None:
    filled.alter(2, title="Another title")
    metrics = filled.run()
    assert filled.details() == ["2"]
    assert (metrics["hearings_updated"], metrics["hearings_added"]) == (1, 0)
    assert filled.hearing(2)["title"] == "Another title"


def test_a_new_row_has_equal_created_at_and_updated_at(filled: World) -> None:
    for row in filled.rows("SELECT created_at, updated_at FROM hearings"):
        assert row["created_at"] == row["updated_at"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row["created_at"])


def test_an_updated_row_keeps_created_at_and_moves_updated_at(filled: World) -> None:
    set_back(filled)
    filled.alter(1, title="Another title")
    filled.run()
    row = filled.hearing(1)
    assert row["created_at"] == "2025-01-01 00:00:00" < row["updated_at"]


@pytest.mark.parametrize("batched", [True, False])
def test_where_only_the_update_date_moved_it_follows_and_nothing_is_counted(
    filled: World, batched: bool
) -> None:
    set_back(filled)
    filled.sandbox.touch(2)
    moved = filled.sandbox.meeting(2)["updateDate"]
    metrics = filled.run({"enable_batch_processing": batched})
    assert filled.details() == ["2"]
    row = filled.hearing(2)
    assert row["update_date"] == moved.replace("T", " ").removesuffix("Z")
    assert row["updated_at"] == "2025-01-01 00:00:00"
    assert (metrics["hearings_updated"], metrics["hearings_added"]) == (0, 0)
    filled.sandbox.clear_requests()
    filled.run()
    assert filled.details() == []


@pytest.mark.parametrize("container", [[], None, "absent", {"item": []}])
def test_empty_null_and_absent_containers_delete_nothing(filled: World, container: Any) -> None:
    before = filled.snapshot(["update_date"])
    altered = filled.sandbox.meeting(1)
    for name in ("committees", "witnesses", "witnessDocuments"):
        if container == "absent":
            del altered[name]
        else:
            altered[name] = container
    filled.put(altered)
    filled.sandbox.touch(1)
    metrics = filled.run()
    assert filled.details() == ["1"]
    assert metrics["hearings_updated"] == 0
    assert filled.snapshot(["update_date"]) == before


def test_absent_and_null_fields_leave_what_is_stored(filled: World) -> None:
    filled.put(
        meeting(1, videos=[{"name": "x", "url": "https://www.youtube.com/watch?v=abcdefghijk"}])
    )
    filled.sandbox.touch(1)
    filled.run()
    before = filled.hearing(1)
    moved = filled.sandbox.meeting(1)["updateDate"]
    bare = {"eventId": "1", "chamber": "House", "congress": 119, "updateDate": moved}
    filled.put({**bare, "title": None, "date": None, "location": None, "meetingStatus": None})
    filled.sandbox.touch(1)
    filled.sandbox.clear_requests()
    filled.run()
    assert filled.details() == ["1"]
    after = filled.hearing(1)
    assert before["hearing_time"] == "18:00:00"
    assert {**after, "update_date": None} == {**before, "update_date": None}
    moved = filled.sandbox.meeting(1)["updateDate"]
    filled.put({**bare, "updateDate": moved, "title": "Only the title"})
    filled.sandbox.touch(1)
    filled.run()
    changed = filled.hearing(1)
    assert changed["title"] == "Only the title"
    for column in ("hearing_date", "hearing_time", "location", "status", "hearing_type"):
        assert changed[column] == before[column]
    assert changed["video_url"] == before["video_url"]


def test_a_list_with_something_in_it_replaces(filled: World) -> None:
    filled.do(
        "INSERT INTO committees (system_code, name, chamber, type, congress) "
        "VALUES ('hsag00', 'Agriculture', 'House', 'Standing', 119)"
    )
    filled.alter(
        1,
        committees=[{"systemCode": "hsag00", "name": "Agriculture"}],
        witnesses=[{"name": "Ann Lee", "position": "Chair", "organization": "River Trust"}],
    )
    metrics = filled.run()
    assert metrics["hearings_updated"] == 1
    codes = filled.rows(
        "SELECT system_code FROM hearings JOIN hearing_committees USING (hearing_id) "
        "JOIN committees USING (committee_id) WHERE event_id = '1'"
    )
    assert codes == [{"system_code": "hsag00"}]
    names = filled.rows(
        "SELECT full_name FROM hearings JOIN witness_appearances USING (hearing_id) "
        "JOIN witnesses USING (witness_id) WHERE event_id = '1'"
    )
    assert [row["full_name"] for row in names] == ["Ann Lee"]
    # The others keep theirs, and no reference is left hanging.
    assert filled.value("SELECT COUNT(*) FROM witness_appearances") == 5
    assert filled.rows("PRAGMA foreign_key_check") == []


def test_appearances_and_documents_keep_their_ids(filled: World) -> None:
    ids = "SELECT appearance_id, document_id, document_url FROM witness_documents ORDER BY 1, 2"
    before, links = filled.rows(ids), filled.rows("SELECT * FROM hearing_committees")
    assert len(before) == 3
    altered = filled.sandbox.meeting(1)
    altered["witnesses"].append({"name": "Zoe New", "position": "Expert", "organization": "Lab"})
    altered["witnesses"][0]["position"] = "Former Director"
    filled.alter(1, witnesses=altered["witnesses"], title="Moved")
    metrics = filled.run()
    assert metrics["hearings_updated"] == 1
    assert filled.rows(ids) == before
    assert filled.rows("SELECT * FROM hearing_committees") == links
    assert filled.value("SELECT COUNT(*) FROM witness_appearances") == 7
    assert filled.value("SELECT COUNT(*) FROM witnesses") == 3
    positions = filled.rows("SELECT position FROM witness_appearances WHERE appearance_id = 1")
    assert positions == [{"position": "Former Director"}]


def _checkpoint(updater: Any, items: list[Any]) -> Any:
    from updaters.daily_updater import Checkpoint

    point = Checkpoint(1)
    updater.settings.rate_limit = 5000
    updater._engine.begin_run()
    done = updater._process_batch(items, 1, point)
    assert done.success, done.error
    return point


def test_a_legacy_row_is_read_by_column_name_and_rolled_back_exactly(world: World) -> None:
    world.path.unlink()
    make_legacy(world.path)
    before = contents(world.path)
    updater = world.updater()
    old = updater.db.get_hearing_by_event_id("900")
    fresh = meeting(900, title="A new title", videos=[{"url": "https://youtu.be/-abcdefghijk"}])
    point = _checkpoint(updater, [{"existing": tuple(old), "new_data": fresh}, meeting(5)])
    row = world.hearing(900)
    assert row["location"] == "1324 Longworth House Office Building"
    assert row["hearing_date"] == "2025-09-09"
    assert row["status"] == "Scheduled"
    assert row["youtube_video_id"] == "abcdefghijk"
    assert updater._rollback_checkpoint(point) is True
    after = world.hearing(900)
    assert after["location"] is None
    assert after["hearing_date"] == "2025-07-29"
    assert world.snapshot(["video_url", "youtube_video_id", "video_type"]) == before


def test_plain_and_batched_end_in_the_same_state(clean_env: Path) -> None:
    ends = []
    off = ["created_at", "updated_at"]
    with Sandbox(meetings=60, seed=9) as sandbox:
        for batched in (True, False):
            folder = clean_env / str(batched)
            folder.mkdir()
            world = World(folder, sandbox).init()
            world.run({"enable_batch_processing": batched, "batch_processing_size": 7})
            ends.append(world)
        first = [world.snapshot(off) for world in ends]
        assert first[0] == first[1]
        sandbox.change(20)
        sandbox.add(5)
        for world, batched in zip(ends, (True, False), strict=True):
            metrics = world.run({"enable_batch_processing": batched, "batch_processing_size": 7})
            assert (metrics["hearings_updated"], metrics["hearings_added"]) == (20, 5)
        second = [world.snapshot(off) for world in ends]
        assert second[0] == second[1] != first[0]
