"""What changed in the hearings: the net effect of a journal, by hearing and by committee."""

import shutil
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from helpers_changes import EVERYTHING, changes, make_past, news, update
from helpers_run import World, locked, meeting
from updaters._native import Database
from updaters.changes import KINDS, parse_since, times
from updaters.errors import ConfigurationError, DatabaseError

NOW = datetime(2025, 10, 8, 12, 0, tzinfo=timezone.utc)
KING = {"name": "Mr. David King", "position": "Director", "organization": "Parks Board"}
LEE = {"name": "Ann Lee", "position": "Chair", "organization": "River Trust"}
NOVAK = {"name": "Eva Novak", "position": "Chief", "organization": "Dam Office"}
HOST = "https://docs.house.gov/II00/1/"
STATEMENT = f"{HOST}HHRG-119-II00-Wstate-KingD-20250909.pdf"


@pytest.fixture
def past(filled: World) -> World:
    """Three meetings, stored a month ago."""
    make_past(filled)
    return filled


def document(name: str, kind: str = "Witness Statement") -> dict[str, Any]:
    return {"documentType": kind, "format": "PDF", "url": f"{HOST}{name}"}


STATUS = {"from": "Scheduled"}
SLOT = {"date": "2025-09-09", "time": "18:00:00", "start_utc": "2025-09-09T18:00:00Z"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"date": "2025-11-12T15:00:00Z"},
            {
                "rescheduled": {
                    "from": {**SLOT, "start_washington": "2025-09-09T14:00:00-04:00"},
                    "to": {
                        "date": "2025-11-12",
                        "time": "15:00:00",
                        "start_utc": "2025-11-12T15:00:00Z",
                        "start_washington": "2025-11-12T10:00:00-05:00",
                    },
                }
            },
        ),
        ({"meetingStatus": "Postponed"}, {"postponed": {**STATUS, "to": "Postponed"}}),
        ({"meetingStatus": "Canceled"}, {"cancelled": {**STATUS, "to": "Canceled"}}),
        (
            {"location": {"room": "210", "building": "Cannon House Office Building"}},
            {
                "moved": {
                    "from": "1324 Longworth House Office Building",
                    "to": "210 Cannon House Office Building",
                }
            },
        ),
        ({"title": "On dams"}, {"retitled": {"from": "Meeting 1", "to": "On dams"}}),
        ({"title": "Meeting \t 1"}, {}),
        ({"type": "Markup"}, {"retyped": {"from": "Hearing", "to": "Markup"}}),
        (
            {"witnesses": [KING, LEE, NOVAK]},
            {
                "witnesses": [
                    {"name": "Eva Novak", "organization": "Dam Office", "position": "Chief"}
                ]
            },
        ),
        ({"witnesses": [KING]}, {"withdrawn": ["Ann Lee"]}),
        (
            {"videos": [{"name": "v", "url": "https://www.youtube.com/watch?v=abcdefghijk"}]},
            {"video": {"url": "https://www.youtube.com/watch?v=abcdefghijk"}},
        ),
        (
            {"relatedItems": {"bills": [{"type": "HR", "number": "7", "congress": 119}]}},
            {"bills": ["HR 7 (119)"]},
        ),
        (
            {"hearingTranscript": [{"jacketNumber": "58211", "url": f"{HOST}t.pdf"}]},
            {
                "documents": [
                    {
                        "of": "transcript",
                        "type": None,
                        "title": "58211",
                        "url": f"{HOST}t.pdf",
                        "witness": None,
                    }
                ]
            },
        ),
        (
            {
                "meetingDocuments": [
                    {"name": "Notice", "documentType": "Hearing Notice", "url": f"{HOST}n.pdf"}
                ]
            },
            {
                "documents": [
                    {
                        "of": "meeting",
                        "type": "Hearing Notice",
                        "title": "Notice",
                        "url": f"{HOST}n.pdf",
                        "witness": None,
                    }
                ]
            },
        ),
    ],
)
def test_a_change_upstream_is_told_as_what_it_is(
    past: World, fields: dict[str, Any], told: dict[str, Any]
) -> None:
    update(past, 1, **fields)
    assert changes(past, 1) == told
    assert changes(past, 2) == {}


