"""What is in a database, so that it can be compared across files whose ids and times differ."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

#: Related rows by event, told without row ids.
_RELATED = {
    "links": "SELECT h.event_id, c.system_code, l.is_primary FROM hearing_committees l "
    "JOIN hearings h USING (hearing_id) JOIN committees c USING (committee_id)",
    "appearances": "SELECT h.event_id, w.full_name, w.organization, w.title, a.position, "
    "a.witness_type, a.appearance_order FROM witness_appearances a "
    "JOIN hearings h USING (hearing_id) JOIN witnesses w USING (witness_id)",
    "documents": "SELECT h.event_id, w.full_name, d.document_type, d.document_url, d.format_type "
    "FROM witness_documents d JOIN witness_appearances a USING (appearance_id) "
    "JOIN hearings h USING (hearing_id) JOIN witnesses w USING (witness_id)",
}
_WHOLE = {
    "committees": "SELECT c.system_code, c.name, c.chamber, c.type, p.system_code "
    "FROM committees c LEFT JOIN committees p ON p.committee_id = c.parent_committee_id",
    "witnesses": "SELECT full_name, organization, title FROM witnesses",
    "deferred": "SELECT event_id, kind FROM updater_deferred",
    "unmatched": "SELECT h.event_id, u.document_type, u.document_url "
    "FROM updater_unmatched_documents u JOIN hearings h USING (hearing_id)",
}
_LEFT_OUT = {"hearing_id", "created_at", "updated_at"}

Events = dict[str, tuple[Any, ...]]


def connect(path: Path) -> sqlite3.Connection:
    """As another program reads the file."""
    db = sqlite3.connect(path, timeout=10)
    db.row_factory = sqlite3.Row
    return db


def events(db: sqlite3.Connection) -> Events:
    """Event id -> its row and everything that belongs to it, in one read transaction."""
    found: dict[str, list[Any]] = {}
    if not db.in_transaction:
        db.execute("BEGIN")
    for row in db.execute("SELECT * FROM hearings"):
        kept = {k: row[k] for k in row.keys() if k not in _LEFT_OUT}  # noqa: SIM118
        # Columns that older files lack are empty in them.
        filled = tuple(sorted((k, v) for k, v in kept.items() if v is not None))
        found[row["event_id"]] = [filled]
    for name, sql in _RELATED.items():
        rows: dict[str, list[Any]] = {}
        for row in db.execute(sql):
            rows.setdefault(row[0], []).append(tuple(row)[1:])
        for event, told in found.items():
            told.append((name, tuple(sorted(rows.get(event, []), key=repr))))
    db.execute("COMMIT")
    return {event: tuple(told) for event, told in found.items()}


def state(path: Path) -> dict[str, Any]:
    """All that a finished run is about, ids and timestamps aside."""
    with closing(connect(path)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        whole: dict[str, Any] = {"events": events(db)}
        for name, sql in _WHOLE.items():
            if name in ("deferred", "unmatched") and "updater_deferred" not in tables:
                whole[name] = []
                continue
            whole[name] = sorted((tuple(row) for row in db.execute(sql)), key=repr)
        return whole


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row with its ids and times, of every table that is not our bookkeeping."""
    off = ("updater_", "sqlite_", "update_logs", "schedule", "scheduled")
    with closing(connect(path)) as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for table in sorted(name for name in names if not name.startswith(off)):
            columns = sorted(row[1] for row in db.execute(f"PRAGMA table_info({table})"))
            listed = db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            found[table] = sorted(map(tuple, listed), key=repr)
        return found


def problems(path: Path) -> Iterator[str]:
    """What SQLite and the journal complain about."""
    with closing(connect(path)) as db:
        for (line,) in db.execute("PRAGMA integrity_check"):
            if line != "ok":
                yield f"integrity_check: {line}"
        for row in db.execute("PRAGMA foreign_key_check"):
            yield f"foreign_key_check: {tuple(row)}"
        yield from _journal(db)


def _journal(db: sqlite3.Connection) -> Iterator[str]:
    """The newest image of each row is the row, and each entry belongs to a batch that is there."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "updater_journal" not in tables:
        return
    lost = db.execute(
        "SELECT COUNT(*) FROM updater_journal WHERE batch_id NOT IN "
        "(SELECT batch_id FROM updater_batches)"
    ).fetchone()[0]
    if lost:
        yield f"journal: {lost} entries of batches that are not there"
    for table in sorted(tables):
        keys = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[5]]
        if len(keys) != 1:
            continue
        newest: dict[Any, Any] = {}
        for entry in db.execute(
            "SELECT before, after FROM updater_journal WHERE table_name = ? ORDER BY entry_id",
            (table,),
        ):
            before, after = (json.loads(text) if text else None for text in tuple(entry))
            image = after or before
            if before and after and before.get(keys[0]) != after.get(keys[0]):
                newest[before[keys[0]]] = None
            newest[image[keys[0]]] = after
        for key, after in newest.items():
            row = db.execute(f"SELECT * FROM {table} WHERE {keys[0]} = ?", (key,)).fetchone()
            now = dict(row) if row else None
            if after is None or now is None:
                if after is not now:
                    yield f"journal: {table} {key}: the journal says {after}, the table {now}"
            else:
                other = {k: v for k, v in after.items() if now.get(k) != v}
                if other:
                    yield f"journal: {table} {key}: the journal says {other}"


def batches(path: Path, after: int = 0) -> list[set[str]]:
    """The events of each transaction that the journal has, of batches newer than `after`."""
    with closing(connect(path)) as db:
        found = []
        for (batch,) in db.execute(
            "SELECT batch_id FROM updater_batches WHERE batch_id > ? ORDER BY batch_id", (after,)
        ):
            ids = db.execute(
                "SELECT DISTINCT h.event_id FROM updater_journal j JOIN hearings h "
                "ON h.hearing_id = j.hearing_id WHERE j.batch_id = ?",
                (batch,),
            )
            touched = {event for (event,) in ids}
            if touched:
                found.append(touched)
        return found


def halves(found: Events, before: Events, after: Events, parts: list[set[str]]) -> list[str]:
    """Batches that are neither wholly there nor not at all."""
    half = []
    for number, part in enumerate(parts, 1):
        old = [event for event in part if found.get(event) == before.get(event)]
        new = [event for event in part if found.get(event) == after.get(event)]
        if len(old) < len(part) and len(new) < len(part):
            other = sorted(part - set(old) - set(new))
            half.append(f"batch {number}: {len(old)} old, {len(new)} new, neither: {other[:3]}")
    untouched = set(before) - set().union(*parts)
    changed = [event for event in untouched if found.get(event) != before[event]]
    if changed:
        half.append(f"events that no batch touches changed: {sorted(changed)[:3]}")
    return half
