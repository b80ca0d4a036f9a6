"""What a run does to the data (contract: semantics), in the process, against the sandbox."""

import json
import logging
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from helpers_run import World, contents, make_legacy, meeting, utc
from updaters.sandbox import Sandbox


@pytest.fixture
def world(clean_env: Path) -> Iterator[World]:
    """An empty database, and an API without a meeting."""
    with Sandbox(meetings=0) as sandbox:
        world = World(clean_env, sandbox).init()
        yield world
        world.close()


@pytest.fixture
def filled(world: World) -> World:
    """Three meetings, stored."""
    world.put(*(meeting(n) for n in (1, 2, 3)))
    world.run()
    world.sandbox.clear_requests()
    return world


def set_back(world: World, table: str = "hearings") -> None:
    """All rows were written yesterday: what is written from now on shows."""
    world.do(
        f"UPDATE {table} SET created_at = '2025-01-01 00:00:00', updated_at = '2025-01-01 00:00:00'"
    )


# --- change detection ------------------------------------------------


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


def test_one_person_with_one_organization_is_one_row(world: World) -> None:
    names = ["The Honorable David King", "David King", "Mr. David King", "DAVID KING"]
    for number, name in enumerate(names):
        person = {"name": name, "position": "Director", "organization": "Parks Board"}
        world.put(meeting(number, witnesses=[person], witnessDocuments=[]))
    world.put(meeting(9, witnesses=[{"name": "David King", "organization": "Elsewhere"}]))
    world.run()
    assert world.value("SELECT COUNT(*) FROM witnesses") == 2
    assert world.value("SELECT COUNT(*) FROM witness_appearances") == 5


@pytest.mark.parametrize(
    ("sent", "stored"), [("58123", "58123"), (742, "00742"), ("742", "00742"), ("", None)]
)
def test_jacket_numbers_are_five_digits(world: World, sent: Any, stored: str | None) -> None:
    world.put(meeting(1, hearingTranscript=[{"jacketNumber": sent, "url": "https://x.gov/1"}]))
    world.run()
    assert world.hearing(1)["jacket_number"] == stored


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({"meetingStatus": "cancelled"}, ("Canceled", "Hearing")),
        ({"meetingStatus": "CANCELED"}, ("Canceled", "Hearing")),
        ({"meetingStatus": "postponed"}, ("Postponed", "Hearing")),
        ({"meetingStatus": None, "status": "Rescheduled"}, ("Rescheduled", "Hearing")),
        ({"meetingStatus": "On the moon"}, ("Scheduled", "Hearing")),
        ({"type": "business meeting"}, ("Scheduled", "Meeting")),
        ({"type": "Field Hearing"}, ("Scheduled", "Hearing")),
        ({"type": "Full committee markup"}, ("Scheduled", "Markup")),
        ({"type": "Pageant"}, ("Scheduled", "Meeting")),
    ],
)
def test_synonyms_and_unknown_values(
    world: World, fields: dict[str, Any], stored: tuple[str, str]
) -> None:
    world.put(meeting(1, **fields))
    world.run()
    row = world.hearing(1)
    assert (row["status"], row["hearing_type"]) == stored
    world.sandbox.touch(1)
    assert world.run()["hearings_updated"] == 0


def test_an_unknown_value_is_warned_about_once_a_run(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        world.put(meeting(number, meetingStatus="On the moon", type="Pageant"))
    for _ in range(2):
        caplog.clear()
        world.run()
        said = [r for r in caplog.records if "On the moon" in r.getMessage()]
        assert [record.levelno for record in said] == [logging.WARNING]
        assert len([r for r in caplog.records if "Pageant" in r.getMessage()]) == 1
        for number in range(4):
            world.sandbox.touch(number)


@pytest.mark.parametrize(("sent", "stored"), [("Joint", "NoChamber"), ("senate", "Senate")])
def test_chambers_in_any_case_and_joint(world: World, sent: str, stored: str) -> None:
    api = world.updater()
    api._fetch_recent_hearings = lambda progress_callback=None: [meeting(1, chamber=sent)]  # type: ignore[method-assign]
    world.sandbox.set_meeting(meeting(1))
    assert api.run_daily_update()["success"]
    assert world.hearing(1)["chamber"] == stored


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (
            {"room": "1324", "building": "Longworth House Office Building"},
            "1324 Longworth House Office Building",
        ),
        ({"room": "WEBEX", "building": "----------"}, "WEBEX"),
        ({"building": "Capitol Visitor Center"}, "Capitol Visitor Center"),
        ({}, None),
        ("By video", "By video"),
        (
            {
                "address": json.dumps(
                    {"street-address": "12 Main St", "city": "Billings", "state": "MT"}
                )
            },
            "Field: 12 Main St, Billings, MT",
        ),
        (
            {"address": {"street-address": "12 Main St", "city": "Billings", "state": "MT"}},
            "Field: 12 Main St, Billings, MT",
        ),
    ],
)
def test_locations_are_readable(world: World, sent: Any, stored: str | None) -> None:
    world.put(meeting(1, location=sent))
    world.run()
    assert world.hearing(1)["location"] == stored


