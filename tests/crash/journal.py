"""The journal against the tables: read with `sqlite3` alone, by its documented shape."""

import json
import math
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crash.state import damage, digest

#: Columns whose values hang on the moment.
_TIMES = ("created_at", "updated_at", "start_time", "end_time", "duration_seconds", "update_date")

_THERE = "SELECT 1 FROM sqlite_master WHERE name = 'updater_batches'"

Image = dict[str, Any]


@dataclass
class Entry:
    batch: int
    table: str
    op: str
    before: Image | None
    after: Image | None


@dataclass
class Batch:
    number: int
    #: Such as "batch 2".
    label: str
    run: int | None
    state: str
    first: int | None
    last: int | None
    entries: list[Entry] = field(default_factory=list)

    def told(self) -> list[str]:
        """What it did, without what hangs on the moment."""
        lines = []
        for entry in self.entries:
            images = [
                {
                    column: value
                    for column, value in (image or {}).items()
                    if column not in _TIMES
                    or (column == "update_date" and entry.table == "hearings")
                }
                for image in (entry.before, entry.after)
            ]
            lines.append(f"{entry.op} {entry.table} {json.dumps(images, sort_keys=True)}")
        return lines


def _value(value: Any) -> Any:
    """A value of an image as `sqlite3` gives it."""
    if isinstance(value, dict):
        ((kind, text),) = value.items()
        if kind == "$blob":
            return bytes.fromhex(text)
        if kind == "$real":
            return {"inf": math.inf, "-inf": -math.inf}.get(text, math.nan)
        raise ValueError(f"an image with {value}")
    return value


def _image(text: str | None) -> Image | None:
    return None if text is None else {k: _value(v) for k, v in json.loads(text).items()}


def batches(db: sqlite3.Connection, since: int = 0) -> list[Batch]:
    """The batches after number `since`, oldest first, with their entries."""
    if not db.execute(_THERE).fetchone():
        return []
    found = {
        row[0]: Batch(row[0], f"{row[1]} {row[2]}", *row[3:])
        for row in db.execute(
            "SELECT batch_id, kind, batch_number, run_id, state, first_entry, last_entry "
            "FROM updater_batches WHERE batch_id > ? ORDER BY batch_id",
            (since,),
        )
    }
    entries = db.execute(
        "SELECT batch_id, table_name, op, before, after FROM updater_journal "
        "WHERE batch_id > ? ORDER BY entry_id",
        (since,),
    )
    for batch, table, op, before, after in entries:
        if batch not in found:
            raise AssertionError(f"a journal entry of batch {batch}, which is not there")
        found[batch].entries.append(Entry(batch, table, op, _image(before), _image(after)))
    return list(found.values())


def newest_batch(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        if not db.execute(_THERE).fetchone():
            return 0
        # Also one that is not there any more.
        sql = "SELECT seq FROM sqlite_sequence WHERE name = 'updater_batches'"
        row = db.execute(sql).fetchone()
        return int(row[0]) if row else 0


def problems(path: Path) -> list[str]:
    """What SQLite finds wrong, and what of the journal and the tables does not go together."""
    journal = Journal(path)
    try:
        return [*damage(path), *journal.problems()]
    finally:
        journal.close()


class Journal:
    """The journal of a database after batch `since`, checked against the tables, and undone."""

    def __init__(self, path: Path, since: int = 0) -> None:
        """`path`: a copy, which is brought back to where it started."""
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.batches = batches(self._db, since)
        self._keys: dict[str, list[str]] = {}

    def close(self) -> None:
        self._db.close()

    def _key(self, table: str) -> list[str]:
        if table not in self._keys:
            info = self._db.execute(f"PRAGMA table_info({table})").fetchall()
            self._keys[table] = [row[1] for row in info if row[5]] or ["$rowid"]
        return self._keys[table]

    def _where(self, table: str, image: Image) -> tuple[str, list[Any]]:
        key = self._key(table)
        names = ["rowid" if name == "$rowid" else name for name in key]
        return " AND ".join(f"{name} IS ?" for name in names), [image[name] for name in key]

    def _now(self, table: str, image: Image) -> Image | None:
        columns = [name for name in image if name != "$rowid"]
        where, values = self._where(table, image)
        row = self._db.execute(
            f"SELECT {', '.join(columns)} FROM {table} WHERE {where}", values
        ).fetchone()
        return None if row is None else dict(zip(columns, row, strict=True))

    def problems(self) -> list[str]:
        """What of the journal and the tables does not go together."""
        found: list[str] = []
        if not self._db.execute(_THERE).fetchone():
            return found
        newest: dict[tuple[Any, ...], tuple[str, Image, Image | None]] = {}
        for batch in self.batches:
            if batch.state in ("applied", "undone") and not batch.entries:
                found.append(
                    f"{batch.label} of run {batch.run} is {batch.state}, and has no entries"
                )
            for entry in batch.entries:
                for image, holds in ((entry.before, None), (entry.after, entry.after)):
                    if image is not None:
                        key = (entry.table, *(image[name] for name in self._key(entry.table)))
                        newest[key] = (entry.table, image, holds)
        for (table, *key), (_, image, holds) in newest.items():
            now = self._now(table, image)
            should = None if holds is None else {k: v for k, v in holds.items() if k != "$rowid"}
            if now != should:
                found.append(f"{table} {key}: the journal says {should}, the table {now}")
        ranges = self._db.execute(
            "SELECT b.batch_id, first_entry, last_entry, min(entry_id), max(entry_id) "
            "FROM updater_batches b LEFT JOIN updater_journal j USING (batch_id) "
            "WHERE state IN ('applied', 'undone') GROUP BY b.batch_id"
        )
        for batch_id, first, last, lowest, highest in ranges:
            if (first, last) != (lowest, highest):
                found.append(f"batch {batch_id} says {first}-{last}, it has {lowest}-{highest}")
        return found

    def undo_all(self) -> list[str]:
        """Takes every batch back, newest first. -> the states on the way, the first one last."""
        states = [digest(self._db)]
        self._db.execute("BEGIN")
        for batch in reversed(self.batches):
            for entry in reversed(batch.entries):
                self._undo(entry)
            states.append(digest(self._db))
        self._db.execute("COMMIT")
        return states

    def _undo(self, entry: Entry) -> None:
        if entry.after is not None:
            where, values = self._where(entry.table, entry.after)
            if entry.before is None:
                self._db.execute(f"DELETE FROM {entry.table} WHERE {where}", values)
                return
            columns = [name for name in entry.before if name != "$rowid"]
            sets = ", ".join(f"{name} = ?" for name in columns)
            self._db.execute(
                f"UPDATE {entry.table} SET {sets} WHERE {where}",
                [*(entry.before[name] for name in columns), *values],
            )
            return
        assert entry.before is not None
        names = ["rowid" if name == "$rowid" else name for name in entry.before]
        marks = ", ".join("?" * len(names))
        self._db.execute(
            f"INSERT INTO {entry.table} ({', '.join(names)}) VALUES ({marks})",
            list(entry.before.values()),
        )
