"""Ctrl-C and SIGTERM at random moments, once or twice: whole batches, and the next run goes on."""

import json
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers_run import World, started
from helpers_soak import SEED, rounds
from updaters.cli.common import INTERRUPTED, TERMINATED
from updaters.sandbox import Sandbox

BATCH, MEETINGS = 5, 60
CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


@pytest.fixture(params=["wal", "delete"])
def world(clean_env: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """An empty database, as it is put back for each round, and an API with new meetings."""
    with Sandbox(MEETINGS, seed=8, spread_days=5, rate_limit=10**6, latency_ms=4) as sandbox:
        world = World(clean_env, sandbox).init()
        world.do(f"PRAGMA journal_mode = {request.param}")
        shutil.copy(world.path, clean_env / "empty.db")
        yield world
        world.close()


def put_back(world: World) -> None:
    for path in world.folder.glob("database.db*"):
        path.unlink()
    shutil.rmtree(world.folder / "backups", ignore_errors=True)
    shutil.copy(world.folder / "empty.db", world.path)


def run(world: World) -> "Iterator[subprocess.Popen[str]]":
    return started(  # type: ignore[return-value]
        world, "--lookback-days", "60", BATCH_PROCESSING_SIZE=str(BATCH), MAX_CONCURRENCY="3"
    )


def length(world: World) -> float:
    """How long a run takes that nobody disturbs, in seconds."""
    put_back(world)
    began = time.monotonic()
    with run(world) as process:  # type: ignore[attr-defined]
        process.communicate(timeout=60)
    assert world.value("SELECT COUNT(*) FROM hearings") == MEETINGS
    return time.monotonic() - began


def judge(world: World, sent: "list[signal.Signals]", code: int, out: str, err: str) -> str:
    """Everything that must be so, whenever the signals came; -> what became of the run."""
    stored = world.value("SELECT COUNT(*) FROM hearings")
    assert stored % BATCH == 0, "half a batch"
    assert world.value("PRAGMA integrity_check") == "ok"
    assert world.rows("PRAGMA foreign_key_check") == []
    assert not (world.folder / "database.db.updater-lock").exists()
    if out:
        assert json.loads(out)["hearings_added"] == stored
    else:
        assert stored == 0
    if code in (-signal.SIGINT, -signal.SIGTERM):
        # Python itself was not up yet, or down again: its own way to end.
        assert -code in sent
        return "ended before" if not out else "ended after"
    assert "Traceback" not in err
    if code == 0:
        assert stored == MEETINGS
        return "done"
    assert code in {CODES[number] for number in sent}
    if not out:
        return "not begun"
    return "all in" if stored == MEETINGS else "stopped"


def test_signals_at_random_moments(world: World) -> None:
    choose = random.Random(SEED)
    longest = length(world)
    ends: Counter[str] = Counter()
    for number in range(rounds(8)):
        put_back(world)
        sent = [choose.choice(list(CODES))]
        wait = choose.uniform(0.1, 1.05) * longest
        again = choose.choice([None, None, 0.0, 0.05, 0.3, 1.2])
        with run(world) as process:  # type: ignore[attr-defined]
            time.sleep(wait)
            process.send_signal(sent[0])
            if again is not None:
                time.sleep(again)
                sent.append(choose.choice(list(CODES)))
                process.send_signal(sent[-1])
            out, err = process.communicate(timeout=60)
        what = (
            f"round {number}: {sent} after {wait:.3f} s, again after {again}: {process.returncode}"
        )
        try:
            ends[judge(world, sent, process.returncode, out, err)] += 1
        except AssertionError as error:
            raise AssertionError(f"{what}\n{error}\n{out}\n{err}") from error
        # The next one has the rest.
        world.run({"batch_processing_size": BATCH})
        assert world.value("SELECT COUNT(*) FROM hearings") == MEETINGS, what
    print(dict(ends), f"{longest:.2f} s")
