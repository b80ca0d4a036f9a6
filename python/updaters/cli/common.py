"""What the commands share: arguments, signals, one-line errors, tables."""

import _thread
import argparse
import contextlib
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from updaters.errors import ConfigurationError, UpdaterError
from updaters.logs import OnceFilter, printable

if TYPE_CHECKING:
    from config.settings import Settings
    from updaters._native import Database

PROGRAM = "hearing-updater"
FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143
#: What some encoding ends in an error with.
_INTOLERANT = ("strict", "surrogateescape")
#: So many seconds after a first Ctrl-C or SIGTERM, another does not break into the winding down.
UNDISTURBED = 1.0
#: So many seconds after the one that does, the process ends, whatever it is at.
AT_LAST = 3.0
#: So many seconds after one was lost, it is raised again.
_AGAIN = 0.02


class Terminated(KeyboardInterrupt):
    """SIGTERM: winds a run down like Ctrl-C, with an exit code of its own."""


class Parser(argparse.ArgumentParser):
    """Bad usage is one line; examples keep their line breaks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        # A command's own parser tells of what it does not know, else the topmost one does.
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {printable(message)} (see {self.prog} --help)\n")


class ShowVersion(argparse.Action):
    """`--version`, which looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version", **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        # As argparse prints a help; `flushed` tells of what cannot be written.
        with contextlib.suppress(OSError):
            say(f"{PROGRAM} {version()}")
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


def begin() -> None:
    """What comes before the arguments are read."""
    open_streams()
    current_folder_first()


def open_streams() -> None:
    """A stream that is closed from the start (`2>&-`) leads nowhere, but it can be written to.

    What an encoding lacks (`PYTHONIOENCODING=latin-1`, a locale of old) is written as an escape.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # Takes the free number too, which would go to a file that is opened later.
            number = os.open(os.devnull, os.O_RDWR)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        # A test's or a notebook's own stream may be of another kind.
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _INTOLERANT:
            stream.reconfigure(errors="backslashreplace")


def current_folder_first() -> None:
    """Console scripts lack the current folder on the path, where a checkout's `config/` is."""
    try:
        here = os.getcwd()
    except FileNotFoundError:  # `guarded` tells of it
        return
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
    except ValueError as exc:
        _, _, why = str(exc).rpartition(": ")
        raise ConfigurationError(f"--db {path!r}: {why}") from None


def open_database(args: argparse.Namespace, *, read_only: bool = False) -> "Database":
    """The database that `--db` or the settings name; opened at its first use."""
    from updaters._native import Database

    path = settings_for(args).database_path
    if not os.path.exists(path):
        raise UpdaterError(f"{path} is not there: make it with {PROGRAM} init, or give --db FILE")
    database = Database(path, read_only=read_only)
    if "hearings" not in database.table_counts():
        database.close()
        raise UpdaterError(
            f"{path}: not a hearings database: it has no table hearings; "
            f"give --db FILE, or make a new one with {PROGRAM} init --db FILE"
        )
    return database


def guarded(run: Callable[[], int], prog: str = PROGRAM) -> int:
    """Run a command; whatever goes wrong is one line on stderr and an exit code."""
    open_streams()
    with _Signals() as signals, _each_warning_once():
        try:
            _need_a_folder()
            code = run()
        except ConfigurationError as exc:
            code = say_error(prog, exc, USAGE)
        except BrokenPipeError:
            # `hearing-updater ... | head`: nobody reads on, which is no failure of ours.
            _lead_nowhere(sys.stdout)
            code = 0
        except (UpdaterError, OSError) as exc:
            code = say_error(prog, exc, FAILED)
        except KeyboardInterrupt as exc:
            signals.put_back()
            code = TERMINATED if isinstance(exc, Terminated) else INTERRUPTED
            say_error(prog, "interrupted", code)
        except ImportError as exc:
            if exc.name != "updaters._native" and "_native" not in str(exc):
                raise
            text = f"the native part is not built or does not fit this Python ({exc}): run make dev"
            code = say_error(prog, text, FAILED)
    return flushed(prog, code)