@pytest.mark.parametrize("date", ["2025-09-09T18:00:00Z", "2025-09-09 18:00:00+00:00"])
def test_dates_and_titles_are_stored_as_they_always_were(world: World, date: str) -> None:
    world.put(meeting(1, date=date, updateDate="2025-09-01T10:11:12Z", title="A\tB \r\n• “C”"))
    world.run({"catch_up": False}, lookback_days=3000)
    row = world.hearing(1)
    assert (row["hearing_date"], row["hearing_date_only"]) == ("2025-09-09", "2025-09-09")
    assert row["hearing_time"] == "18:00:00"
    assert row["title"] == "A B • “C”"
    assert row["congress_gov_url"].startswith("https://www.congress.gov/event/119th-congress/house")
    # Only the list tells it.
    assert row["url"].endswith("/committee-meeting/119/house/1?format=json")


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


def _checkpoint(updater: Any, items: list[Any]) -> Any:
    from updaters.daily_updater import Checkpoint

    point = Checkpoint(1)
    updater.settings.rate_limit = 5000
    updater._engine.begin_run()
    done = updater._process_batch(items, 1, point)
    assert done.success, done.error
    return point


# --- deferred and held ------------------------------------------------


def test_the_life_of_a_deferred_event(world: World) -> None:
    world.put(*(meeting(n) for n in range(1, 21)))
    world.sandbox.fail_next("500", times=5, path="/house/7")
    metrics = world.run({"retry_attempts": 1})
    assert metrics["hearings_added"] == 19
    assert [event["event_id"] for event in metrics["deferred"]] == ["7"]
    assert "500" in metrics["deferred"][0]["reason"]
    assert metrics["errors"] == []
    assert world.value("SELECT success FROM update_logs") == 1
    assert [r["event_id"] for r in world.rows("SELECT event_id FROM updater_deferred")] == ["7"]
    # Out of the window, and asked for all the same.
    world.put(meeting(7, updateDate=utc(days=50)))
    world.sandbox.forget_orders()
    world.sandbox.clear_requests()
    metrics = world.run(lookback_days=1)
    assert world.details() == ["7"]
    assert (metrics["hearings_added"], metrics.get("deferred")) == (1, None)
    assert world.rows("SELECT * FROM updater_deferred") == []


def test_an_event_that_is_not_there_is_dropped_after_five_runs_with_a_warning(
    filled: World, caplog: pytest.LogCaptureFixture
) -> None:
    filled.alter(2, title="Never seen")
    filled.sandbox.fail_next("404", times=50, path="/house/2")
    for number in range(1, 6):
        caplog.clear()
        metrics = filled.run()
        assert [event["event_id"] for event in metrics["deferred"]] == ["2"]
        assert metrics["errors"] == []
        left = filled.rows("SELECT event_id, not_found FROM updater_deferred")
        assert left == ([] if number == 5 else [{"event_id": "2", "not_found": number}])
        dropped = [r for r in caplog.records if "no longer asked for" in r.getMessage()]
        assert len(dropped) == (1 if number == 5 else 0)
    # The stored hearing stays.
    assert filled.hearing(2)["title"] == "Meeting 2"


def test_a_detail_that_could_not_be_had_overwrites_nothing(filled: World) -> None:
    before = filled.snapshot()
    filled.alter(1, title="Never seen")
    filled.sandbox.fail_next("500", times=9, path="/house/1")
    metrics = filled.run()
    assert [event["event_id"] for event in metrics["deferred"]] == ["1"]
    assert filled.snapshot() == before


@pytest.mark.parametrize("batched", [True, False])
def test_what_was_skipped_or_failed_is_deferred(world: World, batched: bool) -> None:
    world.put(meeting(1), meeting(2, date="some day"), meeting(3))
    settings = {"enable_batch_processing": batched, "batch_processing_size": 1}
    metrics = world.run(settings)
    assert metrics["hearings_added"] == 2
    assert [event["event_id"] for event in metrics["deferred"]] == ["2"]
    assert "date" in metrics["deferred"][0]["reason"]
    if batched:
        [error] = metrics["batch_processing"]["batch_errors"]
        assert error["error"] == "Validation failed"
        assert any("Invalid date format" in issue for issue in error["issues"])
    else:
        assert any("2" in error for error in metrics["errors"])
    world.put(meeting(2))
    assert world.run(settings)["hearings_added"] == 1
    assert world.rows("SELECT * FROM updater_deferred") == []


