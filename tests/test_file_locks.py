"""Other programs hold the database: a reader for long, a writer for a moment or for too long."""

import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from helpers_run import MODULE, World, command, meeting, tool
from updaters.database import Database

SIZE = 10
#: Seconds: longer than any single wait inside SQLite.
HELD = 0.9

pytestmark = pytest.mark.skipif(shutil.which("sqlite3") is None, reason="there is no sqlite3 shell")


@pytest.fixture(params=["delete", "wal"])
def world(world: World, request: pytest.FixtureRequest) -> World:
    """Three meetings stored, thirty new ones."""
    world.put(*(meeting(n) for n in range(3)))
    world.run()
    world.do(f"PRAGMA journal_mode = {request.param}")
    world.put(*(meeting(1000 + n) for n in range(3 * SIZE)))
    return world


@contextmanager
def shell(world: World, *statements: str) -> Iterator[subprocess.Popen[str]]:
    """A user's `sqlite3` shell that has done this and waits for the user."""
    with subprocess.Popen(
        ["sqlite3", str(world.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as running:
        assert running.stdin is not None and running.stdout is not None
        running.stdin.write("".join(f"{one};\n" for one in statements) + ".print there\n")
        while running.stdout.readline() != "there\n":
            pass
        yield running
        running.communicate(".quit\n")


READS = ("BEGIN", "SELECT COUNT(*) FROM hearings")
WRITES = ("BEGIN IMMEDIATE", "UPDATE hearings SET title = 'by hand' WHERE event_id = '0'")


def test_a_reader_with_a_long_transaction(world: World) -> None:
    mode = world.value("PRAGMA journal_mode")
    updater = world.updater({"batch_processing_size": SIZE})
    updater.db = Database(world.path, wait_seconds=0.3)
    with shell(world, *READS) as reader:
        result = updater.run_daily_update()
        updater.db.close()
        assert reader.stdin is not None and reader.stdout is not None
        reader.stdin.write("SELECT COUNT(*) FROM hearings;\n.print there\n")
        # What it began with is what it sees.
        assert reader.stdout.readline() == "3\n"
    if mode == "wal":
        assert result["success"] is True
    else:
        # SQLite cannot commit under a reader.
        assert result["success"] is False
        assert "database.db: locked by another program" in result["error"]
        assert world.value("SELECT COUNT(*) FROM hearings") == 3
        assert world.run()["hearings_added"] == 3 * SIZE
    assert world.value("SELECT COUNT(*) FROM hearings") == 33
    assert world.value("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize("world", ["delete"], indirect=True)
def test_a_reader_in_the_way_for_a_while_is_waited_for(world: World) -> None:
    with shell(world, *READS) as reader:
        timer = threading.Timer(HELD, reader.terminate)
        timer.start()
        command(world.folder, world.sandbox.url, *MODULE, BATCH_PROCESSING_SIZE=str(SIZE))
        timer.join()
    assert world.value("SELECT COUNT(*) FROM hearings") == 33


@contextmanager
def writing_for(world: World, seconds: float) -> Iterator[None]:
    with shell(world, *WRITES) as writer:
        assert writer.stdin is not None
        timer = threading.Timer(seconds, lambda: writer.stdin.write("COMMIT;\n.quit\n"))
        timer.start()
        yield
        timer.join()


@pytest.mark.parametrize("world", ["delete"], indirect=True)
@pytest.mark.parametrize("seam", ["_identify_changes", "_process_batch", "_record_update_metrics"])
def test_a_shell_that_writes_for_a_while_is_waited_for(world: World, seam: str) -> None:
    """At the first write, at a batch, at the record: both writers' rows are there in the end."""
    updater = world.updater({"batch_processing_size": SIZE})
    default = getattr(updater, seam)
    shells: list[Any] = []

    def and_locked(*arguments: Any) -> Any:
        if not shells:
            shells.append(writing_for(world, HELD))
            shells[0].__enter__()
        return default(*arguments)

    setattr(updater, seam, and_locked)
    result = updater.run_daily_update()
    updater.db.close()
    shells[0].__exit__(None, None, None)
    assert result["success"] is True, result
    assert world.hearing(0)["title"] == "by hand"
    assert world.value("SELECT COUNT(*) FROM hearings") == 33
    assert world.value("SELECT COUNT(*) FROM update_logs WHERE success = 1") == 2


@pytest.mark.parametrize("world", ["wal"], indirect=True)
def test_the_other_commands_wait_too(world: World) -> None:
    world.run({"batch_processing_size": SIZE})
    broken = "INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (99999, 1)"
    world.do("PRAGMA foreign_keys = OFF", broken)
    words = ["-m", "scripts.verify_updates", "--fix"]
    with writing_for(world, HELD):
        command(world.folder, world.sandbox.url, *words)
    assert world.rows("PRAGMA foreign_key_check") == []
    with writing_for(world, HELD):
        done = tool(world, "rollback", "--run", "2")
    assert "Run 2 was undone" in done.stdout
    assert world.value("SELECT COUNT(*) FROM hearings") == 3
    with writing_for(world, HELD):
        tool(world, "rollback", "--release", "1001")
    assert world.value("SELECT COUNT(*) FROM updater_held WHERE event_id = '1001'") == 0
    assert world.hearing(0)["title"] == "by hand"


def test_a_shell_that_writes_for_too_long_ends_the_run_once(world: World) -> None:
    updater = world.updater({"batch_processing_size": SIZE})
    updater.db = Database(world.path, wait_seconds=0.3)
    process = updater._process_batch
    seen = []

    def and_locked(batch: Any, number: int, checkpoint: Any) -> Any:
        seen.append(number)
        if number == 2:
            holder.execute("BEGIN IMMEDIATE")
        return process(batch, number, checkpoint)

    updater._process_batch = and_locked  # type: ignore[method-assign]
    with closing(sqlite3.connect(world.path)) as holder:
        result = updater.run_daily_update()
        updater.db.close()
        holder.rollback()
    assert result["success"] is False
    assert "locked by another program or thread; waited" in result["error"]
    # The third batch does not wait as long again.
    assert seen == [1, 2]
    assert result["metrics"]["hearings_added"] == SIZE
    assert world.value("SELECT COUNT(*) FROM hearings") == 3 + SIZE
    assert world.run()["hearings_added"] == 2 * SIZE


def test_a_run_is_undone_where_another_program_writes_meanwhile(world: World) -> None:
    """Validation failed, and the undoing meets the lock."""
    updater = world.updater({"batch_processing_size": SIZE})
    shells: list[Any] = []

    def fail() -> None:
        updater.metrics.validation_passed = False
        updater.metrics.validation_issues.append("made up")
        shells.append(writing_for(world, HELD))
        shells[0].__enter__()

    updater._run_post_update_validation = fail  # type: ignore[method-assign]
    result = updater.run_daily_update()
    updater.db.close()
    shells[0].__exit__(None, None, None)
    assert "this run was undone" in result["error"]
    assert world.value("SELECT COUNT(*) FROM hearings") == 3
    assert world.hearing(0)["title"] == "by hand"
