"""`hearing-updater adopt`: an existing checkout runs the native updater, and goes back."""

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import updaters
from helpers_adopt import CLASHING, INIT, Checkout, adopt
from helpers_run import meeting
from updaters.sandbox import Sandbox

#: What an adopted checkout has to import.
OURS = str(Path(updaters.__file__).with_name("daily_updater.py"))

#: The console script: it is not in the checkout, and has the installed package first.
CONSOLE = (
    "import sys; sys.path[0] = '/'; sys.argv[0] = 'hearing-updater'\n"
    "from updaters.cli import main; sys.exit(main())"
)


@pytest.fixture
def checkout(clean_env: Path) -> Checkout:
    return Checkout(clean_env / "my hearings")


@pytest.fixture
def api() -> Iterator[Sandbox]:
    with Sandbox(meetings=0) as sandbox:
        for number in (1, 2, 3):
            sandbox.set_meeting(meeting(number))
        yield sandbox


def logged(checkout: Checkout) -> list[tuple[str, int | None]]:
    """(trigger_source, schedule_id) of the runs."""
    with closing(sqlite3.connect(checkout.folder / "theirs.db")) as db:
        return db.execute(
            "SELECT trigger_source, schedule_id FROM update_logs ORDER BY log_id"
        ).fetchall()


