"""What a log of health checks tells of a longer time: how much of it was really watched, and what
was seen."""

import math
import os
from collections import Counter
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

from updaters.errors import ConfigurationError
from updaters.health.model import CRITICAL, OK, STATUSES
from updaters.health.records import read

#: A check stands for so many minutes at most: hourly ones may be late, but none may be missing.
MAX_GAP_MINUTES = 90.0
#: Checks come some seconds early or late: so many hours may be missing, or such a share of them.
TOLERANCE_HOURS, TOLERANCE = 0.05, 0.01
MOST_HOURS = 24.0 * 366

Checks = list[tuple[datetime, dict[str, Any]]]


def observe(
    path: str | os.PathLike[str],
    hours: float,
    *,
    database: str | os.PathLike[str] | None = None,
    max_gap_minutes: float = MAX_GAP_MINUTES,
    now: datetime | None = None,
) -> dict[str, Any]:
    """What the checks in a health log say of the last `hours` before the newest one of them.

    A check stands for the time until the next one, but for no longer than `max_gap_minutes`; the
    last one for none. So hourly checks over 48 hours are 49. Where a log has checks of several
    databases, those of `database` count, else those of the database that was checked last.

    Raises `UpdaterError` where there is no log that can be read, `ConfigurationError` for numbers
    that make no sense. Gives, with all times in ISO format with their offset:

    - `log`, `database` (None where there is no check), `hours`, `max_gap_minutes`
    - `hours_covered`, `covered` (bool), `healthy` (covered, and nothing critical)
    - `count`, `first`, `last` (None where there is no check), `last_age_hours`
    - `gaps`: list of `{from, to, minutes}`, longer than the allowed one
    - `statuses`: how many checks were `ok`, `warning`, `critical`
    - `timeline`: list of `{status, from, to, checks}`, one for each stretch of one status
    - `worst`: list of `{name, status, count, first, last, message}`, the worst first: what was not
      ok, with the message of the last time
    - `corruption`: list of `{time, message}`: the file was damaged, or broken references came up
    - `phases`: list of `{mode, from, to, checks, hours_covered, statuses}`, by the last run's mode:
      `batch`, `plain`, or `unknown`
    - `checks`: list, oldest first, of `{time, status, integrity, foreign_keys, hearings,
      database_bytes, free_bytes, log_errors, running, stale_lock, last_run, last_run_success,
      last_run_seconds, last_run_age_hours, batched, batches, batches_failed, deferred}`;
      `integrity` is `ok` or `damaged`; None wherever it was not looked at
    - what was passed over: `unreadable`, `without_record`, `duplicates`, `unsorted`, `future`,
      `other_databases` (numbers, of the whole log as far as they have no time)
    """
    if not (math.isfinite(hours) and 0 < hours <= MOST_HOURS):
        raise ConfigurationError(f"hours {hours:g}: should be more than 0 and up to {MOST_HOURS:g}")
    if not (math.isfinite(max_gap_minutes) and 0 < max_gap_minutes <= 60 * MOST_HOURS):
        raise ConfigurationError(f"max gap {max_gap_minutes:g}: should be minutes, more than 0")
    now = (now or datetime.now(timezone.utc)).astimezone(timezone.utc)
    allowed = timedelta(minutes=max_gap_minutes)
    window = timedelta(hours=hours)
    # The check before the window stands for its beginning.
    found = read(path, window + allowed, now)
    checks, chosen = _of_one_database(found.checks, database)
    end = checks[-1][0] if checks else now
    start = end - window
    seen = [(at, check) for at, check in checks if at >= start]
    shares = _shares(checks, start, allowed)
    covered_hours = sum(shares, timedelta()) / timedelta(hours=1)
    covered = covered_hours + min(TOLERANCE_HOURS, TOLERANCE * hours) >= hours
    statuses = Counter(check["status"] for _, check in seen)
    return {
        "log": os.fspath(path),
        "database": chosen,
        "hours": hours,
        "max_gap_minutes": max_gap_minutes,
        "hours_covered": round(min(covered_hours, hours), 2),
        "covered": covered,
        "healthy": covered and not statuses[CRITICAL],
        "count": len(seen),
        "first": seen[0][1]["time"] if seen else None,
        "last": seen[-1][1]["time"] if seen else None,
        "last_age_hours": round((now - end) / timedelta(hours=1), 2) if seen else None,
        "gaps": _gaps(checks, allowed),
        "statuses": {status: statuses[status] for status in STATUSES},
        "timeline": _timeline(seen),
        "worst": _worst(seen),
        "corruption": _corruption(seen),
        "phases": _phases(seen, dict(zip((at for at, _ in checks), shares, strict=True))),
        "checks": [_flat(check) for _, check in seen],
        "unreadable": found.unreadable,
        "without_record": found.without_record,
        "duplicates": found.duplicates,
        "unsorted": found.unsorted,
        "future": found.future,
        "other_databases": len(found.checks) - len(checks),
    }


def _of_one_database(
    checks: Checks, wanted: str | os.PathLike[str] | None
) -> tuple[Checks, str | None]:
    if wanted is not None:
        name = os.path.realpath(wanted)
    elif checks:
        name = checks[-1][1]["database"]
    else:
        return [], None
    return [(at, check) for at, check in checks if check["database"] == name], name


