"""What the report shows, section by section, from what `findings.gather` found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from updaters.trial_gate import tables
from updaters.trial_gate.criteria import FAIL, NOT_MEASURED, PASS
from updaters.trial_gate.next_steps import advice, next_steps
from updaters.trial_gate.reliability import PHASES, reliability
from updaters.trial_gate.steps import OBSERVE, STEPS
from updaters.trial_gate.tables import NONE, Table, count, counted, elapsed, fixed, outcome, when

#: The plan's seven sections: anchor -> title.
SECTIONS: Mapping[str, str] = {
    "summary": "Executive Summary",
    "timeline": "Deployment Timeline",
    "performance": "Performance Results",
    "reliability": "Reliability Results",
    "tests": "Test Results",
    "issues": "Issues Identified",
    "recommendation": "Recommendation",
}
DAYS: Mapping[int, str] = {
    10: "Day 10: setup and Phase 2.2 baseline",
    11: "Day 11: batch processing enabled, observation",
    12: "Day 12: performance tests, failures, report",
}
VERDICTS: Mapping[str, str] = {
    "proceed": "Proceed to production",
    "iterate": "Iterate: address the issues first",
    "abort": "Abort: critical issues",
}
GROUPS: Mapping[str, str] = {
    "P": "Performance tests (P1-P5)",
    "R": "Reliability tests (R1-R4)",
    "F": "Functional tests (F1-F5)",
}


def build(found: Mapping[str, Any]) -> dict[str, Any]:
    """All texts and tables of the report; both templates show the same."""
    results, verdict = found["results"], found["recommendation"]["verdict"]
    return {
        "sections": SECTIONS,
        "generated_at": when(found["generated_at"]),
        "verdict": verdict,
        "verdict_told": VERDICTS[verdict],
        "result": result(found),
        "why": found["recommendation"]["why"],
        "conditions": found["recommendation"]["conditions"],
        "counts": {
            outcome: sum(entry["outcome"] == outcome for entry in found["criteria"])
            for outcome in (PASS, FAIL, NOT_MEASURED)
        },
        "key_figures": key_figures(results, found["hours"], found["criteria"]),
        "about": about(found),
        "start": start(found),
        "timeline": timeline(found["timeline"], results),
        "performance": performance(results),
        "reliability": reliability(results, found["hours"]),
        "tests": tests(found["criteria"]),
        "verified": verified(results.get("verify")),
        "issues": found["issues"],
        "notes": found["notes"],
        "advice": advice(found["criteria"], results),
        "next_steps": next_steps(verdict),
        "checklist": found["checklist"],
        "deliverables": deliverables(found["deliverables"]),
    }


def result(found: Mapping[str, Any]) -> str:
    """The plan's "Overall result (Pass/Fail)"; a trial with gaps is neither."""
    outcomes = {entry["outcome"] for entry in found["criteria"]}
    verdict = found["recommendation"]["verdict"]
    if verdict == "proceed":
        return PASS
    if verdict == "abort" or FAIL in outcomes:
        return FAIL
    return "NOT COMPLETE" if NOT_MEASURED in outcomes else FAIL


def key_figures(
    results: Mapping[str, Any], hours: float, criteria: Sequence[Mapping[str, str]]
) -> list[tuple[str, str, str]]:
    """Name, figure, and what it is of: what a reader wants to know first."""
    open_ones = {entry["id"] for entry in criteria if entry["outcome"] == NOT_MEASURED}

    def of(number: str, told: str) -> str:
        return f"{number} not measured" if number in open_ones else told

    batch, large = results.get("batch"), results.get("large")
    memory, observed = results.get("memory"), results.get("observe")
    return [
        (
            "Against Phase 2.2",
            tables.signed(batch["difference_percent"]) if batch else NONE,
            of("P5", "duration, within 10 %") if batch else "not run",
        ),
        (
            "Large dataset",
            fixed(large["duration_seconds"]["median"], 2, "s") if large else NONE,
            of("P1", f"{count(large['changes'])} changes, below 5 s") if large else "not run",
        ),
        (
            "Memory increase",
            fixed(memory["increase_mb"], 1, "MB") if memory else NONE,
            of("P4", "at most, below 100 MB") if memory else "not run",
        ),
        (
            "Observed",
            fixed(observed["hours_covered"] if observed else 0.0, 1, "h"),
            f"of {hours:.0f} hours",
        ),
    ]