def test_salvage_lets_the_valid_records_of_a_failed_batch_in(world: World) -> None:
    world.put(meeting(1), meeting(2, date="some day"), meeting(3))
    metrics = world.run({"batch_salvage": True, "batch_processing_size": 2})
    assert metrics["hearings_added"] == 2
    assert metrics["batch_processing"]["batches_failed"] == 1
    assert [event["event_id"] for event in metrics["deferred"]] == ["2"]
    without = world.rows("SELECT event_id FROM hearings ORDER BY event_id")
    assert [row["event_id"] for row in without] == ["1", "3"]


def test_what_a_person_rolled_back_is_held_until_upstream_moves_or_it_is_released(
    filled: World,
) -> None:
    before = filled.snapshot()
    filled.alter(1, title="First change")
    filled.alter(2, title="Second change")
    filled.run()
    run = filled.value("SELECT MAX(run_id) FROM updater_runs")
    updater = filled.updater()
    outcome = updater.db.native.undo_run(run, None, False)
    assert outcome["undone"]
    assert filled.snapshot() == before
    updater.db.close()
    filled.sandbox.clear_requests()
    metrics = filled.run()
    assert (metrics["hearings_updated"], metrics["hearings_added"]) == (0, 0)
    assert filled.details() == []
    assert filled.snapshot() == before
    # Upstream changes one of them again.
    filled.alter(1, title="Third change", updateDate=utc(seconds=-5))
    assert filled.run()["hearings_updated"] == 1
    assert filled.hearing(1)["title"] == "Third change"
    assert filled.hearing(2)["title"] == "Meeting 2"
    # The other is let in by hand.
    updater = filled.updater()
    assert updater.db.native.release("2") is True
    updater.db.close()
    assert filled.run()["hearings_updated"] == 1
    assert filled.hearing(2)["title"] == "Second change"
    assert filled.rows("SELECT * FROM updater_held") == []


# --- missed days, windows ------------------------------------------------


@pytest.mark.parametrize("catch_up", [True, False])
def test_missed_days_are_caught_up(
    filled: World, catch_up: bool, caplog: pytest.LogCaptureFixture
) -> None:
    last = (datetime.now() - timedelta(days=20)).strftime("%Y-%m-%d %H:%M:%S")
    filled.do(
        f"UPDATE update_logs SET start_time = '{last}', end_time = '{last}', update_date = '{last}'"
    )
    filled.put(meeting(50, updateDate=utc(days=15)))
    with caplog.at_level(logging.INFO):
        metrics = filled.run({"catch_up": catch_up}, lookback_days=7)
    assert metrics["hearings_added"] == (1 if catch_up else 0)
    told = [r for r in caplog.records if "last successful run" in r.getMessage()]
    assert bool(told) is catch_up


def test_a_full_run_goes_window_by_window(world: World) -> None:
    with Sandbox(meetings=520, seed=5) as sandbox:
        world.sandbox = sandbox
        updater = world.updater({"batch_processing_size": 100}, update_mode="full")
        windows: list[int] = []
        fetch = updater._fetch_recent_hearings

        def counted(progress_callback: Any = None) -> list[Any]:
            # What came before is committed by now.
            assert world.value("SELECT COUNT(*) FROM hearings") == sum(windows)
            got = fetch(progress_callback)
            windows.append(len(got))
            return got

        updater._fetch_recent_hearings = counted  # type: ignore[method-assign]
        result = updater.run_daily_update()
        metrics = result["metrics"]
        assert result["success"], result
        assert windows == [250, 250, 20]
        assert metrics["hearings_checked"] == metrics["hearings_added"] == 520
        numbers = world.rows(
            "SELECT batch_number FROM updater_batches WHERE kind = 'batch' ORDER BY batch_id"
        )
        assert [row["batch_number"] for row in numbers] == [1, 2, 3, 4, 5, 6, 7]
        assert metrics["batch_processing"]["batch_count"] == 7
        assert world.value("SELECT COUNT(*) FROM update_logs") == 1
        # All of it once more: everything is asked for, nothing changes.
        before = world.snapshot()
        sandbox.clear_requests()
        again = world.run(update_mode="full")
        assert (again["hearings_updated"], again["hearings_added"]) == (0, 0)
        assert len(world.details()) == 520
        assert world.snapshot() == before


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


