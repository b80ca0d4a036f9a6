"""The command line around a made-up updater: flags, streams, exit codes."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from updaters import cli
from updaters.cli import update
from updaters.cli.common import Parser, Terminated, print_table
from updaters.errors import ConfigurationError, UpdaterError
from updaters.values import UpdateMetrics

COMMANDS = ("update", "init", "rollback", "restore", "history", "deferred", "sandbox")


class FakeUpdater:
    """Takes what the command line gives it, and answers what the test wants."""

    made: list["FakeUpdater"]
    answer: Callable[["FakeUpdater"], dict[str, Any]]

    def __init__(self, **arguments: Any) -> None:
        from updaters.settings import load_settings

        self.arguments = arguments
        self.settings = load_settings()
        self.metrics = UpdateMetrics()
        self.trigger_source = "manual"
        self.db = SimpleNamespace(close=lambda: None)
        type(self).made.append(self)

    def run_daily_update(self, **arguments: Any) -> dict[str, Any]:
        self.run_arguments = arguments
        return type(self).answer(self)


def succeed(updater: FakeUpdater) -> dict[str, Any]:
    updater.metrics.end_time = updater.metrics.start_time
    return {"success": True, "dry_run": False, "metrics": updater.metrics.to_dict()}


@pytest.fixture
def fake(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, root_logging: object
) -> type[FakeUpdater]:
    fake = type("Fake", (FakeUpdater,), {"made": [], "answer": staticmethod(succeed)})
    module = ModuleType("updaters.daily_updater")
    module.DailyUpdater = fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "updaters.daily_updater", module)
    monkeypatch.setattr(update, "_drain_native_logs", lambda: None)
    return fake


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_shows_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--help"]) == 0
    assert f"example:\n  hearing-updater {command}" in capsys.readouterr().out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"    {command}" in shown for command in COMMANDS)


@pytest.mark.parametrize(
    ("run", "arguments"),
    [
        (cli.main, ["--version"]),
        (cli.main, ["update", "--version"]),
        (update.main, ["--version"]),
    ],
)
def test_version(
    run: Callable[[list[str]], int], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 0
    assert capsys.readouterr().out.startswith("hearing-updater 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["update", "--congress", "x"],
        ["update", "--lookback", "3"],
        ["history"],
        ["rollback"],
        ["rollback", "--run", "1", "--list"],
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    arguments: list[str], clean_env: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert not os.listdir(clean_env)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["update", "--odd"], "hearing-updater update"),
        (["history", "1", "2"], "hearing-updater history"),
        (["--odd", "update"], "hearing-updater"),
    ],
)
def test_an_unknown_argument_names_the_help_to_read(
    arguments: list[str], named: str, clean_env: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"{named}: unrecognized arguments: ")
    assert told.endswith(f" (see {named} --help)\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["update", "--wait", "-1"], "--wait"),
        (["update", "--wait", "nan"], "--wait"),
        (["update", "--event", "no/id"], "--event"),
        (["update", "--db", ""], "--db"),
        (["update", "--components", ""], "--components"),
        (["update", "--components", ", ,"], "--components"),
        (["rollback", "--batch", "1", "--release", "5"], "--batch"),
        (["sandbox", "--port", "99999"], "--port"),
        (["sandbox", "--db", "x.db", "--seed", "1"], "--db"),
    ],
)
def test_a_bad_value_is_one_line_naming_the_flag(
    fake: type[FakeUpdater],
    clean_env: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    named: str,
) -> None:
    sandbox = ModuleType("updaters.sandbox")
    sandbox.serve = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "updaters.sandbox", sandbox)
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert f": {named}" in captured.err
    assert not os.listdir(clean_env)


def test_a_bad_setting_is_one_line_naming_the_variable_before_anything_is_made(
    fake: type[FakeUpdater],
    clean_env: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BATCH_PROCESSING_SIZE", "0")
    assert update.main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("daily_updater: BATCH_PROCESSING_SIZE='0': ")
    assert captured.err.count("\n") == 1
    assert not os.listdir(clean_env)


def test_defaults_of_an_update(fake: type[FakeUpdater], monkeypatch: pytest.MonkeyPatch) -> None:
    assert update.main([]) == 0
    assert fake.made[0].arguments == {
        "congress": 119,
        "lookback_days": 7,
        "update_mode": "incremental",
        "components": None,
    }
    assert fake.made[0].run_arguments == {"dry_run": False, "progress_callback": None}
    monkeypatch.setenv("TARGET_CONGRESS", "118")
    monkeypatch.setenv("TRIGGER_SOURCE", "vercel_cron")
    assert update.main([]) == 0
    assert fake.made[1].arguments["congress"] == 118
    assert fake.made[1].trigger_source == "vercel_cron"


def test_every_flag_of_an_update_arrives(fake: type[FakeUpdater]) -> None:
    flags = (
        "update --congress 118 --lookback-days 30 --dry-run --mode full --components "
        "hearings,witnesses bills --event 1 --event 2 --db other.db --wait 1.5 --no-progress"
    )
    assert cli.main(flags.split()) == 0
    made: Any = fake.made[0]
    assert made.arguments == {
        "congress": 118,
        "lookback_days": 30,
        "update_mode": "full",
        "components": ["hearings", "witnesses", "bills"],
    }
    assert made.run_arguments["dry_run"] is True
    assert made.event_ids == ["1", "2"]
    assert made.settings.database_path == "other.db"
    assert made.lock_wait_seconds == 1.5
    assert made.trigger_source == "manual"


def test_stdout_gets_the_metrics_alone_and_the_last_line_tells_success(
    fake: type[FakeUpdater], clean_env: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert update.main([]) == 0
    captured = capsys.readouterr()
    metrics = json.loads(captured.out)
    assert captured.out == json.dumps(metrics, indent=2) + "\n"
    assert list(metrics)[:2] == ["start_time", "end_time"]
    lines = captured.err.splitlines()
    assert lines[-1].endswith(
        " - updaters.daily_updater - INFO - Daily update completed successfully in 0.00 seconds"
    )
    assert "updaters.daily_updater - INFO - Peak memory: " in lines[-2]
    [log] = (clean_env / "logs").glob("daily_update_*.log")
    assert log.read_text() == captured.err


def test_a_failed_update_prints_its_metrics_too_and_exits_1(
    fake: type[FakeUpdater], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(updater: FakeUpdater) -> dict[str, Any]:
        updater.metrics.errors += [f"error {n}" for n in range(13)]
        return {"success": False, "error": "the API is away", "metrics": updater.metrics.to_dict()}

    fake.answer = staticmethod(fail)
    assert update.main([]) == 1
    captured = capsys.readouterr()
    metrics = json.loads(captured.out)
    assert metrics["error_count"] == 13
    assert metrics["errors"] == [f"error {n}" for n in range(10)] + ["... and 3 more"]
    assert "ERROR - Daily update failed: the API is away" in captured.err
    assert "completed successfully" not in captured.err


def test_a_printed_list_of_ten_is_whole() -> None:
    assert update.shortened({"a": [list(range(11))], "b": list(range(10))}) == {
        "a": [[*range(10), "... and 1 more"]],
        "b": list(range(10)),
    }


@pytest.mark.parametrize(("interrupt", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_an_interrupted_update_prints_its_metrics_and_its_exit_code_tells_by_what(
    fake: type[FakeUpdater],
    capsys: pytest.CaptureFixture[str],
    interrupt: type[BaseException],
    code: int,
) -> None:
    def stop(updater: FakeUpdater) -> dict[str, Any]:
        raise interrupt

    fake.answer = staticmethod(stop)
    assert update.main([]) == code
    captured = capsys.readouterr()
    assert json.loads(captured.out)["hearings_checked"] == 0
    assert "Traceback" not in captured.err


def test_sigterm_winds_a_run_down_once(
    fake: type[FakeUpdater], capsys: pytest.CaptureFixture[str]
) -> None:
    wound_down = []

    def stop(updater: FakeUpdater) -> dict[str, Any]:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            wound_down.append(True)
        return {}

    before = signal.getsignal(signal.SIGTERM)
    fake.answer = staticmethod(stop)
    assert update.main([]) == 143
    assert wound_down == [True]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("mode 'odd':\nunknown"), 2),
        (UpdaterError("the disk is\nfull"), 1),
        (OSError(28, "No space left on device"), 1),
    ],
)
def test_an_exception_is_one_line(
    fake: type[FakeUpdater], capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def fail(updater: FakeUpdater) -> dict[str, Any]:
        raise error

    fake.answer = staticmethod(fail)
    assert cli.main(["update"]) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_control_characters_are_told_escaped(
    clean_env: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["deferred", "--db", "a\nb\x1b[31m.db"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(r"hearing-updater deferred: a\nb\x1b[31m.db is not there: ")
    assert told.count("\n") == 1
    assert cli.main(["deferred", "odd\nargument"]) == 2
    assert r"odd\nargument" in capsys.readouterr().err
    assert cli.main(["init", "--db", "a\nb.db"]) == 0
    assert capsys.readouterr().out.startswith(r"Made a\nb.db, ")
    print_table([{"name": "a\x1b[31mb"}], ("name",))
    assert r"a\x1b[31mb" in capsys.readouterr().out


def test_a_database_of_something_else_is_told_with_what_to_do(
    clean_env: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect("other.db")) as db, db:
        db.execute("CREATE TABLE things (name TEXT)")
    assert cli.main(["deferred", "--db", "other.db"]) == 1
    told = capsys.readouterr().err
    assert "no table hearings" in told
    assert "give --db FILE, or make a new one with hearing-updater init" in told


@pytest.mark.parametrize("own", [False, True])
def test_a_bad_line_of_the_env_file_is_told_once(clean_env: Path, own: bool) -> None:
    (clean_env / ".env").write_text("what is this\n")
    if own:
        (clean_env / "config").mkdir()
        (clean_env / "config" / "settings.py").write_text(
            "from pydantic_settings import BaseSettings, SettingsConfigDict\n"
            "class Settings(BaseSettings):\n"
            "    model_config = SettingsConfigDict(env_file='.env', extra='ignore')\n"
            "settings = Settings()\n"
        )
    done = subprocess.run(
        [sys.executable, "-m", "updaters.cli", "deferred"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.count("could not parse") == 1


def test_quiet_leaves_warnings_on_stderr(
    fake: type[FakeUpdater], capsys: pytest.CaptureFixture[str]
) -> None:
    assert update.main(["--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)


def test_the_current_folder_comes_first_on_the_path(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from updaters.cli.common import current_folder_first

    monkeypatch.setattr(sys, "path", ["/elsewhere"])
    current_folder_first()
    assert sys.path == [str(clean_env), "/elsewhere"]
    current_folder_first()
    assert sys.path == [str(clean_env), "/elsewhere"]


def test_a_reader_that_goes_away_is_no_failure(clean_env: Path) -> None:
    code = (
        "import sys\n"
        "from updaters.cli.common import guarded\n"
        "def run():\n"
        "    for n in range(100_000): print('line', n)\n"
        "    return 0\n"
        "sys.exit(guarded(run))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "line 0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_rich_is_not_imported_without_a_terminal(clean_env: Path) -> None:
    code = (
        "import sys\n"
        "from updaters.cli import build_parser\n"
        "from updaters.cli.progress import Progress\n"
        "with Progress(enabled=False) as progress: assert progress.callback is None\n"
        "print(any(name.split('.')[0] == 'rich' for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_parser_is_ours_for_subcommands_too() -> None:
    assert isinstance(cli.build_parser(), Parser)
