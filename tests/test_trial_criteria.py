"""What the trial gate judges, from what was measured, and what it recommends."""

import copy
from typing import Any

import pytest

from updaters.trial_gate.criteria import FAIL, NOT_MEASURED, PASS, judge
from updaters.trial_gate.recommendation import recommend

METRICS = {
    "hearings_updated": 60,
    "hearings_added": 60,
    "batch_processing": {"batch_count": 3, "batches_succeeded": 3, "batches_failed": 0},
}
SECONDS = {"median": 2.0, "min": 1.9, "max": 2.2, "values": [2.0, 1.9, 2.2]}
FLAG = {"name": "The flag is off by default", "ok": True, "seen": "default False, now False"}
FAILED_BATCH = {"batch": 1, "error": "Validation failed", "issues": ["Item 1 (7): no date"]}

GOOD: dict[str, Any] = {
    "verify": {"checks": [FLAG], "passed": True},
    "batch": {
        "runs": [{"exit_code": 0}] * 3,
        "duration_seconds": SECONDS,
        "baseline_seconds": SECONDS,
        "difference_percent": 3.0,
        "metrics": METRICS,
    },
    "large": {
        "duration_seconds": SECONDS,
        "changes": 600,
        "enough": True,
        "metrics": {**METRICS, "hearings_updated": 540, "batch_processing": {"batch_count": 12}},
    },
    "memory": {"runs": {"batch": {"increase_mb": 42.0}}, "increase_mb": 42.0},
    "micro": {
        "checkpoint_ms": {"median": 0.5, "max": 0.9, "values": [0.5, 0.9]},
        "validate_ms": {"median": 1.5, "max": 2.0, "values": [1.5, 2.0]},
    },
    "toggle": {
        "runs": [{"exit_code": 0, "as_expected": True}] * 9,
        "as_expected": 9,
        "switches": 8,
    },
    "failures": {
        "cases": {
            "one_in_thousand": {
                "title": "One in 1000",
                "passed": True,
                "seen": "19 of 20",
                "batch_count": 20,
                "batches_succeeded": 19,
                "records": 1000,
                "records_stored": 950,
                "failure_named": True,
                "batch_errors": [FAILED_BATCH],
            },
            "dies_half_way": {
                "title": "Dies",
                "passed": True,
                "seen": "no trace",
                "batch_errors": [FAILED_BATCH],
            },
            "plan_script": {
                "title": "Script",
                "passed": True,
                "seen": "2, 1, 1",
                "batch_errors": [FAILED_BATCH],
            },
            "rollback": {"passed": True, "rollbacks": 6, "exact": 6, "rows_compared": 5000},
            "fails_after_commit": {"passed": True, "rows_compared": 900},
            "disk_full": {"title": "Disk", "passed": True, "seen": "0 rows", "intact": True},
        }
    },
    "integrity": {"databases": {"batch": {"passed": True}}, "same": {"differences": []}},
    "observe": {
        "hours_covered": 48.0,
        "covered": True,
        "hours": 48.0,
        "count": 49,
        "corruption": [],
        "statuses": {"ok": 49, "warning": 0, "critical": 0},
        "phases": [
            {"mode": "plain", "hours_covered": 24.0},
            {"mode": "batch", "hours_covered": 24.0},
        ],
    },
}


def results(**changes: Any) -> dict[str, Any]:
    """Good ones, but for `step__key=value`, with more underscores for deeper keys."""
    found = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *way, last = path.split("__")
        place = found
        for key in way:
            place = place[key]
        place[last] = value
    return found


def outcome(number: str, found: dict[str, Any]) -> str:
    return next(entry["outcome"] for entry in judge(found) if entry["id"] == number)


def test_all_criteria_of_the_plan_are_judged_in_its_order() -> None:
    expected = [f"P{n}" for n in range(1, 6)] + [f"R{n}" for n in range(1, 5)]
    expected += [f"F{n}" for n in range(1, 6)]
    assert [entry["id"] for entry in judge(GOOD)] == expected
    assert {entry["outcome"] for entry in judge(GOOD)} == {PASS}
    for entry in judge(GOOD):
        assert all(entry[key] for key in ("what", "target", "how", "measured"))


def test_nothing_passes_that_was_not_measured() -> None:
    assert {entry["outcome"] for entry in judge({})} == {NOT_MEASURED}
    assert recommend(judge({}), {}, 48.0)["verdict"] == "iterate"


CASE = "failures__cases__one_in_thousand__"


