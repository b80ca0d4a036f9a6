"""`updater.db`: the database as scripts, tests and overrides use it (contract §1, `db`)."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from updaters import _native
from updaters._native import Connection, Cursor, Row
from updaters.errors import UpdaterError

__all__ = ["Connection", "Cursor", "Database", "Row"]

Params = Sequence[Any] | Mapping[str, Any]

_savepoints = count(1)


class Database:
    """One hearings database. Opened at the first use; a file that is not there is never created.

    `path` may be a function: it is asked at each use, and a new answer outside a transaction means
    that file from then on, so that a setting can still change.
    Inside a batch, everything here joins the batch's transaction on the same thread; other threads
    wait. Failures are raised as `updaters.errors.DatabaseError` (a `sqlite3.DatabaseError`).
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Callable[[], str | os.PathLike[str]],
        *,
        read_only: bool = False,
        wait_seconds: float = 30.0,
    ) -> None:
        self._path = path
        self._read_only = read_only
        self._wait_seconds = wait_seconds
        self._native: _native.Database | None = None
        self._opened_as = ""
        #: While this is true a new path waits: a run keeps to the file that it locked.
        self.settled = False
        #: The threads that are inside `transaction()`; they need this file until they are done.
        self._inside: set[int] = set()

    @property
    def native(self) -> _native.Database:
        """The native half, made at the first use and anew where the path changed."""
        if self._native is not None and (
            self.settled or self._inside or self._native.in_transaction
        ):
            return self._native
        path = os.fspath(self._path() if callable(self._path) else self._path)
        if self._native is None or path != self._opened_as:
            self.close()
            self._native = _native.Database(
                path, read_only=self._read_only, wait_seconds=self._wait_seconds
            )
            self._opened_as = path
        return self._native

    def settle(self, settled: bool) -> None:
        """Keep to the file: neither a new path, nor another file that comes in its place."""
        self.settled = settled
        if self._native is not None:
            self._native.keep_to_file(settled)

    @property
    def db_path(self) -> str:
        """The file's path."""
        return self.native.path

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside an open transaction."""
        return self._native is not None and self._native.in_transaction

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction, committed at the end of the `with` block and undone when it raises.

        Inside another one on the same thread it is a part of that one: what it did is undone alone
        when it raises, and committed with the rest.
        """
        native = self.native
        if native.in_transaction:
            conn = native.connection()
            name = f"part_{next(_savepoints)}"
            conn.execute(f"SAVEPOINT {name}")
            try:
                yield conn
            except BaseException:
                if native.in_transaction:
                    conn.execute(f"ROLLBACK TO {name}")
                    conn.execute(f"RELEASE {name}")
                raise
            conn.execute(f"RELEASE {name}")
            return
        conn = native.begin()
        self._inside.add(threading.get_ident())
        try:
            try:
                yield conn
            except BaseException:
                native.rollback()
                raise
            native.commit()
        finally:
            self._inside.discard(threading.get_ident())

    def execute(self, sql: str, params: Params = ()) -> Cursor:
        """Run one statement; a write outside a transaction commits on its own."""
        return self.native.execute(sql, params)

    def execute_many(self, sql: str, params: Sequence[Params]) -> int:
        """Run a statement for each set of parameters, in one transaction; -> rows changed."""
        with self.transaction() as conn:
            return conn.executemany(sql, params).rowcount

    def execute_insert(self, sql: str, params: Params = ()) -> int:
        """Run an INSERT; -> the new row id."""
        return self.native.execute(sql, params).lastrowid

    def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row, or None."""
        return self.native.execute(sql, params).fetchone()

    def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """Every row."""
        return self.native.execute(sql, params).fetchall()

    def get_hearing_by_event_id(self, event_id: str | int) -> Row | None:
        """The row of `hearings`, or None."""
        return self.native.hearing(str(event_id))

    def get_committee_by_system_code(self, system_code: str) -> Row | None:
        """The row of `committees`, or None; case does not matter."""
        return self.native.committee(system_code)

    def upsert_hearing(self, hearing_data: Mapping[str, Any]) -> int:
        """Store a hearing, as a record in the API's shape or by column names; -> `hearing_id`."""
        return self.native.upsert_hearing(_api_shape(hearing_data))

    def get_or_create_witness(
        self,
        full_name: str | Mapping[str, Any],
        organization: str | None = None,
        title: str | None = None,
    ) -> int:
        """One person with one organization is one row; -> `witness_id`."""
        if isinstance(full_name, Mapping):
            data = full_name
            name = data.get("full_name") or data.get("name") or ""
            organization = data.get("organization", organization)
            title = data.get("title") or data.get("position") or title
            return self.native.get_or_create_witness(str(name), organization, title)
        return self.native.get_or_create_witness(full_name, organization, title)

    def create_witness_appearance(
        self,
        witness_id: int,
        hearing_id: int,
        position: str | None = None,
        witness_type: str | None = None,
        appearance_order: int | None = None,
    ) -> int:
        """A witness at a hearing; seen again it keeps its id. -> `appearance_id`."""
        return self.native.create_witness_appearance(
            witness_id, hearing_id, position, witness_type, appearance_order
        )

    def link_hearing_committee(
        self, hearing_id: int, committee_id: int, is_primary: bool = True
    ) -> None:
        """Link a hearing to a committee; a link that exists stays as it is."""
        self.native.link_hearing_committee(hearing_id, committee_id, bool(is_primary))

    def delete_hearing_committee_links(self, hearing_id: int) -> int:
        """Remove all committee links of a hearing; -> how many there were."""
        return self.native.delete_hearing_committee_links(hearing_id)

    def get_table_counts(self) -> dict[str, int]:
        """Table name -> number of rows."""
        return self.native.table_counts()

    def health_check(self) -> dict[str, Any]:
        """`healthy` (bool), `error` (str or None), `table_counts`, and the findings by kind."""
        try:
            found = self.native.soundness()
            counts = self.native.table_counts()
        except UpdaterError as error:
            return {"healthy": False, "error": str(error), "table_counts": {}}
        broken = found["integrity"] or found["foreign_keys"]
        return {
            "healthy": not broken,
            "error": str(broken[0]) if broken else None,
            "table_counts": counts,
            **{key: value for key, value in found.items() if isinstance(value, list)},
        }

    def close(self) -> None:
        """Close the file. The next use opens it again."""
        if self._native is not None:
            self._native.close()
            self._native = None

    def __repr__(self) -> str:
        path = self._path if not callable(self._path) else self._path()
        return f"<Database {os.fspath(path)}>"


_COLUMNS = {
    "event_id": "eventId",
    "hearing_type": "type",
    "status": "meetingStatus",
    "update_date": "updateDate",
}


def _api_shape(data: Mapping[str, Any]) -> dict[str, Any]:
    """A record by column names as one in the API's shape; others pass as they are."""
    if "event_id" not in data:
        return dict(data)
    record = {_COLUMNS.get(key, key): value for key, value in data.items()}
    date = data.get("hearing_date") or data.get("hearing_date_only")
    if date is not None:
        time = data.get("hearing_time")
        record["date"] = f"{date}T{time}Z" if time else str(date)
    if data.get("video_url"):
        record["videos"] = [{"url": data["video_url"]}]
    if data.get("jacket_number"):
        record["hearingTranscript"] = [{"jacketNumber": data["jacket_number"]}]
    return record
