"""All that a trial has found, in one dict: what the report is rendered from, and `status` ticks."""

import os
import platform
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from updaters.errors import UpdaterError
from updaters.trial_gate import criteria
from updaters.trial_gate.recommendation import recommend
from updaters.trial_gate.steps import STEPS
from updaters.trial_gate.tables import counted
from updaters.trial_gate.trial import ANSWERS, HEALTH, NOTES, REPORT, Trial, now

HOURS = 48.0
#: Of each of the plan's two observations.
PHASE_HOURS = 24.0
#: So many hours must be covered before checks count as hourly ones.
HOURLY = 1.0

METRICS = "trial_gate_metrics.json"

NOTES_TEXT = """<!-- Your own remarks: problems, workarounds, recommendations. They stand in the
report, under "Issues Identified", and survive its next rendering. Markdown. -->
"""


def gather(trial: Trial, hours: float = HOURS, *, rendering: bool = False) -> dict[str, Any]:
    """Everything that the report shows (docs: the keys below).

    `about`, `origin`, `machine`, `generated_at`; `results` (step -> what it measured), `timeline`
    (as noted), `criteria` and `recommendation` (`updaters.trial_gate.criteria`), `issues` (found by
    the program), `notes` (the person's, Markdown), `checklist` (`{section: [{item, done,
    evidence}]}`), `deliverables` (`{name, there, bytes}`). With `rendering` the report's own files
    count as there: they are about to be written.
    """
    results = {name: found["data"] for name, found in trial.results().items()}
    observed = observation(trial, hours)
    if observed is not None:
        # Newer than what the step kept, when cron has added to it.
        results["observe"] = observed
    judged = criteria.judge(results)
    return {
        "generated_at": now(),
        "about": trial.about,
        "origin": origin(trial),
        "machine": machine(),
        "results": results,
        "timeline": trial.timeline(),
        "criteria": judged,
        "recommendation": recommend(judged, results, hours),
        "issues": issues(judged, results),
        "notes": notes(trial),
        "checklist": checklist(trial, results, judged, rendering=rendering),
        "deliverables": deliverables(trial, rendering=rendering),
        "hours": hours,
    }


def observation(trial: Trial, hours: float) -> dict[str, Any] | None:
    """What the health log holds (`updaters.health.observe`); None where there is no check in it."""
    if not (trial.out / HEALTH).exists():
        return None
    from updaters.trial_gate.observe import collected

    found = collected(trial, hours)
    return found if found["checks"] else None


def origin(trial: Trial) -> dict[str, Any]:
    """What every measured run started from: `snapshot_at`, and of the answers `recorded_at`,
    `from` (the API's host), `lookback_days`, `meetings`. None for what is not there yet."""
    from updaters.recording import describe

    snapshot, answers = trial.home / "snapshot.db", trial.home / ANSWERS
    told = describe(answers) if answers.exists() else {}
    return {
        "snapshot_at": _local(snapshot.stat().st_mtime) if snapshot.exists() else None,
        "recorded_at": told.get("recorded_at"),
        "from": told.get("source"),
        "lookback_days": told.get("lookback_days"),
        "meetings": told.get("meetings"),
    }


def _local(stamp: float) -> str:
    return datetime.fromtimestamp(stamp).astimezone().isoformat(timespec="seconds")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    from updaters.cli.common import version

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "updater": version(),
    }


def notes(trial: Trial) -> str:
    """The person's remarks, without the hint that the file begins with."""
    path = trial.out / NOTES
    if not path.exists():
        return ""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UpdaterError(f"{path} cannot be read: {exc}") from None
    return text.removeprefix(NOTES_TEXT).strip()


def issues(judged: list[dict[str, str]], results: Mapping[str, Any]) -> list[str]:
    """What did not go as it should, one line each."""
    found = [
        f"{criterion['id']} ({criterion['what']}): {criterion['measured']}."
        for criterion in judged
        if criterion["outcome"] == criteria.FAIL
    ]
    for check in results.get("verify", {}).get("checks", []):
        if check["ok"] is False:
            found.append(f"{check['name']}: NOT so: {check['seen']}.")
    for case in results.get("failures", {}).get("cases", {}).values():
        if case["passed"] is False:
            found.append(f"{case['title']}: expected: {case['expected']}; seen: {case['seen']}.")
        elif case["passed"] is None:
            found.append(f"{case['title']}: could not be tried: {case['seen']}.")
    return found


#: What a rendering writes, but for the rollout checklist.
RENDERED = (METRICS, f"{REPORT}.md", f"{REPORT}.html")


def deliverables(trial: Trial, *, rendering: bool = False) -> list[dict[str, Any]]:
    """The plan's outputs: which are there. `bytes` is None for what is about to be written."""
    logs = [name for step in STEPS for name in step.files]
    found: list[dict[str, Any]] = []
    for name in (*logs, HEALTH, *RENDERED):
        path = trial.out / name
        if rendering and name in RENDERED:
            found.append({"name": name, "there": True, "bytes": None})
            continue
        there = path.is_file()
        found.append({"name": name, "there": there, "bytes": path.stat().st_size if there else 0})
    return found


Item = tuple[str, bool, str]


