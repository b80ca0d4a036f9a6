"""Faults from outside: a process that is killed, a disk that is full, an API in trouble."""

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from updaters import _native
from updaters.errors import UpdaterError
from updaters.trial_gate.answers import recorded_hours_ago, replay
from updaters.trial_gate.look import sound
from updaters.trial_gate.runs import (
    command,
    environment,
    last_line,
    length,
    metrics_of,
    run,
)
from updaters.trial_gate.trial import Trial

#: A run that kills itself, as the machine's power would, after so many records of its second batch.
KILLER = """
import os, signal
from updaters.daily_updater import DailyUpdater, main

def dies(method):
    def record(self, *args):
        method(self, *args)
        count[0] += 1
        if number[0] == 2 and count[0] == int(os.environ["TRIAL_KILLED_AFTER"]):
            os.kill(os.getpid(), signal.SIGKILL)
    return record

def noting(self, batch, batch_number, checkpoint):
    number[0], count[0] = batch_number, 0
    return process(self, batch, batch_number, checkpoint)

number, count, process = [0], [0], DailyUpdater._process_batch
DailyUpdater._process_batch = noting
DailyUpdater._add_new_hearing = dies(DailyUpdater._add_new_hearing)
DailyUpdater._update_hearing_record = dies(DailyUpdater._update_hearing_record)
raise SystemExit(main())
"""
#: Fewer changes make no three batches worth speaking of.
FEWEST = 6

#: Fault -> share of the answers (or of the events, the rows) that have it.
FAULTS: tuple[tuple[str, float], ...] = (
    ("500", 0.05),
    ("503", 0.03),
    ("429", 0.03),
    ("reset", 0.03),
    ("truncated", 0.03),
    ("html", 0.03),
    ("slow", 0.03),
    ("poison", 0.02),
    ("404", 0.02),
    ("bad-row", 0.01),
    ("filter", 1.0),
)
#: Answers that are older are replayed as if it were then.
FRESH_HOURS = 1.0
#: So that waiting for a broken API does not make a trial long; the number of tries is the person's.
HASTE = {"RETRY_BACKOFF_FACTOR": "1.0", "CIRCUIT_BREAKER_TIMEOUT": "1"}


def run_on(
    trial: Trial,
    database: Path,
    url: str,
    folder: Path,
    *,
    days: int | None = None,
    **variables: str,
) -> tuple[int, bytes, dict[str, Any]]:
    """A run that is meant to meet trouble: in a folder of its own, so that its errors are not
    in the log that people watch. -> exit code, output, metrics."""
    lookback = trial.about["lookback_days"] if days is None else days
    code, output = run(command(trial, database, lookback), _apart(url, **variables), cwd=folder)
    return code, output, metrics_of(output.decode(errors="replace"))


def changes_to_store(trial: Trial) -> int:
    """How many there are, by a run of its own."""
    with (
        replay(trial, latency_ms=0) as api,
        trial.fresh_copy() as database,
        trial.scratch() as folder,
    ):
        code, output, metrics = run_on(trial, database, api.url, folder)
    if code != 0:
        raise UpdaterError(f"a run without any fault failed: {last_line(output)}")
    return int(metrics["hearings_updated"] + metrics["hearings_added"])


