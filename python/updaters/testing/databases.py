"""Databases filled by a real run against the sandbox, made once a session for each kind."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from unittest import mock

from updaters import _native
from updaters.sandbox import Sandbox

if TYPE_CHECKING:
    from updaters.daily_updater import DailyUpdater

    Updater = TypeVar("Updater", bound=DailyUpdater)

__all__ = ["Filled", "Kind", "build", "clean_environment"]

KEY = "test-key"


@dataclass(frozen=True)
class Kind:
    """What `congress_api` serves and `hearing_db` holds."""

    meetings: int = 60
    seed: int = 1
    congress: int = 119
    #: "wal", as databases of ours are made, or "delete", as older ones are.
    journal_mode: Literal["wal", "delete"] = "wal"
    #: The oldest shape in use: no video columns, no `update_logs`, none of the updater's tables.
    legacy: bool = False

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Kind":
        """From the arguments of the marker; a wrong one is named."""
        known = set(cls.__dataclass_fields__)
        if wrong := sorted(set(options) - known):
            raise ValueError(
                f"hearings: no option {', '.join(wrong)}; there are: {', '.join(sorted(known))}"
            )
        if options.get("legacy"):
            options = {"journal_mode": "delete", **options}
        kind = cls(**options)
        if kind.journal_mode not in ("wal", "delete"):
            raise ValueError(
                f"hearings: journal_mode {kind.journal_mode!r}: should be wal or delete"
            )
        if kind.legacy and kind.journal_mode != "delete":
            raise ValueError("hearings: the oldest databases have journal_mode 'delete'")
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
        filled = replace(kind, legacy=False)
        if filled not in self._made:
            self._fill(filled)
        copied = Path(shutil.copy(self._made[filled], target))
        if kind.legacy:
            _native.make_legacy(str(copied))
        return copied

    def _fill(self, kind: Kind) -> None:
        from updaters.daily_updater import DailyUpdater

        path = self._folder() / "database.db"
        _native.init_database(str(path))
        with kind.serve(self.now) as api:
            updater = build(DailyUpdater, path, api, congress=kind.congress, update_mode="full")
            result = updater.run_daily_update()
            # A backup is one file in the other mode.
            backup = updater._create_database_backup()
            updater.db.close()
        if not result["success"] or backup is None:
            raise RuntimeError(f"the test database could not be filled: {result['error']}")
        self._made[replace(kind, journal_mode="wal")] = path
        self._made[replace(kind, journal_mode="delete")] = Path(backup)


def build(
    cls: "type[Updater]", path: str | os.PathLike[str], api: Sandbox, **arguments: Any
) -> "Updater":
    """An updater of this database and this API, which waits for nobody and tells nobody: neither a
    checkout's own settings nor its own notifier have a say."""
    from updaters import daily_updater
    from updaters.notifier import Notifier
    from updaters.settings import own_module

    settings = own_module().Settings()
    settings.database_path = os.fspath(path)
    settings.api_base_url = api.url
    settings.api_key = KEY
    settings.rate_limit = 10**6
    settings.retry_attempts = 1
    settings.circuit_breaker_timeout = 1
    settings.enable_batch_processing = True
    with (
        mock.patch.object(daily_updater, "load_settings", lambda: settings),
        mock.patch.object(daily_updater, "get_notifier", Notifier),
    ):
        updater = cls(**arguments)
    updater.trigger_source = "test"
    return updater


def clean_environment(delete: Callable[[str], object]) -> None:
    """No variable of ours is set: a developer's key and database are no test's business."""
    from updaters.settings import own_module

    own = own_module()
    names = {name for field in own.Settings.model_fields for name in own.variables(field)}
    for name in [*os.environ]:
        if name.upper() in {*names, "TRIGGER_SOURCE"}:
            delete(name)
