"""What past runs did, as pandas DataFrames: `pip install 'hearing-updater[notebook]'`.

    >>> from updaters import metrics
    >>> metrics.runs("database.db").plot(x="started_at", y="duration_seconds")
    >>> metrics.plot_runs("database.db", since="30d")

`db` is a file's path, a `Database`, a `DailyUpdater`, or None for the settings' database. It is
only read, also while an update of it runs. `since` is "7d" (days; also hours "12h" and weeks "2w"),
a date or datetime (naive: this machine's time), their ISO text, or a timedelta; None is all there
is. An empty answer is an empty frame with the same dtypes.

Every moment is UTC, to the second. `update_logs` keeps naive local times: `tz` ("America/New_York")
names the zone of the machine that ran the updater, where that is another one than this. In the hour
that the end of summer time repeats, a start is taken for the first of the two.
"""

import importlib
import os
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any

from updaters import _native
from updaters.errors import ConfigurationError, UpdaterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame, Series

    from updaters.daily_updater import DailyUpdater
    from updaters.database import Database

    Source = str | os.PathLike[str] | Database | _native.Database | DailyUpdater | None
    Since = str | date | datetime | timedelta | None

__all__ = ["batches", "changes", "plot_runs", "runs"]

_UTC = "datetime64[us, UTC]"

#: Before every journal.
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_RUNS = {
    "run": "Int64",
    "log_id": "Int64",
    "started_at": _UTC,
    "ended_at": _UTC,
    "duration_seconds": "Float64",
    "congress": "Int64",
    "mode": "string",
    "trigger_source": "string",
    "success": "boolean",
    "hearings_checked": "Int64",
    "hearings_updated": "Int64",
    "hearings_added": "Int64",
    "committees_updated": "Int64",
    "witnesses_updated": "Int64",
    "api_requests": "Int64",
    "error_count": "Int64",
    "errors": "object",
    "batches_applied": "Int64",
    "batches_failed": "Int64",
    "batches_skipped": "Int64",
    "batches_undone": "Int64",
}

_BATCHES = {
    "run": "Int64",
    "batch": "Int64",
    "id": "Int64",
    "at": _UTC,
    "kind": "string",
    "outcome": "string",
    "size": "Int64",
    "records": "Int64",
    "entries": "Int64",
    "validate_ms": "Float64",
    "apply_ms": "Float64",
    "commit_ms": "Float64",
    "error": "string",
    "issues": "object",
}

_CHANGES = {
    "at": _UTC,
    "run": "Int64",
    "batch": "Int64",
    "kind": "string",
    "event_id": "string",
    "title": "string",
    "hearing_id": "Int64",
    "table": "string",
    "row_id": "Int64",
    "row": "string",
    "action": "string",
    "field": "string",
    "before": "object",
    "after": "object",
}

_AGO = re.compile(r"(\d{1,6})\s*([hdw])", re.IGNORECASE)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def runs(db: "Source" = None, since: "Since" = None, *, tz: str | None = None) -> "DataFrame":
    """One row a run, oldest first: `update_logs` joined with what this updater knows besides.

    `run`, `congress`, `mode` and the batches are <NA> of a run that failed before it wrote, of
    another program's, and in a database without our tables: `log_id` numbers those. A run that
    never ended (it was killed, or still runs) has no `log_id`, `ended_at` NaT and `success` <NA>.
    The batches are those of the batched mode, by what became of them (`undone`: also later, by
    hand); <NA> where the journal's retention (`JOURNAL_RETENTION_DAYS`) removed them. `errors`
    holds lists of str.

    Raises UpdaterError: no such database, none of hearings, or pandas is missing.
    """
    zone = _zone(tz)
    start = _moment(since)
    local = None if start is None else _text(start.astimezone(zone))
    rows = _read(db, lambda native: native.run_figures(local))
    for row in rows:
        started = _from_local(row["started_at"], zone, fold=0)
        ended = _from_local(row["ended_at"], zone, fold=0)
        if started is not None and ended is not None and ended < started:
            ended = _from_local(row["ended_at"], zone, fold=1)
        row["started_at"], row["ended_at"] = started, ended
    return _frame(rows, _RUNS)


def batches(db: "Source" = None, since: "Since" = None) -> "DataFrame":
    """One row a batch, oldest first, for as long as the journal keeps it.

    `kind` is "batch" for those of the batched mode, numbered by `batch` in their run; "plain" for
    the one pass of the plain mode; "salvage" for the valid records of a batch that failed; and
    besides "related", "dates", "undo" and "manual", which have no figures. `outcome` is applied,
    undone, failed (begun, and rolled back), skipped (refused by validation) or unchanged (nothing
    in it differed from what was stored). `size` is how many changes were in it, `records` how many
    went in, `entries` how many rows that wrote. The milliseconds are <NA> for a step that was not
    taken; `apply_ms` is without the commit. Figures are noted at a run's end: those of a killed run
    are <NA>.
    """
    start = _moment(since)
    text = None if start is None else _text(start)
    rows = _read(db, lambda native: native.batch_figures(text))
    return _frame(_with_utc(rows), _BATCHES)


