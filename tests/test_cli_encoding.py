"""The commands where stdout's encoding has no letters but English ones."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers_run import COMMAND, MODULE, World, command, environment, meeting
from updaters.sandbox import Sandbox

TITLE = "Hearing on the farms of Peña and 農場"

ENCODINGS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C"},
]


@pytest.fixture
def world(clean_env: Path) -> Iterator[World]:
    """A database with a title that only UTF-8 can take, which changed once."""
    with Sandbox(meetings=0) as sandbox:
        world = World(clean_env, sandbox).init()
        world.put(meeting(1, title="Hearing on farms"))
        world.run()
        world.alter(1, title=TITLE)
        world.run()
        yield world
        world.close()


@pytest.mark.parametrize("variables", ENCODINGS, ids=lambda given: " ".join(given.values()))
def test_a_title_is_printed_by_any_encoding(world: World, variables: dict[str, str]) -> None:
    for words in (
        ("report", "--since", "1d"),
        ("report", "--since", "1d", "--all"),
        ("report", "--since", "1d", "--format", "html"),
        ("history", "1"),
        ("rollback", "--list"),
        ("monitor", "--log", "logs/trial_gate_health.log"),
        ("observe",),
        ("deferred",),
    ):
        # The monitor's codes say what it found.
        done = subprocess.run(
            [sys.executable, *COMMAND, *words],
            cwd=world.folder,
            env=environment(world.folder, world.sandbox.url, **variables),
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert b"Error" not in done.stderr, (words, done.stderr)
        assert done.stdout, words
        if words[0] == "report":
            # As an escape or as it is, but all of it.
            assert b"farms" in done.stdout
            assert re.search(rb"Pe(\xf1|&#241;|\\xf1|\xc3\xb1)a", done.stdout), done.stdout
    done = command(world.folder, world.sandbox.url, *MODULE, **variables)
    assert json.loads(done.stdout)["errors"] == []
