"""The value classes: names, shapes and order are read by other programs."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from updaters.values import BatchResult, Checkpoint, UpdateMetrics, plain

ALWAYS = [
    "start_time",
    "end_time",
    "duration_seconds",
    "hearings_checked",
    "hearings_updated",
    "hearings_added",
    "committees_updated",
    "witnesses_updated",
    "api_requests",
    "error_count",
    "errors",
    "validation_passed",
    "validation_warnings",
    "validation_issues",
]


def test_a_new_metrics_object_is_running_and_empty() -> None:
    metrics = UpdateMetrics()
    assert isinstance(metrics.start_time, datetime)
    assert metrics.duration() is None
    assert metrics.to_dict()["duration_seconds"] is None
    assert list(metrics.to_dict()) == ALWAYS


def test_duration_is_end_minus_start() -> None:
    metrics = UpdateMetrics()
    metrics.end_time = metrics.start_time + timedelta(seconds=2.5)
    assert metrics.duration() == timedelta(seconds=2.5)
    assert metrics.to_dict()["duration_seconds"] == 2.5


def test_blocks_appear_only_when_enabled_and_in_order() -> None:
    metrics = UpdateMetrics()
    metrics.deferred.append({"event_id": "1", "reason": "HTTP 500"})
    metrics.historical_validation_enabled = True
    metrics.batch_processing_enabled = True
    metrics.batch_errors.append({"batch": 2, "error": "Validation failed", "issues": ["x"]})
    result = metrics.to_dict()
    assert list(result) == [*ALWAYS, "batch_processing", "historical_validation", "deferred"]
    assert result["batch_processing"] == {
        "enabled": True,
        "batch_count": 0,
        "batches_succeeded": 0,
        "batches_failed": 0,
        "batch_errors": [{"batch": 2, "error": "Validation failed", "issues": ["x"]}],
    }
    assert list(result["historical_validation"]) == [
        "enabled",
        "anomaly_count",
        "anomalies",
        "alert_triggered",
    ]


def test_metrics_are_json_whatever_callers_append() -> None:
    metrics = UpdateMetrics()
    metrics.batch_processing_enabled = True
    metrics.errors.append(ValueError("odd"))  # type: ignore[arg-type]
    metrics.batch_errors.append({"batch": 1, "error": OSError("full"), "path": Path("/tmp/x")})
    result = json.loads(json.dumps(metrics.to_dict(), allow_nan=False))
    assert result["errors"] == ["odd"]
    assert result["batch_processing"]["batch_errors"][0]["error"] == "full"


def test_to_dict_is_a_copy() -> None:
    metrics = UpdateMetrics()
    metrics.to_dict()["errors"].append("not ours")
    assert metrics.errors == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.dates(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner) | st.tuples(inner)
        ),
    )
)
def test_plain_always_gives_json(value: object) -> None:
    json.dumps(plain(value), allow_nan=False)


def test_plain_ends_on_a_circle() -> None:
    circle: list[object] = []
    circle.append(circle)
    json.dumps(plain(circle))
    assert plain(date(2025, 10, 13)) == "2025-10-13"


def test_a_checkpoint_keeps_what_it_is_told() -> None:
    checkpoint = Checkpoint(3)
    checkpoint.track_update("E1", {"title": "before"})
    checkpoint.track_addition("E2")
    checkpoint.track_witness_addition(5)
    checkpoint.track_document_addition(6)
    assert checkpoint.batch_number == 3
    assert isinstance(checkpoint.timestamp, datetime)
    assert checkpoint.hearings_to_update == ["E1"]
    assert checkpoint.original_hearing_data == {"E1": {"title": "before"}}
    assert checkpoint.hearings_to_add == ["E2"]
    assert checkpoint.witnesses_to_add == [5]
    assert checkpoint.documents_to_add == [6]
    assert checkpoint.journal_batches == []


@pytest.mark.parametrize(("issues", "kept"), [(None, []), (["a"], ["a"])])
def test_a_batch_result(issues: list[str] | None, kept: list[str]) -> None:
    result = BatchResult(False, 2, "why", issues)
    assert (result.success, result.records, result.error, result.issues) == (False, 2, "why", kept)
    assert result.to_dict() == {"success": False, "records": 2, "error": "why", "issues": kept}
    assert BatchResult(True).to_dict() == {
        "success": True,
        "records": 0,
        "error": None,
        "issues": [],
    }
