"""What there is in a checkout, and what stands in the way of adopting it."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

from updaters._adopted import HERE, MODULE, NEEDED, names_in
from updaters.adopt import block, requirements
from updaters.errors import ConfigurationError, UpdaterError

INIT, OLD, LEGACY = (
    "updaters/__init__.py",
    "updaters/daily_updater.py",
    "updaters/daily_updater_legacy.py",
)
#: What may be changed, and committed.
FILES = (INIT, OLD, LEGACY, requirements.FILE)
#: Their own, which the updater uses where they are there.
THEIRS = ("config/settings.py", "notifications", "notifications.py", "scripts/verify_updates.py")
_LARGEST = 2_000_000


def find(path: str) -> Path:
    """The checkout's folder; `ConfigurationError` where there is none of our kind."""
    folder = Path(os.path.realpath(path))
    if not folder.is_dir():
        raise ConfigurationError(f"{path}: there is no such folder")
    own = folder / "updaters"
    if not own.is_dir():
        raise ConfigurationError(
            f"{path} is no checkout to adopt: it has no folder updaters (give the folder that "
            "updaters/daily_updater.py is in, without the updaters)"
        )
    if (own / "_adopted.py").exists():
        raise ConfigurationError(f"{path} is hearing-updater itself, and not a checkout to adopt")
    return folder


def read(folder: Path, name: str) -> bytes | None:
    """What is in a file; None where there is none. No file, or a link to one, is an error."""
    path = folder / name
    for one in (path, *path.parents):
        if one == folder:
            break
        if one.is_symlink():
            raise UpdaterError(
                f"{one} is a symbolic link to {os.readlink(one)}: put the "
                f"{'folder' if one.is_dir() else 'file'} itself in its place, then run this again"
            )
    if not path.exists():
        return None
    if not path.is_file():
        raise UpdaterError(f"{path} is not a file")
    return path.read_bytes()


def refuse_unwritable(folder: Path, *names: str) -> None:
    """Each change makes a new file, so it is the folders that count."""
    for name in names:
        path = folder / name
        if not os.access(path, os.W_OK | os.X_OK):
            raise UpdaterError(f"{path} cannot be written to; nothing was changed")


def refuse_clash(folder: Path, bound: set[str]) -> None:
    """Raise `UpdaterError` where names are taken that our modules cannot do without."""
    for name in sorted(NEEDED & names_in(str(folder / "updaters"))):
        raise UpdaterError(
            f"{folder / 'updaters' / name} has the name of a module that hearing-updater's native "
            "part needs: rename it, and what imports it; nothing was changed"
        )
    for name in sorted(NEEDED & bound):
        raise UpdaterError(
            f"{folder / INIT} gives the name {name} to something, which hearing-updater's native "
            "part needs for a module: choose another; nothing was changed"
        )


def neighbours(folder: Path) -> dict[str, str]:
    """The checkout's own modules in `updaters/`, which stay -> their files."""
    own = folder / "updaters"
    found = {}
    for name in sorted(names_in(str(own)) - {MODULE}):
        for file in (own / name / "__init__.py", own / f"{name}.py"):
            if file.is_file():
                found[name] = str(file)
                break
    return found


def in_both(folder: Path, source: bytes) -> tuple[set[str], set[str]]:
    """Names that we have, too: of the checkout's modules; given to something else by its init."""
    ours = names_in(HERE) - {MODULE}
    return ours & set(names_in(str(folder / "updaters"))), ours & block.bound_names(source)


def wanting(folder: Path, names: frozenset[str]) -> list[tuple[str, str, bool]]:
    """(file, name, whether it imports it): what is asked of the old module that ours lacks."""
    found = []
    for path in _sources(folder):
        source = path.read_bytes()
        if b"daily_updater" not in source:
            continue
        file = str(path.relative_to(folder))
        imported = _imported(source, inside=file.startswith("updaters/"))
        text = source.decode("utf-8", "replace")
        mentioned = set(re.findall(r"\bupdaters\.daily_updater\.([A-Za-z_]\w*)", text))
        found += [(file, name, True) for name in sorted(imported - names - {"*"})]
        found += [(file, name, False) for name in sorted(mentioned - imported - names)]
    return found


def _imported(source: bytes, *, inside: bool) -> set[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    return {
        one.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (
            node.module == f"updaters.{MODULE}"
            or (inside and node.level == 1 and node.module == MODULE)
        )
        for one in node.names
    }


def _sources(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in ("__pycache__", "node_modules")
            and not os.path.exists(os.path.join(where, name, "pyvenv.cfg"))
        )
        for name in sorted(files):
            path = Path(where, name)
            if not name.endswith(".py") or path in (folder / OLD, folder / LEGACY):
                continue
            if not path.is_symlink() and path.stat().st_size <= _LARGEST:
                yield path
