"""SIGTERM at a run that does not take the first one for an answer."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers_run import World, environment
from updaters.cli.common import AT_LAST, UNDISTURBED
from updaters.sandbox import Sandbox

#: In the middle of the second batch it is stuck, and catches so many of what is raised there.
STUCK = """
import sys, time
from updaters.daily_updater import DailyUpdater, main
add, seen = DailyUpdater._add_new_hearing, []
def hang(self, conn, data):
    add(self, conn, data)
    seen.append(1)
    if len(seen) == 15:
        for catch in range(int(sys.argv[1])):
            try:
                if catch == 0:
                    print("stuck", file=sys.stderr, flush=True)
                time.sleep(60)
            except BaseException:
                print("caught", file=sys.stderr, flush=True)
        time.sleep(60)
DailyUpdater._add_new_hearing = hang
sys.exit(main([]))
"""


@pytest.fixture
def world(clean_env: Path) -> Iterator[World]:
    """An empty database, and an API with thirty meetings."""
    with Sandbox(meetings=30, seed=8, spread_days=5) as sandbox:
        world = World(clean_env, sandbox).init()
        yield world
        world.close()


@contextmanager
def stuck(world: World, catches: int) -> "Iterator[subprocess.Popen[str]]":
    """An update that is stuck, after a first SIGTERM that it caught."""
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK, str(catches)],
        cwd=world.folder,
        env=environment(world.folder, world.sandbox.url, BATCH_PROCESSING_SIZE="10"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        wait_for(process, "stuck")
        process.send_signal(signal.SIGTERM)
        wait_for(process, "caught")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stderr is not None
    while process.stderr.readline() != f"{line}\n":
        assert process.poll() is None


def test_a_second_one_ends_a_run_that_missed_the_first(world: World) -> None:
    with stuck(world, catches=1) as process:
        # Within a second it could break into the winding down.
        process.send_signal(signal.SIGTERM)
        time.sleep(UNDISTURBED + 0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 143, err
    assert "Traceback" not in err
    assert json.loads(out)["hearings_added"] == 10
    assert world.value("SELECT COUNT(*) FROM hearings") == 10
    assert world.rows("SELECT success FROM update_logs") == [{"success": 0}]
    assert not (world.folder / "database.db.updater-lock").exists()


def test_a_run_that_catches_that_one_too_is_ended(world: World) -> None:
    with stuck(world, catches=1000) as process:
        time.sleep(UNDISTURBED + 0.2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=AT_LAST + 20)
    assert process.returncode == 143
    # What was open is undone, and the next run has the rest.
    assert world.value("SELECT COUNT(*) FROM hearings") == 10
    assert world.value("PRAGMA integrity_check") == "ok"
    assert world.run()["hearings_added"] == 20
