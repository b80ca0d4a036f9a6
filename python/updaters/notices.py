"""What there is to tell of a run, in words. One function for each occasion."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from updaters.values import plain

__all__ = ["SEVERITIES", "Notice", "combined"]

#: Mildest first.
SEVERITIES = ("info", "warning", "error", "critical")
#: So many entries of a list are put into the text; the metadata has more.
TOLD = 5


@dataclass(frozen=True)
class Notice:
    """One notification; `severity` is one of `SEVERITIES`, what else it is counts as error."""

    #: What it is about, in one word: the key of its metadata where several are told together.
    event: str
    title: str
    message: str
    severity: str
    metadata: Any = None

    @property
    def rank(self) -> int:
        """How bad it is, from 0 on."""
        known = self.severity in SEVERITIES
        return SEVERITIES.index(self.severity if known else "error")


def combined(notices: Sequence[Notice]) -> Notice:
    """One notice of several: the title and severity of the worst, the texts of all below it."""
    if len(notices) == 1:
        return notices[0]
    worst = max(notices, key=lambda notice: notice.rank)
    told = [worst, *(notice for notice in notices if notice is not worst)]
    return Notice(
        "several",
        f"{worst.title} (and {len(told) - 1} more)",
        "\n\n".join([worst.message, *(f"{one.title}: {one.message}" for one in told[1:])]),
        worst.severity,
        {one.event: one.metadata for one in told if one.metadata},
    )


def update_failure(error: object, metrics: Any = None) -> Notice:
    """The run failed; `metrics` is its `UpdateMetrics` or their dict."""
    text = f"The update failed: {error}"
    return Notice("update_failure", "Daily update failed", text, "error", metrics)


def high_error_rate(error_count: int, total_count: int) -> Notice:
    """The run ended, but many of its records had errors."""
    share = 100 * error_count / total_count if total_count else 0.0
    return Notice(
        "high_error_rate",
        "Many errors in the daily update",
        f"{error_count} errors with {total_count} hearings checked ({share:.1f}%)",
        "warning",
        {"error_count": error_count, "total_count": total_count, "percent": round(share, 1)},
    )


def unfetched_meetings(failed: int, asked: int, why: str) -> Notice:
    """Many of the meetings that a run asked for could not be had; `why` is the first's reason."""
    return Notice(
        "unfetched_meetings",
        "Many meetings could not be fetched",
        f"{failed} of {asked} meetings could not be fetched; the next runs ask for them again. "
        f"The first: {why}",
        "warning",
        {"failed": failed, "asked": asked},
    )


def circuit_breaker_open(circuit_name: str, stats: Mapping[str, Any] | None = None) -> Notice:
    """The API failed so often that no more requests are sent for a while."""
    return Notice(
        "circuit_breaker_open",
        f"Circuit breaker open: {circuit_name}",
        f"{circuit_name} failed several times in a row; requests are held back for now",
        "critical",
        stats,
    )


def rate_limit_exhausted(remaining: int, reset_time: Any = None) -> Notice:
    """The hourly limit is used up; `reset_time` is a Unix time or a datetime."""
    reset = reset_time
    if isinstance(reset, int | float):
        with contextlib.suppress(OverflowError, OSError, ValueError):
            reset = datetime.fromtimestamp(reset).isoformat(timespec="seconds")
    until = f"; more are allowed from {plain(reset)} on" if reset else ""
    return Notice(
        "rate_limit_exhausted",
        "Request limit of the API used up",
        f"{remaining} requests remain{until}",
        "warning",
        {"remaining": remaining, "reset_time": reset},
    )


def validation_failure(issues: Iterable[object], metrics: Any = None) -> Notice:
    """The checks after the run found that it broke something; `issues` say what."""
    found = [str(issue) for issue in issues]
    return Notice(
        "validation_failure",
        "Validation after the update failed",
        f"{_count(len(found), 'issue')}: {_some(found)}" if found else "no issue was named",
        "error",
        {"issues": found} if metrics is None else metrics,
    )


def invalid_batches(batch_errors: Sequence[Mapping[str, Any]], batch_count: int) -> Notice:
    """Batches that did not pass validation, as the metrics' `batch_errors` have them."""
    found = []
    for entry in batch_errors:
        issues = [str(issue) for issue in entry.get("issues") or [entry.get("error")]]
        found.append(f"batch {entry.get('batch')}: {_some(issues)}")
    return Notice(
        "invalid_batches",
        "Batches failed validation",
        f"{len(found)} of {_count(batch_count, 'batch', 'batches')} failed validation: "
        f"{_some(found)}",
        "warning",
        {"batches": list(batch_errors), "batch_count": batch_count},
    )


def anomalies(found: Iterable[Any]) -> Notice:
    """Figures that are far from those of earlier runs: the metrics' `historical_anomalies`."""
    found = list(found)
    critical = any(isinstance(one, Mapping) and one.get("severity") == "critical" for one in found)
    return Notice(
        "anomalies",
        "Unusual figures in the daily update",
        f"{_count(len(found), 'anomaly', 'anomalies')}: {_some([_anomaly(one) for one in found])}",
        "critical" if critical else "warning",
        {"anomalies": found},
    )


def rollback(
    what: str, reason: object, undone: bool = True, metadata: Mapping[str, Any] | None = None
) -> Notice:
    """`what` ("This run", "Batch 4") was undone, or could not be, which is critical."""
    if undone:
        title, text = f"{what} rolled back", f"{what}: what it wrote was undone ({reason})"
        return Notice("rollback", title, text, "warning", metadata)
    title = f"{what} could NOT be rolled back"
    text = f"{what}: what it wrote is still in the database ({reason})"
    return Notice("rollback_failed", title, text, "critical", metadata)


def test(host: str) -> Notice:
    """What `hearing-updater notify-test` sends."""
    text = f"Sent from {host}. Notifications of the daily update arrive here."
    return Notice("test", "Test notification of hearing-updater", text, "info", {"host": host})


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _some(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - TOLD} more" if len(texts) > TOLD else ""
    return "; ".join(texts[:TOLD]) + more


def _anomaly(one: Any) -> str:
    if not isinstance(one, Mapping):
        return str(one)
    try:
        return (
            f"{one['metric']} is {one['value']:g}, {abs(one['z_score']):.1f} standard deviations "
            f"from the usual {one['mean']:g}"
        )
    except (KeyError, TypeError, ValueError):
        return str(one.get("message") or one.get("description") or dict(one))
