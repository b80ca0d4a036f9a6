"""The database is replaced, overwritten or removed under a run: the run fails and says so."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from helpers_run import COMMAND, MODULE, World, command, make_legacy, meeting, messages

SIZE = 10
SAYS = "replaced, removed or overwritten while it was in use"
NO_OTHER = "the database is damaged"


@pytest.fixture(params=["delete", "wal"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(world: World, mode: str) -> World:
    """Three meetings stored, thirty new ones, and two files to put in the database's place."""
    world.put(*(meeting(n) for n in range(3)))
    world.run()
    world.do("PRAGMA journal_mode = delete")
    shutil.copy(world.path, world.folder / "older.db")
    with closing(sqlite3.connect(world.folder / "recipes.db")) as db, db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    world.do(f"PRAGMA journal_mode = {mode}")
    world.put(*(meeting(1000 + n, title="x" * 500) for n in range(3 * SIZE)))
    return world


def moved_over(world: World) -> None:
    shutil.copy(world.folder / "older.db", world.folder / "new.db")
    os.replace(world.folder / "new.db", world.path)


def removed(world: World) -> None:
    world.path.unlink()


def folder_removed(world: World) -> None:
    for path in world.folder.glob("database.db*"):
        path.unlink()
    shutil.rmtree(world.folder / "backups")


def older_copied_over(world: World) -> None:
    world.path.write_bytes((world.folder / "older.db").read_bytes())


def other_copied_over(world: World) -> None:
    world.path.write_bytes((world.folder / "recipes.db").read_bytes())


def truncated(world: World) -> None:
    world.path.write_bytes(b"")


def beside_removed(world: World) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{world.path}{suffix}").unlink(missing_ok=True)


Deed = Callable[[World], None]
DEEDS: list[Deed] = [
    moved_over,
    removed,
    folder_removed,
    older_copied_over,
    other_copied_over,
    truncated,
    beside_removed,
]


