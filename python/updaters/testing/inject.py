"""Failures on order: a record, a batch, a commit, a rollback, the API, the disk."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal

from updaters import _native
from updaters.sandbox import FAULTS, Sandbox

__all__ = ["ApiFault", "Fault", "Inject"]

#: More requests than a test sends.
_ALWAYS = 1_000_000


class Fault:
    """A fault in the native core: armed in a `with` block, or by `arm()` until `disarm()`.

    A block that ends well without the fault having struck fails the test, unless `strict=False`:
    a test that injects nothing proves nothing.
    """

    def __init__(
        self,
        what: str,
        point: str,
        *,
        only: str | None = None,
        nth: int = 1,
        times: int | None = 1,
        errno: int = errno.EIO,
        strict: bool = True,
    ) -> None:
        self.what = what
        self.strict = strict
        self._order: dict[str, Any] = {"only": only, "nth": nth, "times": times, "errno": errno}
        self._point = point
        self._armed: int | None = None
        self._struck = 0

    @property
    def struck(self) -> int:
        """How often it struck; known once it is disarmed."""
        return self._struck

    def arm(self) -> "Fault":
        """From here on it waits for its moment, in every thread of the process."""
        if self._armed is None:
            self._armed = _native.arm_fault(self._point, **self._order)
        return self

    def disarm(self) -> int:
        """It waits no longer; -> how often it struck. Harmless when it is not armed."""
        if self._armed is not None:
            self._struck += _native.disarm_fault(self._armed) or 0
            self._armed = None
        return self._struck

    def __enter__(self) -> "Fault":
        return self.arm()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.disarm() and self.strict and error is None:
            raise AssertionError(f"{self.what}: nothing came by where it would have failed")

    def __repr__(self) -> str:
        state = "armed" if self._armed is not None else f"struck {self._struck} times"
        return f"<{self.what}, {state}>"


class ApiFault:
    """A fault of the API, in a `with` block or from `arm()` to `disarm()`."""

    def __init__(
        self,
        api: Sandbox,
        kind: str,
        *,
        times: int | None = None,
        share: float | None = None,
        path: str | None = None,
        strict: bool = True,
    ) -> None:
        self.api = api
        self.strict = strict
        self.kind = kind
        self._times = times
        self._share = share
        self._path = path
        self._before: dict[str, float] | None = None
        self._first = 0
        self._struck = 0

    @property
    def struck(self) -> int:
        """How many requests met it."""
        met = [r for r in self.api.requests if r.number > self._first and r.fault == self.kind]
        return len(met) if self._before is not None else self._struck

    def arm(self) -> "ApiFault":
        """From here on requests meet it."""
        if self._before is None:
            self._before = dict(self.api.faults)
            self._first = max((r.number for r in self.api.requests), default=0)
            if self._times is not None or self._path is not None:
                self.api.fail_next(self.kind, times=self._times or _ALWAYS, path=self._path)
            else:
                share = 1.0 if self._share is None else self._share
                self.api.faults = {**self._before, self.kind: share}
        return self

    def disarm(self) -> int:
        """The API is well again; -> how many requests met the fault."""
        if self._before is not None:
            self._struck = self.struck
            self.api.faults = self._before
            self.api.forget_orders()
            self._before = None
        return self._struck

    def __enter__(self) -> "ApiFault":
        return self.arm()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.disarm() and self.strict and error is None:
            raise AssertionError(f"API fault {self.kind}: no request met it")


class Inject:
    """What the fixture `inject` gives. Each method makes a fault that is armed by `with`.

    Faults of the core hold for the whole process. All are disarmed when the test is over.
    """

    def __init__(self, api: Sandbox | None = None) -> None:
        self._api = api
        self._made: list[Fault | ApiFault] = []

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

    def batch(self, number: int = 1, *, times: int | None = 1, strict: bool = True) -> Fault:
        """The batch of this number fails as it begins."""
        return self._fault(
            f"batch {number}", "begun", only=f"batch {number}", times=times, strict=strict
        )

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
        times: int | None = None,
        file: str | None = None,
        strict: bool = True,
    ) -> Fault:
        """The disk is full, or fails, from the `nth` write of SQLite on.

        `file`: counts only writes to the file of this name, without its folder (`database.db`,
        `database.db-wal`, `database.db-journal`); `times`: so many writes fail, then it is well.
        """
        number = {"full": errno.ENOSPC, "io": errno.EIO}[error]
        return self._fault(
            f"disk {error}", "write", only=file, nth=nth, times=times, errno=number, strict=strict
        )

    def api(
        self,
        kind: str = "500",
        *,
        times: int | None = None,
        share: float | None = None,
        event_id: str | None = None,
        path: str | None = None,
        strict: bool = True,
    ) -> ApiFault:
        """Requests meet a fault of `updaters.sandbox.FAULTS`: all of them, the next `times`, or a
        `share` of them (0.0 to 1.0); only those for the details of `event_id`, or whose path
        holds `path`, where that is named."""
        if self._api is None:
            raise RuntimeError("API faults need the fixture congress_api")
        if kind not in FAULTS:
            raise ValueError(f"no API fault '{kind}'; there are: {', '.join(FAULTS)}")
        if event_id is not None:
            path = f"/{event_id}"
        if share is not None and (times is not None or path is not None):
            raise ValueError("a share is of all requests: give it alone")
        fault = ApiFault(self._api, kind, times=times, share=share, path=path, strict=strict)
        self._made.append(fault)
        return fault

    @contextlib.contextmanager
    def locked(self, db: str | os.PathLike[str]) -> Iterator[None]:
        """Another program has the database's write lock during the block."""
        # Python's own SQLite, which keeps other locks than ours: as any other program does.
        other = sqlite3.connect(os.fspath(db), timeout=5, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            yield
        finally:
            if other.in_transaction:
                other.execute("ROLLBACK")
            other.close()

    def disarm_all(self) -> None:
        """No fault is left, whatever a test did."""
        while self._made:
            self._made.pop().disarm()

    def _fault(self, what: str, point: str, **order: Any) -> Fault:
        fault = Fault(what, point, **order)
        self._made.append(fault)
        return fault
