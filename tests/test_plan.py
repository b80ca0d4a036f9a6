"""The users' trial plan, followed as it stands: its scripts and its shell lines, verbatim."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import updaters
from conftest import (
    MakeUpdater,
    assert_sound,
    change_of,
    count,
    query,
    record,
    snapshot,
)
from updaters.daily_updater import BatchResult, Checkpoint, DailyUpdater
from updaters.sandbox import Sandbox

KEY = "a-key-to-keep-secret"
needs_sqlite3 = pytest.mark.skipif(
    shutil.which("sqlite3") is None, reason="the sqlite3 command is not installed"
)


class Shell:
    """A checkout's folder with a database, in which people type commands."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        package = Path(updaters.__file__).parent.parent
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(package),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "API_BASE_URL": sandbox.url,
            "CONGRESS_API_KEY": KEY,
        }
        (folder / "logs").mkdir(exist_ok=True)

    def __call__(self, script: str, code: int = 0, **variables: str) -> str:
        """What a piece of shell prints, on either stream."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout
        assert KEY not in done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout


@pytest.fixture
def shell(filled_db: Path, sandbox: Sandbox) -> Iterator[Shell]:
    yield Shell(filled_db.parent, sandbox)


BASELINE = r"""time python3 -m updaters.daily_updater \
    --congress 119 \
    --lookback-days 7 \
    2>&1 | tee logs/trial_gate_phase22_baseline.log
"""

FIRST_RUN = r"""time python3 -m updaters.daily_updater \
    --congress 119 \
    --lookback-days 7 \
    2>&1 | tee logs/trial_gate_batch_first_run.log
"""

LARGE = r"""time python3 -m updaters.daily_updater \
    --congress 119 \
    --lookback-days 90 \
    2>&1 | tee logs/trial_gate_large_dataset.log
"""

ON = {"ENABLE_BATCH_PROCESSING": "true", "BATCH_PROCESSING_SIZE": "50"}

FAILURE_INJECTION = """\
# test_failure_injection.py
from updaters.daily_updater import DailyUpdater

updater = DailyUpdater(congress=119, lookback_days=7)
updater.settings.enable_batch_processing = True
updater.settings.batch_processing_size = 2  # Small batches for testing

# Create test changes with one invalid hearing
changes = {
    'updates': [],
    'additions': [
        # Valid hearing
        {
            'eventId': 'TEST-119-001',
            'chamber': 'House',
            'title': 'Valid Hearing'
        },
        # Invalid hearing (missing eventId)
        {
            'chamber': 'Senate',
            'title': 'Invalid Hearing'
        },
        # Another valid hearing
        {
            'eventId': 'TEST-119-002',
            'chamber': 'House',
            'title': 'Another Valid Hearing'
        }
    ]
}

# Process - should skip invalid batch but succeed on valid ones
updater._apply_updates_with_batches(changes)

# Check metrics
print(f"Total batches: {updater.metrics.batch_count}")
print(f"Succeeded: {updater.metrics.batches_succeeded}")
print(f"Failed: {updater.metrics.batches_failed}")

# Expected: 2 batches total, 1 succeeded, 1 failed (validation)
assert updater.metrics.batch_count == 2
assert updater.metrics.batches_failed == 1
assert updater.metrics.batches_succeeded == 1
print("✅ Partial failure test PASSED")
"""

MONITOR = """\
#!/bin/bash
# trial_gate_monitor.sh
# Run every hour during observation period

echo "=== Trial Gate Health Check: $(date) ==="

# Check database integrity
sqlite3 database.db "PRAGMA integrity_check;" | head -1

# Check for errors in logs
echo "Recent errors:"
tail -1000 logs/daily_update_*.log | grep -i "error" | tail -5

# Check disk space
df -h database.db

# Check process status
ps aux | grep daily_updater | grep -v grep

echo "=== End Health Check ==="
"""

MEMORY = """python3 -c "
import psutil
import subprocess
import time

# Get baseline memory
baseline = psutil.Process().memory_info().rss / 1024 / 1024  # MB

print(f'Baseline memory: {baseline:.2f} MB')

# Run update
proc = subprocess.Popen(['python3', '-m', 'updaters.daily_updater',
                         '--congress', '119', '--lookback-days', '7'])

# Monitor memory usage
peak_memory = baseline
while proc.poll() is None:
    mem = psutil.Process(proc.pid).memory_info().rss / 1024 / 1024
    if mem > peak_memory:
        peak_memory = mem
    time.sleep(1)

