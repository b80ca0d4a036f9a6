"""`config.settings`, and `load_settings` over a checkout's own."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import Settings, SettingsError, get_settings
from updaters._native import Client
from updaters.errors import ConfigurationError, UpdaterError
from updaters.settings import load_settings, warn_demo_key

DEFAULTS = {
    "api_key": "DEMO_KEY",
    "api_base_url": "https://api.congress.gov/v3",
    "rate_limit": 5000,
    "connect_timeout": 5,
    "read_timeout": 15,
    "request_timeout": 30,
    "retry_attempts": 3,
    "retry_backoff_factor": 2.0,
    "circuit_breaker_enabled": True,
    "circuit_breaker_threshold": 5,
    "circuit_breaker_timeout": 60,
    "database_path": "database.db",
    "target_congress": 119,
    "batch_size": 50,
    "validation_mode": False,
    "enable_batch_processing": False,
    "batch_processing_size": 50,
    "enable_historical_validation": False,
    "historical_min_days": 17,
    "historical_z_threshold": 3.0,
    "update_window_days": 30,
    "update_schedule_hour": 2,
    "log_level": "INFO",
    "log_file": "logs/import.log",
    "notification_enabled": False,
    "notification_type": "log",
    "notification_webhook_url": None,
    "notification_email": None,
    "sendgrid_api_key": None,
    "max_concurrency": 16,
    "batch_salvage": False,
    "catch_up": True,
    "journal_retention_days": 90,
}


def test_defaults(clean_env: Path) -> None:
    settings = Settings()
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS


def test_the_flag_is_on_one_line_that_people_grep_for() -> None:
    path = Path(__file__).parent.parent / "python" / "config" / "settings.py"
    assert "enable_batch_processing: bool = Field(default=False, " in path.read_text()


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("CONGRESS_API_KEY", "api_key"),
        ("API_KEY", "api_key"),
        ("API_BASE_URL", "api_base_url"),
        ("CONGRESS_API_BASE_URL", "api_base_url"),
    ],
)
def test_both_names_of_a_setting_work(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, name: str, field: str
) -> None:
    monkeypatch.setenv(name, "http://localhost:1")
    assert getattr(Settings(), field) == "http://localhost:1"


def test_names_are_case_insensitive(clean_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("Batch_Processing_Size", "7")
    assert Settings().batch_processing_size == 7


def test_the_environment_beats_the_file_also_under_a_second_name(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clean_env / ".env").write_text("CONGRESS_API_KEY=from-file\nRATE_LIMIT=7\n")
    monkeypatch.setenv("API_KEY", "from-environment")
    settings = Settings()
    assert (settings.api_key, settings.rate_limit) == ("from-environment", 7)


def test_quotes_are_stripped(clean_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clean_env / ".env").write_text("DATABASE_PATH='my data.db'\n")
    monkeypatch.setenv("CONGRESS_API_KEY", '"quoted-key"')
    settings = Settings()
    assert (settings.api_key, settings.database_path) == ("quoted-key", "my data.db")


@pytest.mark.parametrize("value", ["", "  ", '""', "''"])
def test_an_empty_value_counts_as_unset(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (clean_env / ".env").write_text("BATCH_SIZE=12\n")
    for name in ("CONGRESS_API_KEY", "BATCH_SIZE", "ENABLE_BATCH_PROCESSING"):
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.api_key == "DEMO_KEY"
    assert settings.batch_size == 12
    assert settings.enable_batch_processing is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_PROCESSING_SIZE", "0"),
        ("BATCH_SIZE", "-1"),
        ("BATCH_PROCESSING_SIZE", "many"),
        ("RATE_LIMIT", "0"),
        ("MAX_CONCURRENCY", "0"),
        ("MAX_CONCURRENCY", "65"),
        ("TARGET_CONGRESS", "0"),
        ("TARGET_CONGRESS", "9999"),
        ("HISTORICAL_Z_THRESHOLD", "0"),
        ("HISTORICAL_Z_THRESHOLD", "nan"),
        ("HISTORICAL_Z_THRESHOLD", "inf"),
        ("READ_TIMEOUT", "0"),
        ("READ_TIMEOUT", "3601"),
        ("CIRCUIT_BREAKER_TIMEOUT", "3601"),
        ("RETRY_ATTEMPTS", "-1"),
        ("UPDATE_SCHEDULE_HOUR", "24"),
        ("JOURNAL_RETENTION_DAYS", "0"),
        ("ENABLE_BATCH_PROCESSING", "perhaps"),
        ("API_BASE_URL", "ftp://example.org"),
        ("API_BASE_URL", "http://"),
        ("API_BASE_URL", "http://host:port"),
        ("LOG_LEVEL", "LOUD"),
        ("NOTIFICATION_TYPE", "pigeon"),
    ],
)
def test_a_bad_value_is_one_line_naming_the_variable(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    for load in (Settings, load_settings):
        with pytest.raises(ValueError) as caught:
            load()
        assert name in str(caught.value)
        assert value in str(caught.value)
        assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)


def test_an_assignment_is_validated(clean_env: Path) -> None:
    settings = Settings()
    settings.enable_batch_processing = True
    assert settings.enable_batch_processing is True
    with pytest.raises(SettingsError, match="BATCH_PROCESSING_SIZE"):
        settings.batch_processing_size = 0
    assert settings.batch_processing_size == 50


def test_the_key_is_a_str_and_never_none(clean_env: Path) -> None:
    settings = Settings()
    assert settings.api_key[:4] == "DEMO"
    settings.api_key = None  # type: ignore[assignment]
    assert settings.api_key == "DEMO_KEY"


def test_no_secret_in_a_repr_or_an_error(clean_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONGRESS_API_KEY", "sesame-key")
    monkeypatch.setenv("SENDGRID_API_KEY", "sesame-grid")
    monkeypatch.setenv("NOTIFICATION_WEBHOOK_URL", "https://example.org/sesame")
    assert "sesame" not in repr(Settings()) + str(Settings())
    monkeypatch.setenv("CONGRESS_API_KEY", "sesame with blanks")
    monkeypatch.setenv("NOTIFICATION_WEBHOOK_URL", "sesame")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "CONGRESS_API_KEY" in str(caught.value)
    assert "NOTIFICATION_WEBHOOK_URL" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_the_demo_key_is_told_once_it_is_used(
    clean_env: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warn_demo_key(Settings(), logging.getLogger("updaters.api"))
    assert [record.getMessage() for record in caplog.records] == [
        "No API key is set (CONGRESS_API_KEY): using the public DEMO_KEY, "
        "which allows about 30 requests an hour"
    ]
    caplog.clear()
    warn_demo_key(Settings(api_key="mine"), logging.getLogger("updaters.api"))
    assert not caplog.records


def test_settings_are_shared_where_asked_for_and_fresh_otherwise(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_settings.cache_clear()
    from config.settings import settings

    assert settings is get_settings()
    assert load_settings() is not load_settings()
    get_settings.cache_clear()
    # The import itself never fails; what is wrong is told when the settings are asked for.
    monkeypatch.setenv("BATCH_SIZE", "0")
    code = "import config.settings as s; print('imported'); s.settings"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "imported\n"
    assert "BATCH_SIZE='0'" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_URL", "postgres://user:sesame@host/db"),
        ("DATABASE_URL", "postgresql://user:sesame@host/db"),
    ],
)
def test_a_server_database_is_refused(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name} is set: ") as caught:
        load_settings()
    assert "sesame" not in str(caught.value)


def test_a_password_in_a_bad_address_is_not_shown(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_BASE_URL", "ftp://me:sesame@example.org")
    with pytest.raises(ConfigurationError, match="API_BASE_URL") as caught:
        load_settings()
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://me:sesame@127.0.0.1:9/v3", "no user name or password"),
        ("http://me:ses/ame@127.0.0.1:9/v3", "a URL"),
        ("https://sesame@example.org/v3", "no user name or password"),
        ("https://example.org/v3?api_key=sesame", "CONGRESS_API_KEY"),
        ("https://example.org/v3#sesame", "no query"),
        ("https://1.2.3.4.5/v3", "a URL"),
        ("https://exa<mple.org/v3", "a URL"),
        ("http://example.org/v3", "in the clear"),
        ("http://192.168.1.1/v3", "in the clear"),
    ],
)
def test_an_address_that_the_client_would_refuse_is_refused_at_once(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    monkeypatch.setenv("API_BASE_URL", address)
    monkeypatch.setenv("CONGRESS_API_KEY", "a-key-of-mine")
    with pytest.raises(ConfigurationError, match=r"^API_BASE_URL or ") as caught:
        load_settings()
    assert says in str(caught.value)
    assert "ses" not in str(caught.value)
    assert "\n" not in str(caught.value)
    native = {
        "base_url": address,
        "api_key": "a-key-of-mine",
        "rate_limit": 1,
        "connect_timeout": 1.0,
        "read_timeout": 1.0,
        "request_timeout": 1.0,
        "retry_attempts": 1,
        "backoff_factor": 1.0,
        "breaker_threshold": None,
        "breaker_timeout": 1.0,
        "max_concurrency": 1,
    }
    with pytest.raises(UpdaterError, match="API_BASE_URL"):
        Client(native)


@pytest.mark.parametrize(
    "address",
    ["http://localhost:8/v3", "http://127.1:8", "http://[::1]:8/v3", "https://example.org"],
)
def test_an_address_that_a_key_may_go_to_is_taken(clean_env: Path, address: str) -> None:
    assert Settings(api_base_url=address, api_key="a-key-of-mine").api_base_url == address


def test_a_public_key_may_go_anywhere(clean_env: Path) -> None:
    assert Settings(api_base_url="http://example.org/v3").api_key == "DEMO_KEY"


def test_a_line_of_the_file_that_cannot_be_understood_is_told_once(
    clean_env: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (clean_env / ".env").write_text("BATCH_SIZE=12\nwhat is this\n")
    assert Settings().batch_size == 12
    assert len(caplog.records) == 1


def test_a_letter_for_a_number_is_told_in_plain_words(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATE_LIMIT", "many")
    with pytest.raises(ConfigurationError, match=r"^RATE_LIMIT='many': should be a whole number$"):
        load_settings()


def test_a_database_url_of_sqlite_is_not_refused(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///database.db")
    assert load_settings().database_path == "database.db"


def test_an_unreadable_env_file_is_named(clean_env: Path) -> None:
    (clean_env / ".env").write_bytes(b"CONGRESS_API_KEY=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"\.env cannot be read: it is not UTF-8"):
        load_settings()


def test_their_settings_are_not_hidden_by_a_package() -> None:
    root = Path(__file__).parent.parent / "python"
    assert not (root / "config" / "__init__.py").exists()
    assert not (root / "scripts" / "__init__.py").exists()


# A checkout's own `config/settings.py`: found first, as the current folder is on the path.

THEIRS = """
from typing import Optional
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

