"""Databases filled by a real run against the sandbox, made once a session for each kind."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from updaters import _native
from updaters.sandbox import Sandbox

__all__ = ["Filled", "Kind", "clean_environment"]

KEY = "test-key"


@dataclass(frozen=True)
class Kind:
    """What `congress_api` serves and `hearing_db` holds."""

    meetings: int = 60
    seed: int = 1
    congress: int = 119
    #: "wal", as databases of ours are made, or "delete", as older ones are.
    journal_mode: Literal["wal", "delete"] = "wal"

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Kind":
        """From the arguments of the marker; a wrong one is named."""
        known = set(cls.__dataclass_fields__)
        if wrong := sorted(set(options) - known):
            raise ValueError(
                f"hearings: no option {', '.join(wrong)}; there are: {', '.join(sorted(known))}"
            )
        kind = cls(**options)
        if kind.journal_mode not in ("wal", "delete"):
            raise ValueError(
                f"hearings: journal_mode {kind.journal_mode!r}: should be wal or delete"
            )
        return kind

    def serve(self, now: datetime) -> Sandbox:
        """The API. Its "now" is the same for a whole session, so that every one serves the same."""
        return Sandbox(
            self.meetings, seed=self.seed, congress=self.congress, now=now, rate_limit=10**6
        )


class Filled:
    """Makes them, and keeps them to be copied."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._made: dict[Kind, Path] = {}
        self.now = datetime.now(timezone.utc).replace(microsecond=0)

    def copy(self, kind: Kind, target: Path) -> Path:
        """A database of one's own."""
        if kind not in self._made:
            self._fill(kind)
        return Path(shutil.copy(self._made[kind], target))

    def _fill(self, kind: Kind) -> None:
        from updaters.daily_updater import DailyUpdater

        path = self._folder() / "database.db"
        _native.init_database(str(path))
        with kind.serve(self.now) as api:
            updater = DailyUpdater(congress=kind.congress, update_mode="full")
            bind(updater.settings, path, api)
            result = updater.run_daily_update()
            # A backup is one file in the other mode.
            backup = updater._create_database_backup()
            updater.db.close()
        if not result["success"] or backup is None:
            raise RuntimeError(f"the test database could not be filled: {result['error']}")
        self._made[replace(kind, journal_mode="wal")] = path
        self._made[replace(kind, journal_mode="delete")] = Path(backup)


def bind(settings: Any, path: str | os.PathLike[str], api: Sandbox) -> None:
    """Settings of an updater that knows this database and this API, and waits for nobody."""
    settings.database_path = os.fspath(path)
    settings.api_base_url = api.url
    settings.api_key = KEY
    settings.rate_limit = 10**6
    settings.retry_attempts = 1
    settings.circuit_breaker_timeout = 1
    settings.enable_batch_processing = True


def clean_environment(delete: Callable[[str], object]) -> None:
    """No variable of ours is set: a developer's key and database are no test's business."""
    from updaters.settings import own_module

    own = own_module()
    names = {name for field in own.Settings.model_fields for name in own.variables(field)}
    for name in [*os.environ]:
        if name.upper() in {*names, "TRIGGER_SOURCE"}:
            delete(name)
