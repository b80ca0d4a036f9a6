"""Paths that mean something else to SQLite, a URL, a shell or a terminal, for every command."""

import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import count
from helpers_hostile import schema
from helpers_run import World, meeting
from scripts import verify_updates
from updaters import _native
from updaters.cli import main
from updaters.database import Database
from updaters.errors import UpdaterError

NAMES = [
    "with spaces and ümläuts \uff12.db",
    "a?mode=memory&cache=shared.db",
    "a#b.db",
    "100%25 %2e%2e%2f.db",
    'o\'brien "quoted" `x`.db',
    "file:x.db?mode=ro",
    ":memory:",
    "-dash.db",
    "line\nbreak \x1b[31m\u202e.db",
    "$(touch stolen);*.db",
    "{0} %s.db",
]


def only(folder: Path, name: str) -> None:
    """Nothing lies in the folder but what belongs to a database of this name."""
    known = {name, "logs", "backups"}
    assert {entry.name for entry in folder.iterdir()} <= known


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("by", ["DATABASE_PATH", "--db"])
def test_every_command_keeps_to_the_file_of_that_name(
    world: World,
    root_logging: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    by: str,
) -> None:
    """Below a folder, as a name alone could be meant as something else: see the next test."""
    world.put(meeting(1))
    for left in world.folder.glob("database.db*"):
        left.unlink()
    path = os.path.join("sub folder?#%", name)
    folder = world.folder / "sub folder?#%"
    given = [f"--db={path}"] if by == "--db" else []
    monkeypatch.setenv("API_BASE_URL", world.sandbox.url)
    monkeypatch.setenv("DATABASE_PATH", path if not given else "another.db")

    def run(*words: str, main: Callable[[list[str]], int] = main) -> str:
        assert main([*words, *given]) == 0
        return capsys.readouterr().out

    run("init")
    only(folder, name)
    run("update")
    assert count(folder / name, "hearings") == 1
    run("rollback", "--list")
    run("history", "1")
    run("deferred")
    assert "Meeting 1" in run("report", "--since", "7d")
    health = json.loads(run("monitor", "--json", "--min-free=0", "--prometheus", "m.prom"))
    assert health["status"] == "ok", health
    assert health["database"].endswith(name)
    for line in (world.folder / "m.prom").read_text().splitlines():
        assert line.isprintable()
        assert re.fullmatch(PROMETHEUS, line), line
    if "\n" not in name:
        assert "% " not in run("monitor", "--print-cron").replace("\\%", "")
    run(main=verify_updates.main)
    run("rollback", "--run", "1")
    assert count(folder / name, "hearings") == 0
    run("restore")
    only(folder, name)
    known = {"sub folder?#%", "logs", "m.prom"}
    assert {entry.name for entry in world.folder.iterdir()} == known


#: A sample in the text format, or a comment.
PROMETHEUS = r'# .*|[a-z_]+\{database="(?:[^"\\\n]|\\["\\n])*"(?:,check="\w+")?\} [-+.e\d]+'


@pytest.mark.parametrize(
    "name",
    [":memory:", "file:x.db", "file::memory:?cache=shared", "file:x?mode=memory", "FILE:/tmp/x",
     "sqlite:///x.db", " ", ""],
)  # fmt: skip
@pytest.mark.parametrize(
    "words",
    [["update"], ["init"], ["rollback", "--list"], ["restore"], ["history", "1"], ["deferred"],
     ["report", "--since", "7d"], ["monitor"], ["trial-gate", "run"]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_what_is_no_path_is_refused_by_every_command(
    clean_env: Path, capsys: pytest.CaptureFixture[str], name: str, words: list[str]
) -> None:
    assert main([*words, f"--db={name}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert "should be the path of a file" in err
    assert os.listdir(clean_env) == []


@pytest.mark.parametrize("name", [":memory:", "file:x.db", "file:x.db?mode=memory"])
def test_from_python_a_name_is_a_name(clean_env: Path, name: str) -> None:
    with pytest.raises(UpdaterError, match=r"is not there|not a database|no such"):
        Database(name).fetch_all("SELECT 1")
    assert os.listdir(clean_env) == []
    _native.init_database(name)
    assert os.listdir(clean_env) == [name]
    database = Database(name)
    database.upsert_hearing({"eventId": "1", "congress": 119})
    database.close()
    assert count(clean_env / name, "hearings") == 1
    _native.copy_database(name, "file:copy.db?mode=memory")
    assert sorted(os.listdir(clean_env)) == sorted([name, "file:copy.db?mode=memory"])
    assert _native.compare_databases(name, "file:copy.db?mode=memory")["differences"] == []
    assert schema(clean_env / name)


def test_a_path_with_a_nul_is_refused(clean_env: Path) -> None:
    with pytest.raises((UpdaterError, ValueError)):
        Database("a\0b.db").fetch_all("SELECT 1")
    with pytest.raises((UpdaterError, ValueError)):
        _native.init_database("a\0b.db")
    assert os.listdir(clean_env) == []
