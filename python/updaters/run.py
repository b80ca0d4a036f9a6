"""One run of a `DailyUpdater`: what stands between its steps, and how it ends."""

import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from updaters import _native, winding_down
from updaters.database import Database
from updaters.errors import CircuitBreakerOpenError, RunCancelled, UpdaterError
from updaters.event_loop import LoopCall
from updaters.logs import SecretFilter, mask, secrets_of
from updaters.notices import unfetched_meetings
from updaters.settings import check_settings, warn_demo_key
from updaters.telling import tell, unfetched
from updaters.values import UpdateMetrics

if TYPE_CHECKING:
    from updaters.daily_updater import Changes, DailyUpdater

logger = logging.getLogger("updaters.daily_updater")

Given = ParamSpec("Given")


def one_at_a_time(
    run: "Callable[Concatenate[DailyUpdater, Given], dict[str, Any]]",
) -> "Callable[Concatenate[DailyUpdater, Given], dict[str, Any]]":
    """Refuse a call while the same updater's last one is under way, from whatever thread."""

    @functools.wraps(run)
    def alone(
        updater: "DailyUpdater", /, *args: Given.args, **kwargs: Given.kwargs
    ) -> dict[str, Any]:
        calls, mine = updater._calls, (os.getpid(), object())
        try:
            first = calls.setdefault("run", mine)
            if first is not mine:
                return _refused(_BUSY if first[0] == os.getpid() else _FORKED)
            return run(updater, *args, **kwargs)
        finally:
            # No call in here: it is at calls that Ctrl-C breaks in, and every run after it would be
            # refused.
            if "run" in calls and calls["run"] is mine:
                del calls["run"]

    return alone


_BUSY = "this updater is already running an update"
_FORKED = (
    "this updater was in the middle of an update when this process was forked from the one that "
    "runs it; make another one here"
)


def _refused(why: str) -> dict[str, Any]:
    """The result of a run that never began."""
    logger.error("No update was started: %s", why)
    metrics = UpdateMetrics()
    metrics.errors.append(why)
    metrics.end_time = datetime.now()
    return {"success": False, "error": why, "metrics": metrics.to_dict()}


class ProgressGate:
    """A caller's progress callback: one that raises is logged once and not called again."""

    def __init__(self, callback: Callable[[dict[str, Any]], None]) -> None:
        self._callback: Callable[[dict[str, Any]], None] | None = callback

    @classmethod
    def around(
        cls, callback: "Callable[[dict[str, Any]], None] | ProgressGate | None"
    ) -> "ProgressGate | None":
        """A gate around a callback that has none yet."""
        if callback is None or isinstance(callback, cls):
            return callback
        return cls(callback)

    def __call__(self, info: dict[str, Any]) -> None:
        if self._callback is None:
            return
        try:
            self._callback(info)
        except Exception:
            self._callback = None
            logger.warning("The progress callback failed; it is not called again", exc_info=True)


