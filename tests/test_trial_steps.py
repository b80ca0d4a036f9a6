"""Single steps of the trial gate: in any folder, interrupted, resumed, refused."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from helpers_gate import COMMAND, QUICK, Gate
from helpers_run import AS_ANYBODY, KEY, until
from updaters import _native
from updaters.daily_updater import BatchResult, Checkpoint, DailyUpdater
from updaters.sandbox import Sandbox
from updaters.trial_gate import failures, integrity, memory, speed
from updaters.trial_gate.answers import prepare
from updaters.trial_gate.runs import environment
from updaters.trial_gate.trial import Trial

#: Changes that the sandbox of a trial holds, or more.
WHOLE = 240


@pytest.fixture
def gate(filled_db: Path) -> Gate:
    """A folder with a filled database, and no trial yet."""
    return Gate(filled_db.parent)


@pytest.fixture(scope="module")
def begun_once(filled_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trial whose baseline is measured. To be copied."""
    folder = tmp_path_factory.mktemp("begun")
    shutil.copy(filled_once, folder / "database.db")
    Gate(folder)("baseline", "--sandbox", *QUICK, "--latency-ms", "0")
    return folder


@pytest.fixture
def begun(begun_once: Path, clean_env: Path) -> Gate:
    """The same, one's own. (The trial names its database by its full path.)"""
    folder = clean_env / "begun"
    shutil.copytree(begun_once, folder)
    about = folder / "logs" / "trial_gate" / "trial.json"
    text = about.read_text().replace(str(begun_once.resolve()), str(folder.resolve()))
    about.write_text(text)
    return Gate(folder)


# --- what a step needs -------------------------------------------------------------------------


def test_a_step_before_the_one_it_needs(gate: Gate) -> None:
    for step, needed in (("batch", "baseline"), ("integrity", "batch")):
        done = gate(step, "--sandbox", code=1)
        assert f"{step} needs {needed}, which was not run" in done.stderr
    gate("verify", "--sandbox")
    gate.refused("report", says="report needs baseline")


def test_a_refused_step_begins_no_trial(gate: Gate) -> None:
    gate.refused("integrity", says="integrity needs batch")
    assert not gate.home.exists()


def test_a_trial_that_measured_nothing_can_still_be_another(gate: Gate) -> None:
    gate("toggle", code=1, CONGRESS_API_KEY="DEMO_KEY")
    assert gate.about()["source"] == "live"
    gate("verify", code=1, CONGRESS_API_KEY="DEMO_KEY")
    other = gate.folder / "other.db"
    _native.init_database(str(other))
    gate("toggle", "--sandbox", *QUICK, "--latency-ms", "0", "--db", "other.db")
    assert gate.about()["source"] == "sandbox"
    assert gate.about()["database"] == str(other)
    # What was looked at of the other one is forgotten.
    assert not (gate.home / "results" / "verify.json").exists()
    assert (gate.home / "snapshot.db").stat().st_size < (gate.folder / "database.db").stat().st_size


def test_report_and_status_without_a_trial(gate: Gate) -> None:
    for step in ("report", "status"):
        gate.refused(step, says="no trial in logs")
    assert not gate.logs.exists()


def test_an_unknown_step_and_bad_numbers(gate: Gate) -> None:
    gate.refused("bench", code=2, says=("unknown step 'bench'", "baseline, batch, sweep"))
    gate.refused("baseline", "--rounds", "0", code=2, says="--rounds 0")
    gate.refused("baseline", "--congress", "0", code=2, says="--congress 0")
    gate.refused("observe", "--hours", "nan", code=2, says="--hours nan")


# --- bad files ---------------------------------------------------------------------------------


def test_a_database_that_is_none(gate: Gate) -> None:
    (gate.folder / "notes.db").write_text("these are notes, not a database" * 100)
    gate.refused("baseline", "--sandbox", "--db", "notes.db", says=("notes.db", "not a SQLite"))
    gate.refused("baseline", "--sandbox", "--db", "gone.db", says="gone.db is not there")


