"""Whatever is wrong with settings or arguments: one line names it before anything is touched."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers_run import World, fails
from updaters.daily_updater import DailyUpdater, main
from updaters.errors import ConfigurationError


@pytest.fixture
def world(changed_world: World) -> World:
    return changed_world


@pytest.fixture
def refused(clean_env: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the module's command line here; it ends with exit 2 and one line, at once."""
    path = clean_env / "database.db"
    path.write_bytes(b"as it was")

    def run(*words: str) -> str:
        assert main(list(words)) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
        assert os.listdir(clean_env) == ["database.db"]
        assert path.read_bytes() == b"as it was"
        return err

    return run


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_PROCESSING_SIZE", "0"),
        ("BATCH_PROCESSING_SIZE", "many"),
        ("RATE_LIMIT", "0"),
        ("MAX_CONCURRENCY", "0"),
        ("RETRY_ATTEMPTS", "-1"),
        ("CONNECT_TIMEOUT", "x"),
        ("READ_TIMEOUT", "0"),
        ("CIRCUIT_BREAKER_THRESHOLD", "0"),
        ("TARGET_CONGRESS", "0"),
        ("ENABLE_BATCH_PROCESSING", "perhaps"),
        ("LOG_LEVEL", "LOUD"),
        ("JOURNAL_RETENTION_DAYS", "-1"),
        ("API_BASE_URL", "not an address"),
        ("NOTIFICATION_TYPE", "pigeon"),
        ("POSTGRES_URL", "postgres://nobody@localhost/x"),
        ("DATABASE_URL", "postgres://nobody@localhost/x"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert name in refused()


def test_a_bad_setting_of_a_process(world: World) -> None:
    fails(world, says="BATCH_PROCESSING_SIZE", code=2, BATCH_PROCESSING_SIZE="0")
    assert world.sandbox.request_count == 0
    assert not (world.folder / "logs").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--congress", "0"], "congress"),
        (["--congress", "9999"], "congress"),
        (["--congress", "x"], "--congress"),
        (["--lookback-days", "-1"], "lookback"),
        (["--lookback-days", "1000000"], "lookback"),
        (["--mode", "odd"], "odd"),
        (["--components", "odd"], "odd"),
        (["--event", "../../etc"], "--event"),
        (["--event", ""], "--event"),
        (["--wait", "-1"], "--wait"),
        (["--wait", "nan"], "--wait"),
        (["--db", ""], "--db"),
        (["--nonsense"], "--nonsense"),
        (["word"], "word"),
    ],
)
def test_a_bad_argument_is_one_line_that_names_it(
    refused: Callable[..., str], words: list[str], named: str
) -> None:
    assert named in refused(*words)


@pytest.mark.parametrize(
    "arguments",
    [
        {"congress": 0},
        {"congress": 9999},
        {"congress": "119"},
        {"congress": True},
        {"lookback_days": -1},
        {"lookback_days": 2.5},
        {"update_mode": "odd"},
        {"components": ["odd"]},
        {"components": "hearings"},
    ],
)
def test_bad_arguments_of_an_updater(clean_env: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        DailyUpdater(**arguments)
    assert next(iter(arguments)).split("_")[0].rstrip("s") in str(raised.value)
    assert os.listdir(clean_env) == []


def test_a_database_on_a_server_is_refused_at_once(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_URL", "postgres://me:secret@localhost/hearings")
    with pytest.raises(ConfigurationError) as raised:
        DailyUpdater()
    assert "secret" not in str(raised.value)
