"""The trial's page, in a browser: on a phone, on a desk, in the dark, on paper."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from helpers_report import NOTES, PAGE
from helpers_trial import Folder, observed
from updaters.trial_gate.report import render

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
PLOTS = ("sizes", "compared", "memory", "health")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # No sandbox: containers run as root.
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page for each kind of trial: all well, in trouble, and with gaps."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("whole", "trouble", "partial"):
            folder = Folder(tmp_path_factory.mktemp(kind) / "out", patch)
            if kind == "trouble":
                folder.observed = observed(critical=3, missing=range(10, 14))
                folder.found["failures"]["cases"]["rollback"].update(
                    passed=False, exact=11, seen="x" * 300 + " <b>not</b> & exact"
                )
                folder.found["integrity"]["databases"]["batch"]["passed"] = False
            if kind == "partial":
                folder.only("verify", "baseline", "batch")
                folder.observed = None
            trial = folder.write()
            (trial.out / NOTES).write_text(
                f"Seen:\n\n    {'long' * 100}\n\n<script>document.title = 'taken'</script>\n",
                encoding="utf-8",
            )
            render(trial)
            made[kind] = trial.out / PAGE
    return made


class Opened:
    """A page, and what it asked for or complained of."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path.as_uri())

    def ask(self, script: str, given: Any = None) -> Any:
        return self.page.evaluate(script, given)


@pytest.fixture
def open_page(browser: Browser, files: dict[str, Path]) -> Iterator[Any]:
    contexts = []

    def open_it(kind: str = "whole", width: int = 1280, scheme: Any = "light") -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        return Opened(context.new_page(), files[kind])

    yield open_it
    for context in contexts:
        context.close()


KINDS = pytest.mark.parametrize("kind", ["whole", "trouble", "partial"])


@KINDS
def test_it_asks_for_nothing_and_complains_of_nothing(
    open_page: Any, files: dict[str, Path], kind: str
) -> None:
    opened = open_page(kind)
    assert opened.requests == [files[kind].as_uri()]
    assert opened.complaints == []
    assert opened.page.title().startswith("Trial Gate Report: ")


@KINDS
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_runs_over_the_side(open_page: Any, kind: str, width: int) -> None:
    opened = open_page(kind, width)
    assert opened.ask("document.documentElement.scrollWidth") <= width
    # What is wider than the page scrolls in its own box.
    over = opened.ask(
        """width => [...document.querySelectorAll('body *')].filter(element => {
            const box = element.getBoundingClientRect();
            return box.width && (box.right > width + 0.5 || box.left < -0.5)
                && !element.closest('.scroll') && !element.closest('svg');
        }).map(element => element.outerHTML.slice(0, 80))""",
        width,
    )
    assert over == []


@pytest.mark.parametrize("width", [390, 1280])
def test_all_plots_are_drawn(open_page: Any, width: int) -> None:
    opened = open_page("whole", width)
    for name in PLOTS:
        seen = opened.ask(
            """name => {
                const svg = document.querySelector(`#plot-${name} svg`);
                const frame = svg.getBoundingClientRect();
                const marks = [...svg.querySelectorAll('path, use')].filter(mark => {
                    const style = getComputedStyle(mark), box = mark.getBoundingClientRect();
                    return (style.stroke !== 'none' || style.fill !== 'none')
                        && box.width + box.height > 0
                        && box.right > frame.left && box.left < frame.right;
                });
                const texts = [...svg.querySelectorAll('text')].map(text => ({
                    size: text.getBoundingClientRect().height, said: text.textContent.trim(),
                }));
                return {width: frame.width, height: frame.height, marks: marks.length, texts,
                    role: svg.getAttribute('role'), title: svg.querySelector('title').textContent};
            }""",
            name,
        )
        assert seen["width"] > 250
        assert seen["height"] > 150
        assert seen["marks"] > 20, name
        assert len(seen["texts"]) > 5
        # Readable on a phone, too.
        assert min(text["size"] for text in seen["texts"]) >= 9, name
        assert seen["role"] == "img"
        assert seen["title"]


