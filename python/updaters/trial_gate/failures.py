"""Task 2: failures on purpose. Each case tells what was expected and what was seen."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from updaters import _native
from updaters.daily_updater import BatchResult, Checkpoint, DailyUpdater
from updaters.sandbox import Sandbox
from updaters.trial_gate import faults
from updaters.trial_gate.answers import Tell, replay
from updaters.trial_gate.look import counts, hearing, sound
from updaters.trial_gate.runs import environment, last_line, length, run
from updaters.trial_gate.trial import Trial

#: The plan's script of test 2.1, as the child runs it.
SCRIPT = Path(__file__).with_name("plan_failure_injection.py")
RECORDS, SIZE = 1000, 50


def failures(trial: Trial, tell: Tell) -> dict[str, Any]:
    """Every case: name -> `{title, passed, expected, seen, ...}`.

    `passed` is None where it could not be tried; `intact` (where it is told) says whether the
    database was sound afterwards and nothing lost.
    """
    whole = faults.changes_to_store(trial)
    cases: tuple[tuple[str, Callable[[Trial, int], dict[str, Any]]], ...] = (
        ("plan_script", plan_script),
        ("one_in_thousand", one_in_thousand),
        ("dies_half_way", dies_half_way),
        ("killed_half_way", faults.killed_half_way),
        ("fails_after_commit", fails_after_commit),
        ("rollback", rollback),
        ("disk_full", faults.disk_full),
        ("api_faults", faults.api_faults),
        ("api_down", faults.api_down),
    )
    found = {}
    for name, case in cases:
        found[name] = case(trial, whole)
        passed = found[name]["passed"]
        word = "could not be tried" if passed is None else "as expected" if passed else "NOT so"
        tell(f"{found[name]['title']}: {word}: {found[name]['seen']}")
    return {
        "cases": found,
        "all_passed": not any(case["passed"] is False for case in found.values()),
        "changes": whole,
    }


def plan_script(trial: Trial, _whole: int) -> dict[str, Any]:
    """Three additions in batches of two, one of them without an event id."""
    with trial.fresh_copy() as database:
        variables = {"DATABASE_PATH": str(database)}
        code, output = run(
            [sys.executable, "-c", SCRIPT.read_text(encoding="utf-8")],
            environment("http://127.0.0.1:9/v3", **variables),
        )
        lines = output.decode(errors="replace").splitlines()
        found = json.loads(lines[-1]) if code == 0 and lines else {}
        stored = [event for event in ("TEST-119-001", "TEST-119-002") if hearing(database, event)]
    return {
        "title": "Test 2.1, one invalid record in a batch of two",
        "passed": found.get("batches") == [2, 1, 1] and stored == ["TEST-119-002"],
        "expected": "2 batches, 1 succeeded, 1 failed; nothing of the failed one is stored",
        "seen": _batches(*found["batches"]) if found else last_line(output),
        "stored": stored,
        "batch_errors": found.get("batch_errors", []),
    }


def one_in_thousand(trial: Trial, _whole: int) -> dict[str, Any]:
    """One invalid record among 1,000 upstream, as a whole run (R1, F2, F3, F4)."""
    with trial.fresh_copy() as database, trial.scratch() as folder:
        congress = trial.about["congress"]
        with Sandbox(RECORDS, seed=41, congress=congress, spread_days=5, rate_limit=10**6) as api:
            # Event ids that no database has.
            for number, event in enumerate(api.event_ids()):
                meeting = api.meeting(event)
                api.remove(event)
                api.set_meeting({**meeting, "eventId": f"TRIAL-{number:04}"})
            bad = f"TRIAL-{RECORDS // 2:04}"
            api.set_meeting({**api.meeting(bad), "date": "no date at all"})
            before = counts(database)["hearings"]
            code, output, metrics = faults.run_on(trial, database, api.url, folder, days=30)
        added = counts(database)["hearings"] - before
        batches = metrics.get("batch_processing", {})
        intact = sound(database)
    total, good = batches.get("batch_count", 0), batches.get("batches_succeeded", 0)
    stored = metrics.get("hearings_added", 0) + metrics.get("hearings_updated", 0)
    errors = batches.get("batch_errors", [])
    named = len(errors) == 1 and any(bad in issue for issue in errors[0].get("issues", []))
    expected_batches = -(-RECORDS // SIZE)
    return {
        "title": f"One invalid record in {RECORDS}",
        "passed": code == 0
        and (total, good) == (expected_batches, expected_batches - 1)
        and stored == RECORDS - SIZE
        and added == RECORDS - SIZE
        and intact,
        "expected": f"{expected_batches - 1} of {expected_batches} batches and "
        f"{RECORDS - SIZE} of {RECORDS} records are stored; the failed batch names event {bad}",
        "seen": f"{_batches(total, good, total - good)}; {stored} records stored"
        if total
        else last_line(output),
        "intact": intact,
        "batch_count": total,
        "batches_succeeded": good,
        "records": RECORDS,
        "records_stored": stored,
        "batch_errors": errors,
        "failure_named": named,
        "deferred": length(metrics.get("deferred", [])),
    }


Kind = TypeVar("Kind", bound=DailyUpdater)


def _updater(trial: Trial, database: Path, url: str, kind: type[Kind], whole: int) -> Kind:
    """An updater of a copy, in this process, with the flag on."""
    updater = kind(congress=trial.about["congress"], lookback_days=trial.about["lookback_days"])
    settings = updater.settings
    settings.database_path, settings.api_base_url = str(database), url
    settings.api_key, settings.rate_limit = "trial-gate", 1_000_000
    settings.enable_batch_processing, settings.catch_up = True, False
    settings.notification_enabled = settings.batch_salvage = False
    settings.batch_processing_size = faults.batch_size(whole)
    return updater


class _DiesHalfWay(DailyUpdater):
    """In the second batch, a record in the middle raises."""

    batch = 0
    records = 0
    #: The events of the batch that dies, and of all changes.
    died: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def _identify_changes(self, api_hearings: list[dict[str, Any]]) -> dict[str, list[Any]]:
        changes = super()._identify_changes(api_hearings)
        self.changed = tuple(_event(item) for items in changes.values() for item in items)
        return changes

    def _process_batch(
        self, batch: list[Any], batch_number: int, checkpoint: Checkpoint
    ) -> BatchResult:
        self.batch, self.records = batch_number, 0
        if batch_number == 2:
            self.died = tuple(_event(item) for item in batch)
        return super()._process_batch(batch, batch_number, checkpoint)

    def _update_hearing_record(self, conn: Any, existing: Any, new_data: dict[str, Any]) -> None:
        super()._update_hearing_record(conn, existing, new_data)
        self._perhaps_die()

    def _add_new_hearing(self, conn: Any, hearing_data: dict[str, Any]) -> None:
        super()._add_new_hearing(conn, hearing_data)
        self._perhaps_die()

    def _perhaps_die(self) -> None:
        self.records += 1
        if self.batch == 2 and self.records > len(self.died) // 2:
            raise RuntimeError("the trial gate ends this batch half-way")


def dies_half_way(trial: Trial, whole: int) -> dict[str, Any]:
    """An exception in the middle of a batch: nothing of it stays, everything else does."""
    title, expected = "A batch that dies half-way", "that batch leaves no trace, the others stay"
    if whole < faults.FEWEST:
        return faults.too_few(title, expected, whole)
    with replay(trial, latency_ms=0) as api, trial.fresh_copy() as database:
        updater = _updater(trial, database, api.url, _DiesHalfWay, whole)
        updater.run_daily_update()
        updater.db.close()
        changed, died = updater.changed, set(updater.died)
        touched = [event for event in died if not _same(trial.snapshot, database, event)]
        missing = [
            event
            for event in changed
            if event not in died and _same(trial.snapshot, database, event)
        ]
        metrics = updater.metrics
        intact = sound(database)
    total, failed = metrics.batch_count, metrics.batches_failed
    return {
        "title": title,
        "passed": bool(died)
        and (failed, metrics.batches_succeeded) == (1, total - 1)
        and not touched
        and not missing
        and intact,
        "expected": expected,
        "intact": intact and not touched and not missing,
        "seen": f"{_batches(total, metrics.batches_succeeded, failed)}; "
        f"{len(touched)} of its {len(died)} records touched, "
        f"{len(missing)} of the other {len(changed) - len(died)} missing",
        "batch_count": total,
        "batches_succeeded": metrics.batches_succeeded,
        "batch_errors": metrics.batch_errors,
    }


class _FailsAfterCommit(DailyUpdater):
    """The second batch is applied, and then reported as failed."""

    before: Path | None = None
    after: Path | None = None
    rolled_back = False

    def _process_batch(
        self, batch: list[Any], batch_number: int, checkpoint: Checkpoint
    ) -> BatchResult:
        if batch_number == 2 and self.before is not None:
            _native.copy_database(self.settings.database_path, str(self.before))
        result = super()._process_batch(batch, batch_number, checkpoint)
        if batch_number == 2:
            raise RuntimeError("the trial gate fails this batch after it was stored")
        return result

    def _rollback_checkpoint(self, checkpoint: Checkpoint) -> bool:
        done = super()._rollback_checkpoint(checkpoint)
        if checkpoint.batch_number == 2 and self.after is not None:
            self.rolled_back = done
            _native.copy_database(self.settings.database_path, str(self.after))
        return done


def fails_after_commit(trial: Trial, whole: int) -> dict[str, Any]:
    """Test 2.2 as the plan does it by hand: `_process_batch` throws after its changes are in."""
    title = "Test 2.2, a batch that fails after it was stored"
    expected = "_rollback_checkpoint is called and restores every row; the others stay"
    if whole < faults.FEWEST:
        return faults.too_few(title, expected, whole)
    with (
        replay(trial, latency_ms=0) as api,
        trial.fresh_copy() as database,
        trial.scratch() as folder,
    ):
        updater = _updater(trial, database, api.url, _FailsAfterCommit, whole)
        updater.before, updater.after = folder / "before.db", folder / "after.db"
        updater.run_daily_update()
        updater.db.close()
        happened = updater.before.exists() and updater.after.exists()
        found = (
            _native.compare_databases(str(updater.before), str(updater.after)) if happened else {}
        )
        metrics = updater.metrics
    others = metrics.batches_succeeded == metrics.batch_count - 1
    left = len(found.get("differences", ()))
    return {
        "title": title,
        "passed": happened and updater.rolled_back and not left and others,
        "expected": expected,
        "intact": not left,
        "seen": f"{left} of {found['rows']} rows differ from before the batch; "
        f"{_batches(metrics.batch_count, metrics.batches_succeeded, metrics.batches_failed)}"
        if happened
        else "the rollback was not called",
        "rows_compared": found.get("rows"),
        "differences": found.get("differences", [])[:20],
    }


def rollback(trial: Trial, whole: int) -> dict[str, Any]:
    """R3: every batch of a run undone, newest first; after each, all rows as before it."""
    title = "Rollback of every batch, compared row by row"
    expected = "after each rollback every row of every table is as it was before the batch"
    if whole < faults.FEWEST:
        none = {"rollbacks": 0, "exact": 0, "rows_compared": 0}
        return {**faults.too_few(title, expected, whole), **none}
    exact, rows, differences = 0, 0, []
    with (
        replay(trial, latency_ms=0) as api,
        trial.fresh_copy() as database,
        trial.scratch() as folder,
    ):
        updater = _updater(trial, database, api.url, DailyUpdater, whole)
        changes = updater._identify_changes(updater._fetch_recent_hearings())
        items = [*changes["updates"], *changes["additions"]]
        done: list[tuple[Path, Checkpoint]] = []
        for number, batch in enumerate(updater._divide_into_batches(items), 1):
            before = folder / f"before_{number}.db"
            _native.copy_database(str(database), str(before))
            checkpoint = Checkpoint(number)
            if updater._process_batch(batch, number, checkpoint).success:
                done.append((before, checkpoint))
        for before, checkpoint in reversed(done):
            answered = updater._rollback_checkpoint(checkpoint)
            found = _native.compare_databases(str(before), str(database))
            rows += found["rows"]
            differences += found["differences"]
            exact += answered and not found["differences"]
        updater.db.close()
        intact = sound(database)
    return {
        "title": title,
        "passed": bool(done) and exact == len(done) and intact,
        "expected": expected,
        "intact": intact and not differences,
        "seen": f"{exact} of {len(done)} batches restored exactly, {rows} rows compared, "
        f"{len(differences)} differ",
        "rollbacks": len(done),
        "exact": exact,
        "rows_compared": rows,
        "differences": differences[:20],
    }


# --- looking -----------------------------------------------------------------------------------


def _event(item: Any) -> str:
    return str(item.get("new_data", item).get("eventId"))


def _same(one: Path, other: Path, event_id: str) -> bool:
    """Whether a hearing is in both files alike; columns that only one has do not count."""
    was, now = hearing(one, event_id), hearing(other, event_id)
    if was is None or now is None:
        return was is now
    return all(was[column] == now[column] for column in was.keys() & now.keys())


def _batches(total: int, good: int, bad: int) -> str:
    return f"{total} batches, {good} succeeded, {bad} failed"
