"""The plan's timed runs: baseline, batches, batch sizes, the large set, the flag's toggling."""

import json
from typing import Any

from updaters.trial_gate.answers import Tell, replay
from updaters.trial_gate.runs import measure, percent, spread
from updaters.trial_gate.trial import Trial

BASELINE_LOG = "trial_gate_phase22_baseline.log"
BASELINE_METRICS = "trial_gate_phase22_baseline_metrics.json"
BATCH_LOG = "trial_gate_batch_first_run.log"
BATCH_METRICS = "trial_gate_batch_metrics.json"
LARGE_LOG = "trial_gate_large_dataset.log"
SIZES = (25, 50, 100, 200)
DEFAULT_SIZE = 50
#: P1 asks for so many.
LARGE = 500

AFTER_BASELINE, AFTER_BATCH, AFTER_LARGE = "after_baseline.db", "after_batch.db", "after_large.db"


def size_log(size: int) -> str:
    """The log of one batch size."""
    return f"trial_gate_batch_size_{size}.log"


def seconds(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The spread of `duration_seconds`, as the plan greps it from the logs."""
    return spread(run["duration_seconds"] for run in runs)


def baseline(trial: Trial, rounds: int, tell: Tell) -> dict[str, Any]:
    """Day 10: the flag off. The first run's log is the deliverable."""
    runs = _rounds(
        trial, rounds, tell, "flag off", flag=False, log=BASELINE_LOG, keep=AFTER_BASELINE
    )
    _deliver_metrics(trial, BASELINE_METRICS, runs[0])
    return {"runs": runs, "duration_seconds": seconds(runs), "metrics": runs[0]["metrics"]}


def _rounds(
    trial: Trial, rounds: int, tell: Tell, what: str, *, log: str, keep: str, **how: Any
) -> list[dict[str, Any]]:
    """The same run again and again; log and database of the first one are kept."""
    runs: list[dict[str, Any]] = []
    with replay(trial) as api:
        for number in range(rounds):
            first: dict[str, Any] = {"log": log, "keep": keep} if number == 0 else {}
            runs.append(measure(trial, api.url, **how, **first))
            tell(_told(what, runs[-1]))
    return runs


def batch(trial: Trial, rounds: int, tell: Tell) -> dict[str, Any]:
    """Day 11: the flag on. Each round also repeats the baseline, so that drift hits both alike."""
    plain, batched = [], []
    with replay(trial) as api:
        for number in range(rounds):
            first = number == 0
            batched.append(
                measure(
                    trial,
                    api.url,
                    flag=True,
                    log=BATCH_LOG if first else None,
                    keep=AFTER_BATCH if first else None,
                )
            )
            plain.append(measure(trial, api.url, flag=False))
            tell(f"{_told('flag on', batched[-1])}; off {plain[-1]['duration_seconds']:.2f} s")
    _deliver_metrics(trial, BATCH_METRICS, batched[0])
    off, on = seconds(plain), seconds(batched)
    return {
        "runs": batched,
        "baseline_runs": plain,
        "duration_seconds": on,
        "baseline_seconds": off,
        "difference_percent": percent(on["median"], off["median"]),
        "metrics": batched[0]["metrics"],
    }


def sweep(trial: Trial, rounds: int, tell: Tell) -> dict[str, Any]:
    """Day 12, test 1.1: the batch sizes in turn, each round beginning with another one."""
    runs: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    with replay(trial) as api:
        for number in range(rounds):
            turn = number % len(SIZES)
            for size in (*SIZES[turn:], *SIZES[:turn]):
                log = size_log(size) if number == 0 else None
                runs[size].append(measure(trial, api.url, flag=True, size=size, log=log))
            told = (f"{size}: {runs[size][-1]['duration_seconds']:.2f} s" for size in SIZES)
            tell(f"round {number + 1} of {rounds}: {', '.join(told)}")
    sizes = {
        str(size): {
            "duration_seconds": seconds(of_size),
            "batch_count": of_size[0]["metrics"]["batch_processing"]["batch_count"],
            "changes": of_size[0]["changes"],
            "log": size_log(size),
        }
        for size, of_size in runs.items()
    }
    return {"rounds": rounds, "sizes": sizes, **_best(sizes)}


def _best(sizes: dict[str, Any]) -> dict[str, Any]:
    """The fastest size, and whether it is faster than the default beyond the runs' own spread."""
    medians = {int(size): found["duration_seconds"]["median"] for size, found in sizes.items()}
    best = min(medians, key=lambda size: medians[size])
    default = sizes[str(DEFAULT_SIZE)]["duration_seconds"]
    return {
        "best": best,
        "best_is_clear": best != DEFAULT_SIZE
        and sizes[str(best)]["duration_seconds"]["max"] < default["min"],
        "gain_percent": -(percent(medians[best], default["median"]) or 0.0),
    }


def large(trial: Trial, rounds: int, tell: Tell) -> dict[str, Any]:
    """Day 12, test 1.2: the long lookback, for 500 and more changes."""
    days = trial.about["large_lookback_days"]
    runs = _rounds(
        trial,
        rounds,
        tell,
        "large set",
        flag=True,
        lookback_days=days,
        log=LARGE_LOG,
        keep=AFTER_LARGE,
    )
    return {
        "runs": runs,
        "duration_seconds": seconds(runs),
        "changes": runs[0]["changes"],
        "enough": runs[0]["changes"] >= LARGE,
        "metrics": runs[0]["metrics"],
    }


def toggle(trial: Trial, cycles: int, tell: Tell) -> dict[str, Any]:
    """R4 and F5: off, on, off, again and again; each run must go by the flag it was given."""
    runs = []
    with replay(trial, latency_ms=0) as api:
        for number in range(cycles):
            for flag in (False, True, False):
                found = measure(trial, api.url, flag=flag, must_succeed=False)
                runs.append({"flag": flag, **_obeyed(flag, found)})
            good = sum(run["as_expected"] for run in runs)
            tell(f"cycle {number + 1} of {cycles}: {good} of {len(runs)} runs went by the flag")
    return {
        "cycles": cycles,
        "runs": runs,
        "switches": len(runs) - 1,
        "as_expected": sum(run["as_expected"] for run in runs),
    }


def _deliver_metrics(trial: Trial, name: str, found: dict[str, Any]) -> None:
    """The metrics of the run whose log is delivered, as it printed them."""
    trial.deliver(name, json.dumps(found["metrics"], indent=2) + "\n")


def _obeyed(flag: bool, found: dict[str, Any]) -> dict[str, Any]:
    """Whether a run's log line, its metrics and its outcome are those of the flag."""
    metrics = found["metrics"]
    return {
        "exit_code": found["exit_code"],
        "mode": found["mode"],
        "changes": found["changes"],
        "as_expected": found["exit_code"] == 0
        and found["mode"] == ("batch" if flag else "plain")
        and ("batch_processing" in metrics) is flag
        and metrics.get("error_count") == 0,
    }


def _told(what: str, found: dict[str, Any]) -> str:
    return f"{what}: {found['changes']} changes in {found['duration_seconds']:.2f} s"