def test_a_witness_s_new_document_comes_with_its_address_and_whose_it_is(past: World) -> None:
    new = document("HHRG-119-II00-Wstate-LeeA-20250909.pdf")
    update(past, 1, witnessDocuments=[document(STATEMENT.removeprefix(HOST)), new])
    [told] = changes(past, 1)["documents"]
    assert told == {
        "of": "witness",
        "type": "Statement",
        "title": None,
        "url": new["url"],
        "witness": "Ann Lee",
    }


def test_a_document_that_waited_for_its_witness_is_told_once(past: World) -> None:
    waits = document("HHRG-119-II00-Wstate-NovakE-20250909.pdf")
    stays = document(STATEMENT.removeprefix(HOST))
    update(past, 1, witnessDocuments=[stays, waits])
    assert [(d["url"], d["witness"]) for d in changes(past, 1)["documents"]] == [
        (waits["url"], None)
    ]
    make_past(past)
    update(past, 1, witnesses=[KING, LEE, NOVAK], witnessDocuments=[stays, waits])
    assert set(changes(past, 1)) == {"witnesses"}


def test_marked_as_rescheduled_without_another_date_is_rescheduled(past: World) -> None:
    update(past, 1, meetingStatus="Rescheduled")
    told = changes(past, 1)["rescheduled"]
    assert told["from"] == told["to"]


def test_a_time_or_place_that_was_not_known_is_announced_and_not_moved(past: World) -> None:
    past.do("UPDATE hearings SET hearing_time = NULL, location = NULL WHERE event_id = '1'")
    update(past, 1)
    assert changes(past, 1) == {
        "announced": {"time": "18:00:00", "location": "1324 Longworth House Office Building"}
    }


def test_a_hearing_that_is_on_again_is_reinstated(past: World) -> None:
    update(past, 1, meetingStatus="Postponed")
    make_past(past)
    update(past, 1, meetingStatus="Scheduled")
    assert changes(past, 1) == {"reinstated": {"from": "Postponed", "to": "Scheduled"}}


def test_changed_twice_is_one_change_and_changed_back_is_none(past: World) -> None:
    here = past.sandbox.meeting("1")["location"]
    there = {"room": "210", "building": "Cannon House Office Building"}
    gone = {"meetingStatus": "Canceled", "witnesses": [KING], "location": there}
    back = {"meetingStatus": "Scheduled", "witnesses": [KING, LEE], "location": here}
    update(past, 1, title="Second", **gone)
    update(past, 1, title="Third", **back)
    assert changes(past, 1) == {"retitled": {"from": "Meeting 1", "to": "Third"}}


def test_what_happens_to_a_new_hearing_belongs_to_its_being_new(past: World) -> None:
    past.put(meeting(4))
    past.run(components=EVERYTHING)
    update(past, 4, meetingStatus="Postponed", witnesses=[KING, LEE, NOVAK])
    [told] = news(past)["hearings"]
    assert list(told["changes"]) == ["new"] and told["section"] == "new"
    assert told["status"] == "Postponed"
    names = [witness["name"] for witness in told["changes"]["new"]["witnesses"]]
    assert sorted(names) == ["Ann Lee", "David King", "Eva Novak"]
    assert told["url"] == "https://www.congress.gov/event/119th-congress/house-event/4"


def test_the_public_page_is_built_where_none_is_stored(past: World) -> None:
    update(past, 1, title="Other")
    past.do("UPDATE hearings SET congress_gov_url = '', chamber = 'NoChamber', congress = 122")
    [told] = news(past)["hearings"]
    assert told["url"] == "https://www.congress.gov/event/122nd-congress/joint-event/1"


