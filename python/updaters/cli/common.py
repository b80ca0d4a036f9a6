"""What the commands share: arguments, signals, one-line errors, tables."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from updaters.errors import ConfigurationError, UpdaterError

if TYPE_CHECKING:
    from config.settings import Settings
    from updaters._native import Database

PROGRAM = "hearing-updater"
FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM: winds a run down like Ctrl-C, with an exit code of its own."""


class Parser(argparse.ArgumentParser):
    """Bad usage is one line; examples keep their line breaks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


class ShowVersion(argparse.Action):
    """`--version`, which looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version", **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        print(f"{PROGRAM} {version()}")
        parser.exit()


def version() -> str:
    """The installed version."""
    from importlib import metadata

    try:
        return metadata.version(PROGRAM)
    except metadata.PackageNotFoundError:
        from updaters import _native

        return _native.__version__


def add_db(parser: argparse.ArgumentParser) -> None:
    """`--db`, as all commands that touch a database have it."""
    parser.add_argument("--db", metavar="FILE", help="the database (default: DATABASE_PATH)")


def current_folder_first() -> None:
    """Console scripts lack the current folder on the path, where a checkout's `config/` is."""
    here = os.getcwd()
    if not any(os.path.abspath(entry or here) == here for entry in sys.path):
        sys.path.insert(0, here)


def settings_for(args: argparse.Namespace) -> "Settings":
    """The settings, with `--db` in place of DATABASE_PATH."""
    from updaters.settings import load_settings

    settings = load_settings()
    choose_database(settings, args.db)
    return settings


def choose_database(settings: Any, path: str | None) -> None:
    """Set the database's path from `--db`, where it was given."""
    if path is None:
        return
    try:
        settings.database_path = path
    except ValueError:
        raise ConfigurationError(f"--db {path!r}: should be the path of a file") from None


def open_database(args: argparse.Namespace, *, read_only: bool = False) -> "Database":
    """The database that `--db` or the settings name; opened at its first use."""
    from updaters._native import Database

    path = settings_for(args).database_path
    if not os.path.exists(path):
        raise UpdaterError(f"{path} is not there: make it with {PROGRAM} init, or give --db FILE")
    database = Database(path, read_only=read_only)
    if "hearings" not in database.table_counts():
        database.close()
        raise UpdaterError(f"{path}: not a hearings database: it has no table hearings")
    return database


def guarded(run: Callable[[], int], prog: str = PROGRAM) -> int:
    """Run a command; whatever goes wrong is one line on stderr and an exit code."""
    previous = _handle_sigterm()
    try:
        code = run()
        sys.stdout.flush()
        return code
    except ConfigurationError as exc:
        return say_error(prog, exc, USAGE)
    except (UpdaterError, OSError) as exc:
        if isinstance(exc, BrokenPipeError):
            return _reader_has_gone()
        return say_error(prog, exc, FAILED)
    except KeyboardInterrupt as exc:
        code = TERMINATED if isinstance(exc, Terminated) else INTERRUPTED
        return say_error(prog, "interrupted", code)
    except ImportError as exc:
        if exc.name == "updaters._native" or "_native" in str(exc):
            text = f"the native part is not built or does not fit this Python ({exc}): run make dev"
            return say_error(prog, text, FAILED)
        raise
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)


def say_error(prog: str, error: object, code: int) -> int:
    """One line on stderr, whatever the text of the error has in it."""
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"{prog}: {text}", file=sys.stderr)
    return code


def _handle_sigterm() -> Any:
    if threading.current_thread() is not threading.main_thread():
        return None

    def stop(signum: int, frame: FrameType | None) -> None:
        # Once: a second one must not break into the winding down.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    return signal.signal(signal.SIGTERM, stop)


def _reader_has_gone() -> int:
    """`hearing-updater ... | head`: nobody reads on, which is no failure of ours."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def print_json(value: Any) -> None:
    """Indented by two, on stdout."""
    print(json.dumps(value, indent=2, default=str))


def print_table(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    widest: int = 60,
    file: TextIO | None = None,
) -> None:
    """Plain aligned text with a heading; long values are cut."""
    lines = [[column.replace("_", " ") for column in columns]]
    lines += [[_cell(row.get(column), widest) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip(), file=file)


def _cell(value: Any, widest: int) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = " ".join(str(value).split())
    return text if len(text) <= widest else text[: widest - 3] + "..."
