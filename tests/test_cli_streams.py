"""The command line where a stream is closed, full or left by its reader, or the folder is gone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers_run import COMMAND, MODULE, World, environment
from updaters.sandbox import Sandbox


@pytest.fixture
def world(clean_env: Path) -> Iterator[World]:
    """An empty database, and an API with ten meetings."""
    with Sandbox(meetings=10, seed=8, spread_days=5) as sandbox:
        world = World(clean_env, sandbox).init()
        yield world
        world.close()


def shell(world: World, redirection: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run Python with these words and the shell's redirection."""
    done = subprocess.run(
        ["sh", "-c", f'"$0" "$@" {redirection}', sys.executable, *words],
        cwd=world.folder,
        env=environment(world.folder, world.sandbox.url),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("words", [MODULE, (*COMMAND, "update")])
def test_an_update_without_stdout_ends_as_it_went(world: World, words: tuple[str, ...]) -> None:
    done = shell(world, ">&-", *words)
    assert done.returncode == 0, done.stderr
    assert "Daily update completed successfully" in done.stderr
    assert world.value("SELECT COUNT(*) FROM hearings") == 10
    world.sandbox.faults = {"500": 1.0}
    assert shell(world, ">&-", *words).returncode == 1


@pytest.mark.parametrize("words", [MODULE, (*COMMAND, "update")])
def test_an_update_without_stderr_runs_and_prints_its_metrics(
    world: World, words: tuple[str, ...]
) -> None:
    done = shell(world, "2>&-", *words)
    assert done.returncode == 0
    assert json.loads(done.stdout)["hearings_added"] == 10
    assert world.value("SELECT COUNT(*) FROM hearings") == 10
    [log] = (world.folder / "logs").glob("daily_update_*.log")
    assert "Daily update completed successfully" in log.read_text()


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_the_other_commands_do_without_a_stream_too(world: World, redirection: str) -> None:
    for words, code in (
        (["deferred"], 0),
        (["deferred", "--json"], 0),
        (["rollback", "--list"], 0),
        (["history", "1"], 1),
        (["rollback", "--release", "1"], 1),
        (["init"], 1),
        (["--version"], 0),
        (["odd"], 2),
    ):
        done = shell(world, redirection, *COMMAND, *words)
        assert done.returncode == code, (words, done.stderr)
        assert bool(done.stderr) is (code > 0 and redirection == ">&-"), words
        assert bool(done.stdout) is (code == 0 and redirection == "2>&-"), words


def test_a_failed_update_fails_also_where_nobody_reads(world: World) -> None:
    world.sandbox.faults = {"500": 1.0}
    code = (
        "import os, sys\n"
        "from updaters.daily_updater import main\n"
        "reader, writer = os.pipe()\n"
        "os.close(reader)\n"
        "os.dup2(writer, int(sys.argv[1]))\n"
        "sys.exit(main([]))\n"
    )
    assert shell(world, "", "-c", code, "1").returncode == 1
    done = shell(world, "", "-c", code, "2")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error_count"] == 1


@pytest.mark.parametrize("words", [["deferred"], ["deferred", "--json"], ["--version"], ["--help"]])
def test_a_full_disk_is_one_line(world: World, words: list[str]) -> None:
    done = shell(world, ">/dev/full", *COMMAND, *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("words", [(*COMMAND, "deferred"), (*COMMAND, "update"), MODULE])
def test_a_folder_that_is_gone_is_one_line(world: World, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$0" "$@"', sys.executable, *words],
        cwd=world.folder,
        env=environment(world.folder, world.sandbox.url),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.endswith(": the current folder is gone: change to one that exists\n")
    assert done.stderr.count("\n") == 1
