"""The historical validation: a run beside those of the last 90 days."""

import json
import logging
import sqlite3
import statistics
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conftest import query
from helpers_run import MODULE, World, command, digest, make_legacy, metrics_of
from scripts.verify_updates import HistoricalValidator
from updaters import _native
from updaters.daily_updater import DailyUpdater, UpdateMetrics
from updaters.database import Database
from updaters.errors import ConfigurationError, DatabaseError

METRICS = [
    "hearings_checked",
    "hearings_updated",
    "hearings_added",
    "error_count",
    "duration_seconds",
]
ANOMALY = ["metric", "value", "mean", "std_dev", "z_score", "severity"]

#: What a run of the month is like.
USUAL = {
    "hearings_checked": 100,
    "hearings_updated": 10,
    "hearings_added": 3,
    "error_count": 0,
    "duration_seconds": 2.0,
}


def run_of(day: int) -> dict[str, Any]:
    """The figures of the run so many days ago: a little different every day."""
    return {
        **USUAL,
        "hearings_checked": 100 + day % 5,
        "hearings_updated": 10 + day % 3,
        "duration_seconds": 2.0 + day % 2 / 10,
    }


def fill(path: Path, days: int, **columns: Any) -> None:
    """A run for each of the last `days` days, the newest 18 hours ago."""
    rows = []
    for day in range(days, 0, -1):
        start = datetime.now() - timedelta(days=day, hours=-6)
        rows.append(
            {
                "update_date": f"{start:%Y-%m-%d}",
                "start_time": f"{start:%Y-%m-%d %H:%M:%S}",
                "success": 1,
                **run_of(day),
                **columns,
            }
        )
    names = list(rows[0])
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            f"INSERT INTO update_logs ({', '.join(names)}) VALUES (:{', :'.join(names)})", rows
        )


@pytest.fixture
def month(clean_env: Path) -> Path:
    """A database without hearings, with thirty days of runs."""
    path = clean_env / "database.db"
    _native.init_database(str(path))
    fill(path, 30)
    return path


# --- history -------------------------------------------------------------------------------------


def test_history_is_a_dict_for_each_successful_run(month: Path) -> None:
    fill(month, 2, success=0)
    fill(month, 1, hearings_checked=7)
    runs = HistoricalValidator(month).get_historical_data(90)
    assert len(runs) == 31
    assert list(runs[0]) == ["date", "start_time", *METRICS[:5]]
    assert [run["start_time"] for run in runs] == sorted(run["start_time"] for run in runs)
    assert {**runs[0], "date": None, "start_time": None} == {
        **run_of(30),
        "date": None,
        "start_time": None,
    }
    assert runs[0]["date"] == runs[0]["start_time"][:10]
    assert [run["hearings_checked"] for run in runs[-2:]] == [101, 7]


@pytest.mark.parametrize(("days", "runs"), [(0, 0), (1, 1), (8, 8), (90, 30), (10**30, 30)])
def test_it_goes_so_many_days_back(month: Path, days: int, runs: int) -> None:
    assert len(HistoricalValidator(month).get_historical_data(days)) == runs


@pytest.mark.parametrize("days", [-1, "9", None, 1.5, True])
def test_days_that_are_no_number_are_named(month: Path, days: Any) -> None:
    with pytest.raises(ConfigurationError, match="days must be a whole number"):
        HistoricalValidator(month).get_historical_data(days)


def test_statistics_are_those_of_the_runs(month: Path) -> None:
    stats = HistoricalValidator(month).calculate_all_stats()
    assert list(stats) == METRICS
    checked = [run_of(day)["hearings_checked"] for day in range(1, 31)]
    assert stats["hearings_checked"] == pytest.approx(
        {
            "mean": statistics.mean(checked),
            "std_dev": statistics.stdev(checked),
            "min": 100,
            "max": 104,
            "median": statistics.median(checked),
            "count": 30,
        }
    )
    assert stats["error_count"]["std_dev"] == 0


