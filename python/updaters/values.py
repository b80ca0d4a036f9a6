"""The value classes that a run hands out: plain Python, real lists and dicts to append to."""

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from typing import Any

__all__ = ["BatchResult", "Checkpoint", "UpdateMetrics"]

#: So many entries of a list are shown to a person.
SHOWN = 10


class UpdateMetrics:
    """What one run did. `to_dict()` is what the command line prints."""

    def __init__(self) -> None:
        self.start_time: datetime = datetime.now()
        self.end_time: datetime | None = None
        self.hearings_checked = 0
        self.hearings_updated = 0
        self.hearings_added = 0
        self.committees_updated = 0
        self.witnesses_updated = 0
        #: Every HTTP request sent, retries included.
        self.api_requests = 0
        self.errors: list[str] = []
        self.validation_passed: bool | None = None
        self.validation_warnings: list[str] = []
        self.validation_issues: list[str] = []
        self.batch_processing_enabled = False
        self.batch_count = 0
        self.batches_succeeded = 0
        self.batches_failed = 0
        #: `batch`, `error`, and where there are any `issues`.
        self.batch_errors: list[dict[str, Any]] = []
        self.historical_validation_enabled = False
        self.historical_anomalies: list[Any] = []
        self.historical_alert_triggered = False
        #: `event_id` and `reason` of what the next runs ask for again.
        self.deferred: list[dict[str, Any]] = []

    def duration(self) -> timedelta | None:
        """How long the run took; None while it is running."""
        if self.end_time is None:
            return None
        return self.end_time - self.start_time

    def to_dict(self) -> dict[str, Any]:
        """Everything, JSON-serialisable, in a fixed order; unused parts are left out."""
        duration = self.duration()
        result: dict[str, Any] = {
            "start_time": self.start_time.isoformat() if self.start_time else None,
            "end_time": self.end_time.isoformat() if self.end_time else None,
            "duration_seconds": duration.total_seconds() if duration is not None else None,
            "hearings_checked": self.hearings_checked,
            "hearings_updated": self.hearings_updated,
            "hearings_added": self.hearings_added,
            "committees_updated": self.committees_updated,
            "witnesses_updated": self.witnesses_updated,
            "api_requests": self.api_requests,
            "error_count": len(self.errors),
            "errors": plain(self.errors),
            "validation_passed": self.validation_passed,
            "validation_warnings": plain(self.validation_warnings),
            "validation_issues": plain(self.validation_issues),
        }
        if self.batch_processing_enabled:
            result["batch_processing"] = {
                "enabled": True,
                "batch_count": self.batch_count,
                "batches_succeeded": self.batches_succeeded,
                "batches_failed": self.batches_failed,
                "batch_errors": plain(self.batch_errors),
            }
        if self.historical_validation_enabled:
            result["historical_validation"] = {
                "enabled": True,
                "anomaly_count": len(self.historical_anomalies),
                "anomalies": plain(self.historical_anomalies),
                "alert_triggered": bool(self.historical_alert_triggered),
            }
        if self.deferred:
            result["deferred"] = plain(self.deferred)
        return result

    def _repr_html_(self) -> str:
        """The table that Jupyter shows."""
        from updaters.html_table import table

        rows: dict[str, Any] = {}
        for name, value in self.to_dict().items():
            # The optional parts, each a dict, in the rows of the rest.
            rows.update(value if isinstance(value, dict) else {name: value})
        rows.pop("enabled", None)
        return table("One run", rows.items())

    def __repr__(self) -> str:
        return (
            f"<UpdateMetrics checked={self.hearings_checked} updated={self.hearings_updated} "
            f"added={self.hearings_added} errors={len(self.errors)}>"
        )


class Checkpoint:
    """What a batch is about to touch, so that it can be undone.

    The ids are for callers to read, and for hand-made checkpoints; a batch that this package
    applied is undone exactly, from its journal.
    """

    def __init__(self, batch_number: int) -> None:
        self.batch_number = batch_number
        self.timestamp: datetime = datetime.now()
        self.hearings_to_update: list[Any] = []
        self.hearings_to_add: list[Any] = []
        self.witnesses_to_add: list[Any] = []
        #: Ids of witness documents.
        self.documents_to_add: list[Any] = []
        #: Event id -> column -> value before the batch.
        self.original_hearing_data: dict[Any, dict[str, Any]] = {}
        #: The journal's numbers of the batches that this checkpoint undoes.
        self.journal_batches: list[int] = []
        #: What of the ids above the native writer put there: the journal covers it.
        self.tracked_natively: set[tuple[str, Any]] = set()

    def track_update(self, hearing_id: Any, original_data: dict[str, Any]) -> None:
        """Note a hearing that is updated, with its columns as they were."""
        self.hearings_to_update.append(hearing_id)
        self.original_hearing_data[hearing_id] = original_data

    def track_addition(self, hearing_id: Any) -> None:
        """Note a hearing that is added."""
        self.hearings_to_add.append(hearing_id)

    def track_witness_addition(self, witness_id: Any) -> None:
        """Note a witness that is added."""
        self.witnesses_to_add.append(witness_id)

    def track_document_addition(self, document_id: Any) -> None:
        """Note a witness document that is added."""
        self.documents_to_add.append(document_id)

    def __repr__(self) -> str:
        return (
            f"<Checkpoint batch={self.batch_number} updates={len(self.hearings_to_update)} "
            f"additions={len(self.hearings_to_add)}>"
        )


class BatchResult:
    """How one batch ended."""

    def __init__(
        self,
        success: bool,
        records: int = 0,
        error: str | None = None,
        issues: list[str] | None = None,
    ) -> None:
        self.success = success
        self.records = records
        self.error = error
        self.issues: list[str] = issues if issues is not None else []

    def to_dict(self) -> dict[str, Any]:
        """The four fields."""
        return {
            "success": self.success,
            "records": self.records,
            "error": self.error,
            "issues": plain(self.issues),
        }

    def _repr_html_(self) -> str:
        """The table that Jupyter shows."""
        from updaters.html_table import table

        return table("One batch", plain(self.to_dict()).items())

    def __repr__(self) -> str:
        return (
            f"BatchResult(success={self.success!r}, records={self.records!r}, "
            f"error={self.error!r}, issues={self.issues!r})"
        )


def plain(value: Any, depth: int = 0) -> Any:
    """A fresh copy of `value` that `json.dumps` takes, whatever callers put into it."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        # JSON has no NaN and no infinity.
        return value if value - value == 0 else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if depth < 20:
        if isinstance(value, Mapping):
            return {str(key): plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return [plain(item, depth + 1) for item in value]
        if isinstance(value, Set):
            return sorted((plain(item, depth + 1) for item in value), key=str)
    to_dict = getattr(value, "to_dict", None)
    if callable(to_dict) and depth < 20 and not isinstance(value, type):
        return plain(to_dict(), depth + 1)
    return str(value)


def shortened(value: Any) -> Any:
    """A copy of which every list shows its first ten entries, then how many more there are."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [shortened(item) for item in value[:SHOWN]]
        if len(value) > SHOWN:
            items.append(f"... and {len(value) - SHOWN} more")
        return items
    return value