def test_an_output_folder_that_cannot_be_written(gate: Gate) -> None:
    closed = gate.folder / "closed"
    closed.mkdir(mode=0o555)
    done = gate("baseline", "--sandbox", "--out", "closed", before=AS_ANYBODY, code=1)
    assert "closed" in done.stderr and "--out DIR" in done.stderr
    assert list(closed.iterdir()) == []
    (gate.folder / "file").write_text("")
    gate.refused("baseline", "--sandbox", "--out", "file", says="file cannot be written")


def test_somebody_elses_log_is_not_overwritten(gate: Gate) -> None:
    gate.logs.mkdir()
    mine = gate.logs / "trial_gate_phase22_baseline.log"
    mine.write_text("my own baseline")
    line = gate.refused("baseline", "--sandbox", *QUICK, says="is there and not this trial's")
    assert "trial_gate_phase22_baseline.log" in line
    assert not gate.home.exists()
    gate("baseline", "--sandbox", *QUICK, "--again", "--latency-ms", "0")
    assert "DISABLED" in mine.read_text()


def test_a_half_written_result(begun: Gate) -> None:
    path = begun.home / "results" / "baseline.json"
    path.write_text(path.read_text()[:100])
    for step in ("batch", "report", "status", "baseline"):
        begun.refused(step, says=("baseline.json", "cannot be read", "left as it is"))
    path.write_text("{}")
    begun.refused("status", says=("baseline.json", "it has no data", "left as it is"))


# --- one trial, one database -------------------------------------------------------------------


def test_a_trial_keeps_to_its_database(begun: Gate) -> None:
    shutil.copy(begun.folder / "database.db", begun.folder / "other.db")
    begun.refused("toggle", "--db", "other.db", code=2, says=("other.db", "--out DIR"))
    begun.refused("toggle", "--lookback-days", "9", code=2, says="lookback-days 7, not 9")


def test_the_snapshot_stays_as_it_was_when_the_trial_began(begun: Gate) -> None:
    _native.Database(str(begun.folder / "database.db")).hold("1")
    before = (begun.home / "snapshot.db").read_bytes()
    begun("batch", *QUICK)
    assert (begun.home / "snapshot.db").read_bytes() == before
    batch, baseline = begun.result("batch")["data"], begun.result("baseline")["data"]
    assert batch["runs"][0]["changes"] == baseline["runs"][0]["changes"]


def test_two_at_once(begun: Gate) -> None:
    with Trial(begun.logs).alone():
        begun.refused("toggle", says="another trial-gate works in")


def test_the_step_alone_has_the_rounds_that_are_asked_for(begun: Gate) -> None:
    begun("toggle", "--rounds", "2")
    runs = begun.result("toggle")["data"]["runs"]
    assert [run["flag"] for run in runs] == [False, True, False] * 2
    assert all(run["as_expected"] for run in runs)


# --- interrupted -------------------------------------------------------------------------------


def test_interrupted_and_resumed(begun: Gate) -> None:
    baseline = begun.result("baseline")
    process = subprocess.Popen(
        [*COMMAND, "toggle", "--rounds", "50"],
        cwd=begun.folder,
        env=begun.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: list(begun.home.glob("run-*")), "a run has begun")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert not list(begun.home.glob("run-*"))
    assert not (begun.home / "results" / "toggle.json").exists()
    last = json.loads((begun.home / "timeline.jsonl").read_text().splitlines()[-1])
    assert (last["step"], last["outcome"]) == ("toggle", "interrupted")
    assert begun.result("baseline") == baseline
    begun("toggle", *QUICK)
    assert begun.result("toggle")["data"]["as_expected"] == 3


def test_what_a_killed_trial_left_is_gone_with_the_next(begun: Gate) -> None:
    process = subprocess.Popen(
        [*COMMAND, "toggle", "--rounds", "50"],
        cwd=begun.folder,
        env=begun.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: children(process.pid), "a run has begun")
    running = children(process.pid)
    process.kill()
    process.wait()
    until(lambda: not any(map(psutil.pid_exists, running)), "its runs have ended, too")
    assert list(begun.home.glob("run-*"))
    begun("toggle", *QUICK)
    assert not list(begun.home.glob("run-*"))


