"""Asking the checkout's own interpreter, in a fresh process that leaves nothing behind."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from updaters import _native
from updaters._adopted import HERE
from updaters.errors import ConfigurationError, UpdaterError
from updaters.logs import printable

_TIME_LIMIT = 120
_SIGN = "@hearing-updater "

#: What both questions begin with. Older interpreters must be able to read it.
_BEGIN = """
import importlib.util, json, os, sys
folder, given = sys.argv[1], json.loads(sys.argv[2])
def answer(**what):
    sys.stdout.flush()
    os.write(1, ("\\n@hearing-updater " + json.dumps(what) + "\\n").encode())
def build():
    from updaters import daily_updater
    daily_updater.DailyUpdater()
    return daily_updater
"""
#: What is installed there, apart from the checkout; whether it can be used with its settings.
_INSTALLED = """
sys.path[:] = [p for p in sys.path if os.path.realpath(p or ".") != os.path.realpath(folder)]
found = {"python": list(sys.version_info[:3]), "pip": importlib.util.find_spec("pip") is not None}
for entry in sys.path:
    if os.path.isfile(os.path.join(entry, "updaters", "_adopted.py")):
        found["folder"] = os.path.join(os.path.abspath(entry), "updaters")
        break
if "folder" in found:
    try:
        from importlib import metadata
        from updaters import _native
        found["version"] = _native.__version__
        about = metadata.distribution("hearing-updater").read_text("direct_url.json")
        found["origin"] = json.loads(about) if about else None
    except metadata.PackageNotFoundError:
        pass
    except Exception as exc:
        found["trouble"] = "%s: %s" % (type(exc).__name__, exc)
    sys.path.insert(0, folder)
    if "trouble" not in found:
        try:
            found["names"] = dir(build())
        except BaseException as exc:
            found["unusable"] = "%s: %s" % (type(exc).__name__, exc)
answer(**found)
"""
#: Whether everything is found where it should be.
_CHECK = """
def origin(name):
    spec = importlib.util.find_spec(name)
    return spec and spec.origin and os.path.realpath(spec.origin)
try:
    module = build()
    answer(
        module=os.path.realpath(module.__file__),
        version=module._native.__version__,
        neighbours={name: origin("updaters." + name) for name in given},
    )
except BaseException as exc:
    answer(trouble="%s: %s" % (type(exc).__name__, exc))
"""


@dataclass(frozen=True)
class Installed:
    """Our package as the checkout's interpreter has it."""

    folder: str
    version: str
    #: A requirement that installs the same again.
    requirement: str
    #: The names that `updaters.daily_updater` has.
    names: frozenset[str]


def interpreter(folder: Path, given: str | None) -> Path:
    """The checkout's own interpreter, or `ConfigurationError`."""
    if given is not None:
        found = shutil.which(given)
        if found is None:
            raise ConfigurationError(f"--python {given}: there is no such program")
        # As it stands: what a virtual environment's is a link to is another one.
        return Path(os.path.abspath(found))
    for name in (".venv", "venv"):
        path = folder / name / "bin" / "python"
        if os.access(path, os.X_OK):
            return path
    raise ConfigurationError(
        f"{folder} has no .venv/bin/python and no venv/bin/python: give --python with the "
        "interpreter that runs this checkout"
    )


def installed(python: Path, folder: Path) -> Installed:
    """What is installed there; `UpdaterError`, with the command to install it, where it is not."""
    found = _ask(python, folder, _INSTALLED, {})
    number = ".".join(map(str, found["python"]))
    if found["python"] < [3, 10]:
        raise ConfigurationError(
            f"{python} is Python {number}: hearing-updater needs 3.10 or newer"
        )
    if "version" not in found:
        why = found.get("trouble", "it is not installed there, or is too old")
        raise UpdaterError(
            f"{python} cannot import hearing-updater ({printable(why)}); nothing was changed. "
            f"Install it, then run this again: {install_command(python, pip=found['pip'])}"
        )
    if "unusable" in found:
        raise UpdaterError(
            f"the installed updater cannot be used with this checkout's settings "
            f"({printable(found['unusable'])}); nothing was changed"
        )
    return Installed(
        folder=found["folder"],
        version=found["version"],
        requirement=_requirement(found.get("origin"), found["folder"], found["version"]),
        names=frozenset(found["names"]),
    )


def check(python: Path, folder: Path, there: Installed, neighbours: Mapping[str, str]) -> str:
    """Why the checkout does not work as it is now, in one line; empty where it does.

    `neighbours` are the names of its own modules in `updaters/` -> their files.
    """
    found = _ask(python, folder, _CHECK, list(neighbours))
    if "trouble" in found:
        return (
            f"updaters.daily_updater cannot be imported: {printable(found['trouble'].rstrip(': '))}"
        )
    ours = os.path.realpath(os.path.join(there.folder, "daily_updater.py"))
    if found["module"] != ours:
        return f"updaters.daily_updater is {found['module']}, and not {ours}"
    for name, file in neighbours.items():
        if found["neighbours"][name] != os.path.realpath(file):
            return f"updaters.{name} is {found['neighbours'][name]}, and not {file}"
    done = _run(python, folder, "-m", "updaters.daily_updater", "--version")
    if done.returncode or there.version not in done.stdout:
        return f"python3 -m updaters.daily_updater does not run: {_last_line(done.stderr)}"
    return ""


def install_command(python: Path, *, pip: bool = True) -> str:
    """The command that installs what is running here into that interpreter."""
    tool = [str(python), "-m", "pip", "install"] if pip else None
    tool = tool or ["uv", "pip", "install", "--python", str(python)]
    return shlex.join([*tool, _source(HERE) or f"hearing-updater=={_native.__version__}"])


def _source(folder: str) -> str | None:
    """The clone that a package's folder lies in, or a wheel that was built there."""
    clone = Path(folder).parent.parent
    if not (clone / "Cargo.toml").is_file() or not (clone / "pyproject.toml").is_file():
        return None
    wheels = sorted(clone.glob(f"dist/hearing_updater-{_native.__version__}-*.whl"))
    return str(wheels[-1] if wheels else clone)


def _requirement(origin: Any, folder: str, version: str) -> str:
    """A line for pip that installs what is installed, from where it came."""
    url = str((origin or {}).get("url", ""))
    vcs = (origin or {}).get("vcs_info")
    if vcs:
        return f"hearing-updater @ {vcs['vcs']}+{url}@{vcs['commit_id']}"
    if url.startswith("file://"):
        # One that is gone was made for the installation alone.
        from urllib.parse import unquote, urlsplit

        if not os.path.exists(unquote(urlsplit(url).path)):
            url = ""
    source = _source(folder)
    if not url and source:
        url = Path(source).as_uri()
    return f"hearing-updater @ {url}" if url else f"hearing-updater>={version}"


def _ask(python: Path, folder: Path, question: str, given: Any) -> dict[str, Any]:
    done = _run(python, folder, "-c", _BEGIN + question, str(folder), json.dumps(given))
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(_SIGN):
            found: dict[str, Any] = json.loads(line.removeprefix(_SIGN))
            return found
    raise UpdaterError(f"{python} gives no answer: {_last_line(done.stderr)}")


def _run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [str(python), *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIME_LIMIT,
            check=False,
        )
    except OSError as exc:
        raise UpdaterError(f"{python} cannot be run: {exc.strerror}") from None
    except subprocess.TimeoutExpired:
        raise UpdaterError(f"{python} gave no answer within {_TIME_LIMIT} seconds") from None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return printable(lines[-1]) if lines else "no reason given"
