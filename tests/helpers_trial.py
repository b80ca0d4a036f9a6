"""Trial folders as the steps leave them, for tests of what is rendered from them."""

import copy
import gzip
import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from updaters.trial_gate.answers import ANSWERS
from updaters.trial_gate.runs import percent, spread
from updaters.trial_gate.speed import _best, size_log
from updaters.trial_gate.steps import OBSERVE, STEPS
from updaters.trial_gate.trial import HEALTH, Trial

BEGUN = datetime(2025, 10, 13, 8, 0, tzinfo=timezone(timedelta(hours=-4)))


def batches(changes: int, size: int = 50, failed: int = 0) -> dict[str, Any]:
    total = -(-changes // size)
    return {
        "enabled": True,
        "batch_count": total,
        "batches_succeeded": total - failed,
        "batches_failed": failed,
        "batch_errors": [],
    }


def run(seconds: float, changes: int, *, size: int | None = None, peak: float = 58.0) -> Any:
    """What `runs.measure` gives; plain without a size."""
    updated = changes // 2
    metrics = {
        "start_time": "2025-10-13T09:00:00",
        "end_time": "2025-10-13T09:00:02",
        "duration_seconds": seconds,
        "hearings_checked": changes + 12,
        "hearings_updated": updated,
        "hearings_added": changes - updated,
        "committees_updated": 30,
        "witnesses_updated": 65,
        "api_requests": changes + 15,
        "error_count": 0,
        "errors": [],
        "validation_passed": True,
        "validation_warnings": [],
        "validation_issues": [],
    }
    if size is not None:
        metrics["batch_processing"] = batches(changes, size)
    return {
        "exit_code": 0,
        "wall_seconds": round(seconds + 0.21, 3),
        "duration_seconds": seconds,
        "changes": changes,
        "peak_mb": peak,
        "mode": "plain" if size is None else "batch",
        "metrics": metrics,
        "flag": size is not None,
        "size": size or 50,
        "lookback_days": 7,
        "log": None,
    }


def speeds(runs: Iterable[Any]) -> dict[str, Any]:
    return spread(one["duration_seconds"] for one in runs)


def results() -> dict[str, Any]:
    """Every step's result, all as it should be."""
    plain = [run(seconds, 240) for seconds in (1.31, 1.28, 1.30, 1.33, 1.29)]
    batched = [run(seconds, 240, size=50) for seconds in (1.33, 1.30, 1.32, 1.36, 1.31)]
    large = [run(seconds, 600, size=50, peak=61.2) for seconds in (2.71, 2.64, 2.69)]
    sizes = {}
    for size, center in ((25, 1.38), (50, 1.32), (100, 1.29), (200, 1.30)):
        of_size = [run(center + step, 240, size=size) for step in (-0.02, 0, 0.01, 0.03, -0.01)]
        sizes[str(size)] = {
            "duration_seconds": speeds(of_size),
            "batch_count": -(-240 // size),
            "changes": 240,
            "log": size_log(size),
        }
    off, on = speeds(plain), speeds(batched)
    return {
        "verify": {
            "checks": [
                {"name": "Settings load, an API key is set", "ok": True, "seen": "40 characters"},
                {"name": "The flag is off by default", "ok": True, "seen": "default False"},
                {"name": "Health checks are collected", "ok": None, "seen": "none yet"},
            ],
            "passed": True,
        },
        "baseline": {
            "runs": plain[:3],
            "duration_seconds": speeds(plain[:3]),
            "metrics": plain[0]["metrics"],
        },
        "batch": {
            "runs": batched,
            "baseline_runs": plain,
            "duration_seconds": on,
            "baseline_seconds": off,
            "difference_percent": percent(on["median"], off["median"]),
            "metrics": batched[0]["metrics"],
        },
        "sweep": {"rounds": 5, "sizes": sizes, **_best(sizes)},
        "large": {
            "runs": large,
            "duration_seconds": speeds(large),
            "changes": 600,
            "enough": True,
            "metrics": large[0]["metrics"],
        },
        "memory": {
            "runs": {
                "plain": watched(56.1, 1.3),
                "batch": watched(57.4, 1.35),
                "large": watched(63.0, 2.7),
            },
            "increase_mb": 47.3,
            "rounds": 2,
        },
        "micro": {
            "size": 50,
            "rounds": 3,
            "checkpoint_ms": spread([0.51, 0.48, 0.62]),
            "validate_ms": spread([1.41, 1.38, 2.02]),
            "validate_again_ms": spread([0.21, 0.19, 0.24]),
        },
        "toggle": {
            "cycles": 2,
            "runs": [
                {"flag": flag, "exit_code": 0, "changes": 240, "as_expected": True}
                for flag in (False, True, False) * 2
            ],
            "switches": 5,
            "as_expected": 6,
        },
        "failures": {"cases": cases(), "all_passed": True},
        "integrity": {
            "databases": {
                step: {
                    "integrity_check": ["ok"],
                    "foreign_key_check": [],
                    "verify_updates": [],
                    "hearings_before": 1168,
                    "hearings_added": added,
                    "hearings_after": 1168 + added,
                    "tables_with_fewer_rows": [],
                    "passed": True,
                }
                for step, added in (("baseline", 120), ("batch", 120), ("large", 300))
            },
            "same": {"rows": 15_204, "differences": []},
            "passed": True,
        },
    }


def watched(peak: float, seconds: float) -> dict[str, Any]:
    samples = [(at * seconds / 60, min(peak, 22 + at * (peak - 22) / 35)) for at in range(61)]
    return {
        "baseline_mb": 15.7,
        "peak_mb": peak,
        "increase_mb": round(peak - 15.7, 2),
        "exit_code": 0,
        "samples": [[round(at, 3), round(size, 2)] for at, size in samples],
        "printed": ["Baseline memory: 15.70 MB"],
    }


def cases() -> dict[str, Any]:
    """`failures`, as they should go."""
    invalid = "Item 2 (event 117093): unreadable date 'no date at all'"
    error = {"batch": 11, "error": "Validation failed", "issues": [invalid]}

    def case(title: str, expected: str, seen: str, **more: Any) -> dict[str, Any]:
        return {"title": title, "passed": True, "expected": expected, "seen": seen, **more}

    return {
        "plan_script": case(
            "Test 2.1, one invalid record in a batch of two",
            "2 batches, 1 succeeded, 1 failed; nothing of the failed one is stored",
            "2 batches, 1 succeeded, 1 failed",
            stored=["TEST-119-002"],
            batch_errors=[{**error, "batch": 1}],
        ),
        "one_in_thousand": case(
            "One invalid record in 1000",
            "19 of 20 batches and 950 of 1000 records are stored",
            "20 batches, 19 succeeded, 1 failed; 950 records stored",
            batch_count=20,
            batches_succeeded=19,
            records=1000,
            records_stored=950,
            batch_errors=[error],
            failure_named=True,
            deferred=1,
        ),
        "dies_half_way": case(
            "A batch that dies half-way",
            "that batch leaves no trace, the others are stored whole",
            "12 batches, 11 succeeded, 1 failed; 0 of its 20 records touched",
            batch_count=12,
            batches_succeeded=11,
            batch_errors=[{"batch": 2, "error": "the trial gate ends this batch half-way"}],
        ),
        "fails_after_commit": case(
            "Test 2.2, a batch that fails after it was stored",
            "_rollback_checkpoint is called and restores every row; the others stay",
            "0 of 15204 rows differ from before the batch",
            rows_compared=15_204,
            differences=[],
        ),
        "rollback": case(
            "Rollback of every batch, compared row by row",
            "after each rollback every row of every table is as it was before the batch",
            "12 of 12 batches restored exactly, 182448 rows compared, 0 differ",
            rollbacks=12,
            exact=12,
            rows_compared=182_448,
            differences=[],
        ),
        "api_faults": case(
            "An API in trouble",
            "each run completes; every change is stored, or deferred with its reason",
            "2 kinds, 40 faults met, none lost",
            kinds={
                kind: {
                    "passed": True,
                    "exit_code": 0,
                    "faults_met": 20,
                    "stored": 240 - deferred,
                    "deferred": deferred,
                    "reported": 0,
                    "of": 240,
                    "said": None,
                }
                for kind, deferred in (("503", 0), ("poison", 5))
            },
        ),
    }


def observed(count: int = 49, critical: int = 0, missing: range = range(0)) -> dict[str, Any]:
    """What `updaters.health.observe` gives: hourly checks, the last run in batches from the middle
    on. `missing` are checks that were not made."""
    stamps = [(BEGUN + timedelta(hours=at), at) for at in range(count) if at not in missing]
    checks = [
        {
            "time": at.isoformat(timespec="seconds"),
            "status": "critical" if number >= count - critical else "ok",
            "integrity": "ok",
            "foreign_keys": 0,
            "hearings": 1168,
            "log_errors": 3 if at.day == 14 else 0,
            "batched": number > count // 2,
            "batches": 12,
            "batches_failed": 0,
            "deferred": 0,
        }
        for at, number in stamps
    ]
    apart = [
        ((before, after), later - earlier)
        for ((_, earlier), (_, later)), (before, after) in zip(
            pairwise(stamps), pairwise(checks), strict=True
        )
    ]
    covered = sum(min(float(hours), 1.5) for _, hours in apart)
    gaps = [
        {"from": before["time"], "to": after["time"], "minutes": 60.0 * hours}
        for (before, after), hours in apart
        if hours > 1.5
    ]
    phases = []
    for mode in ("plain", "batch"):
        of_mode = [check for check in checks if check["batched"] is (mode == "batch")]
        bad = sum(check["status"] == "critical" for check in of_mode)
        phases.append(
            {
                "mode": mode,
                "from": of_mode[0]["time"],
                "to": of_mode[-1]["time"],
                "checks": len(of_mode),
                "hours_covered": round(covered / 2, 2),
                "statuses": {"ok": len(of_mode) - bad, "warning": 0, "critical": bad},
            }
        )
    worst = {
        "name": "last_run",
        "status": "critical",
        "count": critical,
        "first": checks[-1]["time"],
        "last": checks[-1]["time"],
        "message": "the last 3 runs failed",
    }
    return {
        "log": HEALTH,
        "database": "/srv/staging/database.db",
        "hours": 48.0,
        "max_gap_minutes": 90.0,
        "hours_covered": round(covered, 2),
        "covered": covered >= 47.5,
        "healthy": not critical,
        "count": len(checks),
        "first": checks[0]["time"],
        "last": checks[-1]["time"],
        "last_age_hours": 0.1,
        "gaps": gaps,
        "statuses": {"ok": len(checks) - critical, "warning": 0, "critical": critical},
        "timeline": [],
        "worst": [worst] if critical else [],
        "corruption": [],
        "phases": phases,
        "checks": checks,
    }


class Folder:
    """A trial's folder; `found` are the results that `write` puts into it."""

    def __init__(self, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trial = Trial(out)
        # By JSON, so that no two steps share a run.
        self.found = json.loads(json.dumps(results()))
        self.observed: dict[str, Any] | None = observed()
        self.titles: dict[str, str] = {}
        self._patch = monkeypatch

    def write(self) -> Trial:
        """Begin the trial, and keep and note what was found."""
        out = self.trial.out
        database = out.parent / "database.db"
        database.write_bytes(b"SQLite format 3\0")
        out.mkdir(exist_ok=True)
        self.trial.begin({"source": "sandbox"}, database)
        (self.trial.home / "snapshot.db").write_bytes(database.read_bytes())
        header = {
            "format": "hearing-updater recording",
            "version": 1,
            "recorded_at": "2025-10-13T12:00:00Z",
            "source": "127.0.0.1",
            "lookback_days": 90,
            "meetings": 812,
        }
        with gzip.open(self.trial.home / ANSWERS, "wt", encoding="utf-8") as answers:
            answers.write(json.dumps(header) + "\n")
        at = BEGUN
        for step in (*STEPS, OBSERVE):
            data = self.found.get(step.name)
            if data is None:
                continue
            ended = at + timedelta(minutes=7)
            self.trial.keep(step.name, at.isoformat(), 420.0, data)
            self.trial.note(
                step=step.name,
                title=self.titles.get(step.name, step.title),
                day=step.day,
                started_at=at.isoformat(),
                ended_at=ended.isoformat(),
                seconds=420.0,
                outcome="done",
            )
            for name in step.files:
                self.trial.deliver(name, f"log of {step.name}\n")
            at = ended
        if self.observed is not None:
            (out / HEALTH).write_text("=== Trial Gate Health Check ===\n", encoding="utf-8")
        self.watch()
        return self.trial

    def watch(self) -> None:
        """Let the health log tell what was observed."""
        told = copy.deepcopy(self.observed)
        self._patch.setattr("updaters.trial_gate.observe.collected", lambda trial, hours: told)

    def only(self, *steps: str) -> None:
        """What was measured when somebody stopped early."""
        self.found = {step: found for step, found in self.found.items() if step in steps}