def children(pid: int) -> list[int]:
    """The runs that a trial has started."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


# --- the live API ------------------------------------------------------------------------------


@pytest.fixture
def live() -> Iterator[Sandbox]:
    """What takes the live API's place: it changes, and counts what it is asked."""
    with Sandbox(30, seed=5, spread_days=5, api_key=KEY) as api:
        yield api


def test_the_live_api_is_asked_once_and_then_replayed(clean_env: Path, live: Sandbox) -> None:
    _native.init_database(str(clean_env / "database.db"))
    gate = Gate(clean_env, live.url)
    gate("baseline", *QUICK)
    asked = live.request_count
    assert asked >= 30
    live.change(10)
    live.add(5)
    gate("batch", *QUICK)
    assert live.request_count == asked
    baseline, batch = gate.result("baseline")["data"], gate.result("batch")["data"]
    assert baseline["metrics"]["hearings_added"] == 30
    assert batch["metrics"]["hearings_added"] == 30
    recorded = json.loads((gate.home / "trial.json").read_text())
    assert recorded["source"] == "live"
    assert recorded["latency_ms"] > 0
    assert not [path for path in gate.folder.rglob("*") if path.is_file() and holds_key(path)]


def holds_key(path: Path) -> bool:
    return KEY.encode() in path.read_bytes()


def test_the_public_key_will_not_do_for_a_recording(clean_env: Path, live: Sandbox) -> None:
    _native.init_database(str(clean_env / "database.db"))
    gate = Gate(clean_env, live.url)
    said = gate("verify", code=1, CONGRESS_API_KEY="").stdout
    assert "FAILED: Settings load, an API key is set: no key: set CONGRESS_API_KEY" in said


def test_a_run_with_nothing_new_upstream_ends_with_a_report(
    filled_db: Path, sandbox: Sandbox
) -> None:
    gate = Gate(filled_db.parent, sandbox.url)
    said = gate("run", *QUICK, "--latency-ms", "0", code=1)
    assert "Recommendation: iterate" in said.stdout
    judged = {entry["id"]: entry for entry in gate.metrics()["criteria"]}
    for number in ("P1", "P4", "P5", "R3", "F1", "F2", "F4"):
        assert judged[number]["outcome"] == "NOT MEASURED", judged[number]
    for number in ("P2", "P3", "R1", "R2", "R4", "F3", "F5"):
        assert judged[number]["outcome"] == "PASS", judged[number]


def test_a_few_changes_are_enough_for_the_failures(filled_db: Path, sandbox: Sandbox) -> None:
    sandbox.add(9)
    gate = Gate(filled_db.parent, sandbox.url)
    gate("failures", "--latency-ms", "0")
    cases = gate.result("failures")["data"]["cases"]
    assert gate.result("failures")["data"]["changes"] >= 9
    assert [name for name, case in cases.items() if case["passed"] is False] == []
    assert cases["killed_half_way"]["passed"] and cases["dies_half_way"]["passed"]


def test_what_the_environment_says_is_not_for_the_trials_runs(begun: Gate) -> None:
    (begun.folder / ".env").write_text(
        "enable_batch_processing=true\nBATCH_PROCESSING_SIZE=7\nLOG_LEVEL=ERROR\n"
        "NOTIFICATION_ENABLED=true\nNOTIFICATION_TYPE=webhook\n"
        "NOTIFICATION_WEBHOOK_URL=http://127.0.0.1:9/hook\n"
    )
    begun("batch", *QUICK, Batch_Salvage="true", DATABASE_PATH="elsewhere.db")
    found = begun.result("batch")["data"]
    assert found["runs"][0]["mode"] == "batch"
    assert found["baseline_runs"][0]["mode"] == "plain"
    assert "of up to 50 changes each" in begun.log("trial_gate_batch_first_run.log")
    # Real runs' logs are left to real runs.
    assert not list(begun.logs.glob("daily_update_*.log"))


# --- what would be wrong is noticed ------------------------------------------------------------


@pytest.fixture
def trial(filled_db: Path) -> Trial:
    """A trial of `filled_db`, with its answers, in this process."""
    trial = Trial(filled_db.parent / "logs")
    trial.begin({"source": "sandbox", "latency_ms": 0.0}, filled_db)
    prepare(trial, lambda _: None)
    return trial


