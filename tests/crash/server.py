"""Makes processes to be killed, forked from one that has imported everything: each starts at once.

Reads one job a line (JSON) from stdin, answers each with a line: how the process ended.
"""

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crash.state import watch

Job = dict[str, Any]


def _cli(job: Job) -> int:
    from updaters.cli import main

    return main(job["argv"])


def _update(job: Job) -> int:
    from updaters.daily_updater import main

    return main(job["argv"])


def _verify(job: Job) -> int:
    from scripts.verify_updates import main

    return main(job["argv"])


def _backup(job: Job) -> int:
    from updaters.daily_updater import DailyUpdater

    updater = DailyUpdater()
    made = updater._create_database_backup()
    updater.db.close()
    return 0 if made else 1


def _checkpoint(job: Job) -> int:
    """A run whose second batch is said to have failed after its commit."""
    from updaters.daily_updater import BatchResult, DailyUpdater

    class Doubting(DailyUpdater):
        def _process_batch(self, batch: list[Any], batch_number: int, checkpoint: Any) -> Any:
            result = super()._process_batch(batch, batch_number, checkpoint)
            return BatchResult(False, error="doubted") if batch_number == 2 else result

    return _run(Doubting)


def _undone(job: Job) -> int:
    """A run that is undone, as its checks find something."""
    from updaters.daily_updater import DailyUpdater

    class Failing(DailyUpdater):
        def _run_post_update_validation(self) -> None:
            self.metrics.validation_passed = False
            self.metrics.validation_issues = ["so the test says"]

    return _run(Failing)


def _run(cls: type[Any]) -> int:
    updater = cls(lookback_days=10)
    result = updater.run_daily_update()
    updater.db.close()
    return 0 if result["success"] else 1


KINDS: dict[str, Callable[[Job], int]] = {
    "cli": _cli,
    "update": _update,
    "verify": _verify,
    "backup": _backup,
    "checkpoint": _checkpoint,
    "undone": _undone,
}


def _fork(job: Job, work: Callable[[], int]) -> int:
    """-> the child's process id; it does `work` and ends as a program does."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    out = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, out), (2, out)):
        os.dup2(source, target)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["env"])
    raise Done(work())


class Done(SystemExit):
    """A child's way out."""


def _wait(pid: int, kill_after: float | None) -> int:
    """-> the exit code, or minus the signal; kills the process after so many seconds."""
    started = time.monotonic()
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG if kill_after is not None else 0)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if kill_after is not None and time.monotonic() - started >= kill_after:
            os.kill(pid, signal.SIGKILL)
            kill_after = None
        else:
            time.sleep(0.0005)


def serve() -> None:
    """One job after the other, until stdin ends."""
    # Also what a run imports when it comes to it.
    for name in ("config.settings", "scripts.verify_updates", "updaters.cli", "updaters.health"):
        importlib.import_module(name)

    for line in sys.stdin:
        job = json.loads(line)
        reader = None
        if job.get("reader"):
            told = Path(job["reader"])
            reader = _fork(job, lambda at=job["database"], told=told: watch(at, told))
            while not told.exists():
                time.sleep(0.001)
        started = time.monotonic()
        pid = _fork(job, lambda job=job: KINDS[job["kind"]](job))
        status = _wait(pid, job.get("kill_after"))
        answer = {"status": status, "seconds": time.monotonic() - started}
        if reader is not None:
            # It has seen what was left, too.
            time.sleep(0.005)
            os.kill(reader, signal.SIGKILL)
            os.waitpid(reader, 0)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