# --- related rows ------------------------------------------------


def test_an_unknown_committee_comes_with_its_parent_and_goes_with_its_batch(
    clean_env: Path,
) -> None:
    with Sandbox(meetings=40, seed=4) as sandbox:
        world = World(clean_env, sandbox).init()
        world.run({"batch_processing_size": 40})
        children = world.rows(
            "SELECT c.system_code, p.system_code AS parent FROM committees c "
            "JOIN committees p ON c.parent_committee_id = p.committee_id"
        )
        assert children
        assert world.rows("PRAGMA foreign_key_check") == []
        run = world.value("SELECT MAX(run_id) FROM updater_runs")
        updater = world.updater()
        assert updater.db.native.undo_run(run, None, False)["undone"]
        updater.db.close()
        for table in ("committees", "hearing_committees", "hearings", "witnesses"):
            assert world.value(f"SELECT COUNT(*) FROM {table}") == 0


def test_a_committee_that_is_nowhere_is_an_issue_that_names_it(world: World) -> None:
    world.put(meeting(1), meeting(2, committees=[{"systemCode": "hszz99", "name": "Nobody"}]))
    metrics = world.run({"batch_processing_size": 1})
    assert metrics["hearings_added"] == 1
    [error] = metrics["batch_processing"]["batch_errors"]
    assert "hszz99" in " ".join(error["issues"])
    assert [event["event_id"] for event in metrics["deferred"]] == ["2"]


def test_components_that_are_off_are_left_alone(world: World) -> None:
    world.put(meeting(1))
    world.run(components=["hearings"])
    for table in ("witnesses", "witness_appearances", "hearing_committees", "committees"):
        assert world.value(f"SELECT COUNT(*) FROM {table}") == 0
    world.sandbox.touch(1)
    metrics = world.run()
    assert metrics["hearings_updated"] == 1
    assert world.value("SELECT COUNT(*) FROM witness_appearances") == 2


def test_documents_and_bills_are_stored_when_they_are_named(world: World) -> None:
    rich = meeting(
        1,
        meetingDocuments=[
            {
                "name": "Memo",
                "description": "A memo",
                "documentType": "Hearing: Memorandum",
                "format": "PDF",
                "url": "https://docs.house.gov/memo.pdf",
            }
        ],
        hearingTranscript=[{"jacketNumber": "58123", "url": "https://x.gov/58123"}],
        relatedItems={
            "bills": [
                {"type": "HR", "number": "22", "congress": 119, "url": "https://x.gov/hr/22"},
                {"type": "s", "number": 5, "congress": 119, "url": "https://x.gov/s/5"},
            ]
        },
    )
    world.put(rich)
    world.run()
    for table in ("supporting_documents", "hearing_transcripts", "bills", "hearing_bills"):
        assert world.value(f"SELECT COUNT(*) FROM {table}") == 0
    world.sandbox.touch(1)
    every = ["hearings", "witnesses", "committees", "documents", "bills"]
    assert world.run(components=every)["hearings_updated"] == 1
    for table, count in (
        ("supporting_documents", 1),
        ("hearing_transcripts", 1),
        ("bills", 2),
        ("hearing_bills", 2),
    ):
        assert world.value(f"SELECT COUNT(*) FROM {table}") == count
    before = world.snapshot(["update_date"])
    world.sandbox.touch(1)
    assert world.run(components=every)["hearings_updated"] == 0
    assert world.snapshot(["update_date"]) == before


def test_a_document_that_matches_no_single_witness_waits_for_one(world: World) -> None:
    url = "https://docs.house.gov/HHRG-119-II00-Wstate-OsceolaM-20250909.pdf"
    paper = {"documentType": "Witness Statement", "format": "PDF", "url": url}
    world.put(meeting(1, witnessDocuments=[paper]))
    world.run()
    assert world.value("SELECT COUNT(*) FROM witness_documents") == 0
    assert world.value("SELECT document_url FROM updater_unmatched_documents") == url
    # Not rewritten as long as nothing moves.
    world.sandbox.touch(1)
    assert world.run()["hearings_updated"] == 0
    people = [*meeting(1)["witnesses"], {"name": "Marcellus Osceola", "position": "Chairman"}]
    world.alter(1, witnesses=people)
    world.run()
    row = world.row(
        "SELECT full_name, document_url, document_type FROM witness_documents "
        "JOIN witness_appearances USING (appearance_id) JOIN witnesses USING (witness_id)"
    )
    assert row == {
        "full_name": "Marcellus Osceola",
        "document_url": url,
        "document_type": "Statement",
    }
    assert world.rows("SELECT * FROM updater_unmatched_documents") == []