def test_the_plots_have_their_data(open_page: Any) -> None:
    opened = open_page()
    said = opened.ask(
        "[...document.querySelectorAll('#plot-sizes text')].map(text => text.textContent.trim())"
    )
    assert {"25", "50", "100", "200", "1.38", "1.32", "1.29", "1.30"} <= set(said)
    # One mark for each check, in the colour of its status.
    marks = opened.ask(
        """colour => {
            const probe = document.createElement('i');
            probe.style.color = `var(${colour})`; document.body.append(probe);
            const wanted = getComputedStyle(probe).color; probe.remove();
            return [...document.querySelectorAll('#plot-health path')]
                .filter(path => getComputedStyle(path).stroke === wanted).length;
        }""",
        "--ok",
    )
    assert marks == 49


#: Text against what is behind it, by WCAG.
CONTRAST = """selector => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const [r, g, b] = numbers(colour).slice(0, 3).map(value => value / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor, parts = numbers(colour);
            if (parts.length < 4 || parts[3] === 1) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    return [...document.querySelectorAll(selector)].map(element => {
        const style = getComputedStyle(element);
        const text = element.closest('svg') ? style.fill : style.color;
        const [high, low] = [light(text), light(behind(element))].sort((a, b) => b - a);
        return {ratio: (high + 0.05) / (low + 0.05), text: element.textContent.slice(0, 40)};
    });
}"""
#: All that holds text.
TEXTS = "p, li, th, td, dt, dd, h1, h2, h3, a, small, caption, figcaption, code, .badge, .notes"


@KINDS
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(open_page: Any, kind: str, scheme: str) -> None:
    opened = open_page(kind, 1280, scheme)
    found = opened.ask(CONTRAST, f"{TEXTS}, figure svg text")
    assert len(found) > 100
    assert [one for one in found if one["ratio"] < 4.5] == []
    badges = opened.ask(CONTRAST, ".badge")
    assert len(badges) > 20


def test_the_dark_page_is_dark(open_page: Any) -> None:
    colours = (
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    label = "getComputedStyle(document.querySelector('#plot-sizes text')).fill"
    day, night = open_page(scheme="light"), open_page(scheme="dark")
    assert day.ask(colours) == ["rgb(247, 247, 244)", "rgb(29, 33, 37)"]
    assert night.ask(colours) == ["rgb(19, 22, 25)", "rgb(228, 231, 234)"]
    assert day.ask(label) != night.ask(label)


@KINDS
def test_it_prints_light_and_whole(open_page: Any, kind: str) -> None:
    opened = open_page(kind, 718, "dark")
    opened.page.emulate_media(media="print")
    assert opened.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert [one for one in opened.ask(CONTRAST, TEXTS) if one["ratio"] < 4.5] == []
    # Paper does not scroll: every table fits.
    cut = opened.ask(
        """() => [...document.querySelectorAll('table')]
            .filter(table => table.scrollWidth > table.parentElement.clientWidth + 1
                || table.getBoundingClientRect().right > innerWidth)
            .map(table => table.caption.textContent)"""
    )
    assert cut == []
    printed = opened.page.pdf(prefer_css_page_size=True, print_background=True)
    assert printed.startswith(b"%PDF")
    assert 2 <= printed.count(b"/Type /Page\n") <= 14


def test_outcomes_are_told_in_words(open_page: Any) -> None:
    opened = open_page("trouble", 390)
    told = opened.ask(
        """() => Object.fromEntries([...document.querySelectorAll('.criteria tbody tr')]
            .map(row => [row.id, row.querySelector('.badge').textContent]))"""
    )
    assert len(told) == 14
    assert told["R2"] == "FAIL"
    assert told["R3"] == "FAIL"
    assert told["P1"] == "PASS"
    assert opened.ask("document.querySelector('.verdict .word').textContent") == (
        "Abort: critical issues"
    )


def test_tables_that_scroll_can_be_reached_by_keyboard(open_page: Any) -> None:
    opened = open_page("trouble", 390)
    unreachable = opened.ask(
        """() => [...document.querySelectorAll('.scroll')]
            .filter(box => box.tabIndex !== 0 || !box.getAttribute('aria-label')).length"""
    )
    assert unreachable == 0
