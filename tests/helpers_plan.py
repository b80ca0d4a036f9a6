"""The users' trial plan: the shell that its lines are typed in, and its scripts, verbatim."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import updaters
from helpers_run import KEY
from updaters.sandbox import Sandbox

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