def test_what_was_rolled_back_is_no_news(past: World) -> None:
    past.put(meeting(4))
    update(past, 1, title="Undone")
    database = Database(str(past.path))
    run = database.runs(1)[0]["run"]
    assert database.undo_run(run, None, False)["undone"]
    database.close()
    assert news(past)["hearings"] == []


def test_the_rollback_of_something_older_is_news(past: World) -> None:
    update(past, 1, meetingStatus="Canceled")
    make_past(past)
    database = Database(str(past.path))
    database.undo_run(database.runs(1)[0]["run"], None, False)
    database.close()
    assert set(changes(past, 1)) == {"reinstated"}


def test_a_hearing_that_is_gone_is_told_by_its_title(past: World) -> None:
    database = Database(str(past.path))
    connection = database.begin()
    for table in ("hearing_committees", "witness_documents", "witness_appearances", "hearings"):
        connection.execute(f"DELETE FROM {table}")
    database.commit()
    database.close()
    told = news(past)
    assert [h["title"] for h in told["hearings"]] == ["Meeting 1", "Meeting 2", "Meeting 3"]
    assert told["counts"]["removed"] == 3
    assert told["committees"][0]["code"] == "hsii00"
    assert told["committees"][0]["sections"] == {"removed": ["1", "2", "3"]}


def test_a_moved_update_date_alone_is_no_news(past: World) -> None:
    update(past, 1)
    assert past.value("SELECT count(*) FROM updater_batches WHERE kind = 'dates'") == 1
    assert news(past)["counts"]["hearings"] == 0


def test_hearings_stand_under_their_parent_committees(world: World) -> None:
    def of(*codes: str) -> list[dict[str, Any]]:
        return [{"systemCode": code, "name": f"The {code}"} for code in codes]

    world.put(
        meeting(1, committees=of("hsii00")),
        meeting(2, committees=of("hsii10"), date="2025-09-01T18:00:00Z"),
        meeting(3, committees=of("hsii00", "hsag00")),
        meeting(4, committees=[], chamber="Senate"),
    )
    world.run(components=EVERYTHING)
    parent = world.value("SELECT committee_id FROM committees WHERE system_code = 'hsii00'")
    world.do(
        f"UPDATE committees SET parent_committee_id = {parent} WHERE system_code = 'hsii10'",
        "UPDATE committees SET parent_committee_id = NULL WHERE system_code LIKE '%00'",
    )
    told = {group["code"]: group["sections"]["new"] for group in news(world)["committees"]}
    assert told == {"hsag00": ["3"], "hsii00": ["2", "1", "3"], None: ["4"]}
    assert list(told)[-1] is None

    def events(**filters: Any) -> list[str]:
        return [hearing["event_id"] for hearing in news(world, **filters)["hearings"]]

    assert events(committees=["HSII00"]) == ["1", "2", "3"]
    assert events(committees=["hsii10"]) == ["2"]
    assert [g["code"] for g in news(world, committees=["hsag00"])["committees"]] == ["hsag00"]
    assert events(chamber="Senate") == ["4"] and events(chamber="Joint") == []
    with pytest.raises(ConfigurationError, match="--committee 'hsxx00'"):
        news(world, committees=["hsxx00"])


def test_a_hearing_is_listed_under_what_matters_most(past: World) -> None:
    update(past, 1, meetingStatus="Canceled", title="Off", witnesses=[KING, LEE, NOVAK])
    told = news(past)
    assert told["hearings"][0]["section"] == "cancelled"
    assert list(told["hearings"][0]["changes"]) == ["cancelled", "witnesses", "retitled"]
    assert told["committees"][0]["sections"] == {"cancelled": ["1"]}
    assert set(told["counts"]) == {"hearings", *KINDS}
    assert told["counts"]["hearings"] == told["counts"]["witnesses"] == 1


