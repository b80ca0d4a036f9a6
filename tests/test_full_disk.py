"""A disk that is full, or fills up, and a limit on file size: the run fails, the data is whole."""

import json
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from helpers_run import MODULE, World, command, contents, meeting, messages, metrics_of


@pytest.fixture
def world(changed_world: World) -> World:
    return changed_world


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
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_disk_that_fills_up_between_two_batches_fails_the_run(world: World) -> None:
    data = world.path.read_bytes()
    other = world.folder / "small"
    other.mkdir()
    with small_disk(other, 2 * len(data) // 1024 + 400):
        path = other / "database.db"
        path.write_bytes(data)
        world.put(*(meeting(1000 + n, title="x" * 3000) for n in range(120)))
        done = command(
            world.folder,
            world.sandbox.url,
            *MODULE,
            "--db",
            str(path),
            code=1,
            BATCH_PROCESSING_SIZE="10",
        )
        said = messages(done.stderr)
        applied = sum("succeeded: " in line for line in said)
        assert 0 < applied < 12
        assert sum(line.startswith("✗ Batch ") for line in said) == 1
        assert "the disk is full" in said[-1]
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        metrics = metrics_of(done)
        assert metrics["hearings_added"] + metrics["hearings_updated"] == 10 * applied


def test_a_limit_on_file_size(world: World) -> None:
    limit = world.path.stat().st_size + 20_000
    world.put(*(meeting(1000 + n, title="x" * 3000) for n in range(60)))
    before = world.snapshot()
    done = command(
        world.folder,
        world.sandbox.url,
        *MODULE,
        code=1,
        preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        BATCH_PROCESSING_SIZE="200",
    )
    assert "Daily update failed: " in done.stderr
    assert world.snapshot() == before
    assert world.value("PRAGMA integrity_check") == "ok"
    # There is room again.
    again = command(world.folder, world.sandbox.url, *MODULE)
    assert json.loads(again.stdout)["hearings_added"] == 60
