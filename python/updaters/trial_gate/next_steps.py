"""What to do next: the plan's own steps for each verdict, and a fix for each open criterion."""

from collections.abc import Iterable, Mapping
from typing import Any

from updaters.trial_gate.criteria import FAIL, NOT_MEASURED

#: The plan's "Next Steps After Trial Gate": a title, and the steps.
AFTER: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "proceed": (
        "Day 13: Decision Gate",
        (
            "Review the Trial Gate Report",
            "Verify that all success criteria are met",
            "Document the final decision",
            "Prepare the production deployment plan",
            "Create the production rollout checklist (PRODUCTION_ROLLOUT_CHECKLIST.md is written)",
        ),
    ),
    "iterate": (
        "Return to Development",
        (
            "Document the issues found",
            "Prioritize the fixes",
            "Implement the fixes",
            "Re-run the Day 9 tests",
            "Restart the Trial Gate",
        ),
    ),
    "abort": (
        "Abort and Re-architect",
        (
            "Set ENABLE_BATCH_PROCESSING=false",
            "Restore the database from its backup, if corruption was detected: "
            "hearing-updater restore",
            "Thoroughly document the failure reasons",
            "Return to Day 8 (Review Gate)",
            "Re-evaluate the architecture decisions",
            "Plan an alternative approach",
            "Restart the implementation",
        ),
    ),
}
#: Criterion -> the steps that measure it.
MEASURED_BY: Mapping[str, tuple[str, ...]] = {
    "P1": ("large",),
    "P2": ("micro",),
    "P3": ("micro",),
    "P4": ("memory",),
    "P5": ("baseline", "batch"),
    "R1": ("failures",),
    "R2": ("integrity",),
    "R3": ("failures",),
    "R4": ("toggle",),
    "F1": ("batch",),
    "F2": ("failures",),
    "F3": ("failures",),
    "F4": ("failures",),
    "F5": ("verify", "toggle"),
}
#: Criterion -> what to look at where it is not met.
FIXES: Mapping[str, str] = {
    "P1": "look at latency and MAX_CONCURRENCY first: most of a run is waiting for the API",
    "P2": "look at the disk that the database is on, then at the checkpoint of updates",
    "P3": "look at what validation asks of the database for each record",
    "P4": "look at the memory plot for the phase in which it grows; MAX_CONCURRENCY bounds it",
    "P5": "try the sweep's fastest size with BATCH_PROCESSING_SIZE, on a machine at rest",
    "R1": "look at why records beside the invalid one were lost; BATCH_SALVAGE=true stores them",
    "R2": "keep the flag off, put a backup back (hearing-updater restore), find the cause",
    "R3": "keep the flag off: a rollback must be exact; the rows that differ are in the metrics",
    "R4": "look at which settings the run used: the environment beats .env",
    "F1": "look at BATCH_PROCESSING_SIZE in the environment and in .env",
    "F2": "look at what a failed batch left: every batch is to be one transaction",
    "F3": "look at why records beside the invalid one were lost; BATCH_SALVAGE=true stores them",
    "F4": "look at batch_errors in the metrics: each needs its batch, error and issues",
    "F5": "unset ENABLE_BATCH_PROCESSING: the flag is to be off by default",
}


def next_steps(verdict: str) -> dict[str, Any]:
    """`title` and `steps`, of the plan."""
    title, steps = AFTER[verdict]
    return {"title": title, "steps": list(steps)}


def advice(judged: Iterable[Mapping[str, str]], results: Mapping[str, Any]) -> list[str]:
    """A line for each criterion that is open, in their order."""
    lines = []
    for criterion in judged:
        number = criterion["id"]
        if criterion["outcome"] == FAIL:
            lines.append(f"{number}: {FIXES[number]}.")
        elif criterion["outcome"] == NOT_MEASURED:
            steps = MEASURED_BY[number]
            missing = [step for step in steps if not results.get(step)]
            if missing:
                commands = ", then ".join(f"hearing-updater trial-gate {step}" for step in missing)
                lines.append(f"{number}: measure it: {commands}.")
            else:
                lines.append(f"{number}: {criterion['measured']}.")
    return lines