increase = peak_memory - baseline
print(f'Peak memory: {peak_memory:.2f} MB')
print(f'Memory increase: {increase:.2f} MB')
print(f'Requirement (< 100MB): {'✅ PASS' if increase < 100 else '❌ FAIL'}')
"
"""


# --- day 10 ------------------------------------------------------------------------------------


def test_the_settings_line(shell: Shell) -> None:
    line = (
        'python3 -c "from config.settings import Settings; s = Settings(); '
        "print(f'DB: {s.database_path}'); print(f'API: {s.api_key[:10]}...')\""
    )
    assert shell(line) == "DB: database.db\nAPI: a-key-to-k...\n"
    # No key at all: still a string that can be cut.
    assert shell(line, CONGRESS_API_KEY="").splitlines()[1] == "API: DEMO_KEY..."
    (shell.folder / ".env").write_text('CONGRESS_API_KEY="from-dotenv-file"\nDATABASE_PATH=x.db\n')
    assert shell(line, CONGRESS_API_KEY="") == "DB: x.db\nAPI: from-doten...\n"


@needs_sqlite3
def test_the_count_of_hearings(shell: Shell) -> None:
    assert shell('sqlite3 database.db "SELECT COUNT(*) FROM hearings;"') == "150\n"


def test_the_baseline_and_its_greps(shell: Shell) -> None:
    shell.sandbox.change(23, seed=3)
    shell.sandbox.add(5)
    shell(BASELINE)
    log = (shell.folder / "logs/trial_gate_phase22_baseline.log").read_text()
    assert "Batch processing DISABLED - using Phase 2.2 standard processing" in log
    assert "ENABLED" not in log
    found = shell(
        'tail -50 logs/trial_gate_phase22_baseline.log | grep -A 20 "Daily update completed"'
    ).splitlines()
    assert re.search(r" - INFO - Daily update completed successfully in [\d.]+ seconds$", found[0])
    metrics = json.loads("\n".join(found[1:]))
    assert list(metrics)[:10] == [
        "start_time",
        "end_time",
        "duration_seconds",
        "hearings_checked",
        "hearings_updated",
        "hearings_added",
        "committees_updated",
        "witnesses_updated",
        "api_requests",
        "error_count",
    ]
    assert (metrics["hearings_updated"], metrics["hearings_added"]) == (23, 5)
    assert metrics["validation_passed"] is True
    assert "batch_processing" not in metrics
    (duration,) = shell('grep "duration_seconds" logs/trial_gate_phase22_baseline.log').splitlines()
    assert re.fullmatch(r' +"duration_seconds": \d+\.\d+,', duration)
    assert metrics["api_requests"] == shell.sandbox.request_count


@needs_sqlite3
def test_the_monitoring_script_finds_nothing_after_a_good_run(shell: Shell) -> None:
    (shell.folder / "trial_gate_monitor.sh").write_text(MONITOR)
    shell.sandbox.change(5)
    shell(BASELINE)
    lines = shell("bash trial_gate_monitor.sh").splitlines()
    assert lines[0].startswith("=== Trial Gate Health Check: ")
    assert lines[1:3] == ["ok", "Recent errors:"]
    assert not [line for line in lines if "error" in line.lower() and line != "Recent errors:"]
    assert lines[-1] == "=== End Health Check ==="
    # A run that fails is found.
    shell.sandbox.faults = {"503": 1.0}
    shell("python3 -m updaters.daily_updater --lookback-days 7", code=1, RETRY_ATTEMPTS="0",
          CIRCUIT_BREAKER_TIMEOUT="1")  # fmt: skip
    assert "ERROR - Daily update failed" in shell("bash trial_gate_monitor.sh")


# --- day 11 ------------------------------------------------------------------------------------


def test_the_first_batch_run_and_its_greps(shell: Shell) -> None:
    shell.sandbox.change(56, seed=3)
    shell.sandbox.add(5)
    shell(FIRST_RUN, **ON)
    log = "logs/trial_gate_batch_first_run.log"
    enabled = shell(f'grep "ENABLED" {log}')
    assert enabled.endswith("✓ Batch processing ENABLED - using Phase 2.3.1 batch processing\n")
    text = (shell.folder / log).read_text()
    for line in (
        "Divided into 2 batches of up to 50 changes each",
        "✓ Batch 1/2 succeeded: 50 records",
        "✓ Batch 2/2 succeeded: 11 records",
        "Batch Processing Summary:",
        "  Total batches: 2",
        "  Succeeded: 2",
        "  Failed: 0",
    ):
        assert re.search(
            rf"^[-\d]+ [\d:,]+ - updaters\.\w+ - INFO - {re.escape(line)}$", text, re.M
        )
    assert shell(f'grep "duration_seconds" {log}').count("\n") == 1
    assert shell(f'grep -A 5 "batch_processing" {log}').splitlines() == [
        '  "batch_processing": {',
        '    "enabled": true,',
        '    "batch_count": 2,',
        '    "batches_succeeded": 2,',
        '    "batches_failed": 0,',
        '    "batch_errors": []',
    ]
    assert not re.search("error", text.replace('"batch_errors": []', "").replace(
        '"error_count": 0', "").replace('"errors": []', ""), re.I)  # fmt: skip


def test_verbose_logging_keeps_the_greps(shell: Shell) -> None:
    shell.sandbox.change(3)
    shell(FIRST_RUN, **ON, LOG_LEVEL="DEBUG")
    log = "logs/trial_gate_batch_first_run.log"
    found = shell(f'grep -A 30 "Daily update completed" {log}').split("\n", 1)[1]
    assert json.loads(found)["batch_processing"]["batches_succeeded"] == 1
    assert KEY not in (shell.folder / log).read_text()


def test_the_flag_by_the_env_file(shell: Shell) -> None:
    shell.sandbox.change(7)
    shell('echo "ENABLE_BATCH_PROCESSING=true" >> .env\necho "BATCH_PROCESSING_SIZE=5" >> .env')
    log = shell(FIRST_RUN)
    assert "✓ Batch processing ENABLED" in log
    assert "Divided into 2 batches of up to 5 changes each" in log
    # Back again, as the rollback plan has it: the environment wins.
    assert "Batch processing DISABLED" in shell(FIRST_RUN, ENABLE_BATCH_PROCESSING="false")


# --- day 12 ------------------------------------------------------------------------------------


def test_batch_sizes(shell: Shell) -> None:
    """F1: batches are changes / size, rounded up."""
    for number, (size, batches) in enumerate(((25, 5), (50, 3), (100, 2), (200, 1))):
        changed = shell.sandbox.change(110, seed=20 + number)
        shell(
            f"""SIZE={size}
  export BATCH_PROCESSING_SIZE=$SIZE
  time python3 -m updaters.daily_updater \\
      --congress 119 \\
      --lookback-days 7 \\
      2>&1 | tee logs/trial_gate_batch_size_${{SIZE}}.log
  grep "duration_seconds" logs/trial_gate_batch_size_${{SIZE}}.log
