"""SQL in whatever a caller or the API can put text into stays text."""

from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, assert_sound, query, snapshot
from helpers_hostile import SQL, schema
from helpers_run import World, meeting
from updaters.cli import main
from updaters.daily_updater import Checkpoint, DailyUpdater
from updaters.errors import UpdaterError
from updaters.values import BatchResult

#: Every component, so that every table is written.
EVERYTHING = ["hearings", "witnesses", "committees", "documents", "bills"]


def hostile_meeting(event_id: str | int, sql: str) -> dict[str, Any]:
    """A meeting with the text in each field that takes any."""
    return meeting(
        event_id,
        title=f"T {sql}",
        type=sql,
        meetingStatus=sql,
        isManuallyCurated=sql,
        url=f"https://api.congress.gov/{sql}",
        location={"room": sql, "building": sql},
        committees=[{"systemCode": "hsii00", "name": sql, "url": sql}],
        witnesses=[{"name": f"Ann {sql}", "position": f"P {sql}", "organization": f"O {sql}"}],
        witnessDocuments=[
            {"documentType": "Witness Statement", "format": sql, "url": f"https://x/{sql}"},
            {"documentType": sql, "format": "PDF", "url": f"https://y/{sql}"},
        ],
        meetingDocuments=[
            {
                "name": f"N {sql}",
                "description": f"D {sql}",
                "documentType": sql,
                "format": sql,
                "url": f"https://z/{sql}",
            }
        ],
        hearingTranscript=[{"jacketNumber": "12345", "url": f"https://t/{sql}"}],
        videos=[{"name": sql, "url": f"https://www.youtube.com/watch?v={sql}"}],
        relatedItems={"bills": [{"type": "HR", "number": "1", "congress": 119, "url": sql}]},
        **{sql: sql},
    )


def assert_stored(world: World, number: int, sql: str) -> None:
    line = " ".join(sql.split())
    hearing = world.hearing(number)
    assert hearing["title"] == f"T {line}"
    assert hearing["hearing_type"] in ("Meeting", "Hearing")
    assert hearing["status"] == "Scheduled"
    assert line in hearing["location"]
    [witness] = world.rows("SELECT * FROM witnesses WHERE full_name = ?", f"Ann {line}")
    assert witness["organization"] == f"O {line}"
    urls = world.rows("SELECT document_url FROM supporting_documents")
    assert f"https://z/{line}" in {row["document_url"] for row in urls}


@pytest.mark.parametrize("batched", [True, False])
def test_in_every_field_of_a_meeting_through_a_whole_run(world: World, batched: bool) -> None:
    world.run({"enable_batch_processing": batched})
    before = schema(world.path)
    world.put(*(hostile_meeting(n, sql) for n, sql in enumerate(SQL)))
    metrics = world.run({"enable_batch_processing": batched}, components=EVERYTHING)
    assert metrics["hearings_added"] == len(SQL), metrics
    for number, sql in enumerate(SQL):
        assert_stored(world, number, sql)
    assert schema(world.path) == before
    assert_sound(world.path)
    assert sorted(path.name for path in world.folder.glob("*.db")) == ["database.db"]
    # And a second time, as what is there already.
    for number, sql in enumerate(SQL):
        world.alter(number, title=f"U {sql}")
    assert world.run(components=EVERYTHING)["hearings_updated"] == len(SQL)
    assert world.value("SELECT COUNT(*) FROM hearings WHERE title LIKE 'U %'") == len(SQL)


def test_in_the_fields_that_have_rules(world: World) -> None:
    """What must be one of a few words, a date or a number is refused with its batch."""
    for number, (field, sql) in enumerate(
        (field, sql) for field in ("date", "congress", "chamber") for sql in SQL[:3]
    ):
        world.put(meeting(number, **{field: sql}))
    for number, sql in enumerate(SQL, 100):
        world.put(meeting(number, committees=[{"systemCode": sql, "name": "C"}]))
    world.put(meeting(999))
    before = world.value("SELECT COUNT(*) FROM committees")
    world.run({"batch_processing_size": 1}, components=EVERYTHING)
    stored = {row["event_id"] for row in world.rows("SELECT event_id FROM hearings")}
    assert "999" in stored
    assert not stored & {str(n) for n in range(100, 100 + len(SQL))}
    codes = world.rows("SELECT system_code FROM committees")
    assert {row["system_code"] for row in codes} == {"hsii00"}
    assert before == 0
    # A code with a slash or a question mark in it is asked for as one part of a path.
    asked = [r.path for r in world.sandbox.requests if "/v3/committee/" in r.path]
    assert asked
    assert all(path.split("?")[0].count("/") == 4 for path in asked), asked
    assert_sound(world.path)


@pytest.mark.parametrize("batched", [True, False])
def test_in_changes_given_by_hand(
    make_updater: MakeUpdater, filled_db: Path, batched: bool
) -> None:
    updater = make_updater(filled_db, components=EVERYTHING, batch_processing_size=3)
    updater.db.execute("UPDATE hearings SET title = title WHERE 0")
    before = schema(filled_db)
    [[event]] = query(filled_db, "SELECT event_id FROM hearings LIMIT 1")
    committee = query(filled_db, "SELECT system_code FROM committees WHERE chamber = 'House'")[0][0]
    known = {"committees": [{"systemCode": committee}]}
    additions = [{**hostile_meeting(f"by hand {n}", sql), **known} for n, sql in enumerate(SQL)]
    updates = [
        {
            "existing": {"event_id": event, SQL[0]: 1, "title": SQL[1]},
            "new_data": {**hostile_meeting(event, SQL[0]), **known},
            SQL[2]: SQL[3],
        }
    ]
    apply = updater._apply_updates_with_batches if batched else updater._apply_updates
    apply({"updates": updates, "additions": additions, SQL[0]: [SQL[0]]})
    assert updater.metrics.errors == []
    assert updater.metrics.batch_errors == []
    titles = {title for (title,) in query(filled_db, "SELECT title FROM hearings")}
    assert {f"T {sql}" for sql in SQL} <= titles
    assert schema(filled_db) == before
    assert_sound(filled_db)


