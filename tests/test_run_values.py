"""How a run stores what the API says: numbers, synonyms, chambers, locations, dates."""

import json
import logging
from typing import Any

import pytest

from helpers_run import World, meeting


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


def test_an_event_id_that_is_no_number_is_text(world: World) -> None:
    world.put(meeting("634847912c87197aac1f9800"))
    world.run()
    assert world.hearing("634847912c87197aac1f9800")["title"].startswith("Meeting 634")
