"""Test 2.3: is every database that the trial wrote to sound, and is everything in it? (R2)"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from updaters import _native
from updaters.errors import UpdaterError
from updaters.trial_gate import speed
from updaters.trial_gate.answers import Tell
from updaters.trial_gate.look import counts, reading
from updaters.trial_gate.trial import Trial

#: Written at other times in each run, and told apart by nothing else.
STAMPS = ("created_at", "updated_at", "last_updated")

#: Database -> the step that left it.
LEFT_BY: Mapping[str, str] = {
    speed.AFTER_BASELINE: "baseline",
    speed.AFTER_BATCH: "batch",
    speed.AFTER_LARGE: "large",
}


def integrity(trial: Trial, tell: Tell) -> dict[str, Any]:
    """`databases`: name -> what the checks found; `same`: baseline against batches, row by row."""
    before, known = counts(trial.snapshot), _complaints(trial.snapshot)
    databases = {}
    for name, step in LEFT_BY.items():
        path, result = trial.home / name, trial.result(step)
        if result is None or not path.exists():
            continue
        databases[step] = _look(path, before, known, result["metrics"])
        tell(f"after {step}: {_told(databases[step])}")
    if not databases:
        raise UpdaterError("nothing to look at: run baseline or batch first")
    same = _same(trial)
    if same is not None:
        tell(f"flag off and on: {len(same['differences'])} of {same['rows']} rows differ")
    passed = all(found["passed"] for found in databases.values())
    return {
        "databases": databases,
        "same": same,
        "passed": passed and not (same and same["differences"]),
    }


Complaints = dict[str, list[str]]


def _complaints(path: Path) -> Complaints:
    """What each check has to say of a database."""
    from scripts.verify_updates import UpdateValidator

    with reading(path) as database:
        # PRAGMA integrity_check, whole, and PRAGMA foreign_key_check.
        damage = _native.integrity(database, full=True)
        foreign_keys = database.soundness()["foreign_keys"]
    verified = UpdateValidator(str(path)).run_all_checks()["issues"]
    return {
        "integrity_check": damage,
        "foreign_key_check": foreign_keys,
        "verify_updates": verified,
    }


def _look(
    path: Path, before: Mapping[str, int], known: Complaints, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """What is new: a run does not answer for what the snapshot had already."""
    new = {
        check: [line for line in found if line not in known[check]]
        for check, found in _complaints(path).items()
    }
    after = counts(path)
    expected = before["hearings"] + metrics["hearings_added"]
    fewer = [
        table for table, rows in before.items() if table != "update_logs" and after[table] < rows
    ]
    return {
        **new,
        "integrity_check": new["integrity_check"] or ["ok"],
        "known_before": sum(len(lines) for lines in known.values()),
        "hearings_before": before["hearings"],
        "hearings_added": metrics["hearings_added"],
        "hearings_after": after["hearings"],
        "tables_with_fewer_rows": fewer,
        "passed": not any(new.values()) and after["hearings"] == expected,
    }


def _same(trial: Trial) -> dict[str, Any] | None:
    """The same changes, stored plainly and in batches, must give the same rows."""
    plain, batched = trial.home / speed.AFTER_BASELINE, trial.home / speed.AFTER_BATCH
    if not plain.exists() or not batched.exists():
        return None
    found = _native.compare_databases(str(plain), str(batched), list(STAMPS))
    # The log of the runs tells of different runs.
    rows = [entry for entry in found["differences"] if entry["table"] != "update_logs"]
    return {"rows": found["rows"], "differences": rows[:20]}


def _told(found: Mapping[str, Any]) -> str:
    checks = f"integrity {found['integrity_check'][0]}, "
    checks += f"{len(found['foreign_key_check'])} foreign key violations, "
    return (
        checks + f"{found['hearings_before']} + {found['hearings_added']} = "
        f"{found['hearings_after']} hearings"
    )