@pytest.mark.parametrize("sql", SQL)
def test_in_the_methods_of_the_database(updater: DailyUpdater, filled_db: Path, sql: str) -> None:
    db = updater.db
    db.execute("UPDATE hearings SET title = title WHERE 0")
    before, counts = schema(filled_db), db.get_table_counts()
    hearing = db.upsert_hearing({**hostile_meeting("new", sql), "committees": []})
    other = db.upsert_hearing(
        {
            "event_id": sql,
            "congress": 119,
            "chamber": "House",
            "title": sql,
            "status": sql,
            "video_url": sql,
            "jacket_number": "123",
            sql: sql,
        }
    )
    assert db.get_hearing_by_event_id(sql)["hearing_id"] == other
    assert db.get_hearing_by_event_id(sql)["title"] == " ".join(sql.split())
    assert db.get_committee_by_system_code(sql) is None
    witness = db.get_or_create_witness(
        {"full_name": sql, "organization": sql, "title": sql, sql: 1}
    )
    assert witness == db.get_or_create_witness(sql, sql)
    appearance = db.create_witness_appearance(witness, hearing, sql, sql, 1)
    db.link_hearing_committee(hearing, 1)
    row = db.fetch_one("SELECT position, witness_type FROM witness_appearances "
                       "WHERE appearance_id = :id", {"id": appearance})  # fmt: skip
    assert dict(row) == {"position": sql, "witness_type": sql}
    after = db.get_table_counts()
    grown = {name: after[name] - counts[name] for name in counts if after[name] != counts[name]}
    assert grown == {
        "hearings": 2,
        "witnesses": 1,
        "witness_appearances": 1,
        "hearing_committees": 1,
    } | {name: count for name, count in grown.items() if name.startswith("updater_")}
    # Where a number is wanted, text is an error and nothing else.
    for call in (db.delete_hearing_committee_links, lambda x: db.link_hearing_committee(x, 1)):
        with pytest.raises((TypeError, UpdaterError)):
            call(sql)
    assert schema(filled_db) == before
    assert_sound(filled_db)


def test_in_the_names_of_a_statements_values(updater: DailyUpdater, filled_db: Path) -> None:
    before = snapshot(filled_db)
    for sql in SQL:
        with pytest.raises(UpdaterError):
            updater.db.fetch_all("SELECT :a", {sql: 1})
        with pytest.raises(UpdaterError):
            updater.db.execute(sql)
    assert snapshot(filled_db) == before


@pytest.mark.parametrize(
    "column",
    [
        *SQL,
        "title = title, status",
        "title\" = 'x' --",
        "hearings.title",
        "main.title",
        " title",
        "title ",
        "\uff54\uff49\uff54\uff4c\uff45",
        "t\u0131tle",
        "title\0",
        "rowid",
        "oid",
        "",
        "hearing_date)",
        "x" * 100_000,
    ],
    ids=lambda column: column[:20],
)
def test_as_a_column_of_a_checkpoint_made_by_hand(
    updater: DailyUpdater, filled_db: Path, column: str
) -> None:
    [[one], [two]] = query(filled_db, "SELECT event_id FROM hearings LIMIT 2")
    before = snapshot(filled_db)
    by_hand = Checkpoint(1)
    by_hand.track_addition(two)
    by_hand.track_update(one, {"title": "ok", column: "x"})
    assert updater._rollback_checkpoint(by_hand) is False
    assert snapshot(filled_db) == before


@pytest.mark.parametrize("sql", SQL)
def test_as_an_id_of_a_checkpoint_made_by_hand(
    updater: DailyUpdater, filled_db: Path, sql: str
) -> None:
    before = snapshot(filled_db)
    by_hand = Checkpoint(1)
    by_hand.original_hearing_data[sql] = {"title": sql}
    by_hand.hearings_to_update.append(sql)
    by_hand.hearings_to_add.append(sql)
    assert updater._rollback_checkpoint(by_hand) is True
    by_hand.witnesses_to_add.append(sql)
    assert updater._rollback_checkpoint(by_hand) is False
    assert snapshot(filled_db) == before


def test_in_what_an_override_answers(updater: DailyUpdater, filled_db: Path) -> None:
    """An error text of a batch goes into the updater's own tables."""
    updater._process_batch = lambda *given: BatchResult(False, error=SQL[0], issues=list(SQL))  # type: ignore[method-assign]
    updater.trigger_source, updater.schedule_id, updater.task_id = SQL[0], SQL[1], SQL[2]  # type: ignore[assignment]
    updater._apply_updates_with_batches({"updates": [], "additions": [{"eventId": "9"}]})
    assert updater.metrics.batches_failed == 1
    assert_sound(filled_db)


@pytest.mark.parametrize("sql", [*SQL[:3], "*", "%", "_", "1%"])
def test_in_the_arguments_of_commands(
    filled: World, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    before = filled.snapshot()
    for words, code in (
        (["history", sql], 1),
        (["rollback", "--release", sql], 1),
        (["rollback", f"--run={sql}"], 2),
        (["report", "--since", "7d", "--committee", sql], 2),
        (["report", f"--since={sql}"], 2),
        (["update", f"--mode={sql}"], 2),
        (["update", f"--components={sql}"], 2),
        (["update", f"--event={sql}|"], 2),
    ):
        assert main(words) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
    assert filled.snapshot() == before
