"""A checkout's own notifier that prints, hangs or ends the process: the run goes its way."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import Settings
from helpers_run import COMMAND, World, command, meeting, tool, update
from updaters import notifier
from updaters.notifier import Notifier, get_notifier

OWN = """
{top}
class Theirs:
    def send(self, title, message, severity="error", metadata=None):
        {send}
def get_notifier():
    {make}
    return Theirs()
"""


def own(folder: Path, send: str = "pass", make: str = "pass", top: str = "") -> None:
    """Their notifications.py."""
    text = OWN.format(top=top, send=send, make=make)
    (folder / "notifications.py").write_text(f"import os, sys, time\n{text}")


def test_what_it_prints_goes_to_stderr(world: World) -> None:
    world.sandbox.faults = {"500": 1.0}
    own(world.folder, "print('SENT', title)", "print('MADE')", "print('LOADED')")
    done = update(world, code=1)
    assert json.loads(done.stdout)["error_count"] == 1
    for word in ("LOADED", "MADE", "SENT"):
        assert word in done.stderr
    out = tool(world, "notify-test", NOTIFICATION_ENABLED="true")
    assert out.stdout.startswith("The test notification was handed to notifications.Theirs")
    assert "SENT" in out.stderr


def test_what_it_prints_too_late_does_not_spoil_the_metrics(world: World) -> None:
    """A thread of its own goes on when the run is over."""
    world.put(meeting(1))
    top = (
        "import threading\n"
        "def talk():\n"
        "    while True: print('TALK'); time.sleep(0.001)\n"
        "threading.Thread(target=talk, daemon=True).start()"
    )
    own(world.folder, top=top)
    done = update(world)
    assert json.loads(done.stdout)["hearings_added"] == 1
    assert "TALK" in done.stderr


@pytest.mark.parametrize("where", ["top", "make"])
def test_one_that_does_not_come_up_is_done_without(
    make_settings: Callable[..., Settings],
    clean_env: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
) -> None:
    # Each is asked for its own end, so that no thread outlives the test for long.
    own(clean_env, **{where: "[time.sleep(0.01) for _ in range(200)]"})
    monkeypatch.syspath_prepend(clean_env)
    monkeypatch.setattr(notifier, "TIME_LIMIT", 0.3)
    assert isinstance(get_notifier(make_settings()), Notifier)
    assert caplog.messages == ["notifications cannot be used: no answer within 0.3 seconds"]
    sys.modules.pop("notifications", None)


@pytest.mark.parametrize("where", ["top", "make"])
def test_one_that_exits_is_done_without(world: World, where: str) -> None:
    world.put(meeting(1))
    own(world.folder, **{where: "sys.exit(3)"})
    done = update(world)
    assert json.loads(done.stdout)["hearings_added"] == 1
    assert "notifications cannot be used: it ended by SystemExit(3)" in done.stderr
    assert "has not answered" not in done.stderr


def test_one_that_exits_when_it_sends_is_told_of(world: World) -> None:
    world.sandbox.faults = {"500": 1.0}
    own(world.folder, "sys.exit(3)")
    done = update(world, code=1)
    assert json.loads(done.stdout)["error_count"] == 1
    assert "Could not notify: SystemExit: 3" in done.stderr
    assert "has not answered" not in done.stderr
    done = command(
        world.folder,
        world.sandbox.url,
        *COMMAND,
        "notify-test",
        code=1,
        NOTIFICATION_ENABLED="true",
    )
    assert "could not send: RuntimeError: it ended by SystemExit(3)" in done.stderr