@pytest.mark.parametrize(
    ("number", "changes", "expected"),
    [
        ("P1", {"large__duration_seconds": {**SECONDS, "median": 5.0}}, FAIL),
        ("P1", {"large__enough": False, "large__changes": 312}, NOT_MEASURED),
        ("P1", {"large__metrics__batch_processing__batches_failed": 1}, FAIL),
        (
            "P4",
            {"batch__metrics__hearings_updated": 0, "batch__metrics__hearings_added": 0},
            NOT_MEASURED,
        ),
        (
            "P5",
            {"batch__metrics__hearings_updated": 0, "batch__metrics__hearings_added": 0},
            NOT_MEASURED,
        ),
        ("F2", {"failures__cases__dies_half_way__passed": None}, NOT_MEASURED),
        ("F4", {"failures__cases__dies_half_way__passed": None}, NOT_MEASURED),
        (
            "R3",
            {
                "failures__cases__fails_after_commit__passed": None,
                "failures__cases__fails_after_commit__seen": "none",
            },
            NOT_MEASURED,
        ),
        ("P2", {"micro__checkpoint_ms__max": 50.0}, FAIL),
        ("P3", {"micro__validate_ms__max": 200.0}, FAIL),
        ("P4", {"memory__increase_mb": 100.0}, FAIL),
        ("P5", {"batch__difference_percent": 10.1}, FAIL),
        ("P5", {"batch__difference_percent": 10.0}, PASS),
        ("P5", {"batch__difference_percent": -30.0}, PASS),
        ("R1", {CASE + "batches_succeeded": 18}, FAIL),
        ("F3", {CASE + "records_stored": 949}, FAIL),
        ("R2", {"integrity__databases__batch__passed": False}, FAIL),
        ("R2", {"integrity__same__differences": [{"table": "hearings"}]}, FAIL),
        ("R2", {"observe__corruption": [{"time": "2026-01-01", "message": "damaged"}]}, FAIL),
        ("R3", {"failures__cases__rollback__exact": 5}, FAIL),
        ("R3", {"failures__cases__fails_after_commit__passed": False}, FAIL),
        ("R4", {"toggle__as_expected": 8}, FAIL),
        ("F5", {"toggle__as_expected": 8}, FAIL),
        ("F5", {"verify__checks": [{**FLAG, "ok": False}]}, FAIL),
        ("F1", {"batch__metrics__batch_processing__batch_count": 2}, FAIL),
        ("F2", {"failures__cases__dies_half_way__passed": False}, FAIL),
        ("F4", {"failures__cases__dies_half_way__batch_errors": []}, FAIL),
        ("F4", {CASE + "failure_named": False}, FAIL),
    ],
)
def test_a_criterion_at_its_limit(number: str, changes: dict[str, Any], expected: str) -> None:
    assert outcome(number, results(**changes)) == expected


def test_batches_and_records_are_told_for_partial_success() -> None:
    for number in ("R1", "F3"):
        told = next(entry["measured"] for entry in judge(GOOD) if entry["id"] == number)
        assert "batches: 19 of 20 (95.0 %)" in told
        assert "records: 950 of 1000 (95.0 %)" in told


def verdict(found: dict[str, Any]) -> dict[str, Any]:
    return recommend(judge(found), found, 48.0)


def test_all_met_is_to_proceed() -> None:
    assert verdict(GOOD)["verdict"] == "proceed"
    assert verdict(GOOD)["conditions"] == []


def test_hours_that_were_not_watched_are_a_condition() -> None:
    found = results(observe__hours_covered=3.5, observe__covered=False)
    assert verdict(found)["verdict"] == "proceed"
    assert "3.5 of 48 hours" in verdict(found)["conditions"][0]


def test_what_could_not_be_tried_here_is_a_condition() -> None:
    found = results(failures__cases__disk_full__passed=None, integrity__same=None)
    assert verdict(found)["verdict"] == "proceed"
    assert verdict(found)["conditions"] == [
        "Disk could not be tried: 0 rows.",
        "What both modes stored was not compared row by row.",
    ]


def test_hours_with_batches_are_half_of_them() -> None:
    found = results(observe__phases=[{"mode": "plain", "hours_covered": 48.0}])
    assert verdict(found)["conditions"] == [
        "Of the observation, 0.0 hours were with batches; the plan wants 24."
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"memory__increase_mb": 120.0}, "iterate"),
        ({"large__enough": False}, "iterate"),
        ({"observe__statuses": {"ok": 40, "warning": 0, "critical": 9}}, "iterate"),
        ({"batch__difference_percent": 30.0}, "iterate"),
        ({"batch__difference_percent": 51.0}, "abort"),
        ({"failures__cases__disk_full__passed": False}, "iterate"),
        ({"verify__checks": [FLAG, {"name": "Tests", "ok": False, "seen": "1 failed"}]}, "iterate"),
        ({"batch__runs": [{"exit_code": -11}, {"exit_code": 0}]}, "iterate"),
        ({"batch__runs": [{"exit_code": 0, "metrics": {"error_count": 9}}]}, "iterate"),
        (
            {
                "batch__runs": [
                    {"exit_code": 0, "metrics": {"batch_processing": {"batches_failed": 1}}}
                ]
            },
            "iterate",
        ),
        ({"batch__runs": [{"exit_code": -11}, {"exit_code": 1}]}, "abort"),
        (
            {
                "failures__cases__disk_full__passed": False,
                "failures__cases__disk_full__intact": False,
            },
            "abort",
        ),
        ({"integrity__databases__batch__passed": False}, "abort"),
        (
            {
                "toggle__runs": [{"exit_code": 1, "as_expected": False}] * 2,
                "toggle__as_expected": 0,
            },
            "abort",
        ),
    ],
)
def test_the_recommendation_goes_by_the_plans_rules(changes: dict[str, Any], expected: str) -> None:
    found = verdict(results(**changes))
    assert found["verdict"] == expected
    assert found["why"]
