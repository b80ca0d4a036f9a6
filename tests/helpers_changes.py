"""For tests of what changed: a database whose past is past, and reports of what came since."""

from datetime import datetime, timedelta, timezone
from typing import Any

from helpers_run import World
from updaters._native import Database
from updaters.changes import report

EVERYTHING = ["hearings", "witnesses", "committees", "documents", "bills"]


def make_past(world: World) -> None:
    """What the journal has is a month old from now on."""
    world.do("UPDATE updater_batches SET created_at = datetime('now', '-30 days')")


def news(world: World, days: float = 7, **filters: Any) -> dict[str, Any]:
    """The report of the last days."""
    database = Database(str(world.path), read_only=True)
    try:
        return report(database, datetime.now(timezone.utc) - timedelta(days=days), **filters)
    finally:
        database.close()


def changes(world: World, event_id: str | int, **filters: Any) -> dict[str, Any]:
    """Kind -> what changed, of one hearing."""
    found = [h for h in news(world, **filters)["hearings"] if h["event_id"] == str(event_id)]
    told: dict[str, Any] = found[0]["changes"] if found else {}
    return told


def update(world: World, event_id: str | int, **fields: Any) -> None:
    """It changes upstream, and the database follows."""
    world.alter(event_id, **fields)
    world.run(components=EVERYTHING)
