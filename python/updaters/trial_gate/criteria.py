"""The plan's success criteria, each judged from what this trial measured."""

from collections.abc import Callable, Mapping
from typing import Any

from updaters.trial_gate.memory import REQUIRED_MB
from updaters.trial_gate.speed import LARGE

PASS, FAIL, NOT_MEASURED = "PASS", "FAIL", "NOT MEASURED"

#: Step -> what it measured (`Trial.result`); None where it was not run.
Results = Mapping[str, Mapping[str, Any] | None]
#: Whether it is met (None: not measured), and what was measured.
Verdict = tuple[bool | None, str]

BATCH_SIZE = 50
SHARE = 0.95
#: P5: within so many per cent.
BAND = 10.0


def _p1(results: Results) -> Verdict:
    found = results.get("large")
    if not found:
        return None, "the large set was not run"
    seconds = found["duration_seconds"]
    told = (
        f"{found['changes']} changes in {seconds['median']:.2f} s "
        f"({seconds['min']:.2f} to {seconds['max']:.2f}, {len(seconds['values'])} runs)"
    )
    if not found["enough"]:
        return None, f"{told}; {LARGE} changes are needed: a longer lookback may show them"
    failed = found["metrics"].get("batch_processing", {}).get("batches_failed", 0)
    if failed:
        return False, f"{told}; {failed} batches failed"
    return seconds["median"] < 5, told


def _p2(results: Results) -> Verdict:
    return _milliseconds(results, "checkpoint_ms", 50)


def _p3(results: Results) -> Verdict:
    return _milliseconds(results, "validate_ms", 200)


def _milliseconds(results: Results, name: str, limit: float) -> Verdict:
    found = results.get("micro")
    if not found:
        return None, "not timed"
    took = found[name]
    told = f"{took['median']:.2f} ms (at most {took['max']:.2f}, {len(took['values'])} times)"
    return took["max"] < limit, told


def _p4(results: Results) -> Verdict:
    found = results.get("memory")
    if not found:
        return None, "the memory was not watched"
    told = ", ".join(f"{name} {run['increase_mb']:.1f} MB" for name, run in found["runs"].items())
    if not _any_changes(results):
        return None, f"{told}; but there was nothing to store"
    return found["increase_mb"] < REQUIRED_MB, told


def _p5(results: Results) -> Verdict:
    found = results.get("batch")
    if not found or found["difference_percent"] is None:
        return None, "baseline and batches were not compared"
    if not _any_changes(results):
        return None, "there was nothing to store"
    difference = found["difference_percent"]
    told = (
        f"{difference:+.1f} % ({found['duration_seconds']['median']:.2f} s against "
        f"{found['baseline_seconds']['median']:.2f} s, medians of {len(found['runs'])})"
    )
    if difference < -BAND:
        told += "; faster than the band, which is no failure"
    return difference <= BAND, told


def _r1(results: Results) -> Verdict:
    return _partial(results)


def _f3(results: Results) -> Verdict:
    return _partial(results)


def _partial(results: Results) -> Verdict:
    """Batches are what the plan counts; records are told beside them."""
    case = _case(results, "one_in_thousand")
    if not case or not case.get("batch_count"):
        return None, "no failure was injected"
    good, total = case["batches_succeeded"], case["batch_count"]
    stored, records = case["records_stored"], case["records"]
    told = (
        f"batches: {good} of {total} ({100 * good / total:.1f} %), "
        f"records: {stored} of {records} ({100 * stored / records:.1f} %), "
        f"with one invalid record in {records}"
    )
    return good / total >= SHARE and stored / records >= SHARE, told


def _r2(results: Results) -> Verdict:
    found, observed = results.get("integrity"), results.get("observe")
    if not found:
        return None, "the databases were not checked"
    bad = [name for name, seen in found["databases"].items() if not seen["passed"]]
    if found["same"] and found["same"]["differences"]:
        bad.append("flag off against on")
    told = f"{len(found['databases'])} databases, integrity and foreign keys ok"
    injected = results.get("failures")
    for name, case in (injected["cases"] if injected else {}).items():
        # Of a case that could not be tried nothing is known.
        if case["passed"] is not None and not case.get("intact", True):
            bad.append(f"{name} ({case['seen']})")
    if bad:
        told = f"not sound: {', '.join(bad)}"
    incidents = len(observed["corruption"]) if observed else 0
    if incidents:
        bad.append("observation")
        told += f"; {incidents} incidents in the observation"
    return not bad, told


def _r3(results: Results) -> Verdict:
    case, other = _case(results, "rollback"), _case(results, "fails_after_commit")
    if not case or not other or not case["rollbacks"]:
        return None, "no batch was rolled back"
    if other["passed"] is None:
        return None, other["seen"]
    exact, total = case["exact"] + bool(other["passed"]), case["rollbacks"] + 1
    rows = case["rows_compared"] + (other["rows_compared"] or 0)
    told = f"{exact} of {total} rollbacks exact, {rows} rows compared"
    return exact == total, told


def _r4(results: Results) -> Verdict:
    found = results.get("toggle")
    if not found:
        return None, "the flag was not toggled"
    good, total = found["as_expected"], len(found["runs"])
    return good == total, f"{good} of {total} runs went by the flag ({found['switches']} switches)"


