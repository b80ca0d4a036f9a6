"""Reading the updater's own daily logs, however large, for what went wrong and how a run went."""

import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from updaters.logs import mask, printable

__all__ = ["LogScan", "daily_log", "scan"]

#: So much of a line is looked at; the rest is passed over.
LONGEST_LINE = 64 * 1024
#: So many of the last bad lines are kept, and so many characters of each.
KEPT, SHOWN = 5, 300
#: So many of the last announcements of a mode are kept.
MODES = 200
#: A log's time, as text that sorts.
STAMP = "%Y-%m-%d %H:%M:%S"

_BAD = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} - \S+ - (ERROR|CRITICAL) - ")
_MODE = re.compile(
    rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} - \S+ - INFO - "
    rb".{0,8}Batch processing (ENABLED|DISABLED)"
)


@dataclass
class LogScan:
    """What was found in one or more logs."""

    #: Lines at ERROR and at CRITICAL level.
    errors: int = 0
    criticals: int = 0
    #: The last few of them, oldest first, without secrets.
    last: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))
    #: (naive local time as text, whether by batches), oldest first.
    modes: deque[tuple[str, bool]] = field(default_factory=lambda: deque(maxlen=MODES))

    def batched(self, started: str, ended: str) -> bool | None:
        """What a run between two times said of its mode; None where it said nothing."""
        said = [batched for at, batched in self.modes if started <= at <= ended]
        return said[-1] if said else None


def daily_log(folder: str | os.PathLike[str], day: datetime) -> Path:
    """The log of the runs that started on a day."""
    return Path(folder) / f"daily_update_{day:%Y%m%d}.log"


def scan(
    path: Path, found: LogScan, *, since: datetime | None = None, secrets: Iterable[str] = ()
) -> bool:
    """Add what a log has in it; -> False where there is no such log.

    `since` (naive local) leaves out errors that were logged earlier. Raises OSError where it cannot
    be read.
    """
    try:
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(facts.st_mode):
        raise OSError("not a file")
    if since is not None and facts.st_mtime < (since - timedelta(seconds=1)).timestamp():
        return True
    earliest = since.strftime(STAMP).encode() if since is not None else b""
    secrets = list(secrets)
    with path.open("rb") as file:
        for line in _lines(file):
            if (bad := _BAD.match(line)) is not None and bad[1] >= earliest:
                if bad[2] == b"ERROR":
                    found.errors += 1
                else:
                    found.criticals += 1
                text = mask(line.decode("utf-8", "replace").rstrip(), secrets)
                found.last.append(printable(text)[:SHOWN])
            elif (mode := _MODE.match(line)) is not None:
                found.modes.append((mode[1].decode(), mode[2] == b"ENABLED"))
    return True


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The beginnings of the lines, in bounded memory."""
    while line := file.readline(LONGEST_LINE):
        yield line
        while line and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
