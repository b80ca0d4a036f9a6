"""How the last runs went."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from updaters.health.log_scan import LogScan, daily_log, scan
from updaters.health.model import AHEAD, CRITICAL, OK, STATUSES, WARNING, Finding, counted
from updaters.health.surroundings import Surroundings, hours_since, moment
from updaters.logs import printable

#: So many of the last runs are looked at.
RUNS = 10
#: So many are asked for: those whose times are wrong may hide the last ones.
ASKED = 500
#: So many failed ones in a row are critical.
FAILED_IN_A_ROW = 3
#: So many hours after the warning the age of the last success is critical: another day was missed.
ANOTHER_DAY = 24.0
#: Shares of failed batches. The first is what the trial gate allows (R1: 95 % succeed); the second
#: says nothing of fewer batches than `FEW_BATCHES`.
WARN_FAILED, CRITICAL_FAILED, FEW_BATCHES = 0.05, 0.5, 4


@dataclass(frozen=True)
class Runs:
    """The last runs, without those that nobody can tell the age of."""

    #: At most `RUNS`, newest first, without one that is going on.
    last: list[dict[str, Any]]
    #: When the last successful one started.
    last_success: str | None
    #: When those started that were made in a time to come.
    future: list[str]
    #: Of how many the start is no time.
    unreadable: int


def look_at(told: dict[str, Any], now: datetime, *, running: bool) -> Runs:
    """`told` is what `_native.last_runs` gives."""
    dated, future, unreadable = [], [], 0
    for run in told["runs"]:
        at = moment(run["started_at"])
        if at is None:
            unreadable += 1
        elif at > now + AHEAD:
            future.append(run["started_at"])
        else:
            dated.append(run)
    if running and dated and dated[0]["success"] is None:
        del dated[0]
    success = told["last_success"]
    at = moment(success)
    if at is None or at > now + AHEAD:
        success = next((run["started_at"] for run in dated if run["success"]), None)
    return Runs(dated[:RUNS], success, future, unreadable)


def last_run(looked: Runs, around: Surroundings, *, running: bool) -> Finding:
    """Age and result of the last run that ended."""
    flag = getattr(around.settings, "enable_batch_processing", None)
    runs = looked.last
    success_age = hours_since(looked.last_success, around.now)
    values: dict[str, Any] = {
        "flag": flag,
        "last_success": looked.last_success,
        "success_age_hours": success_age,
        "future": len(looked.future),
        "unreadable": looked.unreadable,
    }
    odd = _odd(looked)
    if not runs:
        text = "the first run is going on" if running else "no run is recorded: run an update"
        status = OK if running and not odd else WARNING
        return Finding("last_run", status, "; ".join([text, *(why for _, why in odd)]), values)
    last = runs[0]
    batched = last["batched"]
    values.update(
        {
            **{key: last[key] for key in ("run", "started_at", "ended_at", "success", "errors")},
            **{key: last[f"hearings_{key}"] for key in ("checked", "updated", "added")},
            "seconds": _seconds(last),
            "age_hours": hours_since(last["started_at"], around.now),
            "batched": _said(last, around) if batched is None else batched,
        }
    )
    problems = [*_outcome(runs), *_age(success_age, around.limits.max_age_hours), *odd]
    if problems:
        status = max((status for status, _ in problems), key=STATUSES.index)
        return Finding("last_run", status, "; ".join(text for _, text in problems), values)
    return Finding("last_run", OK, _summary(values), values)


def _odd(looked: Runs) -> list[tuple[str, str]]:
    problems = []
    if looked.future:
        runs = counted(len(looked.future), "run")
        text = f"passed over {runs} of a time to come: {printable(looked.future[0])}"
        problems.append((WARNING, text))
    if looked.unreadable:
        runs = counted(looked.unreadable, "run")
        problems.append((WARNING, f"passed over {runs} whose start is no time"))
    return problems


def _outcome(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    last = runs[0]
    if last["success"]:
        return []
    failed = next((at for at, run in enumerate(runs) if run["success"]), len(runs))
    if failed >= FAILED_IN_A_ROW:
        more = " or more" if failed == len(runs) == RUNS else ""
        return [(CRITICAL, f"the last {failed}{more} runs failed")]
    if last["success"] is None:
        return [(WARNING, f"the run of {last['started_at']} did not end: it was killed")]
    errors = f" ({counted(last['errors'], 'error')})" if last["errors"] else ""
    return [(WARNING, f"the run of {last['started_at']} failed{errors}")]


def _age(hours: float | None, most: float) -> list[tuple[str, str]]:
    if hours is None:
        return [(WARNING, "no run has succeeded yet")]
    if hours <= most:
        return []
    text = f"the last successful run was {hours:.1f} hours ago"
    return [(CRITICAL if hours > most + ANOTHER_DAY else WARNING, text)]


def _summary(values: dict[str, Any]) -> str:
    text = f"succeeded {values['success_age_hours']:.1f} hours ago"
    if values["seconds"] is not None:
        text += f" in {values['seconds']:.1f} s"
    figures = [f"{values[key]} {key}" for key in ("checked", "updated", "added") if values[key]]
    if figures:
        text += f": {', '.join(figures)}"
    mode = {True: " (in batches)", False: " (without batches)"}
    return text + mode.get(values["batched"], "")


def _times(run: dict[str, Any]) -> tuple[datetime, datetime] | None:
    try:
        found = [datetime.fromisoformat(run[key] or "") for key in ("started_at", "ended_at")]
    except ValueError:
        return None
    return found[0].replace(tzinfo=None), found[1].replace(tzinfo=None)


def _seconds(run: dict[str, Any]) -> float | None:
    """How long it took. The updater that came before recorded no durations."""
    if run["seconds"] is not None:
        return float(run["seconds"])
    times = _times(run)
    return (times[1] - times[0]).total_seconds() if times else None


def _said(run: dict[str, Any], around: Surroundings) -> bool | None:
    """What a run in which nothing changed said of its mode in its log."""
    times = _times(run)
    if times is None:
        return None
    started, ended = times
    logged = around.logged
    if started.date() != around.now.date():
        logged = LogScan()
        try:
            # A run's log is that of the day on which its process was started.
            for day in (started - timedelta(days=1), started):
                scan(daily_log(around.log_folder, day), logged)
        except OSError:
            return None
    return logged.batched(str(started)[:19], str(ended)[:19])


def batches(runs: list[dict[str, Any]]) -> Finding:
    """How many batches of the last runs failed, of those that changed something or failed."""
    total, failed = (sum(run[key] for run in runs) for key in ("batches", "batches_failed"))
    rate = failed / total if total else None
    values = {"runs": len(runs), "batches": total, "failed": failed, "failure_rate": rate}
    of = "the last run" if len(runs) == 1 else f"the last {len(runs)} runs"
    if rate is None:
        return Finding("batches", OK, f"no batches in {of}" if runs else "no batches yet", values)
    text = f"failed: {failed} of {total} in {of} ({rate:.1%})"
    status = OK
    if rate > CRITICAL_FAILED and total >= FEW_BATCHES:
        status = CRITICAL
    elif rate > WARN_FAILED:
        status = WARNING
    return Finding("batches", status, text, values)
