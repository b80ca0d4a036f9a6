"""The command line for real: processes, signals, locks, lines that people grep for."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers_run import (
    COMMAND,
    KEY,
    MODULE,
    World,
    command,
    environment,
    meeting,
    messages,
    metrics_of,
)
from updaters.sandbox import Sandbox

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - [\w.]+ - (DEBUG|INFO|WARNING|ERROR|CRITICAL) - .*"
)


@pytest.fixture
def world(clean_env: Path) -> Iterator[World]:
    """An empty database, and an API with thirty meetings."""
    with Sandbox(meetings=30, seed=8, spread_days=5) as sandbox:
        world = World(clean_env, sandbox).init()
        yield world
        world.close()


def update(world: World, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return command(world.folder, world.sandbox.url, *MODULE, *words, **options)


def tool(world: World, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return command(world.folder, world.sandbox.url, *COMMAND, *words, **options)


@contextmanager
def started(world: World, *words: str, **variables: str) -> "Iterator[subprocess.Popen[str]]":
    """An update that runs beside the test; it does not outlive it."""
    process = subprocess.Popen(
        [sys.executable, *MODULE, *words],
        cwd=world.folder,
        env=environment(world.folder, world.sandbox.url, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(condition: Any, what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


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


# --- one at a time ------------------------------------------------


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


# --- signals ------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_fetches(world: World, number: signal.Signals) -> None:
    world.sandbox.latency_ms = 60_000
    before = world.snapshot()
    with started(world) as process:
        until(lambda: world.sandbox.max_in_flight > 0, "it asks")
        sent = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        took = time.monotonic() - sent
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert took < 10, "it waited for the API"
    assert "Traceback" not in err
    json.loads(out)
    assert world.snapshot() == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_between_two_windows(world: World, number: signal.Signals, code: int) -> None:
    with Sandbox(meetings=300, seed=8, spread_days=5, latency_ms=100) as slow:
        world.sandbox = slow
        with started(world, "--mode", "full", BATCH_PROCESSING_SIZE="50") as process:
            stored = "SELECT COUNT(*) FROM hearings"
            until(lambda: world.value(stored) == 250, "the first window is in")
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        assert process.returncode == code, err
        assert "Traceback" not in err
        metrics = json.loads(out)
        # What was committed stays; what was under way does not.
        assert metrics["hearings_added"] == world.value("SELECT COUNT(*) FROM hearings") == 250
        assert metrics["error_count"] == 1
        assert world.row("SELECT success, hearings_added FROM update_logs") == {
            "success": 0,
            "hearings_added": 250,
        }
        assert world.value("SELECT success FROM updater_runs") == 0
        assert world.rows("PRAGMA foreign_key_check") == []
        assert not (world.folder / "database.db.updater-lock").exists()
        slow.latency_ms = 0
        assert metrics_of(update(world))["hearings_added"] == 50


def test_a_signal_while_another_program_holds_the_lock(world: World) -> None:
    code = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect('database.db')\n"
        "db.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    before = world.snapshot()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=world.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with started(world) as process:
            assert process.stderr is not None
            # From here on it waits for the lock.
            while "to update" not in process.stderr.readline():
                assert process.poll() is None
            sent = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            took = time.monotonic() - sent
        holder.communicate("")
    assert process.returncode == 143
    assert took < 15, "it waited for the other program"
    assert world.snapshot() == before


def test_a_signal_in_the_middle_of_a_batch(world: World) -> None:
    code = (
        "import os, signal, sys\n"
        "from updaters.daily_updater import DailyUpdater\n"
        "u = DailyUpdater(lookback_days=60)\n"
        "u.settings.batch_processing_size = 10\n"
        "add, seen = u._add_new_hearing, []\n"
        "def hit(conn, data):\n"
        "    add(conn, data)\n"
        "    seen.append(1)\n"
        "    if len(seen) == 15: os.kill(os.getpid(), signal.SIGINT)\n"
        "u._add_new_hearing = hit\n"
        "try:\n"
        "    u.run_daily_update()\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', u.metrics.hearings_added)\n"
    )
    done = command(world.folder, world.sandbox.url, "-c", code)
    assert done.stdout == "stopped 10\n"
    assert world.value("SELECT COUNT(*) FROM hearings") == 10
    assert world.rows("SELECT success FROM update_logs") == [{"success": 0}]


# --- the other commands ------------------------------------------------


def test_rollback_of_one_batch_and_history_of_it(world: World) -> None:
    update(world, BATCH_PROCESSING_SIZE="30")
    before = world.snapshot()
    changed = world.sandbox.change(6)
    update(world, BATCH_PROCESSING_SIZE="2")
    during = world.snapshot()
    shown = tool(world, "rollback", "--run", "2", "--batch", "2").stdout
    assert shown.startswith("Run 2, batch 2, was undone: ")
    held = json.loads(tool(world, "rollback", "--list", "--json").stdout)["held"]
    assert len(held) == 2
    assert {event["event_id"] for event in held} <= set(changed)
    between = world.snapshot()
    assert before != between != during
    told = json.loads(tool(world, "history", held[0]["event_id"], "--json").stdout)
    fields = [change for change in told if change["run"] == 2 and change["table"] == "hearings"]
    assert {"update_date", "updated_at"} & {change["field"] for change in fields}
    assert all(change["before"] != change["after"] for change in fields)
    # The rest of the run goes too, and twice is harmless.
    tool(world, "rollback", "--run", "2")
    assert world.snapshot() == before
    tool(world, "rollback", "--run", "2")
    assert world.snapshot() == before


@pytest.mark.parametrize(
    "words",
    [
        ["rollback", "--run", "99"],
        ["rollback", "--run", "1", "--batch", "99"],
        ["rollback", "--release", "nobody"],
        ["history", "nobody"],
        ["restore", "nowhere.db"],
    ],
)
def test_what_is_not_there_is_one_line(world: World, words: list[str]) -> None:
    update(world)
    before = world.snapshot()
    done = tool(world, *words, code=1)
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    assert world.snapshot() == before


@pytest.mark.parametrize(
    "words",
    [
        ["rollback"],
        ["rollback", "--batch", "1"],
        [],
        ["nonsense"],
        ["rollback", "--run", "x"],
        ["history"],
    ],
)
def test_bad_usage_is_one_line_and_exit_2(world: World, words: list[str]) -> None:
    done = tool(world, *words, code=2)
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""


def test_restore_over_a_corrupt_file_and_a_stale_wal(world: World) -> None:
    update(world)
    world.sandbox.change(3)
    update(world)
    [backup] = sorted((world.folder / "backups").iterdir())[-1:]
    world.path.write_bytes(b"rubbish" * 1000)
    for name in ("-wal", "-shm", "-journal"):
        (world.folder / f"database.db{name}").write_bytes(b"stale" * 100)
    shown = tool(world, "restore", str(backup)).stdout
    assert "30 hearings" in shown
    assert world.value("PRAGMA integrity_check") == "ok"
    assert not [p for p in world.folder.glob("database.db-*") if p.stat().st_size]
    # A backup that is none is refused, and nothing is touched.
    rubbish = world.folder / "rubbish.db"
    rubbish.write_bytes(b"rubbish" * 1000)
    before = world.snapshot()
    assert "rubbish.db" in tool(world, "restore", "rubbish.db", code=1).stderr
    assert world.snapshot() == before


def test_deferred_names_the_event_and_the_reason(world: World) -> None:
    event = world.sandbox.event_ids()[0]
    world.sandbox.fail_next("404", times=9, path=event)
    update(world)
    shown = tool(world, "deferred").stdout
    assert event in shown
    assert "not found" in shown.lower() or "404" in shown


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


def test_history_names_the_batch_as_rollback_takes_it(world: World) -> None:
    update(world, ENABLE_BATCH_PROCESSING="false")
    world.sandbox.change(12)
    update(world, ENABLE_BATCH_PROCESSING="true", BATCH_PROCESSING_SIZE="5")
    found = world.row(
        "SELECT b.run_id, h.event_id FROM updater_batches b "
        "JOIN updater_journal j USING (batch_id) JOIN hearings h USING (hearing_id) "
        "WHERE b.kind = 'batch' AND b.batch_number = 2 LIMIT 1"
    )
    run, event_id = found["run_id"], found["event_id"]
    told = json.loads(tool(world, "history", event_id, "--json").stdout)
    assert {one["batch"] for one in told if one["run"] == run} == {2}
    assert {one["batch"] for one in told if one["run"] != run} == {None}
    tool(world, "rollback", "--run", str(run), "--batch", str(told[-1]["batch"]))
    assert event_id in tool(world, "rollback", "--list").stdout


def test_history_shows_where_long_texts_differ(world: World) -> None:
    world.put(meeting(7001, title="The same long beginning " * 9 + "and the old end"))
    update(world)
    world.alter(7001, title="The same long beginning " * 9 + "and the new end")
    update(world)
    told = tool(world, "history", "7001").stdout
    (line,) = (line for line in told.splitlines() if " title " in line)
    assert "and the old end" in line
    assert "and the new end" in line
