"""Health checks of a database and of the updates that fill it.

`check` makes one and changes nothing; `render` shows what it found; `collect` adds it to a log;
`observe` reads what a log has collected.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from updaters.health.database import look_into
from updaters.health.log_scan import LogScan
from updaters.health.model import STATUSES, Finding, Health, Limits
from updaters.health.observation import observe
from updaters.health.surroundings import Surroundings, disk, lock, todays_log

__all__ = ["STATUSES", "Finding", "Health", "Limits", "check", "observe"]


def check(
    db_path: str | os.PathLike[str],
    *,
    full: bool = False,
    log_folder: str | os.PathLike[str] = "logs",
    settings: Any = None,
    now: datetime | None = None,
    limits: Limits | None = None,
) -> Health:
    """Look at a database, its disk, its updater and today's log.

    Whatever is wrong is a finding, never an exception, and no file is changed; only a transaction
    that a crash left half-written is undone by SQLite itself when the file is read. `full` checks
    the indexes too. `settings` tell which secrets to mask and whether batches are on. `now` (local
    where it has no zone) is for tests.

    The findings, by name, with their `values`; what could not be looked at is not there:
    - `integrity`: `problems` (how many)
    - `foreign_keys`: `violations`; `rows`: `odd` (duplicates and invalid values)
    - `hearings`: `hearings`
    - `last_run`, of the last run that ended: `run`, `started_at`, `ended_at`, `success`, `errors`,
      `checked`, `updated`, `added`, `seconds`, `age_hours`, `batched` (None: nothing tells); then
      `last_success`, `success_age_hours`, `flag` (whether batches are on now), and of how many runs
      the start is in the `future` or `unreadable`: those are passed over
    - `batches`, of the last ten runs: `runs`, `batches`, `failed`, `failure_rate`
    - `deferred`: `events`, `oldest` (UTC), `most_tries`
    - `database`: `problem` (None, missing, damaged, unreadable, locked), `bytes`
    - `updater`: `running`, `stale_lock`, `pid`, `host`, `since`, `what`
    - `log`: `errors`, `criticals`, `last`, `files`
    - `disk`: `free_bytes`, `total_bytes`, `warn_below`, `critical_below`
    """
    path = os.path.abspath(os.fspath(db_path))
    around = Surroundings(
        path=path,
        limits=limits or Limits(),
        now=(now or datetime.now()).astimezone(),
        log_folder=Path(log_folder),
        settings=settings,
        logged=LogScan(),
    )
    log = todays_log(around)
    updater = lock(around)
    inside = look_into(around, full=full, running=bool(updater.values.get("running")))
    findings = (*inside, updater, log, disk(around))
    return Health(around.now, os.path.realpath(path), full, findings)
