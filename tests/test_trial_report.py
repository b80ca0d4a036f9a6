"""The trial's report, from folders as the steps leave them."""

import json
import re
import sys
from datetime import timedelta
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
    read,
    rendered,
    row,
    rows,
)
from helpers_trial import BEGUN, Folder, observed
from updaters.health import check
from updaters.health.collect import append
from updaters.health.render import text as health_text
from updaters.trial_gate import findings, observe
from updaters.trial_gate.report import render
from updaters.trial_gate.trial import HEALTH, Trial

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
    assert "Data corruption or loss was found (R2)." in text
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
        *("Environment checklist", "2025-10-13 08:00:00 -04:00", "2025-10-13 08:07:00 -04:00"),
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


def watch(trial: Trial, hours: int) -> None:
    """One check an hour, as `hearing-updater monitor --log` adds them."""
    (trial.out / HEALTH).unlink()
    for hour in range(hours):
        found = check(trial.about["database"], now=BEGUN + timedelta(hours=hour))
        append(trial.out / HEALTH, health_text(found))


def test_a_health_log_as_monitor_writes_it_is_read(
    plotted: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = observe.collected
    trial = plotted.write()
    monkeypatch.setattr(observe, "collected", collected)
    watch(trial, hours=3)
    text = rendered(trial)
    assert "3 health checks from 2025-10-13 " in text
    assert "0 ok, 0 with warnings, 3 critical." in text
    assert row(text, "database")[1:3] == ["critical", "3"]
    assert "- [x] Hourly health checks running (3 checks, 2.0 of 24 hours covered)" in text
    assert "- [ ] No anomalies detected (3 of 3 checks critical, in 2.0 hours)" in text
    assert read(trial, PAGE).count("<svg") == 4
    real = observe.collected(trial, 48.0)
    made = observed()
    assert set(made) <= set(real)
    assert set(made["checks"][0]) <= set(real["checks"][0])
    assert set(made["phases"][0]) == set(real["phases"][0])


def test_one_check_is_no_hourly_one(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    collected = observe.collected
    trial = folder.write()
    monkeypatch.setattr(observe, "collected", collected)
    watch(trial, hours=1)
    text = rendered(trial)
    assert "- [ ] Hourly health checks running (1 check, 0.0 of 24 hours covered)" in text


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
    # Looked at a day later.
    plotted.observed = {**observed(), "last_age_hours": 24.1}
    plotted.watch()
    render(trial)
    assert {name: read(trial, name) for name in names} == first
