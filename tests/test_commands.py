"""The commands for real: a database in a folder, the sandbox as the API, processes of their own."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from updaters.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
MEETINGS = 30


class Checkout:
    """A folder to run commands in, and the API they talk to."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "NO_PROXY": "127.0.0.1",
            "API_BASE_URL": sandbox.url,
            "CONGRESS_API_KEY": "a-key-to-keep-secret",
            "ENABLE_BATCH_PROCESSING": "true",
            "BATCH_PROCESSING_SIZE": "10",
        }

    def run(self, *words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `hearing-updater`."""
        return self.python("-m", "updaters.cli", *words, code=code, **variables)

    def update(self, *words: str, code: int = 0, **variables: str) -> dict[str, object]:
        """Run an update; returns the metrics it prints."""
        words = ("-m", "updaters.daily_updater", "--lookback-days", "60", *words)
        metrics: dict[str, object] = json.loads(self.python(*words, code=code, **variables).stdout)
        return metrics

    def python(
        self, *words: str, code: int = 0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "a-key-to-keep-secret" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def dump(self) -> list[str]:
        """Everything that is in the database but for the updater's own tables and log."""
        with closing(sqlite3.connect(self.folder / "database.db")) as db:
            return [
                line
                for line in db.iterdump()
                if not re.search(r"INSERT INTO \"(updater_|update_logs|sqlite_sequence)", line)
            ]

    def count(self, table: str) -> int:
        with closing(sqlite3.connect(self.folder / "database.db")) as db:
            return int(db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


@pytest.fixture
def checkout(clean_env: Path) -> Iterator[Checkout]:
    with Sandbox(meetings=MEETINGS, seed=3) as sandbox:
        yield Checkout(clean_env, sandbox)


def test_init_makes_a_database_and_logs_and_refuses_to_do_so_twice(checkout: Checkout) -> None:
    assert "Made database.db" in checkout.run("init").stdout
    assert (checkout.folder / "logs").is_dir()
    assert checkout.count("hearings") == 0
    before = (checkout.folder / "database.db").read_bytes()
    assert checkout.run("init", code=1).stderr == (
        "hearing-updater init: database.db: exists already: nothing was done; "
        "name another with --db FILE\n"
    )
    assert (checkout.folder / "database.db").read_bytes() == before


def test_init_fills_a_file_of_no_bytes(checkout: Checkout) -> None:
    (checkout.folder / "other.db").touch()
    checkout.run("init", "--db", "other.db")
    assert (checkout.folder / "other.db").stat().st_size > 0


@pytest.mark.parametrize(
    "words",
    [
        ["history", "1"],
        ["deferred"],
        ["rollback", "--list"],
        ["rollback", "--run", "1"],
        ["update"],
    ],
)
def test_without_a_database_it_says_so_and_makes_none(checkout: Checkout, words: list[str]) -> None:
    done = checkout.run(*words, code=1)
    assert "database.db" in done.stderr
    assert "hearing-updater init" in done.stderr
    assert not [path for path in os.listdir(checkout.folder) if path != "logs"]


def test_an_update_then_nothing_to_do(checkout: Checkout) -> None:
    checkout.run("init")
    first = checkout.update()
    assert first["hearings_added"] == checkout.count("hearings") == MEETINGS
    assert first["batch_processing"] == {
        "enabled": True,
        "batch_count": 3,
        "batches_succeeded": 3,
        "batches_failed": 0,
        "batch_errors": [],
    }
    before = checkout.dump()
    second = checkout.update()
    assert (second["hearings_added"], second["hearings_updated"]) == (0, 0)
    assert second["hearings_checked"] == MEETINGS
    assert checkout.dump() == before


def test_the_lines_that_people_grep_for(checkout: Checkout) -> None:
    checkout.run("init")
    done = checkout.python("-m", "updaters.daily_updater", "--lookback-days", "60")
    messages = [line.split(" - ", 3)[3] for line in done.stderr.splitlines()]
    start = messages.index("✓ Batch processing ENABLED - using Phase 2.3.1 batch processing")
    told = [line for line in messages[start:] if "atch" in line or line.startswith("  ")]
    assert told[:5] == [
        "✓ Batch processing ENABLED - using Phase 2.3.1 batch processing",
        "Divided into 3 batches of up to 10 changes each",
        "✓ Batch 1/3 succeeded: 10 records",
        "✓ Batch 2/3 succeeded: 10 records",
        "✓ Batch 3/3 succeeded: 10 records",
    ]
    summary = messages.index("Batch Processing Summary:")
    assert messages[summary + 1 : summary + 6] == [
        "  Total batches: 3",
        "  Succeeded: 3",
        "  Failed: 0",
        "  Hearings updated: 0",
        f"  Hearings added: {MEETINGS}",
    ]
    assert re.fullmatch(r"Peak memory: \d+\.\d MB", messages[-2])
    assert re.fullmatch(r"Daily update completed successfully in \d+\.\d\d seconds", messages[-1])
    # With no failure there is nothing to find for those who grep for it.
    assert not re.search("error", done.stderr, re.I)
    [log] = (checkout.folder / "logs").glob("daily_update_*.log")
    assert log.read_text() == done.stderr


def test_a_dry_run_counts_and_writes_nothing(checkout: Checkout) -> None:
    checkout.run("init")
    before = checkout.dump()
    metrics = checkout.update("--dry-run")
    assert metrics["hearings_added"] == MEETINGS
    assert checkout.dump() == before
    assert checkout.count("update_logs") == 0
    assert not (checkout.folder / "backups").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--congress", "0"], "congress"),
        (["--congress", "9999"], "congress"),
        (["--lookback-days", "-1"], "lookback"),
        (["--mode", "odd"], "mode"),
        (["--components", "odd"], "component"),
        (["--components", "hearings,odd"], "component"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    checkout: Checkout, words: list[str], named: str
) -> None:
    done = checkout.run("update", *words, code=2)
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not os.listdir(checkout.folder)


def test_one_event_alone(checkout: Checkout) -> None:
    checkout.run("init")
    wanted = checkout.sandbox.event_ids()[4]
    checkout.update("--event", wanted)
    with closing(sqlite3.connect(checkout.folder / "database.db")) as db:
        assert db.execute("SELECT event_id FROM hearings").fetchall() == [(wanted,)]


def test_an_api_that_is_away_fails_the_run(checkout: Checkout) -> None:
    checkout.run("init")
    before = checkout.dump()
    checkout.sandbox.stop()
    done = checkout.run("update", code=1, RETRY_ATTEMPTS="0")
    assert json.loads(done.stdout)["error_count"] == 1
    assert "Daily update failed: " in done.stderr
    assert checkout.dump() == before


def test_history_and_rollback_of_the_second_run(checkout: Checkout) -> None:
    checkout.run("init")
    checkout.update()
    before = checkout.dump()
    changed = checkout.sandbox.change(5)
    assert checkout.update()["hearings_updated"] == 5
    told = json.loads(checkout.run("history", changed[0], "--json").stdout)
    assert {change["run"] for change in told} == {1, 2}
    assert changed[0] in checkout.run("history", changed[0]).stdout

    runs = json.loads(checkout.run("rollback", "--list", "--json").stdout)["runs"]
    assert [run["run"] for run in runs] == [2, 1]
    shown = checkout.run("rollback", "--run", "2").stdout
    assert shown.startswith("Run 2 was undone: ")
    assert checkout.dump() == before
    # Undone on purpose: held until it is released.
    held = json.loads(checkout.run("rollback", "--list", "--json").stdout)["held"]
    assert sorted(event["event_id"] for event in held) == sorted(changed)
    assert checkout.update()["hearings_updated"] == 0
    checkout.run("rollback", "--release", changed[0])
    assert checkout.update()["hearings_updated"] == 1
    assert "is not held" in checkout.run("rollback", "--release", changed[0], code=1).stderr


def test_a_rollback_in_conflict_names_the_rows_and_undoes_nothing(checkout: Checkout) -> None:
    checkout.run("init")
    checkout.update()
    before = checkout.dump()
    with closing(sqlite3.connect(checkout.folder / "database.db")) as db, db:
        db.execute("UPDATE hearings SET title = 'by hand' WHERE rowid = 1")
    during = checkout.dump()
    assert during != before
    done = checkout.run("rollback", "--run", "1", code=1)
    assert "was not undone" in done.stderr
    assert "--force" in done.stderr
    assert checkout.dump() == during
    checkout.run("rollback", "--run", "1", "--force")
    assert checkout.count("hearings") == 1


def test_history_of_an_unknown_event(checkout: Checkout) -> None:
    checkout.run("init")
    assert "no hearing with event id nobody" in checkout.run("history", "nobody", code=1).stderr


def test_a_database_of_something_else_is_told_apart(checkout: Checkout) -> None:
    other = checkout.folder / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE songs (title TEXT)")
        db.commit()
    for words in (["history", "1"], ["deferred"], ["rollback", "--list"]):
        done = checkout.run(*words, "--db", str(other), code=1)
        assert "not a hearings database" in done.stderr, done.stderr


def test_an_event_that_cannot_be_had_fails_a_run_for_it_alone(
    checkout: Checkout,
) -> None:
    checkout.run("init")
    done = checkout.run("update", "--event", "99", code=1)
    assert "none of the events asked for could be had: 99" in done.stderr


def test_what_is_deferred_is_listed_with_its_reason(checkout: Checkout) -> None:
    checkout.run("init")
    assert checkout.run("deferred").stdout == "Nothing is deferred\n"
    broken = checkout.sandbox.event_ids()[0]
    checkout.sandbox.fail_next("500", times=50, path=broken)
    metrics = checkout.update(RETRY_ATTEMPTS="0")
    assert metrics["hearings_added"] == MEETINGS - 1
    [waiting] = json.loads(checkout.run("deferred", "--json").stdout)
    assert waiting["event_id"] == broken
    assert "500" in waiting["reason"]
    assert broken in checkout.run("deferred").stdout


def test_restore_puts_the_newest_backup_back(checkout: Checkout) -> None:
    checkout.run("init")
    checkout.update()
    before = checkout.dump()
    checkout.sandbox.change(3)
    checkout.update()
    assert checkout.dump() != before
    (checkout.folder / "database.db").write_bytes(b"not a database at all" * 100)
    shown = checkout.run("restore").stdout
    backup = r"\S*backups/database_backup_\d{8}_\d{6}\S*\.db"
    assert re.fullmatch(rf"Restored database\.db from {backup}: {MEETINGS} hearings\n", shown)
    assert checkout.dump() == before


def test_verify_updates(checkout: Checkout) -> None:
    checkout.run("init")
    checkout.update()
    shown = checkout.python("-m", "scripts.verify_updates").stdout
    assert "FAILED" not in shown
    assert f"hearings {MEETINGS}" in shown
    with closing(sqlite3.connect(checkout.folder / "database.db")) as db, db:
        db.execute("DELETE FROM hearings WHERE rowid = (SELECT hearing_id FROM hearing_committees)")
    assert "FAILED foreign keys" in checkout.python("-m", "scripts.verify_updates", code=1).stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_run(checkout: Checkout, number: signal.Signals, code: int) -> None:
    checkout.run("init")
    checkout.sandbox.latency_ms = 400
    with subprocess.Popen(
        [sys.executable, "-m", "updaters.daily_updater", "--lookback-days", "60"],
        cwd=checkout.folder,
        env={**checkout.environment, "MAX_CONCURRENCY": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        # Until it asks for details: then it is mid-way for sure.
        while checkout.sandbox.request_count < 4 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert json.loads(out)["hearings_added"] == 0
    assert "Traceback" not in err
    with closing(sqlite3.connect(checkout.folder / "database.db")) as db:
        assert db.execute("SELECT success FROM update_logs").fetchall() == [(0,)]
    assert checkout.count("hearings") == 0


def test_the_sandbox_serves_until_it_is_told_to_stop(checkout: Checkout) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "updaters.cli", "sandbox", "--meetings", "5"],
        cwd=checkout.folder,
        env=checkout.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/v3", process.stdout.readline())
        assert found
        checkout.run("init")
        assert checkout.update(API_BASE_URL=found[0])["hearings_added"] == 5
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0


@pytest.mark.parametrize("words", [["--fault", "odd=0.1"], ["--fault", "500=7"]])
def test_an_unknown_fault_is_one_line(checkout: Checkout, words: list[str]) -> None:
    done = checkout.run("sandbox", *words, code=2)
    assert done.stderr.count("\n") == 1
    assert words[1].split("=")[0] in done.stderr


def test_the_readmes_python_runs(checkout: Checkout) -> None:
    checkout.run("init")
    codes = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(codes) >= 2
    for code in codes:
        # A number is the last that each prints.
        assert checkout.python("-c", code).stdout.strip().isdigit(), code


def test_a_checkouts_config_is_used(checkout: Checkout) -> None:
    (checkout.folder / "config").mkdir()
    (checkout.folder / "config" / "settings.py").write_text(
        "from pydantic_settings import BaseSettings\n"
        "print('loading')\n"
        "class Settings(BaseSettings):\n"
        "    database_path: str = 'theirs.db'\n"
    )
    script = Path(sys.executable).with_name("hearing-updater")
    done = subprocess.run(
        [script, "init"],
        cwd=checkout.folder,
        env=checkout.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Made theirs.db")
    assert (checkout.folder / "theirs.db").exists()
