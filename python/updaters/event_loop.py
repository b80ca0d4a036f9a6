"""A run for an event loop: in a thread of its own, with its callback called in the loop."""

import contextlib
import inspect
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from updaters import _native
from updaters.errors import RunCancelled

# asyncio is imported where it is used: a run from cron has no use for it.
if TYPE_CHECKING:
    import asyncio

    from updaters.daily_updater import DailyUpdater
    from updaters.run import Run

#: So long the loop may take to run a callback, in seconds; then it counts as failed.
CALLBACK_LIMIT = 30.0
#: So often a thread that waits for the loop looks whether it still should.
_SLICE = 0.1

#: `.call`: what the current thread works for.
_thread = threading.local()


class LoopCall:
    """One awaited call of an updater's `run_daily_update`."""

    def __init__(
        self, updater: "DailyUpdater", callback: Callable[[dict[str, Any]], object] | None
    ) -> None:
        self._updater = updater
        self._callback = callback
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run: Run | None = None
        self._cancelled = False

    @classmethod
    def attach(cls, run: "Run", updater: "DailyUpdater") -> None:
        """Tell the call that this thread works for, if there is one, of its run."""
        call = getattr(_thread, "call", None)
        if isinstance(call, cls) and call._updater is updater:
            call._run = run
            # Cancelled before it had begun; the other order is seen to by `_cancel`.
            if call._cancelled:
                run.cancel()

    async def run(self, dry_run: bool) -> dict[str, Any]:
        """The run's result. Cancelled, it waits until the run is wound down."""
        import asyncio

        self._loop = asyncio.get_running_loop()
        work = asyncio.ensure_future(_native.in_thread(lambda: self._work(dry_run)))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._cancel()
            while not work.done():
                # Cancelled once more: it is being wound down already.
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({work})
            with contextlib.suppress(RunCancelled):
                work.result()
            raise

    def _work(self, dry_run: bool) -> dict[str, Any]:
        _thread.call = self
        try:
            callback = None if self._callback is None else self._tell
            return self._updater.run_daily_update(dry_run, callback)
        finally:
            _thread.call = None

    def _cancel(self) -> None:
        self._cancelled = True
        # None where the call was refused: the run under way is somebody else's.
        if self._run is not None:
            self._run.cancel()

    def _tell(self, info: dict[str, Any]) -> None:
        """Have the loop run the callback, and wait for it; what it raises is raised here."""
        import asyncio
        from concurrent.futures import wait

        loop = self._loop
        if self._cancelled or loop is None:
            return
        told = self._told(info)
        try:
            answer = asyncio.run_coroutine_threadsafe(told, loop)
        except RuntimeError:
            told.close()
            raise
        deadline = time.monotonic() + CALLBACK_LIMIT
        while not wait([answer], _SLICE).done:
            if loop.is_closed():
                told.close()
                raise RuntimeError("the event loop was closed")
            if self._cancelled:
                answer.cancel()
                return
            if time.monotonic() > deadline:
                answer.cancel()
                raise TimeoutError(f"the event loop took longer than {CALLBACK_LIMIT:g} seconds")
        answer.result()

    async def _told(self, info: dict[str, Any]) -> None:
        if self._callback is not None:
            outcome = self._callback(info)
            if inspect.isawaitable(outcome):
                await outcome