def test_two_witnesses_of_one_name_are_not_guessed_between(world: World) -> None:
    people = [
        {"name": "David King", "organization": "One"},
        {"name": "Dora King", "organization": "Two"},
    ]
    world.put(meeting(1, witnesses=people))
    world.run()
    assert world.value("SELECT COUNT(*) FROM witness_documents") == 0
    assert world.value("SELECT COUNT(*) FROM updater_unmatched_documents") == 1


# --- validation after the run ------------------------------------------------


def test_what_was_broken_before_is_no_issue(filled: World) -> None:
    filled.do("INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (1, 4711)")
    filled.alter(2, title="Another title")
    metrics = filled.run()
    assert metrics["validation_passed"] is True
    assert metrics["validation_issues"] == []
    assert metrics["validation_warnings"] != []
    assert metrics["hearings_updated"] == 1


def test_what_an_override_broke_is_undone_by_journal(filled: World) -> None:
    before = filled.snapshot()
    logs = filled.value("SELECT COUNT(*) FROM update_logs")
    filled.alter(2, title="Another title")
    updater = filled.updater()
    update = updater._update_hearing_record

    def breaks(conn: Any, existing: Any, new_data: Any) -> None:
        update(conn, existing, new_data)
        conn.execute("PRAGMA defer_foreign_keys = ON")
        conn.execute(
            "INSERT INTO hearings (event_id, congress, chamber, title, hearing_type, status) "
            "VALUES ('2 ', 119, 'House', 'x', 'Hearing', 'Scheduled')"
        )
        conn.execute(
            "DELETE FROM witnesses WHERE witness_id NOT IN "
            "(SELECT witness_id FROM witness_appearances)"
        )

    def finds() -> None:
        updater.metrics.validation_passed = False
        updater.metrics.validation_issues.append("something is off")

    updater._update_hearing_record = breaks  # type: ignore[method-assign]
    updater._run_post_update_validation = finds  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"] is False
    assert "something is off" in result["error"]
    assert filled.snapshot() == before
    assert filled.value("SELECT COUNT(*) FROM update_logs") == logs + 1
    assert filled.value("SELECT success FROM update_logs ORDER BY log_id DESC LIMIT 1") == 0


def test_a_foreign_key_that_the_run_broke_undoes_it(filled: World) -> None:
    before = filled.snapshot()
    filled.alter(2, title="Another title")
    updater = filled.updater()
    related = updater._update_related_data

    def breaks(changes: Any) -> None:
        related(changes)
        # Another program, foreign keys off as they are by default, in the middle of our run.
        with closing(sqlite3.connect(filled.path)) as db, db:
            db.execute("INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (1, 4711)")

    updater._update_related_data = breaks  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"] is False
    assert any("foreign key" in issue for issue in updater.metrics.validation_issues)
    filled.do("DELETE FROM hearing_committees WHERE committee_id = 4711")
    assert filled.snapshot() == before
    assert filled.value("SELECT success FROM update_logs ORDER BY log_id DESC LIMIT 1") == 0


def test_a_failed_earlier_run_and_missing_tables_are_no_issue(filled: World) -> None:
    filled.do("UPDATE update_logs SET success = 0", "DROP TABLE hearing_bills", "DROP TABLE bills")
    filled.alter(2, title="Another title")
    metrics = filled.run()
    assert (metrics["validation_passed"], metrics["hearings_updated"]) == (True, 1)


# --- dry run ------------------------------------------------


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
@pytest.mark.parametrize("shape", ["new", "legacy"])
def test_a_dry_run_writes_nothing_at_all(world: World, journal_mode: str, shape: str) -> None:
    world.path.unlink()
    for left in world.folder.glob("database.db-*"):
        left.unlink()
    if shape == "legacy":
        make_legacy(world.path, journal_mode=journal_mode)
    else:
        world.init()
        world.put(meeting(900), meeting(901))
        world.run()
        world.do(f"PRAGMA journal_mode = {journal_mode}")
        shutil.rmtree(world.folder / "backups")
    world.put(
        meeting(900, title="Another title", updateDate=utc(seconds=1)), meeting(55), meeting(56)
    )
    before = world.files()
    metrics = world.run(dry_run=True)
    assert (metrics["hearings_updated"], metrics["hearings_added"]) == (
        1,
        2 + (shape != "legacy" and 0),
    )
    assert world.files() == before


def test_a_dry_run_cannot_be_made_to_write(filled: World) -> None:
    filled.alter(2, title="Another title")
    before = filled.files()
    updater = filled.updater()

    def writes(hearings: Any) -> Any:
        updater.db.execute("DELETE FROM hearings")
        return {"updates": [], "additions": []}

    updater._identify_changes = writes  # type: ignore[method-assign]
    assert updater.run_daily_update(dry_run=True)["success"] is False
    updater.db.close()
    assert filled.files() == before


