"""Whatever is wrong with the file or its folder: one clear line, and every byte as it was."""

import json
import shutil
import sqlite3
import threading
from contextlib import closing

import pytest

from helpers_run import AS_ANYBODY, COMMAND, MODULE, World, command, fails, locked, make_legacy
from updaters.database import Database


@pytest.fixture
def world(changed_world: World) -> World:
    return changed_world


def test_no_file(world: World) -> None:
    world.path.unlink()
    fails(world, says=("database.db", "hearing-updater init"))
    assert not world.path.exists()


def test_a_file_of_no_bytes(world: World) -> None:
    world.path.write_bytes(b"")
    fails(world, says=("database.db", "empty: run hearing-updater init"))


def test_a_folder(world: World) -> None:
    world.path.unlink()
    world.path.mkdir()
    fails(world, says=("database.db", "a folder"))


@pytest.mark.parametrize("size", [3, 100, 40_000])
def test_a_file_that_is_no_database(world: World, size: int) -> None:
    world.path.write_bytes(b"These are minutes of a meeting.\n" * (size // 32 + 1))
    fails(world, says=("database.db", "not a SQLite database"))


@pytest.mark.parametrize("at", ["middle", "cut"])
def test_a_corrupt_database(world: World, at: str) -> None:
    data = bytearray(world.path.read_bytes())
    if at == "middle":
        # Every page but the first few: tables are hit, whatever the layout.
        for page in range(3, len(data) // 4096):
            data[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    else:
        del data[len(data) // 2 :]
    world.path.write_bytes(data)
    line = fails(world, says="hearing-updater restore")
    assert "corrupt" in line or "malformed" in line or "damaged" in line


def test_a_database_without_the_tables(world: World) -> None:
    world.path.unlink()
    with closing(sqlite3.connect(world.path)) as db, db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    fails(world, says=("missing table", "hearings"))


def test_a_database_that_lost_its_hearings(world: World) -> None:
    world.path.unlink()
    make_legacy(world.path)
    world.do("UPDATE sqlite_sequence SET seq = 1168 WHERE name = 'hearings'")
    fails(world, says=("3 hearings", "100"))


needs_setpriv = pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="setpriv is not installed"
)


@needs_setpriv
def test_an_unreadable_file(world: World) -> None:
    world.path.chmod(0)
    fails(world, says=("database.db", "ermission"), before=AS_ANYBODY)


@needs_setpriv
def test_a_read_only_file(world: World) -> None:
    world.path.chmod(0o444)
    line = fails(world, says="database.db", before=AS_ANYBODY)
    assert "read-only" in line or "ermission" in line
    # Found out before anything was fetched for it.
    assert world.sandbox.request_count == 0


@needs_setpriv
def test_a_read_only_folder(world: World) -> None:
    world.folder.chmod(0o555)
    try:
        fails(world, says="database.db", before=AS_ANYBODY)
    finally:
        world.folder.chmod(0o755)


@needs_setpriv
def test_a_dry_run_reads_a_read_only_file(world: World) -> None:
    (world.folder / "logs").mkdir(exist_ok=True)
    world.path.chmod(0o444)
    world.folder.chmod(0o555)
    try:
        done = command(world.folder, world.sandbox.url, *MODULE, "--dry-run", before=AS_ANYBODY)
    finally:
        world.folder.chmod(0o755)
    assert json.loads(done.stdout)["hearings_updated"] == 1


@pytest.mark.parametrize(
    "words",
    [[*COMMAND, "history", "1"], [*COMMAND, "deferred"], [*COMMAND, "rollback", "--run", "1"]],
)
def test_the_other_commands_on_what_is_no_database(world: World, words: list[str]) -> None:
    for content in (b"", b"not a database at all, not at all" * 200):
        world.path.write_bytes(content)
        done = command(world.folder, world.sandbox.url, *words, code=1)
        assert done.stderr.count("\n") == 1, done.stderr
        assert "database.db" in done.stderr
        assert world.path.read_bytes() == content
        assert not (world.folder / "database.db.updater-lock").exists()


def test_a_locked_database(world: World) -> None:
    before = world.files()
    with locked(world) as holder:
        updater = world.updater()
        updater.db = Database(world.path, wait_seconds=0.3)
        result = updater.run_daily_update()
        holder.communicate("")
    updater.db.close()
    assert result["success"] is False
    assert "database.db" in result["error"]
    assert "locked" in result["error"]
    assert "\n" not in result["error"]
    left = [name for name in world.files() if name not in before]
    assert left == []
    assert world.files() == before


def test_a_file_that_is_locked_for_a_moment_is_waited_for(world: World) -> None:
    db = sqlite3.connect(world.path, check_same_thread=False)
    db.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(1.0, db.rollback)
    timer.start()
    try:
        done = command(world.folder, world.sandbox.url, *MODULE)
    finally:
        timer.join()
        db.close()
    assert json.loads(done.stdout)["hearings_updated"] == 1
