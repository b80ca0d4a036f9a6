"""Event ids that mean something else to a URL, a terminal, a person: stored exactly or refused."""

import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest

from conftest import MakeUpdater, query, snapshot
from helpers_hostile import REFUSED_IDS, STORED_IDS, HostileApi
from helpers_run import World, meeting, messages, tool, update, utc
from updaters.cli import main
from updaters.errors import ApiError, UpdaterError

BASE = "/v3/committee-meeting/119/house/"


def test_ids_from_the_api_are_stored_exactly_and_asked_for_on_their_own_path(world: World) -> None:
    given = [meeting(event, title=f"{n}") for n, event in enumerate(STORED_IDS)]
    real = [meeting("2", title="the real one"), meeting("11", title="another real one")]
    with HostileApi(*given, *real) as api:
        metrics = world.run({"api_base_url": api.url})
        stored = {row["event_id"]: row["title"] for row in world.rows("SELECT * FROM hearings")}
        assert stored == {one["eventId"]: one["title"] for one in given + real}
        assert "deferred" not in metrics
        asked = [path for path in api.paths if path.startswith(BASE)]
        assert sorted(asked) == sorted(BASE + quote(event, safe="") for event in stored)
        # An id of another form is another event: none of these touches those.
        for event in STORED_IDS:
            api.meetings[event] |= {"title": f"again {event}", "updateDate": utc()}
        assert world.run({"api_base_url": api.url})["hearings_updated"] == len(STORED_IDS)
    assert world.hearing("2")["title"] == "the real one"
    assert world.hearing("11")["title"] == "another real one"
    # A public page that an id would turn into another one is none.
    pages = [row["congress_gov_url"] for row in world.rows("SELECT * FROM hearings")]
    found = {page.rpartition("-event/")[2] for page in pages if page is not None}
    assert found == {"2", "11", "-1", "--db", "x" * 200}


def test_ids_that_cannot_be_seen_for_what_they_are_are_refused_and_told(world: World) -> None:
    real = [meeting("2"), meeting("1"), meeting("21")]
    with HostileApi(*real) as api:
        world.run({"api_base_url": api.url})
        before = world.snapshot()
        forged = [meeting(event, title="forged", updateDate=utc()) for event in REFUSED_IDS]
        api.meetings |= {one["eventId"]: one for one in forged}
        api.paths.clear()
        metrics = world.run({"api_base_url": api.url})
        assert [path for path in api.paths if path.startswith(BASE)] == []
    assert world.snapshot() == before
    told = [error for error in metrics["errors"] if "eventId must not" in error]
    assert len(told) == len(REFUSED_IDS), metrics["errors"]
    assert all(line.isprintable() for line in told)


@pytest.mark.parametrize("event", [".", ".."])
def test_a_mere_dot_leads_to_no_folder(world: World, event: str) -> None:
    with HostileApi(meeting(event), meeting("1")) as api:
        metrics = world.run({"api_base_url": api.url})
        asked = {path for path in api.paths if path.startswith("/v3/committee-meeting/119/")}
        assert asked == {BASE + "1", BASE + "%20"}
    assert [row["event_id"] for row in world.rows("SELECT event_id FROM hearings")] == ["1"]
    assert [entry["event_id"] for entry in metrics["deferred"]] == [event]


def test_an_answer_about_another_event_is_not_taken_for_it(world: World) -> None:
    """Whatever path a server makes of an id: the row is the one that was asked for."""
    from updaters.api_client import ApiClient

    class Mixed(ApiClient):
        def get(self, endpoint: str, params: object = None) -> dict:  # type: ignore[type-arg,override]
            if endpoint.startswith("committee-meeting/119/house/"):
                return {"committeeMeeting": meeting("2", title="forged")}
            return super().get(endpoint, params)  # type: ignore[arg-type]

    with HostileApi(meeting("2"), meeting("a/../2")) as api:
        updater = world.updater({"api_base_url": api.url})
        updater.api_client = Mixed(lambda: updater.settings)
        updater.run_daily_update()
    assert [row["event_id"] for row in world.rows("SELECT event_id FROM hearings")] == ["2"]
    assert [entry["event_id"] for entry in updater.metrics.deferred] == ["a/../2"]