def batch_size(whole: int) -> int:
    """Three batches at least."""
    return max(2, min(20, whole // 3))


def too_few(title: str, expected: str, whole: int) -> dict[str, Any]:
    """A case that means nothing with so few changes."""
    few = f"{whole} changes to store, {FEWEST} are needed"
    return _not_possible(title, expected, few)


def _apart(url: str, **variables: str) -> dict[str, str]:
    """The environment of a run that is meant to meet trouble."""
    return environment(
        url,
        **{
            "ENABLE_BATCH_PROCESSING": "true",
            "BATCH_PROCESSING_SIZE": "50",
            "BATCH_SALVAGE": "false",
            **HASTE,
            **variables,
        },
    )


def killed_half_way(trial: Trial, whole: int) -> dict[str, Any]:
    """SIGKILL in the middle of the second batch; then the usual run again."""
    title = "A run that is killed in the middle of its second batch"
    expected = "the first batch is there and nothing of the second; the next run stores the rest"
    if whole < FEWEST:
        return too_few(title, expected, whole)
    size = batch_size(whole)
    with (
        replay(trial, latency_ms=0) as api,
        trial.fresh_copy() as database,
        trial.scratch() as folder,
    ):
        variables = {"BATCH_PROCESSING_SIZE": str(size), "TRIAL_KILLED_AFTER": str(size // 2)}
        flags = command(trial, database, trial.about["lookback_days"])[3:]
        argv = [sys.executable, "-c", KILLER, *flags]
        code, _ = run(argv, _apart(api.url, **variables), cwd=folder)
        kept = _changes_in(trial, database)
        intact = sound(database)
        again, output, metrics = run_on(trial, database, api.url, folder)
        rest = metrics.get("hearings_updated", 0) + metrics.get("hearings_added", 0)
    return {
        "title": title,
        "passed": code == -signal.SIGKILL
        and kept == size
        and intact
        and again == 0
        and kept + rest == whole,
        "expected": expected,
        "intact": intact,
        "seen": f"{kept} records of a batch of {size} after the kill, "
        f"database {'sound' if intact else 'NOT sound'}; "
        + (f"{rest} of {whole} stored by the next run" if again == 0 else last_line(output)),
    }


def _changes_in(trial: Trial, database: Path) -> int:
    """Hearings that differ from the snapshot."""
    found = _native.compare_databases(str(trial.snapshot), str(database))
    return sum(difference["table"] == "hearings" for difference in found["differences"])


def disk_full(trial: Trial, _whole: int) -> dict[str, Any]:
    """A run on a disk with no room for its changes."""
    with replay(trial, latency_ms=0) as api, trial.scratch() as folder:
        small = folder / "small"
        small.mkdir()
        # For the file itself, and next to nothing more.
        room = -(-trial.snapshot.stat().st_size // 4096) * 4 + 16
        # Without its shared memory a database in WAL mode cannot even be opened.
        room += 32 if _wal(trial.snapshot) else 0
        argv = [
            *("unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user", "--user"])),
            *("sh", "-c", _ON_SMALL_DISK, "sh"),
            *(str(room), str(small), str(trial.snapshot), str(folder / "after.db")),
            *command(trial, small / "database.db", trial.about["large_lookback_days"]),
        ]
        title = "A disk that is full"
        expected = "the run fails and says why; not one row has changed"
        if shutil.which("unshare") is None:
            return _not_possible(title, expected, "there is no unshare here to make a small disk")
        code, output = run(argv, _apart(api.url, BATCH_PROCESSING_SIZE="10000"), cwd=folder)
        if code == NO_DISK:
            return _not_possible(title, expected, f"no small disk: {last_line(output)}")
        if code == 0:
            return _not_possible(title, expected, "what there was to store had room")
        text = output.decode(errors="replace")
        after = folder / "after.db"
        found = (
            _native.compare_databases(str(trial.snapshot), str(after)) if after.exists() else None
        )
        intact = found is not None and sound(after)
    # But for the line that says that the run failed.
    changed = None if found is None else _rows(found["differences"])
    return {
        "title": title,
        "passed": code == 1 and "disk is full" in text and changed == 0 and intact,
        "expected": expected,
        "intact": intact and changed == 0,
        "seen": f"exit code {code}: {last_line(output)}; {changed} rows changed",
        "room_kb": room,
    }


NO_DISK = 77
#: Mounts a disk of $1 KB at $2, copies the database there, runs the rest, copies the outcome to $4.
_ON_SMALL_DISK = f"""
size=$1 disk=$2 from=$3 to=$4; shift 4
mount -t tmpfs -o "size=${{size}}k" tmpfs "$disk" || exit {NO_DISK}
cp "$from" "$disk/database.db" || exit {NO_DISK}
"$@"; code=$?
cp "$disk/database.db" "$to"
for beside in wal journal; do
    if [ -s "$disk/database.db-$beside" ]; then cp "$disk/database.db-$beside" "$to-$beside"; fi
done
exit $code
"""


def _wal(path: Path) -> bool:
    """Whether the file's header says so (its write version is 2)."""
    with path.open("rb") as file:
        return file.read(19)[18:] == b"\x02"


def _rows(differences: list[dict[str, Any]]) -> int:
    return sum(difference["table"] != "update_logs" for difference in differences)


def _not_possible(title: str, expected: str, why: str) -> dict[str, Any]:
    return {"title": title, "passed": None, "expected": expected, "seen": why}


def api_faults(trial: Trial, whole: int) -> dict[str, Any]:
    """One run for each kind of fault: what could be had is stored, the rest is deferred."""
    kinds = {}
    with replay(trial, latency_ms=0) as api:
        for kind, share in FAULTS:
            if kind == "filter" and recorded_hours_ago(trial) > FRESH_HOURS:
                # Then the updater filters by its own clock, which a replay cannot turn back.
                continue
            api.forget_orders()
            api.faults = {kind: share}
            api.slow_ms = 500
            api.clear_requests()
            with trial.fresh_copy() as database, trial.scratch() as folder:
                code, output, metrics = run_on(trial, database, api.url, folder)
                intact = sound(database)
            met = sum(request.fault is not None for request in api.requests)
            kinds[kind] = _with_fault(code, output, metrics, intact, met, whole)
    bad = [kind for kind, found in kinds.items() if found["passed"] is False]
    met = sum(found["faults_met"] for found in kinds.values())
    return {
        "title": "An API in trouble",
        "passed": not bad if met else None,
        "intact": all(found["intact"] for found in kinds.values()),
        "expected": "each run completes; every change is stored, or deferred, or told of",
        "seen": f"{len(kinds)} kinds, {met} faults met"
        + (f"; not so with {', '.join(bad)}" if bad else ", none lost"),
        "kinds": kinds,
    }


def _with_fault(
    code: int,
    output: bytes,
    metrics: Mapping[str, Any],
    intact: bool,
    met: int,
    whole: int,
) -> dict[str, Any]:
    stored = metrics.get("hearings_updated", 0) + metrics.get("hearings_added", 0)
    deferred = length(metrics.get("deferred", ()))
    # A row of the list that cannot be read has no event id to defer: the run's errors tell of it.
    reported = metrics.get("error_count", 0)
    # Of what is deferred, some may have had no change to store.
    none_lost = code != 0 or stored <= whole <= stored + deferred + reported
    return {
        # With few requests, no fault may be met.
        "passed": code == 0 and intact and none_lost if met else None,
        "intact": intact and none_lost,
        "exit_code": code,
        "faults_met": met,
        "stored": stored,
        "deferred": deferred,
        "reported": reported,
        "of": whole,
        "said": None if code == 0 else last_line(output),
    }


def api_down(trial: Trial, _whole: int) -> dict[str, Any]:
    """Nothing but 503: the run fails in good order, the file is not touched."""
    with (
        replay(trial, latency_ms=0, faults={"503": 1.0}) as api,
        trial.fresh_copy() as database,
        trial.scratch() as folder,
    ):
        before = database.read_bytes()
        code, output, _ = run_on(trial, database, api.url, folder)
        untouched = database.read_bytes() == before
        told = "503" in last_line(output) or "circuit breaker" in last_line(output).lower()
        asked = api.request_count
    return {
        "title": "An API that is down",
        "passed": code == 1 and untouched and told and asked > 0,
        "expected": "the run fails and says why; the file is untouched",
        "intact": untouched,
        "seen": f"exit code {code} after {asked} requests: {last_line(output)}; "
        f"the file is {'untouched' if untouched else 'CHANGED'}",
    }
