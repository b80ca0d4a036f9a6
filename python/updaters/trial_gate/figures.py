"""`trial_gate_metrics.json`: every figure of a trial, for programs."""

import json
from collections.abc import Mapping
from typing import Any

from updaters.trial_gate import tables

VERSION = 1
#: Steps whose results stand there as they were kept.
WHOLE = (
    *("verify", "baseline", "batch", "sweep", "large", "memory", "micro", "failures", "toggle"),
    "integrity",
)
#: Of the observation: as long as the log itself, and different each time it is looked at.
UNSTEADY = ("checks", "last_age_hours")


def as_json(found: Mapping[str, Any]) -> str:
    """The file's text. A part whose step was not run is null.

    - `version` (1), `generated_at`, `trial` (`database`, `source`, `congress`, `lookback_days`,
      `large_lookback_days`, `latency_ms`, `created_at`), `origin` (snapshot and answers), `machine`
    - `comparison`: list of `{metric, unit, phase_22, batches, difference_percent}`
    - `verify`, `baseline`, `batch`, `sweep`, `large`, `memory`, `micro`, `failures`, `toggle`,
      `integrity`: what the step measured. Times are `{median, min, max, values}`, in the unit that
      the key names; `metrics` are those of the run whose log is delivered; memory `samples` are
      `[seconds, MB]`
    - `observation`: `updaters.health.observe`, less the single checks and the age of the last one
    - `criteria`: list of `{id, what, target, how, measured, outcome}`; `recommendation`:
      `{verdict, why, conditions}`; `issues`: list of lines
    """
    results = found["results"]
    batch, observed = results.get("batch"), results.get("observe")
    shown: dict[str, Any] = {
        "version": VERSION,
        "generated_at": found["generated_at"],
        "trial": {key: value for key, value in found["about"].items() if key != "version"},
        "origin": found["origin"],
        "machine": found["machine"],
        "comparison": tables.comparison(batch) if batch else None,
        **{step: results.get(step) for step in WHOLE},
        "observation": {key: value for key, value in observed.items() if key not in UNSTEADY}
        if observed
        else None,
        "criteria": found["criteria"],
        "recommendation": found["recommendation"],
        "issues": found["issues"],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
