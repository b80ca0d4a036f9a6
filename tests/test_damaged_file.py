"""A damaged page, wherever it is, also one that turns up during a run; what a crash left behind."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from helpers_run import AS_ANYBODY, COMMAND, MODULE, World, command, fails, meeting, messages

PAGE = 4096
HEARINGS = 40


@pytest.fixture
def world(world: World) -> World:
    """Forty meetings, changed once: pages of every kind, a few of them free."""
    world.put(*(meeting(1000 + n, title="x" * 400) for n in range(HEARINGS)))
    world.run()
    for n in range(HEARINGS):
        world.alter(1000 + n, title="y" * 400)
    world.run()
    world.do("PRAGMA journal_mode = delete", "CREATE TABLE gone (a)")
    world.do("INSERT INTO gone SELECT randomblob(3000) FROM hearings", "DROP TABLE gone")
    shutil.rmtree(world.folder / "backups")
    for n in range(HEARINGS):
        world.alter(1000 + n, title="z" * 400)
    world.sandbox.clear_requests()
    return world


def root_of(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        [page] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()
    return int(page)


def spoil(path: Path, place: str) -> None:
    """Overwrite a page, or a part of one."""
    data = bytearray(path.read_bytes())

    def overwrite(page: int, start: int = 0, size: int = PAGE) -> None:
        at = (page - 1) * PAGE + start
        data[at : at + size] = b"\xa5" * size

    def leaf(page: int) -> int:
        while data[(page - 1) * PAGE] == 5:
            at = (page - 1) * PAGE + 8
            page = int.from_bytes(data[at : at + 4], "big")
        return page

    if place == "header":
        data[18:20] = b"\x07\x07"
    elif place == "schema format":
        data[44:48] = (9).to_bytes(4, "big")
    elif place == "schema":
        overwrite(1, 100, PAGE - 100)
    elif place == "rows":
        overwrite(leaf(root_of(path, "hearings")), PAGE // 2, PAGE // 4)
    elif place == "index":
        overwrite(root_of(path, "sqlite_autoindex_hearings_1"))
    elif place == "index entry":
        page = root_of(path, "sqlite_autoindex_hearings_1")
        at = data.index(b"1005", (page - 1) * PAGE)
        assert at < page * PAGE
        data[at : at + 4] = b"9005"
    elif place == "freelist":
        first = int.from_bytes(data[32:36], "big")
        assert first > 0
        overwrite(first, 0, 8)
    else:
        overwrite(leaf(root_of(path, place)))
    path.write_bytes(data)


PLACES = [
    "header",
    "schema format",
    "schema",
    "rows",
    "index",
    "index entry",
    "freelist",
    "updater_journal",
    "updater_batches",
    "update_logs",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_damaged_page_ends_the_run_before_anything_is_asked(world: World, place: str) -> None:
    spoil(world.path, place)
    line = fails(world, says=("database.db: ", "put a backup back with 'hearing-updater restore"))
    assert "damaged" in line or "not a SQLite database" in line
    assert world.sandbox.request_count == 0


@pytest.mark.parametrize("place", ["rows", "index", "updater_journal"])
def test_a_page_that_is_damaged_during_a_run(world: World, place: str) -> None:
    whole = world.path.read_bytes()
    updater = world.updater({"batch_processing_size": 10})
    process = updater._process_batch
    seen = []

    def and_spoiled(batch: Any, number: int, checkpoint: Any) -> Any:
        seen.append(number)
        if number == 3:
            spoil(world.path, place)
        return process(batch, number, checkpoint)

    updater._process_batch = and_spoiled  # type: ignore[method-assign]
    result = updater.run_daily_update()
    updater.db.close()
    assert result["success"] is False
    assert "damaged" in result["error"], result["error"]
    assert str(world.path) in result["error"] and "restore" in result["error"]
    # Found before the next batch goes on top of it.
    assert seen == [1, 2, 3]
    assert result["metrics"]["hearings_updated"] == 20
    done = command(world.folder, world.sandbox.url, *COMMAND, "restore")
    assert "40 hearings" in done.stdout
    assert world.path.read_bytes()[:16] == whole[:16]
    assert world.run()["hearings_updated"] == HEARINGS
    assert world.value("PRAGMA integrity_check") == "ok"


# --- what a crash left ---------------------------------------------------------------------------

CRASH = """
import os, sqlite3, sys
db = sqlite3.connect("database.db", isolation_level=None)
db.execute("PRAGMA journal_mode = " + sys.argv[1])
db.execute("PRAGMA cache_size = 2")
if sys.argv[1] == "wal":
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("UPDATE hearings SET title = 'committed before the crash' WHERE event_id = '1003'")
db.execute("BEGIN")
db.execute("UPDATE hearings SET title = printf('half done %d', hearing_id)")
db.execute("UPDATE witnesses SET full_name = full_name || ' half done'")
os._exit(1)
"""


def crash(world: World, mode: str) -> Path:
    """Another program dies inside a transaction. -> what it left beside the database"""
    subprocess.run([sys.executable, "-c", CRASH, mode], cwd=world.folder, check=False)
    left = Path(f"{world.path}{'-wal' if mode == 'wal' else '-journal'}")
    assert left.stat().st_size > 0
    return left


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_a_crash_left_is_taken_in_or_undone(world: World, mode: str) -> None:
    left = crash(world, mode)
    if mode == "delete":
        assert b"half done" in world.path.read_bytes()
    for n in range(HEARINGS):
        world.alter(1000 + n, title="z" * 400 if n != 3 else None)
    command(world.folder, world.sandbox.url, *MODULE)
    assert not left.exists()
    assert world.value("PRAGMA integrity_check") == "ok"
    assert world.value("SELECT COUNT(*) FROM hearings WHERE title LIKE 'half done%'") == 0
    assert world.value("SELECT COUNT(*) FROM witnesses WHERE full_name LIKE '%half done'") == 0
    kept = "committed before the crash" if mode == "wal" else "y" * 400
    assert world.hearing(1003)["title"] == kept


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_a_crash_left_where_it_cannot_be_read(world: World, mode: str) -> None:
    left = crash(world, mode)
    left.chmod(0)
    Path(f"{world.path}-shm").unlink(missing_ok=True)
    before = world.path.read_bytes()
    done = command(world.folder, world.sandbox.url, *MODULE, code=1, before=AS_ANYBODY)
    last = messages(done.stderr)[-1]
    assert last.startswith("Daily update failed: database.db: ")
    assert "ermission" in last, last
    assert world.path.read_bytes() == before
    assert left.stat().st_size > 0
    left.chmod(0o644)
    command(world.folder, world.sandbox.url, *MODULE)
    assert world.value("PRAGMA integrity_check") == "ok"
    assert world.value("SELECT COUNT(*) FROM hearings WHERE title LIKE 'half done%'") == 0


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_that_needs_its_journal_in_a_read_only_folder(world: World, mode: str) -> None:
    left = crash(world, mode)
    (world.folder / "logs").mkdir(exist_ok=True)
    before = world.path.read_bytes(), left.read_bytes()
    world.folder.chmod(0o555)
    world.path.chmod(0o444)
    try:
        done = command(world.folder, world.sandbox.url, *MODULE, code=1, before=AS_ANYBODY)
    finally:
        world.folder.chmod(0o755)
        world.path.chmod(0o644)
    last = messages(done.stderr)[-1]
    assert last.startswith("Daily update failed: database.db: ") and "ermission" in last, last
    assert (world.path.read_bytes(), left.read_bytes()) == before
    command(world.folder, world.sandbox.url, *MODULE)
    assert world.value("PRAGMA integrity_check") == "ok"