def _shares(checks: Checks, start: datetime, allowed: timedelta) -> list[timedelta]:
    """How much of the time since `start` each check stands for."""
    shares = []
    # The last one stands for no time.
    following = [at for at, _ in [*checks[1:], *checks[-1:]]]
    for (at, _), after in zip(checks, following, strict=True):
        until = min(after, at + allowed)
        shares.append(max(until - max(at, start), timedelta()))
    return shares


def _gaps(checks: Checks, allowed: timedelta) -> list[dict[str, Any]]:
    gaps = []
    for (before, first), (after, second) in pairwise(checks):
        if after - before > allowed:
            minutes = round((after - before) / timedelta(minutes=1), 1)
            gaps.append({"from": first["time"], "to": second["time"], "minutes": minutes})
    return gaps


def _timeline(checks: Checks) -> list[dict[str, Any]]:
    stretches: list[dict[str, Any]] = []
    for _, check in checks:
        if not stretches or stretches[-1]["status"] != check["status"]:
            stretches.append({"status": check["status"], "from": check["time"], "checks": 0})
        stretches[-1]["to"] = check["time"]
        stretches[-1]["checks"] += 1
    return stretches


def _worst(checks: Checks) -> list[dict[str, Any]]:
    kinds: dict[tuple[str, str], dict[str, Any]] = {}
    for _, check in checks:
        for finding in check["findings"]:
            name, status = finding["name"], finding["status"]
            if status == OK:
                continue
            kind = kinds.setdefault(
                (name, status),
                {"name": name, "status": status, "count": 0, "first": check["time"]},
            )
            kind["count"] += 1
            kind.update(last=check["time"], message=finding["message"])
    return sorted(
        kinds.values(), key=lambda kind: (-STATUSES.index(kind["status"]), -kind["count"])
    )


def _corruption(checks: Checks) -> list[dict[str, Any]]:
    """A damaged file at each check that saw it; broken references when their number rose."""
    incidents = []
    broken: Any = None
    for _, check in checks:
        flat = _flat(check)
        if flat["integrity"] == "damaged":
            messages = (
                finding["message"]
                for finding in check["findings"]
                if finding["name"] in ("integrity", "database") and finding["status"] == CRITICAL
            )
            incidents.append({"time": check["time"], "message": next(messages, "damaged")})
        now = flat["foreign_keys"]
        if isinstance(now, int):
            if isinstance(broken, int) and now > broken:
                message = f"broken references rose from {broken} to {now}"
                incidents.append({"time": check["time"], "message": message})
            broken = now
    return incidents


def _phases(checks: Checks, shares: dict[datetime, timedelta]) -> list[dict[str, Any]]:
    """Stretches by the last run's mode. A check that cannot tell belongs to the one before it."""
    phases: list[dict[str, Any]] = []
    for at, check in checks:
        batched = _flat(check)["batched"]
        mode = {True: "batch", False: "plain"}.get(batched, "unknown")
        if not phases or mode not in ("unknown", phases[-1]["mode"]):
            phases.append(
                {
                    "mode": mode,
                    "from": check["time"],
                    "checks": 0,
                    "hours_covered": 0.0,
                    "statuses": dict.fromkeys(STATUSES, 0),
                }
            )
        phase = phases[-1]
        phase["to"] = check["time"]
        phase["checks"] += 1
        phase["hours_covered"] += shares[at] / timedelta(hours=1)
        phase["statuses"][check["status"]] += 1
    for phase in phases:
        phase["hours_covered"] = round(phase["hours_covered"], 2)
    return phases


#: What a check of `observe` says -> the finding and the value that it is from.
_FLAT = {
    "foreign_keys": ("foreign_keys", "violations"),
    "hearings": ("hearings", "hearings"),
    "database_bytes": ("database", "bytes"),
    "free_bytes": ("disk", "free_bytes"),
    "running": ("updater", "running"),
    "stale_lock": ("updater", "stale_lock"),
    "last_run": ("last_run", "started_at"),
    "last_run_success": ("last_run", "success"),
    "last_run_seconds": ("last_run", "seconds"),
    "last_run_age_hours": ("last_run", "age_hours"),
    "batched": ("last_run", "batched"),
    "batches": ("batches", "batches"),
    "batches_failed": ("batches", "failed"),
    "deferred": ("deferred", "events"),
}


def _flat(check: dict[str, Any]) -> dict[str, Any]:
    values = {finding["name"]: finding["values"] for finding in check["findings"]}
    statuses = {finding["name"]: finding["status"] for finding in check["findings"]}
    integrity = None
    if values.get("database", {}).get("problem") == "damaged":
        integrity = "damaged"
    elif "integrity" in statuses:
        integrity = "damaged" if statuses["integrity"] == CRITICAL else "ok"
    log = values.get("log", {})
    logged = [log.get(key) for key in ("errors", "criticals")]
    numbers = [number for number in logged if isinstance(number, int)]
    return {
        "time": check["time"],
        "status": check["status"],
        "integrity": integrity,
        "log_errors": sum(numbers) if numbers else None,
        **{name: values.get(finding, {}).get(value) for name, (finding, value) in _FLAT.items()},
    }
