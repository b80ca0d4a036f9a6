"""Notifications that do not arrive, or take long: why is told, and no secret; nobody waits long."""

import gzip
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from conftest import MakeNotifier
from helpers_notify import DISCORD, SLACK, Dribbler, Endless, Receiver
from helpers_run import until
from updaters import limited, notifier
from updaters.notifier import Notifier

MakeSettings = Callable[..., Settings]


@pytest.fixture
def all_logs(root_logging: logging.Logger, caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """Whatever anybody logs, at the loudest."""
    root_logging.setLevel(logging.DEBUG)
    caplog.handler.setLevel(1)
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(1)
    yield caplog
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.NOTSET)


# --- when it does not arrive ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "answered 404 Not Found"),
        (b"no_service", "answered 404 Not Found: no_service"),
        (b"<html>long</html>", "answered 404 Not Found"),
        (b"Cannot POST /path-secret", "answered 404 Not Found: Cannot POST ****"),
        (b'{"message": "Unknown\n Webhook"}', 'Not Found: {"message": "Unknown Webhook"}'),
    ],
)
def test_a_refusal_is_told_with_its_reason(
    by_webhook: MakeNotifier,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    answer: bytes,
    told: str,
) -> None:
    receiver.status, receiver.answer = 404, answer
    assert by_webhook(receiver.url).send("T", "m") is False
    [message] = caplog.messages
    assert message.startswith("A notification to 127.0.0.1 could not be sent: ")
    assert message.endswith(told)


