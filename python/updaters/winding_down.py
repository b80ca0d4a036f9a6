"""The process ends while other threads are inside a run: the runs are wound down first.

Python waits for ordinary threads itself. Those that it does not wait for (daemon threads, and the
thread of `run_daily_update_async` when its loop is gone) would be cut off in the middle of a batch.
"""

import atexit
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from updaters.run import Run

#: So many seconds at most the end of the process waits for runs to wind down.
LONGEST = 10.0
_SLICE = 0.02

_under_way: "set[Run]" = set()


def begun(run: "Run") -> None:
    """To be wound down, until it is `over`."""
    _under_way.add(run)


def over(run: "Run") -> None:
    """There is nothing left to wind down."""
    _under_way.discard(run)


@atexit.register
def _wind_down() -> None:
    deadline = time.monotonic() + LONGEST
    for run in list(_under_way):
        run.abandoned = True
        run.cancel()
    while _under_way and time.monotonic() < deadline:
        time.sleep(_SLICE)


# The runs of other threads of the parent are none of the child's.
os.register_at_fork(after_in_child=_under_way.clear)