print("Loading settings ...")

class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env"{extra})
    api_key: {key}
    database_path: str = "theirs.db"
    batch_size: int = 25
    cron_secret: str = "their own"

settings = None
"""


def in_checkout(folder: Path, code: str, key: str = "Optional[str] = None", extra: str = "") -> str:
    """What `code` prints in a checkout with settings of its own."""
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "settings.py").write_text(
        THEIRS.replace("{key}", key).replace("{extra}", extra)
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOAD = "from updaters.settings import load_settings; s = load_settings(); "


def test_a_checkouts_settings_come_first_and_ours_complete_them(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONGRESS_API_KEY", "my-key")
    monkeypatch.setenv("MAX_CONCURRENCY", "4")
    code = (
        LOAD + "print(s.database_path, s.batch_size, s.cron_secret, s.api_key, s.max_concurrency)"
    )
    # Theirs ignores CONGRESS_API_KEY and prints on import; neither shows.
    assert in_checkout(clean_env, code) == "theirs.db 25 their own my-key 4\n"


def test_assignments_reach_a_checkouts_settings_validated(clean_env: Path) -> None:
    code = LOAD + (
        "s.batch_size = '9'; s.enable_batch_processing = True; s.cron_secret = 'x'\n"
        "print(s.batch_size, s.enable_batch_processing, s.cron_secret)\n"
        "try: s.batch_processing_size = 0\n"
        "except ValueError as exc: print(exc)"
    )
    assert in_checkout(clean_env, code).splitlines() == [
        "9 True x",
        "BATCH_PROCESSING_SIZE='0': should be greater than or equal to 1",
    ]


def test_a_checkout_that_requires_a_key_or_forbids_our_variables(clean_env: Path) -> None:
    (clean_env / ".env").write_text("CONGRESS_API_KEY=my-key\nMAX_CONCURRENCY=4\n")
    code = LOAD + "print(s.api_key, s.max_concurrency)"
    assert in_checkout(clean_env, code, key="str") == "my-key 4\n"


def test_a_bad_value_in_a_checkout_names_the_variable(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCH_SIZE", "many")
    code = "from updaters.settings import load_settings\ntry: load_settings()\n"
    code += "except Exception as exc: print(type(exc).__name__, exc)"
    assert in_checkout(clean_env, code).startswith("ConfigurationError BATCH_SIZE='many': ")


def test_a_folder_called_config_of_another_kind_does_no_harm(clean_env: Path) -> None:
    (clean_env / "config").mkdir()
    (clean_env / "config" / "settings.py").write_text("DEBUG = True\n")
    code = LOAD + "print(s.database_path)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "database.db\n"