def test_statistics_of_given_runs_count_what_is_there(month: Path) -> None:
    runs = [{"hearings_added": 1}, {"hearings_added": None}, {"hearings_added": 4}, {}]
    stats = HistoricalValidator(month).calculate_all_stats(runs)
    assert stats["hearings_added"]["count"] == 2
    assert stats["hearings_added"]["median"] == 2.5
    assert stats["hearings_checked"] == {
        "mean": None,
        "std_dev": None,
        "min": None,
        "max": None,
        "median": None,
        "count": 0,
    }


# --- anomalies -----------------------------------------------------------------------------------


def test_a_usual_run_has_none(month: Path) -> None:
    assert HistoricalValidator(month).detect_anomalies(USUAL) == []


def test_a_figure_far_off_is_told_with_what_it_was_compared_with(month: Path) -> None:
    validator = HistoricalValidator(month)
    usual = validator.calculate_all_stats()["hearings_checked"]
    [found] = validator.detect_anomalies({**USUAL, "hearings_checked": 0})
    assert list(found) == ANOMALY
    assert found["metric"] == "hearings_checked"
    assert found["value"] == 0
    assert found["mean"] == pytest.approx(usual["mean"])
    assert found["std_dev"] == pytest.approx(usual["std_dev"])
    assert found["z_score"] == pytest.approx(-usual["mean"] / usual["std_dev"])
    assert found["severity"] == "critical"
    json.dumps(found)


@pytest.mark.parametrize(
    ("deviations", "threshold", "severity"),
    [
        (2.9, 3.0, None),
        (3.1, 3.0, "warning"),
        (-3.9, 3.0, "warning"),
        (4.1, 3.0, "critical"),
        (2.1, 2.0, "warning"),
        (4.5, 5.0, None),
        (5.5, 5, "critical"),
    ],
)
def test_the_threshold_and_where_critical_begins(
    month: Path, deviations: float, threshold: float, severity: str | None
) -> None:
    validator = HistoricalValidator(month)
    usual = validator.calculate_all_stats()["hearings_updated"]
    value = usual["mean"] + deviations * usual["std_dev"]
    found = validator.detect_anomalies({"hearings_updated": value}, z_threshold=threshold)
    assert [one["severity"] for one in found] == ([severity] if severity else [])
    assert validator.should_alert(found) is (severity == "critical")


def test_two_anomalies_alert_and_one_does_not(month: Path) -> None:
    validator = HistoricalValidator(month)
    mild = {"metric": "hearings_added", "severity": "warning"}
    assert validator.should_alert([]) is False
    assert validator.should_alert([mild]) is False
    assert validator.should_alert([mild, mild]) is True
    assert validator.should_alert([{**mild, "severity": "critical"}]) is True
    assert validator.should_alert(["odd"]) is False


def test_metrics_come_in_many_forms(month: Path) -> None:
    validator = HistoricalValidator(month)
    metrics = UpdateMetrics()
    metrics.hearings_checked = 5000
    metrics.hearings_updated = 11
    metrics.hearings_added = 3
    metrics.errors = ["a", "b"]
    metrics.end_time = metrics.start_time + timedelta(seconds=2)
    whole = metrics.to_dict()
    # A count that never moved: one unit is a deviation.
    expected = [("hearings_checked", 5000.0)]
    result = {"success": True, "metrics": whole}
    bare = {**USUAL, "hearings_checked": 5000, "error_count": 2}
    for given in (metrics, whole, result, bare):
        found = validator.detect_anomalies(given)
        assert [(one["metric"], one["value"]) for one in found] == expected
    del whole["error_count"]
    whole["errors"] = ["x"] * 9
    found = validator.detect_anomalies(whole)
    assert ("error_count", 9.0) in [(one["metric"], one["value"]) for one in found]


