"""`hearing-updater doctor`: what it finds out about an installation, and what it advises."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers_run import AS_ANYBODY, KEY, World, environment, make_legacy, tool
from updaters.doctor.surroundings import clock


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python3` is the interpreter that has the package."""
    folder = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def doctor(world: World, *words: str, code: int = 0, **variables: Any) -> dict[str, Any]:
    """name -> check, of what it says as JSON."""
    done = tool(world, "doctor", "--json", *words, code=code, **variables)
    found = json.loads(done.stdout)
    assert found["exit_code"] == code
    checks = {check["name"]: check for check in found["checks"]}
    for check in checks.values():
        assert check["status"] == "ok" or check["advice"], check
    return {**checks, "table": {row["name"]: row for row in found["settings"]}}


# A development build is one warning: what the tests run on.
pytestmark = pytest.mark.usefixtures("path")


def test_a_sound_installation(filled: World) -> None:
    found = doctor(filled, code=1)
    settings = found.pop("table")
    worse = [name for name, check in found.items() if check["status"] != "ok"]
    assert worse == ["native module"]
    assert set(found) >= {
        *("interpreter", "native module", "daily_updater", "extras", "key", "database", "shape"),
        *("api", "clock", "disk", "updater", "logs", "integrity", "last run"),
    }
    assert found["api"]["values"]["requests_left"] > 0
    assert found["daily_updater"]["values"]["native"] is True
    assert settings["api_key"] == {
        "name": "api_key",
        "value": "****",
        "source": "environment CONGRESS_API_KEY",
    }
    assert settings["rate_limit"]["source"] == "default"


def test_it_changes_nothing_and_sends_one_request(filled: World) -> None:
    before = filled.files()
    filled.sandbox.clear_requests()
    doctor(filled, code=1)
    assert filled.files() == before
    assert filled.sandbox.request_count == 1
    doctor(filled, "--offline", code=1)
    assert filled.sandbox.request_count == 1


def test_settings_name_their_source(filled: World) -> None:
    (filled.folder / ".env").write_text("BATCH_PROCESSING_SIZE=20\nRATE_LIMIT=100\n")
    found = doctor(filled, code=1, RATE_LIMIT="200")["table"]
    assert found["batch_processing_size"]["source"] == ".env BATCH_PROCESSING_SIZE"
    assert found["rate_limit"]["source"] == "environment RATE_LIMIT"
    assert (found["rate_limit"]["value"], found["batch_processing_size"]["value"]) == (200, 20)


def test_a_checkouts_own_settings_are_named_as_the_source(filled: World) -> None:
    config = filled.folder / "config"
    config.mkdir()
    (config / "__init__.py").write_text("")
    (config / "settings.py").write_text(
        "class Settings:\n    batch_processing_size = 7\n    api_key = None\n"
    )
    found = doctor(filled, code=1)["table"]
    assert found["batch_processing_size"]["value"] == 7
    assert found["batch_processing_size"]["source"].endswith("config/settings.py")
    assert found["api_key"]["source"] == "environment CONGRESS_API_KEY"
    assert found["max_concurrency"]["source"] == "default"


def test_a_bad_setting_is_a_problem_and_the_rest_is_still_looked_at(filled: World) -> None:
    found = doctor(filled, code=2, BATCH_PROCESSING_SIZE="0")
    assert "BATCH_PROCESSING_SIZE" in found["settings"]["message"]
    assert found["table"] == {}
    assert found["logs"]["status"] == "ok"


def test_no_database(world: World) -> None:
    world.path.unlink()
    found = doctor(world, code=2)
    assert found["database"]["status"] == "critical"
    assert "hearing-updater init" in found["database"]["advice"]
    assert not world.path.exists()


def test_an_older_database_is_told_of_and_left_as_it_is(world: World) -> None:
    world.path.unlink()
    make_legacy(world.path)
    before = world.files()
    found = doctor(world, code=1)
    assert "table updater_runs" in found["shape"]["values"]["to_be_added"]
    assert world.files() == before


def test_a_file_that_is_no_hearings_database(world: World) -> None:
    world.path.unlink()
    world.do("CREATE TABLE other (a)")
    found = doctor(world, code=2)
    assert any(check.get("status") == "critical" for check in found.values())


@pytest.mark.parametrize(
    ("what", "code", "status", "words"),
    [
        ("down", 2, "critical", "cannot connect"),
        ("refused", 2, "critical", "CONGRESS_API_KEY"),
        ("used up", 1, "warning", "limit"),
        ("html", 2, "critical", "committee-meeting"),
    ],
)
def test_the_api_in_trouble(filled: World, what: str, code: int, status: str, words: str) -> None:
    variables = {}
    if what == "down":
        variables["API_BASE_URL"] = "http://127.0.0.1:9/v3"
    elif what == "refused":
        variables["CONGRESS_API_KEY"] = "INVALID_KEY"
    elif what == "used up":
        filled.sandbox.rate_limit = 0
    else:
        filled.sandbox.faults = {"html": 1.0}
    api = doctor(filled, code=code, **variables)["api"]
    assert api["status"] == status
    assert words in api["message"] + api["advice"]


def test_no_key_of_ones_own(filled: World) -> None:
    found = doctor(filled, code=1, CONGRESS_API_KEY="")
    assert found["key"]["status"] == "warning"
    assert "sign-up" in found["key"]["advice"]


@pytest.mark.parametrize(
    ("ahead", "status"), [(0, "ok"), (-119, "ok"), (500, "warning"), (-90_000, "critical")]
)
def test_the_clock_is_held_against_the_apis(ahead: int, status: str) -> None:
    found = clock(ahead)
    assert found.status == status
    assert bool(found.advice) == (status != "ok")


def test_a_legacy_module_in_the_folder_is_told_of(filled: World) -> None:
    package = filled.folder / "updaters"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "daily_updater.py").write_text("print('noise')\nclass DailyUpdater: ...\n")
    # As people type it; with -m it would be the folder's own package that is loaded.
    done = subprocess.run(
        [Path(sys.executable).with_name("hearing-updater"), "doctor", "--json"],
        cwd=filled.folder,
        env=environment(filled.folder, filled.sandbox.url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (check,) = (c for c in json.loads(done.stdout)["checks"] if c["name"] == "daily_updater")
    assert check["status"] == "warning"
    assert "the checkout's own" in check["message"]
    assert check["advice"] == "hearing-updater adopt ."
    assert check["values"] == {"file": str(package / "daily_updater.py"), "native": False}


def test_logs_that_cannot_be_written(filled: World) -> None:
    logs = filled.folder / "logs"
    logs.mkdir(exist_ok=True)
    logs.chmod(0o500)
    try:
        found = doctor(filled, code=1, before=AS_ANYBODY)
    finally:
        logs.chmod(0o700)
    assert found["logs"]["status"] == "warning"
    assert "permissions" in found["logs"]["advice"]


def test_people_get_lines_with_what_to_do(filled: World) -> None:
    done = tool(filled, "doctor", code=1, RATE_LIMIT="300")
    assert f"ok       key: a key of {len(KEY)} characters" in done.stdout
    assert "warning  native module:" in done.stdout
    assert "           -> make wheel, and install that" in done.stdout
    assert "environment RATE_LIMIT" in done.stdout
    assert "max_concurrency" not in done.stdout
    assert "max_concurrency" in tool(filled, "doctor", "--settings", code=1).stdout