# --- the log, backups, counts ------------------------------------------------


def test_update_logs_are_naive_local_times(world: World) -> None:
    world.put(meeting(1))
    floor = datetime.now().replace(microsecond=0)
    updater = world.updater()
    updater.trigger_source = "vercel_cron"
    updater.schedule_id = 5
    updater.run_daily_update()
    log = world.row("SELECT * FROM update_logs")
    for column in ("start_time", "end_time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", log[column])
    assert floor <= datetime.fromisoformat(log["start_time"]) <= datetime.now()
    assert log["start_time"] <= log["end_time"]
    assert log["duration_seconds"] > 0
    assert (log["success"], log["error_count"], json.loads(log["errors"])) == (1, 0, [])
    assert (log["hearings_checked"], log["hearings_added"], log["hearings_updated"]) == (1, 1, 0)
    assert (log["trigger_source"], log["schedule_id"]) == ("vercel_cron", 5)
    assert log["api_requests"] == world.sandbox.request_count


def test_where_the_table_does_not_know_a_trigger_manual_is_stored(world: World) -> None:
    world.do("DROP TABLE update_logs")
    world.do(
        "CREATE TABLE update_logs (log_id INTEGER PRIMARY KEY, update_date TEXT, start_time TEXT, "
        "end_time TEXT, duration_seconds REAL, hearings_checked INTEGER, hearings_updated INTEGER, "
        "hearings_added INTEGER, committees_updated INTEGER, witnesses_updated INTEGER, "
        "api_requests INTEGER, error_count INTEGER, errors TEXT, success INTEGER, "
        "trigger_source TEXT CHECK (trigger_source IN ('manual', 'vercel_cron', 'test')), "
        "schedule_id INTEGER, "
        "created_at TEXT DEFAULT CURRENT_TIMESTAMP)"
    )
    world.put(meeting(1))
    updater = world.updater()
    updater.trigger_source = "admin_manual"
    assert updater.run_daily_update()["success"]
    assert world.value("SELECT trigger_source FROM update_logs") == "manual"


def test_a_backup_put_back_with_cp_is_the_database_as_it_was(filled: World) -> None:
    before = filled.snapshot()
    filled.alter(1, title="Another title")
    shutil.rmtree(filled.folder / "backups")
    filled.run()
    [backup] = (filled.folder / "backups").iterdir()
    assert re.fullmatch(r"database_backup_\d{8}_\d{6}\.db", backup.name)
    assert filled.snapshot() != before
    assert not list(filled.folder.glob("database.db-*"))
    shutil.copyfile(backup, filled.path)
    assert filled.snapshot() == before
    assert filled.value("PRAGMA integrity_check") == "ok"
    assert filled.run()["hearings_updated"] == 1


@pytest.mark.parametrize("mode", ["delete", "wal", "truncate"])
def test_the_journal_mode_is_kept_and_nothing_is_left_beside_the_file(
    filled: World, mode: str
) -> None:
    filled.do(f"PRAGMA journal_mode = {mode}")
    kept = filled.value("PRAGMA journal_mode")
    filled.alter(1, title="Another title")
    filled.run()
    assert filled.value("PRAGMA journal_mode") == kept
    assert not [path.name for path in filled.folder.glob("database.db-*") if path.stat().st_size]


def test_a_new_database_is_wal(world: World) -> None:
    assert world.value("PRAGMA journal_mode") == "wal"


