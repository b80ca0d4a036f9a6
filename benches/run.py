"""Measure the updater end to end, on a release build (`make bench`).

500 changed hearings (250 new, 250 updated) against a server with 50 ms latency, as a whole process;
the apply stage alone; a checkpoint; the validation of a batch. Prints medians and the range.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from updaters.daily_updater import Checkpoint, DailyUpdater
from updaters.sandbox import Sandbox

NEW, CHANGED = 250, 250
LATENCY_MS = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--db", type=Path, help="a hearings database to copy (default: one is made)"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ["CONGRESS_API_KEY"] = "benchmark-key"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        source = Path("source.db")
        if args.db:
            shutil.copyfile(args.db, source)
        else:
            make_database(source)
        results = {**whole_process(source, args.rounds), **stages(source, args.rounds)}
    if args.json:
        print(json.dumps(results, indent=2))
        return 0
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name, values in results.items():
        print(
            f"{name:<44} median {statistics.median(values):9.3f}"
            f"   ({min(values):.3f} to {max(values):.3f}, {len(values)} rounds)"
        )
    return 0


def make_database(path: Path) -> None:
    """1,168 hearings with links, witnesses and documents, all older than any lookback."""
    subprocess.run([sys.executable, "-m", "updaters.cli", "init", "--db", path], check=True)
    with Sandbox(meetings=1168, seed=7, now="2026-01-01T00:00:00Z", rate_limit=100_000) as sandbox:
        run_process(sandbox, path, "--mode", "full")


def run_process(
    sandbox: Sandbox, database: Path, *flags: str
) -> tuple[float, float, dict[str, Any]]:
    """-> seconds, peak MB, the metrics."""
    env = {
        **os.environ,
        "API_BASE_URL": sandbox.url,
        "DATABASE_PATH": str(database),
        "ENABLE_BATCH_PROCESSING": "true",
        "RATE_LIMIT": "100000",
        "CATCH_UP": "false",
    }
    command = [sys.executable, "-m", "updaters.daily_updater", "--congress", "119", *flags]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"the updater failed: {output}")
    return seconds, usage.ru_maxrss / 1024, json.loads(output)


@contextmanager
def changed_upstream(source: Path, latency_ms: float) -> Iterator[Sandbox]:
    """A server that has the database's meetings, 250 of them changed, and 250 new ones."""
    with Sandbox(db=source, latency_ms=latency_ms, rate_limit=100_000) as sandbox:
        sandbox.change(CHANGED)
        sandbox.add(NEW)
        yield sandbox


def whole_process(source: Path, rounds: int) -> dict[str, list[float]]:
    seconds, memory, again = [], [], []
    with changed_upstream(source, LATENCY_MS) as sandbox:
        for _ in range(rounds):
            database = Path(shutil.copyfile(source, "run.db"))
            took, peak, metrics = run_process(sandbox, database)
            done = (metrics["hearings_updated"], metrics["hearings_added"], metrics["error_count"])
            if done != (CHANGED, NEW, 0):
                raise SystemExit(f"not the changes that were ordered: {metrics}")
            seconds.append(took)
            memory.append(peak)
            again.append(run_process(sandbox, database)[0])
    return {
        "500 changed hearings, 50 ms latency: process s": seconds,
        "500 changed hearings: peak memory MB": memory,
        "nothing changed: process s": again,
    }


def stages(source: Path, rounds: int) -> dict[str, list[float]]:
    apply, plain, first, validate, checkpoint, sanity, verify = [], [], [], [], [], [], []
    with changed_upstream(source, 0) as sandbox:
        for _ in range(rounds):
            for batched, into in ((True, apply), (False, plain)):
                updater = make_updater(sandbox, Path(shutil.copyfile(source, "run.db")))
                changes = updater._identify_changes(updater._fetch_recent_hearings())
                updater._engine.start_run(updater)
                step = updater._apply_updates_with_batches if batched else updater._apply_updates
                into.append(timed(lambda: step(changes)))  # noqa: B023
                assert updater.metrics.hearings_added == NEW, updater.metrics.to_dict()
                verify.append(timed(updater._run_post_update_validation))
                sanity.append(timed(updater._run_pre_update_sanity_checks))
                updater.db.close()
            batch = changes["additions"][:50]
            # One that has never seen these records.
            updater = make_updater(sandbox, Path("run.db"))
            updater._validate_batch(changes["additions"][50:100])
            first.append(timed(lambda: updater._validate_batch(batch)))  # noqa: B023
            validate.append(min(timed(lambda: updater._validate_batch(batch)) for _ in range(20)))  # noqa: B023
            updater.db.close()
            checkpoint.append(timed(lambda: make_checkpoint(changes)))  # noqa: B023
    return {
        "apply stage, 500 in batches of 50: ms": apply,
        "apply stage, 500 plainly: ms": plain,
        "sanity checks before a run: ms": sanity,
        "checks after a run: ms": verify,
        "validation of 50 records never seen: ms": first,
        "validation of 50 records seen: ms": validate,
        "a checkpoint of 50 updates: ms": checkpoint,
    }


def make_checkpoint(changes: dict[str, list[Any]]) -> Checkpoint:
    checkpoint = Checkpoint(1)
    for update in changes["updates"][:50]:
        checkpoint.track_update(update["existing"]["event_id"], dict(update["existing"]))
    return checkpoint


def make_updater(sandbox: Sandbox, database: Path) -> DailyUpdater:
    updater = DailyUpdater()
    updater.settings.database_path = str(database)
    updater.settings.api_base_url = sandbox.url
    updater.settings.rate_limit = 100_000
    return updater


def timed(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    raise SystemExit(main())
