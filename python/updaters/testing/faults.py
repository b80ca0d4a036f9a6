"""The faults that `inject` makes: of the native core, of the API, and another program's lock."""

import contextlib
import errno
import os
import subprocess
import sys
from typing import Any

from updaters import _native
from updaters.sandbox import Sandbox
from updaters.testing.blocks import Block

__all__ = ["ApiFault", "Fault", "Locked"]

#: More requests than a test sends.
_ALWAYS = 2**53


class Fault(Block):
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
        since: tuple[str, str] | None = None,
        nth: int = 1,
        times: int | None = 1,
        errno: int = errno.EIO,
        strict: bool = True,
    ) -> None:
        self._point = point
        self._order: dict[str, Any] = {
            "only": only,
            "since": since,
            "nth": nth,
            "times": times,
            "errno": errno,
        }
        self._number: int | None = None
        self._struck = 0
        super().__init__(what, strict=strict)

    @property
    def struck(self) -> int:
        """How often it struck since it was last armed."""
        if self._number is not None:
            return _native.fault_struck(self._number) or 0
        return self._struck

    def _begin(self) -> None:
        self._number = _native.arm_fault(self._point, **self._order)

    def _end(self) -> None:
        if self._number is not None:
            self._struck = _native.disarm_fault(self._number) or 0
            self._number = None

    def _judge(self) -> None:
        if self.strict and not self.struck:
            raise AssertionError(f"{self.what}: nothing came by where it would have failed")


class ApiFault(Block):
    """A fault of the API, in a `with` block or from `arm()` to `disarm()`."""

    def __init__(
        self,
        api: Sandbox,
        kind: str,
        *,
        times: int | None = None,
        share: float | None = None,
        path: str | None = None,
        event_id: str | None = None,
        retry_after: int | None = None,
        strict: bool = True,
    ) -> None:
        self.api = api
        self.kind = kind
        self._times = times
        self._share = share
        self._path = path
        self._event_id = event_id
        self._retry_after = retry_after
        self._order: int | None = None
        self._before = 0.0
        self._first = 0
        self._struck = 0
        super().__init__(f"API fault {kind}", strict=strict)

    @property
    def struck(self) -> int:
        """How many requests met it since it was last armed."""
        if not self.armed:
            return self._struck
        if self._order is not None:
            return self.api.order_met(self._order)
        return self.api.fault_count(self.kind) - self._first

    def _begin(self) -> None:
        if self._share is None:
            self._order = self.api.fail_next(
                self.kind,
                times=_ALWAYS if self._times is None else self._times,
                path=self._path,
                retry_after=self._retry_after,
                event_id=self._event_id,
            )
            return
        self._before = self.api.faults.get(self.kind, 0.0)
        self._first = self.api.fault_count(self.kind)
        self.api.faults = {**self.api.faults, self.kind: self._share}

    def disarm(self) -> int:
        """The API is well again; -> how many requests met the fault."""
        if self.armed:
            self._struck = self.struck
        return super().disarm()

    def _end(self) -> None:
        if self._order is not None:
            # A request may have come since it was asked.
            self._struck = self.api.forget_order(self._order)
            self._order = None
        else:
            # Others may have been armed meanwhile: only this one's share goes back.
            self.api.faults = {**self.api.faults, self.kind: self._before}

    def _judge(self) -> None:
        if self.strict and not self.struck:
            raise AssertionError(f"{self.what}: no request met it")


#: A program of its own: locks of this process would go when anything in it closes the file.
_HOLDER = """
import select, sqlite3, sys
path, seconds = sys.argv[1], float(sys.argv[2])
db = sqlite3.connect("file:" + path + "?mode=rw", uri=True, timeout=5, isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
select.select([sys.stdin], [], [], seconds or None)
db.execute("ROLLBACK")
db.close()
"""


class Locked(Block):
    """Another program holds a database's write lock, until it ends or for some seconds."""

    def __init__(self, db: str | os.PathLike[str], seconds: float | None = None) -> None:
        self._path = os.path.abspath(os.fspath(db))
        self._seconds = seconds
        self._holder: subprocess.Popen[str] | None = None
        super().__init__(f"write lock on {os.path.basename(self._path)}")

    def _begin(self) -> None:
        from urllib.parse import quote

        holder = subprocess.Popen(
            [sys.executable, "-I", "-c", _HOLDER, quote(self._path), str(self._seconds or 0)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None
        if holder.stdout.readline().strip() != "locked":
            _, told = holder.communicate()
            why = told.strip().splitlines()[-1:] or ["no reason given"]
            raise RuntimeError(f"{self._path} could not be locked: {why[0]}")
        self._holder = holder

    def _end(self) -> None:
        if self._holder is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._holder.communicate(timeout=10)
            self._holder.kill()
            self._holder.wait()
            self._holder = None
