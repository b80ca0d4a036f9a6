"""Moments: what `--since` means, and a meeting's start in Washington time."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from updaters.errors import ConfigurationError

WASHINGTON = "America/New_York"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
#: Nothing is older, and far enough from the first year that there is.
_EARLIEST = datetime(1900, 1, 1, tzinfo=timezone.utc)


@cache
def washington() -> tzinfo:
    """Washington's time zone; UTC where the system has no time zone data."""
    try:
        return ZoneInfo(WASHINGTON)
    except ZoneInfoNotFoundError:
        return timezone.utc


def zone_name() -> str:
    """What `washington` is."""
    return "UTC" if washington() is timezone.utc else WASHINGTON


def parse_since(text: str, now: datetime) -> datetime:
    """`7d`, `24h`, `2w`, a date or a time (Washington's, where it names no offset), as UTC.

    Raises ConfigurationError for anything else, and for what lies in the future.
    """
    moment = _back_from(text, now) or _at(text)
    if moment is None or moment < _EARLIEST:
        raise ConfigurationError(
            f"--since {text!r}: should be such as 7d, 24h, 2w, 2025-10-01 or 2025-10-01T09:00"
        )
    if moment > now:
        raise ConfigurationError(f"--since {text!r}: lies in the future")
    return moment


def _back_from(text: str, now: datetime) -> datetime | None:
    found = re.fullmatch(r"([0-9]{1,9})([hdw])", text.strip().lower())
    if found is None:
        return None
    try:
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        return None


def _at(text: str) -> datetime | None:
    # Python 3.10 knows no Z.
    text = re.sub(r"[zZ]$", "+00:00", text.strip())
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=washington())
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def iso(moment: datetime) -> str:
    """`2025-10-01T12:00:00Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def stored(text: str | None) -> datetime | None:
    """A moment as the database keeps them (UTC, `2025-10-01 12:00:00`)."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=timezone.utc) if text else None
    except ValueError:
        return None


def slot(day: Any, clock: Any) -> dict[str, Any]:
    """When a meeting is: `date` and `time` as stored (UTC), `start_utc`, `start_washington`."""
    start = _start(day, clock)
    return {
        "date": day,
        "time": clock,
        "start_utc": iso(start) if start else None,
        "start_washington": start.astimezone(washington()).isoformat() if start else None,
    }


def _start(day: Any, clock: Any) -> datetime | None:
    try:
        on, at = date.fromisoformat(str(day)[:10]), time.fromisoformat(str(clock))
        start = datetime.combine(on, at.replace(tzinfo=None), timezone.utc)
        start.astimezone(washington())
    except (ValueError, OverflowError):
        return None
    return start


def told_slot(when: Mapping[str, Any]) -> str:
    """`Thu Oct 9, 2025, 10:00 AM EDT`; the date alone where there is no time."""
    if when["start_washington"]:
        return told(datetime.fromisoformat(when["start_utc"].replace("Z", "+00:00")))
    try:
        return _day(date.fromisoformat(str(when["date"])[:10]))
    except ValueError:
        return str(when["date"]) if when["date"] else "no date"


def told(moment: datetime) -> str:
    """A moment in Washington time."""
    local = moment.astimezone(washington())
    clock = f"{local.hour % 12 or 12}:{local:%M} {'AM' if local.hour < 12 else 'PM'}"
    return f"{_day(local.date())}, {clock} {local.tzname()}"


def _day(day: date) -> str:
    # Not by strftime, which follows the process's locale.
    return f"{_DAYS[day.weekday()]} {_MONTHS[day.month - 1]} {day.day}, {day.year}"
