"""A health check as text, and for Prometheus."""

import json
from datetime import datetime
from typing import Any

from updaters.health.model import STATUSES, Health
from updaters.logs import printable

#: What people's greps know from the monitoring script that this takes the place of.
HEADER, FOOTER = "=== Trial Gate Health Check: ", "=== End Health Check ==="
#: Before the whole check on one line, as JSON, for programs.
RECORD = "Record: "


def text(health: Health, *, record: bool = True) -> str:
    """The block for people, `record` with the line for programs in it (`observe` needs that)."""
    lines = [f"{HEADER}{health.time:%a %b %e %H:%M:%S %Z %Y} ==="]
    lines.append(f"Overall: {health.status}")
    for finding in health.findings:
        lines.append(f"[{finding.status}] {finding.name}: {printable(finding.message)}")
    lines.append("Recent errors:")
    # Indented, so that nothing in a log passes for a line of ours.
    lines += [f"  {printable(line)}" for line in health.get("log", "last") or ["none"]]
    if record:
        lines.append(RECORD + json.dumps(health.to_dict(), separators=(",", ":")))
    return "\n".join([*lines, FOOTER]) + "\n"


#: Metric -> its help, and the finding and value that it shows.
_GAUGES: tuple[tuple[str, str, str, str], ...] = (
    ("integrity_problems", "What SQLite's check complains about.", "integrity", "problems"),
    ("foreign_key_violations", "Rows whose parent is missing.", "foreign_keys", "violations"),
    ("odd_rows", "Duplicate and invalid rows.", "rows", "odd"),
    ("hearings", "Hearings in the database.", "hearings", "hearings"),
    ("database_bytes", "Size of the database, with its WAL.", "database", "bytes"),
    ("disk_free_bytes", "Free space where the database is.", "disk", "free_bytes"),
    ("log_errors", "Lines at ERROR level in today's log.", "log", "errors"),
    ("log_criticals", "Lines at CRITICAL level in today's log.", "log", "criticals"),
    ("running", "Whether an update is running.", "updater", "running"),
    ("stale_lock", "Whether a killed update left its lock.", "updater", "stale_lock"),
    ("last_run_success", "Whether the last run succeeded.", "last_run", "success"),
    ("last_run_duration_seconds", "How long the last run took.", "last_run", "seconds"),
    ("last_run_batched", "Whether the last run worked in batches.", "last_run", "batched"),
    ("recent_batches", "Batches of the last ten runs.", "batches", "batches"),
    ("recent_batches_failed", "Failed batches of the last ten runs.", "batches", "failed"),
    ("deferred_events", "Events that wait to be asked for again.", "deferred", "events"),
)
_TIMES: tuple[tuple[str, str, str], ...] = (
    ("last_run_timestamp_seconds", "When the last run started.", "started_at"),
    ("last_success_timestamp_seconds", "When the last successful run started.", "last_success"),
)


def prometheus(health: Health) -> str:
    """Gauges in the text format of Prometheus, all with the database as label.

    What could not be looked at has no sample. Alert on `hearing_updater_health_status` (the exit
    code), and on an old `hearing_updater_check_timestamp_seconds`, where no check is made any more.
    """
    label = f'database="{_escaped(health.database)}"'
    lines: list[str] = []

    def gauge(name: str, what: str, samples: list[tuple[str, float | None]]) -> None:
        found = [(labels, value) for labels, value in samples if value is not None]
        if not found:
            return
        name = f"hearing_updater_{name}"
        lines.append(f"# HELP {name} {what}")
        lines.append(f"# TYPE {name} gauge")
        lines.extend(f"{name}{{{labels}}} {value!r}" for labels, value in found)

    gauge(
        "health_status",
        "The worst of all: 0 ok, 1 warning, 2 critical.",
        [(label, health.exit_code)],
    )
    gauge(
        "check_status",
        "Each check: 0 ok, 1 warning, 2 critical.",
        [
            (f'{label},check="{_escaped(finding.name)}"', STATUSES.index(finding.status))
            for finding in health.findings
        ],
    )
    gauge(
        "check_timestamp_seconds",
        "When the check was made.",
        [(label, round(health.time.timestamp(), 3))],
    )
    for name, what, finding, value in _GAUGES:
        gauge(name, what, [(label, _number(health.get(finding, value)))])
    for name, what, value in _TIMES:
        gauge(name, what, [(label, _timestamp(health.get("last_run", value)))])
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    # A path may hold bytes that are no text, and what a terminal acts upon.
    value = printable(value, keep="\n")
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int | float) else None


def _timestamp(value: Any) -> float | None:
    """Of a naive local time."""
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
