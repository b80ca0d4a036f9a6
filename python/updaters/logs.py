"""Logging for the command line: stderr and a file of the day, with every secret masked."""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from config.settings import Settings

__all__ = ["OnceFilter", "SecretFilter", "mask", "printable", "secrets_of", "set_up_logging"]

FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
MASK = "****"
#: Their addresses have a password in them.
_SERVERS = ("postgres_url", "database_url")
_SHORTEST_PATH = 12
_OURS = "_updaters_own"
#: Control characters, line breaks of every kind, what is invisible or turns the direction of
#: writing, and bytes of a file's name that are no text.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


class Hidden(str):
    """A secret for passing on, which its `repr` does not show."""

    def __repr__(self) -> str:
        return f"'{MASK}'"


def printable(text: str, keep: str = "") -> str:
    """`text` on one line, with escapes such as `\\n` for what a terminal would act upon."""

    def escape(found: re.Match[str]) -> str:
        return found[0] if found[0] in keep else found[0].encode("unicode_escape").decode()

    return _UNSEEN.sub(escape, text)


def secrets_of(settings: Any) -> list[str]:
    """The values that must not be seen, longest first; the public demo key is none."""
    names = ("notification_webhook_url", "api_key", "sendgrid_api_key", *_SERVERS)
    values = [getattr(settings, name, None) for name in names]
    hook = values[0] if isinstance(values[0], str) else ""
    # The path of a webhook is its password, which other libraries name without the host.
    path = re.sub(r"^\w+://[^/]*", "", hook)
    if len(path) >= _SHORTEST_PATH:
        values.append(path)
    found = {value for value in values if isinstance(value, str) and value}
    return sorted(map(Hidden, found - {"DEMO_KEY"}), key=len, reverse=True)


def mask(text: str, secrets: Iterable[str], *, anywhere: bool = False) -> str:
    """`text` without the secrets, however they are coded, and without the value of any `api_key=`.

    One that could be a word goes only where it is called a key, unless `anywhere`.
    """
    from updaters._native import redact

    return redact(_whole(text), [_whole(secret) for secret in secrets], anywhere)


def _whole(text: str) -> str:
    """Bytes of a file's name that are no text, which native strings cannot hold, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


class SecretFilter(logging.Filter):
    """Masks secrets in messages, in their arguments and in the text of exceptions; a message stays
    on one line, whatever handler writes it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self.secrets = list(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # Arguments that do not fit their format: logging itself will complain about them.
            return True
        clean = printable(mask(message, self.secrets))
        if clean != message:
            record.msg, record.args = clean, None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = mask(record.exc_text, self.secrets)
        if record.stack_info:
            record.stack_info = mask(record.stack_info, self.secrets)
        return True


class OnceFilter(logging.Filter):
    """Lets each message pass once."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        known = message in self._seen
        self._seen.add(message)
        return not known


class _LineFormatter(logging.Formatter):
    """One line a record, and below it only a traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), keep="\n\t")


class _ProgressHandler(logging.Handler):
    """Writes through the progress bar's console, so that bar and lines do not tear."""

    def __init__(self, console: Any) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.console.print(
                self.format(record), markup=False, highlight=False, soft_wrap=True, emoji=False
            )
        except Exception:
            self.handleError(record)


class _FileHandler(logging.FileHandler):
    """Gives up where the file cannot be written any more (a full disk), and says so once."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            # What is still in its buffers, and what comes, is lost without another error.
            if self.stream is not None:
                os.dup2(nowhere.fileno(), self.stream.fileno(), inheritable=False)
        logging.getLogger("updaters.logs").warning(
            "The log ends here: %s cannot be written (%s); logging to stderr only",
            os.path.relpath(self.baseFilename),
            error.strerror or error,
        )


def set_up_logging(
    settings: "Settings",
    *,
    quiet: bool = False,
    console: Any = None,
    stream: TextIO | None = None,
    folder: str | Path | None = "logs",
) -> Path | None:
    """Send logs to stderr (or a progress bar's console) and to today's file in `folder`.

    `quiet` leaves warnings and worse on stderr; the file gets everything. Returns the file, or
    None where it cannot be written, which is warned about once.
    """
    level = logging.getLevelName(settings.log_level)
    root = logging.getLogger()
    for handler in list(root.handlers):
        # Ours of an earlier call, and what a module's `basicConfig` left: lines would be doubled.
        if hasattr(handler, _OURS) or type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
            if hasattr(handler, _OURS):
                handler.close()
    root.setLevel(level)
    # Third-party chatter is not what LOG_LEVEL=DEBUG asks for.
    for name in ("urllib3", "asyncio", "markdown_it"):
        logging.getLogger(name).setLevel(max(level, logging.INFO))

    screen: logging.Handler
    if console is not None:
        screen = _ProgressHandler(console)
    else:
        screen = logging.StreamHandler(stream or sys.stderr)
    screen.setLevel(max(level, logging.WARNING) if quiet else level)
    handlers: list[logging.Handler] = [screen]
    file, trouble = None, None
    if folder is not None:
        file = Path(folder) / f"daily_update_{datetime.now():%Y%m%d}.log"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(_FileHandler(file, encoding="utf-8"))
        except OSError as exc:
            trouble = exc.strerror or str(exc)
    for handler in handlers:
        setattr(handler, _OURS, True)
        handler.setFormatter(_LineFormatter(FORMAT))
        handler.addFilter(SecretFilter(secrets_of(settings)))
        root.addHandler(handler)
    if trouble is not None:
        logging.getLogger("updaters.logs").warning(
            "No log file: %s cannot be written (%s); logging to stderr only", file, trouble
        )
        return None
    return file
