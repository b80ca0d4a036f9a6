"""The trial's report, from folders as the steps leave them."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from helpers_trial import Folder, observed
from updaters.errors import UpdaterError
from updaters.trial_gate import findings
from updaters.trial_gate.report import render
from updaters.trial_gate.trial import Trial

REPORT = "DAY_10_12_TRIAL_GATE_REPORT.md"
PAGE = "DAY_10_12_TRIAL_GATE_REPORT.html"
METRICS = "trial_gate_metrics.json"
CHECKLIST = "PRODUCTION_ROLLOUT_CHECKLIST.md"
NOTES = "trial_gate_notes.md"
SECTIONS = [
    "1. Executive Summary",
    "2. Deployment Timeline",
    "3. Performance Results",
    "4. Reliability Results",
    "5. Test Results",
    "6. Issues Identified",
    "7. Recommendation",
]
IDS = (
    [f"P{n}" for n in range(1, 6)] + [f"R{n}" for n in range(1, 5)] + [f"F{n}" for n in range(1, 6)]
)


@pytest.fixture
def plotted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path / "out", monkeypatch)


@pytest.fixture
def folder(plotted: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Without matplotlib, as plots take a second to draw."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    return plotted


def read(trial: Trial, name: str = REPORT) -> str:
    return (trial.out / name).read_text(encoding="utf-8")


def rendered(trial: Trial, name: str = REPORT, **options: Any) -> str:
    render(trial, **options)
    return read(trial, name)


def parsed(text: str) -> list[Any]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def headings(text: str, tag: str = "h2") -> list[str]:
    tokens = parsed(text)
    return [
        tokens[at + 1].content
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == tag
    ]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, as a Markdown program shows them."""
    found: list[list[str]] = []
    for token in parsed(text):
        if token.type == "tr_open":
            found.append([])
        elif token.type == "inline" and found and token.level >= 4:
            found[-1].append("".join(child.content for child in token.children or ()))
    return found


def row(text: str, first: str) -> list[str]:
    return next(cells for cells in rows(text) if cells and cells[0] == first)


def outcomes(text: str) -> dict[str, str]:
    return {cells[0]: cells[-1] for cells in rows(text) if cells and cells[0] in IDS}


def test_a_whole_trial_gives_all_files_and_proceeds(folder: Folder) -> None:
    trial = folder.write()
    found = render(trial)
    assert found["written"] == [REPORT, PAGE, METRICS, CHECKLIST]
    assert found["recommendation"]["verdict"] == "proceed"
    assert [entry["id"] for entry in found["criteria"]] == IDS
    assert all((trial.out / name).is_file() for name in (*found["written"], NOTES))
    assert not list(trial.out.glob(".*.part"))


def test_the_plans_seven_sections_are_there_in_order(folder: Folder) -> None:
    trial = folder.write()
    text = rendered(trial)
    assert headings(text)[:7] == SECTIONS
    page = read(trial, PAGE)
    titles = re.findall(r"<h2><span>(\d)</span> (.*?)</h2>", page)
    assert [f"{number}. {title}" for number, title in titles] == SECTIONS


def test_each_criterion_stands_there_with_all_that_the_plan_asks(folder: Folder) -> None:
    trial = folder.write()
    text = rendered(trial)
    assert outcomes(text) == dict.fromkeys(IDS, "PASS")
    number, what, target, measured, how, outcome = row(text, "P1")
    assert (number, what, target, outcome) == ("P1", "500 hearings processed", "< 5 s", "PASS")
    assert "600 changes in 2.69 s" in measured
    assert "duration_seconds" in how
    for identity in IDS:
        assert f'<tr id="{identity}">' in read(trial, PAGE)
    assert "batches: 19 of 20 (95.0 %), records: 950 of 1000 (95.0 %)" in row(text, "R1")[3]


def test_figures_and_differences(folder: Folder) -> None:
    text = rendered(folder.write())
    assert row(text, "Duration") == ["Duration", "1.30 s", "1.32 s", "+1.5 %"]
    assert row(text, "API requests") == ["API requests", "255"]
    assert ["API requests", "255", "255", "0.0 %"] in rows(text)
    assert row(text, "25")[:5] == ["25", "10", "1.38 s", "1.36 to 1.41 s", "+4.5 %"]
    assert row(text, "100, fastest")[4] == "-2.3 %"
    assert row(text, "Batches, large dataset") == [
        *("Batches, large dataset", "15.7 MB", "63.0 MB", "47.3 MB"),
    ]
    assert row(text, "Checkpoint of 50 updates")[1:] == ["0.51 ms", "0.48 ms", "0.62 ms"]
    assert "Best size: 50, the default. The median of 100 is 2.3 % lower" in text


def test_a_slower_batch_run_fails_p5_and_is_told(folder: Folder) -> None:
    folder.found["batch"]["difference_percent"] = 23.4
    trial = folder.write()
    found = render(trial)
    text = read(trial)
    assert outcomes(text)["P5"] == "FAIL"
    assert found["recommendation"]["verdict"] == "iterate"
    assert "**Overall result: FAIL**" in text
    assert "- P5 (Performance against Phase 2.2): +23.4 %" in text
    assert "- P5: try the sweep's fastest size" in text
    assert "Restart the Trial Gate" in text


