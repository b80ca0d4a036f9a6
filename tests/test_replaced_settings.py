"""`updater.settings` replaced whole, by whatever object has some of them; and settings copied."""

import copy
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, patch

import pytest

from config.settings import Settings
from conftest import MakeUpdater, query
from test_settings import in_checkout
from updaters.daily_updater import DailyUpdater
from updaters.errors import ConfigurationError
from updaters.sandbox import Sandbox


def bare(path: Path, sandbox: Sandbox, **more: Any) -> SimpleNamespace:
    """No more than a run needs to be told here."""
    return SimpleNamespace(
        **{"database_path": str(path), "api_base_url": sandbox.url, "api_key": "test-key", **more}
    )


def test_a_bare_object_is_completed(
    filled_db: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCH_PROCESSING_SIZE", "2")
    updater = DailyUpdater(lookback_days=60)
    given = bare(filled_db, sandbox)
    updater.settings = given
    updater.settings.enable_batch_processing = True
    sandbox.change(3)
    metrics = updater.run_daily_update()["metrics"]
    assert metrics["hearings_updated"] == 3
    assert metrics["batch_processing"]["batch_count"] == 2
    # It got what was assigned; what is set on it counts.
    assert given.enable_batch_processing is True
    given.enable_batch_processing = False
    assert updater.settings.enable_batch_processing is False
    updater.db.close()


def test_the_key_comes_from_the_environment_where_the_object_has_none(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONGRESS_API_KEY", "my-key")
    updater = DailyUpdater()
    for empty in (None, ""):
        updater.settings = SimpleNamespace(api_key=empty)
        assert updater.settings.api_key == "my-key"


def test_complete_settings_are_kept_as_they_are(clean_env: Path) -> None:
    updater, settings = DailyUpdater(), Settings(batch_size=9)
    updater.settings = settings
    assert updater.settings is settings
    updater.settings = SimpleNamespace()
    completed = updater.settings
    updater.settings = completed
    assert updater.settings is completed


def test_a_patch_is_taken_back(clean_env: Path) -> None:
    updater = DailyUpdater()
    before = updater.settings
    with patch.object(updater, "settings", SimpleNamespace(batch_size=9)):
        assert updater.settings.batch_size == 9
    assert updater.settings is before


@pytest.mark.parametrize("nothing", [None, {"batch_size": 9}])
def test_what_has_no_attributes_is_refused(clean_env: Path, nothing: Any) -> None:
    with pytest.raises(ConfigurationError, match="settings must be an object"):
        DailyUpdater().settings = nothing


def test_a_checkouts_own_class_is_completed(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONGRESS_API_KEY", "my-key")
    monkeypatch.setenv("MAX_CONCURRENCY", "4")
    code = (
        "from config.settings import Settings\nfrom updaters.daily_updater import DailyUpdater\n"
        "u = DailyUpdater()\n"
        "for s in (Settings(), Settings().model_copy(update={'batch_size': 7})):\n"
        "    u.settings = s\n"
        "    u.settings.database_path = 'set.db'\n"
        "    u.settings.batch_processing_size = 3\n"
        "    print(s.database_path, s.batch_size, u.settings.api_key, u.settings.max_concurrency,\n"
        "          u.settings.batch_processing_size, u.settings.cron_secret)\n"
    )
    # It says so when it is imported; that is the import of this code itself.
    assert in_checkout(clean_env, code).splitlines()[1:] == [
        "set.db 25 my-key 4 3 their own",
        "set.db 7 my-key 4 3 their own",
    ]


MISTAKES = [
    ("batch_processing_size", 0),
    ("batch_processing_size", MagicMock()),
    ("journal_retention_days", None),
    ("max_concurrency", 1000),
    ("read_timeout", float("nan")),
    ("enable_batch_processing", "perhaps"),
]


@pytest.mark.parametrize(("name", "value"), MISTAKES)
@pytest.mark.parametrize("kind", ["bare", "ours"])
def test_a_bad_value_fails_the_run_before_anything_is_touched(
    make_updater: MakeUpdater, legacy_db: Path, sandbox: Sandbox, kind: str, name: str, value: Any
) -> None:
    updater = make_updater(legacy_db)
    if kind == "bare":
        updater.settings = bare(legacy_db, sandbox, **{name: value})
    else:
        # Values that come in by a copy are not validated by pydantic.
        updater.settings = updater.settings.model_copy(update={name: value})
    refused(updater, legacy_db, sandbox, name.upper())


def refused(updater: Any, path: Path, sandbox: Sandbox, line: str) -> None:
    """The run fails with this in its line, and neither file nor API was touched."""
    before = path.read_bytes()
    beside = sorted(entry.name for entry in path.parent.iterdir())
    result = updater.run_daily_update()
    assert result["success"] is False
    assert line in result["error"]
    assert "\n" not in result["error"]
    assert result["metrics"]["errors"] == [result["error"]]
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in path.parent.iterdir()) == beside
    assert sandbox.requests == []


def test_a_number_as_text_is_a_number_when_it_is_used_or_refused(
    make_updater: MakeUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    updater = make_updater(filled_db)
    updater.settings = updater.settings.model_copy(update={"batch_processing_size": "50"})
    refused(updater, filled_db, sandbox, "BATCH_PROCESSING_SIZE='50': should be a whole number")
    updater.settings = bare(
        filled_db, sandbox, batch_processing_size="2", enable_batch_processing=True
    )
    assert updater.settings.batch_processing_size == 2
    sandbox.change(3)
    metrics = updater.run_daily_update()["metrics"]
    assert metrics["batch_processing"]["batch_count"] == 2


def test_a_stand_in_for_everything_is_one_short_line(
    make_updater: MakeUpdater, legacy_db: Path, sandbox: Sandbox
) -> None:
    updater = make_updater(legacy_db)
    updater.settings = MagicMock()
    before = legacy_db.read_bytes()
    result = updater.run_daily_update()
    assert result["success"] is False
    assert "CONGRESS_API_KEY" in result["error"]
    assert len(result["error"]) < 500
    assert legacy_db.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("congress", "119", "congress must be a whole number"),
        ("congress", 0, "congress must be from 1 to 200"),
        ("lookback_days", -1, "lookback_days must be from 0"),
        ("update_mode", "weekly", "unknown update mode 'weekly'"),
        ("enabled_components", ["hearing"], "unknown component 'hearing'"),
        ("enabled_components", "bills", "components must be a list of names"),
    ],
)
def test_an_argument_set_later_is_held_to_the_same_rules(
    make_updater: MakeUpdater, legacy_db: Path, sandbox: Sandbox, name: str, value: Any, line: str
) -> None:
    updater = make_updater(legacy_db)
    setattr(updater, name, value)
    refused(updater, legacy_db, sandbox, line)


def test_a_path_object_is_a_path(filled_db: Path, sandbox: Sandbox) -> None:
    updater = DailyUpdater()
    updater.settings = SimpleNamespace(database_path=filled_db, api_base_url=sandbox.url)
    assert updater.run_daily_update(dry_run=True)["success"]
    assert updater.settings.database_path == str(filled_db)
    updater.settings = Settings(database_path=filled_db)
    assert updater.settings.database_path == str(filled_db)


def test_completed_settings_can_be_copied_and_pickled(clean_env: Path) -> None:
    updater = DailyUpdater()
    given = SimpleNamespace(batch_size=9, own=["list"])
    updater.settings = given
    updater.settings.catch_up = False
    for copied in (
        copy.copy(updater.settings),
        copy.deepcopy(updater.settings),
        pickle.loads(pickle.dumps(updater.settings)),
    ):
        assert (copied.batch_size, copied.catch_up, copied.own) == (9, False, ["list"])
        copied.batch_size = 8
        copied.max_concurrency = 2
        assert (copied.batch_size, copied.max_concurrency) == (8, 2)
    assert (given.batch_size, updater.settings.max_concurrency) == (9, 16)


@pytest.mark.parametrize("key", ["Optional[str] = None", "str"])
def test_a_checkouts_settings_can_be_copied_and_pickled(clean_env: Path, key: str) -> None:
    (clean_env / ".env").write_text("CONGRESS_API_KEY=my-key\nMAX_CONCURRENCY=4\n")
    code = (
        "import copy, pickle, subprocess, sys\n"
        "from updaters.daily_updater import DailyUpdater\n"
        "s = DailyUpdater().settings\n"
        "for c in (copy.copy(s), copy.deepcopy(s), pickle.loads(pickle.dumps(s))):\n"
        "    print(c.api_key, c.batch_size, c.max_concurrency)\n"
        "load = 'import pickle, sys; c = pickle.load(sys.stdin.buffer); print(c.api_key)'\n"
        "print(subprocess.run([sys.executable, '-c', load], input=pickle.dumps(s),\n"
        "                     capture_output=True, check=True).stdout.decode())\n"
    )
    printed = in_checkout(clean_env, code, key=key).split("\n")
    assert printed[:3] == ["my-key 25 4"] * 3
    assert "my-key" in printed[3:]


def test_the_database_follows_its_path(
    make_updater: MakeUpdater, filled_db: Path, legacy_db: Path, sandbox: Sandbox
) -> None:
    updater = make_updater(filled_db)
    assert updater.db.get_table_counts()["hearings"] == 150
    with updater.db.transaction() as conn:
        updater.settings.database_path = str(legacy_db)
        # Not in the middle of a transaction.
        conn.execute("INSERT INTO policy_areas (name) VALUES ('one')")
        updater.db.execute("INSERT INTO policy_areas (name) VALUES ('two')")
    assert updater.db.get_table_counts()["hearings"] == 3
    assert updater.db.db_path == str(legacy_db)
    added = "SELECT COUNT(*) FROM policy_areas WHERE name IN ('one', 'two')"
    assert (query(filled_db, added), query(legacy_db, added)) == ([(2,)], [(0,)])


def test_a_path_set_during_a_run_is_for_the_next_one(
    make_updater: MakeUpdater, filled_db: Path, legacy_db: Path, sandbox: Sandbox
) -> None:
    updater = make_updater(filled_db)
    sandbox.change(3)
    before = legacy_db.read_bytes()

    def callback(info: dict[str, Any]) -> None:
        if info["phase"] == "applying":
            updater.settings.database_path = str(legacy_db)

    result = updater.run_daily_update(progress_callback=callback)
    assert result["metrics"]["hearings_updated"] == 3
    assert query(filled_db, "SELECT COUNT(*) FROM update_logs") == [(2,)]
    assert legacy_db.read_bytes() == before
    assert updater.db.get_table_counts()["hearings"] == 3
