"""What a database holds: for comparing with another, or with itself at another time."""

import hashlib
import json
import os
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

#: Not what a reader of the data sees.
ASIDE = ("updater_", "sqlite_", "update_logs")
#: Of the updater's own tables: what must come out the same, whenever and by whichever id.
OURS = {
    "updater_deferred": ("event_id", "congress", "chamber", "kind"),
    "updater_held": ("event_id", "update_date"),
    "updater_facts": ("key", "value"),
}
TIMES = ("created_at", "updated_at")

Rows = dict[str, Counter[str]]


def tables(db: sqlite3.Connection) -> list[str]:
    """The tables that hold people's data."""
    names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in names if not name.startswith(ASIDE)]


def digest(db: sqlite3.Connection) -> str:
    """All that a reader sees, in one figure. In a transaction: it reads more than once."""
    found = hashlib.sha1()
    for table in tables(db):
        rows = sorted(map(repr, db.execute(f"SELECT * FROM {table}")))
        found.update(f"{table} {len(rows)}".encode())
        for row in rows:
            found.update(row.encode())
    return found.hexdigest()


def digest_of(path: Path) -> str:
    with closing(sqlite3.connect(path, timeout=30)) as db:
        return digest(db)


def watch(path: str, told: Path) -> int:
    """Reads the database all the while and writes down each new state, until it is killed."""
    file = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    last = ""
    while True:
        try:
            with closing(sqlite3.connect(path, timeout=30)) as db:
                for _ in range(50):
                    db.execute("BEGIN")
                    seen = digest(db)
                    db.execute("COMMIT")
                    if seen != last:
                        os.write(file, f"{seen}\n".encode())
                    last = seen
        except sqlite3.Error as error:
            os.write(file, f"error {error}\n".encode())
            return 1


def copy(folder: Path, target: Path) -> Path:
    """A database as it lies there, with what SQLite needs to recover it. -> the copy's path."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("database.db", "database.db-wal", "database.db-journal"):
        (target / name).unlink(missing_ok=True)
        if (folder / name).exists():
            shutil.copy(folder / name, target / name)
    (target / "database.db-shm").unlink(missing_ok=True)
    return target / "database.db"


def damage(path: Path) -> list[str]:
    """What SQLite finds wrong; empty where all is well."""
    with closing(sqlite3.connect(path, timeout=30)) as db:
        try:
            found = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
            loose = db.execute("PRAGMA foreign_key_check").fetchall()
        except sqlite3.Error as error:
            return [f"{path.name}: {error}"]
    return [f"integrity: {one}" for one in found] + [f"foreign key: {one}" for one in loose]


def contents(path: Path) -> Rows:
    """Every row of every table, ids and times aside: what an id leads to stands in its place."""
    with closing(sqlite3.connect(path, timeout=30)) as db:
        db.row_factory = sqlite3.Row
        found = _Reading(db).all()
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        for table, columns in OURS.items():
            if table in names:
                rows = db.execute(f"SELECT {', '.join(columns)} FROM {table}")
                found[table] = Counter(json.dumps(list(row)) for row in rows)
    return found


class _Reading:
    """Rows by name and not by id."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._named: dict[tuple[str, Any], str] = {}
        self._rows: dict[str, dict[Any, sqlite3.Row]] = {}
        self._keys: dict[str, str] = {}
        self._parents: dict[str, dict[str, str]] = {}
        for table in [*tables(db), *self._own()]:
            info = db.execute(f"PRAGMA table_info({table})").fetchall()
            keys = [column["name"] for column in info if column["pk"]]
            alone = len(keys) == 1
            self._keys[table] = keys[0] if alone else "rowid"
            self._parents[table] = {
                row["from"]: row["table"] for row in db.execute(f"PRAGMA foreign_key_list({table})")
            }
            what = "*" if alone else "rowid, *"
            self._rows[table] = {
                row[self._keys[table]]: row for row in db.execute(f"SELECT {what} FROM {table}")
            }
        # Ours refer without saying so.
        for table in self._own():
            owner = {"hearing_id": "hearings", "witness_id": "witnesses"}
            own = self._keys[table]
            self._parents[table] = {
                column: parent for column, parent in owner.items() if column in self._columns(table)
            }
            if own == "witness_id":
                self._keys[table] = ""

    def _own(self) -> list[str]:
        names = {row[0] for row in self._db.execute("SELECT name FROM sqlite_master")}
        return sorted(names & {"updater_unmatched_documents", "updater_witness_names"})

    def _columns(self, table: str) -> list[str]:
        return [row["name"] for row in self._db.execute(f"PRAGMA table_info({table})")]

    def all(self) -> Rows:
        return {
            table: Counter(self._name(table, key) for key in rows)
            for table, rows in self._rows.items()
        }

    def _name(self, table: str, key: Any) -> str:
        known = self._named.get((table, key))
        if known is not None:
            return known
        row = self._rows.get(table, {}).get(key)
        if row is None:
            return f"(no {table} {key})"
        parts = []
        for column in sorted(row.keys()):
            if column in (*TIMES, self._keys[table]):
                continue
            value, parent = row[column], self._parents[table].get(column)
            if parent is not None and value is not None:
                value = hashlib.sha1(self._name(parent, value).encode()).hexdigest()[:12]
            parts.append(f"{column}={value!r}")
        name = " ".join(parts)
        self._named[table, key] = name
        return name


def differences(expected: Rows, found: Rows) -> list[str]:
    """A few lines on what differs."""
    lines = []
    for table in sorted({*expected, *found}):
        one, other = expected.get(table, Counter()), found.get(table, Counter())
        for what, rows in (("missing", one - other), ("too many", other - one)):
            lines += [f"{what} in {table}: {row}" for row in list(rows)[:3]]
    return lines