def test_counts_are_what_was_seen_and_sent(filled: World) -> None:
    filled.alter(1, title="Another title")
    filled.put(meeting(4, witnesses=[], witnessDocuments=[]))
    filled.sandbox.fail_next("503", times=1, path="/house/4")
    metrics = filled.run({"retry_attempts": 3})
    assert metrics["hearings_checked"] == 4
    assert (metrics["hearings_updated"], metrics["hearings_added"]) == (1, 1)
    assert metrics["api_requests"] == filled.sandbox.request_count
    assert metrics["errors"] == []


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_reader_is_not_blocked_and_sees_no_half_batch(clean_env: Path, mode: str) -> None:
    size = 10
    with Sandbox(meetings=120, seed=2) as sandbox:
        world = World(clean_env, sandbox).init()
        world.do(f"PRAGMA journal_mode = {mode}")
        done = threading.Event()
        seen: list[tuple[int, int]] = []
        failed: list[str] = []

        def read() -> None:
            while not done.is_set():
                try:
                    # Opened and closed again and again: that drops a process's POSIX locks.
                    with closing(sqlite3.connect(world.path, timeout=5)) as db:
                        seen.append(
                            db.execute(
                                "SELECT (SELECT COUNT(*) FROM hearings), (SELECT COUNT(*) FROM "
                                "hearings WHERE hearing_id NOT IN (SELECT hearing_id FROM "
                                "hearing_committees))"
                            ).fetchone()
                        )
                except sqlite3.Error as error:
                    failed.append(repr(error))

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            metrics = world.run({"batch_processing_size": size})
        finally:
            done.set()
            for reader in readers:
                reader.join()
        assert failed == []
        assert metrics["hearings_added"] == 120
        bare = world.value(
            "SELECT COUNT(*) FROM hearings WHERE hearing_id NOT IN "
            "(SELECT hearing_id FROM hearing_committees)"
        )
        assert {count % size for count, _ in seen} == {0}
        assert all(alone <= bare for _, alone in seen)
        assert seen


# --- hardships of the API ------------------------------------------------


@pytest.mark.parametrize("kind", ["502", "429", "reset", "truncated", "html"])
def test_a_passing_fault_is_retried(world: World, kind: str) -> None:
    world.put(*(meeting(n) for n in range(5)))
    world.sandbox.fail_next(kind, times=1, path="/house/3")
    metrics = world.run({"retry_attempts": 3})
    assert metrics["hearings_added"] == 5
    assert metrics["errors"] == []
    assert world.details().count("3") == 2


def test_a_bad_row_of_the_list_is_stepped_over_and_reported(clean_env: Path) -> None:
    with Sandbox(meetings=60, seed=2, faults={"bad-row": 0.3}) as sandbox:
        world = World(clean_env, sandbox).init()
        metrics = world.run({"retry_attempts": 1})
        assert 0 < metrics["hearings_added"] < 60
        assert metrics["errors"]
        assert metrics["hearings_added"] == metrics["hearings_checked"]


def test_an_event_id_that_is_no_number_is_text(world: World) -> None:
    world.put(meeting("634847912c87197aac1f9800"))
    world.run()
    assert world.hearing("634847912c87197aac1f9800")["title"].startswith("Meeting 634")


def test_the_open_circuit_breaker_ends_the_run_and_says_so(filled: World) -> None:
    before = filled.snapshot()
    for number in (1, 2, 3):
        filled.alter(number, title="Never seen")
    filled.sandbox.fail_next("503", times=99, path="/house/")
    updater = filled.updater(
        {"circuit_breaker_threshold": 1, "circuit_breaker_timeout": 1, "max_concurrency": 1}
    )
    result = updater.run_daily_update()
    assert result["success"] is False
    assert result.get("circuit_breaker_open") is True
    assert filled.snapshot() == before


# --- seams of the run ------------------------------------------------


def test_the_progress_callback_may_write_to_the_database(world: World) -> None:
    world.put(*(meeting(n) for n in range(6)))
    world.do("CREATE TABLE told (phase TEXT)")
    phases: list[str] = []

    def callback(info: dict[str, Any]) -> None:
        json.dumps(info)
        phases.append(info["phase"])
        with closing(sqlite3.connect(world.path, timeout=1)) as db, db:
            db.execute("INSERT INTO told VALUES (?)", (info["phase"],))
        info.clear()

    updater = world.updater({"batch_processing_size": 2})
    assert updater.run_daily_update(progress_callback=callback)["success"]
    assert set(phases) == {"initializing", "fetching", "checking", "applying", "validating"}
    assert world.value("SELECT COUNT(*) FROM told") == len(phases)


def test_a_callback_that_raises_is_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put(meeting(1))
    calls: list[int] = []

    def callback(info: dict[str, Any]) -> None:
        calls.append(1)
        raise ValueError("no")

    assert world.updater().run_daily_update(progress_callback=callback)["success"]
    assert len(calls) == 1
    assert len([r for r in caplog.records if "progress callback" in r.getMessage()]) == 1


def test_a_run_that_fails_before_its_first_page_leaves_the_file_untouched(filled: World) -> None:
    filled.do("PRAGMA journal_mode = delete")
    before = filled.files()
    filled.sandbox.faults = {"500": 1.0}
    metrics = filled.run(success=False)
    assert metrics["errors"]
    assert filled.files() == before


