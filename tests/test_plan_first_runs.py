"""The users' trial plan, its first two days: the baseline, a first run in batches, their greps."""

import json
import re

from helpers_plan import BASELINE, FIRST_RUN, ON, Shell, needs_sqlite3
from helpers_run import KEY

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
