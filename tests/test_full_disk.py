"""A disk that is full, or fills up, at whatever write: one line, nothing lost, and on it goes."""

import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from helpers_disk import IO_ERROR, NO_SPACE, READ_ONLY, STEP, chosen, on_disk
from helpers_run import (
    COMMAND,
    MODULE,
    World,
    command,
    contents,
    make_legacy,
    meeting,
    messages,
    metrics_of,
)
from updaters.sandbox import Sandbox

OF_A_RUN = ("created_at", "updated_at", "start_time", "end_time")
SIZE = 10


@pytest.fixture
def world(changed_world: World) -> World:
    return changed_world


@pytest.fixture
def patient_world(world: World) -> Iterator[World]:
    """With an API whose hourly limit a sweep over every write does not use up."""
    with Sandbox(meetings=0, rate_limit=10**7) as sandbox:
        world.sandbox = sandbox
        yield world


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A file system of this size at `folder`, where this machine lets us."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def sound(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def put_back(world: World, pristine: Path) -> None:
    """The folder as it was before the disk failed."""
    for path in world.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(pristine, world.folder, dirs_exist_ok=True)


def keep(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = tmp_path_factory.mktemp("pristine")
    shutil.copytree(world.folder, kept, dirs_exist_ok=True)
    return kept


# --- a run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize(
    ("errno", "once", "says"),
    [(NO_SPACE, False, "the disk is full"), (IO_ERROR, True, "Input/output error")],
    ids=["full", "io error"],
)
def test_a_run_whose_disk_fails_at_any_write(
    patient_world: World,
    tmp_path_factory: pytest.TempPathFactory,
    mode: str,
    errno: int,
    once: bool,
    says: str,
) -> None:
    world = patient_world
    world.path.unlink()
    make_legacy(world.path, journal_mode=mode)
    world.put(*(meeting(1000 + n, title="x" * 500) for n in range(3 * SIZE)))
    pristine = keep(world, tmp_path_factory)
    size = {"BATCH_PROCESSING_SIZE": str(SIZE)}
    whole = on_disk(world.folder, world.sandbox.url, MODULE, **size)
    assert whole.code == 0, whole.stderr
    wanted = contents(world.path, OF_A_RUN)
    kinds = {line.split()[-1].split("_")[0] for line in whole.writes}
    assert {"logs/daily", "database.db", "backups/database"} <= kinds
    for at in chosen(whole.writes, at_most=2):
        put_back(world, pristine)
        told = f"write {at}: {whole.writes[at - 1]}"
        run = on_disk(
            world.folder, world.sandbox.url, MODULE, fails_at=at, errno=errno, once=once, **size
        )
        sound(world.path)
        assert "deferred" not in json.loads(run.stdout), run.stdout
        stored = world.value("SELECT COUNT(*) FROM hearings WHERE event_id NOT LIKE '90_'")
        assert stored % SIZE == 0, told
        assert json.loads(run.stdout)["hearings_added"] >= stored, told
        said = messages(run.stderr)
        failed = [line for line in said if line.startswith("Daily update failed: ")]
        assert len(failed) == run.code, told
        if run.code:
            # A journal that cannot be made is told as a file that cannot be opened.
            if "-journal" not in told:
                assert says in failed[0] and "unable to open" not in failed[0], (told, failed)
            assert ".db" in failed[0], (told, failed)
        else:
            assert stored == 3 * SIZE, told
        # There is room again.
        again = command(world.folder, world.sandbox.url, *MODULE)
        assert metrics_of(again)["errors"] == []
        sound(world.path)
        after = contents(world.path, OF_A_RUN)
        assert len(after["hearings"]) == len(wanted["hearings"]), told
        for table in ("hearing_committees", "witnesses", "witness_appearances"):
            assert len(after[table]) == len(wanted[table]), (told, table)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_disk_that_becomes_read_only_during_a_run(world: World, mode: str) -> None:
    world.do(f"PRAGMA journal_mode = {mode}")
    before = contents(world.path)
    whole = on_disk(world.folder, world.sandbox.url, MODULE, fails_at=20, errno=READ_ONLY)
    assert whole.code == 1
    [failed] = [m for m in messages(whole.stderr) if m.startswith("Daily update failed: ")]
    assert "database.db: cannot be written (Read-only file system)" in failed
    assert contents(world.path) == before
    command(world.folder, world.sandbox.url, *MODULE)
    assert world.hearing(2)["title"] == "Another title"


def test_the_log_on_a_full_disk_is_one_warning(world: World) -> None:
    whole = on_disk(world.folder, world.sandbox.url, MODULE)
    lines = [n for n, line in enumerate(whole.writes, 1) if line.startswith("write logs/")]
    assert len(lines) > 5
    world.alter(2, title="A third title")
    done = on_disk(world.folder, world.sandbox.url, MODULE, fails_at=lines[1], once=True)
    assert done.code == 0
    [line] = [line for line in messages(done.stderr) if "No space left" in line]
    assert line.startswith("The log ends here: logs/daily_update_")
    assert "Daily update completed successfully" in done.stderr
    assert world.hearing(2)["title"] == "A third title"
    # A new run finds the file as it is, and goes on in it.
    command(world.folder, world.sandbox.url, *MODULE)
    [log] = (world.folder / "logs").iterdir()
    assert log.read_text().rstrip().endswith("seconds")


