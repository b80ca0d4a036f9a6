"""The users' trial plan, its third day: batch sizes, a large set, memory."""

import re
import sys
from typing import Any

import pytest

from conftest import assert_sound, count
from helpers_plan import LARGE, ON, Shell

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
