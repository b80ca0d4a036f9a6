"""What a run tells its notifier when it is over."""

import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from updaters import notices, notifier
from updaters.errors import CircuitBreakerOpenError, RateLimitError, RunCancelled
from updaters.limited import call_within
from updaters.notices import combined
from updaters.values import UpdateMetrics

if TYPE_CHECKING:
    from updaters.daily_updater import DailyUpdater

logger = logging.getLogger("updaters.daily_updater")

#: From this share of failed records on, the notifier hears of it.
HIGH_ERROR_RATE = 0.1

#: So many meetings that could not be fetched are no single broken ones any more.
MANY_UNFETCHED = 5

#: Name of the occasion, and what its `notify_...` takes.
Event = tuple[str, tuple[Any, ...]]


def tell(
    updater: "DailyUpdater", failure: str | None, error: BaseException | None, undone: bool | None
) -> None:
    """Tell the notifier of a run that ended, where there is something to tell.

    `undone` says whether a run that failed validation could be undone; None where none did.
    Ours makes one notification of all there is. A checkout's own is called for each occasion
    that it has a method for; the others go to its `send` together. All take ten seconds at most.
    """
    if type(error) is KeyboardInterrupt or isinstance(error, RunCancelled):
        # Who stopped the run knows.
        return
    events = _events(updater, failure, error, undone)
    told = updater.notifier
    if not events:
        return
    if isinstance(told, notifier.Notifier):
        with told.together():
            _call_each(told, events)
        return
    try:
        call_within(notifier.TIME_LIMIT, lambda: _call_each(told, events), "notifier")
    except TimeoutError:
        logger.warning("The notifier has not answered in %g seconds", notifier.TIME_LIMIT)


def _call_each(told: Any, events: list[Event]) -> None:
    lacking = []
    for name, given in events:
        method = getattr(told, f"notify_{name}", None)
        if callable(method):
            _call(method, *given)
        else:
            lacking.append(getattr(notices, name)(*given))
    if lacking:
        one = combined(lacking)
        _call(told.send, one.title, one.message, one.severity, one.metadata)


def _call(method: Any, *given: Any) -> None:
    """One that raises does not keep the next from being called."""
    try:
        method(*given)
    except (Exception, SystemExit) as problem:
        from updaters.sending import words_of

        # Not its text: that may hold the address it was sent to.
        logger.warning("Could not notify: %s: %s", type(problem).__name__, words_of(problem))


def _events(
    updater: "DailyUpdater", failure: str | None, error: BaseException | None, undone: bool | None
) -> list[Event]:
    metrics = updater.metrics
    events: list[Event] = []
    if failure is not None:
        events.append(_failure(updater, failure, error))
    if undone is not None:
        events.append(("validation_failure", (list(metrics.validation_issues),)))
        why = "validation after the update failed"
        stays = updater._engine.not_undone
        if not undone and stays:
            why += f"; {stays}"
        if not undone and updater.backup_path:
            why += f"; put the backup back: hearing-updater restore {updater.backup_path}"
        events.append(("rollback", ("This run", why, undone)))
    events += _batches(metrics)
    if updater._engine.over_limit and not any(name == "rate_limit_exhausted" for name, _ in events):
        events.append(_over_limit(updater))
    if metrics.historical_alert_triggered:
        events.append(("anomalies", (list(metrics.historical_anomalies),)))
    if failure is None and metrics.hearings_checked:
        errors, checked = len(metrics.errors), metrics.hearings_checked
        if errors / checked > HIGH_ERROR_RATE:
            events.append(("high_error_rate", (errors, checked)))
    failed = unfetched(updater) if failure is None else None
    if failed is not None:
        events.append(("unfetched_meetings", failed))
    return events


def unfetched(updater: "DailyUpdater") -> tuple[int, int, str] | None:
    """Meetings that could not be fetched, of how many, and why the first; None where they are few.

    Each alone is deferred and no error, but so many of them mean that the API is not well.
    """
    failed, asked, why = updater._engine.unfetched
    if failed < MANY_UNFETCHED or failed / asked <= HIGH_ERROR_RATE:
        return None
    return failed, asked, why or "no reason given"


def _failure(updater: "DailyUpdater", failure: str, error: BaseException | None) -> Event:
    client = updater.api_client
    # A fake client need not have any statistics.
    with contextlib.suppress(Exception):
        if isinstance(error, CircuitBreakerOpenError):
            stats = client.get_circuit_breaker_stats() or {}
            return "circuit_breaker_open", (stats.get("name", "congress_api"), stats)
        if isinstance(error, RateLimitError):
            return _over_limit(updater)
    return "update_failure", (failure, updater.metrics.to_dict())


def _over_limit(updater: "DailyUpdater") -> Event:
    """Raises what a fake client does that has no such figures."""
    return "rate_limit_exhausted", updater.api_client.check_rate_limit()


def _batches(metrics: UpdateMetrics) -> list[Event]:
    """Of batches that failed: those that were not valid, were undone, or could not be."""
    invalid: list[Mapping[str, Any]] = []
    undone: list[Mapping[str, Any]] = []
    stuck: list[Mapping[str, Any]] = []
    for entry in metrics.batch_errors:
        # As the native core has it, which counts it among the errors.
        lost = f"Batch {entry.get('batch')} failed and could not be rolled back"
        if any(str(text).startswith(lost) for text in metrics.errors):
            stuck.append(entry)
        elif str(entry.get("error")).startswith("Validation failed"):
            invalid.append(entry)
        else:
            undone.append(entry)
    events: list[Event] = []
    for entries, was_undone in ((stuck, False), (undone, True)):
        if entries:
            numbers = ", ".join(str(entry.get("batch")) for entry in entries)
            what = f"Batch {numbers}" if len(entries) == 1 else f"Batches {numbers}"
            reasons = list(dict.fromkeys(str(entry.get("error")) for entry in entries))
            told = "; ".join(reasons[: notices.TOLD])
            events.append(("rollback", (what, told, was_undone, {"batches": entries})))
    if invalid:
        events.append(("invalid_batches", (invalid, metrics.batch_count)))
    return events
