"""The native core. Import the public names from `updaters`, not from here."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from typing_extensions import Self

from updaters.values import BatchResult

__version__: str
CRASH_POINTS: bool
"""Whether this build can be told to kill itself at a point (tests' builds only)."""

def fault_points() -> list[str]:
    """The points at which faults can be armed."""

def arm_fault(
    point: str,
    *,
    only: str | None = None,
    since: tuple[str, str] | None = None,
    nth: int = 1,
    times: int | None = 1,
    errno: int = 5,
) -> int:
    """Arms a fault for the whole process and gives its number. Used through `updaters.testing`.

    It strikes at the `nth` passage of the point (of those with the label `only`), `times` times in
    a row, or until it is disarmed. `since` is a point and a label: passages before the first one of
    that point are not counted. `errno` counts at "write", "truncate" and "delete".

    Raises:
        ValueError: the point is unknown, or a number is out of range.
    """

def disarm_fault(fault: int) -> int | None:
    """How often the fault struck; None where none of this number is armed."""

def fault_struck(fault: int) -> int | None:
    """How often the fault struck so far; None where none of this number is armed."""

@final
class Row:
    """A row that answers to index, to column name and to `dict(row)`, as `sqlite3.Row` does."""

    def keys(self) -> list[str]: ...
    def __getitem__(self, key: int | str | slice, /) -> Any: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...

@final
class Cursor:
    """What a statement gave back."""

    @property
    def rowcount(self) -> int: ...
    @property
    def lastrowid(self) -> int: ...
    @property
    def description(self) -> tuple[tuple[str, None, None, None, None, None, None], ...] | None: ...
    def fetchone(self) -> Row | None: ...
    def fetchmany(self, size: int = 1) -> list[Row]: ...
    def fetchall(self) -> list[Row]: ...
    def __iter__(self) -> Iterator[Row]: ...
    def __next__(self) -> Row: ...

@final
class Connection:
    """The connection inside an open transaction; every row changed through it is journaled."""

    def execute(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> Cursor: ...
    def executemany(
        self, sql: str, params: Sequence[Sequence[Any] | Mapping[str, Any]]
    ) -> Cursor: ...

@final
class Database:
    """One database file. Opened at the first use; creates nothing."""

    def __new__(cls, path: str, *, read_only: bool = False, wait_seconds: float = 30.0) -> Self: ...
    @property
    def path(self) -> str: ...
    @property
    def in_transaction(self) -> bool: ...
    def open(self) -> None: ...
    def keep_to_file(self, keep: bool) -> None: ...
    def begin(self) -> Connection: ...
    def connection(self) -> Connection: ...
    def commit(self) -> int | None: ...
    def rollback(self) -> None: ...
    def execute(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> Cursor: ...
    def close(self) -> None: ...
    def bring_up(self) -> list[str]: ...
    def hearing(self, event_id: str) -> Row | None: ...
    def committee(self, system_code: str) -> Row | None: ...
    def upsert_hearing(self, record: Mapping[str, Any]) -> int: ...
    def get_or_create_witness(
        self, full_name: str, organization: str | None = None, title: str | None = None
    ) -> int: ...
    def create_witness_appearance(
        self,
        witness_id: int,
        hearing_id: int,
        position: str | None = None,
        witness_type: str | None = None,
        order: int | None = None,
    ) -> int: ...
    def link_hearing_committee(
        self, hearing_id: int, committee_id: int, is_primary: bool = True
    ) -> None: ...
    def delete_hearing_committee_links(self, hearing_id: int) -> int: ...
    def table_counts(self) -> dict[str, int]: ...
    def soundness(self) -> dict[str, Any]: ...
    def undo_run(self, run: int, batch: int | None, force: bool) -> dict[str, Any]:
        """Undo a past run or one batch of it (by batch number).

        Returns `undone` (bool), `rows_restored` (int), `conflicts`, `kept`, `warnings` (lists of
        str), `held` (list of event ids that are held from now on). Nothing is written where
        `undone` is False.
        """

    def hold(self, event_id: str) -> None: ...
    def release(self, event_id: str) -> bool: ...
    def history(self, event_id: str) -> list[dict[str, Any]]:
        """`at` (UTC), `run`, `batch`, `kind`, `table`, `action`, `row`, `field`, and the value
        `before` and `after`."""

    def changes_since(self, since: str) -> list[dict[str, Any]]:
        """What changed in all hearings since a moment (UTC), oldest first; empty where nothing did,
        or where the file has no journal.

        Each as in `history`, with `hearing_id` (int), `event_id` and `title` (as they are now, or
        were when the hearing went; None where the journal does not know), and `row_id` (int or
        None: the changed row's id in its table; of `hearing_committees` the committee's). What was
        undone since then is left out, and its undoing too; the undoing of something older counts,
        with `kind` "undo". `since` is `2025-10-01`, `2025-10-01 14:00:00` or of that kind, else a
        DatabaseError.
        """

    def hearings_in_full(self, hearing_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Stored hearings by row id; those that are not there are left out.

        `hearing_id`, `event_id`, `congress`, `chamber`, `title`, `hearing_type`, `status`, `date`
        and `time` (UTC), `location`, `video_url`, `page` (the public one, built where none is
        stored), `committees` (system codes, the primary one first), `witnesses` (`row_id`, `name`,
        `organization`, `position`), `documents` (`of`: "witness", "meeting" or "transcript";
        `type`, `title` (of a transcript its jacket number), `url`, `witness`), `bills` (str).
        """

    def committee_names(self) -> list[dict[str, Any]]:
        """Every committee: `code`, `name`, `chamber`, `parent` (a system code or None)."""

    def journal_begins(self) -> str | None:
        """When the oldest batch in the journal was applied (UTC); None where there is none."""

    def deferred(self) -> list[dict[str, Any]]:
        """`event_id`, `reason`, `kind`, `tries`, `first_seen`, `last_tried` (UTC), oldest first."""

    def held(self) -> list[dict[str, Any]]:
        """`event_id`, `update_date`, `held_at` (UTC), `run`."""

    def runs(self, newest: int = 20) -> list[dict[str, Any]]:
        """`run`, `started_at`, `ended_at` (local), `congress`, `mode`, `success`, `batches`."""

    def run_figures(self, since: str | None = None) -> list[dict[str, Any]]:
        """Every run that `update_logs` or our own table knows, oldest first.

        `run` (None for another program's), `log_id` (None where it never ended), `started_at`,
        `ended_at` (naive local), `duration_seconds`, `congress`, `mode`, `trigger_source`,
        `success` (bool or None), the counters of `update_logs`, `error_count`, `errors` (list of
        str), `batches_applied`, `batches_failed`, `batches_skipped`, `batches_undone` (None where
        that is not known). `since`: naive local, `2025-10-01 14:00:00`.
        """

    def batch_figures(self, since: str | None = None) -> list[dict[str, Any]]:
        """Every batch that the journal still has, oldest first.

        `run`, `batch` (its number in the run), `id`, `at` (UTC), `kind`, `outcome` (applied,
        undone, failed, skipped, unchanged), `size`, `records`, `entries` (rows written),
        `validate_ms`, `apply_ms`, `commit_ms` (None for a step that was not taken), `error`,
        `issues` (list of str). `since`: UTC, `2025-10-01 14:00:00`.
        """

@final
class RunLock:
    """One run at a time on one database: taken by `with`, or an error that says who holds it."""

    def __new__(cls, path: str, what: str, wait_seconds: float = 0.0) -> Self: ...
    def __enter__(self) -> RunLock: ...
    def __exit__(self, *exc: object) -> None: ...

def compare_databases(
    before: str, after: str, without: Sequence[str] | None = None
) -> dict[str, Any]:
    """`tables`, `rows` (counts) and `differences`: dicts of `table`, `row` (its id), `what`
    ('added', 'removed', 'changed') and `columns` (names). Our own tables, and columns in
    `without`, are left out."""

def copy_database(path: str, target: str) -> None:
    """A whole copy in the same journal mode, also while the original is in use.

    `target` must not be there yet."""

def init_database(path: str) -> None: ...
def make_legacy(path: str) -> None:
    """Makes a database one of the oldest shape in use: no video columns, no `update_logs` or other
    newer tables, none of our own, a rollback journal. Its hearings stay. For tests."""

def restore_database(path: str, backup: str | None = None) -> dict[str, Any]:
    """`backup` (path used), `hearings` (count). A bad backup leaves the database untouched."""

def integrity(database: Database, full: bool) -> list[str]:
    """The damage that `quick_check`, or with `full` `integrity_check`, finds; empty: sound."""

def dump(database: Database, ours: bool) -> dict[str, list[dict[str, Any]]]:
    """Table -> every row of it, by column name, in a fixed order; our own tables only with `ours`.

    Inside a transaction of this thread it shows what that has written.
    """

def to_be_added(database: Database) -> list[str]:
    """What the first write would add to an older database ("table updater_runs", ...)."""

def last_runs(database: Database, newest: int) -> dict[str, Any]:
    """How the last runs went, those of older updaters too.

    `runs` (newest first): `run` (None where only `update_logs` knows it), `started_at`, `ended_at`
    (naive local), `success` (None while it runs, and where it was killed), `seconds`, `errors`,
    `hearings_checked`, `hearings_updated`, `hearings_added`, `batched` (None where nothing tells),
    `batches`, `batches_failed`. `last_success`: when the last successful run started, or None.
    `highest_hearing_id`: 0 where there never was a hearing.
    """

def look_at_lock(path: str) -> dict[str, Any] | None:
    """`held` (False: left by a killed process), `pid`, `host`, `since` (naive local), `what`."""

#: How many days back runs are compared with.
HISTORY_DAYS: int

def verify(database: Database, min_days: int, z_threshold: float) -> dict[str, Any]:
    """All checks. `checks` (list of dicts `name`, `title`, `issues`, `warnings`, `figures`),
    `mendable` (bool: `mend` would remove rows), `unmendable` (str or None: why it must not)."""

def mend(database: Database) -> dict[str, Any]:
    """Write a backup, then remove rows that lead nowhere, journaled. `backup` (path), `removed`
    (a line a row), `asked_again` (event ids that the next run asks for again)."""

def past_runs(database: Database, days: int) -> list[dict[str, Any]]:
    """The successful runs of the last days, oldest first: `date`, `start_time`, figures."""

def compare_runs(
    now: dict[str, Any], past: list[dict[str, Any]], min_days: int, z_threshold: float
) -> dict[str, Any]:
    """`days`, `problem` (str or None), `anomalies` (list of dicts), `alert` (bool)."""

def run_statistics(past: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Metric -> `mean`, `std_dev`, `min`, `max`, `median`, `count`."""

def calls_alert(anomalies: int, critical: int) -> bool: ...
def drain_logs() -> None: ...
def redact(text: str, secrets: Sequence[str], anywhere: bool = False) -> str:
    """The text without the secrets, however coded; words go only where they are called a key."""

def in_thread(callable: Callable[[], Any]) -> Awaitable[Any]:
    """Run a callable in a thread of its own, awaitable from asyncio."""

@final
class Client:
    """The API client. Built from plain settings; touches nothing until the first request."""

    def __new__(cls, settings: dict[str, Any]) -> Self: ...
    @property
    def requests(self) -> int: ...
    def get(self, endpoint: str, query: dict[str, Any] | None = None) -> Any: ...
    def get_async(self, endpoint: str, query: dict[str, Any] | None = None) -> Awaitable[Any]: ...
    def list_meetings(
        self, congress: int, since: str
    ) -> tuple[list[tuple[str, list[str], str]], list[str]]: ...
    def get_many(
        self, wanted: Sequence[Sequence[str]]
    ) -> tuple[list[tuple[int, str, str | None, int | None, str]], BaseException | None]: ...
    @staticmethod
    def meeting_endpoints(congress: int, chamber: str | None, event_id: str) -> list[str]: ...
    @staticmethod
    def committee_endpoints(code: str) -> list[str]: ...
    def check_rate_limit(self) -> tuple[int, float]: ...
    @property
    def server_ahead(self) -> int | None:
        """Seconds that the server's clock was ahead of ours (`Date` of its last answer)."""
    def retry_stats(self) -> dict[str, Any]: ...
    def breaker_stats(self) -> dict[str, Any] | None: ...
    def reset_breaker(self) -> None: ...

@final
class Engine:
    """The native defaults of a `DailyUpdater`'s seams, and what a run knows of itself."""

    def __new__(cls) -> Self: ...
    listed: bool
    @property
    def windows_left(self) -> int: ...
    @property
    def window_share(self) -> tuple[float, float]:
        """Of the run's progress: per cent before the window under way, and its own per cent."""

    def store_committees(self, updater: Any) -> None:
        """The committees that a full run listed and the database lacks."""
    @property
    def over_limit(self) -> int: ...
    @property
    def not_undone(self) -> str | None: ...
    @property
    def unfetched(self) -> tuple[int, int, str | None]: ...
    @property
    def run(self) -> int | None: ...
    def begin_run(self) -> None: ...
    def cancel(self, wanted: bool = True) -> None: ...
    def hurry(self) -> None: ...
    def check(self, updater: Any) -> None: ...
    def told_progress(
        self, phase: str, message: str, checked: int, found: int, percent: float
    ) -> None: ...
    def fetch(self, updater: Any, progress_callback: Any = None) -> list[dict[str, Any]]: ...
    def identify_changes(self, updater: Any, hearings: Any) -> dict[str, list[Any]]: ...
    def hearing_needs_update(self, updater: Any, record: Any, item: Any) -> bool: ...
    def extract_original_data(self, updater: Any, record: Any) -> dict[str, Any]: ...
    def apply_updates(self, updater: Any, changes: Any) -> None: ...
    def apply_updates_with_batches(self, updater: Any, changes: Any) -> None: ...
    def validate_batch(self, updater: Any, batch: Any) -> tuple[bool, list[str]]: ...
    def process_batch(
        self, updater: Any, batch: Any, number: int, checkpoint: Any
    ) -> BatchResult: ...
    def rollback_checkpoint(self, updater: Any, checkpoint: Any) -> bool: ...
    def update_hearing_record(self, updater: Any, existing: Any, new_data: Any) -> None: ...
    def add_new_hearing(self, updater: Any, record: Any) -> None: ...
    def update_related_data(self, updater: Any, changes: Any) -> None: ...
    def run_sanity_checks(self, updater: Any) -> bool: ...
    def start_run(self, updater: Any) -> None: ...
    def create_backup(self, updater: Any) -> Path: ...
    def cleanup_backups(self, updater: Any, days: int) -> list[Path]: ...
    def run_validation(self, updater: Any) -> None: ...
    def historical_anomalies(self, updater: Any) -> tuple[list[dict[str, Any]], bool]: ...
    def settle(self, updater: Any, hearings: Any, write: bool) -> None: ...
    def record(self, updater: Any, success: bool) -> int | None: ...
    def rollback_database(self, updater: Any) -> bool: ...

@final
class Sandbox:
    """A Congress.gov look-alike; `updaters.sandbox.Sandbox` is its public face."""

    def __new__(
        cls,
        *,
        meetings: int,
        seed: int,
        db: str | None,
        recording: str | None,
        congress: int,
        latency_ms: float,
        slow_ms: float,
        faults: Sequence[tuple[str, float]],
        port: int,
        host: str,
        rate_limit: int,
        api_key: str | None,
        spread_days: int,
        now: str | None,
    ) -> Self: ...
    @property
    def url(self) -> str: ...
    @property
    def port(self) -> int: ...
    def stop(self) -> None: ...
    def requests(
        self,
    ) -> list[tuple[int, str, str, str, int, str | None, str | None]]: ...
    @property
    def request_count(self) -> int: ...
    @property
    def max_in_flight(self) -> int: ...
    def clear_requests(self) -> None: ...
    def event_ids(self) -> list[str]: ...
    def meeting(self, event_id: str) -> str | None: ...
    def set_meeting(self, json: str) -> str: ...
    def remove(self, event_id: str) -> bool: ...
    def touch(self, event_id: str) -> None: ...
    def change(self, count: int, seed: int, days_ago: tuple[float, float] | None) -> list[str]: ...
    def add(self, count: int, days_ago: tuple[float, float] | None) -> list[str]: ...
    def faults(self) -> list[tuple[str, float]]: ...
    def set_faults(self, faults: Sequence[tuple[str, float]]) -> None: ...
    def fail_next(
        self,
        kind: str,
        times: int,
        path: str | None,
        retry_after: int | None,
        event_id: str | None,
    ) -> int: ...
    def forget_order(self, order: int) -> int | None: ...
    def order_met(self, order: int) -> int | None: ...
    def fault_count(self, kind: str) -> int: ...
    def forget_orders(self) -> None: ...
    def set_latency_ms(self, value: float) -> None: ...
    def set_slow_ms(self, value: float) -> None: ...
    def set_rate_limit(self, value: int) -> None: ...

def parse_faults(pieces: Sequence[str]) -> list[tuple[str, float]]: ...
