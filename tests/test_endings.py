"""The process, the interpreter or the event loop ends while a run is under way."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import UserDict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, assert_sound, count, query
from helpers_run import environment
from helpers_soak import SEED, rounds
from updaters.daily_updater import DailyUpdater
from updaters.sandbox import Sandbox

START = """
import asyncio, os, sys, threading, time
from updaters.daily_updater import DailyUpdater

updater = DailyUpdater(lookback_days=60)
updater.settings.batch_processing_size = 5
at_work = threading.Event()
def told(info):
    if info["phase"] == os.environ["PHASE"]:
        at_work.set()
"""

DAEMON = (
    START
    + """
work = lambda: updater.run_daily_update(progress_callback=told)
threading.Thread(target=work, daemon=True).start()
at_work.wait(30)
time.sleep(float(sys.argv[1]))
"""
)

CLOSED = (
    START
    + """
async def main():
    run = asyncio.ensure_future(updater.run_daily_update_async(progress_callback=told))
    while not at_work.is_set():
        await asyncio.sleep(0.005)
    await asyncio.sleep(float(sys.argv[1]))
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
"""
)

#: The child of a process with a run under way ends as any process does.
CHILD = (
    START
    + """
work = lambda: updater.run_daily_update(progress_callback=told)
threading.Thread(target=work, daemon=True).start()
at_work.wait(30)
child = os.fork()
if child:
    time.sleep(float(sys.argv[1]))
    began = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert (code, time.monotonic() - began < 8) == (0, True)
"""
)


@pytest.mark.parametrize("program", [DAEMON, CLOSED, CHILD], ids=["daemon", "closed", "child"])
def test_a_run_in_another_thread_is_wound_down(
    sandbox: Sandbox, filled_db: Path, updater: DailyUpdater, program: str
) -> None:
    choose = random.Random(SEED)
    for number in range(rounds(2)):
        sandbox.change(40, seed=number)
        sandbox.latency_ms = 15
        runs = count(filled_db, "update_logs")
        phase = choose.choice(["initializing", "fetching", "applying"])
        done = subprocess.run(
            [sys.executable, "-c", program, str(choose.uniform(0, 0.3))],
            env=environment(
                filled_db.parent, sandbox.url, DATABASE_PATH=str(filled_db), PHASE=phase
            ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Fatal" not in done.stderr
        assert "panicked" not in done.stderr
        assert not Path(f"{filled_db}.updater-lock").exists()
        open_runs = query(filled_db, "SELECT COUNT(*) FROM updater_runs WHERE ended_at IS NULL")
        assert open_runs == [(0,)]
        assert count(filled_db, "update_logs") in (runs, runs + 1)
        assert_sound(filled_db)
        sandbox.latency_ms = 0
        assert updater.run_daily_update()["success"]


def test_several_runs_some_cancelled_at_random(
    make_updater: MakeUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    choose = random.Random(SEED)
    updaters = [make_updater(filled_db, batch_processing_size=5) for _ in range(4)]
    for updater in updaters:
        updater.lock_wait_seconds = 60.0

    async def main() -> None:
        for number in range(rounds(4)):
            sandbox.change(20, seed=number)
            sandbox.latency_ms = choose.choice([0, 10, 30])
            runs = [asyncio.create_task(one.run_daily_update_async()) for one in updaters]
            await asyncio.sleep(choose.uniform(0, 0.3))
            stopped = choose.sample(runs, 2)
            for run in stopped:
                run.cancel()
            ended = await asyncio.wait_for(asyncio.gather(*runs, return_exceptions=True), 120)
            for run, result in zip(runs, ended, strict=True):
                if not isinstance(result, asyncio.CancelledError):
                    assert not isinstance(result, BaseException), result
                    assert result["success"], result
                else:
                    assert run in stopped
            assert_sound(filled_db)

    asyncio.run(main())
    sandbox.latency_ms = 0
    assert updaters[0].run_daily_update()["success"]
    left = updaters[0].run_daily_update(dry_run=True)["metrics"]
    assert (left["hearings_updated"], left["hearings_added"]) == (0, 0)
    assert not Path(f"{filled_db}.updater-lock").exists()


#: Ctrl-C lands in a destructor, where Python goes on after whatever is raised.
LOST = """
import os, signal, sys
from updaters.daily_updater import DailyUpdater, main

