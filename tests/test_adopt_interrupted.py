"""An adoption that is killed at any of its system calls, or fails there: it can be undone, or gone
on with, and an updater can be imported at every moment."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers_adopt import Checkout
from updaters import adopt
from updaters.adopt import probe
from updaters.errors import UpdaterError

#: Calls that change something, as Python's own audit names them.
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.utime", "os.chmod", "os.chown")
THERE = probe.Installed(
    "/nowhere", "0.1.0", "hearing-updater>=0.1.0", frozenset({"DailyUpdater", "UpdateMetrics"})
)


class Trap:
    """Does something at the Nth change in a folder. An audit hook cannot be removed: disarm it."""

    def __init__(self) -> None:
        self.left, self.folder, self.act = 0, "", lambda: None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.left:
            return
        writes = event in CHANGES or (
            event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if writes and str(args[0]).startswith(self.folder):
            self.left -= 1
            if self.left == 0:
                self.act()

    def arm(self, folder: Path, number: int, act: Callable[[], Any]) -> None:
        self.left, self.folder, self.act = number, str(folder), act


def plan(folder: Path, undo: bool) -> adopt.Plan:
    if undo:
        return adopt.plan_undo(str(folder))
    return adopt.plan_adoption(str(folder), sys.executable)


def no_probes() -> None:
    """What is asked of other processes is not the subject here."""
    adopt.probe.installed = lambda *_: THERE  # type: ignore[assignment]
    adopt.probe.check = lambda *_: ""  # type: ignore[assignment]
    os.fsync = lambda _: None


def killed_at(trap: Trap, folder: Path, undo: bool, number: int) -> bool:
    """Whether there was a change of this number, at which the process was killed."""
    child = os.fork()
    if child == 0:
        trap.arm(folder, number, lambda: os.kill(os.getpid(), signal.SIGKILL))
        adopt.carry_out(plan(folder, undo))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
    return status != 0


def an_updater_is_there(checkout: Checkout, init: bool) -> None:
    """Without an `__init__.py` the installed package would come before the folder."""
    neighbours = ", updaters.weekly, updaters.jobs.nightly" if init else ""
    checkout.run("-c", f"import updaters.daily_updater{neighbours}")


def drive_kills(where: str, init: bool, undo: bool) -> None:
    """In a process of its own, which forks."""
    checkout = Checkout(Path(where, "checkout"))
    if not init:
        (checkout.folder / "updaters/__init__.py").unlink()
    no_probes()
    # Not to be copied each time.
    checkout.python = Path(shutil.move(checkout.folder / ".venv", where), "bin/python")
    before = checkout.tree()
    if undo:
        adopt.carry_out(plan(checkout.folder, False))
    trap, number, start = Trap(), 0, Path(where, "start")
    shutil.move(checkout.folder, start)
    while True:
        number += 1
        shutil.copytree(start, checkout.folder, symlinks=True)
        killed = killed_at(trap, checkout.folder, undo, number)
        if killed and number % 7 == 1:
            an_updater_is_there(checkout, init)
        # Gone on with, the same way.
        again = Path(where, "again")
        shutil.copytree(checkout.folder, again, symlinks=True)
        adopt.carry_out(plan(again, undo))
        assert not plan(again, undo).steps, number
        adopt.carry_out(plan(checkout.folder, True))
        assert checkout.tree() == before, number
        shutil.rmtree(checkout.folder)
        shutil.rmtree(again)
        if not killed:
            break
    print("changes", number - 1)


@pytest.mark.parametrize("undo", [False, True], ids=["adopting", "undoing"])
@pytest.mark.parametrize("init", [True, False], ids=["package", "namespace"])
def test_killed_at_any_change_it_goes_on_or_back(tmp_path: Path, init: bool, undo: bool) -> None:
    code = f"import test_adopt_interrupted as t; t.drive_kills({str(tmp_path)!r}, {init}, {undo})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # There were some to be killed at.
    assert int(done.stdout.split()[-1]) > (7 if undo else 12)


def test_an_error_at_any_change_puts_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = Checkout(tmp_path / "my hearings")
    monkeypatch.setattr(adopt.probe, "installed", lambda *_: THERE)
    monkeypatch.setattr(adopt.probe, "check", lambda *_: "")
    before, number, trap = checkout.tree(), 0, Trap()

    def fail() -> None:
        raise OSError(28, "No space left on device")

    while not trap.left:
        number += 1
        ready = plan(checkout.folder, False)
        trap.arm(checkout.folder, number, fail)
        try:
            adopt.carry_out(ready)
        except UpdaterError as exc:
            assert str(exc).startswith("[Errno 28] No space left on device; everything was put")
        else:
            # It was beside the point, as a folder that is there already; or there were no more.
            left, trap.left = trap.left, 0
            adopt.carry_out(plan(checkout.folder, True))
            trap.left = left
        assert checkout.tree() == before, number
    trap.left = 0
    assert number > 12
    # What keeps failing cannot be put back, and is told.
    ready = plan(checkout.folder, False)
    monkeypatch.setattr(adopt.files, "forget", lambda *_: fail())
    monkeypatch.setattr(adopt.probe, "check", lambda *_: "it does not run")
    with pytest.raises(UpdaterError, match=r"not everything could .* adopt --undo"):
        adopt.carry_out(ready)


def test_what_changes_while_it_asks_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = Checkout(tmp_path / "my hearings")
    monkeypatch.setattr(adopt.probe, "installed", lambda *_: THERE)
    ready = plan(checkout.folder, False)
    checkout.write("updaters/__init__.py", b"MINE = 1\n")
    now = checkout.tree()
    with pytest.raises(UpdaterError, match="was changed meanwhile: run this again; everything"):
        adopt.carry_out(ready)
    assert checkout.tree() == now
