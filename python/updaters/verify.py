"""`UpdateValidator`: is the database sound after its updates? The checks are native."""

import os
from contextlib import suppress
from datetime import datetime
from typing import Any

from updaters import _native
from updaters.errors import UpdaterError
from updaters.historical import check_days, check_threshold

__all__ = ["UpdateValidator"]


class UpdateValidator:
    """The checks of `scripts.verify_updates` on one database.

    `db_path` is the path of the file, else `DATABASE_PATH` of the settings counts. Nothing is
    opened before `run_all_checks`. After it, `issues`, `warnings`, `stats` and `checks` (a list of
    dicts `name`, `title`, `issues`, `warnings`, `figures`) hold what was found.
    """

    def __init__(
        self,
        db_path: str | os.PathLike[str] | None = None,
        *,
        min_history_days: int = 17,
        z_threshold: float = 3.0,
        wait_seconds: float = 30.0,
    ) -> None:
        self.db_path = None if db_path is None else os.fspath(db_path)
        check_days(min_history_days)
        check_threshold(z_threshold)
        self._history = (min_history_days, float(z_threshold))
        self._wait_seconds = wait_seconds
        self.issues: list[str] = []
        self.warnings: list[str] = []
        self.stats: dict[str, Any] = {}
        self.checks: list[dict[str, Any]] = []

    def run_all_checks(self, fix_issues: bool = False) -> dict[str, Any]:
        """Check counts, values, dates, foreign keys, duplicates, relationships and the last runs.

        Returns `timestamp` (ISO, local), `passed` (no issues), `issues` and `warnings` (lists of
        lines), `stats` (the figures of all checks; `checks`: name -> 'ok', 'warning' or 'failed').
        Whatever is wrong with the file (missing, damaged, locked, no database) is an issue, never
        an exception; only bad settings raise `ConfigurationError`.

        Reads only, unless `fix_issues`: then rows that lead nowhere (links, appearances, documents
        and transcripts of what is gone) and links that are there twice are removed, under the
        updater's lock, journaled, after a backup was written. Hearings that lost such a row are
        asked for again by the next run. What was done stands in `stats['fixed']` (a line a row),
        `stats['backup']` and `stats['asked_again']`; the rest of the result is how it is
        afterwards. A damaged file and one that lost its hearings are left to
        'hearing-updater restore'.
        """
        path = self._path()
        self.issues, self.warnings, self.stats, self.checks = [], [], {}, []
        try:
            found = self._check(path)
            if fix_issues:
                found = self._fix(path, found)
        except UpdaterError as error:
            self.issues.append(str(error))
        else:
            self._take(found["checks"])
        return {
            "timestamp": datetime.now().isoformat(),
            "passed": not self.issues,
            "issues": self.issues,
            "warnings": self.warnings,
            "stats": self.stats,
        }

    def _path(self) -> str:
        if self.db_path is not None:
            return self.db_path
        from updaters.settings import load_settings

        return str(load_settings().database_path)

    def _check(self, path: str) -> dict[str, Any]:
        database = _native.Database(path, read_only=True, wait_seconds=self._wait_seconds)
        try:
            return _native.verify(database, *self._history)
        finally:
            database.close()

    def _fix(self, path: str, found: dict[str, Any]) -> dict[str, Any]:
        """Repair what may be; -> the state afterwards. Not to be able to is a warning."""
        self.stats.update({"fixed": [], "backup": None, "asked_again": []})
        if not found["mendable"]:
            return found
        if found["unmendable"]:
            self.warnings.append(f"nothing was fixed: {found['unmendable']}")
            return found
        database = _native.Database(path, wait_seconds=self._wait_seconds)
        try:
            with _native.RunLock(path, "verification"):
                done = _native.mend(database)
        except UpdaterError as error:
            self.warnings.append(f"nothing was fixed: {error}")
            return found
        finally:
            database.close()
        self.stats.update(
            fixed=[f"removed {row}" for row in done["removed"]],
            backup=done["backup"],
            asked_again=done["asked_again"],
        )
        return self._check(path)

    def _take(self, checks: list[dict[str, Any]]) -> None:
        states = {}
        for check in checks:
            self.issues += check["issues"]
            self.warnings += check["warnings"]
            self.stats.update(check["figures"])
            worst = "failed" if check["issues"] else "warning" if check["warnings"] else "ok"
            states[check["name"]] = worst
        self.checks = checks
        self.stats["checks"] = states

    def __repr__(self) -> str:
        path = self.db_path
        if path is None:
            with suppress(UpdaterError):
                path = self._path()
        return f"<UpdateValidator {path}>"
