"""Notifications: sent to a local receiver here; never raising, never telling a secret."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import Settings
from helpers_notify import Receiver
from updaters import notifier as module
from updaters.daily_updater import DailyUpdater
from updaters.notifier import Notifier, get_notifier
from updaters.sandbox import Sandbox

MakeSettings = Callable[..., Settings]


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


@pytest.mark.parametrize("url", ["hooks.example.org/secret-path", "ftp://h/secret-path", "http://"])
def test_an_address_that_is_none_is_logged_instead_and_not_shown(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    settings = make_settings(notification_enabled=True, notification_type="webhook")
    # As in a settings object of somebody's own, which does not check it.
    theirs = SimpleNamespace(**{**dict(settings), "notification_webhook_url": url})
    assert Notifier(theirs).send("Title", "text") is True
    assert "NOTIFICATION_WEBHOOK_URL should be a URL" in caplog.text
    assert "Title: text" in caplog.text
    assert "secret" not in caplog.text


def test_what_belongs_together_is_one_message_with_the_worst_on_top(
    make_settings: MakeSettings, receiver: Receiver
) -> None:
    settings = make_settings(
        notification_enabled=True,
        notification_type="webhook",
        notification_webhook_url=receiver.url,
    )
    told, other = Notifier(settings), Notifier(settings)
    with told.together():
        assert told.send("Mild", "first", "info", {"a": 1}) is True
        assert told.notify_rollback("Batch 4", "no reason", False, {"batches": [4]}) is True
        assert other.send("Another's", "goes at once") is True
        assert len(receiver.bodies) == 1
    assert told.send("Later", "alone") is True
    _, body, later = receiver.bodies
    assert body["title"] == "Batch 4 could NOT be rolled back (and 1 more)"
    assert body["severity"] == "critical"
    assert body["message"] == (
        "Batch 4: what it wrote is still in the database (no reason)\n\nMild: first"
    )
    assert body["metadata"] == {"rollback_failed": {"batches": [4]}, "message": {"a": 1}}
    assert later["title"] == "Later"


def test_in_the_log_it_is_one_line(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    told = Notifier(make_settings(notification_enabled=True))
    with told.together():
        told.send("One", "first\nline", "warning")
        told.send("Two", "second", "warning")
    assert caplog.messages == ["One (and 1 more): first; line; Two: second"]


def test_nothing_goes_out_when_it_is_interrupted(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    told = Notifier(make_settings(notification_enabled=True))
    with pytest.raises(KeyboardInterrupt), told.together():
        told.send("One", "first")
        raise KeyboardInterrupt
    assert caplog.messages == []
    assert told.send("Two", "second") is True
    assert caplog.messages == ["Two: second"]


def test_every_occasion_has_its_words(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(make_settings(notification_enabled=True))
    assert notifier.notify_high_error_rate(error_count=12, total_count=48)
    assert notifier.notify_high_error_rate(1, 0)
    assert notifier.notify_circuit_breaker_open(circuit_name="congress", stats={"state": "open"})
    assert notifier.notify_rate_limit_exhausted(0, 1760000000.0)
    assert notifier.notify_rate_limit_exhausted(0, None)
    assert notifier.notify_validation_failure(["2 orphans"])
    assert notifier.notify_validation_failure([])
    assert notifier.notify_invalid_batches([{"batch": 3, "error": "Validation failed: odd"}], 10)
    assert notifier.notify_anomalies([{"message": "unlike others"}])
    assert notifier.notify_rollback("This run", "by test")
    assert "12 errors with 48 hearings checked (25.0%)" in caplog.text
    assert "Circuit breaker open: congress" in caplog.text
    assert "Validation after the update failed: 1 issue: 2 orphans" in caplog.text
    assert "no issue was named" in caplog.text
    assert "1 of 10 batches failed validation: batch 3: Validation failed: odd" in caplog.text
    assert "1 anomaly: unlike others" in caplog.text
    assert "This run rolled back: This run: what it wrote was undone (by test)" in caplog.text
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
