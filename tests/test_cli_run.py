"""The command line for real, as a process: lines that people grep for, flags, odd surroundings."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from helpers_run import (
    KEY,
    MODULE,
    World,
    command,
    environment,
    meeting,
    messages,
    metrics_of,
    tool,
    update,
)

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - [\w.]+ - (DEBUG|INFO|WARNING|ERROR|CRITICAL) - .*"
)


@pytest.fixture
def world(busy_world: World) -> World:
    return busy_world


# --- lines, streams, exit codes ------------------------------------------------


def test_a_clean_run_from_its_first_line_to_its_last(world: World) -> None:
    done = update(world, BATCH_PROCESSING_SIZE="10")
    assert all(LINE.fullmatch(line) for line in done.stderr.splitlines()), done.stderr
    lines = messages(done.stderr)
    for line in (
        "✓ Batch processing ENABLED - using Phase 2.3.1 batch processing",
        "Divided into 3 batches of up to 10 changes each",
        "✓ Batch 1/3 succeeded: 10 records",
        "Batch Processing Summary:",
        "  Total batches: 3",
        "  Succeeded: 3",
        "  Failed: 0",
        "  Hearings updated: 0",
        "  Hearings added: 30",
    ):
        assert lines.count(line) == 1, line
    assert any(re.fullmatch(r"Peak memory: \d+\.\d MB", line) for line in lines)
    assert lines[-1].startswith("Daily update completed successfully in ")
    assert "error" not in done.stderr.lower()
    metrics = metrics_of(done)
    assert done.stdout == json.dumps(metrics, indent=2) + "\n"
    assert list(metrics)[:3] == ["start_time", "end_time", "duration_seconds"]
    assert metrics["hearings_added"] == 30
    [log] = (world.folder / "logs").glob("daily_update_*.log")
    assert re.fullmatch(r"daily_update_\d{8}\.log", log.name)
    assert log.read_text() == done.stderr


def test_with_the_flag_off_it_says_so(world: World) -> None:
    done = update(world, ENABLE_BATCH_PROCESSING="false")
    lines = messages(done.stderr)
    assert lines.count("Batch processing DISABLED - using Phase 2.2 standard processing") == 1
    assert "Batch Processing Summary:" not in lines
    assert "batch_processing" not in metrics_of(done)
    assert "error" not in done.stderr.lower()


def test_with_nothing_to_do_the_lines_are_there_all_the_same(world: World) -> None:
    update(world)
    done = update(world)
    lines = messages(done.stderr)
    assert "✓ Batch processing ENABLED - using Phase 2.3.1 batch processing" in lines
    assert "  Total batches: 0" in lines
    assert metrics_of(done)["batch_processing"]["batch_count"] == 0
    assert "error" not in done.stderr.lower()


def test_a_batch_that_fails_validation_is_named(world: World) -> None:
    for number in range(3):
        world.put(meeting(f"bad{number}", date="some day"))
    done = update(world, BATCH_PROCESSING_SIZE="11")
    lines = messages(done.stderr)
    failed = [line for line in lines if re.match(r"Batch \d+ failed validation: ", line)]
    metrics = metrics_of(done)
    assert len(failed) == metrics["batch_processing"]["batches_failed"] >= 1
    assert f"  Failed: {len(failed)}" in lines
    assert "Invalid date format" in " ".join(failed)


def test_a_batch_that_fails_is_rolled_back_and_named(world: World) -> None:
    code = (
        "import sys, logging\n"
        "from updaters.daily_updater import DailyUpdater\n"
        "form = '%(asctime)s - %(name)s - %(levelname)s - %(message)s'\n"
        "logging.basicConfig(level='INFO', format=form)\n"
        "u = DailyUpdater(lookback_days=60)\n"
        "u.settings.batch_processing_size = 10\n"
        "add, seen = u._add_new_hearing, []\n"
        "def breaks(conn, data):\n"
        "    add(conn, data)\n"
        "    seen.append(1)\n"
        "    if len(seen) == 15: raise RuntimeError('out of paper')\n"
        "u._add_new_hearing = breaks\n"
        "r = u.run_daily_update()\n"
        "print(r['success'], r['metrics']['hearings_added'])\n"
    )
    done = command(world.folder, world.sandbox.url, "-c", code)
    assert done.stdout == "True 20\n"
    lines = messages(done.stderr)
    assert any(re.fullmatch(r"✗ Batch 2/3 failed: .*out of paper.*", line) for line in lines)
    assert "✓ Batch 2 rolled back successfully" in lines
    assert world.value("SELECT COUNT(*) FROM hearings") == 20


def test_quiet_keeps_information_off_stderr_and_in_the_file(world: World) -> None:
    done = update(world, "--quiet")
    assert done.stderr == ""
    assert metrics_of(done)["hearings_added"] == 30
    [log] = (world.folder / "logs").glob("daily_update_*.log")
    assert "Daily update completed successfully in " in log.read_text()


@pytest.mark.parametrize(("level", "has"), [("DEBUG", True), ("INFO", True), ("WARNING", False)])
def test_log_level_is_honoured(world: World, level: str, has: bool) -> None:
    done = update(world, LOG_LEVEL=level)
    assert ("Daily update completed" in done.stderr) is has
    if level == "WARNING":
        assert done.stderr == ""


def test_the_key_is_nowhere(world: World) -> None:
    world.sandbox.faults = {"500": 1.0}
    update(world, LOG_LEVEL="DEBUG", RETRY_ATTEMPTS="2", code=1)
    world.sandbox.faults = {}
    update(world, LOG_LEVEL="DEBUG")
    for path in world.folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    assert {request.key_in for request in world.sandbox.requests} == {"header"}


def test_a_list_shows_ten_entries_in_print(world: World) -> None:
    world.sandbox.faults = {"404": 0.999}
    metrics = metrics_of(update(world))
    assert len(metrics["deferred"]) == 11
    assert re.fullmatch(r"\.\.\. and \d+ more", metrics["deferred"][-1])


def test_the_version_and_every_help_with_an_example(world: World) -> None:
    assert re.search(r"\d+\.\d+", update(world, "--version").stdout)
    assert "python3 -m updaters.daily_updater --congress" in update(world, "--help").stdout
    for name in ("update", "init", "rollback", "restore", "history", "deferred", "sandbox"):
        shown = tool(world, name, "--help").stdout
        assert f"example:\n  hearing-updater {name}" in shown
    assert not (world.folder / "logs").exists()


# --- flags ------------------------------------------------


def test_event_asks_for_these_alone(world: World) -> None:
    wanted = world.sandbox.event_ids()[3:5]
    update(world, "--event", wanted[0], "--event", wanted[1])
    stored = world.rows("SELECT event_id FROM hearings ORDER BY event_id")
    assert [row["event_id"] for row in stored] == wanted
    assert set(world.details()) == set(wanted)


def test_components_and_db(world: World) -> None:
    other = world.folder / "other.db"
    tool(world, "init", "--db", "other.db")
    before = world.files()["database.db"]
    update(world, "--db", str(other), "--components", "hearings,committees")
    with closing(sqlite3.connect(other)) as db:
        counts = [
            db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("hearings", "hearing_committees", "witnesses", "bills")
        ]
    assert counts[0] == 30
    assert counts[1] > 0
    assert counts[2:] == [0, 0]
    assert world.files()["database.db"] == before


def test_congress_mode_and_lookback(world: World) -> None:
    done = update(world, "--congress", "118", code=0)
    assert metrics_of(done)["hearings_checked"] == 0
    assert "/committee-meeting/118" in world.sandbox.requests[0].path
    assert metrics_of(update(world, "--lookback-days", "0"))["hearings_added"] < 30
    assert metrics_of(update(world, "--mode", "full"))["hearings_checked"] == 30
    assert world.value("SELECT COUNT(*) FROM hearings") == 30


def test_a_dry_run_leaves_no_trace_but_its_log(world: World) -> None:
    before = world.files()
    metrics = metrics_of(update(world, "--dry-run"))
    assert metrics["hearings_added"] == 30
    after = {name: value for name, value in world.files().items() if not name.startswith("logs")}
    assert after == before


# --- odd surroundings ------------------------------------------------


def test_a_log_folder_that_cannot_be_made_is_no_obstacle(world: World) -> None:
    (world.folder / "logs").write_text("a file")
    done = update(world)
    assert metrics_of(done)["hearings_added"] == 30
    assert "No log file" in done.stderr


def test_a_pipe_that_nobody_reads_is_no_traceback(world: World) -> None:
    update(world)
    done = subprocess.run(
        f"{sys.executable} -m updaters.cli rollback --list | head -c 1",
        shell=True,
        cwd=world.folder,
        env=environment(world.folder, world.sandbox.url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def test_no_key_is_the_demo_key_in_one_line(world: World) -> None:
    variables = environment(world.folder, world.sandbox.url)
    del variables["CONGRESS_API_KEY"]
    done = subprocess.run(
        [sys.executable, *MODULE],
        cwd=world.folder,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    told = [line for line in messages(done.stderr) if "DEMO_KEY" in line]
    assert len(told) == 1
    assert "30" in told[0]


def test_it_runs_in_another_folder_by_the_console_script(world: World) -> None:
    script = Path(sys.executable).with_name("hearing-updater")
    if not script.exists():
        pytest.skip("the console script is not installed")
    done = subprocess.run(
        [script, "update", "--db", str(world.path)],
        cwd=world.folder,
        env=environment(world.folder, world.sandbox.url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hearings_added"] == 30
    assert os.path.isdir(world.folder / "logs")
