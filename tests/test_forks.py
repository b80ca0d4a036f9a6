"""Forks: before the first use, after it, and while another thread is in the middle of it."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, assert_sound, query
from helpers_run import environment
from helpers_soak import SEED, rounds
from updaters.daily_updater import DailyUpdater
from updaters.database import Database
from updaters.sandbox import Sandbox


def child(work: Callable[[], object]) -> int:
    """Forks; -> the child's exit code: 0 where `work` ran to its end in it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(30)
            work()
            code = 0
        except BaseException as error:
            print(f"in the child: {error!r}", file=sys.__stderr__, flush=True)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_child_works_whatever_a_thread_of_its_parent_is_at(filled_db: Path, mode: str) -> None:
    query(filled_db, f"PRAGMA journal_mode = {mode}")
    query(filled_db, "CREATE TABLE told (who TEXT, n INTEGER)")
    db = Database(filled_db)
    over = threading.Event()
    written = 0

    def keep_writing() -> None:
        nonlocal written
        while not over.is_set():
            with db.transaction() as conn:
                for n in range(written, written + 5):
                    conn.execute("INSERT INTO told VALUES ('parent', ?)", (n,))
            written += 5
            over.wait(0.002)

    def write_once(own: Database, number: int) -> None:
        assert own.fetch_one("SELECT COUNT(*) FROM hearings")
        with own.transaction() as conn:
            conn.execute("INSERT INTO told VALUES ('child', ?)", (number,))
        own.close()

    choose = random.Random(SEED)
    wanted = rounds(20)
    thread = threading.Thread(target=keep_writing)
    thread.start()
    try:
        for number in range(wanted):
            over.wait(choose.random() * 0.02)
            # The one that the parent has open, or one of its own.
            own = db if choose.random() < 0.5 else Database(filled_db)
            assert child(lambda own=own, number=number: write_once(own, number)) == 0, number
    finally:
        over.set()
        thread.join()
    db.close()
    numbers = "SELECT n FROM told WHERE who = ? ORDER BY n"
    assert query(filled_db, numbers, "parent") == [(n,) for n in range(written)]
    assert query(filled_db, numbers, "child") == [(n,) for n in range(wanted)]
    assert_sound(filled_db)


def test_a_child_of_a_run_runs_an_updater_of_its_own(
    make_updater: MakeUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    parent = make_updater(filled_db, batch_processing_size=5)
    sandbox.change(20)
    codes: list[int] = []

    def in_child() -> None:
        refused = parent.run_daily_update()
        assert "forked" in refused["error"], refused
        # All its slots were taken when the parent forked.
        assert parent.api_client.get("committee-meeting/119", {"limit": 1})
        own = make_updater(filled_db)
        own.lock_wait_seconds = 20
        answer = own.run_daily_update(dry_run=True)
        assert answer["success"], answer

    def callback(info: dict[str, Any]) -> None:
        if not codes and info["phase"] in ("fetching", "applying"):
            codes.append(child(in_child))

    result = parent.run_daily_update(progress_callback=callback)
    assert (codes, result["success"]) == ([0], True)
    assert result["metrics"]["hearings_updated"] == 20
    assert_sound(filled_db)


#: Inside a run it forks a child that lives on, and is killed.
KILLED = """
import os, signal, sys, time
from updaters.daily_updater import DailyUpdater

updater = DailyUpdater(lookback_days=60)
def hang(conn, data):
    conn.execute("UPDATE hearings SET title = 'half' WHERE hearing_id = 1")
    child = os.fork()
    if child == 0:
        os.close(1)
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
updater._add_new_hearing = updater._update_hearing_record = lambda conn, *data: hang(conn, data)
updater.run_daily_update()
"""


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_killed_run_whose_child_lives_on_blocks_nobody(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path, mode: str
) -> None:
    query(filled_db, f"PRAGMA journal_mode = {mode}")
    sandbox.change(5)
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        env=environment(filled_db.parent, sandbox.url, DATABASE_PATH=str(filled_db)),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    lives_on = int(done.stdout)
    try:
        result = updater.run_daily_update()
        os.kill(lives_on, 0)
    finally:
        os.kill(lives_on, signal.SIGKILL)
    assert result["success"], result
    assert result["metrics"]["hearings_updated"] == 5
    assert query(filled_db, "SELECT COUNT(*) FROM hearings WHERE title = 'half'") == [(0,)]
    assert_sound(filled_db)


def test_a_child_forked_inside_a_transaction_has_none(filled_db: Path) -> None:
    db = Database(filled_db)

    def in_child() -> None:
        assert not db.in_transaction
        with pytest.raises(Exception, match="no transaction"):
            conn.execute("DELETE FROM hearings")

    with db.transaction() as conn:
        conn.execute("UPDATE hearings SET title = 'mine' WHERE hearing_id = 1")
        assert child(in_child) == 0
    assert db.fetch_all("SELECT title FROM hearings WHERE hearing_id = 1")[0][0] == "mine"
    db.close()
    assert_sound(filled_db)