def _f1(results: Results) -> Verdict:
    runs = [
        (name, found["metrics"])
        for name in ("batch", "large")
        if (found := results.get(name)) and "batch_processing" in found["metrics"]
    ]
    if not any(_changes(metrics) for _, metrics in runs):
        return None, "no run with batches that had anything to store"
    told, good = [], True
    for name, metrics in runs:
        count = metrics["batch_processing"]["batch_count"]
        changes = _changes(metrics)
        expected = -(-changes // BATCH_SIZE)
        good = good and count == expected
        told.append(f"{name}: {changes} changes, {count} batches (expected {expected})")
    return good, "; ".join(told)


def _any_changes(results: Results) -> bool:
    found = results.get("batch") or results.get("large")
    return bool(found and _changes(found["metrics"]))


def _changes(metrics: Mapping[str, Any]) -> int:
    return int(metrics["hearings_updated"] + metrics["hearings_added"])


def _f2(results: Results) -> Verdict:
    cases = [_case(results, name) for name in ("one_in_thousand", "dies_half_way", "plan_script")]
    if not all(cases):
        return None, "no batch was made to fail"
    untried = [case["seen"] for case in cases if case and case["passed"] is None]
    if untried:
        return None, untried[0]
    seen = "; ".join(f"{case['title']}: {case['seen']}" for case in cases if case)
    return all(case["passed"] for case in cases if case), seen


def _f4(results: Results) -> Verdict:
    cases = [_case(results, name) for name in ("one_in_thousand", "dies_half_way", "plan_script")]
    if not all(cases):
        return None, "no batch was made to fail"
    untried = [case["seen"] for case in cases if case and case["passed"] is None]
    if untried:
        return None, untried[0]
    errors = [error for case in cases if case for error in case["batch_errors"]]
    told = [error for error in errors if error.get("batch") and error.get("error")]
    first = next((issue for error in told for issue in error.get("issues", [])), "")
    named = bool((_case(results, "one_in_thousand") or {}).get("failure_named"))
    seen = f"{len(told)} of {len(cases)} failed batches with their details"
    return len(told) == len(cases) and named, f'{seen}, such as "{first}"' if first else seen


def _f5(results: Results) -> Verdict:
    good, told = _r4(results)
    verified = results.get("verify")
    if good is None or not verified:
        return None, told if good is None else "the default was not looked at"
    flag = next(check for check in verified["checks"] if "flag" in check["name"])
    return good and flag["ok"], f"{told}; {flag['seen']}"


def _case(results: Results, name: str) -> Mapping[str, Any] | None:
    found = results.get("failures")
    case: Mapping[str, Any] | None = found["cases"].get(name) if found else None
    return case


#: Number, what, target, how it is measured, by what it is judged.
CRITERIA: tuple[tuple[str, str, str, str, Callable[[Results], Verdict]], ...] = (
    (
        "P1",
        "500 hearings processed",
        "< 5 s",
        "duration_seconds of the large set, median",
        _p1,
    ),
    ("P2", "Checkpoint creation", "< 50 ms", "50 updates, timed in the process, slowest", _p2),
    (
        "P3",
        "Batch validation",
        "< 200 ms",
        "50 records not seen before, timed in the process, slowest",
        _p3,
    ),
    (
        "P4",
        "Memory increase",
        "< 100 MB",
        "psutil: the child's peak less the launcher's own memory, worst run",
        _p4,
    ),
    (
        "P5",
        "Performance against Phase 2.2",
        "± 10 %",
        "duration_seconds, flag on and off in turn, medians",
        _p5,
    ),
    (
        "R1",
        "Partial success with failures",
        ">= 95 %",
        "one invalid record in 1,000 upstream, batches of 50",
        _r1,
    ),
    (
        "R2",
        "Corruption incidents",
        "none",
        "integrity_check, foreign_key_check, counts, verify_updates, observation",
        _r2,
    ),
    (
        "R3",
        "Checkpoint rollback",
        "100 %",
        "every batch rolled back, all tables compared row by row",
        _r3,
    ),
    ("R4", "Feature flag toggle", "100 %", "off, on, off, a process each; log and metrics", _r4),
    (
        "F1",
        "Batches of 50 hearings",
        "changes / 50, rounded up",
        "batch_count of the first and the large run",
        _f1,
    ),
    (
        "F2",
        "A failed batch leaves others alone",
        "others succeed",
        "invalid records, and a batch that dies half-way",
        _f2,
    ),
    (
        "F3",
        "Data committed on partial failure",
        ">= 95 %",
        "one invalid record in 1,000 upstream, batches of 50",
        _f3,
    ),
    (
        "F4",
        "Batch failures logged with details",
        "each failed batch",
        "batch_errors of the injected failures",
        _f4,
    ),
    (
        "F5",
        "Feature flag toggle",
        "off again: Phase 2.2",
        "the toggling, and the default in the settings",
        _f5,
    ),
)


def judge(results: Results) -> list[dict[str, str]]:
    """`{id, what, target, how, measured, outcome}` for each of P1-P5, R1-R4, F1-F5."""
    judged = []
    for number, what, target, how, criterion in CRITERIA:
        met, measured = criterion(results)
        outcome = NOT_MEASURED if met is None else PASS if met else FAIL
        judged.append(
            {
                "id": number,
                "what": what,
                "target": target,
                "how": how,
                "measured": measured,
                "outcome": outcome,
            }
        )
    return judged