def _need_a_folder() -> None:
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UpdaterError("the current folder is gone: change to one that exists") from None


def flushed(prog: str, code: int) -> int:
    """The exit code, once all that was printed is out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _lead_nowhere(sys.stdout)
    except OSError as exc:
        # Or Python would try again when it ends, and say so in its own way.
        _lead_nowhere(sys.stdout)
        return code or say_error(prog, f"standard output cannot be written: {exc.strerror}", FAILED)
    return code


def _lead_nowhere(stream: TextIO) -> None:
    """What is still to be written to the stream is lost, without an error."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def say(text: object) -> None:
    """One line on stdout, whatever the text has in it."""
    print(printable(str(text)))


def warn(text: object) -> None:
    """The same on stderr; that nobody reads there changes nothing."""
    try:
        print(printable(str(text)), file=sys.stderr, flush=True)
    except OSError:
        _lead_nowhere(sys.stderr)


def flush_stderr() -> None:
    """As `warn` has it."""
    try:
        sys.stderr.flush()
    except OSError:
        _lead_nowhere(sys.stderr)


def say_error(prog: str, error: object, code: int) -> int:
    """One line on stderr, whatever the text of the error has in it."""
    warn(f"{prog}: {str(error).strip() or type(error).__name__}")
    return code


class _Signals:
    """Ctrl-C and SIGTERM raise: at first, and again where that did not end the run."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._timer: threading.Timer | None = None
        self._previous: dict[int, Any] = {}
        self._hook: Any = None

    def __enter__(self) -> "_Signals":
        if threading.current_thread() is threading.main_thread():
            self._hook, sys.unraisablehook = sys.unraisablehook, self._lost
            self._previous[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._stop)
            # `nohup` and `&` in a script turn Ctrl-C off.
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._previous[signal.SIGINT] = signal.signal(signal.SIGINT, self._stop)
        return self

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        reason, code = (
            (Terminated, TERMINATED)
            if signum == signal.SIGTERM
            else (KeyboardInterrupt, INTERRUPTED)
        )
        if self._first is None:
            self._first = now
            raise reason
        if now - self._first < UNDISTURBED:
            # What winds a run down takes no longer, and is not to be broken into.
            return
        if self._timer is None:
            # What catches this one too is not asked again. The database undoes what is open.
            self._timer = threading.Timer(AT_LAST, os._exit, (code,))
            self._timer.daemon = True
            self._timer.start()
        raise reason

    def _lost(self, lost: "sys.UnraisableHookArgs") -> None:
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            self._hook(lost)
            return
        # Raised in a destructor or the like, where Python prints what is raised, and goes on: once
        # more, when that is over.
        ended = isinstance(lost.exc_value, Terminated)
        number = signal.SIGTERM if ended else signal.SIGINT
        timer = threading.Timer(_AGAIN, self._again, (number,))
        timer.daemon = True
        timer.start()

    def _again(self, signum: signal.Signals) -> None:
        if self._previous:
            self._first = None
            _thread.interrupt_main(signum)

    def put_back(self) -> None:
        """The handlers that were there before."""
        if self._hook is not None:
            sys.unraisablehook, self._hook = self._hook, None
        while self._previous:
            signal.signal(*self._previous.popitem())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.put_back()
        if self._timer is not None:
            self._timer.cancel()


@contextlib.contextmanager
def _each_warning_once() -> Iterator[None]:
    """Of a `.env` with a bad line, which is read again by a checkout's own settings."""
    reader, once = logging.getLogger("dotenv.main"), OnceFilter()
    reader.addFilter(once)
    try:
        yield
    finally:
        reader.removeFilter(once)


def print_json(value: Any, file: TextIO | None = None) -> None:
    """Indented by two, on stdout. That nobody reads it does not change how the command went."""
    file = file or sys.stdout
    try:
        print(json.dumps(value, indent=2, default=str), file=file, flush=True)
    except BrokenPipeError:
        _lead_nowhere(file)


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
    text = printable(" ".join(str(value).split()))
    return text if len(text) <= widest else text[: widest - 3] + "..."
