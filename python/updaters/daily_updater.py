"""The daily update: ask Congress.gov what changed, compare, store it in batches.

`python3 -m updaters.daily_updater --congress 119 --lookback-days 7` runs it from cron; scripts and
tests use `DailyUpdater`. The order of a run stands in `run_daily_update`; each of its steps is a
method that a test or a subclass can replace, and the native core does the work behind each.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, SupportsIndex

from updaters import _native
from updaters.api_client import ApiClient
from updaters.database import Connection, Database
from updaters.errors import ConfigurationError, DatabaseError, UpdaterError
from updaters.event_loop import LoopCall
from updaters.notifier import get_notifier
from updaters.run import ProgressGate, Run, one_at_a_time
from updaters.settings import complete_settings, load_settings
from updaters.values import BatchResult, Checkpoint, UpdateMetrics

__all__ = ["BatchResult", "Checkpoint", "DailyUpdater", "UpdateMetrics", "main"]

logger = logging.getLogger("updaters.daily_updater")

Changes = dict[str, list[Any]]
ProgressCallback = Callable[[dict[str, Any]], None]

COMPONENTS = ("hearings", "witnesses", "committees", "documents", "bills")
DEFAULT_COMPONENTS = ("hearings", "witnesses", "committees")
MODES = ("incremental", "full")
#: A lookback beyond this many days is a slip of the hand.
LONGEST_LOOKBACK = 36_500


class DailyUpdater:
    """One updater of one Congress. Building it touches neither disk nor network.

    Raises `ConfigurationError` for a congress outside 1-200, a lookback outside 0-36500 days, an
    unknown mode or component, a setting out of range, or a database that is kept on a server.
    """

    def __init__(
        self,
        congress: int = 119,
        lookback_days: int = 7,
        update_mode: str = "incremental",
        components: list[str] | None = None,
    ) -> None:
        self.congress = congress
        self.lookback_days = lookback_days
        self.update_mode = update_mode
        self.enabled_components = list(DEFAULT_COMPONENTS) if components is None else components
        self._check_arguments()
        self._settings: Any = load_settings()
        self.db: Any = Database(lambda: self.settings.database_path)
        self.api_client: Any = ApiClient(lambda: self.settings)
        self.metrics = UpdateMetrics()
        self.notifier: Any = get_notifier(lambda: self.settings)
        self.backup_path: str | None = None
        self.trigger_source = "manual"
        self.schedule_id: int | None = None
        self.task_id: int | None = None
        #: Only these events, where there are any.
        self.event_ids: list[str] = []
        #: Seconds to wait for another run to end; 0 leaves at once.
        self.lock_wait_seconds = 0.0
        #: Whether the run that is being recorded failed.
        self.metrics_failed = False
        self._engine = _native.Engine()
        self._run: Run | None = None
        #: What `one_at_a_time` goes by: "run" -> the process, and a mark of the call.
        self._calls: dict[str, tuple[int, object]] = {}

    @property
    def settings(self) -> Any:
        """The settings; an object put in their place whole is completed where it lacks some."""
        return self._settings

    @settings.setter
    def settings(self, given: Any) -> None:
        self._settings = complete_settings(given)

    @settings.deleter
    def settings(self) -> None:
        # `mock.patch.object` deletes what it put there before it puts the old one back.
        del self._settings

    def _check_arguments(self) -> None:
        """At construction, and again when a run begins: callers set them in between."""
        _in_range("congress", self.congress, 1, 200)
        _in_range("lookback_days", self.lookback_days, 0, LONGEST_LOOKBACK)
        if self.update_mode not in MODES:
            raise ConfigurationError(
                f"unknown update mode '{self.update_mode}': choose from {', '.join(MODES)}"
            )
        self.enabled_components = _components(self.enabled_components)

    # --- the run -------------------------------------------------------------------------------

    @one_at_a_time
    def run_daily_update(
        self, dry_run: bool = False, progress_callback: ProgressCallback | None = None
    ) -> dict[str, Any]:
        """One update, start to end (contract §1).

        Returns `{'success': True, 'dry_run', 'metrics'}`, or `{'success': False, 'error',
        'metrics'}` with `'circuit_breaker_open': True` where that was the cause. A failed update
        is no exception; KeyboardInterrupt is, after the run was wound down and recorded. A call
        while this updater runs already is refused.
        """
        with Run(self, dry_run, progress_callback) as run:
            run.begin()
            if not self._run_pre_update_sanity_checks():
                raise UpdaterError(run.sanity_error())
            for window in run.windows():
                hearings = self._fetch_recent_hearings(run.progress)
                run.fetched(hearings)
                changes = self._identify_changes(hearings)
                run.identified(changes)
                if not dry_run:
                    if window == 0:
                        run.start()
                        self.backup_path = run.back_up()
                    run.apply(changes)
                    self._update_related_data(changes)
                run.settle(hearings)
            if not dry_run:
                run.summarise()
                self._run_post_update_validation()
                if self.metrics.validation_passed is False:
                    run.undo_everything()
                if self.settings.enable_historical_validation:
                    self._run_historical_validation()
        return run.result

    async def run_daily_update_async(
        self,
        dry_run: bool = False,
        progress_callback: Callable[[dict[str, Any]], object] | None = None,
    ) -> dict[str, Any]:
        """The same, awaitable: it runs in a thread, which waits while the loop runs the callback.

        An `async def` callback is awaited. Cancelling the awaiting task winds the run down first:
        the batch under way is undone, what was committed stays, and the run is recorded as failed.
        """
        return await LoopCall(self, progress_callback).run(dry_run)

    # --- the seams: fetch and compare ----------------------------------------------------------

    def _fetch_recent_hearings(
        self, progress_callback: ProgressCallback | None = None
    ) -> list[dict[str, Any]]:
        """The meetings that are new, changed or deferred, as the API's own records.

        In full mode each call gives the next window of the whole Congress.
        """
        callback = ProgressGate.around(progress_callback)
        return self._engine.fetch(self, callback)

    def _identify_changes(self, api_hearings: list[dict[str, Any]]) -> Changes:
        """`{'updates': [{'existing', 'new_data'}], 'additions': [...]}`."""
        return self._engine.identify_changes(self, api_hearings)

    def _hearing_needs_update(self, db_record: Any, api_data: dict[str, Any]) -> bool:
        """Whether what we store of a hearing differs from the record (contract §2)."""
        return self._engine.hearing_needs_update(self, db_record, api_data)

    def _extract_original_data(self, db_record: Any) -> dict[str, Any]:
        """Column -> value of a row, a tuple in the table's column order, or a dict."""
        return self._engine.extract_original_data(self, db_record)

    # --- the seams: apply ----------------------------------------------------------------------

    def _apply_updates(self, changes: Changes) -> None:
        """One pass over all changes; a record that fails is reported and undone alone."""
        self._engine.apply_updates(self, changes)

    def _apply_updates_with_batches(self, changes: Changes) -> None:
        """Every change in batches; a batch that fails is undone, the others go on."""
        self._engine.apply_updates_with_batches(self, changes)

    def _divide_into_batches(
        self, items: list[Any], batch_size: int | None = None
    ) -> list[list[Any]]:
        """Lists of at most `batch_size` items (default: `settings.batch_processing_size`)."""
        size = self.settings.batch_processing_size if batch_size is None else batch_size
        if size < 1:
            raise ConfigurationError(f"batch size must be at least 1, got {size}")
        return [items[start : start + size] for start in range(0, len(items), size)]

    def _validate_batch(self, batch: list[Any]) -> tuple[bool, list[str]]:
        """(valid, issues); each issue names the record and the rule."""
        return self._engine.validate_batch(self, batch)

    def _process_batch(
        self, batch: list[Any], batch_number: int, checkpoint: Checkpoint
    ) -> BatchResult:
        """Apply a batch in one transaction, filling the checkpoint. Does not validate; commits."""
        return self._engine.process_batch(self, batch, batch_number, checkpoint)

    def _rollback_checkpoint(self, checkpoint: Checkpoint) -> bool:
        """Undo what a batch committed, exactly; False where that cannot be, and nothing is done."""
        return self._engine.rollback_checkpoint(self, checkpoint)

    def _update_hearing_record(
        self, conn: Connection | None, existing: Any, new_data: dict[str, Any]
    ) -> None:
        """Write one update, related rows included, in the open transaction."""
        self._engine.update_hearing_record(self, existing, new_data)

    def _add_new_hearing(self, conn: Connection | None, hearing_data: dict[str, Any]) -> None:
        """Write one new hearing, related rows included, in the open transaction."""
        self._engine.add_new_hearing(self, hearing_data)

    def _update_related_data(self, changes: Changes) -> None:
        """Fill gaps in the related rows of hearings that went in (by an override, say)."""
        self._engine.update_related_data(self, changes)

    # --- the seams: checks, backups, record ----------------------------------------------------

    def _run_pre_update_sanity_checks(self) -> bool:
        """False, with the reasons in `metrics.errors`, where the database cannot be relied on."""
        return self._engine.run_sanity_checks(self)

    def _run_post_update_validation(self) -> None:
        """Sets the metrics' `validation_passed`, `validation_issues`, `validation_warnings`."""
        self._engine.run_validation(self)

    def _run_historical_validation(self) -> None:
        """Compares this run's figures with those of earlier ones (contract §1, `UpdateMetrics`)."""
        self.metrics.historical_validation_enabled = True
        try:
            anomalies, alert = self._engine.historical_anomalies(self)
        except DatabaseError as error:
            # The data is in; that nobody can compare it is no reason to fail the run.
            logger.warning("Historical validation could not be done: %s", error)
            return
        self.metrics.historical_anomalies = anomalies
        self.metrics.historical_alert_triggered = alert

    def _create_database_backup(self) -> str | None:
        """A self-contained copy under `backups/` beside the database; None where that failed."""
        try:
            path = self._engine.create_backup(self)
        except UpdaterError as error:
            logger.warning("No backup was made: %s", error)
            return None
        logger.info("Backup written to %s", path)
        return str(path)

    def _rollback_database(self) -> bool:
        """Undo every batch of this run, by journal."""
        return self._engine.rollback_database(self)

    def _record_update_metrics(self) -> None:
        """Close the run: its batches' figures, and a row of `update_logs`."""
        self._engine.record(self, not self.metrics_failed)

    def _cleanup_old_backups(self, days: int = 7) -> None:
        """Remove backups older than `days` days; the newest always stays."""
        for path in self._engine.cleanup_backups(self, days):
            logger.info("Old backup removed: %s", path)

    # --- what the run and the native core call back --------------------------------------------

    def _report_batch(self, number: int) -> None:
        """Called after each batch, outside any transaction."""
        if self._run is not None:
            self._run.batch_done()

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        # What `copy` and `pickle` both ask for.
        raise TypeError(
            "a DailyUpdater cannot be copied or pickled, as it holds a database and its run: "
            "make another one with the same arguments, and set its settings"
        )

    def __repr__(self) -> str:
        return (
            f"<DailyUpdater congress={self.congress} lookback_days={self.lookback_days} "
            f"mode={self.update_mode}>"
        )


def _in_range(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name} must be a whole number, got {value!r}")
    if not low <= value <= high:
        raise ConfigurationError(f"{name} must be from {low} to {high}, got {value}")


def _components(names: Any) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigurationError(f"components must be a list of names, got {names!r}")
    names = list(names)
    for name in names:
        if name not in COMPONENTS:
            raise ConfigurationError(
                f"unknown component '{name}': choose from {', '.join(COMPONENTS)}"
            )
    return [name for name in COMPONENTS if name == "hearings" or name in names]


def main(argv: list[str] | None = None) -> int:
    """The command line (contract §3)."""
    from updaters.cli.update import main as command_line

    return command_line(argv)


if __name__ == "__main__":
    raise SystemExit(main())
