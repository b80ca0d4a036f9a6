"""A health check of a database that is missing, damaged, locked or read-only: a finding each, and
nothing is changed."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from helpers_run import AS_ANYBODY, World, locked, make_legacy, tool
from test_monitor import LIMITS, bad, found, log, look
from updaters.health import Limits, check

needs_setpriv = pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="setpriv is not installed"
)


@pytest.fixture
def world(changed_world: World) -> World:
    """A database with a rollback journal."""
    return changed_world


def test_a_check_leaves_every_file_as_it_was(world: World, filled_db: Path) -> None:
    for path in (world.path, filled_db):
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode = wal")
        for mode in ("wal", "delete"):
            with closing(sqlite3.connect(path)) as db:
                db.execute(f"PRAGMA journal_mode = {mode}")
            before = world.files()
            assert look(path, full=True).get("integrity", "problems") == 0
            assert world.files() == before, mode


def test_a_legacy_database_is_not_brought_up(legacy_db: Path) -> None:
    before = legacy_db.read_bytes()
    assert bad(look(legacy_db)) == {"last_run": "warning"}
    assert legacy_db.read_bytes() == before


def test_a_wal_that_was_left_stays_as_it_is_and_counts(world: World) -> None:
    left = world.folder / "left"
    left.mkdir()
    with closing(sqlite3.connect(world.path)) as db:
        db.execute("PRAGMA journal_mode = wal")
        db.execute("DELETE FROM hearing_committees")
        db.commit()
        for name in ("database.db", "database.db-wal"):
            shutil.copy(world.folder / name, left / name)
    before = {name: (left / name).read_bytes() for name in ("database.db", "database.db-wal")}
    assert len(before["database.db-wal"]) > 0
    health = look(left / "database.db", full=True)
    assert bad(health) == {}
    assert {name: (left / name).read_bytes() for name in before} == before
    assert health.get("database", "bytes") == sum(map(len, before.values()))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "missing"),
        (b"", "unreadable"),
        (b"just some text, and far from a database" * 100, "damaged"),
    ],
)
def test_what_is_no_database(world: World, content: bytes | None, problem: str) -> None:
    path = world.folder / "other.db"
    if content is not None:
        path.write_bytes(content)
    before = world.files()
    health = look(path)
    assert bad(health) == {"database": "critical"}
    assert health.get("database", "problem") == problem
    assert str(path) in found(health, "database").message
    # What is around it was looked at all the same.
    assert {one.name for one in health.findings} == {"database", "updater", "log", "disk"}
    assert world.files() == before


def test_a_folder_and_a_path_that_leads_nowhere(world: World) -> None:
    assert bad(look(world.folder)) == {"database": "critical"}
    health = check(world.folder / "no" / "such.db", limits=LIMITS)
    assert bad(health) == {"database": "critical", "disk": "warning"}
    assert health.get("database", "problem") == "missing"


def test_another_kind_of_database(world: World) -> None:
    path = world.folder / "recipes.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    health = look(path)
    assert bad(health) == {"database": "critical"}
    assert "no table hearings" in found(health, "database").message


def damage(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        [root] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", [table]).fetchone()
        [size] = db.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : root * size] = b"\xa5" * size
    path.write_bytes(content)


def test_a_damaged_page_is_critical(world: World) -> None:
    damage(world.path, "hearings")
    before = world.path.read_bytes()
    health = look(world.path)
    assert bad(health)["integrity"] == "critical"
    assert health.get("integrity", "problems") > 0
    # Whatever is too damaged to be counted.
    assert health.get("database", "problem") == "damaged"
    assert world.path.read_bytes() == before


def test_what_sqlite_says_in_several_lines_is_told_on_one(world: World) -> None:
    world.do("CREATE INDEX ours ON hearings (title)")
    damage(world.path, "ours")
    integrity = found(look(world.path), "integrity")
    assert integrity.status == "critical"
    assert integrity.message.startswith("quick_check: Tree ")
    assert "\\n" not in integrity.message


def test_a_damaged_first_page_is_critical(world: World) -> None:
    content = bytearray(world.path.read_bytes())
    content[100:4096] = b"\xa5" * 3996
    world.path.write_bytes(content)
    health = look(world.path)
    assert bad(health) == {"database": "critical"}
    assert health.get("database", "problem") == "damaged"


def test_a_database_that_another_program_has_locked(world: World) -> None:
    with locked(world) as other:
        health = look(world.path, limits=Limits(min_free_mb=0, wait_seconds=0.2))
        assert bad(health) == {"database": "warning"}
        assert health.get("database", "problem") == "locked"
        other.communicate("")
    assert look(world.path).exit_code == 0


def test_a_lock_that_is_held_for_a_moment_is_waited_for(world: World) -> None:
    import threading

    with locked(world) as other:
        timer = threading.Timer(0.5, lambda: other.communicate(""))
        timer.start()
        try:
            assert look(world.path).exit_code == 0
        finally:
            timer.join()


def test_a_writer_in_the_middle_of_its_work_is_no_trouble(world: World) -> None:
    for mode in ("delete", "wal"):
        with closing(sqlite3.connect(world.path, isolation_level=None)) as db:
            db.execute(f"PRAGMA journal_mode = {mode}")
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE hearings SET title = 'half'")
            assert look(world.path).exit_code == 0, mode
            db.execute("ROLLBACK")


@needs_setpriv
def test_what_cannot_be_read_or_written_by_this_user(world: World) -> None:
    log(world.folder)
    world.path.chmod(0o444)
    done = tool(world, "monitor", "--min-free", "0", before=AS_ANYBODY, code=1)
    assert "[warning] database: " in done.stdout
    assert f"{world.path} cannot be written" in done.stdout
    assert "[ok] integrity: " in done.stdout
    world.path.chmod(0o000)
    done = tool(world, "monitor", "--min-free", "0", before=AS_ANYBODY, code=2)
    assert "[critical] database: " in done.stdout


@needs_setpriv
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_folder_that_cannot_be_written_is_a_warning(world: World, mode: str) -> None:
    """With a WAL, SQLite needs to write beside the file even to read it: so it is not checked."""
    world.do(f"PRAGMA journal_mode = {mode}")
    world.folder.chmod(0o555)
    try:
        before = world.files()
        done = tool(world, "monitor", "--min-free", "0", before=AS_ANYBODY, code=1)
        assert world.files() == before
    finally:
        world.folder.chmod(0o755)
    assert "cannot be written" in done.stdout
    assert ("[warning] database: not checked: " in done.stdout) is (mode == "wal")
    assert ("[ok] integrity: " in done.stdout) is (mode == "delete")


@needs_setpriv
def test_a_file_that_may_not_even_be_read_is_critical(world: World) -> None:
    world.path.chmod(0o000)
    world.folder.chmod(0o555)
    try:
        done = tool(world, "monitor", "--min-free", "0", before=AS_ANYBODY, code=2)
    finally:
        world.folder.chmod(0o755)
    assert "[critical] database: " in done.stdout


def test_a_link_to_a_database_is_the_database(world: World) -> None:
    link = world.folder / "link.db"
    link.symlink_to(world.path)
    assert look(link).database == str(world.path)


def test_an_old_file_in_wal_mode(world: World) -> None:
    path = world.folder / "old.db"
    make_legacy(path, journal_mode="wal")
    before = path.read_bytes()
    look(path, full=True)
    assert path.read_bytes() == before
    assert not [name for name in os.listdir(world.folder) if name.startswith("old.db-")]
