"""What is in a database, to be compared with what was."""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from updaters import _native

__all__ = ["Snapshot", "assert_sound", "assert_unchanged", "differences", "snapshot"]

#: Table -> its rows, as dicts of column -> value.
Snapshot: TypeAlias = dict[str, list[dict[str, Any]]]
#: A path, or anything with a `db_path` or `database_path` (`updater.db`, `updater.settings`).
Source: TypeAlias = Any

#: The log of the runs: a run that is undone stays in it.
LOGS = ("update_logs", "schedule_execution_logs")
#: So many differences are told.
_TOLD = 20
_WIDEST = 60


def snapshot(
    db: Source,
    *,
    without_tables: Collection[str] = LOGS,
    without_columns: Collection[str] = (),
    ours: bool = False,
) -> Snapshot:
    """Every row of every table, as it is committed.

    `db` is a path, or an updater, its `db` or its settings. The log of the runs is left out unless
    `without_tables=()`; the updater's own bookkeeping (`updater_...`) unless `ours`. Inside a
    transaction of this thread it shows what that has written.
    """
    native = _native.Database(_path_of(db), read_only=True, wait_seconds=5.0)
    try:
        tables = _native.dump(native, ours)
    finally:
        native.close()
    return {
        table: [{k: v for k, v in row.items() if k not in without_columns} for row in rows]
        for table, rows in tables.items()
        if table not in without_tables
    }


@contextmanager
def assert_unchanged(
    db: Source,
    *,
    without_tables: Collection[str] = LOGS,
    without_columns: Collection[str] = (),
    ours: bool = False,
) -> Iterator[Snapshot]:
    """The block leaves every row as it was; else an AssertionError says which row, which column,
    what it was and what it is. Gives the snapshot from before."""

    def look() -> Snapshot:
        return snapshot(
            db, without_tables=without_tables, without_columns=without_columns, ours=ours
        )

    before = look()
    yield before
    found = list(differences(before, look()))
    if found:
        more = f"\n  and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        told = "".join(f"\n  {one}" for one in found[:_TOLD])
        raise AssertionError(f"the database changed:{told}{more}")


def differences(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """One line for each row that is gone, new, or has another value."""
    for table in sorted({*before, *after}):
        if table not in after:
            yield f"{table}: the table is gone"
            continue
        if table not in before:
            yield f"{table}: the table is new"
            continue
        was, now = _by_key(before[table]), _by_key(after[table])
        for key in [*was, *(key for key in now if key not in was)]:
            if key not in now:
                yield f"{table} {_name(was[key])}: gone"
            elif key not in was:
                yield f"{table} {_name(now[key])}: new"
            else:
                yield from _columns(table, was[key], now[key])


def _columns(table: str, was: dict[str, Any], now: dict[str, Any]) -> Iterable[str]:
    for column in {**was, **now}:
        one, other = was.get(column), now.get(column)
        if one != other or type(one) is not type(other):
            yield f"{table} {_name(was)}, {column}: was {_value(one)}, is {_value(other)}"


def _by_key(rows: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """By the first column, which is the row id nearly everywhere; else by all of it."""
    firsts = [next(iter(row.values()), None) for row in rows]
    if len(set(map(repr, firsts))) == len(rows):
        return dict(zip(map(repr, firsts), rows, strict=True))
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        text = repr(row)
        number = sum(1 for key in found if key[0] == text)
        found[(text, number)] = row
    return found


def _name(row: dict[str, Any]) -> str:
    """Which row it is, for people: its id, and the event it is about."""
    column, value = next(iter(row.items()), ("row", None))
    event = row.get("event_id")
    return f"{column}={value!r}" + (f" (event {event})" if event is not None else "")


def _value(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."


def assert_sound(db: Source) -> None:
    """The file is whole: no damage, no reference to a row that is not there."""
    native = _native.Database(_path_of(db), read_only=True, wait_seconds=5.0)
    try:
        damage = _native.integrity(native, True)
        broken = native.soundness()["foreign_keys"]
    finally:
        native.close()
    problems = [*damage, *broken]
    if problems:
        raise AssertionError(f"the database is not sound: {'; '.join(map(str, problems[:5]))}")


def _path_of(db: Source) -> str:
    if isinstance(db, str | os.PathLike):
        return os.fspath(db)
    for holder in (db, getattr(db, "db", None), getattr(db, "settings", None)):
        for name in ("db_path", "database_path"):
            path = getattr(holder, name, None)
            if isinstance(path, str | os.PathLike):
                return os.fspath(path)
    raise TypeError(f"expected the path of a database or an updater, not {type(db).__name__}")
