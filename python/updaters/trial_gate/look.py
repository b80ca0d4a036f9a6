"""Looking into a database that a run has left. Reads only."""

from contextlib import closing
from pathlib import Path
from typing import Any

from updaters._native import Database


def reading(path: Path) -> "closing[Database]":
    """The database for the length of a `with` block."""
    return closing(Database(str(path), read_only=True))


def counts(path: Path) -> dict[str, int]:
    """Table -> rows, of every table but our own."""
    with reading(path) as database:
        return database.table_counts()


def hearing(path: Path, event_id: str) -> dict[str, Any] | None:
    """Column -> value of a hearing; None where it is not stored."""
    with reading(path) as database:
        row = database.hearing(event_id)
        return None if row is None else dict(row)


def sound(path: Path) -> bool:
    """Whether pages, foreign keys and dependants are as they should be."""
    with reading(path) as database:
        found = database.soundness()
    return not (found["integrity"] or found["foreign_keys"] or found["orphans"])