def checklist(
    trial: Trial,
    results: Mapping[str, Any],
    judged: list[dict[str, str]],
    *,
    rendering: bool = False,
) -> dict[str, list[dict[str, Any]]]:
    """The plan's monitoring checklist, item by item, from the evidence at hand."""
    observed = results.get("observe")
    checks = observed["checks"] if observed else []
    baseline, batch = results.get("baseline"), results.get("batch")
    before, after = _by_phase(checks)
    hours_before, hours_after = _hours_by_phase(observed)
    tested = all(results.get(name) for name in ("sweep", "large", "memory", "micro", "toggle"))
    failures, integrity = results.get("failures"), results.get("integrity")
    unmet = [entry["id"] for entry in judged if entry["outcome"] != criteria.PASS]
    report = trial.out / f"{REPORT}.md"
    sections: dict[str, list[Item]] = {
        "Day 10-11: Phase 2.2 Baseline": [
            (
                "Hourly health checks running",
                hours_before >= HOURLY,
                _covered(before, hours_before),
            ),
            (
                "Database integrity checked (PRAGMA integrity_check)",
                any(check["integrity"] == "ok" for check in before),
                f"{counted(len(before), 'check')} before batches",
            ),
            ("Error logs monitored", hours_before >= HOURLY, _errors(before)),
            ("Baseline metrics captured", bool(baseline), _captured(baseline, "baseline")),
            (
                "No anomalies detected",
                hours_before >= HOURLY and not _bad(before),
                _told(before, hours_before),
            ),
        ],
        "Day 11-12: Batch Processing Observation": [
            (
                "Feature flag enabled successfully",
                batch is not None and batch["runs"][0]["mode"] == "batch",
                _captured(batch, "batch"),
            ),
            (
                "First run completed successfully",
                batch is not None and batch["runs"][0]["exit_code"] == 0,
                _captured(batch, "batch"),
            ),
            (
                "Batch metrics captured",
                batch is not None and "batch_processing" in batch["metrics"],
                _captured(batch, "batch"),
            ),
            (
                "Hourly health checks continuing",
                hours_after >= HOURLY,
                _covered(after, hours_after),
            ),
            (
                "Performance compared to baseline",
                batch is not None and batch["difference_percent"] is not None,
                _difference(batch),
            ),
            (
                "No anomalies detected",
                hours_after >= HOURLY and not _bad(after),
                _told(after, hours_after),
            ),
        ],
        "Day 12: Testing": [
            ("Performance tests completed", tested, "sweep, large, memory, micro, toggle"),
            (
                "Failure injection tests completed",
                bool(failures),
                counted(len(failures["cases"]), "case") if failures else "trial-gate failures",
            ),
            (
                "Database integrity verified",
                integrity is not None and integrity["passed"],
                counted(len(integrity["databases"]), "database")
                if integrity
                else "trial-gate integrity",
            ),
            (
                "All success criteria met",
                not unmet,
                f"open: {', '.join(unmet)}" if unmet else "all of P1-P5, R1-R4, F1-F5",
            ),
            ("Trial Gate Report completed", rendering or report.exists(), report.name),
        ],
    }
    return {
        section: [{"item": item, "done": done, "evidence": told} for item, done, told in items]
        for section, items in sections.items()
    }


def _by_phase(checks: list[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Checks while the last run was a plain one, and since it was in batches."""
    batched = [check for check in checks if check.get("batched")]
    return [check for check in checks if not check.get("batched")], batched


def _hours_by_phase(observed: Mapping[str, Any] | None) -> tuple[float, float]:
    """The hours that the checks of each phase cover."""
    phases = observed["phases"] if observed else []
    batched = sum(phase["hours_covered"] for phase in phases if phase["mode"] == "batch")
    return sum(phase["hours_covered"] for phase in phases) - batched, batched


def _covered(checks: list[Mapping[str, Any]], hours: float) -> str:
    if not checks:
        return "no health checks"
    return f"{counted(len(checks), 'check')}, {hours:.1f} of {PHASE_HOURS:.0f} hours covered"


def _bad(checks: list[Mapping[str, Any]]) -> list[Any]:
    return [check for check in checks if check["status"] == "critical"]


def _told(checks: list[Mapping[str, Any]], hours: float) -> str:
    if not checks:
        return "no health checks"
    return f"{len(_bad(checks))} of {counted(len(checks), 'check')} critical, in {hours:.1f} hours"


def _errors(checks: list[Mapping[str, Any]]) -> str:
    return f"{logged_errors(checks)} error lines seen" if checks else "no health checks"


def logged_errors(checks: list[Mapping[str, Any]]) -> int:
    """Each check counts the errors of its day's log so far: the most of each day, added up."""
    days: dict[str, int] = {}
    for check in checks:
        day = check["time"][:10]
        days[day] = max(days.get(day, 0), check["log_errors"] or 0)
    return sum(days.values())


def _difference(batch: Mapping[str, Any] | None) -> str:
    if not batch or batch["difference_percent"] is None:
        return "trial-gate batch"
    return f"{batch['difference_percent']:+.1f} %"


def _captured(result: Mapping[str, Any] | None, step: str) -> str:
    if not result:
        return f"trial-gate {step}"
    seconds = result["duration_seconds"]["median"]
    return f"{result['runs'][0]['changes']} changes in {seconds:.2f} s"
