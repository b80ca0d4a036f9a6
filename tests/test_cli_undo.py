"""The commands that look at runs and take them back: history, rollback, restore, deferred."""

import json

import pytest

from helpers_run import World, meeting, tool, update


@pytest.fixture
def world(busy_world: World) -> World:
    return busy_world


def test_rollback_of_one_batch_and_history_of_it(world: World) -> None:
    update(world, BATCH_PROCESSING_SIZE="30")
    before = world.snapshot()
    changed = world.sandbox.change(6)
    update(world, BATCH_PROCESSING_SIZE="2")
    during = world.snapshot()
    shown = tool(world, "rollback", "--run", "2", "--batch", "2").stdout
    assert shown.startswith("Run 2, batch 2, was undone: ")
    held = json.loads(tool(world, "rollback", "--list", "--json").stdout)["held"]
    assert len(held) == 2
    assert {event["event_id"] for event in held} <= set(changed)
    between = world.snapshot()
    assert before != between != during
    told = json.loads(tool(world, "history", held[0]["event_id"], "--json").stdout)
    fields = [change for change in told if change["run"] == 2 and change["table"] == "hearings"]
    assert {"update_date", "updated_at"} & {change["field"] for change in fields}
    assert all(change["before"] != change["after"] for change in fields)
    # The rest of the run goes too, and twice is harmless.
    tool(world, "rollback", "--run", "2")
    assert world.snapshot() == before
    tool(world, "rollback", "--run", "2")
    assert world.snapshot() == before


def test_history_names_the_batch_as_rollback_takes_it(world: World) -> None:
    update(world, ENABLE_BATCH_PROCESSING="false")
    world.sandbox.change(12)
    update(world, ENABLE_BATCH_PROCESSING="true", BATCH_PROCESSING_SIZE="5")
    found = world.row(
        "SELECT b.run_id, h.event_id FROM updater_batches b "
        "JOIN updater_journal j USING (batch_id) JOIN hearings h USING (hearing_id) "
        "WHERE b.kind = 'batch' AND b.batch_number = 2 LIMIT 1"
    )
    run, event_id = found["run_id"], found["event_id"]
    told = json.loads(tool(world, "history", event_id, "--json").stdout)
    assert {one["batch"] for one in told if one["run"] == run} == {2}
    assert {one["batch"] for one in told if one["run"] != run} == {None}
    tool(world, "rollback", "--run", str(run), "--batch", str(told[-1]["batch"]))
    assert event_id in tool(world, "rollback", "--list").stdout


def test_history_shows_where_long_texts_differ(world: World) -> None:
    world.put(meeting(7001, title="The same long beginning " * 9 + "and the old end"))
    update(world)
    world.alter(7001, title="The same long beginning " * 9 + "and the new end")
    update(world)
    told = tool(world, "history", "7001").stdout
    (line,) = (line for line in told.splitlines() if " title " in line)
    assert "and the old end" in line
    assert "and the new end" in line


@pytest.mark.parametrize(
    "words",
    [
        ["rollback", "--run", "99"],
        ["rollback", "--run", "1", "--batch", "99"],
        ["rollback", "--release", "nobody"],
        ["history", "nobody"],
        ["restore", "nowhere.db"],
    ],
)
def test_what_is_not_there_is_one_line(world: World, words: list[str]) -> None:
    update(world)
    before = world.snapshot()
    done = tool(world, *words, code=1)
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    assert world.snapshot() == before


@pytest.mark.parametrize(
    "words",
    [
        ["rollback"],
        ["rollback", "--batch", "1"],
        [],
        ["nonsense"],
        ["rollback", "--run", "x"],
        ["history"],
    ],
)
def test_bad_usage_is_one_line_and_exit_2(world: World, words: list[str]) -> None:
    done = tool(world, *words, code=2)
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""


def test_restore_over_a_corrupt_file_and_a_stale_wal(world: World) -> None:
    update(world)
    world.sandbox.change(3)
    update(world)
    [backup] = sorted((world.folder / "backups").iterdir())[-1:]
    world.path.write_bytes(b"rubbish" * 1000)
    for name in ("-wal", "-shm", "-journal"):
        (world.folder / f"database.db{name}").write_bytes(b"stale" * 100)
    shown = tool(world, "restore", str(backup)).stdout
    assert "30 hearings" in shown
    assert world.value("PRAGMA integrity_check") == "ok"
    assert not [p for p in world.folder.glob("database.db-*") if p.stat().st_size]
    # A backup that is none is refused, and nothing is touched.
    rubbish = world.folder / "rubbish.db"
    rubbish.write_bytes(b"rubbish" * 1000)
    before = world.snapshot()
    assert "rubbish.db" in tool(world, "restore", "rubbish.db", code=1).stderr
    assert world.snapshot() == before


def test_deferred_names_the_event_and_the_reason(world: World) -> None:
    event = world.sandbox.event_ids()[0]
    world.sandbox.fail_next("404", times=9, path=event)
    update(world)
    shown = tool(world, "deferred").stdout
    assert event in shown
    assert "not found" in shown.lower() or "404" in shown
