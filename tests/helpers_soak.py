"""For tests that have a short form and a long one: `SOAK_ROUNDS=1000` asks for the long one."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

#: Seeds every choice that is made at random.
SEED = int(os.environ.get("SOAK_SEED", "1"))


def rounds(short: int) -> int:
    """How many rounds to do: so many, unless SOAK_ROUNDS says otherwise."""
    return int(os.environ.get("SOAK_ROUNDS", short))


TABLE = (
    "CREATE TABLE IF NOT EXISTS beside (who TEXT, n INTEGER, text TEXT, PRIMARY KEY (who, n))",
    "CREATE TABLE IF NOT EXISTS beside_total (who TEXT PRIMARY KEY, n INTEGER)",
)

#: Writes rows of its own through Python's `sqlite3`, each in a transaction, and holds the lock for
#: a moment; -> how many commits were acknowledged, and what went wrong.
WRITER = """
import sqlite3, sys, time

def write(path, who, go_on, hold=0.002, pause=0.008):
    done, busy, errors = 0, 0, []
    while go_on() and not errors:
        db = None
        try:
            # Opened and closed each time, as a web request does it.
            db = sqlite3.connect(path, timeout=60, isolation_level=None)
            for _ in range(3):
                db.execute("BEGIN IMMEDIATE")
                db.execute("INSERT INTO beside VALUES (?, ?, ?)", (who, done, "x" * (done % 90)))
                db.execute("UPDATE beside_total SET n = n + 1 WHERE who = ?", (who,))
                time.sleep(hold)
                db.execute("COMMIT")
                done += 1
                time.sleep(pause)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                busy += 1
            else:
                errors.append(repr(error))
        except sqlite3.Error as error:
            errors.append(repr(error))
        finally:
            if db is not None:
                db.close()
    return {"who": who, "done": done, "busy": busy, "errors": errors}
"""

PROCESS = (
    WRITER
    + """
import json, threading

stop = threading.Event()
def listen():
    sys.stdin.read()
    stop.set()
threading.Thread(target=listen, daemon=True).start()
print("ready", flush=True)
print(json.dumps(write(sys.argv[1], sys.argv[2], lambda: not stop.is_set())))
"""
)


def make_room(path: Path, *names: str) -> None:
    """The tables that the writers beside a run write to."""
    with closing(sqlite3.connect(path)) as db, db:
        for statement in TABLE:
            db.execute(statement)
        for name in names:
            db.execute("INSERT INTO beside_total VALUES (?, 0)", (name,))


@contextmanager
def writing_process(path: Path, who: str) -> Iterator[dict[str, Any]]:
    """Another process writes meanwhile; afterwards the dict has what it was told."""
    told: dict[str, Any] = {}
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(path), who],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield told
        finally:
            out, _ = process.communicate("", timeout=120)
        told.update(json.loads(out))


@contextmanager
def writing_thread(path: Path, who: str) -> Iterator[dict[str, Any]]:
    """The same, in a thread of this process."""
    told: dict[str, Any] = {}
    stop = threading.Event()
    names: dict[str, Any] = {}
    exec(WRITER, names)

    def work() -> None:
        told.update(names["write"](str(path), who, lambda: not stop.is_set()))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()


@contextmanager
def reading_thread(path: Path) -> Iterator[dict[str, Any]]:
    """A thread opens, reads and closes the database through `sqlite3`, again and again."""
    told: dict[str, Any] = {"done": 0, "errors": []}
    stop = threading.Event()

    def work() -> None:
        seen: dict[str, int] = {}
        while not stop.is_set():
            try:
                with closing(sqlite3.connect(path, timeout=60)) as db:
                    now = dict(db.execute("SELECT who, n FROM beside_total"))
                    half = db.execute(
                        "SELECT COUNT(*) FROM hearings WHERE hearing_id NOT IN "
                        "(SELECT hearing_id FROM hearing_committees)"
                    ).fetchone()[0]
            except sqlite3.Error as error:
                told["errors"].append(repr(error))
                continue
            if half:
                told["errors"].append(f"{half} hearings without their committee")
            lost = [who for who, n in seen.items() if now.get(who, 0) < n]
            if lost:
                told["errors"].append(f"rows of {lost} that were there are gone")
            seen = now
            told["done"] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()


def nothing_lost(path: Path, *told: dict[str, Any]) -> None:
    """Every commit that a writer was told of is there, and nothing more but one at most."""
    with closing(sqlite3.connect(path)) as db:
        for writer in told:
            assert writer["errors"] == [], writer
            found = db.execute(
                "SELECT n, LENGTH(text) FROM beside WHERE who = ? ORDER BY n", (writer["who"],)
            ).fetchall()
            assert found == [(n, n % 90) for n in range(writer["done"])]
            total = db.execute("SELECT n FROM beside_total WHERE who = ?", (writer["who"],))
            assert total.fetchone() == (writer["done"],)
