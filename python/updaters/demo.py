"""`make demo`: an update from the sandbox into a new database, twice. No key, no network."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from updaters.cli.common import print_table

FOLDER = Path("logs") / "demo"
MEETINGS = 300
UPDATE = ("-m", "updaters.daily_updater", "--congress", "119", "--lookback-days", "30")
TOLD = ("Batch", "batch", "completed successfully", "Peak memory")


def main() -> int:
    """Run the demo; 0 when everything went as it should."""
    from updaters.sandbox import Sandbox

    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    _run(("-m", "updaters.cli", "init"), {})
    with Sandbox(meetings=MEETINGS, seed=7, latency_ms=20) as sandbox:
        print(f"A stand-in for the API serves {MEETINGS} meetings at {sandbox.url}")
        variables = {"API_BASE_URL": sandbox.url, "ENABLE_BATCH_PROCESSING": "true"}
        print("\nFirst run:")
        first = _run(UPDATE, variables)
        print("\nSecond run, with nothing new:")
        second = _run(UPDATE, variables)
    _show(FOLDER / "database.db")
    batches = first.get("batch_processing") or {}
    good = (
        first["hearings_added"] == MEETINGS
        and batches.get("batches_failed") == 0
        and second["hearings_added"] == second["hearings_updated"] == 0
    )
    if not good:
        print("\nThat is not what was expected: see logs/demo/logs/", file=sys.stderr)
        return 1
    print(f"\nIt is all in {FOLDER}/: the database, its backups and the log.")
    return 0


def _run(command: Sequence[str], variables: dict[str, str]) -> dict[str, Any]:
    """Run one command in the demo's folder, show what it tells, return the metrics it prints."""
    given = " ".join(f"{name}={value}" for name, value in variables.items())
    print(f"$ {given} python3 {' '.join(command)}".replace("$  ", "$ "))
    # No key, no proxy, no settings from around: the demo is the same everywhere.
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", "/"),
        "NO_PROXY": "127.0.0.1",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=FOLDER,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stderr + done.stdout, file=sys.stderr)
        raise SystemExit(f"The command failed with exit code {done.returncode}")
    for line in done.stderr.splitlines():
        if any(word in line for word in TOLD):
            print("  " + line.split(" - ", 3)[-1])
    if not done.stdout.startswith("{"):
        print("  " + done.stdout.strip())
        return {}
    metrics: dict[str, Any] = json.loads(done.stdout)
    shown = ("hearings_checked", "hearings_added", "hearings_updated", "api_requests")
    print("  " + ", ".join(f"{name} {metrics[name]}" for name in shown))
    return metrics


def _show(path: Path) -> None:
    """Counts and a few rows, read by Python's own sqlite3."""
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        print("\nWhat is in the database:")
        tables = ("hearings", "committees", "witnesses", "witness_appearances")
        counts = {
            table: db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables
        }
        print_table([counts], tables)
        rows = db.execute(
            "SELECT event_id, hearing_date, chamber, status, title FROM hearings "
            "ORDER BY hearing_date DESC, event_id LIMIT 5"
        )
        print()
        print_table(
            [dict(row) for row in rows],
            ("event_id", "hearing_date", "chamber", "status", "title"),
            widest=64,
        )


if __name__ == "__main__":
    raise SystemExit(main())
