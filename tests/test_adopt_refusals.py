"""What `hearing-updater adopt` refuses: in one line, and with nothing changed."""

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers_adopt import Checkout, adopt
from helpers_run import AS_ANYBODY
from updaters import cli
from updaters.adopt import probe
from updaters.adopt.files import alone


@pytest.fixture
def checkout(clean_env: Path) -> Checkout:
    return Checkout(clean_env / "my hearings")


Told = Callable[..., str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """What a refusal says on stderr; by our own process, as nothing else is started."""

    def tell(*words: str, code: int) -> str:
        assert cli.main(["adopt", *words]) == code
        found = capsys.readouterr()
        assert found.err.count("\n") == 1 and found.out == ""
        return found.err

    return tell


def test_a_path_that_is_no_checkout(clean_env: Path, told: Told) -> None:
    (clean_env / "a file").write_text("")
    (clean_env / "empty/updaters").mkdir(parents=True)
    ours = str(Path(cli.__file__).parent.parent.parent)
    for path, why in {
        "nowhere": "there is no such folder",
        "a file": "there is no such folder",
        ".": "it has no folder updaters",
        "empty": "it has no updaters/daily_updater.py",
        ours: "is hearing-updater itself",
    }.items():
        for words in (("--yes",), ("--dry-run",)):
            assert why in told(path, *words, code=2)
    assert why in told(ours, "--undo", "--yes", code=2)


def test_bad_usage(checkout: Checkout, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    before, folder = checkout.tree(), str(checkout.folder)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "this is no terminal: give --yes" in told(folder, code=2)
    assert "this is no terminal: give --yes" in told(folder, "--undo", code=2)
    assert "--json cannot ask" in told(folder, "--json", code=2)
    assert "no such program" in told(folder, "--yes", "--python", "nowhere/python", code=2)
    assert "--python does not go with --undo" in told(
        folder, "--undo", "--yes", "--python", "python3", code=2
    )
    shutil.rmtree(checkout.folder / ".venv")
    assert "has no .venv/bin/python and no venv/bin/python" in told(folder, "--yes", code=2)
    assert checkout.tree() == before


BAD: dict[str, tuple[str, bytes | str, str]] = {
    "a syntax error": ("updaters/__init__.py", b"def (\n", "__init__.py cannot be read as Python"),
    "an open string": ("updaters/__init__.py", b'"""A', "__init__.py cannot be read as Python"),
    "a semicolon": ("updaters/__init__.py", b'"""A"""; import os\n', "line 1: put the statement"),
    "carriage returns": ("updaters/__init__.py", b"import os\rimport sys\n", "carriage return"),
    "a name in the init": ("updaters/__init__.py", b"errors = []\n", "gives the name errors"),
    "a module": ("updaters/errors.py", b"", "updaters/errors has the name of a module that"),
    "a native module": ("updaters/_native.so", b"", "updaters/_native has the name of a module"),
    "the other name": ("updaters/daily_updater_legacy.py", b"mine", "legacy.py is in the way"),
    "a folder of its name": ("updaters/daily_updater/x.py", b"", "is a folder beside updaters/da"),
    "a file for the logs": ("logs", b"", "should be a folder, for the logs"),
    "a link for the module": ("updaters/daily_updater.py", "helpers.py", "is a symbolic link to"),
    "a link for the init": (
        "updaters/__init__.py",
        "helpers.py",
        "put the file itself in its place",
    ),
    "a link for the package": ("updaters", "../elsewhere", "put the folder itself in its place"),
    "a link to nowhere": ("logs", "nowhere", "should be a folder, for the logs"),
    "a link of requirements": (
        "requirements-local.txt",
        "manage.py",
        "is a symbolic link to manage",
    ),
    "a neighbour": (
        "updaters/late.py",
        b"def f():\n    from .daily_updater import DailyUpdater, _of_old\n",
        "updaters/late.py uses _of_old of updaters.daily_updater, which the installed module lacks",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_stands_in_the_way_is_named(checkout: Checkout, told: Told, case: str) -> None:
    name, content, why = BAD[case]
    path = checkout.folder / name
    if isinstance(content, bytes):
        checkout.write(name, content)
    else:
        if path.is_dir():
            path.rename(checkout.folder.parent / "elsewhere")
        else:
            path.unlink(missing_ok=True)
        path.symlink_to(content)
    before = checkout.tree()
    assert why in told(str(checkout.folder), "--yes", code=1)
    assert checkout.tree() == before


def test_what_only_tests_and_scripts_want_is_told(checkout: Checkout) -> None:
    checkout.write("scripts/late.py", b"from updaters.daily_updater import _of_old\n")
    checkout.write("tests/test_x.py", b"PATCHED = 'updaters.daily_updater.connect'\n")
    checkout.write("tests/test_y.py", b"PATCHED = 'updaters.daily_updater.DailyUpdater'\n")
    found = adopt(checkout.folder, "--dry-run").stdout
    assert "Note: scripts/late.py uses _of_old of updaters.daily_updater, which the inst" in found
    assert "Note: tests/test_x.py uses connect of updaters.daily_updater, which" in found
    assert "test_y.py" not in found and "test_updates.py" not in found


def test_an_interpreter_without_it(checkout: Checkout, told: Told) -> None:
    checkout.make_environment()
    before = checkout.tree()
    error = told(str(checkout.folder), "--yes", code=1)
    assert f"Install it, then run this again: '{checkout.python}' -m pip install " in error
    assert "nothing was changed" in error
    source = error.strip().rsplit(" ", 1)[1]
    assert source.endswith(".whl") or (Path(source) / "pyproject.toml").is_file()
    assert checkout.tree() == before
    # In an environment that was made without pip.
    command = probe.install_command(checkout.python, pip=False)
    assert command == f"uv pip install --python '{checkout.python}' {source}"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "gives no answer: no reason given"),
        ("echo broken >&2; exit 1", "gives no answer: broken"),
        ('echo \'@hearing-updater {"python": [3, 9, 2], "pip": true}\'', "needs 3.10 or newer"),
    ],
)
def test_an_interpreter_that_will_not_do(
    checkout: Checkout, told: Told, script: str, why: str
) -> None:
    before = checkout.tree()
    other = checkout.folder.parent / "python"
    other.write_text(f"#!/bin/sh\n{script}\n")
    other.chmod(0o755)
    code = 2 if "3.10" in why else 1
    assert why in told(str(checkout.folder), "--yes", "--python", str(other), code=code)
    other.write_text("no program")
    assert "cannot be run" in told(str(checkout.folder), "--yes", "--python", str(other), code=1)
    assert checkout.tree() == before


def test_settings_that_the_updater_cannot_work_with(checkout: Checkout, told: Told) -> None:
    env = checkout.read(".env")
    checkout.write(".env", env + b"POSTGRES_URL=postgres://me:pass@host/db\n")
    before = checkout.tree()
    error = told(str(checkout.folder), "--yes", code=1)
    assert "cannot be used with this checkout's settings" in error
    assert "POSTGRES_URL is set" in error and "pass" not in error.replace("passed", "")
    assert checkout.tree() == before


BROKEN = {
    b"import updaters.daily_updater as du\nassert not hasattr(du, '_native')\n": "AssertionError",
    b"__path__.reverse(); del __path__[0]\n": "cannot import name 'daily_updater'",
    b"__path__.insert(0, __path__[0] + '/jobs')\n": "updaters.nightly is",
}


@pytest.mark.parametrize(("source", "why"), BROKEN.items())
def test_a_check_that_fails_puts_everything_back(
    checkout: Checkout, source: bytes, why: str
) -> None:
    """Their package does not come up any more; or another module would take a neighbour's place."""
    checkout.write("updaters/__init__.py", source)
    checkout.write("updaters/nightly.py", b"")
    before = checkout.tree()
    error = adopt(checkout.folder, "--yes", code=1).stderr
    assert why in error and "; everything was put back as it was" in error
    assert checkout.tree() == before


@pytest.mark.parametrize("where", [".", "updaters"])
def test_a_folder_that_cannot_be_written_to(checkout: Checkout, where: str) -> None:
    for words in ((), ("--undo",)):
        folder = checkout.folder / where
        folder.chmod(0o555)
        before = checkout.tree()
        done = adopt(checkout.folder, "--yes", *words, code=1, before=(*AS_ANYBODY,))
        assert "cannot be written to; nothing was changed" in done.stderr
        assert checkout.tree() == before
        folder.chmod(0o755)
        if not words:
            adopt(checkout.folder, "--yes")


def test_two_at_once(checkout: Checkout, told: Told) -> None:
    before = checkout.tree()
    with alone(checkout.folder):
        done = adopt(checkout.folder, "--yes", code=1)
    assert "is being adopted or undone by another process" in done.stderr
    assert checkout.tree() == before


def test_an_undo_without_the_old_module(checkout: Checkout, told: Told) -> None:
    adopt(checkout.folder, "--yes")
    (checkout.folder / "updaters/daily_updater_legacy.py").unlink()
    before = checkout.tree()
    assert "daily_updater_legacy.py is gone" in told(
        str(checkout.folder), "--undo", "--yes", code=1
    )
    assert checkout.tree() == before


def test_a_path_by_a_link_is_followed(checkout: Checkout) -> None:
    link = checkout.folder.parent / "link"
    link.symlink_to(checkout.folder)
    adopt(link, "--yes")
    assert (checkout.folder / "updaters/daily_updater_legacy.py").is_file()
    assert link.is_symlink()
    adopt(link, "--undo", "--yes")
    assert subprocess.run(["ls", "-A", link / "logs"], check=False, capture_output=True).returncode
