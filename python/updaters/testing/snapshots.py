"""What is in a database, to be compared with what was."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeAlias, overload

from updaters import _native
from updaters.testing.blocks import Block

__all__ = [
    "Snapshot",
    "Unchanged",
    "assert_sound",
    "assert_unchanged",
    "differences",
    "snapshot",
]

#: Column -> value.
Row: TypeAlias = dict[str, Any]
#: Table -> its rows.
Snapshot: TypeAlias = dict[str, list[Row]]
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


class Unchanged(Block):
    """A block that leaves every row as it was: see `assert_unchanged`."""

    def __init__(self, db: Source, look: Callable[[], Snapshot]) -> None:
        self._look = look
        self._before: Snapshot = {}
        super().__init__(f"assert_unchanged({_path_of(db)})")

    @property
    def before(self) -> Snapshot:
        """What was there when the block began."""
        return self._before

    def _begin(self) -> None:
        self._before = self._look()

    def _end(self) -> None:
        pass

    def _judge(self) -> None:
        _compare(self._before, self._look())


@overload
def assert_unchanged(
    db: Source,
    since: Snapshot,
    *,
    without_tables: Collection[str] = LOGS,
    without_columns: Collection[str] = (),
    ours: bool = False,
) -> None: ...
@overload
def assert_unchanged(
    db: Source,
    since: None = None,
    *,
    without_tables: Collection[str] = LOGS,
    without_columns: Collection[str] = (),
    ours: bool = False,
) -> Unchanged: ...
def assert_unchanged(
    db: Source,
    since: Snapshot | None = None,
    *,
    without_tables: Collection[str] = LOGS,
    without_columns: Collection[str] = (),
    ours: bool = False,
) -> Unchanged | None:
    """`with assert_unchanged(db):` leaves every row as it was; `assert_unchanged(db, before)` holds
    what is there now against an earlier `snapshot(db)`. Else an AssertionError says which row,
    which column, what it was and what it is. A table or column that is new and empty is no change.
    """

    def look() -> Snapshot:
        return snapshot(
            db, without_tables=without_tables, without_columns=without_columns, ours=ours
        )

    if since is None:
        return Unchanged(db, look)
    # The earlier one may have been taken with everything in it.
    kept = {
        table: [{k: v for k, v in row.items() if k not in without_columns} for row in rows]
        for table, rows in since.items()
        if table not in without_tables
    }
    _compare(kept, look())
    return None


def _compare(before: Snapshot, after: Snapshot) -> None:
    found = list(differences(before, after))
    if found:
        more = f"\n  and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        told = "".join(f"\n  {one}" for one in found[:_TOLD])
        raise AssertionError(f"the database changed:{told}{more}")


def differences(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """One line for each row that is gone or new, and each value that is another."""
    for table in sorted({*before, *after}):
        if table not in after:
            yield f"{table}: the table is gone"
            continue
        yield from _rows(table, before.get(table, []), after[table])


def _rows(table: str, before: list[Row], after: list[Row]) -> Iterator[str]:
    key = _key_of(before, after)
    if not key:
        yield from _unkeyed(table, before, after)
        return
    was = {tuple(map(repr, map(row.get, key))): row for row in before}
    now = {tuple(map(repr, map(row.get, key))): row for row in after}
    for at in [*was, *(at for at in now if at not in was)]:
        if at not in now:
            yield f"{table} {_name(was[at], key)}: gone"
        elif at not in was:
            yield f"{table} {_name(now[at], key)}: new"
        else:
            for column, one, other in _changes(was[at], now[at]):
                name = _name(was[at], key)
                yield f"{table} {name}, {column}: was {_value(one)}, is {_value(other)}"


def _key_of(before: list[Row], after: list[Row]) -> list[str]:
    """The first columns that tell the rows of both apart, three at most: the key, where there is
    one. Empty where nothing does."""
    names = list(next(iter(before or after), {}))
    for count in range(1, min(len(names), 3) + 1):
        key = names[:count]
        if all(
            len({tuple(repr(row.get(name)) for name in key) for row in rows}) == len(rows)
            for rows in (before, after)
        ):
            return key
    return []


def _unkeyed(table: str, before: list[Row], after: list[Row]) -> Iterator[str]:
    """Rows that nothing tells apart are counted."""
    was, now = Counter(map(_text, before)), Counter(map(_text, after))
    for text, count in (was - now).items():
        yield f"{table} {_value(text, quote=False)}: gone" + (f" {count} times" * (count > 1))
    for text, count in (now - was).items():
        yield f"{table} {_value(text, quote=False)}: new" + (f" {count} times" * (count > 1))


def _text(row: Row) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in row.items() if value is not None)


def _changes(was: Row, now: Row) -> Iterator[tuple[str, Any, Any]]:
    for column in {**was, **now}:
        one, other = was.get(column), now.get(column)
        if one != other or type(one) is not type(other):
            yield column, one, other


def _name(row: Row, key: list[str]) -> str:
    """Which row it is, for people: its key, and the event it is about."""
    told = ", ".join(f"{name}={row.get(name)!r}" for name in key)
    event = row.get("event_id")
    return told + (f" (event {event})" if event is not None and "event_id" not in key else "")


def _value(value: Any, quote: bool = True) -> str:
    text = repr(value) if quote else value
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