def test_a_rollback_that_does_nothing_is_noticed(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failures.rollback(trial, WHOLE)["passed"]
    monkeypatch.setattr(DailyUpdater, "_rollback_checkpoint", lambda self, checkpoint: True)
    found = failures.rollback(trial, WHOLE)
    assert not found["passed"]
    assert found["exact"] == 0 and found["differences"]
    assert not failures.fails_after_commit(trial, WHOLE)["passed"]


def test_a_rollback_that_leaves_one_row_is_noticed(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    undo = DailyUpdater._rollback_checkpoint

    def nearly(self: DailyUpdater, checkpoint: Checkpoint) -> bool:
        done = undo(self, checkpoint)
        self.db.execute("UPDATE hearings SET location = 'left' WHERE hearing_id = 1")
        return done

    monkeypatch.setattr(DailyUpdater, "_rollback_checkpoint", nearly)
    found = failures.rollback(trial, WHOLE)
    assert not found["passed"]
    assert found["differences"][0]["table"] == "hearings"
    assert found["differences"][0]["columns"] == ["location"]


def test_a_batch_of_which_a_part_stays_is_noticed(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = DailyUpdater._process_batch

    def leaky(
        self: DailyUpdater, batch: list[Any], number: int, checkpoint: Checkpoint
    ) -> BatchResult:
        # As if a batch were no transaction: what came before the failure stays.
        for item in batch:
            result = process(self, [item], number, Checkpoint(number))
            if not result.success:
                return result
        return BatchResult(True, len(batch))

    assert failures.dies_half_way(trial, WHOLE)["passed"]
    monkeypatch.setattr(DailyUpdater, "_process_batch", leaky)
    monkeypatch.setattr(DailyUpdater, "_rollback_checkpoint", lambda self, checkpoint: True)
    found = failures.dies_half_way(trial, WHOLE)
    assert not found["passed"]
    assert "10 of its 20 records touched" in found["seen"]


def test_without_psutil_only_the_memory_step_fails(begun: Gate) -> None:
    hidden = begun.folder / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys, importlib.util\n"
        "sys.modules['psutil'] = None\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'psutil' else find(name)\n"
    )
    path = f"{hidden}:{os.environ.get('PYTHONPATH', '')}"
    done = begun("memory", code=1, PYTHONPATH=path)
    assert "psutil is not installed: pip install 'hearing-updater[trial]'" in done.stderr
    begun("status", PYTHONPATH=path)


def lose_a_witness(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("DELETE FROM witnesses WHERE witness_id = ?", [number])


def test_a_run_answers_for_new_damage_alone(filled_db: Path) -> None:
    lose_a_witness(filled_db, 1)
    trial = Trial(filled_db.parent / "logs")
    trial.begin({"source": "sandbox", "latency_ms": 0.0}, filled_db)
    prepare(trial, print)
    trial.keep("baseline", "", 0.0, speed.baseline(trial, 1, print))
    found = integrity.integrity(trial, print)
    assert found["passed"], found
    assert found["databases"]["baseline"]["known_before"] > 0
    lose_a_witness(trial.home / speed.AFTER_BASELINE, 2)
    found = integrity.integrity(trial, print)
    assert not found["passed"]
    assert found["databases"]["baseline"]["foreign_key_check"]


def test_too_much_memory_is_told() -> None:
    hungry = "import time; x = b'x' * 150_000_000; time.sleep(0.2)"
    done = subprocess.run(
        [sys.executable, str(memory.LAUNCHER), "100", sys.executable, "-c", hungry],
        capture_output=True,
        text=True,
        check=True,
    )
    *printed, found = done.stdout.splitlines()
    assert printed[-1] == "Requirement (< 100MB): ❌ FAIL"
    assert json.loads(found)["increase_mb"] > 100
    assert json.loads(found)["samples"]


def test_memory_is_measured_whatever_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = subprocess.run(
        [sys.executable, str(memory.LAUNCHER), "100", "true"],
        env=environment("http://127.0.0.1:1"),
        capture_output=True,
        check=True,
    )
    assert "✅ PASS" in done.stdout.decode()
