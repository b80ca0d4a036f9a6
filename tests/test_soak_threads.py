"""Two SQLite libraries in one process, and another process: nobody's commits are lost.

Python's `sqlite3` brings a library of its own. POSIX drops a process's locks on a file as soon as
any descriptor of it is closed, so each of the two could take the other's locks away.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from crash.journal import problems
from helpers_run import World, meeting
from helpers_soak import (
    make_room,
    nothing_lost,
    reading_thread,
    rounds,
    writing_process,
    writing_thread,
)
from updaters.database import Database
from updaters.sandbox import Sandbox

MEETINGS = 30


@pytest.fixture
def world(clean_env: Path) -> Iterator[World]:
    with Sandbox(meetings=0, rate_limit=10**6) as sandbox:
        world = World(clean_env, sandbox).init()
        world.put(*(meeting(n) for n in range(MEETINGS)))
        yield world
        world.close()


def change(world: World, number: int) -> set[str]:
    """A third of the meetings change; -> their event ids."""
    changed = {str(n) for n in range(MEETINGS) if n % 3 == number % 3}
    for event in changed:
        world.alter(event, title=f"Title {number} of {event}")
    return changed


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("inside", ["reader", "reader and writer"])
def test_a_run_beside_other_users_of_the_file(world: World, mode: str, inside: str) -> None:
    world.run()
    world.do(f"PRAGMA journal_mode = {mode}")
    make_room(world.path, "process", "thread")
    titles: dict[str, Any] = {}
    began, commits = time.monotonic(), 0
    with ExitStack() as stack:
        told = [stack.enter_context(writing_process(world.path, "process"))]
        if "writer" in inside:
            told.append(stack.enter_context(writing_thread(world.path, "thread")))
        read = stack.enter_context(reading_thread(world.path))
        for number in range(rounds(10)):
            changed = change(world, number)
            metrics = world.run({"batch_processing_size": 3, "retry_attempts": 1})
            assert metrics["hearings_updated"] == len(changed), metrics
            assert metrics["errors"] == []
            commits += metrics["batch_processing"]["batches_succeeded"]
            # A copy of the file each.
            shutil.rmtree(world.folder / "backups")
            titles.update({event: f"Title {number} of {event}" for event in changed})
    minutes = (time.monotonic() - began) / 60
    print(
        f"{mode}, {inside}: {rounds(10)} rounds, {commits} batches of ours, {read['done']} reads, "
        f"{[(one['who'], one['done']) for one in told]}, {minutes:.1f} min"
    )
    assert read["errors"] == []
    assert read["done"] > 0
    nothing_lost(world.path, *told)
    assert list(problems(world.path)) == []
    stored = {row["event_id"]: row["title"] for row in world.rows("SELECT * FROM hearings")}
    assert {event: stored[event] for event in titles} == titles


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_opening_and_closing_beside_other_users_of_the_file(world: World, mode: str) -> None:
    world.do(f"PRAGMA journal_mode = {mode}")
    make_room(world.path, "process", "thread")
    with (
        writing_process(world.path, "process") as process,
        writing_thread(world.path, "thread") as thread,
    ):
        for _ in range(rounds(10) * 20):
            db = Database(world.path)
            assert db.fetch_one("SELECT COUNT(*) FROM beside")
            db.close()
    nothing_lost(world.path, process, thread)
    assert list(problems(world.path)) == []