def test_by_hand_they_are_refused_with_their_batch_and_change_no_other_row(
    make_updater: MakeUpdater, filled_db: Path
) -> None:
    updater = make_updater(filled_db, batch_processing_size=1)
    [[event]] = query(filled_db, "SELECT event_id FROM hearings LIMIT 1")
    before = snapshot(filled_db)
    twisted = [event[:1] + hidden + event[1:] for hidden in ("\u200b", "\n", "\0", "\u202e")]
    forged = [{"eventId": one, "chamber": "House", "title": "forged"} for one in twisted]
    updater._apply_updates_with_batches({"updates": [], "additions": forged})
    assert updater.metrics.batches_failed == len(twisted)
    updater.settings.enable_batch_processing = False
    updater._apply_updates({"updates": [], "additions": forged})
    assert snapshot(filled_db) == before
    for one in forged:
        with pytest.raises(UpdaterError, match="eventId must not hold"):
            updater.db.upsert_hearing(one)
        assert updater.db.get_hearing_by_event_id(one["eventId"]) is None
    assert snapshot(filled_db) == before


def test_the_client_asks_for_one_event_or_none(world: World) -> None:
    with HostileApi(meeting("2"), meeting("a/b")) as api:
        client = world.updater({"api_base_url": api.url}).api_client
        found = client.get_hearing_details(119, "house", "a/b")
        assert found["committeeMeeting"]["eventId"] == "a/b"
        for event in ("../house/2", "2?x=1", "2#x", "2%2f..%2f2", "..", "\uff12"):
            with pytest.raises(ApiError):
                client.get_hearing_details(119, "house", event)
        for endpoint in (f"{BASE[4:]}../house/2", "//evil.example/x", "a\\..\\b"):
            with pytest.raises(ApiError):
                client.get(endpoint)
        assert all(path.startswith(BASE) for path in api.paths)
        assert BASE + "2" not in api.paths


@pytest.mark.parametrize(
    "event",
    ["..", ".", "\uff11\uff17", "117\u0430", "1\u0301", "\u202e1", "1\u200b", "a/b", "1?", "1#",
     "1%2f2", "1\n2", "\x1b[31m1", "'; DROP TABLE hearings; --", "x" * 65, " "],
)  # fmt: skip
def test_as_an_argument_of_an_update(
    filled: World, capsys: pytest.CaptureFixture[str], event: str
) -> None:
    assert main(["update", f"--event={event}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "--event" in err
    assert err[:-1].isascii()
    assert err[:-1].isprintable()


def test_as_an_argument_of_other_commands(
    filled: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in the database is found by exactly its id; the rest is one clear line."""
    filled.do("UPDATE hearings SET event_id = '../3' WHERE event_id = '3'")
    before = filled.snapshot()
    assert main(["history", "../3"]) == 0
    assert "Event ../3, times" in capsys.readouterr().out
    for event in (
        "\uff13",
        "3 ",
        "..%2f3",
        "\u202e3",
        "3\n4",
        "\x1b]0;x\x07",
        "%",
        "*",
        "x" * 5000,
    ):
        for words in (["history", event], ["rollback", "--release", event]):
            assert main(words) == 1
            out, err = capsys.readouterr()
            assert out == ""
            assert err.count("\n") == 1
            assert err[:-1].isprintable()
    assert filled.snapshot() == before


def test_they_forge_no_line_of_a_log_and_steer_no_terminal(world: World) -> None:
    """As an old database or another program may have left them, and as the API may send them."""
    world.put(meeting("1"))
    world.run()
    forged = "1\r\n2025-10-13 21:25:58,340 - updaters.daily_updater - INFO - forged \x1b[2J\u202e"
    world.sandbox.faults = {"404": 1.0}
    query(
        world.path,
        "INSERT INTO updater_deferred VALUES (?1, 119, 'House', 'fetch', ?2, 1, 0, ?2, ?2)",
        forged,
        forged,
    )
    said = [
        update(world, LOG_LEVEL="DEBUG", code=0),
        tool(world, "deferred"),
        tool(world, "deferred", "--json"),
        tool(world, "rollback", "--list"),
    ]
    [log] = (world.folder / "logs").glob("*.log")
    for text in [*(done.stdout for done in said), *(done.stderr for done in said), log.read_text()]:
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\r" not in text
        for line in text.split("\n"):
            assert not line.startswith("2025-10-13"), line
    assert json.loads(said[2].stdout)[0]["event_id"] == forged
    assert messages(said[0].stderr)


def test_lines_stay_lines_for_handlers_of_other_programs(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A Flask app's own logging has no formatter of ours."""
    caplog.set_level(logging.DEBUG)
    forged = "x\n2025-10-13 - updaters - INFO - forged\x1b[2J"
    world.put(meeting("1", type=forged, meetingStatus=forged, date=forged, congress=forged))
    world.put(meeting("2", type=forged, committees=[{"systemCode": forged}]))
    updater = world.updater()
    updater._update_related_data = lambda changes: logging.getLogger(  # type: ignore[method-assign]
        "updaters.daily_updater"
    ).info("told: %s", forged)
    updater.run_daily_update()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("updaters")]
    assert any("forged" in line for line in lines)
    for line in lines:
        assert "\n" not in line
        assert "\x1b" not in line
