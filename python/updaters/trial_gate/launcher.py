"""The plan's memory script, as a program of its own: its own memory is the baseline that the plan
subtracts. Prints the plan's lines, then one line of JSON. Run by path, so that it imports no more.

    python3 launcher.py MB COMMAND...     the allowed increase; the output goes to /dev/null
"""

import json
import os
import subprocess
import sys
import time

import psutil

#: Seconds between two looks; the plan's one second would miss a run's peak.
INTERVAL = 0.02


def main(required: float, command: list[str]) -> int:
    """Run the command, watch its memory, print what it took."""
    baseline = psutil.Process().memory_info().rss / 1024 / 1024
    print(f"Baseline memory: {baseline:.2f} MB")
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    child = psutil.Process(process.pid)
    samples = []
    while True:
        try:
            memory = child.memory_info().rss / 1024 / 1024
        except psutil.Error:
            memory = 0.0
        if memory:
            samples.append((round(time.perf_counter() - started, 3), round(memory, 2)))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(INTERVAL)
    # The kernel's own figure knows of peaks between two looks.
    highest = usage.ru_maxrss / 1024
    peak = max([highest, *(memory for _, memory in samples)])
    increase = peak - baseline
    print(f"Peak memory: {peak:.2f} MB")
    print(f"Memory increase: {increase:.2f} MB")
    print(f"Requirement (< {required:g}MB): {'✅ PASS' if increase < required else '❌ FAIL'}")
    found = {
        "baseline_mb": round(baseline, 2),
        "peak_mb": round(peak, 2),
        "increase_mb": round(increase, 2),
        "exit_code": os.waitstatus_to_exitcode(status),
        "samples": samples,
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(float(sys.argv[1]), sys.argv[2:]))
