"""`hearing-updater report`: as text, as JSON, as a page."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers_changes import make_past, update
from helpers_run import World, meeting, tool
from updaters._native import Database
from updaters.changes.html import to_html
from updaters.changes.lines import web
from updaters.changes.text import MOST, to_text
from updaters.cli.report import write_whole
from updaters.errors import UpdaterError

HOSTILE = '<script>alert("x")</script> <img src=http://127.0.0.1:9/x> & {{ 7 * 7 }} \x1b[31mred'
LONG = "nominations " * 60
UNBROKEN = "https://example.org/" + "a" * 200
DOCUMENTS = [
    {"name": "<b>Bad</b>", "documentType": "Hearing Notice", "url": "javascript:alert(1)"},
    {
        "name": "Good",
        "documentType": "Hearing Notice",
        "url": "https://docs.house.gov/n.pdf?a=1&b=2",
    },
]


@pytest.fixture
def changed(filled: World) -> World:
    """One hearing rescheduled, one cancelled, one with a hostile title and documents, one new."""
    make_past(filled)
    filled.alter(1, date="2025-11-12T15:00:00Z", meetingStatus="Rescheduled")
    filled.alter(2, meetingStatus="Canceled", location={"room": UNBROKEN})
    filled.put(meeting(4, title=LONG, committees=[]))
    update(filled, 3, meetingDocuments=DOCUMENTS)
    # An update would clean it.
    database = Database(str(filled.path))
    database.begin().execute("UPDATE hearings SET title = ? WHERE event_id = '3'", (HOSTILE,))
    database.commit()
    database.close()
    return filled


def report(world: World, *words: str, **options: Any) -> str:
    return tool(world, "report", *words, **options).stdout


def refused(world: World, *words: str, says: str, code: int = 1) -> None:
    """One line on stderr says so, and nothing else comes."""
    done = tool(world, "report", *words, code=code)
    assert done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("hearing-updater report: ") and says in done.stderr


def test_the_text_tells_each_hearing_under_its_committee(changed: World) -> None:
    text = report(changed, "--since", "7d")
    told = (
        "4 hearings: 1 new, 1 rescheduled, 1 cancelled, 1 moved, 1 with new documents, 1 with title"
    )
    assert told in " ".join(text.split())
    house, none = text.split("No committee\n============\n")
    assert "House: Natural Resources Committee\n==================================\n" in house
    assert (
        "Rescheduled\n"
        "  Wed Nov 12, 2025, 10:00 AM EST - Hearing 1\n"
        "    Meeting 1\n"
        "    at 1324 Longworth House Office Building\n"
        "  * Rescheduled: Wed Nov 12, 2025, 10:00 AM EST\n"
        "    was: Tue Sep 9, 2025, 2:00 PM EDT\n"
        "    https://www.congress.gov/event/119th-congress/house-event/1\n"
    ) in house
    assert "\nCancelled\n  Tue Sep 9, 2025, 2:00 PM EDT - Hearing 2\n" in house
    assert "    - Hearing Notice: Good\n      https://docs.house.gov/n.pdf?a=1&b=2\n" in house
    assert "New\n  Tue Sep 9, 2025, 2:00 PM EDT - Hearing 4\n    nominations" in none
    assert "    - David King, Director, Parks Board\n" in none


def test_the_text_fits_a_terminal_and_cannot_command_it(changed: World) -> None:
    text = report(changed)
    long = [line for line in text.splitlines() if len(line) > 80]
    assert all("http" in line for line in long), long
    assert "\x1b" not in text and "\\x1b[31mred" in text
    assert max(len(part) for part in re.findall("(?:nominations\\s+)+", text)) < 400
    assert len(re.findall("nominations", report(changed, "--all"))) == 60


def test_an_empty_report_says_so_and_how_far_the_journal_goes(filled: World) -> None:
    make_past(filled)
    assert re.fullmatch(r"No changes since \w{3} .*\.\n", report(filled, "--since", "24h"))
    text = report(filled, "--since", "9w", "--chamber", "senate")
    told = re.fullmatch(
        r"No changes since (.*) \(Senate\)\.\nThe journal begins (.*): "
        r"what changed before is not\s+known\.\n",
        text,
    )
    assert told, text


def test_a_database_without_a_journal_is_no_failure(legacy_db: Path, world: World) -> None:
    shutil.copy(legacy_db, world.path)
    text = " ".join(report(world).split())
    assert "This database has no record of changes yet: the journal begins with the first" in text


def test_json_is_the_report_and_nothing_else(changed: World) -> None:
    told = json.loads(report(changed, "--format", "json", "--committee", "HSII00"))
    assert told["format"] == 1
    assert told["filters"] == {"committees": ["hsii00"], "chamber": None}
    assert [hearing["event_id"] for hearing in told["hearings"]] == ["1", "2", "3"]
    assert told["hearings"][2]["title"] == HOSTILE
    assert told["committees"] == [
        {
            "code": "hsii00",
            "name": "Natural Resources Committee",
            "chamber": "House",
            "sections": {"rescheduled": ["1"], "cancelled": ["2"], "documents": ["3"]},
        }
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--since", "soon"), "--since 'soon': should be such as 7d"),
        (("--since", "2999-01-01"), "--since '2999-01-01': lies in the future"),
        (("--committee", "hsxx99"), "--committee 'hsxx99': no committee of this database"),
        (("--chamber", "lords"), "--chamber"),
        (("--format", "xml"), "--format"),
    ],
)
def test_bad_usage_is_one_line(filled: World, words: tuple[str, ...], says: str) -> None:
    refused(filled, *words, says=says, code=2)


def test_a_file_is_written_whole_or_left_as_it_was(changed: World) -> None:
    page = changed.folder / "news.html"
    page.write_text("yesterday's")
    done = tool(changed, "report", "--format", "html", "--output", "news.html")
    assert done.stdout == "" and done.stderr == "Wrote news.html\n"
    assert page.read_text().startswith("<!doctype html>")
    refused(changed, "--since", "x", "--output", "news.html", says="--since", code=2)
    refused(changed, "--output", ".", says=". is a folder")
    refused(changed, "--output", "no/such/news.txt", says="no/such/news.txt cannot be written")
    assert page.read_text().startswith("<!doctype html>")
    assert not list(changed.folder.glob("*.part"))


def test_what_cannot_take_the_file_s_place_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "news.txt"
    for name in ("fsync", "replace"):
        target.write_text("yesterday's")
        with monkeypatch.context() as patch:
            patch.setattr(f"os.{name}", full)
            with pytest.raises(UpdaterError, match="No space left on device; nothing was changed"):
                write_whole(str(target), "today's")
        assert target.read_text() == "yesterday's"
        assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_and_a_device_is_written_to(changed: World) -> None:
    (changed.folder / "kept").mkdir()
    (changed.folder / "news.txt").symlink_to("kept/news.txt")
    tool(changed, "report", "--output", "news.txt")
    assert "4 hearings" in (changed.folder / "kept" / "news.txt").read_text()
    assert (changed.folder / "news.txt").is_symlink()
    assert "4 hearings" in report(changed, "--output", "/dev/stdout")


def many(hearings: int) -> dict[str, Any]:
    """A report of so many new hearings of ten committees, and one that was cancelled."""

    def hearing(number: int) -> dict[str, Any]:
        new = {"witnesses": [], "documents": [], "bills": [], "video_url": None}
        off = {"from": "Scheduled", "to": "Canceled"}
        when = f"2025-10-{number % 28 + 1:02}"
        return {
            "event_id": str(number),
            "hearing_id": number,
            "title": f"On {number}",
            "chamber": "House",
            "type": "Hearing",
            "status": "Scheduled",
            "date": when,
            "time": "14:00:00",
            "start_utc": f"{when}T14:00:00Z",
            "start_washington": f"{when}T10:00:00-04:00",
            "location": None,
            "url": None,
            "committees": [],
            "changed_at": None,
            "section": "new" if number else "cancelled",
            "changes": {"new": new} if number else {"cancelled": off},
        }

    groups = [
        {
            "code": f"hs{tens}",
            "name": f"Committee {tens}",
            "chamber": "House",
            "sections": {
                **({"cancelled": ["0"]} if tens == 0 else {}),
                "new": [str(n) for n in range(1, hearings) if n % 10 == tens],
            },
        }
        for tens in range(10)
    ]
    kinds = ("rescheduled", "postponed", "reinstated", "moved", "announced", "witnesses")
    kinds += ("withdrawn", "documents", "bills", "video", "retitled", "retyped", "committees")
    return {
        "since": "2025-10-01T00:00:00Z",
        "until": "2025-10-14T12:00:00Z",
        "journal_begins": "2025-09-01T00:00:00Z",
        "covered": True,
        "filters": {"committees": [], "chamber": None},
        "counts": {
            "hearings": hearings,
            "new": hearings - 1,
            "cancelled": 1,
            **dict.fromkeys((*kinds, "removed"), 0),
        },
        "committees": groups,
        "hearings": [hearing(number) for number in range(hearings)],
    }


def test_a_first_full_load_stays_readable() -> None:
    text = to_text(many(1168))
    shown = re.findall(r" - Hearing (\d+)$", text, re.M)
    assert len(shown) == MOST and shown[0] == "0"
    # The next ones ahead, not the past.
    assert {int(number) % 28 + 1 for number in shown[1:]} <= {14, 15}
    assert "1,118 of 1,168 hearings are not shown in full: --all shows every one." in text
    assert len(text.splitlines()) < 400
    whole = to_text(many(1168), everything=True)
    assert len(re.findall(r" - Hearing \d+$", whole, re.M)) == 1168
    assert "--all" not in whole


def test_what_is_left_out_is_counted_committee_by_committee() -> None:
    text = to_text(many(1168))
    shown = len(re.findall(r" - Hearing \d+$", text, re.M)) - 1
    more = [int(number) for number in re.findall(r"\.\.\. and (\d+) more new", text)]
    also = [int(number) for number in re.findall(r"Committee \d: (\d+) new", text)]
    assert shown + sum(more) + sum(also) == 1167


# --- the page ----------------------------------------------------------------------------------


@pytest.fixture
def page(changed: World) -> Path:
    path = changed.folder / "news.html"
    tool(changed, "report", "--format", "html", "--output", str(path))
    return path


def test_the_page_takes_titles_as_text_and_links_only_to_the_web(page: Path) -> None:
    html = page.read_text()
    assert "&lt;script&gt;alert(" in html and "{{ 7 * 7 }}" in html
    assert "<script" not in html and "<img" not in html and "<b>" not in html
    assert "\x1b" not in html
    links = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert "https://docs.house.gov/n.pdf?a=1&amp;b=2" in links
    assert all(link.startswith(("https://", "#")) for link in links), links
    assert "Hearing Notice: &lt;b&gt;Bad&lt;/b&gt;" in html


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://docs.house.gov/a.pdf", True),
        ("HTTP://example.org/", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://a b", False),
        ('https://a"onclick=x', False),
        (None, False),
    ],
)
def test_only_addresses_of_the_web_are_linked(url: str | None, good: bool) -> None:
    assert web(url) == (url if good else None)


def test_the_page_of_a_first_full_load_is_bounded() -> None:
    assert to_html(many(1168)).count("<article") == 200
    assert to_html(many(1168), everything=True).count("<article") == 1168


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
    )
    if not path:
        pytest.skip("no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_page_without_asking_for_anything_else(
    page: Path, browser: Any, scheme: str
) -> None:
    shown = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    asked: list[str] = []
    told: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("console", lambda message: told.append(message.text))
    shown.on("dialog", lambda dialog: told.append(dialog.message))
    shown.goto(page.as_uri())
    assert asked == [page.as_uri()] and told == []
    assert shown.evaluate("document.documentElement.scrollWidth") == 390
    paper = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", paper)[:3])
    assert brightness > 700 if scheme == "light" else brightness < 100
    assert shown.locator("article").count() == 4
    assert "Wed Nov 12, 2025, 10:00 AM EST" in shown.inner_text("#e1")
    shown.emulate_media(media="print")
    paper = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    shown.close()
