"""How notifications travel: Slack, Discord, SendGrid and any webhook, seen by a real server."""

import re
from collections.abc import Callable

import pytest

from config.settings import Settings
from conftest import MakeNotifier
from helpers_notify import DISCORD, SLACK, Receiver
from updaters.notifier import Notifier

MakeSettings = Callable[..., Settings]


# --- where it goes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/hook",
        "/a/b%2Fc/d+e/?key=one&key=two&flag",
        "/x?+header=1&-param=2&:title=3&method=GET&format=html&overflow=split&verify=no",
        "/x?url=https%3A%2F%2Fexample.org%2F%3Fa%3Db&rto=0.001&cto=0.001&redirect=yes&to=me",
        "/~user/(x);y=1,2/@me:3",
    ],
)
def test_a_url_is_used_as_it_stands(
    by_webhook: MakeNotifier, receiver: Receiver, path: str
) -> None:
    url = receiver.url.replace("/path-secret", path)
    assert by_webhook(url).send("Title", "message") is True
    assert receiver.targets == [path]
    assert receiver.bodies[0]["title"] == "Title"


def test_a_url_without_a_path(by_webhook: MakeNotifier, receiver: Receiver) -> None:
    assert by_webhook(receiver.url.replace("/path-secret", "?a=b")).send("T", "m") is True
    assert receiver.targets == ["/?a=b"]


@pytest.mark.parametrize(
    ("userinfo", "header"),
    [
        ("user:pass%40word", "dXNlcjpwYXNzQHdvcmQ="),
        ("user", "dXNlcjo="),
        ("us%C3%A9r:z%C5%BC", "dXPDqXI6esW8"),
    ],
)
def test_a_user_and_a_password_become_a_header(
    by_webhook: MakeNotifier, receiver: Receiver, userinfo: str, header: str
) -> None:
    assert by_webhook(receiver.url.replace("//", f"//{userinfo}@")).send("T", "m") is True
    assert receiver.received[0][0]["Authorization"] == f"Basic {header}"
    assert receiver.targets == ["/path-secret"]


