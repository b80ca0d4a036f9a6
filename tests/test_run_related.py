"""The rows around a hearing: its committees, witnesses, documents, bills."""

from pathlib import Path

from helpers_run import World, meeting
from updaters.sandbox import Sandbox


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


def test_one_person_with_one_organization_is_one_row(world: World) -> None:
    names = ["The Honorable David King", "David King", "Mr. David King", "DAVID KING"]
    for number, name in enumerate(names):
        person = {"name": name, "position": "Director", "organization": "Parks Board"}
        world.put(meeting(number, witnesses=[person], witnessDocuments=[]))
    world.put(meeting(9, witnesses=[{"name": "David King", "organization": "Elsewhere"}]))
    world.run()
    assert world.value("SELECT COUNT(*) FROM witnesses") == 2
    assert world.value("SELECT COUNT(*) FROM witness_appearances") == 5


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