def test_it_tells_how_far_the_journal_goes_back(past: World) -> None:
    assert news(past, days=7)["covered"]
    beyond = news(past, days=40)
    assert not beyond["covered"]
    begins = datetime.fromisoformat(beyond["journal_begins"].replace("Z", "+00:00"))
    assert timedelta(days=29) < datetime.now(timezone.utc) - begins < timedelta(days=31)


def test_it_reads_beside_a_writer(past: World) -> None:
    update(past, 1, title="Other")
    assert past.value("PRAGMA journal_mode") == "wal"
    with locked(past):
        assert news(past)["counts"]["retitled"] == 1


def test_it_writes_nothing(past: World) -> None:
    update(past, 1, title="Other")
    past.do("PRAGMA journal_mode = delete")
    before = past.files()
    assert news(past)["counts"]["retitled"] == 1
    assert past.files() == before


def test_a_database_without_a_journal_has_no_news(legacy_db: Any, world: World) -> None:
    shutil.copy(legacy_db, world.path)
    told = news(world)
    assert told["journal_begins"] is None and told["hearings"] == [] and not told["covered"]
    assert not world.rows("SELECT 1 FROM sqlite_schema WHERE name LIKE 'updater_%'")


def test_a_bad_moment_is_refused_by_the_native_reading(past: World) -> None:
    database = Database(str(past.path), read_only=True)
    with pytest.raises(DatabaseError, match="'tomorrow': not a date or a time"):
        database.changes_since("tomorrow")
    database.close()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", "2025-10-01T12:00:00Z"),
        ("24H", "2025-10-07T12:00:00Z"),
        ("2w", "2025-09-24T12:00:00Z"),
        ("2025-10-01", "2025-10-01T04:00:00Z"),
        ("2025-01-15T09:30", "2025-01-15T14:30:00Z"),
        ("2025-10-01 09:30:00Z", "2025-10-01T09:30:00Z"),
        ("2025-10-01T09:30+02:00", "2025-10-01T07:30:00Z"),
    ],
)
def test_since_takes_spans_dates_and_times(text: str, moment: str) -> None:
    assert times.iso(parse_since(text, NOW)) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "d", "-7d", "7 days", "999999999d", "9999w", "\u0661d"),
        *("2025-13-01", "20251001", "0001-01-01", "2025-10-01T25:00"),
        *("2025-10-09", "2025-10-08T12:00:01Z"),
    ],
)
def test_a_bad_since_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--since .*: (should be|lies in)") as caught:
        parse_since(text, NOW)
    assert "\n" not in str(caught.value)


def test_without_time_zone_data_times_are_utc_and_said_to_be(
    past: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise times.ZoneInfoNotFoundError(name)

    update(past, 1, date="2025-11-12T15:00:00Z")
    times.washington.cache_clear()
    monkeypatch.setattr(times, "ZoneInfo", missing)
    try:
        told = news(past)
        assert told["time_zone"] == "UTC"
        assert times.told_slot(told["hearings"][0]) == "Wed Nov 12, 2025, 3:00 PM UTC"
    finally:
        times.washington.cache_clear()


@pytest.mark.parametrize(
    ("day", "clock", "told"),
    [
        ("2025-07-29", "14:00:00", "Tue Jul 29, 2025, 10:00 AM EDT"),
        ("2025-12-02", "02:30:00", "Mon Dec 1, 2025, 9:30 PM EST"),
        ("2025-07-29", "16:05:00", "Tue Jul 29, 2025, 12:05 PM EDT"),
        ("2025-07-29", "04:00:00", "Tue Jul 29, 2025, 12:00 AM EDT"),
        ("2025-07-29", None, "Tue Jul 29, 2025"),
        (None, None, "no date"),
        ("soon", "14:00:00", "soon"),
        ("0001-01-01", "00:00:00", "Mon Jan 1, 1"),
    ],
)
def test_a_meeting_s_start_is_told_in_washington_time(day: Any, clock: Any, told: str) -> None:
    assert times.told_slot(times.slot(day, clock)) == told