class Odd(Mapping[str, Any]):
    """Figures that cannot be had."""

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize(
    "given",
    [
        {},
        None,
        "metrics",
        7,
        object(),
        UpdateMetrics,
        Odd(),
        *(
            {"hearings_checked": value}
            for value in (float("nan"), float("inf"), "many", "5000", None, True, 10**400, [], {})
        ),
        {"hearings_checked": 102, "start_time": object(), "errors": 3},
    ],
    ids=repr,
)
def test_what_is_no_figure_is_not_compared(month: Path, given: Any) -> None:
    assert HistoricalValidator(month).detect_anomalies(given) == []


def test_any_kind_of_number_will_do(month: Path) -> None:
    found = HistoricalValidator(month).detect_anomalies({"hearings_checked": Decimal(900)})
    assert found[0]["value"] == 900


def test_a_run_that_is_logged_is_not_compared_with_itself(month: Path) -> None:
    validator = HistoricalValidator(month)
    start = datetime.now().replace(microsecond=250_000)
    metrics = UpdateMetrics()
    metrics.start_time = start
    metrics.hearings_checked = 900
    before = validator.detect_anomalies({**metrics.to_dict(), "duration_seconds": 2.0})
    query(
        month,
        "INSERT INTO update_logs (update_date, start_time, hearings_checked) VALUES (?, ?, 900)",
        f"{start:%Y-%m-%d}",
        f"{start:%Y-%m-%d %H:%M:%S}",
    )
    after = validator.detect_anomalies({**metrics.to_dict(), "duration_seconds": 2.0})
    assert after == before
    assert before[0]["metric"] == "hearings_checked"


