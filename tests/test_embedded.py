"""Inside other programs: beside a web server, in pools of processes, in a server that forks."""

import json
import logging
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, assert_sound, count, query
from helpers_run import environment
from updaters.daily_updater import DailyUpdater
from updaters.database import Database
from updaters.sandbox import Sandbox


def test_beside_a_flask_app_whose_requests_read_and_write(
    make_updater: MakeUpdater,
    sandbox: Sandbox,
    filled_db: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from flask import Flask
    from werkzeug.serving import make_server

    caplog.set_level(logging.WARNING, "werkzeug")
    app = Flask("beside")
    shared = Database(filled_db)
    query(filled_db, "CREATE TABLE visits (visit INTEGER PRIMARY KEY, how TEXT)")

    @app.get("/count")
    def read() -> dict[str, Any]:
        with closing(sqlite3.connect(filled_db, timeout=30)) as db:
            hearings = db.execute("SELECT COUNT(*) FROM hearings").fetchone()[0]
        titles = shared.fetch_all("SELECT title FROM hearings WHERE title IS NOT NULL")
        return {"hearings": hearings, "titles": len(titles)}

    @app.post("/visit/<int:visit>")
    def write(visit: int) -> dict[str, Any]:
        # By Python's own library and by ours, in turn.
        if visit % 2:
            with closing(sqlite3.connect(filled_db, timeout=30)) as db, db:
                db.execute("INSERT INTO visits VALUES (?, 'theirs')", (visit,))
        else:
            shared.execute("INSERT INTO visits VALUES (?, 'ours')", (visit,))
        return {"visit": visit}

    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    address = f"http://127.0.0.1:{server.port}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    over = threading.Event()
    answered: list[list[int]] = [[], []]
    failed: list[str] = []

    def visit(number: int) -> None:
        at = number
        while not over.is_set():
            try:
                with opener.open(f"{address}/visit/{at}", data=b"", timeout=60) as answer:
                    answered[number].append(json.load(answer)["visit"])
                with opener.open(f"{address}/count", timeout=60) as answer:
                    told = json.load(answer)
                    assert told["titles"] <= told["hearings"]
            except Exception as error:
                failed.append(repr(error))
                return
            at += 2

    visitors = [threading.Thread(target=visit, args=(n,)) for n in (0, 1)]
    results: list[dict[str, Any]] = []

    def update() -> None:
        for seed in range(3):
            sandbox.change(30, seed)
            updater = make_updater(filled_db, batch_processing_size=5)
            results.append(updater.run_daily_update())
            updater.db.close()

    for visitor in visitors:
        visitor.start()
    updating = threading.Thread(target=update)
    updating.start()
    updating.join()
    over.set()
    for visitor in visitors:
        visitor.join()
    server.shutdown()
    serving.join()
    server.server_close()
    shared.close()
    assert failed == []
    assert [one["success"] for one in results] == [True] * 3, results
    assert min(one["metrics"]["hearings_updated"] for one in results) > 0
    # Nothing is left to do: all that was reported as stored is there.
    assert (
        make_updater(filled_db).run_daily_update(dry_run=True)["metrics"]["hearings_updated"] == 0
    )
    assert min(map(len, answered)) > 0
    wanted = sorted((visit,) for visits in answered for visit in visits)
    assert query(filled_db, "SELECT visit FROM visits ORDER BY visit") == wanted
    assert_sound(filled_db)


def run_once(path: str, url: str, wait: float) -> tuple[bool, str, int]:
    """What a worker of a pool does; -> success, error, hearings updated."""
    os.environ.update(DATABASE_PATH=path, API_BASE_URL=url, ENABLE_BATCH_PROCESSING="true")
    updater = DailyUpdater(lookback_days=60)
    updater.lock_wait_seconds = wait
    result = updater.run_daily_update()
    updater.db.close()
    metrics = result["metrics"]
    return result["success"], result.get("error") or "", metrics["hearings_updated"]


@pytest.fixture
def pool_env(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set in the parent, too, where nothing is left over afterwards.
    for name in ("DATABASE_PATH", "API_BASE_URL", "ENABLE_BATCH_PROCESSING"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_in_a_pool_of_processes(
    updater: DailyUpdater, sandbox: Sandbox, filled_db: Path, pool_env: None, how: str
) -> None:
    # The parent has the file open, its runtime's threads started, and a client in use.
    assert updater.run_daily_update()["success"]
    sandbox.change(12)
    context = multiprocessing.get_context(how)
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        jobs = [pool.submit(run_once, str(filled_db), sandbox.url, 60.0) for _ in range(3)]
        results = [job.result(timeout=100) for job in jobs]
    # One at a time, in whatever order: the first has it all to do.
    assert [success for success, _, _ in results] == [True] * 3, results
    assert sorted(updated for _, _, updated in results) == [0, 0, 12]
    assert updater.run_daily_update()["success"]
    assert_sound(filled_db)


def test_in_a_multiprocessing_pool_without_waiting(
    sandbox: Sandbox, filled_db: Path, pool_env: None
) -> None:
    sandbox.change(12)
    sandbox.latency_ms = 50
    with multiprocessing.get_context("fork").Pool(3) as pool:
        jobs = [(str(filled_db), sandbox.url, 0.0)] * 3
        results = pool.starmap_async(run_once, jobs, chunksize=1).get(100)
    refused = [error for success, error, _ in results if not success]
    assert all("is being updated" in error or "running" in error for error in refused), results
    assert sum(updated for _, _, updated in results) == 12
    assert_sound(filled_db)


def test_two_threads_with_an_updater_each(
    make_updater: MakeUpdater, sandbox: Sandbox, filled_db: Path
) -> None:
    sandbox.change(12)
    sandbox.latency_ms = 20
    both = threading.Barrier(2)
    results: dict[float, dict[str, Any]] = {}

    def work(wait: float) -> None:
        updater = make_updater(filled_db)
        updater.lock_wait_seconds = wait
        both.wait()
        results[wait] = updater.run_daily_update()

    threads = [threading.Thread(target=work, args=(wait,)) for wait in (60.0, 61.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one["success"] for one in results.values()] == [True, True], results
    updated = [one["metrics"]["hearings_updated"] for one in results.values()]
    assert sorted(updated) == [0, 12]
    assert_sound(filled_db)


#: As gunicorn does it: the application is loaded, and used, before the workers are forked; a worker
#: that dies is replaced.
PREFORK = """
import os, signal, sys
from updaters.daily_updater import DailyUpdater

WORKERS, app = 4, DailyUpdater(lookback_days=60)
app.lock_wait_seconds = 60
assert app.db.fetch_one("SELECT COUNT(*) FROM hearings")
assert app.api_client.get("committee-meeting/119", {"limit": 1})

def worker(number):
    signal.alarm(60)
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    result = app.run_daily_update()
    assert result["success"], result
    app.db.execute("INSERT INTO told VALUES (?)", (number,))
    os._exit(0)

def fork(number):
    pid = os.fork()
    if pid == 0:
        try:
            worker(number)
        finally:
            os._exit(1)
    return pid

alive = {fork(number): number for number in range(WORKERS)}
ended = []
while alive:
    pid, status = os.wait()
    number = alive.pop(pid)
    code = os.waitstatus_to_exitcode(status)
    ended.append((number, code))
    if code == -signal.SIGKILL:
        alive[fork(WORKERS)] = WORKERS
app.db.close()
print(sorted(ended))
"""


def test_in_a_server_that_forks_its_workers(sandbox: Sandbox, filled_db: Path) -> None:
    query(filled_db, "CREATE TABLE told (worker INTEGER)")
    sandbox.change(12)
    done = subprocess.run(
        [sys.executable, "-c", PREFORK],
        env=environment(filled_db.parent, sandbox.url, DATABASE_PATH=str(filled_db)),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{[(0, -signal.SIGKILL), (1, 0), (2, 0), (3, 0), (4, 0)]}\n"
    assert query(filled_db, "SELECT worker FROM told ORDER BY worker") == [(1,), (2,), (3,), (4,)]
    assert count(filled_db, "update_logs") == 1 + 4
    assert_sound(filled_db)
