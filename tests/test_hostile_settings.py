"""Variables that smuggle: line breaks, a key in the clear, hosts that only look like this one."""

import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import Settings, SettingsError
from helpers_hostile import assert_nowhere, forms
from helpers_run import KEY, World, meeting, update
from updaters._native import Client
from updaters.api_client import ApiClient
from updaters.cli import main
from updaters.daily_updater import DailyUpdater
from updaters.errors import ConfigurationError, UpdaterError
from updaters.settings import check_settings, complete_settings, load_settings

SECRET = "sesame-31/+&x"


def raised(call: Callable[[], Any]) -> BaseException:
    with pytest.raises((ConfigurationError, SettingsError)) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONGRESS_API_KEY", "sesame\r\nX-Evil: 1"),
        ("CONGRESS_API_KEY", "sesame\x0bx"),
        ("CONGRESS_API_KEY", "sesame\u2028x"),
        ("CONGRESS_API_KEY", "sesamé"),
        ("API_BASE_URL", "https://example.org/v3\r\nHost: evil"),
        ("API_BASE_URL", "https://example.org/\tv3"),
        ("API_BASE_URL", "https://exa\u2028mple.org"),
        ("NOTIFICATION_WEBHOOK_URL", "https://example.org/sesame\r\nX: 1"),
        ("NOTIFICATION_TYPE", "log\nwebhook"),
        ("LOG_LEVEL", "INFO\nforged"),
        ("RATE_LIMIT", "5\nforged"),
        ("API_ALLOW_HTTP", "true\nfalse"),
    ],
)
def test_a_line_break_is_refused_in_one_line(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv(name, value)
    assert main(["init"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert name in err
    assert "sesam" not in err


def test_line_breaks_around_a_value_are_no_part_of_it(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `$(cat key.txt)` and files with CR LF leave them."""
    (clean_env / ".env").write_bytes(b"API_BASE_URL=https://example.org/v3\r\nRATE_LIMIT=7\r\n")
    monkeypatch.setenv("CONGRESS_API_KEY", "\r\nsesame-key\r\n")
    settings = Settings()
    assert settings.api_key == "sesame-key"
    assert (settings.api_base_url, settings.rate_limit) == ("https://example.org/v3", 7)


#: Not this machine, whatever they look like.
FAR = [
    "http://example.org/v3",
    "http://localhost.evil.example/v3",
    "http://127.0.0.1.evil.example/v3",
    "http://evil.example/127.0.0.1",
    "http://localhost-evil.example",
    "http://xlocalhost/v3",
    "http://0.0.0.0/v3",
    "http://0/v3",
    "http://[::]/v3",
    "http://[::ffff:10.0.0.1]/v3",
    "http://128.0.0.1/v3",
    "http://16777343/v3",  # 1.0.0.127
    "http://3232235777/v3",  # 192.168.1.1
    "http://0xa9fea9fe/v3",
    "http://l\u043ecalhost/v3",  # Cyrillic
    "http://\uff4cocalhost/v3",  # full-width
    "http://xn--lcalhost-r4g/v3",
    "http://127.0.0.1\uff0eevil.example",
    "HTTP://EXAMPLE.ORG/v3",
]
#: No addresses, or with more in them than one.
ODD = [
    "http://127.0.0.1@evil.example/v3",
    "http://127.0.0.1:80@evil.example/v3",
    "http://evil.example\\@127.0.0.1/v3",
    "http://evil.example#@127.0.0.1/v3",
    "http://evil.example?@127.0.0.1/v3",
    "http://user:pass@127.0.0.1/v3",
    "http:///127.0.0.1/v3",
    "http:127.0.0.1",
    "http://127.0.0.1 .evil.example/",
    "http://[::1%25eth0]/v3",
    "http://127.0.0.256/v3",
    "//127.0.0.1/v3",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://\u202e127.0.0.1",
]
#: Browsers take these for this machine, and so does the native client.
ROUNDABOUT = ("http://\uff4cocalhost/v3", "http:///127.0.0.1/v3", "http:127.0.0.1")
#: This machine.
NEAR = [
    "http://127.0.0.1:8/v3",
    "http://[::1]:8/v3",
    "http://localhost:8/v3",
    "http://LOCALHOST.:8/v3",
    "http://127.9.9.9/v3",
    "http://2130706433/v3",
    "http://0x7f.1/v3",
    "http://0177.0.0.1/v3",
    "http://[::ffff:127.0.0.1]/v3",
]


def native(address: str) -> Client:
    settings = Settings(api_key=SECRET, api_base_url="https://example.org", api_allow_http=False)
    return Client({**ApiClient(settings)._config(), "base_url": address})


@pytest.mark.parametrize("address", [*FAR, *ODD])
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_key_goes_to_no_other_machine_in_the_clear(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, address: str, where: str
) -> None:
    """Not where the address comes from an `.env` in the folder and the key from the environment."""
    monkeypatch.setenv("CONGRESS_API_KEY", SECRET)
    if where == "file":
        (clean_env / ".env").write_text(f"API_BASE_URL={address!r}\n", encoding="utf-8")
    else:
        monkeypatch.setenv("API_BASE_URL", address)
    for load in (Settings, load_settings, DailyUpdater):
        error = str(raised(load))
        assert "API_BASE_URL" in error
        assert "sesame" not in error
        assert "\n" not in error
    # The native client refuses it by itself, too, unless it would really go to this machine.
    if address not in ROUNDABOUT:
        with pytest.raises(UpdaterError, match="API_BASE_URL"):
            native(address)


@pytest.mark.parametrize("address", NEAR)
def test_to_this_machine_it_does(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("CONGRESS_API_KEY", SECRET)
    monkeypatch.setenv("API_BASE_URL", address)
    assert load_settings().api_base_url == address
    native(address)


def test_it_can_be_allowed(clean_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONGRESS_API_KEY", SECRET)
    monkeypatch.setenv("API_BASE_URL", "http://proxy.internal:8080/v3")
    assert "API_ALLOW_HTTP=true" in str(raised(load_settings))
    monkeypatch.setenv("API_ALLOW_HTTP", "true")
    settings = load_settings()
    assert settings.api_base_url == "http://proxy.internal:8080/v3"
    assert ApiClient(settings).native.check_rate_limit()[0] == 5000
    # Taken back, it is refused again before a run begins.
    updater = DailyUpdater()
    updater.settings.api_allow_http = False
    result = updater.run_daily_update()
    assert "API_BASE_URL" in result["error"]
    with pytest.raises(ConfigurationError, match="API_ALLOW_HTTP"):
        native("http://proxy.internal:8080/v3")
    # And it allows nothing else.
    for address in ODD:
        monkeypatch.setenv("API_BASE_URL", address)
        raised(load_settings)


def test_a_key_that_comes_after_the_address_is_held_to_it_too(clean_env: Path) -> None:
    updater = DailyUpdater()
    updater.settings.api_base_url = "http://example.org/v3"
    updater.settings.api_key = SECRET
    result = updater.run_daily_update()
    assert result["success"] is False
    assert "API_BASE_URL" in result["error"]
    assert result["metrics"]["api_requests"] == 0
    raised(lambda: updater.api_client.get("committee-meeting/119"))


@pytest.mark.parametrize("name", ["POSTGRES_URL", "DATABASE_URL"])
@pytest.mark.parametrize("scheme", ["postgres", "PostgreSQL", "postgresql+psycopg2"])
@pytest.mark.parametrize("words", [["update"], ["init"], ["monitor"], ["report", "--since", "1d"]])
def test_a_servers_address_is_refused_and_not_shown(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, scheme: str, words: list[str],
) -> None:  # fmt: skip
    monkeypatch.setenv(name, f"{scheme}://user:{SECRET}@host/db?sslpassword={SECRET}")
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert name in err
    assert err.count("\n") == 1
    assert_nowhere([SECRET], folder=clean_env, told=[err])


THEIRS = """
from pydantic import ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings

class Settings(BaseSettings):
    congress_api_key: str = ""
    api_key: str = ""
    database_path: str = "database.db"

    {check}
"""


@pytest.mark.parametrize(
    "check",
    [
        "@model_validator(mode='before')\n"
        "    def look(cls, values):\n"
        "        raise ValueError('no good')",
        "@model_validator(mode='before')\n"
        "    def look(cls, values):\n"
        "        raise ValueError(f'no good: {values}')",
        "@model_validator(mode='after')\n"
        "    def look(self):\n"
        "        raise ValueError(f'no good: {self.congress_api_key}')",
        "@field_validator('congress_api_key')\n"
        "    def look(cls, value):\n"
        "        raise ValueError(f'no good: {value}')",
        "def __init__(self, **values):\n"
        "        super().__init__(**values)\n"
        "        raise RuntimeError('no good: ' + self.congress_api_key)",
    ],
)
def test_a_checkouts_own_settings_that_quote_the_key(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    (clean_env / "config").mkdir()
    (clean_env / "config" / "settings.py").write_text(THEIRS.format(check=check))
    monkeypatch.setenv("CONGRESS_API_KEY", SECRET)
    words = [sys.executable, "-m", "updaters.daily_updater"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no good" in done.stderr
    assert done.stderr.count("\n") == 1
    assert_nowhere([SECRET], folder=clean_env, told=[done.stderr])


def test_an_exception_carries_no_key_wherever_it_is_taken(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crash reporters (Sentry and its like) take the variables of every frame along."""
    monkeypatch.setenv("CONGRESS_API_KEY", SECRET)
    settings = Settings(
        sendgrid_api_key="grid-4711/x", notification_webhook_url="https://h.example/hook-8-path"
    )
    secrets = [SECRET, "grid-4711/x", "hook-8-path"]
    settings.api_base_url = "http://127.0.0.1:9/v3"
    client = ApiClient(settings)
    found: list[BaseException] = []

    def catch(call: Callable[[], Any]) -> None:
        try:
            call()
        except Exception as exc:
            found.append(exc)

    catch(lambda: client.get("committee-meeting/119"))
    catch(lambda: client.get("../x"))
    object.__setattr__(settings, "__dict__", {**vars(settings), "api_base_url": "http://far/v3"})
    catch(lambda: ApiClient(settings).get("committee-meeting/119"))
    catch(lambda: ApiClient(settings).check_rate_limit())
    catch(lambda: Settings(api_key=f"{SECRET} with blanks"))
    catch(lambda: setattr(settings, "api_key", f"{SECRET} with blanks"))
    completed = complete_settings(SimpleNamespace(api_key=f"{SECRET} with blanks"))
    catch(lambda: check_settings(completed))
    catch(lambda: setattr(completed, "api_key", f"{SECRET} with blanks"))
    settings.__dict__["rate_limit"] = 0
    catch(lambda: check_settings(settings))
    monkeypatch.setenv("RATE_LIMIT", "many")
    catch(Settings)
    catch(load_settings)
    catch(DailyUpdater)
    assert len(found) == 12
    for exc in found:
        told = [repr(exc), str(exc), pickle.dumps(exc).decode("latin-1")]
        for limit in (False, True):
            lines = traceback.TracebackException.from_exception(exc, capture_locals=limit).format()
            told.append("".join(lines))
        for secret in secrets:
            for form in forms(secret):
                for text in told:
                    assert form not in text, text
        again = pickle.loads(pickle.dumps(exc))
        assert (type(again), str(again)) == (type(exc), str(exc))
    assert SECRET not in repr(settings) + repr(client) + repr(vars(client))


def test_an_env_file_of_the_folder_cannot_have_the_key_sent_in_the_clear(world: World) -> None:
    world.put(meeting(1))
    (world.folder / ".env").write_text("API_BASE_URL=http://localhost.evil.example/v3\n")
    done = update(world, code=2, API_BASE_URL="")
    assert "API_BASE_URL" in done.stderr
    assert KEY not in done.stderr
    assert world.sandbox.request_count == 0