def test_an_address_of_ipv6(by_webhook: MakeNotifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "::1,[::1]")
    try:
        receiver = Receiver("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert by_webhook(receiver.url).send("T", "m") is True
    receiver.close()
    assert receiver.received[0][0]["Host"] == f"[::1]:{receiver.port}"


def test_a_proxy_of_the_environment_is_used(
    by_webhook: MakeNotifier, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", receiver.url.removesuffix("/path-secret"))
    assert by_webhook("http://hooks.example.invalid/hook?x=1").send("T", "m") is True
    assert receiver.targets == ["http://hooks.example.invalid/hook?x=1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(
    by_webhook: MakeNotifier, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    other = Receiver()
    receiver.status, receiver.location = status, other.url
    assert by_webhook(receiver.url).send("T", "m") is False
    other.close()
    assert (len(receiver.received), other.targets) == (1, [])
    assert f"answered {status}" in caplog.text


# --- what arrives ---------------------------------------------------------------------------------


def test_the_json_has_all_fields_whatever_is_in_them(
    by_webhook: MakeNotifier, receiver: Receiver
) -> None:
    message = 'Zürich: "quotes" \\n <b>&amp; *x* :smile:\nsecond line ' + "x" * 40_000 + "."
    metadata = {"version": 1, "title": "inner", "deep": {"list": [1, None, {"a": 0.5}]}}
    assert by_webhook(receiver.url).send("Tïtle", message, "warning", metadata) is True
    headers, body = receiver.received[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", body.pop("timestamp"))
    assert body == {
        "title": "Tïtle",
        "message": message,
        "severity": "warning",
        "metadata": metadata,
        "text": f"Tïtle: {message}",
    }
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == "hearing-updater"


def test_a_message_without_words_has_its_title(
    by_webhook: MakeNotifier, receiver: Receiver
) -> None:
    assert by_webhook(receiver.url).send("Title", "") is True
    assert receiver.bodies[0]["message"] == "Title"


def test_long_lists_are_cut(by_webhook: MakeNotifier, receiver: Receiver) -> None:
    metadata = {"errors": [f"error {n}" for n in range(500)]}
    assert by_webhook(receiver.url).send("T", "m", metadata=metadata) is True
    errors = receiver.bodies[0]["metadata"]["errors"]
    assert (len(errors), errors[-1]) == (11, "... and 490 more")


def test_secrets_are_masked_in_all_of_it(by_webhook: MakeNotifier, receiver: Receiver) -> None:
    key = 'key-"\\quoted'
    told = by_webhook(receiver.url, api_key=key, sendgrid_api_key="grid-key")
    metadata = {key: ["x grid-key y"], "url": receiver.url}
    assert told.send(f"T {key}", f"m {receiver.url}", metadata=metadata) is True
    text = str(receiver.bodies[0])
    assert "quoted" not in text
    assert "grid-key" not in text
    assert "path-secret" not in text
    assert receiver.bodies[0]["metadata"] == {"****": ["x **** y"], "url": "****"}


@pytest.mark.parametrize(
    ("host", "attribute"),
    [("hooks.slack.com", "webhook_url"), ("hooks.slack-gov.com", "webhook_gov_url")],
)
def test_slack_gets_its_own_shape(
    by_webhook: MakeNotifier,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    attribute: str,
) -> None:
    monkeypatch.setattr(f"apprise.plugins.slack.NotifySlack.{attribute}", receiver.url)
    receiver.answer = b"ok"
    told = by_webhook(SLACK.replace("hooks.slack.com", host))
    metadata = {"error_count": 3, "errors": ["a"], "nothing": 0, "batches": {"batch_count": 2}}
    assert told.send("Many <errors> & more", "<!channel> *3* of 4", "warning", metadata) is True
    assert receiver.targets == ["/path-secret/T0SLACKSEC/B0SLACKSEC/slackSecretToken1234567"]
    [told_there] = receiver.bodies[0]["attachments"]
    assert told_there["title"] == "Many &lt;errors&gt; &amp; more"
    assert told_there["text"] == ("&lt;!channel&gt; *3* of 4\n\nerror count: 3\nbatch count: 2")
    assert receiver.bodies[0]["mrkdwn"] is False
    assert told_there["footer"] == "hearing-updater"
    # No picture of a third party's.
    assert "icon_url" not in receiver.bodies[0]


def test_a_workflow_of_slack_gets_its_text(
    by_webhook: MakeNotifier, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apprise.plugins.slack.NotifySlack.workflow_trigger_url", receiver.url)
    told = by_webhook("https://hooks.slack.com/triggers/T0AB/12345/abcdef")
    assert told.send("T", "m") is True
    assert receiver.targets == ["/path-secret/T0AB/12345/abcdef"]
    assert receiver.bodies == [{"text": "T: m"}]


@pytest.mark.parametrize(
    "url",
    [
        DISCORD,
        DISCORD.replace("discord.com", "discordapp.com"),
        DISCORD.replace("discord.com/api", "ptb.discord.com/api/v10") + "?wait=true",
    ],
)
def test_discord_gets_its_own_shape(
    by_webhook: MakeNotifier, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr("apprise.plugins.discord.NotifyDiscord.notify_url", receiver.url)
    receiver.status = 204
    assert by_webhook(url).send("Title", "@everyone <@123> me@example.org") is True
    assert receiver.targets == ["/path-secret/123456789012345678/discord-Secret_Token1234567"]
    assert "avatar_url" not in receiver.bodies[0]
    # Nobody is called by what is told.
    assert receiver.bodies[0]["content"] == ("Title\r\n@\u200beveryone <@\u200b123> me@example.org")


def test_discord_gets_no_more_than_it_takes_and_in_its_thread(
    by_webhook: MakeNotifier, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apprise.plugins.discord.NotifyDiscord.notify_url", receiver.url)
    assert by_webhook(f"{DISCORD}?thread_id=77").send("Title", "x" * 9000) is True
    assert receiver.targets[0].endswith("?thread_id=77")
    [body] = receiver.bodies
    assert 1500 < len(body["content"]) <= 2000


@pytest.mark.parametrize(
    "path", [SLACK.replace("https://hooks.slack.com", ""), f"{DISCORD}/slack".split(".com")[1]]
)
def test_what_only_looks_like_them_gets_json(
    by_webhook: MakeNotifier, receiver: Receiver, path: str
) -> None:
    assert by_webhook(receiver.url.replace("/path-secret", path)).send("T", "m") is True
    assert receiver.targets == [path]
    assert receiver.bodies[0]["text"] == "T: m"


def test_email_goes_to_sendgrid(
    make_settings: MakeSettings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apprise.plugins.sendgrid.NotifySendGrid.notify_url", receiver.url)
    receiver.status = 202
    settings = make_settings(
        notification_enabled=True,
        notification_type="email",
        notification_email="who@example.org",
        sendgrid_api_key="SG.grid-secret",
    )
    assert Notifier(settings).notify_update_failure("no <b> & network", {"errors": 1})
    headers, body = receiver.received[0]
    assert headers["Authorization"] == "Bearer SG.grid-secret"
    assert body["personalizations"] == [{"to": [{"email": "who@example.org"}]}]
    assert body["from"] == {"email": "who@example.org"}
    assert body["subject"] == "[error] Daily update failed"
    assert body["content"] == [
        {
            "type": "text/plain",
            "value": 'The update failed: no <b> & network\n\n{\n  "errors": 1\n}',
        }
    ]
