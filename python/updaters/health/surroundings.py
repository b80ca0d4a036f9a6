"""What is around the database: today's log, the updater's lock, the disk."""

import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from updaters import _native
from updaters.errors import UpdaterError
from updaters.health.log_scan import LogScan, daily_log, scan
from updaters.health.model import CRITICAL, MB, OK, WARNING, Finding, Limits, counted
from updaters.logs import printable, secrets_of

#: So much of yesterday's log counts: what was logged after the last check of the day.
YESTERDAY = timedelta(minutes=90)
#: A run that takes longer may hang.
LONG_RUN_HOURS = 6.0


@dataclass(frozen=True)
class Surroundings:
    """Where and when a check is made."""

    path: str
    limits: Limits
    #: Local, with its offset.
    now: datetime
    log_folder: Path
    settings: Any
    #: What today's log told.
    logged: LogScan


def moment(text: str | None) -> datetime | None:
    """A naive local time, as the database and lock file have it; None for what is no time."""
    try:
        return datetime.fromisoformat(text or "").astimezone()
    except (ValueError, OverflowError):
        return None


def hours_since(text: str | None, now: datetime) -> float | None:
    """The age of such a time; None for no time."""
    then = moment(text)
    if then is None:
        return None
    # A clock that was set back makes nothing younger than now.
    return round(max((now - then).total_seconds(), 0.0) / 3600, 2)


def todays_log(around: Surroundings) -> Finding:
    """Lines at ERROR or CRITICAL level in the updater's log; also fills `around.logged`."""
    now, logged = around.now.replace(tzinfo=None), around.logged
    secrets = secrets_of(around.settings)
    today = daily_log(around.log_folder, now)
    yesterday = daily_log(around.log_folder, now - timedelta(days=1))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    files = []
    try:
        if now - YESTERDAY < midnight and scan(
            yesterday, logged, since=now - YESTERDAY, secrets=secrets
        ):
            files.append(str(yesterday))
        if scan(today, logged, secrets=secrets):
            files.append(str(today))
    except OSError as error:
        text = f"{today}: cannot be read: {error.strerror or error}"
        return Finding("log", WARNING, text, {"errors": None, "criticals": None})
    values = {
        "errors": logged.errors,
        "criticals": logged.criticals,
        "last": list(logged.last),
        "files": files,
    }
    kinds = ((logged.criticals, "critical error"), (logged.errors, "error"))
    if bad := [counted(number, what) for number, what in kinds if number]:
        status = CRITICAL if logged.criticals else WARNING
        return Finding("log", status, f"{' and '.join(bad)} in today's log", values)
    text = "no errors in today's log" if files else f"nothing was logged today ({today})"
    return Finding("log", OK, text, values)


def lock(around: Surroundings) -> Finding:
    """Whether an update (a rollback, a restore) is running, or was killed."""
    try:
        found = _native.look_at_lock(around.path)
    except UpdaterError as error:
        return Finding("updater", WARNING, str(error), {"running": None, "stale_lock": None})
    if found is None:
        values: dict[str, Any] = {"running": False, "stale_lock": False}
        return Finding("updater", OK, "no update is running", values)
    values = {
        "running": found["held"],
        "stale_lock": not found["held"],
        **{key: found[key] for key in ("pid", "host", "since", "what")},
    }
    what, pid, since = printable(found["what"]), found["pid"], printable(found["since"])
    if not found["held"]:
        text = (
            f"a {what} was killed (process {pid}, since {since}); "
            "its lock does not keep the next one out"
        )
        return Finding("updater", WARNING, text, values)
    text = f"a {what} is running: process {pid}, since {since}"
    hours = hours_since(found["since"], around.now)
    if hours is not None and hours > LONG_RUN_HOURS:
        return Finding("updater", WARNING, f"{text}, which is {hours:.0f} hours", values)
    return Finding("updater", OK, text, values)


def disk(around: Surroundings) -> Finding:
    """The free space where the database is."""
    folder = os.path.dirname(os.path.realpath(around.path))
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        text = f"{folder}: the free space cannot be told: {error.strerror or error}"
        return Finding("disk", WARNING, text, {"free_bytes": None})
    size, least = size_of(around.path), around.limits.min_free_mb * MB
    warn_below, critical_below = int(max(least, 2 * size)), int(max(least / 10, size))
    values = {
        "free_bytes": usage.free,
        "total_bytes": usage.total,
        "warn_below": warn_below,
        "critical_below": critical_below,
    }
    text = f"{usage.free / MB:,.0f} MB free of {usage.total / MB:,.0f} MB"
    for status, bound in ((CRITICAL, critical_below), (WARNING, warn_below)):
        if usage.free < bound:
            text += f", less than {bound / MB:,.0f} MB"
            return Finding("disk", status, text, values)
    return Finding("disk", OK, text, values)


def size_of(path: str) -> int:
    """A database's size in bytes, with what its WAL holds; 0 where it is not there."""
    size = 0
    for name in (path, f"{path}-wal"):
        try:
            size += os.stat(name).st_size
        except OSError:
            continue
    return size