def test_corruption_aborts_by_the_plan(folder: Folder) -> None:
    folder.found["integrity"]["databases"]["batch"].update(
        passed=False, integrity_check=["row 17 missing from index"]
    )
    trial = folder.write()
    assert render(trial)["recommendation"]["verdict"] == "abort"
    text = read(trial)
    assert "Data corruption was found (R2)." in text
    assert "Return to Day 8 (Review Gate)" in text
    assert row(text, "after batch")[1] == "row 17 missing from index"
    assert not (trial.out / CHECKLIST).exists()


def test_what_was_not_measured_does_not_pass(plotted: Folder) -> None:
    plotted.only("verify", "baseline", "batch", "micro")
    plotted.observed = None
    trial = plotted.write()
    found = render(trial)
    text = read(trial)
    told = outcomes(text)
    assert {identity for identity, outcome in told.items() if outcome == "PASS"} == {
        *("P2", "P3", "P5", "F1"),
    }
    assert set(told.values()) == {"PASS", "NOT MEASURED"}
    assert found["recommendation"]["verdict"] == "iterate"
    assert "**Overall result: NOT COMPLETE**" in text
    for step in ("sweep", "large", "memory", "failures", "integrity"):
        assert f"Not measured: run `hearing-updater trial-gate {step}`." in text
    assert "P1: measure it: hearing-updater trial-gate large." in text
    assert "Not observed: there are no health checks (0 of 48 hours)." in text
    assert row(text, "Large dataset")[-1] == "not run"
    page = read(trial, PAGE)
    assert page.count("<svg") == 1
    assert "Run <code>hearing-updater trial-gate sweep</code>." in page
    assert json.loads(read(trial, METRICS))["sweep"] is None


def test_a_trial_that_has_measured_nothing_can_be_rendered(folder: Folder) -> None:
    folder.only()
    folder.observed = None
    text = rendered(folder.write())
    assert set(outcomes(text).values()) == {"NOT MEASURED"}
    assert headings(text)[:7] == SECTIONS


def test_the_timeline_has_the_days_with_their_times(folder: Folder) -> None:
    text = rendered(folder.write())
    assert [title for title in headings(text, "h3") if title.startswith("Day 1")][:3] == [
        "Day 10: setup and Phase 2.2 baseline",
        "Day 11: batch processing enabled, observation",
        "Day 12: performance tests, failures, report",
    ]
    assert row(text, "Environment checklist") == [
        *("Environment checklist", "2025-10-13 08:00 -04:00", "2025-10-13 08:07 -04:00"),
        *("7 min 0 s", "done"),
    ]
    assert row(text, "Observation, batch processing")[3:] == ["24.0 h", "24 checks"]


def test_the_observation_says_what_it_really_covers(folder: Folder) -> None:
    folder.observed = observed(critical=2, missing=range(10, 14))
    trial = folder.write()
    found = render(trial)
    text = read(trial)
    assert ", covering 44.5 of 48 hours." in text
    assert "Not watched: 1 gap, the longest 5.0 hours from 2025-10-13 17:00 -04:00." in text
    assert row(text, "last_run")[1:3] == ["critical", "2"]
    assert found["recommendation"]["verdict"] == "iterate"
    assert "Condition: The observation covers 44.5 of 48 hours" in text
    # Errors are counted by each check anew, for its day so far.
    assert row(text, "Errors in the log")[1] == "3"


def test_counts_of_errors_failed_validation_and_rollbacks(folder: Folder) -> None:
    folder.found["baseline"]["runs"][1]["metrics"].update(error_count=4, validation_passed=False)
    text = rendered(folder.write())
    assert ["Errors", "4", "in 16 measured runs"] in rows(text)
    assert row(text, "Validation failures")[1] == "1"
    assert row(text, "Rollback successes")[1] == "12 of 12"
    assert row(text, "Failed batches")[1] == "0 of 61"


def test_the_machine_readable_figures(folder: Folder) -> None:
    found = json.loads(rendered(folder.write(), METRICS))
    assert found["version"] == 1
    assert found["comparison"][0] == {
        "metric": "Duration",
        "unit": "s",
        "phase_22": 1.3,
        "batches": 1.32,
        "difference_percent": 1.5,
    }
    assert found["sweep"]["sizes"]["25"]["duration_seconds"]["median"] == 1.38
    assert found["memory"]["runs"]["large"]["samples"]
    assert found["micro"]["checkpoint_ms"]["median"] == 0.51
    assert found["recommendation"]["verdict"] == "proceed"
    assert found["origin"]["recorded_at"] == "2025-10-13T12:00:00Z"
    assert found["observation"]["hours_covered"] == 48.0
    assert "checks" not in found["observation"]


def test_the_same_trial_gives_the_same_text(
    plotted: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "now", lambda: "2025-10-15T09:00:00-04:00")
    trial = plotted.write()
    names = render(trial)["written"]
    first = {name: read(trial, name) for name in names}
    plotted.observed = observed()
    render(trial)
    assert {name: read(trial, name) for name in names} == first


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


def test_one_that_was_edited_is_left_and_told_of(folder: Folder) -> None:
    trial = folder.write()
    render(trial)
    ticked = read(trial, CHECKLIST).replace("- [ ]", "- [x]", 1)
    (trial.out / CHECKLIST).write_text(ticked, encoding="utf-8")
    folder.found["batch"]["difference_percent"] = 23.4
    folder.write()
    assert f"- {CHECKLIST} is of an earlier rendering" in rendered(trial)
    assert read(trial, CHECKLIST) == ticked


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
