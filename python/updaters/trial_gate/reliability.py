"""Section 4 of the report: the observation, the counts, the failures on purpose."""

from collections.abc import Iterable, Mapping
from typing import Any

from updaters.trial_gate import tables
from updaters.trial_gate.findings import logged_errors
from updaters.trial_gate.runs import length
from updaters.trial_gate.tables import NONE, Table, count, counted, fixed, outcome, when

PHASES: Mapping[str, str] = {
    "plain": "Observation, Phase 2.2",
    "batch": "Observation, batch processing",
    "unknown": "Observation, mode unknown",
}


def reliability(results: Mapping[str, Any], hours: float) -> dict[str, Any]:
    """Section 4."""
    observed, failures = results.get("observe"), results.get("failures")
    return {
        "observation": _observation(observed, hours),
        "phases": _phases(observed),
        "seen": _seen(observed),
        "counts": _counts(results),
        "cases": _cases(failures),
        "faults": _faults(failures),
        "integrity": _integrity(results.get("integrity")),
    }


def _observation(observed: Mapping[str, Any] | None, hours: float) -> list[str]:
    if not observed:
        return [
            f"Not observed: there are no health checks (0 of {hours:.0f} hours). "
            "hearing-updater monitor --print-cron prints the line for crontab."
        ]
    statuses = observed["statuses"]
    lines = [
        f"{counted(observed['count'], 'health check')} from {when(observed['first'])} to "
        f"{when(observed['last'])}, covering {observed['hours_covered']:.1f} of {hours:.0f} hours.",
        f"{statuses['ok']} ok, {statuses['warning']} with warnings, "
        f"{statuses['critical']} critical.",
    ]
    gaps = observed["gaps"]
    if gaps:
        longest = max(gaps, key=lambda gap: gap["minutes"])
        lines.append(
            f"Not watched: {counted(len(gaps), 'gap')}, the longest "
            f"{longest['minutes'] / 60:.1f} hours from {when(longest['from'])}."
        )
    lines += [
        f"Corruption, {when(seen['time'])}: {seen['message']}" for seen in observed["corruption"]
    ]
    return lines


def _phases(observed: Mapping[str, Any] | None) -> Table | None:
    if not observed:
        return None
    rows = [
        (
            PHASES.get(phase["mode"], str(phase["mode"])),
            fixed(phase["hours_covered"], 1, "h"),
            count(phase["checks"]),
            *(count(phase["statuses"][status]) for status in ("ok", "warning", "critical")),
        )
        for phase in observed["phases"]
    ]
    columns = ("Phase", "Covered", "Checks", "Ok", "Warnings", "Critical")
    return Table("By the last run's mode", columns, rows, frozenset(range(1, 6)))


def _seen(observed: Mapping[str, Any] | None) -> Table | None:
    if not observed or not observed["worst"]:
        return None
    rows = [
        (
            str(kind["name"]),
            str(kind["status"]),
            count(kind["count"]),
            when(kind["last"]),
            str(kind["message"]),
        )
        for kind in observed["worst"]
    ]
    columns = ("Check", "Status", "Times", "Last", "Message")
    return Table("What was not ok", columns, rows, frozenset({2}))


def _counts(results: Mapping[str, Any]) -> Table:
    """Error counts, validation failures and rollback successes, each with what it counts."""
    runs = [run for step, key in _MEASURED for run in (results.get(step) or {}).get(key, ())]
    metrics = [run["metrics"] for run in runs]
    batches = [found["batch_processing"] for found in metrics if "batch_processing" in found]
    observed, failures = results.get("observe"), results.get("failures")
    cases = failures["cases"] if failures else {}
    rolled, after = cases.get("rollback"), cases.get("fails_after_commit")
    of = f"in {counted(len(runs), 'measured run')}"
    rows = [
        ("Errors", count(_sum(metrics, "error_count")) if runs else NONE, of),
        (
            "Failed batches",
            f"{_sum(batches, 'batches_failed')} of {_sum(batches, 'batch_count')}"
            if batches
            else NONE,
            of,
        ),
        (
            "Validation failures",
            count(sum(found.get("validation_passed") is False for found in metrics))
            if runs
            else NONE,
            f"validation after a run, {of}",
        ),
        (
            "Errors in the log",
            count(logged_errors(observed["checks"])) if observed else NONE,
            "in the observation",
        ),
        (
            "Failed batches on purpose",
            count(sum(length(case.get("batch_errors", ())) for case in cases.values()))
            if cases
            else NONE,
            "failure injection: what each was caught by is in the table of cases",
        ),
        (
            "Rollback successes",
            f"{rolled['exact']} of {rolled['rollbacks']}" if rolled else NONE,
            "each batch undone, every row compared",
        ),
        (
            "Rollback after a failure",
            "exact" if after and after["passed"] else "NOT exact" if after else NONE,
            "test 2.2: a batch that fails after it was stored",
        ),
    ]
    return Table(
        "Measured runs, observation, and failures on purpose",
        ("What", "Seen", "Where"),
        rows,
        frozenset({1}),
    )


#: Step and key of the runs that are no failures on purpose.
_MEASURED = (("baseline", "runs"), ("batch", "runs"), ("batch", "baseline_runs"), ("large", "runs"))


def _sum(found: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(entry.get(key) or 0 for entry in found)


def _cases(failures: Mapping[str, Any] | None) -> Table | None:
    if not failures:
        return None
    rows = [
        (str(case["title"]), str(case["expected"]), str(case["seen"]), outcome(case["passed"]))
        for case in failures["cases"].values()
    ]
    return Table(
        "What was expected, and what was seen",
        ("Case", "Expected", "Seen", "Outcome"),
        rows,
        badge=3,
    )


def _faults(failures: Mapping[str, Any] | None) -> Table | None:
    kinds = ((failures or {"cases": {}})["cases"].get("api_faults") or {}).get("kinds")
    if not kinds:
        return None
    rows = [
        (
            str(kind),
            *(count(seen[key]) for key in ("faults_met", "stored", "deferred", "reported", "of")),
            outcome(seen["passed"]),
        )
        for kind, seen in kinds.items()
    ]
    columns = ("Fault", "Met", "Stored", "Deferred", "Reported", "Of", "Outcome")
    return Table("An API in trouble, one run each", columns, rows, frozenset(range(1, 6)), badge=6)


def _integrity(found: Mapping[str, Any] | None) -> Table | None:
    if not found:
        return None
    rows = [
        (
            f"after {step}",
            tables.shortly(seen["integrity_check"]),
            count(len(seen["foreign_key_check"])),
            tables.shortly(seen["verify_updates"]),
            f"{count(seen['hearings_before'])} + {count(seen['hearings_added'])} = "
            f"{count(seen['hearings_after'])}",
            outcome(seen["passed"]),
        )
        for step, seen in found["databases"].items()
    ]
    same = found["same"]
    if same:
        rows.append(
            (
                "flag off against on",
                f"{count(same['rows'])} rows compared",
                NONE,
                f"{count(len(same['differences']))} rows differ",
                NONE,
                outcome(not same["differences"]),
            )
        )
    columns = ("Database", "Integrity", "Foreign keys", "verify_updates", "Hearings", "Outcome")
    return Table("Databases that the runs left", columns, rows, frozenset({2}), badge=5)
