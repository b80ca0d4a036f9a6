"""Test 1.3: the memory of a run above its launcher's, as the plan measures it (P4)."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from updaters.errors import UpdaterError
from updaters.trial_gate.answers import Tell, replay
from updaters.trial_gate.runs import command, environment, run, tied
from updaters.trial_gate.trial import Trial

#: P4, in MB above the launcher.
REQUIRED_MB = 100
#: The launcher, run by its path: it is to import no more than it needs.
LAUNCHER = Path(__file__).with_name("launcher.py")
LOG = "trial_gate_memory.log"


def memory(trial: Trial, rounds: int, tell: Tell) -> dict[str, Any]:
    """The flag off, on, and on with the large set; the worst of each counts.

    `runs`: name -> the run with the highest increase (`baseline_mb`, `peak_mb`, `increase_mb`,
    `printed`: the plan's lines, `samples`: [seconds, MB], ...); `increase_mb`: the highest of all.
    """
    if importlib.util.find_spec("psutil") is None:
        raise UpdaterError("psutil is not installed: pip install 'hearing-updater[trial]'")
    days, large_days = trial.about["lookback_days"], trial.about["large_lookback_days"]
    cases = {"plain": (False, days), "batch": (True, days), "large": (True, large_days)}
    worst: dict[str, dict[str, Any]] = {}
    with replay(trial) as api:
        for _ in range(rounds):
            for name, (flag, lookback) in cases.items():
                found = _launch(trial, api.url, flag, lookback)
                if name not in worst or found["increase_mb"] > worst[name]["increase_mb"]:
                    worst[name] = found
        for name, found in worst.items():
            tell(f"{name}: {found['increase_mb']:.1f} MB above the launcher")
    printed = {name: found["printed"] for name, found in worst.items()}
    trial.deliver(
        LOG, "".join(f"{name}\n" + "\n".join(lines) + "\n" for name, lines in printed.items())
    )
    highest = max(found["increase_mb"] for found in worst.values())
    return {"runs": worst, "increase_mb": highest, "rounds": rounds}


def _launch(trial: Trial, url: str, flag: bool, lookback_days: int) -> dict[str, Any]:
    with trial.fresh_copy() as database:
        updater = command(trial, database, lookback_days)
        variables = {"ENABLE_BATCH_PROCESSING": "true" if flag else "false"}
        code, output = run(
            [sys.executable, str(LAUNCHER), str(REQUIRED_MB), *tied(updater)],
            environment(url, **variables),
            cwd=trial.work,
        )
    lines = output.decode(errors="replace").splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise UpdaterError(f"the memory was not measured: {' '.join(lines)[-300:]}") from None
    if code != 0 or found["exit_code"] != 0:
        raise UpdaterError(f"the run whose memory was measured failed ({found['exit_code']})")
    # As many as a plot can show.
    every = len(found["samples"]) // 400 + 1
    return {**found, "samples": found["samples"][::every], "printed": lines[:-1]}
