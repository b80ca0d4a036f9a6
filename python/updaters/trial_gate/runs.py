"""One measured run: the updater as a process of its own, on a fresh copy of the database."""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from updaters.errors import UpdaterError
from updaters.trial_gate.trial import Trial

#: A run that takes longer than so many seconds hangs.
LIMIT = 900.0

ENABLED = "✓ Batch processing ENABLED - using Phase 2.3.1 batch processing"
DISABLED = "Batch processing DISABLED - using Phase 2.2 standard processing"


def environment(url: str, **variables: str) -> dict[str, str]:
    """The person's own, but for what a trial must decide: the server, the key, the window.

    Runs work in another folder, so that their logs are not among those of real ones; what the
    current folder means to a run (`.env`, `config/`) goes along.
    """
    decided = {
        "PYTHONPATH": os.pathsep.join(
            path for path in (os.getcwd(), os.environ.get("PYTHONPATH")) if path
        ),
        "API_BASE_URL": url,
        # Whatever answers is on this machine: no key of the person's goes there.
        "CONGRESS_API_KEY": "trial-gate",
        "API_KEY": "trial-gate",
        "NO_PROXY": "127.0.0.1,localhost",
        "RATE_LIMIT": "1000000",
        # The days that the plan names, however long ago the snapshot's last run was.
        "CATCH_UP": "false",
        "NOTIFICATION_ENABLED": "false",
        # The lines that the plan greps have more than English letters; they are read as this.
        "PYTHONIOENCODING": "utf-8",
        # The lines that the plan greps are of this level.
        "LOG_LEVEL": "DEBUG" if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG" else "INFO",
        **variables,
    }
    theirs = {**_dotenv(), **os.environ}
    # Settings' names are the same in any case.
    kept = {name: value for name, value in theirs.items() if name.upper() not in decided}
    return {**kept, **decided}


def _dotenv() -> dict[str, str]:
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(".env").items() if value is not None}


def command(trial: Trial, database: Path, lookback_days: int) -> list[str]:
    """The plan's command, with the copy named."""
    return [
        *(sys.executable, "-m", "updaters.daily_updater"),
        *("--congress", str(trial.about["congress"])),
        *("--lookback-days", str(lookback_days)),
        *("--db", str(database)),
    ]


def measure(
    trial: Trial,
    url: str,
    *,
    flag: bool,
    size: int = 50,
    lookback_days: int | None = None,
    log: str | None = None,
    keep: str | None = None,
    must_succeed: bool = True,
    **variables: str,
) -> dict[str, Any]:
    """Run it once, and tell how it went (`figures`).

    `log` names a deliverable that gets both streams, as `2>&1 | tee` would have written it; `keep`
    a copy of the database afterwards.
    """
    days = trial.about["lookback_days"] if lookback_days is None else lookback_days
    with trial.fresh_copy(keep) as database:
        variables = {
            "ENABLE_BATCH_PROCESSING": "true" if flag else "false",
            "BATCH_PROCESSING_SIZE": str(size),
            **variables,
        }
        started = time.perf_counter()
        env = environment(url, **variables)
        code, output = run(command(trial, database, days), env, cwd=trial.work)
        seconds = time.perf_counter() - started
    found = figures(output, code, seconds)
    found.update(flag=flag, size=size, lookback_days=days, log=log)
    if log is not None:
        trial.deliver(log, output)
    if must_succeed and code != 0:
        raise UpdaterError(f"the run failed with exit code {code}: {last_line(output)}")
    return found


def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: Path | None = None,
    limit: float = LIMIT,
) -> tuple[int, bytes]:
    """Both streams of a process, as one, and its exit code. Ctrl-C ends the process, too."""
    process = subprocess.Popen(
        tied(argv),
        env=dict(env),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise UpdaterError(
            f"a run did not end within {limit:.0f} seconds: {last_line(output)}"
        ) from None
    except BaseException:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    return process.returncode, output


def tied(argv: Sequence[str]) -> list[str]:
    """The command so that it does not outlive a trial that is killed, where the system can do that.

    By a program of its own: what Python runs between fork and exec could wait for a lock for ever.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *argv] if setpriv else list(argv)


def figures(output: bytes, code: int, seconds: float) -> dict[str, Any]:
    """What a run's output tells: `exit_code`, `wall_seconds`, `duration_seconds`, `changes`,
    `peak_mb`, `mode` (what the log says of the flag), and `metrics`, whole."""
    text = output.decode(errors="replace")
    metrics = metrics_of(text)
    peak = re.search(r"Peak memory: ([\d.]+) MB", text)
    return {
        "exit_code": code,
        "wall_seconds": round(seconds, 3),
        "duration_seconds": metrics.get("duration_seconds"),
        "changes": metrics.get("hearings_updated", 0) + metrics.get("hearings_added", 0),
        "peak_mb": float(peak[1]) if peak else None,
        "mode": "batch" if ENABLED in text else "plain" if DISABLED in text else None,
        "metrics": metrics,
    }


def metrics_of(text: str) -> dict[str, Any]:
    """The metrics that a run prints at its end; empty where it did not get so far."""
    start = text.rfind("\n{\n")
    start = start + 1 if start >= 0 else 0 if text.startswith("{\n") else len(text)
    try:
        found = json.loads(text[start:])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def length(shown: Sequence[Any]) -> int:
    """How long a list of the metrics is; in print it ends with "... and 3 more" (contract 3)."""
    more = re.fullmatch(r"\.\.\. and (\d+) more", str(shown[-1])) if shown else None
    return len(shown) - 1 + int(more[1]) if more else len(shown)


def last_line(output: bytes) -> str:
    """What a failed run said last, but for its metrics."""
    text = output.decode(errors="replace")
    lines = [
        line for line in text.splitlines() if " - ERROR - " in line or " - CRITICAL - " in line
    ]
    if not lines:
        lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].split(" - ", 3)[-1].strip() if lines else "it printed nothing"


def spread(values: Iterable[float]) -> dict[str, Any]:
    """`median`, `min`, `max` and the `values` themselves."""
    numbers = [round(value, 4) for value in values]
    return {
        "median": round(statistics.median(numbers), 4),
        "min": min(numbers),
        "max": max(numbers),
        "values": numbers,
    }


def percent(of: float, base: float) -> float | None:
    """By how much `of` is more than `base`, in per cent."""
    return round(100 * (of - base) / base, 1) if base else None
