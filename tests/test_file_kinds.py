"""DATABASE_PATH names something else than a plain file: told in a line, and nothing becomes of it.

Nothing here points `restore` at a device of the system: were it to break, the device would be gone.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers_run import COMMAND, MODULE, World, command, fails, messages, tool

OTHER = "a device, pipe or socket, not a database file"


@pytest.fixture
def world(changed_world: World) -> World:
    return changed_world


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


def link_to_nowhere(path: Path) -> None:
    path.symlink_to("not mounted/database.db")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


KINDS: list[tuple[Callable[[Path], None], str, str]] = [
    (folder, "a folder, not a database file", "database.db"),
    (pipe, OTHER, "database.db"),
    (unix_socket, OTHER, "database.db"),
    (
        link_to_nowhere,
        "no such database",
        "a symbolic link to not mounted/database.db, which is not",
    ),
    (link_to_itself, "Too many levels of symbolic links", "Too many levels of symbolic links"),
]


@pytest.mark.parametrize(("make", "says", "init_says"), KINDS, ids=lambda value: str(value)[:20])
def test_what_is_no_file(
    world: World, make: Callable[[Path], None], says: str, init_says: str
) -> None:
    shutil.copy(world.path, world.folder / "backup.db")
    world.path.unlink()
    make(world.path)
    before = os.lstat(world.path)
    fails(world, says=("database.db", says))
    assert world.sandbox.request_count == 0
    for words, told in (
        (("init",), init_says),
        (("restore", "backup.db"), init_says if "link" in init_says else says),
    ):
        done = tool(world, *words, code=1)
        assert done.stderr.count("\n") == 1 and told in done.stderr, (words, done.stderr)
    after = os.lstat(world.path)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert {p.name for p in world.folder.iterdir()} <= {"database.db", "backup.db", "logs"}


def test_a_device_that_is_always_full(world: World) -> None:
    world.path.unlink()
    world.path.symlink_to("/dev/full")
    fails(world, says=("database.db", OTHER))


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_another_name_of_a_database(world: World, mode: str, kind: str) -> None:
    world.do(f"PRAGMA journal_mode = {mode}")
    real = world.folder / "real" / "hearings.db"
    real.parent.mkdir()
    os.rename(world.path, real)
    if kind == "symbolic":
        world.path.symlink_to("real/hearings.db")
    else:
        os.link(real, world.path)
    command(world.folder, world.sandbox.url, *MODULE)
    assert world.hearing(2)["title"] == "Another title"
    assert world.path.samefile(real)
    assert [p.name for p in real.parent.iterdir()] == ["hearings.db"]
    assert not list(world.folder.glob("database.db-*"))
    if kind == "symbolic":
        tool(world, "restore")
        assert world.path.is_symlink() and world.path.samefile(real)
        assert world.hearing(2)["title"] == "Meeting 2"


def test_a_disk_that_is_not_mounted_any_more(world: World) -> None:
    data = world.path.read_bytes()
    other = world.folder / "disk"
    other.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(other)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("cannot mount a disk")
    try:
        (other / "database.db").write_bytes(data)
        words = [*MODULE, "--db", "disk/database.db"]
        command(world.folder, world.sandbox.url, *words)
    finally:
        subprocess.run(["umount", "-l", str(other)], check=True)
    done = command(world.folder, world.sandbox.url, *words, code=1)
    assert "disk/database.db: no such database" in messages(done.stderr)[-1]
    assert list(other.iterdir()) == []


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_disk_that_goes_away_during_a_run(world: World, mode: str) -> None:
    other = world.folder / "disk"
    other.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(other)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("cannot mount a disk")
    world.do(f"PRAGMA journal_mode = {mode}")
    path = Path(shutil.copy(world.path, other))
    updater = world.updater({"database_path": str(path)})
    write = updater._update_hearing_record
    gone = []

    def and_gone(*arguments: Any) -> None:
        gone.append(subprocess.run(["umount", "-l", str(other)], check=True))
        write(*arguments)

    updater._update_hearing_record = and_gone  # type: ignore[method-assign]
    result = updater.run_daily_update()
    updater.db.close()
    assert len(gone) == 1
    assert f"{path}: replaced, removed or overwritten while it was in use" in result["error"]
    assert list(other.iterdir()) == []


def test_a_backup_that_is_no_file(world: World) -> None:
    pipe(world.folder / "backup.db")
    before = world.path.read_bytes()
    done = command(world.folder, world.sandbox.url, *COMMAND, "restore", "backup.db", code=1)
    assert "backup.db" in done.stderr and OTHER in done.stderr
    assert world.path.read_bytes() == before
