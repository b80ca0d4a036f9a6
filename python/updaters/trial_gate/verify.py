"""Day 10, tasks 1 and 2: is the environment ready? Changes nothing."""

import importlib.util
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from updaters.errors import UpdaterError
from updaters.trial_gate.answers import Tell, prepare, probe, replay
from updaters.trial_gate.look import counts
from updaters.trial_gate.runs import run
from updaters.trial_gate.trial import Trial

TESTS = Path("tests") / "test_batch_processing.py"
DEMO_KEY = "DEMO_KEY"

#: A check's outcome: ok, and what was seen. None: nothing to check here.
Outcome = tuple[bool | None, str]


def verify(trial: Trial, tell: Tell) -> dict[str, Any]:
    """`checks`: each `{name, ok, seen}`; `passed` where none failed."""
    checks: tuple[tuple[str, Callable[[Trial], Outcome]], ...] = (
        ("Settings load, an API key is set", _settings),
        ("The flag is off by default", _flag),
        ("The database is accessible and sound", _database),
        ("The API answers", _api),
        ("Logging works", _logging),
        ("Health checks are collected", _monitoring),
        ("The batch tests pass", _tests),
    )
    found = []
    for name, check in checks:
        try:
            ok, seen = check(trial)
        except UpdaterError as exc:
            ok, seen = False, str(exc)
        found.append({"name": name, "ok": ok, "seen": seen})
        tell(f"{'ok' if ok else '--' if ok is None else 'FAILED'}: {name}: {seen}")
    return {"checks": found, "passed": all(check["ok"] is not False for check in found)}


def _settings(trial: Trial) -> Outcome:
    from updaters.settings import load_settings

    settings = load_settings()
    module = sys.modules.get("config.settings")
    origin = getattr(module, "__file__", None) or "the package's own"
    key = settings.api_key
    if trial.about["source"] == "live" and key == DEMO_KEY:
        return False, "no key: set CONGRESS_API_KEY (DEMO_KEY allows 30 requests an hour)"
    kind = "no key of one's own" if key == DEMO_KEY else f"a key of {len(key)} characters"
    return True, f"{kind}; settings from {origin}"


def _flag(trial: Trial) -> Outcome:
    from updaters.settings import load_settings

    load_settings()
    # The checkout's own class, where there is one: what the plan greps.
    theirs = getattr(sys.modules.get("config.settings"), "Settings", None)
    field = getattr(theirs, "model_fields", {}).get("enable_batch_processing")
    default = False if field is None else field.default
    now = load_settings().enable_batch_processing
    state = f"default {default}, now {now}"
    if default is not False:
        return False, f"{state}: enable_batch_processing must be False by default"
    if now:
        state += ": unset ENABLE_BATCH_PROCESSING until day 11 (each run here is given its own)"
    return True, state


def _database(trial: Trial) -> Outcome:
    from scripts.verify_updates import UpdateValidator

    found = UpdateValidator(str(trial.snapshot)).run_all_checks()
    count = counts(trial.snapshot).get("hearings", 0)
    if not found["passed"]:
        return False, "; ".join(found["issues"][:3])
    if not count:
        return False, f"{trial.about['database']} has no hearings: fill it first"
    warnings = len(found["warnings"])
    return True, f"{count} hearings, no issues" + (f", {warnings} warnings" if warnings else "")


def _api(trial: Trial) -> Outcome:
    if trial.about["source"] == "sandbox":
        prepare(trial, lambda _: None)
        with replay(trial, latency_ms=0) as api:
            found = probe(trial, api.url)
        where = "our own server"
    else:
        found = probe(trial)
        where = "the live API"
    meetings, latency = found["meetings"], found["latency_ms"]
    return bool(meetings), f"{where}: {meetings} meetings of this Congress, {latency} ms a request"


def _logging(trial: Trial) -> Outcome:
    folder = Path("logs")
    try:
        folder.mkdir(exist_ok=True)
        probe_file = folder / f".trial_gate_{os.getpid()}"
        probe_file.write_text("", encoding="utf-8")
        probe_file.unlink()
    except OSError as exc:
        return False, f"{folder.resolve()} cannot be written: {exc.strerror}"
    return True, f"{folder.resolve()} can be written"


def _monitoring(trial: Trial) -> Outcome:
    """The plan has it "if available"."""
    from updaters.trial_gate.observe import collected

    found = collected(trial, 48.0)
    if not found["count"]:
        return None, "none yet: hearing-updater monitor --print-cron prints a line for crontab"
    return True, f"{found['count']} so far"


def _tests(trial: Trial) -> Outcome:
    if not TESTS.exists():
        return None, f"there is no {TESTS} here"
    if importlib.util.find_spec("pytest") is None:
        return None, "pytest is not installed: pip install 'hearing-updater[trial]'"
    environment = {key: value for key, value in os.environ.items() if not _ours(key)}
    code, output = run(
        [sys.executable, "-m", "pytest", str(TESTS), "-q", "-p", "no:cacheprovider"], environment
    )
    text = output.decode(errors="replace")
    ends = re.findall(r"^=* ?(\d+ (?:passed|failed|error).*?) ?=*$", text, re.MULTILINE)
    last = ends[-1] if ends else (text.strip().splitlines() or ["pytest printed nothing"])[-1]
    return code == 0, last


def _ours(variable: str) -> bool:
    """What would turn the tests' own settings over."""
    return variable.upper() in ("ENABLE_BATCH_PROCESSING", "BATCH_PROCESSING_SIZE", "API_BASE_URL")
