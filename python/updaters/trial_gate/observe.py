"""The passive hours: what the health checks that cron collected tell."""

import tempfile
from typing import Any

from updaters.trial_gate.answers import Tell
from updaters.trial_gate.trial import HEALTH, Trial


def observe(trial: Trial, hours: float, tell: Tell) -> dict[str, Any]:
    """One more check now, of the original and whole, then what `collected` tells."""
    from updaters.health import check, collect, render
    from updaters.settings import load_settings

    found = check(trial.about["database"], full=True, settings=load_settings())
    collect.append(trial.out / HEALTH, render.text(found))
    tell(f"now: {found.status}")
    seen = collected(trial, hours)
    tell(f"{seen['count']} checks cover {seen['hours_covered']:.1f} of {hours:.0f} hours")
    return seen


def collected(trial: Trial, hours: float) -> dict[str, Any]:
    """What lies in the trial's health log, of its database (`updaters.health.observe`)."""
    from updaters import health

    log, database = trial.out / HEALTH, trial.about["database"]
    if log.exists():
        return health.observe(log, hours, database=database)
    # None was collected: what an empty log tells.
    with tempfile.NamedTemporaryFile() as empty:
        return {**health.observe(empty.name, hours, database=database), "log": str(log)}
