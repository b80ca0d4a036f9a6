"""Failures on order: a record, a batch, a commit, a rollback, the API, the disk."""

import errno
import os
from typing import Any, Literal

from updaters.sandbox import FAULTS, Sandbox
from updaters.testing.blocks import Block
from updaters.testing.faults import ApiFault, Fault, Locked

__all__ = ["ApiFault", "Fault", "Inject", "Locked"]


class Inject:
    """What the fixture `inject` gives. Each method makes a fault that is armed by `with`.

    Faults of the core hold for the whole process. All are disarmed when the test is over. One that
    is made and never armed fails the test, as one that is armed and never strikes does.
    """

    def __init__(self, api: Sandbox | None = None) -> None:
        self._api = api
        self._made: list[Block] = []

    def record(
        self,
        nth: int = 1,
        *,
        event_id: str | None = None,
        times: int | None = 1,
        strict: bool = True,
    ) -> Fault:
        """The `nth` record that is written fails (of this event, where one is named).

        In batches its batch fails and is rolled back; in plain mode it is undone alone.
        """
        what = f"record {event_id}" if event_id else f"record number {nth}"
        return self._fault(what, "record", only=event_id, nth=nth, times=times, strict=strict)

    def batch(
        self,
        number: int = 1,
        *,
        after: int = 0,
        committed: bool = False,
        times: int | None = 1,
        strict: bool = True,
    ) -> Fault:
        """The batch of this number fails: as it begins, or once `after` of its records are written.

        With `committed` it fails after its commit, before `_process_batch` has answered: then
        `_rollback_checkpoint` has to undo what is stored, by the batch's checkpoint.
        """
        label = f"batch {number}"
        if committed:
            what = f"{label}, after its commit"
            return self._fault(what, "applied", only=label, times=times, strict=strict)
        if after:
            what = f"{label}, after {after} records"
            since = ("begun", label)
            return self._fault(what, "record", since=since, nth=after, times=times, strict=strict)
        return self._fault(label, "begun", only=label, times=times, strict=strict)

    def commit(self, batch: int | None = 1, *, times: int | None = 1, strict: bool = True) -> Fault:
        """The commit of this batch fails; `batch=None`: that of the plain mode's one pass."""
        label = "plain 0" if batch is None else f"batch {batch}"
        what = f"commit of {label}"
        return self._fault(what, "commit", only=label, times=times, strict=strict)

    def rollback(
        self, batch: int | None = None, *, times: int | None = 1, strict: bool = True
    ) -> Fault:
        """`_rollback_checkpoint` cannot undo this batch, or the first that is to be undone."""
        only = None if batch is None else str(batch)
        what = "rollback" if batch is None else f"rollback of batch {batch}"
        return self._fault(what, "rollback", only=only, times=times, strict=strict)

    def undo(self, *, times: int | None = 1, strict: bool = True) -> Fault:
        """The journal's undoing of something committed fails before its own commit."""
        return self._fault("undo", "undo", times=times, strict=strict)

    def disk(
        self,
        error: Literal["full", "io"] = "full",
        *,
        nth: int = 1,
        batch: int | None = None,
        times: int | None = None,
        file: str | None = None,
        strict: bool = True,
    ) -> Fault:
        """The disk is full, or fails, from the `nth` write of SQLite on.

        `batch`: counts only writes since this batch began; `file`: only those to the file of this
        name, without its folder (`database.db`, `database.db-wal`, `database.db-journal`);
        `times`: so many writes fail, then it is well. The updater's own writes only: Python's
        `sqlite3` and other programs write on.
        """
        number = {"full": errno.ENOSPC, "io": errno.EIO}[error]
        what = f"disk {error}" if batch is None else f"disk {error} in batch {batch}"
        return self._fault(
            what,
            "write",
            only=file,
            since=None if batch is None else ("begun", f"batch {batch}"),
            nth=nth,
            times=times,
            errno=number,
            strict=strict,
        )

    def api(
        self,
        kind: str | int = "500",
        *,
        times: int | None = None,
        share: float | None = None,
        event_id: str | int | None = None,
        path: str | None = None,
        retry_after: int | None = None,
        strict: bool = True,
    ) -> ApiFault:
        """Requests meet a fault of `updaters.sandbox.FAULTS`: all of them, the next `times`, or a
        `share` of them (0.0 to 1.0); only those for the details of `event_id`, or whose path
        holds `path`, where that is named. `retry_after`: seconds, sent as the header."""
        if self._api is None:
            raise RuntimeError("API faults need the fixture congress_api")
        kind = str(kind)
        if kind not in FAULTS:
            raise ValueError(f"no API fault '{kind}'; there are: {', '.join(FAULTS)}")
        rest = (times, path, event_id, retry_after)
        if share is not None and any(one is not None for one in rest):
            raise ValueError("a share is of all requests: give it alone")
        # What marks rows of lists does so by share.
        if kind == "bad-row" and rest == (None,) * len(rest):
            share = 1.0 if share is None else share
        fault = ApiFault(
            self._api,
            kind,
            times=times,
            share=share,
            path=path,
            event_id=None if event_id is None else str(event_id),
            retry_after=retry_after,
            strict=strict,
        )
        self._made.append(fault)
        return fault

    def locked(self, db: str | os.PathLike[str], seconds: float | None = None) -> Locked:
        """Another program has the database's write lock, during the block or for some `seconds`.

        The updater waits 30 seconds for it; `make_updater(wait_seconds=0.1)` is done sooner.
        """
        lock = Locked(db, seconds)
        self._made.append(lock)
        return lock

    def disarm_all(self) -> None:
        """No fault is left, whatever a test did."""
        while self._made:
            self._made.pop().disarm()

    def _fault(self, what: str, point: str, **order: Any) -> Fault:
        fault = Fault(what, point, **order)
        self._made.append(fault)
        return fault