class Run:
    """A run, from the lock to the result. Leaving the `with` block ends it, however it went."""

    def __init__(
        self,
        updater: "DailyUpdater",
        dry_run: bool,
        callback: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        self._updater = updater
        self._engine = updater._engine
        self._dry_run = dry_run
        self._lock: _native.RunLock | None = None
        self._started = False
        self._failure: str | None = None
        #: Whether the run could be undone, where it had to be.
        self._undone: bool | None = None
        #: The updater's own database, while a dry run uses another.
        self._database: Database | None = None
        #: The database that keeps to its file while this run writes it.
        self._settled: Database | None = None
        #: Held while it is decided whether the run can still be cancelled.
        self._guard = threading.Lock()
        self._ending = False
        #: The process ends: nobody is there to be told of the cancellation.
        self.abandoned = False
        self._announced = False
        self._found = 0
        self._began = time.monotonic()
        self.progress = ProgressGate.around(callback)
        self.result: dict[str, Any] = {}
        #: Whatever handlers there are, the run's own lines have no secret in them.
        self._secrets = SecretFilter(())

    # --- beginning -----------------------------------------------------------------------------

    def __enter__(self) -> "Run":
        updater = self._updater
        if updater.metrics.end_time is not None:
            updater.metrics = UpdateMetrics()
        updater.metrics.start_time = datetime.now()
        self._began = time.monotonic()
        updater.backup_path = None
        updater._run = self
        winding_down.begun(self)
        self._engine.begin_run()
        LoopCall.attach(self, updater)
        self._secrets.secrets = secrets_of(updater.settings)
        logger.addFilter(self._secrets)
        return self

    def begin(self) -> None:
        """Check what the run goes by, then take the lock; nothing is read or written before."""
        updater = self._updater
        updater._check_arguments()
        check_settings(updater.settings)
        self._tell("initializing", "Starting the update", 0.0)
        warn_demo_key(updater.settings, logger)
        logger.info(
            "Daily update of Congress %s started (%s%s)",
            updater.congress,
            "the whole Congress"
            if updater.update_mode == "full"
            else f"looking back {updater.lookback_days} days",
            ", dry run" if self._dry_run else "",
        )
        if self._dry_run:
            self._read_only()
            return
        lock = _native.RunLock(
            updater.db.native.path, "daily update", float(updater.lock_wait_seconds)
        )
        # Opening finds out about a file that is not there before a lock file is put beside it.
        updater.db.native.open()
        lock.__enter__()
        self._lock = lock
        if isinstance(updater.db, Database):
            # A path that is set meanwhile is for the next run.
            self._settled = updater.db
            self._settled.settle(True)

    def _read_only(self) -> None:
        """A dry run's database cannot be written, whatever an override tries."""
        db = self._updater.db
        if isinstance(db, Database):
            self._database = db
            self._updater.db = Database(db.db_path, read_only=True)

    def cancel(self) -> None:
        """Have the run wind down, unless it does already. For any thread."""
        with self._guard:
            if not self._ending:
                self._engine.cancel()

    def sanity_error(self) -> str:
        """Why the sanity checks ended the run."""
        found = self._updater.metrics.errors
        return found[0] if found else "The sanity checks before the update failed"

    # --- between the steps ---------------------------------------------------------------------

    def windows(self) -> Iterator[int]:
        """One window of an incremental run; as many as there are of a full one."""
        number = 0
        while True:
            self._engine.check(self._updater)
            yield number
            number += 1
            if not self._engine.windows_left:
                return

    def fetched(self, hearings: list[Any]) -> None:
        """The meetings are in hand: from here on the database may be written."""
        if not self._engine.listed:
            self._updater.metrics.hearings_checked += len(hearings)
            self._engine.listed = True
        self._found = len(hearings)
        self._tell("checking", f"Comparing {len(hearings)} meetings", 60.0)

    def identified(self, changes: "Changes") -> None:
        """The changes are known."""
        updates, additions = len(changes["updates"]), len(changes["additions"])
        logger.info("%d meetings to update, %d to add", updates, additions)
        if self._dry_run:
            self._updater.metrics.hearings_updated += updates
            self._updater.metrics.hearings_added += additions
        self._tell("applying", f"Applying {updates + additions} changes", 70.0)

    def start(self) -> None:
        """Open the run in the journal."""
        self._engine.start_run(self._updater)
        self._started = True

    def back_up(self) -> str | None:
        """A backup before anything is changed. To fail at it warns, and the run goes on."""
        try:
            return self._updater._create_database_backup()
        except Exception as problem:
            logger.warning("No backup was made: %s", problem)
            return None

    def apply(self, changes: "Changes") -> None:
        """Apply a window's changes, in batches or plainly, by the flag."""
        updater = self._updater
        batched = bool(updater.settings.enable_batch_processing)
        if not self._announced:
            self._announced = True
            if batched:
                logger.info("✓ Batch processing ENABLED - using Phase 2.3.1 batch processing")
            else:
                logger.info("Batch processing DISABLED - using Phase 2.2 standard processing")
            self._engine.store_committees(updater)
        if batched:
            updater.metrics.batch_processing_enabled = True
            updater._apply_updates_with_batches(changes)
        else:
            updater._apply_updates(changes)

    def batch_done(self) -> None:
        """Told after each batch."""
        metrics = self._updater.metrics
        done = metrics.batches_succeeded + metrics.batches_failed
        share = done / max(metrics.batch_count, 1)
        self._tell("applying", f"Batch {done} of {metrics.batch_count}", 70.0 + 20.0 * share)

    def settle(self, hearings: list[Any]) -> None:
        """Remember what did not make it in, forget what did."""
        self._engine.settle(self._updater, hearings, not self._dry_run)
        asked = self._updater.event_ids
        if asked and not hearings:
            self._failure = f"none of the events asked for could be had: {', '.join(asked)}"

    def summarise(self) -> None:
        """The summary lines of the batched mode."""
        metrics = self._updater.metrics
        if metrics.batch_processing_enabled:
            for line in (
                "Batch Processing Summary:",
                f"  Total batches: {metrics.batch_count}",
                f"  Succeeded: {metrics.batches_succeeded}",
                f"  Failed: {metrics.batches_failed}",
                f"  Hearings updated: {metrics.hearings_updated}",
                f"  Hearings added: {metrics.hearings_added}",
            ):
                logger.info(line)
        self._tell("validating", "Checking the database", 92.0)
        if metrics.batch_count and not metrics.batches_succeeded:
            self._failure = (
                f"every batch failed ({metrics.batches_failed} of {metrics.batch_count})"
            )

    def undo_everything(self) -> None:
        """This run broke something: undo it, by journal."""
        updater = self._updater
        issues = "; ".join(updater.metrics.validation_issues[:3]) or "no reason given"
        logger.error("Post-update validation failed: %s; undoing this run", issues)
        # As long as nobody says otherwise, also where it raises.
        self._undone = False
        undone = self._undone = updater._rollback_database()
        if undone:
            self._failure = f"post-update validation failed: {issues}; this run was undone"
            return
        why = self._engine.not_undone
        lost = f"could NOT be undone: {why}" if why else "could NOT be undone"
        if updater.backup_path:
            lost += f"; restore {updater.backup_path}"
        self._failure = f"post-update validation failed: {issues}; this run {lost}"
        logger.critical("This run %s", lost)
        updater.metrics.errors.append(f"After failed validation the run {lost}")

    # --- ending --------------------------------------------------------------------------------

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        updater = self._updater
        ours = error is None or isinstance(error, Exception)
        if isinstance(error, RunCancelled) and self.abandoned:
            ours = True
        try:
            self._end(error)
        finally:
            updater._run = None
            if self._database is not None:
                updater.db.close()
                updater.db = self._database
            if self._settled is not None:
                self._settled.settle(False)
            if self._lock is not None:
                self._lock.__exit__(None, None, None)
            _native.drain_logs()
            winding_down.over(self)
        # After the lock is let go: a receiver that hangs keeps no other run waiting.
        if not self._dry_run:
            self._quietly("notify", lambda: tell(updater, self._failure, error, self._undone))
        logger.removeFilter(self._secrets)
        return ours

    def _end(self, error: BaseException | None) -> None:
        updater, metrics = self._updater, self._updater.metrics
        # The winding down itself is not to be cancelled.
        with self._guard:
            self._ending = True
            self._engine.cancel(False)
        if error is not None and not isinstance(error, Exception):
            self._engine.hurry()
        failure = self._failure
        if error is not None:
            failure = self._describe(error)
        self._failure = failure
        if failure is not None and failure not in metrics.errors:
            metrics.errors.append(failure)
        # Whatever was done to the clock meanwhile, a run takes as long as it takes.
        elapsed = timedelta(seconds=time.monotonic() - self._began)
        metrics.end_time = metrics.start_time + elapsed
        updater.metrics_failed = failure is not None
        failed = unfetched(updater) if failure is None else None
        if failed is not None:
            logger.warning("%s", unfetched_meetings(*failed).message)
        if not self._dry_run and (self._started or (self._engine.listed and self._lock)):
            self._quietly("record the run", updater._record_update_metrics)
            if failure is None:
                self._quietly("remove old backups", updater._cleanup_old_backups)
        if failure is None:
            self.result = {"success": True, "dry_run": self._dry_run, "metrics": metrics.to_dict()}
        else:
            self.result = {"success": False, "error": failure, "metrics": metrics.to_dict()}
            if isinstance(error, CircuitBreakerOpenError):
                self.result["circuit_breaker_open"] = True
        if failure is None:
            self._tell("validating", "Done", 100.0)

    def _describe(self, error: BaseException) -> str:
        # What an override raises may quote a request that it made.
        text = mask(str(error), secrets_of(self._updater.settings))
        if isinstance(error, UpdaterError):
            return text
        if isinstance(error, Exception):
            logger.exception("The update failed unexpectedly")
            return f"{type(error).__name__}: {text}"
        return "interrupted: what was committed stays, the rest was undone"

    def _quietly(self, what: str, step: Callable[[], object]) -> None:
        """Housekeeping at the end of a run never changes how it went."""
        try:
            step()
        except Exception as problem:
            logger.warning("Could not %s: %s", what, problem)

    # --- progress ------------------------------------------------------------------------------

    def _tell(self, phase: str, message: str, percent: float) -> None:
        if self.progress is None:
            return
        checked = self._updater.metrics.hearings_checked
        # A full run tells of its windows, one after the other.
        before, share = self._engine.window_share
        # What is told while native code waits goes on from here.
        self._engine.told_progress(phase, message, checked, self._found, percent)
        percent = before + percent * share / 100
        self.progress(
            {
                "phase": phase,
                "message": message,
                "hearings_checked": checked,
                "total_hearings": checked,
                "hearings_found": self._found,
                "percent": round(percent, 1),
            }
        )
