"""Hostile text in what people read: logs, tables, pages, chats."""

import io
import json
import logging
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from config.settings import Settings
from conftest import MakeNotifier, query
from helpers_notify import DISCORD, SLACK, Receiver
from helpers_run import World, meeting
from updaters.changes.lines import web
from updaters.cli import main
from updaters.logs import printable, set_up_logging

#: Each hides, or turns the text around it.
HIDDEN = [
    *(chr(code) for code in (0x00, 0x07, 0x08, 0x0D, 0x1B, 0x7F, 0x85, 0x9B, 0xAD, 0x61C, 0x180E)),
    *map(chr, range(0x200B, 0x2010)),
    *map(chr, range(0x2028, 0x202F)),
    *map(chr, range(0x2060, 0x2070)),
    "\ufeff",
    "\ufff9",
    "\U000e0041",
    "\U000e007f",
]


def test_what_hides_or_turns_text_is_shown_by_its_number() -> None:
    for hidden in HIDDEN:
        shown = printable(f"a{hidden}b")
        assert shown.isascii()
        assert shown.isprintable()
        assert shown.startswith("a\\")
    letters = "é ß 北京 עברית العربية हिन्दी 👍🏽"
    assert printable(letters) == letters


def test_a_log_has_none_of_it(
    make_settings: Callable[..., Settings], root_logging: logging.Logger
) -> None:
    stream = io.StringIO()
    set_up_logging(make_settings(), stream=stream, folder=None)
    logging.getLogger("updaters").info("%s", "".join(HIDDEN))
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue()[:-1].isprintable()


TEXT = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"' onmouseover='x' {{7*7}} {% raw %} "
    "</title></style>--> [click](javascript:alert(1)) \u202e\x1b[31m%s <b id=e1>"
)
URLS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "//evil.example",
    'https://x.example/" onmouseover="alert(1)',
    "https://x.example/'onclick='alert(1)",
    "https://x.example/<script>",
    "https:\\\\evil.example",
    "file:///etc/passwd",
    "https://x.example/\nx",
    "https://x.example/\u202e",
]


class Page(HTMLParser):
    """Its tags, the addresses in it, and what is odd about it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


@pytest.fixture
def hostile(world: World) -> World:
    """A database that other programs wrote into, with text that our parser would have cleaned."""
    world.run()
    world.put(meeting(1))
    world.run()
    world.put(
        meeting(
            2,
            title=TEXT,
            committees=[{"systemCode": "hsii00"}],
            location={"room": TEXT},
            witnesses=[{"name": TEXT, "organization": TEXT, "position": TEXT}],
            videos=[{"name": TEXT, "url": url} for url in URLS],
            meetingDocuments=[{"name": TEXT, "documentType": TEXT, "url": url} for url in URLS],
        )
    )
    world.run(components=["hearings", "witnesses", "committees", "documents"])
    # Its triggers keep a record, which the report reads; the shape of the rest is anybody's.
    query(world.path, "UPDATE hearings SET title = ?, url = ?", TEXT, URLS[0])
    query(world.path, "UPDATE committees SET name = ?", TEXT)
    query(world.path, "UPDATE witnesses SET full_name = ?, organization = ?", TEXT, TEXT)
    world.sandbox.clear_requests()
    return world


def test_the_page_of_a_report_has_no_tag_and_no_address_of_theirs(
    hostile: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--since", "7d", "--format", "html", "--all"]) == 0
    text = capsys.readouterr().out
    page = Page(text)
    assert not page.tags & {"script", "img", "b", "iframe", "object", "form", "svg", "base"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert page.links
    for link in page.links:
        assert link.startswith(("#", "https://")), link
        assert "evil.example" not in link
    assert "{{7*7}}" in text
    assert "\u202e" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("words", [["report", "--since", "7d", "--all"], ["history", "2"]])
def test_the_text_of_a_report_steers_no_terminal(
    hostile: World, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "script" in out
    for line in out.split("\n"):
        assert line.isprintable(), line


def test_as_json_it_is_whole_and_plain(hostile: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--since", "7d", "--format", "json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    titles = {one["title"] for one in json.loads(out)["hearings"]}
    assert TEXT in titles


@pytest.mark.parametrize("url", URLS[:6] + URLS[6:7] + URLS[8:12])
def test_an_address_that_is_none_of_the_web_is_no_link(url: str) -> None:
    assert web(url) is None


# --- chats ---------------------------------------------------------------------------------------

CALLS = "@everyone @here <@123456> <@!123456> <@&99> <!channel> <!here|x> <@U0ABCDEF> <#C01>"
LINKS = "[your bank](https://evil.example) <https://evil.example|your bank> </pay:123>"


def test_slack_is_told_nothing_that_calls_or_disguises(
    by_webhook: MakeNotifier, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apprise.plugins.slack.NotifySlack.webhook_url", receiver.url)
    receiver.answer = b"ok"
    told = by_webhook(SLACK)
    assert told.send(f"T {CALLS}", f"{CALLS} {LINKS}", metadata={"note": CALLS, LINKS: 1})
    [body] = receiver.bodies
    assert body["mrkdwn"] is False
    [shown] = body["attachments"]
    assert "<" not in shown["title"] + shown["text"]
    assert ">" not in shown["title"] + shown["text"]


def test_discord_is_told_nothing_that_calls_or_disguises(
    by_webhook: MakeNotifier, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apprise.plugins.discord.NotifyDiscord.notify_url", receiver.url)
    receiver.status = 204
    told = by_webhook(DISCORD)
    assert told.send(f"T {CALLS}", f"{CALLS} {LINKS}", metadata={"note": CALLS, LINKS: 1})
    [body] = receiver.bodies
    content = body["content"]
    for call in ("@everyone", "@here", "<@1", "<@!1", "<@&", "]("):
        assert call not in content
    assert "embeds" not in body


def test_no_notification_turns_or_hides_text(by_webhook: MakeNotifier, receiver: Receiver) -> None:
    text = "".join(HIDDEN)
    assert by_webhook(receiver.url).send(f"T\n{text}", f"line\n{text}", metadata={text: [text]})
    body: dict[str, Any] = receiver.bodies[0]
    assert body["title"].isprintable()
    assert all(line.isprintable() for line in body["message"].split("\n"))
    assert all(name.isprintable() for name in body["metadata"])
