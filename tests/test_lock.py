"""One updater at a time: the next one leaves, or waits; a killed one blocks nobody."""

import json
import re
import shutil
import time

import pytest

from helpers_run import World, messages, metrics_of, started, tool, until, update
from updaters.sandbox import Sandbox


@pytest.fixture
def world(busy_world: World) -> World:
    return busy_world


def test_a_second_updater_leaves_at_once_and_says_who_is_at_it(world: World) -> None:
    update(world, "--lookback-days", "1", "--components", "hearings")
    shutil.copy(next((world.folder / "backups").iterdir()), world.folder / "backup.db")
    world.sandbox.change(10)
    world.sandbox.clear_requests()
    world.sandbox.latency_ms = 300
    with started(world, MAX_CONCURRENCY="1") as first:
        until(lambda: world.sandbox.request_count > 1, "the first run asks")
        second = update(world, code=1)
        [line] = [m for m in messages(second.stderr) if m.startswith("Daily update failed: ")]
        assert str(first.pid) in line
        assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line)
        assert metrics_of(second)["api_requests"] == 0
        for words in (["rollback", "--run", "1"], ["restore", "backup.db"]):
            done = tool(world, *words, code=1)
            assert str(first.pid) in done.stderr
        world.sandbox.latency_ms = 0
        out, err = first.communicate(timeout=60)
        assert first.returncode == 0, err
        assert json.loads(out)["validation_passed"] is True
        assert world.value("SELECT COUNT(*) FROM hearings") == 30


def test_wait_waits_for_the_other(world: World) -> None:
    world.sandbox.latency_ms = 200
    with started(world, MAX_CONCURRENCY="1") as first:
        until(lambda: world.sandbox.request_count > 1, "the first run asks")
        with started(world, "--wait", "60") as second:
            time.sleep(0.5)
            world.sandbox.latency_ms = 0
            out, err = second.communicate(timeout=60)
            assert second.returncode == 0, err
            # It came after the first, and found its work done.
            assert json.loads(out)["hearings_added"] == 0
        assert first.communicate(timeout=60)[0]
        assert first.returncode == 0


def test_a_killed_run_blocks_nobody_and_leaves_whole_batches(world: World) -> None:
    with Sandbox(meetings=300, seed=8, spread_days=5, latency_ms=100) as slow:
        world.sandbox = slow
        with started(world, "--mode", "full", BATCH_PROCESSING_SIZE="50") as first:
            until(lambda: slow.request_count > 255, "the second window is asked for")
            first.kill()
            first.wait()
        assert world.value("SELECT COUNT(*) FROM hearings") % 50 == 0
        assert world.value("PRAGMA integrity_check") == "ok"
        slow.latency_ms = 0
        assert metrics_of(update(world, "--mode", "full"))["errors"] == []
        assert world.value("SELECT COUNT(*) FROM hearings") == 300