def works_everywhere(checkout: Checkout, whose: str) -> None:
    """Everything that people start, in a process of its own; whose updater it is."""
    before = len(logged(checkout))
    assert checkout.whose() == whose
    assert checkout.run(program="scripts/nightly.sh").returncode == 0
    assert checkout.run("scripts/once.py").stdout.splitlines()[-1] == "True"
    assert "checked 3" in checkout.run("manage.py", "update").stdout
    code = (
        "from api.cron import app\n"
        "answer = app.test_client().post('/api/cron/scheduled-update/7').json\n"
        "assert answer['success'] and answer['metrics']['hearings_checked'] == 3, answer"
    )
    checkout.run("-c", code)
    assert logged(checkout)[before:] == [
        ("manual", None),
        ("admin_manual", None),
        ("vercel_cron", 7),
    ]
    done = checkout.run("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert " passed" in done.stdout and "failed" not in done.stdout
    # Theirs is told of trouble, in its own way.
    (checkout.folder / "sent.txt").unlink(missing_ok=True)
    checkout.run("-m", "updaters.daily_updater", code=1, API_BASE_URL="http://127.0.0.1:9")
    assert "UPDATE" in checkout.read("sent.txt").decode()
    (checkout.folder / "sent.txt").unlink()
    assert "their own" in checkout.run("-m", "scripts.verify_updates").stdout


@pytest.mark.parametrize("files", [{}, CLASHING], ids=["plain", "names-in-both"])
def test_everything_runs_before_and_after_and_after_undo(
    clean_env: Path, api: Sandbox, files: dict[str, str]
) -> None:
    checkout = Checkout(clean_env / "my hearings", files)
    checkout.url = api.url
    before = checkout.tree()
    works_everywhere(checkout, "legacy")
    told = adopt(checkout.folder, "--yes").stdout
    assert "Checked in a new process" in told
    assert ("has modules named updaters.cli, updaters.database" in told) is bool(files)
    assert (checkout.folder / "updaters/daily_updater_legacy.py").is_file()
    works_everywhere(checkout, "native")
    assert checkout.run(
        "-c", "import updaters.daily_updater_legacy as m; print(m._of_old())"
    ).stdout
    done = checkout.run("-c", CONSOLE, "update", "--dry-run")
    assert json.loads(done.stdout)["hearings_checked"] == 3
    checkout.run("-c", CONSOLE, "update", code=1, API_BASE_URL="http://127.0.0.1:9")
    assert "UPDATE" in checkout.read("sent.txt").decode()
    (checkout.folder / "sent.txt").unlink()
    for left in (checkout.folder / "logs").iterdir():
        left.unlink()
    shutil.rmtree(checkout.folder / "backups", ignore_errors=True)
    adopt(checkout.folder, "--undo", "--yes")
    assert checkout.tree() == before
    assert checkout.whose() == "legacy"


#: `updaters/__init__.py` as people have it -> what `from updaters import` it must still give.
SHAPES: dict[str, tuple[bytes | None, str]] = {
    "no file": (None, ""),
    "docstring without a line end": (b'"""Theirs."""', "__doc__"),
    "absolute import, no line end": (b"import updaters.daily_updater as du\nX = du.main", "X, du"),
    "carriage returns": (
        b'"""A\r\nB"""\r\n\r\nfrom .weekly import WeeklyUpdater\r\n',
        "WeeklyUpdater",
    ),
    "future": (
        b'#!/usr/bin/env python\n"""A"""\nfrom __future__ import annotations\n'
        b"from __future__ import (\n    division,\n)\nfrom . import daily_updater\n",
        "daily_updater, annotations",
    ),
    "encoding in the second line": (
        b"\n# -*- coding: latin-1 -*-\nNAME = '\xe4'\nassert len(NAME) == 1 and ord(NAME) == 228\n",
        "NAME",
    ),
    "byte order mark": (b"\xef\xbb\xbfNAME = 1\n", "NAME"),
    "names of ours for something else": (
        b"from .helpers import shout as notices\nsettings = {'theirs': 1}\n"
        b"def notifier(): return 5\n",
        "settings, notices, notifier",
    ),
    "all at once": (
        b"from .daily_updater import *\nfrom . import weekly, helpers\n",
        "weekly, helpers",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_init_of_any_shape_is_extended_and_comes_back(checkout: Checkout, shape: str) -> None:
    source, names = SHAPES[shape]
    init = checkout.folder / "updaters/__init__.py"
    if source is None:
        init.unlink()
    else:
        init.write_bytes(source)
    before = checkout.tree()
    adopt(checkout.folder, "--yes")
    after = init.read_bytes()
    assert (b"\r\n" in after) is (b"\r\n" in (source or b""))
    at = after.index(b"# >>> hearing-updater")
    assert (source or b"").startswith(after[:at].rstrip(b"\n"))
    code = "from updaters.daily_updater import DailyUpdater; DailyUpdater()\n"
    code += "import updaters.weekly, updaters.jobs.nightly\n"
    code += f"from updaters import {names}\n" if names else ""
    if "settings" in names:
        # Also after ours of these names were loaded, which Python makes attributes.
        code += "assert settings == {'theirs': 1} and notifier() == 5 and notices('a') == 'A'\n"
    code += "import sys; print(sys.modules[DailyUpdater.__module__].__file__)"
    assert checkout.run("-c", code).stdout.splitlines()[-1] == OURS
    adopt(checkout.folder, "--undo", "--yes")
    assert checkout.tree() == before


def test_twice_is_harmless_and_so_is_a_dry_run(checkout: Checkout) -> None:
    before = checkout.tree()
    done = json.loads(adopt(checkout.folder, "--dry-run", "--json").stdout)
    assert (done["result"], done["commit"]) == ("planned", [])
    assert [step["do"] for step in done["steps"]] == ["mkdir", "write", "write", "rename"]
    assert checkout.tree() == before
    done = json.loads(adopt(checkout.folder, "--yes", "--json").stdout)
    assert (done["result"], done["python"]) == ("adopted", str(checkout.python))
    now = checkout.tree()
    done = json.loads(adopt(checkout.folder, "--yes", "--json").stdout)
    assert (done["result"], done["steps"]) == ("nothing to do", [])
    assert checkout.tree() == now
    done = json.loads(adopt(checkout.folder, "--undo", "--dry-run", "--json").stdout)
    assert (done["result"], len(done["steps"])) == ("planned", 4)
    assert checkout.tree() == now
    assert json.loads(adopt(checkout.folder, "--undo", "--yes", "--json").stdout)["undo"] is True
    assert checkout.tree() == before
    assert "nothing to undo" in adopt(checkout.folder, "--undo", "--yes").stdout
    assert checkout.tree() == before


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_at_a_terminal_it_asks(checkout: Checkout, answer: str) -> None:
    """Of an undo, which needs no other process."""
    adopt(checkout.folder, "--yes")
    master, slave = os.openpty()
    with os.fdopen(slave) as terminal:
        os.write(master, f"{answer}\n".encode())
        code = 0 if answer == "y" else 1
        done = adopt(checkout.folder, "--undo", code=code, stdin=terminal)
    os.close(master)
    assert "Go on? [y/N]" in done.stderr
    assert (code == 0) is ("Undone." in done.stdout)
    assert (code == 0) is not (checkout.folder / "updaters/daily_updater_legacy.py").exists()


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_requirement_comes_and_goes_with_its_line_ends(checkout: Checkout, end: bytes) -> None:
    source = b"click" + (b"\r\n" if end == b"\r\n" else b"\n") + b"flask  # web" + end
    checkout.write("requirements-local.txt", source)
    adopt(checkout.folder, "--yes")
    now = checkout.read("requirements-local.txt")
    lines = now.splitlines()
    assert lines[:2] == source.splitlines() and len(lines) == 3
    assert lines[2].startswith(b"hearing-updater")
    assert now.endswith(b"\n") is bool(end)
    # What was added to it meanwhile stays.
    checkout.write("requirements-local.txt", now + b"\njinja2")
    told = adopt(checkout.folder, "--undo", "--yes").stdout
    assert "requirements-local.txt was edited since: it keeps the edits" in told
    kept = checkout.read("requirements-local.txt")
    assert [line for line in kept.split() if line] == [*source.split(), b"jinja2"]


def test_a_requirement_that_is_there_stays(checkout: Checkout) -> None:
    checkout.write("requirements-local.txt", b"hearing_updater[notebook]>=0.1\n")
    before = checkout.tree()
    adopt(checkout.folder, "--yes")
    assert checkout.tree()["requirements-local.txt"] == before["requirements-local.txt"]
    (checkout.folder / "requirements-local.txt").unlink()
    told = adopt(checkout.folder, "--yes").stdout
    assert "there is no requirements-local.txt; the line for it is: hearing-updater" in told


def test_edits_since_are_kept(checkout: Checkout) -> None:
    adopt(checkout.folder, "--yes")
    init, legacy = "updaters/__init__.py", "updaters/daily_updater_legacy.py"
    old = checkout.read(legacy)
    checkout.write(init, checkout.read(init) + b"MINE = 1\n")
    checkout.write(legacy, old + b"# mine\n")
    checkout.write("logs/daily.log", b"a line\n")
    told = adopt(checkout.folder, "--undo", "--yes").stdout
    for name in (init, legacy):
        assert f"{name} was edited since: it keeps the edits" in told
    assert "logs/ stays, as there is something in it" in told
    assert checkout.read(init) == INIT + b"MINE = 1\n"
    assert checkout.read("updaters/daily_updater.py") == old + b"# mine\n"
    assert checkout.read("logs/daily.log") == b"a line\n"


def test_an_edited_block_is_left_to_its_editor(checkout: Checkout) -> None:
    adopt(checkout.folder, "--yes")
    init = checkout.read("updaters/__init__.py")
    checkout.write("updaters/__init__.py", init.replace(b"import os\n", b"import os  # mine\n"))
    now = checkout.tree()
    for words in (("--undo", "--yes"), ("--yes",)):
        assert "were edited: take them out by hand" in adopt(checkout.folder, *words, code=1).stderr
        assert checkout.tree() == now


def test_a_formatter_leaves_the_block_alone(checkout: Checkout) -> None:
    adopt(checkout.folder, "--yes")
    ruff = Path(sys.executable).with_name("ruff")
    done = checkout.run("format", "updaters/__init__.py", program=str(ruff))
    assert "1 file" in done.stdout
    adopt(checkout.folder, "--undo", "--yes")
    assert b"hearing" not in checkout.read("updaters/__init__.py").lower()


def test_an_interpreter_without_it_says_what_to_do(checkout: Checkout) -> None:
    """Cron may use another one than the one it was installed for."""
    adopt(checkout.folder, "--yes")
    checkout.make_environment()
    # Its neighbours go on importing.
    (checkout.folder / "updaters/__init__.py").write_bytes(
        checkout.read("updaters/__init__.py").replace(b"from .daily_updater import", b"# ")
    )
    checkout.run("-c", "import updaters.helpers")
    done = checkout.run("-m", "updaters.daily_updater", code=1)
    assert f"which {checkout.python} lacks: install it there" in done.stderr


def test_commands_do_without_a_package_that_does_not_come_up(
    checkout: Checkout, api: Sandbox
) -> None:
    checkout.url = api.url
    adopt(checkout.folder, "--yes")
    broken = checkout.read("updaters/__init__.py") + b"raise RuntimeError('their own')\n"
    checkout.write("updaters/__init__.py", broken)
    done = checkout.run("-c", CONSOLE, "update", "--dry-run")
    assert json.loads(done.stdout)["hearings_checked"] == 3
    told = "updaters/__init__.py cannot be imported (RuntimeError: their own): going on without"
    assert told in done.stderr