""",
            ENABLE_BATCH_PROCESSING="true",
        )
        log = (shell.folder / f"logs/trial_gate_batch_size_{size}.log").read_text()
        assert f"Divided into {batches} batches of up to {size} changes each" in log
        assert f'"batch_count": {batches},' in log
        assert f'"hearings_updated": {len(changed)},' in log


def test_a_large_set(shell: Shell) -> None:
    shell.sandbox.add(400)
    shell.sandbox.change(100, seed=9)
    shell(LARGE, **ON)
    log = "logs/trial_gate_large_dataset.log"
    assert shell(f'grep "duration_seconds" {log}').count("\n") == 1
    (checked,) = shell(f'grep "hearings_checked" {log}').splitlines()
    assert checked == '  "hearings_checked": 550,'
    text = (shell.folder / log).read_text()
    assert '"hearings_added": 400,' in text
    assert '"batches_failed": 0,' in text
    assert count(shell.folder / "database.db", "hearings") == 550
    assert_sound(shell.folder / "database.db")


def test_the_memory_monitor(shell: Shell, record_property: Any) -> None:
    pytest.importorskip("psutil")
    script = MEMORY
    if sys.version_info < (3, 12):
        # Its last line nests quotes in a way that older Pythons do not take.
        script = re.sub("'(. (?:PASS|FAIL))'", r'\\"\1\\"', script)
    shell.sandbox.change(100, seed=9)
    said = shell(script, **ON)
    increase = re.search(r"^Memory increase: (-?[\d.]+) MB$", said, re.M)
    assert increase, said
    record_property("memory_increase_mb", float(increase[1]))
    assert "Requirement (< 100MB): ✅ PASS" in said
    assert re.search(r" - INFO - Peak memory: [\d.]+ MB$", said, re.M)


def test_failure_injection(shell: Shell) -> None:
    """Test 2.1 as it stands."""
    database = shell.folder / "database.db"
    before = snapshot(database)
    (shell.folder / "test_failure_injection.py").write_text(FAILURE_INJECTION)
    said = subprocess.run(
        ["python3", "test_failure_injection.py"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == (
        "Total batches: 2\nSucceeded: 1\nFailed: 1\n✅ Partial failure test PASSED\n"
    )
    after = snapshot(database)
    new = [row for row in after["hearings"] if row not in before["hearings"]]
    # The batch with the bad record is skipped whole, the other one is in.
    assert [row["event_id"] for row in new] == ["TEST-119-002"]
    assert new[0]["title"] == "Another Valid Hearing"
    assert (new[0]["hearing_type"], new[0]["status"], new[0]["chamber"], new[0]["congress"]) == (
        "Hearing",
        "Scheduled",
        "House",
        119,
    )
    assert {**after, "hearings": before["hearings"]} == before
    assert_sound(database)


def test_failure_injection_on_an_old_database_without_key_or_network(
    legacy_db: Path, sandbox: Sandbox
) -> None:
    legacy_db.rename(legacy_db.parent / "database.db")
    shell = Shell(legacy_db.parent, sandbox)
    (shell.folder / "test_failure_injection.py").write_text(FAILURE_INJECTION)
    said = shell(
        "python3 test_failure_injection.py", CONGRESS_API_KEY="", API_BASE_URL="http://127.0.0.1:9"
    )
    assert said.endswith("✅ Partial failure test PASSED\n")
    assert sandbox.request_count == 0
    assert count(shell.folder / "database.db", "hearings") == 4


def test_batch_errors_are_in_the_log_with_details(shell: Shell) -> None:
    """F2, F4: one batch fails, the others do not, and the log says why."""
    changed = shell.sandbox.change(20, seed=4)
    broken = {**shell.sandbox.meeting(changed[3]), "date": "some day"}
    shell.sandbox.set_meeting(broken)
    log = shell(FIRST_RUN, ENABLE_BATCH_PROCESSING="true", BATCH_PROCESSING_SIZE="1")
    assert re.search(
        rf"WARNING - Batch \d+ failed validation: .*{changed[3]}.*Invalid date format", log
    )
    metrics = json.loads(log[log.index("\n{\n") : log.rindex("\n}") + 2])
    batches = metrics["batch_processing"]
    assert (batches["batches_succeeded"], batches["batches_failed"]) == (19, 1)
    # R1, F3
    assert batches["batches_succeeded"] / batches["batch_count"] >= 0.95
    (error,) = batches["batch_errors"]
    assert error["error"] == "Validation failed"
    assert "Invalid date format" in error["issues"][0]
    assert metrics["error_count"] == 0
    assert metrics["deferred"][0]["event_id"] == changed[3]


@needs_sqlite3
def test_the_integrity_checks(shell: Shell) -> None:
    """Test 2.3 as it stands."""
    shell.sandbox.change(30, seed=6)
    counted = 'sqlite3 database.db "SELECT COUNT(*) FROM hearings WHERE congress = 119;"'
    before = shell(counted)
    shell("python3 -m updaters.daily_updater --congress 119 --lookback-days 7", **ON)
    assert shell('sqlite3 database.db "PRAGMA integrity_check;"') == "ok\n"
    assert shell('sqlite3 database.db "PRAGMA foreign_key_check;"') == ""
    assert shell(counted) == before == "150\n"
    shell("python3 -m scripts.verify_updates")


def test_a_backup_is_put_back_with_plain_cp(shell: Shell) -> None:
    """The abort procedure."""
    database = shell.folder / "database.db"
    before = snapshot(database)
    shell.sandbox.change(30, seed=6)
    shell(FIRST_RUN, **ON)
    assert snapshot(database) != before
    shell("cp backups/database_backup_*.db database.db")
    assert snapshot(database) == before
    assert_sound(database)
    assert '"hearings_updated": 30' in shell(FIRST_RUN, ENABLE_BATCH_PROCESSING="false")


# --- test 2.2, the manual one: _process_batch made to raise after tracking ---------------------


def changes_for(updater: DailyUpdater, sandbox: Sandbox) -> dict[str, list[Any]]:
    changed = sandbox.change(4, seed=8)
    return {
        "updates": [change_of(updater, sandbox, event_id) for event_id in changed],
        "additions": [record("9001"), record("9002")],
    }


def assert_second_batch_alone_is_undone(
    updater: DailyUpdater, before: dict[str, Any], called: list[Checkpoint]
) -> None:
    """Of three batches of two (two of updates, one of additions) the second one failed."""
    assert (updater.metrics.batches_succeeded, updater.metrics.batches_failed) == (2, 1)
    assert updater.metrics.batch_errors[0]["batch"] == 2
    assert "thrown on purpose" in updater.metrics.batch_errors[0]["error"]
    assert [checkpoint.batch_number for checkpoint in called] == [2]
    assert updater.metrics.errors == []
    path = updater.db.db_path
    after = {row["event_id"]: row for row in snapshot(path)["hearings"]}
    was = {row["event_id"]: row for row in before["hearings"]}
    (checkpoint,) = called
    for event_id in checkpoint.hearings_to_update:
        assert after[event_id] == was[event_id]
    assert len([e for e in was if after[e] != was[e]]) == 2
    assert set(after) - set(was) == {"9001", "9002"}
    assert_sound(path)


@pytest.mark.parametrize("when", ["before it applies", "after it committed"])
def test_process_batch_that_raises_after_tracking(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox, when: str
) -> None:
    updater = make_updater(filled_db, batch_processing_size=2)
    before = snapshot(filled_db)
    changes = changes_for(updater, sandbox)
    called: list[Checkpoint] = []
    process, roll_back = updater._process_batch, updater._rollback_checkpoint

    def raising(batch: list[Any], number: int, checkpoint: Checkpoint) -> BatchResult:
        if number != 2:
            return process(batch, number, checkpoint)
        if when == "after it committed":
            assert process(batch, number, checkpoint).success
            assert snapshot(filled_db) != middle[0]
        else:
            for item in batch:
                data = updater._extract_original_data(item["existing"])
                checkpoint.track_update(data["event_id"], data)
        raise RuntimeError("thrown on purpose")

    middle: list[Any] = []
    validate = updater._validate_batch

    def remembering(batch: list[Any]) -> Any:
        if updater.metrics.batches_succeeded == 1 and not middle:
            middle.append(snapshot(filled_db))
        return validate(batch)

    def watched(checkpoint: Checkpoint) -> bool:
        answer = roll_back(checkpoint)
        called.append(checkpoint)
        # Row by row as it was when the second batch began.
        assert snapshot(filled_db) == middle[0]
        return answer

    updater._validate_batch = remembering
    updater._process_batch = raising
    updater._rollback_checkpoint = watched
    updater._apply_updates_with_batches(changes)
    assert len(called[0].hearings_to_update) == 2
    assert_second_batch_alone_is_undone(updater, before, called)


def test_process_batch_written_anew_that_raises_after_tracking(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    """A copy of the old updater's method, that commits on its own and tracks by hand."""
    updater = make_updater(filled_db, batch_processing_size=2)
    before = snapshot(filled_db)
    changes = changes_for(updater, sandbox)
    called: list[Checkpoint] = []
    roll_back = updater._rollback_checkpoint

    def own(batch: list[Any], number: int, checkpoint: Checkpoint) -> BatchResult:
        with updater.db.transaction() as conn:
            for item in batch:
                if "existing" in item:
                    data = updater._extract_original_data(item["existing"])
                    checkpoint.track_update(data["event_id"], data)
                    updater._update_hearing_record(conn, item["existing"], item["new_data"])
                else:
                    checkpoint.track_addition(item["eventId"])
                    updater._add_new_hearing(conn, item)
        if number == 2:
            raise RuntimeError("thrown on purpose")
        return BatchResult(True, len(batch))

    def watched(checkpoint: Checkpoint) -> bool:
        called.append(checkpoint)
        return roll_back(checkpoint)

    updater._process_batch = own
    updater._rollback_checkpoint = watched
    updater._apply_updates_with_batches(changes)
    assert_second_batch_alone_is_undone(updater, before, called)
    assert (updater.metrics.hearings_updated, updater.metrics.hearings_added) == (2, 2)


def test_the_real_database(real_db: Path, sandbox: Sandbox) -> None:
    """The plan on the file that people have: script 2.1, a run, the checks."""
    hearings = count(real_db, "hearings")
    real_db.rename(real_db.parent / "database.db")
    shell = Shell(real_db.parent, sandbox)
    (shell.folder / "test_failure_injection.py").write_text(FAILURE_INJECTION)
    assert "PASSED" in shell("python3 test_failure_injection.py")
    assert '"hearings_added": 150' in shell(LARGE, **ON)
    database = shell.folder / "database.db"
    assert count(database, "hearings") == hearings + 151
    assert query(database, "PRAGMA integrity_check") == [("ok",)]
    assert query(database, "PRAGMA foreign_key_check") == []