def test_too_little_history_tells_nothing_and_says_why(
    clean_env: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = clean_env / "database.db"
    _native.init_database(str(path))
    fill(path, 16)
    validator = HistoricalValidator(path)
    with caplog.at_level(logging.INFO, "updaters.daily_updater"):
        assert validator.detect_anomalies({"hearings_checked": 0}) == []
    why = "16 days of history in the last 90, 17 are needed"
    assert validator.history_problem() == why
    assert why in caplog.text
    assert HistoricalValidator(path, min_history_days=16).history_problem() is None
    # Several runs of one day are one day.
    fill(path, 1)
    assert validator.history_problem() == why


def test_a_database_without_logs_tells_nothing(clean_env: Path) -> None:
    path = clean_env / "legacy.db"
    make_legacy(path)
    before = digest(path)
    validator = HistoricalValidator(path)
    assert validator.get_historical_data(90) == []
    assert validator.detect_anomalies(USUAL) == []
    assert validator.should_alert(validator.detect_anomalies(USUAL)) is False
    assert digest(path) == before


def test_durations_that_an_older_program_left_out_are_no_zeros(clean_env: Path) -> None:
    path = clean_env / "database.db"
    _native.init_database(str(path))
    fill(path, 30, duration_seconds=None)
    assert HistoricalValidator(path).detect_anomalies({"duration_seconds": 600.0}) == []


def test_the_database_comes_in_many_forms(month: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PATH", str(month))
    updater = DailyUpdater()
    for db in (month, str(month), Database(month), _native.Database(str(month)), updater.db):
        assert len(HistoricalValidator(db).get_historical_data(90)) == 30
    assert len(HistoricalValidator(updater).get_historical_data(90)) == 30
    updater.db.close()
    with pytest.raises(ConfigurationError, match="not a int"):
        HistoricalValidator(7)


@pytest.mark.parametrize("days", [0, -1, "17", True, 2.5, None])
def test_a_bad_number_of_days_is_named(month: Path, days: Any) -> None:
    with pytest.raises(ConfigurationError, match="min_history_days"):
        HistoricalValidator(month, min_history_days=days)


@pytest.mark.parametrize("threshold", [0, -1, float("nan"), float("inf"), "3", None, True])
def test_a_bad_threshold_is_named(month: Path, threshold: Any) -> None:
    with pytest.raises(ConfigurationError, match="z_threshold"):
        HistoricalValidator(month).detect_anomalies(USUAL, z_threshold=threshold)


def test_a_file_that_cannot_be_read_is_one_line(clean_env: Path) -> None:
    with pytest.raises(DatabaseError, match=r"nowhere\.db: no such database") as told:
        HistoricalValidator(clean_env / "nowhere.db").detect_anomalies(USUAL)
    assert "\n" not in str(told.value)


# --- in the run ----------------------------------------------------------------------------------

ON = {"enable_historical_validation": True}


@pytest.fixture
def world_of_a_month(filled: World) -> World:
    """Three meetings, stored, and a month of runs that met a hundred."""
    filled.do("DELETE FROM update_logs")
    fill(filled.path, 30)
    return filled


def test_a_run_names_its_anomalies(
    world_of_a_month: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "updaters.daily_updater"):
        metrics = world_of_a_month.run(ON)
    block = metrics["historical_validation"]
    assert list(block) == ["enabled", "anomaly_count", "anomalies", "alert_triggered"]
    assert block["alert_triggered"] is True
    names = [one["metric"] for one in block["anomalies"]]
    assert "hearings_checked" in names
    assert block["anomaly_count"] == len(names)
    assert all(list(one) == ANOMALY for one in block["anomalies"])
    [alert] = [record for record in caplog.records if "ALERT" in record.message]
    assert alert.levelno == logging.WARNING
    assert alert.message.endswith(": " + ", ".join(names))


def test_it_finds_what_the_validator_finds(world_of_a_month: World) -> None:
    metrics = world_of_a_month.run(ON)
    validator = HistoricalValidator(world_of_a_month.path)
    again = validator.detect_anomalies(metrics)
    told = metrics["historical_validation"]["anomalies"]
    of_counts = [one for one in told if one["metric"] != "duration_seconds"]
    assert [one for one in again if one["metric"] != "duration_seconds"] == of_counts
    assert of_counts


def test_a_run_like_the_others_raises_no_alert(
    filled: World, caplog: pytest.LogCaptureFixture
) -> None:
    fill(filled.path, 30, hearings_checked=3, hearings_updated=0, hearings_added=0)
    metrics = filled.run({**ON, "historical_z_threshold": 1000.0})
    assert metrics["historical_validation"]["anomalies"] == []
    assert metrics["historical_validation"]["alert_triggered"] is False
    assert "ALERT" not in caplog.text


def test_without_the_flag_nothing_is_compared(world_of_a_month: World) -> None:
    assert "historical_validation" not in world_of_a_month.run()


def test_too_few_days_are_told_in_the_log(filled: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "updaters.daily_updater"):
        metrics = filled.run(ON)
    assert metrics["historical_validation"]["anomalies"] == []
    assert "days of history in the last 90, 17 are needed" in caplog.text


def test_that_nothing_can_be_compared_does_not_fail_the_run(
    filled: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Engine:
        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def historical_anomalies(self, updater: Any) -> Any:
            raise DatabaseError("update_logs cannot be read")

    updater = filled.updater(ON)
    updater._engine = Engine(updater._engine)  # type: ignore[assignment]
    result = updater.run_daily_update()
    assert result["success"] is True
    assert result["metrics"]["historical_validation"]["anomalies"] == []
    assert "Historical validation could not be done: update_logs cannot be read" in caplog.text


def test_the_variables_reach_it(filled: World) -> None:
    filled.do("DELETE FROM update_logs")
    fill(filled.path, 5)
    variables = {"ENABLE_HISTORICAL_VALIDATION": "true", "HISTORICAL_MIN_DAYS": "5"}
    done = command(filled.folder, filled.sandbox.url, *MODULE, **variables)
    block = metrics_of(done)["historical_validation"]
    assert block["alert_triggered"] is True
    assert " - WARNING - Historical validation: ALERT, this run is unlike" in done.stderr
