"""`HistoricalValidator`: is a run unlike the ones before it? The statistics are native."""

import logging
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from updaters import _native
from updaters.database import Database
from updaters.errors import ConfigurationError

__all__ = ["HistoricalValidator"]

logger = logging.getLogger("updaters.daily_updater")

#: What is compared of a run.
METRICS = (
    "hearings_checked",
    "hearings_updated",
    "hearings_added",
    "error_count",
    "duration_seconds",
)


class HistoricalValidator:
    """Compares a run's figures with those of the successful runs of the last 90 days.

    `db` is an `updaters.database.Database` (such as `DailyUpdater.db`), a `DailyUpdater`, or the
    path of a database, which is then opened for reading only. Fewer than `min_history_days` days
    with a successful run tell nothing: see `history_problem`.
    """

    def __init__(self, db: Any, min_history_days: int = 17) -> None:
        check_days(min_history_days)
        self.min_history_days = min_history_days
        self._db = _database(db)
        #: Opened by us, for reading; closed again after each use.
        self._own = isinstance(db, str | os.PathLike)

    def get_historical_data(self, days: int = _native.HISTORY_DAYS) -> list[dict[str, Any]]:
        """The successful runs of the last `days` days, one dict a run, oldest first.

        From `update_logs`: `date` (`2025-10-13`), `start_time` (naive local), `hearings_checked`,
        `hearings_updated`, `hearings_added`, `error_count`, `duration_seconds` (floats; None where
        a row has no such figure). Empty where there is no such table. `DatabaseError` where the
        file cannot be read.
        """
        if isinstance(days, bool) or not isinstance(days, int) or days < 0:
            raise ConfigurationError(f"days must be a whole number from 0 on, got {days!r}")
        native = self._db.native if isinstance(self._db, Database) else self._db
        try:
            return _native.past_runs(native, min(days, 10_000_000))
        finally:
            if self._own:
                self._db.close()

    def calculate_all_stats(
        self, data: Iterable[Mapping[str, Any]] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Metric -> `mean`, `std_dev` (of a sample), `min`, `max`, `median`, `count`.

        Of the runs in `data` (as `get_historical_data` gives them; default: of the last 90 days).
        `count` is the runs that have the figure; where there are none, the rest is None.
        """
        runs = self.get_historical_data() if data is None else list(data)
        return _native.run_statistics([figures_of(run) for run in runs])

    def history_problem(self) -> str | None:
        """Why nothing can be compared, in a line ("3 days of history ..."); None where it can."""
        problem: str | None = self._compare({}, 3.0)["problem"]
        return problem

    def detect_anomalies(
        self, current_metrics: Any, z_threshold: float = 3.0
    ) -> list[dict[str, Any]]:
        """Figures more than `z_threshold` standard deviations from the mean of earlier runs.

        `current_metrics` is an `UpdateMetrics`, its `to_dict()`, the result of
        `run_daily_update`, or a dict of bare figures. What of it is missing, NaN or no number is
        not compared. The run itself, where it is logged already, is not compared with itself.

        Returns dicts `metric`, `value`, `mean`, `std_dev`, `z_score`, `severity` ('critical' beyond
        4 standard deviations, else 'warning'), as in `UpdateMetrics.historical_anomalies`. A figure
        that never moved has no deviation: there a tenth of it, at least 1, counts as one. Too
        little history: an empty list, and a log line that says so.
        """
        check_threshold(z_threshold)
        found = self._compare(figures_of(current_metrics), float(z_threshold))
        if found["problem"]:
            logger.info("Historical validation: %s", found["problem"])
        anomalies: list[dict[str, Any]] = found["anomalies"]
        return anomalies

    def should_alert(self, anomalies: Iterable[Any]) -> bool:
        """Two anomalies, or one that is critical."""
        found = list(anomalies or ())
        critical = [
            one for one in found if isinstance(one, Mapping) and one.get("severity") == "critical"
        ]
        return _native.calls_alert(len(found), len(critical))

    def _compare(self, figures: dict[str, Any], z_threshold: float) -> dict[str, Any]:
        past = self.get_historical_data()
        return _native.compare_runs(figures, past, self.min_history_days, z_threshold)

    def __repr__(self) -> str:
        return f"<HistoricalValidator {self._db!r} min_history_days={self.min_history_days}>"


def check_days(days: Any) -> None:
    """Raise `ConfigurationError` where this is no number of days of history."""
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 10_000_000:
        raise ConfigurationError(f"min_history_days must be a whole number from 1 on, got {days!r}")


def check_threshold(threshold: Any) -> None:
    """Raise `ConfigurationError` where this is no number of standard deviations."""
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if not number or not 0 < threshold < float("inf"):
        raise ConfigurationError(f"z_threshold must be a number above 0, got {threshold!r}")


def _database(db: Any) -> Database | _native.Database:
    if isinstance(db, Database | _native.Database):
        return db
    if isinstance(db, str | os.PathLike):
        return Database(db, read_only=True)
    # A `DailyUpdater`.
    inner = getattr(db, "db", None)
    if isinstance(inner, Database | _native.Database):
        return inner
    raise ConfigurationError(
        "db must be an updaters.database.Database, a DailyUpdater or the path of a database, "
        f"not a {type(db).__name__}"
    )


def figures_of(metrics: Any) -> dict[str, Any]:
    """The figures that are compared, and the start, of metrics in whatever form."""
    if not isinstance(metrics, Mapping):
        to_dict = getattr(metrics, "to_dict", None)
        metrics = to_dict() if callable(to_dict) and not isinstance(metrics, type) else {}
    if isinstance(metrics.get("metrics"), Mapping):
        metrics = metrics["metrics"]
    found = {name: metrics.get(name) for name in METRICS}
    errors = metrics.get("errors")
    if "error_count" not in metrics and isinstance(errors, list | tuple):
        found["error_count"] = len(errors)
    start = metrics.get("start_time")
    if isinstance(start, datetime):
        start = start.isoformat()
    if isinstance(start, str):
        # As `update_logs` has it.
        found["start_time"] = start.replace("T", " ")[:19]
    return found
