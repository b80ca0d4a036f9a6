"""Joins a checkout's own `updaters/` with the installed one.

The block that `hearing-updater adopt` puts into the checkout's `updaters/__init__.py` calls `join`.
Then `updaters.daily_updater` and what it needs come from here, everything else from the checkout.
A name that both have stays the checkout's; what is ours by that name is then to be had as
`updaters._installed.NAME`, and our own modules, whose imports are told apart, get that one.
Nothing here may import another module of ours: it could be the checkout's.
"""

import builtins
import contextlib
import importlib
import importlib.machinery
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

PACKAGE = "updaters"
MODULE = "daily_updater"
#: Names that the native part asks for itself: a checkout cannot have modules of these names.
NEEDED = frozenset({"_adopted", "_installed", "_native", "errors", "logs", "values"})
#: What the block in a checkout's `__init__.py` begins with.
MARK = "# >>> hearing-updater "
HERE = os.path.dirname(os.path.abspath(__file__))
_INSTALLED = f"{PACKAGE}._installed"
_SUFFIXES = tuple(importlib.machinery.all_suffixes())


def names_in(folder: str) -> set[str]:
    """The modules and packages of a folder, by name; a folder without any module is none."""
    found = set()
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIXES):
                found.add(entry.name.partition(".")[0])
            elif entry.is_dir() and entry.name.isidentifier() and entry.name != "__pycache__":
                with contextlib.suppress(OSError):
                    if any(name.endswith(_SUFFIXES) for name in os.listdir(entry.path)):
                        found.add(entry.name)
    return found - {"__init__", "__main__"}


def join(path: list[str], bound: Iterable[str] = ()) -> None:
    """Make ours importable beside the checkout's; `path` is its `__path__`, with our folder last.

    `bound` are names of ours that its `__init__.py` uses for something else.
    """
    theirs = {name for folder in path if folder != HERE for name in names_in(folder)}
    both = (theirs & names_in(HERE)) | set(bound)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _ours(finder)]
    if not both:
        return
    sys.meta_path.insert(0, _Finder(frozenset(both - {MODULE})))
    if MODULE in both:
        logging.getLogger(f"{PACKAGE}.{MODULE}").warning(
            "%s is there again and not used, as the installed module takes its place: "
            "run hearing-updater adopt again, or hearing-updater adopt --undo",
            os.path.join(path[0], f"{MODULE}.py"),
        )


def _ours(finder: Any) -> bool:
    # By name: whoever throws `updaters` out of `sys.modules` gets another class.
    return type(finder).__module__ == __name__


class _Finder:
    """Finds our modules where the checkout has some of the same names."""

    def __init__(self, both: frozenset[str]) -> None:
        self.both = both

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        parts = name.split(".")
        if parts[0] != PACKAGE or len(parts) == 1 or parts[1] in self.both:
            return None
        if name == _INSTALLED:
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [HERE]
            return spec
        where = [HERE] if name == f"{PACKAGE}.{MODULE}" else path
        found = importlib.machinery.PathFinder.find_spec(name, where, target)
        if found is None or not (found.origin or "").startswith(HERE + os.sep):
            return None
        if type(found.loader) is importlib.machinery.SourceFileLoader:
            found.loader = _Loader(name, found.loader.path, importing_ours(self.both))
        return found


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module of ours with an `import` of its own."""

    def __init__(self, name: str, path: str, importer: Callable[..., Any]) -> None:
        super().__init__(name, path)
        self.importer = importer

    def exec_module(self, module: ModuleType) -> None:
        names = vars(module)
        names["__builtins__"] = {**vars(builtins), "__import__": self.importer}
        code = super().get_code(module.__name__)
        if code is not None:
            exec(code, names)

    def get_code(self, fullname: str) -> Any:
        # Only `python3 -m` asks, which would run it with the usual `import`.
        if fullname == f"{PACKAGE}.{MODULE}":
            return compile(
                f"from {fullname} import main\nraise SystemExit(main())", fullname, "exec"
            )
        return super().get_code(fullname)


def importing_ours(both: frozenset[str]) -> Callable[..., Any]:
    """`__import__` as it is, but `updaters.NAME` is ours where the checkout has that name too."""

    def importer(
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        first, _, rest = name.partition(".")
        if level == 0 and first == PACKAGE and fromlist:
            if not rest and not both.isdisjoint(fromlist):
                given = {one: _member(one, both) for one in fromlist}
                return SimpleNamespace(**given)
            if rest.partition(".")[0] in both:
                name = f"{_INSTALLED}.{rest}"
        return builtins.__import__(name, globals, locals, fromlist or (), level)

    return importer


def _member(name: str, both: frozenset[str]) -> Any:
    """What `from updaters import NAME` gives to a module of ours."""
    if name in both:
        return importlib.import_module(f"{_INSTALLED}.{name}")
    package = builtins.__import__(PACKAGE, fromlist=(name,))
    return getattr(package, name, None) or sys.modules[f"{PACKAGE}.{name}"]


def is_adopted(folder: str) -> bool:
    """Whether the checkout in this folder has the block."""
    try:
        with open(os.path.join(folder, PACKAGE, "__init__.py"), encoding="latin-1") as file:
            return any(line.lstrip("\xef\xbb\xbf").startswith(MARK) for line in file)
    except OSError:
        return False


def enter(folder: str) -> ModuleType | None:
    """For a console script, which has loaded ours: go over to the checkout's `updaters`.

    Returns our command line as it is there; None where `folder` is no adopted checkout, or where
    its package cannot be imported, which is warned about.
    """
    if not is_adopted(folder) or os.path.samefile(HERE, os.path.join(folder, PACKAGE)):
        return None
    before = {
        name: module
        for name, module in sys.modules.items()
        if name == PACKAGE or name.startswith(f"{PACKAGE}.")
    }
    if before[PACKAGE].__file__ != os.path.join(HERE, "__init__.py"):
        return None
    for name in before:
        # The native part is loaded once; this module knows its finder by its class.
        if name not in (f"{PACKAGE}._native", __name__):
            del sys.modules[name]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            importlib.import_module(PACKAGE)
        theirs = any(
            "cli" in finder.both for finder in sys.meta_path if isinstance(finder, _Finder)
        )
        where = _INSTALLED if theirs else PACKAGE
        return importlib.import_module(f"{where}.cli")
    except Exception as exc:
        for name in [n for n in sys.modules if n == PACKAGE or n.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]
        sys.modules.update(before)
        logging.getLogger(f"{PACKAGE}.cli").warning(
            "%s cannot be imported (%s: %s): going on without this checkout's own updaters",
            os.path.join(folder, PACKAGE, "__init__.py"),
            type(exc).__name__,
            exc,
        )
        return None