def test_a_refusal_that_quotes_a_part_of_the_address(
    by_webhook: MakeNotifier, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 400
    receiver.answer = b"bad token query secret of room abcdefghijklmnopqrst, by pass word"
    url = receiver.url.replace("//", "//me:pass%20word@")
    url = url.replace("path-secret", "x/abcdefghijklmnopqrst?token=query%20secret")
    assert by_webhook(url).send("T", "m") is False
    assert "answered 400 Bad Request: bad token **** of room ****, by ****" in caplog.text


def test_no_library_logs_the_address(
    by_webhook: MakeNotifier,
    make_settings: MakeSettings,
    receiver: Receiver,
    all_logs: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("slack.NotifySlack.webhook_url", "discord.NotifyDiscord.notify_url"):
        monkeypatch.setattr(f"apprise.plugins.{name}", receiver.url)
    monkeypatch.setattr("apprise.plugins.sendgrid.NotifySendGrid.notify_url", receiver.url)
    email = make_settings(
        notification_enabled=True,
        notification_type="email",
        notification_email="who@example.org",
        sendgrid_api_key="SG.grid-secret",
    )
    bad_key = email.model_copy(update={"sendgrid_api_key": "grid-secret with blanks"})
    url = receiver.url.replace("//", "//user:password-secret@") + "?token=query-secret"
    for status in (200, 500):
        receiver.status, receiver.answer = status, b"ok"
        for told in (by_webhook(url), by_webhook(SLACK), by_webhook(DISCORD), Notifier(email)):
            assert told.send("T", "m") is (status == 200)
    assert Notifier(bad_key).send("T", "m") is False
    closed = receiver.url.replace(str(receiver.port), "1") + "?token=query-secret"
    assert by_webhook(closed).send("T", "m") is False
    out, err = capfd.readouterr()
    seen = all_logs.text + out + err
    assert len(receiver.received) == 8
    assert all_logs.text.count("could not be sent") == 6
    for secret in ("secret", "Secret", "SLACKSEC", "123456789012345678"):
        assert secret not in seen
    # Others who use these libraries are still heard.
    logging.getLogger("urllib3.connectionpool").debug("of somebody else")
    assert "of somebody else" in all_logs.text


def test_nobody_there(
    by_webhook: MakeNotifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert by_webhook(f"http://127.0.0.1:{port}/path-secret").send("T", "m") is False
    assert caplog.messages == ["A notification to 127.0.0.1 could not be sent: Connection refused"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named(
    by_webhook: MakeNotifier,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    scheme: str,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv(f"{scheme}_proxy", f"http://user:proxy-secret@127.0.0.1:{port}")
    assert by_webhook(f"{scheme}://hooks.example.invalid/hook").send("T", "m") is False
    assert caplog.messages == [
        "A notification to hooks.example.invalid could not be sent: "
        f"the proxy 127.0.0.1:{port}: Connection refused"
    ]


def test_a_host_without_an_address(
    by_webhook: MakeNotifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def nowhere(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert by_webhook("http://hooks.example.invalid/hook").send("T", "m") is False
    assert "Name or service not known" in caplog.text


def test_apprise_that_is_not_installed_is_named(
    by_webhook: MakeNotifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert by_webhook("http://127.0.0.1/hook").send("T", "m") is False
    assert "apprise is not installed: pip install apprise" in caplog.text


# --- when it takes long ---------------------------------------------------------------------------


def test_a_receiver_that_dribbles_is_given_up_and_let_go(
    by_webhook: MakeNotifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dribbler = Dribbler()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(notifier, "TIME_LIMIT", 1.0)
    assert by_webhook(dribbler.url).send("T", "m") is False
    assert "no answer within 1 seconds" in caplog.text
    # The thread does not listen on for as long as the process lives.
    until(dribbler.gone.is_set, "the sender stopped listening")
    dribbler.close()


#: What 100 MB of zeros pack to, twice over.
BOMB = gzip.compress(gzip.compress(bytes(100_000_000), 1))


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"", b"x" * 65536),
        (b"Content-Length: 3000000000\r\n", b"x" * 65536),
        (b"Transfer-Encoding: chunked\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
        (b"Content-Encoding: gzip, gzip\r\nContent-Type: text/plain\r\n", BOMB),
    ],
    ids=["endless", "long", "chunked", "packed"],
)
def test_no_more_than_the_beginning_of_an_answer_is_read(
    by_webhook: MakeNotifier, monkeypatch: pytest.MonkeyPatch, head: bytes, part: bytes
) -> None:
    endless = Endless(part, head)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    tracemalloc.start()
    assert by_webhook(endless.url).send("T", "m") is True
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    until(endless.gone.is_set, "the connection was let go")
    endless.close()
    # Sockets keep some by themselves; the first call loads apprise.
    assert endless.written < 20_000_000
    assert peak < 60_000_000


@pytest.mark.parametrize("host", ["slack", "discord", "sendgrid"])
def test_every_service_reads_only_the_beginning(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    endless = Endless()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("apprise.plugins.slack.NotifySlack.webhook_url", endless.url)
    monkeypatch.setattr("apprise.plugins.discord.NotifyDiscord.notify_url", endless.url)
    monkeypatch.setattr("apprise.plugins.sendgrid.NotifySendGrid.notify_url", endless.url)
    settings = make_settings(
        notification_enabled=True,
        notification_type="email" if host == "sendgrid" else "webhook",
        notification_webhook_url=SLACK if host == "slack" else DISCORD,
        notification_email="who@example.org",
        sendgrid_api_key="SG." + "x" * 22 + "." + "y" * 43,
    )
    # Slack says "ok" where it took it.
    assert Notifier(settings).send("T", "m") is (host != "slack")
    until(endless.gone.is_set, "the connection was let go")
    endless.close()
    assert endless.written < 20_000_000


def test_others_get_the_whole_of_their_answers(
    by_webhook: MakeNotifier, receiver: Receiver
) -> None:
    import requests

    receiver.answer = b"x" * 1_000_000
    assert by_webhook(receiver.url).send("T", "m") is True
    answer = requests.post(receiver.url, json={}, timeout=10)
    assert len(answer.content) == 1_000_000


def test_a_packed_refusal_is_told(
    by_webhook: MakeNotifier, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status, receiver.packed = 400, True
    receiver.answer = gzip.compress(b"no such room")
    assert by_webhook(receiver.url).send("T", "m") is False
    assert "answered 400 Bad Request: no such room" in caplog.text


def test_a_name_that_is_looked_up_for_ever_is_given_up(
    by_webhook: MakeNotifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        found.wait(60)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(notifier, "TIME_LIMIT", 0.5)
    assert by_webhook("http://hooks.example.invalid/hook").send("T", "m") is False
    found.set()
    assert "no answer within 0.5 seconds" in caplog.text


def test_a_limited_call_hands_on_what_it_came_to() -> None:
    assert limited.call_within(5, lambda: 3, "test") == 3
    with pytest.raises(ZeroDivisionError):
        limited.call_within(5, lambda: 1 // 0, "test")
    with pytest.raises(RuntimeError, match=r"it ended by SystemExit\(1\)"):
        limited.call_within(5, lambda: sys.exit(1), "test")
    with pytest.raises(TimeoutError, match=r"within 0\.1 seconds"):
        limited.call_within(0.1, lambda: time.sleep(0.5), "test", stop=True)


SENDS = """
import os, sys, time
from config.settings import Settings
from updaters.notifier import Notifier

told = Notifier(Settings(notification_enabled=True, notification_type="webhook",
                         notification_webhook_url=sys.argv[1]))
"""


def script(code: str, url: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SENDS + code, url],
        cwd=folder,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_ends_the_waiting(receiver: Receiver, clean_env: Path) -> None:
    receiver.release.clear()
    started = time.monotonic()
    with script("told.send('T', 'm')", receiver.url, clean_env) as process:
        until(lambda: receiver.received, "the notification arrived")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    # It ended by that, and not as the receiver was given up.
    assert process.returncode in (-signal.SIGINT, 130)
    assert "KeyboardInterrupt" in stderr
    assert "could not be sent" not in stderr
    assert time.monotonic() - started < 60


def test_a_sender_that_hangs_does_not_keep_the_process(clean_env: Path) -> None:
    code = (
        "import socket, updaters.notifier\n"
        "updaters.notifier.TIME_LIMIT = 0.5\n"
        # A name that is looked up for so long: nothing can break into that.
        "socket.getaddrinfo = lambda *given, **more: time.sleep(600)\n"
        "print(told.send('T', 'm'))\n"
    )
    with script(code, "http://hooks.example.invalid/hook", clean_env) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "False\n"), err


def test_it_sends_from_a_forked_process_too(receiver: Receiver, clean_env: Path) -> None:
    code = (
        "assert told.send('before', 'm')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if told.send('in the child', 'm') else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert told.send('after', 'm')\n"
    )
    with script(code, receiver.url, clean_env) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [body["title"] for body in receiver.bodies] == ["before", "in the child", "after"]


def test_nothing_of_it_is_loaded_before_there_is_something_to_send(clean_env: Path) -> None:
    code = (
        "import updaters.daily_updater\n"
        "updaters.daily_updater.DailyUpdater().notifier.send('T', 'm')\n"
        "heavy = {'apprise', 'requests', 'urllib3', 'updaters.sending', 'http.client'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    with script(code, "http://127.0.0.1/hook", clean_env) as process:
        out, err = process.communicate(timeout=60)
    assert out == "[]\n", out + err