def run_with(world: World, deed: Deed, seam: str, at: int) -> dict[str, Any]:
    """A run in which somebody does this when the seam is called this often."""
    updater = world.updater({"batch_processing_size": SIZE})
    default = getattr(updater, seam)
    calls = []

    def and_then(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == at:
            deed(world)
        return default(*arguments)

    setattr(updater, seam, and_then)
    result = updater.run_daily_update()
    updater.db.close()
    assert len(calls) >= at
    return result


MOMENTS = {
    "fetched": ("_identify_changes", 1),
    "between batches": ("_process_batch", 2),
    "inside a batch": ("_add_new_hearing", SIZE + 5),
    "before validation": ("_run_post_update_validation", 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_a_database_that_is_not_the_same_any_more(
    world: World, mode: str, deed: Deed, moment: str, caplog: pytest.LogCaptureFixture
) -> None:
    if deed is older_copied_over and moment == "fetched" and mode == "delete":
        # Before anything was written: the older file is as good as any.
        assert run_with(world, deed, *MOMENTS[moment])["success"] is True
        assert world.value("SELECT COUNT(*) FROM hearings") == 33
        return
    result = run_with(world, deed, *MOMENTS[moment])
    last = result["metrics"]
    if result["success"]:
        if deed is beside_removed:
            # There is no journal between transactions, and a WAL is only missed where one begins.
            assert mode == "delete" or moment == "before validation"
        else:
            # What was overwritten is in the WAL in full.
            assert mode == "wal" and deed is older_copied_over
        assert world.value("SELECT COUNT(*) FROM hearings") == 33
        return
    error = result["error"]
    assert "database.db" in error and "\n" not in error
    assert SAYS in error or NO_OTHER in error or "not a hearings database" in error, error
    # No batch is tried after the one that found it.
    failed = last.get("batch_processing", {}).get("batches_failed", 0)
    assert failed <= 1
    counted = last["hearings_added"]
    assert counted % SIZE == 0 and counted <= 3 * SIZE
    if moment == "before validation":
        assert counted == 3 * SIZE
    if deed in (moved_over, older_copied_over, beside_removed):
        # What is there now is whole, and the next run fills it.
        assert world.value("PRAGMA integrity_check") == "ok"
        assert (world.value("SELECT COUNT(*) FROM hearings") - 3) % SIZE == 0
        assert world.run()["errors"] == []
        assert world.value("SELECT COUNT(*) FROM hearings") == 33
        assert world.value("PRAGMA integrity_check") == "ok"


def test_what_was_put_in_the_place_of_a_wal_database_is_not_spoiled(world: World) -> None:
    """The frames of the file before stay in their WAL; without it the new file is as it was."""
    run_with(world, other_copied_over, "_process_batch", 2)
    for suffix in ("-wal", "-shm"):
        Path(f"{world.path}{suffix}").unlink(missing_ok=True)
    assert world.path.read_bytes() == (world.folder / "recipes.db").read_bytes()


@pytest.mark.parametrize("mode", ["wal"], indirect=True)
def test_the_wal_of_another_file_is_named_and_left_alone(world: World) -> None:
    run_with(world, other_copied_over, "_process_batch", 2)
    wal = Path(f"{world.path}-wal")
    left = wal.read_bytes()
    Path(f"{world.path}-shm").unlink()
    # A file of our kind that has nothing to do with that WAL.
    sound = world.folder / "sound.db"
    make_legacy(sound)
    shutil.copy(sound, world.path)
    done = command(world.folder, world.sandbox.url, *MODULE, code=1)
    [line] = [line for line in messages(done.stderr) if line.startswith("Daily update failed")]
    assert "if database.db-wal is another file's, move it away and try again" in line
    assert (world.path.read_bytes(), wal.read_bytes()) == (sound.read_bytes(), left)
    wal.unlink()
    command(world.folder, world.sandbox.url, *MODULE)
    assert world.value("SELECT COUNT(*) FROM hearings") == 36


def test_no_new_database_beside_what_an_old_one_left(world: World, mode: str) -> None:
    other = {"wal": "-wal", "delete": "-journal"}[mode]
    world.path.unlink()
    left = Path(f"{world.path}{other}")
    left.write_bytes(b"of a database that was here")
    done = command(world.folder, world.sandbox.url, *COMMAND, "init", code=1)
    assert f"database.db{other}: left by a database that was here before" in done.stderr
    assert not world.path.exists()
    left.unlink()
    command(world.folder, world.sandbox.url, *COMMAND, "init")


def test_a_script_whose_file_was_replaced_is_told_at_its_commit(world: World) -> None:
    updater = world.updater()
    conn = updater.db.transaction()
    with pytest.raises(Exception, match=SAYS), conn as open_one:
        open_one.execute("UPDATE hearings SET title = 'lost'")
        moved_over(world)
    updater.db.close()
    assert world.value("SELECT COUNT(*) FROM hearings WHERE title = 'lost'") == 0
    # The next use takes what is there now.
    with updater.db.transaction() as again:
        again.execute("UPDATE hearings SET title = 'kept'")
    updater.db.close()
    assert world.value("SELECT COUNT(*) FROM hearings WHERE title = 'kept'") == 3


def test_other_programs_that_write_are_no_replacement(world: World, mode: str) -> None:
    """Each commit of another program changes the file, or folds its WAL."""
    updater = world.updater({"batch_processing_size": SIZE})
    default = updater._process_batch
    titles = []

    def and_another(batch: Any, number: int, checkpoint: Any) -> Any:
        titles.append(f"by another, {number}")
        world.do(f"UPDATE hearings SET title = '{titles[-1]}' WHERE event_id = '0'")
        with closing(sqlite3.connect(world.path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return default(batch, number, checkpoint)

    updater._process_batch = and_another  # type: ignore[method-assign]
    result = updater.run_daily_update()
    updater.db.close()
    assert result["success"] is True, result
    assert world.hearing(0)["title"] == titles[-1]
    assert world.value("SELECT COUNT(*) FROM hearings") == 33
    assert world.value("PRAGMA integrity_check") == "ok"