def test_a_run_that_fails_later_leaves_a_row_in_the_log(filled: World) -> None:
    filled.alter(1, title="Another title")
    updater = filled.updater()

    def fails(changes: Any) -> None:
        raise RuntimeError("out of paper")

    updater._update_related_data = fails  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"] is False
    assert "out of paper" in result["error"]
    log = filled.row(
        "SELECT success, errors, duration_seconds FROM update_logs ORDER BY log_id DESC LIMIT 1"
    )
    assert log["success"] == 0
    assert "out of paper" in log["errors"]
    assert log["duration_seconds"] is not None


def test_every_batch_failing_fails_the_run(world: World) -> None:
    world.put(meeting(1, date="never"))
    metrics = world.run(success=False)
    assert metrics["batch_processing"]["batches_failed"] == 1
    assert "every batch failed" in metrics["error"]


def test_a_second_run_of_the_same_updater_starts_afresh(world: World) -> None:
    world.put(meeting(1))
    updater = world.updater()
    assert updater.run_daily_update()["metrics"]["hearings_added"] == 1
    second = updater.run_daily_update()["metrics"]
    assert (second["hearings_added"], second["hearings_checked"]) == (0, 1)


@pytest.mark.parametrize("batched", [True, False])
def test_nothing_is_forgotten_when_the_whole_run_is_undone(world: World, batched: bool) -> None:
    settings = {"enable_batch_processing": batched}
    world.put(*(meeting(n) for n in range(1, 21)))
    world.sandbox.fail_next("500", times=5, path="/house/7")
    world.run(settings)
    # The deferred one is to be had again, but has left the window.
    world.put(meeting(7, updateDate=utc(days=50)))
    world.sandbox.forget_orders()
    world.alter(3, title="Another title")
    updater = world.updater(settings, lookback_days=1)

    def finds() -> None:
        updater.metrics.validation_passed = False
        updater.metrics.validation_issues.append("something is off")

    updater._run_post_update_validation = finds  # type: ignore[method-assign]
    before = world.snapshot()
    result = updater.run_daily_update()
    updater.db.close()
    assert result["success"] is False
    assert world.snapshot() == before
    waiting = {row["event_id"] for row in world.rows("SELECT event_id FROM updater_deferred")}
    assert "7" in waiting
    told = {event["event_id"] for event in result["metrics"]["deferred"]}
    assert told == {"3", "7"}
    metrics = world.run(settings, lookback_days=1)
    assert (metrics["hearings_added"], metrics["hearings_updated"]) == (1, 1)
    assert world.rows("SELECT * FROM updater_deferred") == []


def test_a_backup_that_fails_is_warned_about_and_the_run_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put(meeting(1))
    updater = world.updater()

    def fails() -> None:
        raise OSError("no space on the shelf")

    updater._create_database_backup = fails  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"] is True
    assert updater.backup_path is None
    assert world.hearing(1)["title"] == "Meeting 1"
    assert [r.levelname for r in caplog.records if "on the shelf" in r.getMessage()] == ["WARNING"]
    # So is the real one, where its folder cannot be made.
    shutil.rmtree(world.folder / "backups", ignore_errors=True)
    (world.folder / "backups").write_text("a file")
    world.alter(1, title="Another title")
    assert world.run()["hearings_updated"] == 1


def test_another_programs_write_in_the_middle_of_a_run_is_waited_for(filled: World) -> None:
    filled.alter(1, title="Another title")
    updater = filled.updater()
    identify = updater._identify_changes
    other = sqlite3.connect(filled.path, check_same_thread=False)

    def and_locked(hearings: Any) -> Any:
        changes = identify(hearings)
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.5, other.rollback).start()
        return changes

    updater._identify_changes = and_locked  # type: ignore[method-assign]
    result = updater.run_daily_update()
    other.close()
    assert result["success"] is True
    assert filled.hearing(1)["title"] == "Another title"


def test_odd_related_rows_harm_nobody(world: World) -> None:
    ann = {"name": "Ann Lee", "organization": "River Trust"}
    world.put(
        meeting(1, witnesses=[ann, {**ann, "name": "Ms. Ann Lee"}], witnessDocuments=[]),
        meeting(2, witnesses=[{"name": None}, {"name": ""}, {}], witnessDocuments=[{}]),
        meeting(3, committees=[{"systemCode": "hsii00"}, {"systemCode": "HSII00"}]),
        meeting(4, witnesses={"item": {"name": "Solo One"}}, witnessDocuments=[]),
        meeting(5, videos=[{"url": None}, {}], relatedItems=[]),
    )
    metrics = world.run()
    assert metrics["hearings_added"] == 5
    assert metrics["errors"] == []
    assert world.value("SELECT COUNT(*) FROM hearing_committees WHERE hearing_id = 3") == 1
    for number in range(1, 6):
        world.sandbox.touch(number)
    assert world.run()["hearings_updated"] == 0
