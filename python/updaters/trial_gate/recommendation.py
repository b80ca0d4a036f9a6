"""What follows from the criteria, by the plan's own rules: proceed, iterate, or abort."""

from collections.abc import Mapping
from typing import Any

from updaters.trial_gate.criteria import FAIL, NOT_MEASURED, Results

#: P5: beyond so many per cent, the plan aborts.
ABORT = 50.0


def recommend(criteria: list[dict[str, str]], results: Results, hours: float) -> dict[str, Any]:
    """`verdict` ('proceed', 'iterate', 'abort'), `why`, and `conditions` (none on abort)."""
    failed = [criterion["id"] for criterion in criteria if criterion["outcome"] == FAIL]
    open_ones = [criterion["id"] for criterion in criteria if criterion["outcome"] == NOT_MEASURED]
    critical = _critical(failed, results)
    if critical:
        return {"verdict": "abort", "why": critical, "conditions": []}
    why = []
    if failed:
        why.append(f"Not met: {', '.join(failed)}.")
    if open_ones:
        why.append(f"Not measured: {', '.join(open_ones)}.")
    why += _not_as_expected(results)
    conditions = _conditions(results.get("observe"), hours) + _untried(results)
    if why:
        return {"verdict": "iterate", "why": why, "conditions": conditions}
    return {
        "verdict": "proceed",
        "why": ["All criteria were measured in this trial and are met."],
        "conditions": conditions,
    }


def _critical(failed: list[str], results: Results) -> list[str]:
    """The plan's critical issues: corruption, half as slow again, repeated crashes."""
    found = []
    if "R2" in failed:
        found.append("Data corruption or loss was found (R2).")
    batch = results.get("batch")
    if batch and (batch["difference_percent"] or 0) > ABORT:
        found.append(
            f"Batches take {batch['difference_percent']:.0f} % longer than Phase 2.2 "
            f"(the limit is {ABORT:.0f} %)."
        )
    runs = _runs(results)
    crashed = sum(map(_crashed, runs))
    if crashed > 1:
        found.append(f"{crashed} of {len(runs)} measured runs failed.")
    return found


def _runs(results: Results) -> list[Mapping[str, Any]]:
    """Every measured run that was meant to succeed."""
    found: list[Mapping[str, Any]] = []
    for step, lists in {
        "baseline": ("runs",),
        "batch": ("runs", "baseline_runs"),
        "large": ("runs",),
        "toggle": ("runs",),
    }.items():
        result = results.get(step)
        for name in lists:
            found += (result or {}).get(name, [])
    return found


def _crashed(run: Mapping[str, Any]) -> bool:
    """It ended badly, or found that it had broken something."""
    validated = run.get("metrics", {}).get("validation_passed")
    return run["exit_code"] != 0 or validated is False


def _marred(run: Mapping[str, Any]) -> bool:
    """It ended well, but not everything in it did."""
    metrics = run.get("metrics", {})
    failed = metrics.get("batch_processing", {}).get("batches_failed", 0)
    return bool(failed or metrics.get("error_count", 0))


def _not_as_expected(results: Results) -> list[str]:
    """What no criterion stands for."""
    why = []
    injected = results.get("failures")
    for case in (injected["cases"] if injected else {}).values():
        if case["passed"] is False:
            why.append(f"{case['title']}: not as expected: {case['seen']}.")
    verified = results.get("verify")
    for check in verified["checks"] if verified else []:
        if check["ok"] is False:
            why.append(f"{check['name']}: not so: {check['seen']}.")
    runs = _runs(results)
    if sum(map(_crashed, runs)) == 1:
        why.append("One of the measured runs failed.")
    marred = sum(map(_marred, runs))
    if marred:
        why.append(f"{marred} of {len(runs)} measured runs had failed batches or errors.")
    observed = results.get("observe")
    if observed and observed["statuses"]["critical"]:
        why.append(f"{observed['statuses']['critical']} critical health checks were observed.")
    return why


def _untried(results: Results) -> list[str]:
    """What this machine or these answers did not allow, and no criterion stands for."""
    injected, integrity = results.get("failures"), results.get("integrity")
    found = [
        f"{case['title']} could not be tried: {case['seen']}."
        for case in (injected["cases"] if injected else {}).values()
        if case["passed"] is None
    ]
    if integrity and integrity["same"] is None:
        found.append("What both modes stored was not compared row by row.")
    return found


def _conditions(observed: Mapping[str, Any] | None, hours: float) -> list[str]:
    """What is left of the hours that were to be watched, half of them with batches."""
    if not (observed and observed["covered"] and observed["hours"] >= hours):
        covered = observed["hours_covered"] if observed else 0.0
        return [
            f"The observation covers {covered:.1f} of {hours:.0f} hours: let it run to its end."
        ]
    batched = sum(
        phase["hours_covered"] for phase in observed["phases"] if phase["mode"] == "batch"
    )
    if batched < hours / 2 - 0.5:
        return [
            f"Of the observation, {batched:.1f} hours were with batches; "
            f"the plan wants {hours / 2:.0f}."
        ]
    return []
