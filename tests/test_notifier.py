"""Notifications: sent to a local receiver here; never raising, never telling a secret."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import Settings
from updaters import notifier as module
from updaters.daily_updater import DailyUpdater
from updaters.notifier import Notifier, get_notifier
from updaters.sandbox import Sandbox

MakeSettings = Callable[..., Settings]


class Receiver:
    """A web server that keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], Any]] = []
        self.status = 200
        self.release = threading.Event()
        self.release.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), json.loads(body)))
                receiver.release.wait(30)
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("Location", receiver.url)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/path-secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Receiver()
    yield server
    server.close()


def test_disabled_does_nothing(make_settings: MakeSettings, receiver: Receiver) -> None:
    settings = make_settings(
        notification_type="webhook", notification_webhook_url=receiver.url, api_key="secret-key"
    )
    assert Notifier(settings).send("title", "message") is False
    assert receiver.received == []


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        ("info", logging.INFO),
        ("warning", logging.WARNING),
        ("error", logging.ERROR),
        ("critical", logging.CRITICAL),
        ("strange", logging.ERROR),
    ],
)
def test_log_uses_the_level_of_the_severity(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture, severity: str, level: int
) -> None:
    caplog.set_level(logging.INFO)
    notifier = Notifier(make_settings(notification_enabled=True))
    assert notifier.send("Title", "text", severity, {"run": 3}) is True
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (level, 'Title: text {"run": 3}')
    ]


def test_a_webhook_gets_json(make_settings: MakeSettings, receiver: Receiver) -> None:
    settings = make_settings(
        notification_enabled=True,
        notification_type="webhook",
        notification_webhook_url=receiver.url,
        api_key="secret-key",
    )
    assert Notifier(settings).send("T", "secret-key failed", "warning", {"error": OSError("x")})
    _, body = receiver.received[0]
    assert body.pop("timestamp")
    assert body == {
        "title": "T",
        "message": "**** failed",
        "severity": "warning",
        "metadata": {"error": "x"},
        "text": "T: **** failed",
    }


def test_email_goes_to_sendgrid(
    make_settings: MakeSettings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SENDGRID_URL", receiver.url)
    settings = make_settings(
        notification_enabled=True,
        notification_type="email",
        notification_email="who@example.org",
        sendgrid_api_key="grid-secret",
    )
    assert Notifier(settings).notify_update_failure("no network", {"errors": 1})
    headers, body = receiver.received[0]
    assert headers["Authorization"] == "Bearer grid-secret"
    assert body["personalizations"] == [{"to": [{"email": "who@example.org"}]}]
    assert body["subject"] == "[error] Daily update failed"
    assert "no network" in body["content"][0]["value"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refusal_is_one_warning_without_the_path(
    make_settings: MakeSettings, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    receiver.status = status
    settings = make_settings(
        notification_enabled=True,
        notification_type="webhook",
        notification_webhook_url=receiver.url,
    )
    assert Notifier(settings).send("T", "m") is False
    assert len(receiver.received) == 1
    [record] = caplog.records
    assert f"answered {status}" in record.getMessage()
    assert "path-secret" not in caplog.text


def test_a_receiver_that_hangs_is_given_up(
    make_settings: MakeSettings,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver.release.clear()
    monkeypatch.setattr(module, "TIME_LIMIT", 0.2)
    settings = make_settings(
        notification_enabled=True,
        notification_type="webhook",
        notification_webhook_url=receiver.url,
    )
    assert Notifier(settings).send("T", "m") is False
    assert "could not be sent" in caplog.text


@pytest.mark.parametrize("kind", ["webhook", "email"])
def test_without_an_address_it_is_logged_instead(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    settings = make_settings(notification_enabled=True, notification_type=kind)
    assert Notifier(settings).send("Title", "text") is True
    assert f"NOTIFICATION_TYPE={kind} needs " in caplog.text
    assert "Title: text" in caplog.text


def test_every_occasion_has_its_words(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(make_settings(notification_enabled=True))
    assert notifier.notify_high_error_rate(error_count=12, total_count=48)
    assert notifier.notify_high_error_rate(1, 0)
    assert notifier.notify_circuit_breaker_open(circuit_name="congress", stats={"state": "open"})
    assert notifier.notify_rate_limit_exhausted(0, 1760000000.0)
    assert notifier.notify_rate_limit_exhausted(0, None)
    assert "12 errors with 48 hearings checked (25.0%)" in caplog.text
    assert "Circuit breaker open: congress" in caplog.text
    assert "0 requests remain; more are allowed from 2025-10-0" in caplog.text


def test_it_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    assert Notifier(object()).send("T", "m") is False
    assert "could not be sent" in caplog.text


def test_a_checkouts_own_notifier_is_preferred(
    make_settings: MakeSettings, clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings()
    assert isinstance(get_notifier(settings), Notifier)
    (clean_env / "notifications.py").write_text(
        "class Theirs:\n    def send(self, *args, **kwargs): return 'theirs'\n"
        "def get_notifier(): return Theirs()\n"
    )
    monkeypatch.syspath_prepend(clean_env)
    assert get_notifier(settings).send("T", "m") == "theirs"
    assert get_notifier(lambda: settings).send("T", "m") == "theirs"
    del sys.modules["notifications"]


def test_an_updaters_notifier_goes_by_its_settings_of_now(
    make_settings: MakeSettings, receiver: Receiver
) -> None:
    updater = DailyUpdater()
    assert updater.notifier.send("T", "m") is False
    updater.settings.notification_enabled = True
    updater.settings.notification_type = "webhook"
    updater.settings.notification_webhook_url = receiver.url
    assert updater.notifier.send("One", "m") is True
    updater.settings = SimpleNamespace()
    assert updater.notifier.send("T", "m") is False
    updater.settings = make_settings(
        notification_enabled=True,
        notification_type="webhook",
        notification_webhook_url=receiver.url,
    )
    # The run that fails, as there is no database, is told by them.
    assert updater.run_daily_update()["success"] is False
    assert [body["title"] for _, body in receiver.received] == ["One", "Daily update failed"]


def test_an_open_circuit_is_told_by_its_name(updater: DailyUpdater, sandbox: Sandbox) -> None:
    told: list[tuple[Any, ...]] = []
    updater.notifier = SimpleNamespace(
        notify_circuit_breaker_open=lambda *given: told.append(given)
    )
    updater.settings.retry_attempts = 0
    updater.settings.circuit_breaker_threshold = 1
    updater.settings.circuit_breaker_timeout = 0.2
    sandbox.stop()
    assert updater.run_daily_update()["circuit_breaker_open"]
    stats = updater.api_client.get_circuit_breaker_stats()
    [(name, given)] = told
    assert name == stats["name"]
    assert (given["name"], given["state"]) == (name, "open")
