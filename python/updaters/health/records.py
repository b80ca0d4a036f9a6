"""Reading the checks of a health log, however large and however it was damaged."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, BinaryIO

from updaters.errors import UpdaterError
from updaters.health.model import AHEAD, STATUSES
from updaters.health.render import HEADER, RECORD

#: No check of ours is longer.
LONGEST_LINE = 1024 * 1024
#: Records in hand before those that are too old are let go.
MANY = 10_000

_HEADER, _RECORD = HEADER.rstrip().encode(), RECORD.encode()
_TIME = re.compile(rb'\{"time": ?"([^"]{10,40})"')


@dataclass
class Found:
    """The checks of a log that are new enough, and what was passed over."""

    #: (when, the check as `Health.to_dict` gives it), oldest first, one a moment and database.
    checks: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    #: Records that are torn or not ours.
    unreadable: int = 0
    #: Blocks without a record, such as those of a shell script.
    without_record: int = 0
    #: Checks of a moment and database that were there before; the worse one counts.
    duplicates: int = 0
    #: Checks that stand before older ones: the clock was set back.
    unsorted: int = 0
    #: Checks of a time to come.
    future: int = 0


def read(path: str | os.PathLike[str], span: timedelta, now: datetime) -> Found:
    """The checks of the last `span` before the newest one. Raises `UpdaterError`."""
    name = os.fspath(path)
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            raise UpdaterError(f"{name}: not a file, but a health log is one")
        with open(name, "rb") as file:
            return _read(file, span, now)
    except FileNotFoundError:
        raise UpdaterError(
            f"{name} is not there: no check was collected; make some with "
            f"hearing-updater monitor --log {name}"
        ) from None
    except OSError as error:
        raise UpdaterError(f"{name}: cannot be read: {error.strerror or error}") from None


def _read(file: BinaryIO, span: timedelta, now: datetime) -> Found:
    found = Found()
    headers = records = 0
    raw: list[tuple[datetime, bytes]] = []
    newest = last = datetime.min.replace(tzinfo=timezone.utc)
    bound = MANY
    for line in _lines(file):
        if line.startswith(_HEADER):
            headers += 1
            continue
        if not line.startswith(_RECORD):
            continue
        records += 1
        at = _when(line)
        if at is None:
            found.unreadable += 1
            continue
        if at > now + AHEAD:
            found.future += 1
            continue
        found.unsorted += at < last
        last = at
        newest = max(newest, at)
        raw.append((at, line))
        if len(raw) > bound:
            raw = [item for item in raw if item[0] >= newest - span]
            bound = max(MANY, 2 * len(raw))
    found.without_record = max(headers - records, 0)
    recent = [item for item in raw if item[0] >= newest - span]
    # Those of one moment stay in the order of the log.
    _parse(found, sorted(recent, key=lambda item: item[0]))
    return found


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines in bounded memory: of a longer one only its beginning, which is no whole record."""
    while line := file.readline(LONGEST_LINE):
        yield line
        while line and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)


def _when(line: bytes) -> datetime | None:
    """The moment of a record, in UTC; None where it tells none."""
    match = _TIME.match(line, len(_RECORD))
    try:
        at = datetime.fromisoformat(match[1].decode()) if match else None
    except ValueError:
        return None
    if at is None or at.tzinfo is None:
        return None
    return at.astimezone(timezone.utc)


def _parse(found: Found, raw: list[tuple[datetime, bytes]]) -> None:
    # By database, too: cron begins all checks of an hour in the same second.
    checks: dict[tuple[datetime, str], dict[str, Any]] = {}
    for at, line in raw:
        check = _check(line)
        if check is None:
            found.unreadable += 1
            continue
        key = (at, check["database"])
        before = checks.get(key)
        if before is not None:
            found.duplicates += 1
            if STATUSES.index(before["status"]) >= STATUSES.index(check["status"]):
                continue
        checks[key] = check
    found.checks = [(at, check) for (at, _), check in checks.items()]


def _check(line: bytes) -> dict[str, Any] | None:
    """A record, where it has the shape of one."""
    try:
        check = json.loads(line[len(_RECORD) :])
    except (ValueError, RecursionError):
        return None
    if not isinstance(check, dict) or check.get("status") not in STATUSES:
        return None
    findings = check.get("findings")
    if not isinstance(findings, list) or not isinstance(check.get("database"), str):
        return None
    for finding in findings:
        if not isinstance(finding, dict) or finding.get("status") not in STATUSES:
            return None
        texts = (finding.get("name"), finding.get("message"))
        if not all(isinstance(text, str) for text in texts):
            return None
        if not isinstance(finding.get("values"), dict):
            return None
    return check