def test_a_full_disk(world: World) -> None:
    data = world.path.read_bytes()
    other = world.folder / "small"
    other.mkdir()
    with small_disk(other, len(data) // 1024 + 80):
        path = other / "database.db"
        path.write_bytes(data)
        many = [meeting(1000 + n, title="x" * 3000) for n in range(60)]
        world.put(*many)
        before = contents(path)
        done = command(
            world.folder,
            world.sandbox.url,
            *MODULE,
            "--db",
            str(path),
            code=1,
            BATCH_PROCESSING_SIZE="200",
        )
        told = [line for line in messages(done.stderr) if line.startswith("Daily update failed: ")]
        assert len(told) == 1
        assert "full" in done.stderr
        assert contents(path) == before
        sound(path)


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("room", [8, 60, 200, 420] if STEP else [8, 200])
def test_a_small_disk_with_everything_on_it(
    world: World, tmp_path_factory: pytest.TempPathFactory, mode: str, room: int
) -> None:
    world.do(f"PRAGMA journal_mode = {mode}")
    world.put(*(meeting(1000 + n, title="x" * 3000) for n in range(60)))
    pristine = keep(world, tmp_path_factory)
    before = contents(world.path)
    size = {"BATCH_PROCESSING_SIZE": "20"}
    small = world.folder / "small"
    small.mkdir()
    with small_disk(small, world.path.stat().st_size // 1024 + room):
        shutil.copy(pristine / "database.db", small)
        path = small / "database.db"
        done = command(small, world.sandbox.url, *MODULE, code=1, **size)
        assert "the disk is full" in messages(done.stderr)[-1]
        if mode == "delete":
            # Also on the full disk; to read a WAL takes room.
            sound(path)
        subprocess.run(["mount", "-o", "remount,size=8m", str(small)], check=True)
        sound(path)
        now = contents(path)
        if len(now["hearings"]) == len(before["hearings"]):
            assert now == before
        # One of the first batch of twenty is an update.
        assert len(now["hearings"]) - 3 in (0, 19, 39, 59)
        done = command(small, world.sandbox.url, *MODULE, **size)
        sound(path)
        assert len(contents(path)["hearings"]) == 63


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("more", [0, 20_000, 150_000] if STEP else [20_000])
def test_a_limit_on_file_size(world: World, mode: str, more: int) -> None:
    world.do(f"PRAGMA journal_mode = {mode}")
    limit = world.path.stat().st_size + more
    world.put(*(meeting(1000 + n, title="x" * 3000) for n in range(60)))
    done = command(
        world.folder,
        world.sandbox.url,
        *MODULE,
        code=1,
        before=["prlimit", f"--fsize={limit}"],
        BATCH_PROCESSING_SIZE="20",
    )
    [failed] = [line for line in messages(done.stderr) if line.startswith("Daily update failed: ")]
    assert "File too large: it would grow beyond" in failed and "ulimit -f" in failed
    sound(world.path)
    assert world.value("SELECT COUNT(*) FROM hearings") - 3 in (0, 19, 39, 59)
    # There is room again.
    command(world.folder, world.sandbox.url, *MODULE)
    assert world.value("SELECT COUNT(*) FROM hearings") == 63


# --- the other commands --------------------------------------------------------------------------

COMMANDS = {
    "init": [*COMMAND, "init", "--db", "new/x.db"],
    "rollback": [*COMMAND, "rollback", "--run", "2"],
    "restore": [*COMMAND, "restore"],
    "fix": ["-m", "scripts.verify_updates", "--fix"],
    "report": [*COMMAND, "report", "--since", "7d", "--output", "report.txt"],
    "record": [*COMMAND, "record", "--lookback-days", "60", "--to", "kept.gz"],
    "monitor": [*COMMAND, "monitor", "--log", "logs/health.log"],
}


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("init", "wal"),
        ("report", "wal"),
        ("record", "delete"),
        ("monitor", "delete"),
        ("rollback", "wal"),
        ("restore", "wal"),
        ("fix", "delete"),
        *([("rollback", "delete"), ("restore", "delete"), ("fix", "wal")] if STEP else []),
    ],
)
def test_a_command_whose_disk_fails_at_any_write(
    world: World, tmp_path_factory: pytest.TempPathFactory, name: str, mode: str
) -> None:
    command(world.folder, world.sandbox.url, *MODULE)
    world.do(
        f"PRAGMA journal_mode = {mode}",
        "INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (99999, 1)",
    )
    pristine = keep(world, tmp_path_factory)
    words = COMMANDS[name]
    before = contents(world.path)
    whole = on_disk(world.folder, world.sandbox.url, words)
    after = contents(world.path)
    held = world.rows("SELECT event_id FROM updater_held")
    assert (before != after) is (name in ("rollback", "restore", "fix"))
    for at in chosen(whole.writes, at_most=2):
        put_back(world, pristine)
        told = f"write {at}: {whole.writes[at - 1]}"
        done = on_disk(world.folder, world.sandbox.url, words, fails_at=at)
        sound_but_for_the_link(world.path)
        now = contents(world.path)
        assert now in (before, after), told
        if done.code and name != "fix":
            line = [line for line in done.stderr.splitlines() if " - INFO - " not in line]
            assert len(line) == 1, (told, done.stderr)
            assert re.search("the disk is full|No space left", line[0]), (told, line)
        elif done.code:
            assert "the disk is full" in done.stdout + done.stderr, (told, done)
        else:
            assert now == after, told
        half = [p.name for p in world.folder.rglob("*") if re.search(r"\.(restore|new)-", p.name)]
        assert half == [], told
        if name == "init" and done.code == 0:
            continue
        again = on_disk(world.folder, world.sandbox.url, words)
        assert again.code == whole.code, (told, again.stdout + again.stderr)
        assert contents(world.path) == after, told
        assert world.rows("SELECT event_id FROM updater_held") == held, told


def sound_but_for_the_link(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        broken = db.execute("PRAGMA foreign_key_check").fetchall()
        assert {row[0] for row in broken} <= {"hearing_committees"}