class Dropped:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))
        sum(range(10))

update, seen = DailyUpdater._update_hearing_record, []
def hit(self, conn, existing, data):
    update(self, conn, existing, data)
    seen.append(1)
    if len(seen) == 7:
        Dropped()
    if len(seen) > 7:
        import time
        time.sleep(0.1)
DailyUpdater._update_hearing_record = hit
sys.exit(main(["--lookback-days", "60"]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_lands_in_a_destructor_ends_the_run_all_the_same(
    sandbox: Sandbox, filled_db: Path, number: signal.Signals, code: int
) -> None:
    sandbox.change(20)
    done = subprocess.run(
        [sys.executable, "-c", LOST, str(int(number))],
        env=environment(
            filled_db.parent, sandbox.url, DATABASE_PATH=str(filled_db), BATCH_PROCESSING_SIZE="5"
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["hearings_updated"] == 5


def test_ctrl_c_twice_does_not_break_into_the_winding_down(
    sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(20)
    code = (
        "import os, signal, sys\n"
        "from updaters.daily_updater import DailyUpdater, main\n"
        "record = DailyUpdater._record_update_metrics\n"
        "def again(self):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    sum(range(10))\n"
        "    record(self)\n"
        "def hit(self, *rest):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    sum(range(10))\n"
        "DailyUpdater._record_update_metrics = again\n"
        "DailyUpdater._update_hearing_record = hit\n"
        "sys.exit(main(['--lookback-days', '60']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(filled_db.parent, sandbox.url, DATABASE_PATH=str(filled_db)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert json.loads(done.stdout)["hearings_updated"] == 0
    assert query(filled_db, "SELECT success FROM update_logs ORDER BY log_id") == [(1,), (0,)]
    assert not Path(f"{filled_db}.updater-lock").exists()


def test_ctrl_c_in_one_thread_is_not_taken_away_by_the_run_of_another(
    make_updater: MakeUpdater, filled_db: Path
) -> None:
    """What was raised where an exception counts for nothing is raised again in the same thread."""
    second_db = filled_db.with_name("second.db")
    shutil.copy(filled_db, second_db)
    mine, other = make_updater(filled_db), make_updater(second_db)
    results: list[dict[str, Any]] = []

    class Interrupting(datetime):
        def isoformat(self, *args: Any) -> str:
            raise KeyboardInterrupt

    class Row(UserDict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            if key == "title":
                thread = threading.Thread(target=lambda: results.append(other.run_daily_update()))
                thread.start()
                thread.join()
            return super().__getitem__(key)

    row = Row(hearing_date=Interrupting(2025, 1, 1), title="Any")
    mine._extract_original_data(row)
    assert [one["success"] for one in results] == [True], results
    with pytest.raises(KeyboardInterrupt):
        mine._engine.check(mine)


INTERPRETERS = """
import sys
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
code = '''
try:
    import updaters._native
    print("loaded", flush=True)
except ImportError as error:
    print(error, flush=True)
'''
for _ in range(2):
    one = interpreters.create()
    interpreters.run_string(one, code)
    interpreters.destroy(one)
try:
    import updaters._native
    print("loaded")
except ImportError as error:
    print(error)
"""


def test_a_second_interpreter_of_a_process_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETERS],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    if first != "loaded":
        # Newer Pythons refuse it in every subinterpreter by themselves.
        assert "interpreter" in first
        rest = rest[:1]
    assert len(rest) >= 1
    assert all("another interpreter" in line or "interpreter" in line for line in rest)
