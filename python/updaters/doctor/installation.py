"""The program itself: interpreter, native module, which `updaters.daily_updater` is loaded."""

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from updaters.doctor.model import CRITICAL, OK, WARNING, Check
from updaters.logs import printable

#: Extra -> the packages that it brings.
EXTRAS = {
    "notebook": ("pandas", "matplotlib", "ipykernel"),
    "testing": ("pytest",),
    "trial": ("matplotlib", "psutil", "pytest"),
}
#: What a process of the checkout's would load; the last line counts, as theirs may print on import.
_WHICH = """
import json
import updaters.daily_updater as module
from updaters import _native
print()
print(json.dumps([module.DailyUpdater.__module__, module.__file__, _native.__file__]))
"""
_LEGACY = """
import json
import updaters.daily_updater as module
print()
print(json.dumps([module.DailyUpdater.__module__, module.__file__, None]))
"""
_SECONDS = 60.0


def interpreter() -> Check:
    """The Python that runs this, and the one that `python3` is here."""
    version = platform.python_version()
    values: dict[str, object] = {
        "version": version,
        "executable": sys.executable,
        "platform": platform.platform(),
    }
    text = f"Python {version}, {sys.executable}"
    if sys.platform != "linux":
        advice = "use Linux: elsewhere two SQLite libraries in one process are not safe together"
        return Check("interpreter", CRITICAL, f"{text}, on {sys.platform}", advice, values)
    found = shutil.which("python3")
    values["python3"] = found
    if found and not _imports(found):
        text += f"; python3 is {found}, which does not have hearing-updater"
        advice = f"name {sys.executable} in place of python3, in crontab too, or activate it first"
        return Check("interpreter", WARNING, text, advice, values)
    return Check("interpreter", OK, text, values=values)


def _imports(python: str) -> bool:
    # Not from the current folder: what is installed counts.
    code = "import os, sys; sys.path[:] = [p for p in sys.path if p]; import updaters._native"
    return _run([python, "-c", code], cwd=os.sep).returncode == 0


def native() -> Check:
    """The compiled part."""
    from updaters import _native
    from updaters.cli.common import version

    values = {
        "version": _native.__version__,
        "package": version(),
        "file": _native.__file__,
        "test_build": _native.CRASH_POINTS,
    }
    text = f"native module {_native.__version__}, {_native.__file__}"
    if version() != _native.__version__:
        text += f", beside a package of version {version()}"
        return Check("native module", WARNING, text, "install the wheel again", values)
    if _native.CRASH_POINTS:
        text += ": a development build"
        advice = "make wheel, and install that: it is several times as fast"
        return Check("native module", WARNING, text, advice, values)
    return Check("native module", OK, text, values=values)


def module() -> Check:
    """What `python3 -m updaters.daily_updater` loads in this folder."""
    name = "updaters.daily_updater"
    done = _run([sys.executable, "-c", _WHICH])
    if done.returncode != 0:
        legacy = _run([sys.executable, "-c", _LEGACY])
        if legacy.returncode == 0:
            done = legacy
    values: dict[str, object] = {"file": None, "native": False}
    if done.returncode != 0:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no reason"]
        text = f"{name} cannot be imported here: {printable(last[0])}"
        advice = "mend that import, or install hearing-updater again"
        return Check("daily_updater", CRITICAL, text, advice, values)
    _, file, native_file = json.loads(done.stdout.splitlines()[-1])
    ours = _same(file, Path(__file__).parent.parent / "daily_updater.py")
    values = {"file": file, "native": ours and native_file is not None}
    if ours:
        return Check("daily_updater", OK, f"{name} is ours, {file}", values=values)
    text = f"{name} is the checkout's own, {printable(str(file))}, not the native one"
    return Check("daily_updater", WARNING, text, "hearing-updater adopt .", values)


def extras() -> Check:
    """Optional packages."""
    missing = {
        extra: [name for name in names if importlib.util.find_spec(name) is None]
        for extra, names in EXTRAS.items()
    }
    lacking = {extra: names for extra, names in missing.items() if names}
    values: dict[str, object] = {"missing": lacking}
    if not lacking:
        return Check("extras", OK, f"all there: {', '.join(EXTRAS)}", values=values)
    told = "; ".join(f"{extra} lacks {', '.join(names)}" for extra, names in lacking.items())
    # Nobody needs them for an update.
    advice = f"to use them: pip install 'hearing-updater[{','.join(lacking)}]'"
    return Check("extras", OK, told, advice, values)


def _same(one: str, other: Path) -> bool:
    try:
        return other.samefile(one)
    except OSError:
        return False


def _run(words: list[str], cwd: str | None = None) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            words,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))