def about(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the trial is of, and on what it was measured."""
    trial, machine = found["about"], found["machine"]
    return [
        ("Database", str(trial["database"])),
        ("Congress", str(trial["congress"])),
        ("Trial begun", when(trial["created_at"])),
        ("Machine", f"{machine['system']}, {machine['cores']} cores"),
        ("Versions", f"hearing-updater {machine['updater']}, Python {machine['python']}"),
        ("Answers", _answers(trial, found["origin"])),
    ]


def _answers(trial: Mapping[str, Any], origin: Mapping[str, Any]) -> str:
    kind = {"sandbox": "our own server (--sandbox)", "live": "the live API"}.get(
        trial["source"], str(trial["source"])
    )
    if not origin["recorded_at"]:
        return f"{kind}; not recorded yet"
    return (
        f"recorded once from {kind}, {when(origin['recorded_at'])}: "
        f"{count(origin['meetings'])} meetings of {origin['lookback_days']} days"
    )


def start(found: Mapping[str, Any]) -> list[str]:
    """What each measured run started from."""
    trial, origin = found["about"], found["origin"]
    taken = when(origin["snapshot_at"]) if origin["snapshot_at"] else "not taken yet"
    return [
        "Every measured run is a process of its own, on a fresh copy of the same snapshot of the "
        f"database ({taken}), and meets the same recorded answers.",
        f"Each answer takes {fixed(trial['latency_ms'], 0, 'ms')}. The runs look back "
        f"{trial['lookback_days']} days, those of the large dataset "
        f"{trial['large_lookback_days']} days.",
        "Durations are duration_seconds as a run's own metrics have them, without Python's start.",
    ]


def timeline(entries: Iterable[Mapping[str, Any]], results: Mapping[str, Any]) -> list[Table]:
    """A table for each of the plan's days: what was done when, and what was not."""
    entries = list(entries)
    done = {entry.get("step") for entry in entries}
    shown = []
    for day, title in DAYS.items():
        rows: list[tuple[str, ...]] = [
            (
                f"{entry.get('title') or entry.get('step')}",
                when(entry.get("started_at"), seconds=True),
                when(entry.get("ended_at"), seconds=True),
                elapsed(entry.get("seconds")),
                str(entry.get("outcome")),
            )
            for entry in entries
            if entry.get("day") == day
        ]
        if day == OBSERVE.day:
            rows += _watched(results.get("observe"))
        rows += [
            (step.title, NONE, NONE, NONE, "not run")
            for step in (*STEPS, OBSERVE)
            if step.day == day and step.name not in done and not results.get(step.name)
        ]
        columns = ("Activity", "Began", "Ended", "Took", "Outcome")
        shown.append(Table(title, columns, rows, frozenset({3})))
    return shown


def _watched(observed: Mapping[str, Any] | None) -> list[tuple[str, ...]]:
    return [
        (
            PHASES.get(phase["mode"], str(phase["mode"])),
            when(phase["from"], seconds=True),
            when(phase["to"], seconds=True),
            fixed(phase["hours_covered"], 1, "h"),
            counted(phase["checks"], "check"),
        )
        for phase in (observed["phases"] if observed else ())
    ]


def performance(results: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of section 3; None for what was not run."""
    kinds: Mapping[str, Any] = {
        "baseline": lambda found: tables.of_runs("off", found),
        "batch": lambda found: tables.of_runs("on", found),
        "sweep": tables.sizes,
        "large": lambda found: tables.of_runs("on", found),
        "memory": tables.memory,
        "micro": tables.micro,
    }
    shown = {
        name: make(results[name]) if results.get(name) else None for name, make in kinds.items()
    }
    sweep, batch = results.get("sweep"), results.get("batch")
    return {
        **shown,
        "comparison": tables.compared(batch) if batch else None,
        "best": tables.best_size(sweep) if sweep else None,
    }


def tests(judged: Iterable[Mapping[str, str]]) -> list[Table]:
    """The criteria, by group."""
    judged = list(judged)
    columns = ("Id", "Criterion", "Target", "Measured", "How", "Outcome")
    keys = ("id", "what", "target", "measured", "how", "outcome")
    return [
        Table(
            title,
            columns,
            [tuple(entry[key] for key in keys) for entry in judged if entry["id"][0] == group],
            badge=5,
        )
        for group, title in GROUPS.items()
    ]


def verified(found: Mapping[str, Any] | None) -> Table | None:
    """The environment checklist of day 10."""
    if not found:
        return None
    rows = [
        (
            check["name"],
            str(check["seen"]),
            "nothing to check" if check["ok"] is None else outcome(check["ok"]),
        )
        for check in found["checks"]
    ]
    return Table("Environment checklist", ("Check", "Seen", "Outcome"), rows, badge=2)


def deliverables(found: Iterable[Mapping[str, Any]]) -> Table:
    """The plan's list of outputs."""
    rows = [
        (
            str(entry["name"]),
            "missing"
            if not entry["there"]
            else "with this report"
            if entry["bytes"] is None
            else f"{count(entry['bytes'])} bytes",
        )
        for entry in found
    ]
    return Table("Deliverables", ("File", "State"), rows, frozenset({1}))