def changes(db: "Source" = None, since: "Since" = None) -> "DataFrame":
    """One row for each field that changed in a hearing, oldest first, as far as the journal goes.

    `before` and `after` are as stored: str, int, float or None. A whole row that came or went has
    `field` "" and says in `row` which it is ("" for the hearing itself). What was undone within the
    time is left out.
    """
    start = max(_moment(since) or _EPOCH, _EPOCH)
    rows = _read(db, lambda native: native.changes_since(_text(start)))
    return _frame(_with_utc(rows), _CHANGES)


def plot_runs(
    db: "Source" = None,
    since: "Since" = None,
    *,
    ax: "Axes | None" = None,
    tz: str | None = None,
) -> "Axes":
    """Draw what runs stored, checked and took, over time; failed and undone ones are marked.

    Returns the topmost of three axes, one below the other (`.figure` is the whole). They share the
    room of `ax` where it is given, else they get a figure of their own. `db` may be a frame that
    `runs` gave.
    """
    _need("matplotlib")
    from updaters.metrics_plot import draw

    pandas = _need("pandas")
    frame = db if isinstance(db, pandas.DataFrame) else runs(db, since, tz=tz)
    return draw(frame, ax)


# --- where it comes from -------------------------------------------------------------------------


def _need(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError:
        raise UpdaterError(
            f"{package} is needed for this and not installed: "
            "pip install 'hearing-updater[notebook]'"
        ) from None


def _read(
    db: "Source", question: Callable[[_native.Database], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Ask a handle that cannot write."""
    _need("pandas")
    path = _path(db)
    native = _native.Database(path, read_only=True)
    try:
        if "hearings" not in native.table_counts():
            raise UpdaterError(f"{path}: not a hearings database: it has no table hearings")
        return question(native)
    finally:
        # Asked inside a batch, by an override of it: closing would end the batch's transaction.
        if not native.in_transaction:
            native.close()


def _path(db: Any) -> str:
    if db is None:
        from updaters.settings import load_settings

        return os.fspath(load_settings().database_path)
    if isinstance(db, str | os.PathLike):
        return str(os.fspath(db))
    # A DailyUpdater, then its Database, then the native one.
    for name in ("db", "db_path", "path"):
        db = getattr(db, name, db)
    if not isinstance(db, str | os.PathLike):
        raise ConfigurationError(
            f"db should be a path, a Database or a DailyUpdater, got {type(db).__name__}"
        )
    return str(os.fspath(db))


# --- moments -------------------------------------------------------------------------------------


def _zone(tz: str | None) -> tzinfo | None:
    """None is this machine's zone, for `astimezone`."""
    if tz is None:
        return None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(
            f"tz={tz!r}: no such time zone; it is a name such as 'America/New_York'"
        ) from None


def _moment(since: Any) -> datetime | None:
    """What `since` means, in UTC."""
    if since is None:
        return None
    given = since
    try:
        if isinstance(since, str):
            since = _told(since.strip())
        if isinstance(since, timedelta):
            since = datetime.now(timezone.utc) - since
        elif isinstance(since, date) and not isinstance(since, datetime):
            since = datetime.combine(since, time())
        if isinstance(since, datetime):
            return since.astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        pass
    raise ConfigurationError(
        f"since={given!r}: should be such as '7d', '12h', '2w', '2025-10-01', a date or a datetime"
    )


def _told(text: str) -> datetime | timedelta:
    ago = _AGO.fullmatch(text)
    if ago:
        return timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})
    # Python 3.10 knows no Z.
    return datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))


def _text(moment: datetime) -> str:
    """As the database writes moments."""
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")


def _from_local(text: str | None, zone: tzinfo | None, fold: int) -> datetime | None:
    """A naive local time of `update_logs` in UTC; None where there is none, or nonsense."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            # Naive means the machine's own zone to `astimezone`.
            moment = moment.replace(tzinfo=zone, fold=fold)
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _with_utc(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        row["at"] = _from_local(row["at"], timezone.utc, fold=0)
    return rows


# --- frames --------------------------------------------------------------------------------------


def _frame(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> "DataFrame":
    pandas = _need("pandas")
    frame: DataFrame = pandas.DataFrame(
        {name: _column([row[name] for row in rows], dtype) for name, dtype in columns.items()}
    )
    return frame


def _column(values: list[Any], dtype: str) -> "Series[Any]":
    pandas = _need("pandas")
    if dtype != _UTC:
        column: Series[Any] = pandas.Series(values, dtype=dtype)
        return column
    # Before pandas 2.1 a zone with a list means nanoseconds, which end in 2262.
    numpy = _need("numpy")
    naive = [moment and moment.replace(tzinfo=None) for moment in values]
    moments: Series[Any] = pandas.Series(numpy.array(naive, dtype="datetime64[us]"))
    in_utc: Series[Any] = moments.dt.tz_localize("UTC")
    return in_utc
