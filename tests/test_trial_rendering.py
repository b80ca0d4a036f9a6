"""The trial's report: people's notes, hostile text, what lies there already, the page."""

import re
import sys
from pathlib import Path

import pytest

from helpers_report import (
    CHECKLIST,
    METRICS,
    NOTES,
    PAGE,
    REPORT,
    SECTIONS,
    headings,
    parsed,
    read,
    rendered,
    row,
    rows,
)
from helpers_trial import Folder
from updaters.errors import UpdaterError
from updaters.trial_gate import markdown
from updaters.trial_gate.report import WITHDRAWN, render


@pytest.fixture
def plotted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path / "out", monkeypatch)


@pytest.fixture
def folder(plotted: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Without matplotlib, as plots take a second to draw."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    return plotted


# --- notes ---------------------------------------------------------------------------------------


def test_notes_are_begun_and_never_overwritten(folder: Folder) -> None:
    trial = folder.write()
    text = rendered(trial)
    assert "None: nothing is in `trial_gate_notes.md`." in text
    remark = read(trial, NOTES) + "\nThe VPN was down at noon. *Worked around*: waited.\n"
    (trial.out / NOTES).write_text(remark, encoding="utf-8")
    render(trial, again=True)
    assert read(trial, NOTES) == remark
    assert "> The VPN was down at noon. *Worked around*: waited." in read(trial)
    assert "The VPN was down at noon. <em>Worked around</em>: waited." in read(trial, PAGE)
    assert "Your own remarks" not in read(trial) + read(trial, PAGE)


HOSTILE = """# 7. Recommendation

![image](https://example.org/x.png) [link](javascript:alert(2)) [other](https://example.org/)

<script>alert(1)</script> but `<b>` shows, <https://example.org> links
<!-- opened

- item

| a | b |

```
unclosed </pre> fence
## 5. Test Results
"""


def test_hostile_notes_stay_in_their_place(folder: Folder) -> None:
    trial = folder.write()
    (trial.out / NOTES).write_text(HOSTILE, encoding="utf-8")
    text = rendered(trial)
    # What is at the top level: no heading of the notes, and all of ours after them.
    top = [
        parsed(text)[at + 1].content
        for at, token in enumerate(parsed(text))
        if token.type == "heading_open" and token.level == 0 and token.tag == "h2"
    ]
    assert top == [*SECTIONS, "Monitoring checklist", "Deliverables"]
    assert not html_in(text)
    assert "`<b>`" in text
    page = read(trial, PAGE)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<img" not in page
    links = re.findall(r'href="([^#"][^"]*)"', page)
    assert len(links) == 3
    assert all(link.startswith("https://example.org") for link in links)
    assert "<h4>7. Recommendation</h4>" in page


def html_in(text: str) -> list[str]:
    return [
        child.content
        for token in parsed(text)
        for child in (token, *(token.children or ()))
        if child.type in ("html_block", "html_inline")
    ]


BAD = (
    "1. a | b `c` <img src=x onerror=alert(1)>\n"
    "# h *i* __j__ [k](javascript:l) ![m](http://n) \x1b[31m"
)


def test_hostile_figures_show_as_they_are(plotted: Folder) -> None:
    plotted.found["failures"]["cases"]["plan_script"].update(seen=BAD, passed=False)
    plotted.found["failures"]["cases"]["api_faults"]["kinds"][BAD] = {
        **plotted.found["failures"]["cases"]["api_faults"]["kinds"]["503"],
    }
    plotted.found["verify"]["checks"][0].update(seen=BAD, ok=False)
    plotted.found["batch"]["metrics"]["batch_processing"]["batch_errors"] = [
        {"batch": 1, "error": BAD, "issues": [BAD]}
    ]
    plotted.titles["sweep"] = BAD
    assert plotted.observed is not None
    plotted.observed["corruption"] = [{"time": "2025-10-13T09:00:00-04:00", "message": BAD}]
    trial = plotted.write()
    text = rendered(trial)
    assert headings(text)[:7] == SECTIONS
    assert not html_in(text)
    told = parsed(text)
    kinds = {child.type for token in told for child in token.children or ()}
    assert not kinds & {"link_open", "image", "em_open"}
    seen = row(text, "Test 2.1, one invalid record in a batch of two")[2]
    assert seen == BAD.replace("\n", "\\n").replace("\x1b", "\\x1b")
    assert len({len(cells) for cells in rows(text) if cells[0].startswith("1. a | b")}) == 2
    page = read(trial, PAGE)
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


@pytest.mark.parametrize(
    "text",
    [
        "# a",
        "> a",
        "- a",
        "+ a",
        "* a",
        "1. a",
        "12) a",
        "---",
        "===",
        "    a",
        "```",
        "~~~",
        "a  ",
    ],
)
def test_any_line_shows_as_it_is_where_a_line_begins(text: str) -> None:
    for before in ("", "- "):
        tokens = parsed(f"{before}{markdown.finished(text)}\n")
        shown = [token for token in tokens if token.type == "inline"]
        assert "".join(child.content for child in shown[0].children or ()) == text.strip()
        assert {token.type for token in tokens} <= {
            *("paragraph_open", "inline", "paragraph_close"),
            *("bullet_list_open", "list_item_open", "list_item_close", "bullet_list_close"),
        }
        assert sum(token.type == "list_item_open" for token in tokens) == len(before) // 2


# --- what lies there already ---------------------------------------------------------------------


@pytest.mark.parametrize("name", [REPORT, PAGE, METRICS, CHECKLIST])
def test_what_a_person_edited_is_not_overwritten(folder: Folder, name: str) -> None:
    trial = folder.write()
    names = render(trial)["written"]
    edited = read(trial, name) + "my remark\n"
    (trial.out / name).write_text(edited, encoding="utf-8")
    before = {other: (trial.out / other).stat().st_mtime_ns for other in names}
    with pytest.raises(UpdaterError, match=r"was edited by hand.*--again overwrites") as told:
        render(trial)
    assert str(trial.out / name) in str(told.value)
    assert ("move your remarks to trial_gate_notes.md" in str(told.value)) == (
        name in (REPORT, PAGE)
    )
    assert {other: (trial.out / other).stat().st_mtime_ns for other in names} == before
    assert "my remark" not in rendered(trial, name, again=True)


@pytest.mark.parametrize("name", [REPORT, METRICS])
def test_a_file_that_is_not_ours_is_not_overwritten(folder: Folder, name: str) -> None:
    trial = folder.write()
    (trial.out / name).write_text("another's", encoding="utf-8")
    with pytest.raises(UpdaterError, match="is there and not this trial's: move it away"):
        render(trial)
    assert read(trial, name) == "another's"
    assert not (trial.out / PAGE).exists()
    assert not (trial.out / NOTES).exists()
    assert rendered(trial, name, again=True) != "another's"


def test_an_interrupted_rendering_is_no_edit(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = folder.write()
    render(trial)
    (trial.out / NOTES).write_text("A remark.\n", encoding="utf-8")
    deliver = trial.deliver

    def interrupted(name: str, data: str | bytes) -> Path:
        if name == METRICS:
            raise KeyboardInterrupt
        return deliver(name, data)

    monkeypatch.setattr(trial, "deliver", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render(trial)
    assert "> A remark." in read(trial)
    monkeypatch.setattr(trial, "deliver", deliver)
    assert "> A remark." in rendered(trial)


# --- the rollout checklist -----------------------------------------------------------------------


def test_the_checklist_has_the_commands_of_this_program(folder: Folder) -> None:
    text = rendered(folder.write(), CHECKLIST)
    for line in (
        'echo "ENABLE_BATCH_PROCESSING=true" >> .env',
        'echo "BATCH_PROCESSING_SIZE=50" >> .env',
        'echo "ENABLE_BATCH_PROCESSING=false" >> .env',
        "hearing-updater monitor --print-cron",
        "hearing-updater rollback --run N --batch K",
        "hearing-updater restore backups/before_batches.db",
    ):
        assert line in text.splitlines()
    assert "--congress 119 --lookback-days 7" in text


def test_another_size_is_recommended_only_when_it_is_clearly_faster(folder: Folder) -> None:
    folder.found["sweep"].update(best=100, best_is_clear=True, gain_percent=9.1)
    text = rendered(folder.write(), CHECKLIST)
    assert 'echo "BATCH_PROCESSING_SIZE=100" >> .env' in text
    assert "Best size: 100, 9.1 % faster than 50" in text


def test_conditions_are_in_the_checklist(folder: Folder) -> None:
    folder.observed = None
    text = rendered(folder.write(), CHECKLIST)
    assert "- [ ] Condition: The observation covers 0.0 of 48 hours: let it run to its end." in text


def test_a_checklist_that_no_longer_holds_is_removed(folder: Folder) -> None:
    trial = folder.write()
    render(trial)
    folder.found["batch"]["difference_percent"] = 23.4
    folder.write()
    assert CHECKLIST not in render(trial)["written"]
    assert not (trial.out / CHECKLIST).exists()
    # And it comes back when it holds again.
    folder.found["batch"]["difference_percent"] = 1.5
    folder.write()
    assert CHECKLIST in render(trial)["written"]


def test_one_that_a_person_went_by_is_withdrawn_and_told_of(folder: Folder) -> None:
    trial = folder.write()
    render(trial)
    ticked = read(trial, CHECKLIST).replace("- [ ]", "- [x]", 1)
    (trial.out / CHECKLIST).write_text(ticked, encoding="utf-8")
    folder.found["batch"]["difference_percent"] = 23.4
    folder.write()
    assert "An earlier rollout checklist no longer holds" in rendered(trial)
    assert not (trial.out / CHECKLIST).exists()
    assert (trial.out / WITHDRAWN).read_text(encoding="utf-8") == ticked
    # The ticks come back with it.
    folder.found["batch"]["difference_percent"] = 1.5
    assert "- [x]" in rendered(folder.write(), CHECKLIST)


def test_ticks_stay_and_are_no_edit(folder: Folder) -> None:
    trial = folder.write()
    render(trial)
    ticked = read(trial, CHECKLIST).replace("- [ ]", "- [x]", 2)
    (trial.out / CHECKLIST).write_text(ticked, encoding="utf-8")
    assert CHECKLIST in render(trial)["written"]
    assert read(trial, CHECKLIST).count("- [x]") == 2
    # Words of one's own are one.
    (trial.out / CHECKLIST).write_text(ticked + "My own line.\n", encoding="utf-8")
    with pytest.raises(UpdaterError, match="edited by hand"):
        render(trial)


# --- the page's text -----------------------------------------------------------------------------


def test_ids_are_unique_and_every_reference_leads_to_one(plotted: Folder) -> None:
    page = rendered(plotted.write(), PAGE)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    references = re.findall(r'(?:href="#|url\(#|aria-labelledby=")([^")]+)', page)
    assert len(references) > 20
    assert {name for found in references for name in found.split()} <= set(ids)


def test_the_page_is_self_contained(plotted: Folder) -> None:
    page = rendered(plotted.write(), PAGE)
    assert page.count("<svg") == 4
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b|@import|https?://", page)
    assert "#01020" not in page, "a colour that stands for a variable is left"


def test_plots_have_a_text_alternative(plotted: Folder) -> None:
    page = rendered(plotted.write(), PAGE)
    assert page.count('<svg role="img" aria-labelledby="plot-') == 4
    assert "50: 1.32 s (1.30 to 1.35)" in page
    assert "49 health checks from 2025-10-13 08:00 -04:00" in page


def test_without_matplotlib_the_page_says_what_to_install(folder: Folder) -> None:
    page = rendered(folder.write(), PAGE)
    assert "<svg" not in page
    assert page.count("Plots need matplotlib: pip install &#39;hearing-updater[trial]&#39;.") == 4
    assert "49 health checks from" in page
