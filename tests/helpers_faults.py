"""For tests of API faults: what a database holds, with ids and times of storing aside."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from helpers_run import World
from updaters.sandbox import Sandbox

#: When something was stored, not what.
_STAMPS = {"created_at", "updated_at", "last_seen", "first_seen"}
#: Nobody's data, or the story of the runs.
_OWN = ("updater_", "sqlite_", "update_logs", "schedule", "scheduled")

#: So that waiting makes no test long.
HASTE = {
    "retry_attempts": 2,
    "retry_backoff_factor": 0.01,
    "circuit_breaker_timeout": 0.1,
    "batch_processing_size": 7,
}

Content = dict[str, list[tuple[Any, ...]]]


def timeless(path: Path) -> Content:
    """Table -> its rows as sorted tuples; an id of another row is what that row says."""
    with closing(sqlite3.connect(path)) as db:
        names = [
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return {
            name: sorted((_row(db, name, rowid) for (rowid,) in _ids(db, name)), key=repr)
            for name in sorted(names)
            if not name.startswith(_OWN)
        }


def _ids(db: sqlite3.Connection, table: str) -> list[tuple[int]]:
    return db.execute(f"SELECT rowid FROM {table}").fetchall()


def _row(db: sqlite3.Connection, table: str, rowid: int) -> tuple[Any, ...]:
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    leads = {row[3]: row[2] for row in db.execute(f"PRAGMA foreign_key_list({table})")}
    own = {name for _, name, kind, *_, key in columns if key and kind.upper() == "INTEGER"}
    values = db.execute(f"SELECT * FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
    said = []
    for (_, name, *_), value in zip(columns, values, strict=True):
        if name in leads and value is not None:
            said.append((name, _row(db, leads[name], value)))
        elif name not in own and name not in _STAMPS:
            said.append((name, value))
    return tuple(sorted(said))


def stored(world: World) -> set[str]:
    return {row["event_id"] for row in world.rows("SELECT event_id FROM hearings")}


def waiting(world: World) -> set[str]:
    return {row["event_id"] for row in world.rows("SELECT event_id FROM updater_deferred")}


def run_through(world: World, sandbox: Sandbox, faults: dict[str, float]) -> dict[str, Any]:
    """A run that meets faults: whatever happens, nothing is lost and nothing wrong is stored."""
    sandbox.forget_orders()
    sandbox.faults = faults
    # What drips would be waited for; the rest is not to fail for a machine that is busy.
    short = {"request_timeout": 0.5, "read_timeout": 0.5} if "drip" in faults else {}
    updater = world.updater({**HASTE, **short})
    try:
        result = updater.run_daily_update()
    finally:
        updater.db.close()
    metrics: dict[str, Any] = result["metrics"]
    deferred = {event["event_id"] for event in metrics.get("deferred", ())}
    assert deferred <= set(sandbox.event_ids()), deferred
    if result["success"]:
        assert waiting(world) == deferred, faults
        missing = set(sandbox.event_ids()) - stored(world) - deferred
        # Rows of the list that nobody could read have no event id: the errors tell of them.
        assert not missing or metrics["errors"], (faults, missing)
    else:
        assert result["error"]
    return metrics
