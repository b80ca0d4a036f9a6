"""Who can read what is written, and links that somebody laid in its way."""

import os
import stat
from pathlib import Path

import pytest

from helpers_run import World, meeting, tool, update
from updaters import _native
from updaters.errors import UpdaterError
from updaters.health import collect
from updaters.trial_gate.trial import write_text


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("given", [0o600, 0o640, 0o644, 0o660])
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_no_copy_is_more_readable_than_the_database(world: World, given: int, journal: str) -> None:
    world.do(f"PRAGMA journal_mode = {journal}")
    world.path.chmod(given)
    world.put(meeting(1))
    path = str(world.path)
    old = os.umask(0o022)
    try:
        world.run()
        assert mode(world.path) == given
        [backup] = (world.folder / "backups").iterdir()
        assert mode(backup) & ~given == 0
        _native.restore_database(path)
        assert mode(world.path) == given
        world.path.unlink()
        _native.restore_database(path)
        assert mode(world.path) & ~given == 0
        _native.copy_database(str(world.path), str(world.folder / "copy.db"))
        assert mode(world.folder / "copy.db") & ~given == 0
    finally:
        os.umask(old)


def test_a_umask_is_kept(world: World) -> None:
    world.put(meeting(1))
    old = os.umask(0o077)
    try:
        tool(world, "init", "--db", "new.db")
        update(world, "--db", "new.db")
    finally:
        os.umask(old)
    for path in world.folder.rglob("*"):
        if path.name.startswith(("new", "database_backup", "daily_update")):
            assert mode(path) & 0o077 == 0, path


def test_a_backup_belongs_to_whom_the_database_belongs(world: World) -> None:
    """A cron job of root's must not leave files that the owner cannot read or remove."""
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(world.path, 65534, 65534)
    world.path.chmod(0o640)
    world.put(meeting(1))
    world.run()
    [backup] = (world.folder / "backups").iterdir()
    facts = backup.stat()
    assert (facts.st_uid, facts.st_gid, mode(backup)) == (65534, 65534, 0o640)


@pytest.fixture
def victim(clean_env: Path) -> Path:
    """A file of somebody's that a link leads to."""
    path = clean_env / "victim"
    path.write_text("theirs")
    return path


def test_a_lock_file_that_is_a_link_is_refused(world: World, victim: Path) -> None:
    world.put(meeting(1))
    lock = world.folder / "database.db.updater-lock"
    lock.symlink_to(victim)
    done = update(world, code=1)
    assert "it is a link; remove it" in done.stderr
    assert victim.read_text() == "theirs"
    assert lock.is_symlink()
    assert world.value("SELECT COUNT(*) FROM hearings") == 0
    lock.unlink()
    os.mkfifo(lock)
    assert "no ordinary file" in update(world, code=1).stderr
    # A check does not wait for somebody who writes into the pipe.
    assert "no ordinary file" in tool(world, "monitor", code=1).stdout
    lock.unlink()
    update(world)


def test_what_is_written_beside_goes_through_no_link(clean_env: Path, victim: Path) -> None:
    mine = os.getpid()
    for name in (f"m.prom.{mine}.tmp", f".r.md.{mine}.part", f"new.db.updater-new-{mine}"):
        (clean_env / name).symlink_to(victim)
    collect.replace(clean_env / "m.prom", "gauge 1\n")
    write_text(clean_env / "r.md", "report")
    _native.init_database(str(clean_env / "new.db"))
    assert victim.read_text() == "theirs"
    assert (clean_env / "m.prom").read_text() == "gauge 1\n"
    assert (clean_env / "r.md").read_text() == "report"
    assert (clean_env / "new.db").stat().st_size > 0
    assert not any(path.is_symlink() for path in clean_env.iterdir())


def test_a_restore_goes_through_no_link(clean_env: Path, victim: Path) -> None:
    path = clean_env / "database.db"
    _native.init_database(str(path))
    _native.copy_database(str(path), str(clean_env / "backup.db"))
    (clean_env / f"database.db.restore-{os.getpid()}").symlink_to(victim)
    _native.restore_database(str(path), str(clean_env / "backup.db"))
    assert victim.read_text() == "theirs"


def test_a_copy_goes_through_no_link(clean_env: Path, victim: Path) -> None:
    _native.init_database("database.db")
    (clean_env / "copy.db").symlink_to(clean_env / "nowhere")
    with pytest.raises(UpdaterError, match="exists"):
        _native.copy_database("database.db", "copy.db")
    assert not (clean_env / "nowhere").exists()
