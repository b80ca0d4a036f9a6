"""For tests of recordings: making one of a sandbox, reading it, running against its replay."""

import gzip
import json
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from config.settings import Settings
from helpers_run import KEY, contents
from updaters import _native
from updaters.api_client import ApiClient
from updaters.daily_updater import DailyUpdater
from updaters.recording import record
from updaters.sandbox import Sandbox

#: "Now" for sandboxes and recordings of the tests.
NOW = datetime.now(timezone.utc).replace(microsecond=0)
#: What differs between two runs that do the same.
TIMES = ("start_time", "end_time", "duration_seconds")
STAMPS = ("created_at", "updated_at")


def make(sandbox: Sandbox, path: Path | str, **options: Any) -> dict[str, Any]:
    """Records what a sandbox serves; returns the report."""
    settings = {"api_key": KEY, "retry_attempts": 1, **options.pop("settings", {})}
    arguments = {"congress": 119, "lookback_days": 90, "path": path, "now": NOW, **options}
    return record(Settings(api_base_url=sandbox.url, **settings), **arguments)


def lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def client(url: str) -> _native.Client:
    """A client that tries once."""
    return ApiClient(Settings(api_base_url=url, api_key=KEY, retry_attempts=1)).native


def run(url: str, start: Path, path: Path, days: int, **settings: Any) -> Any:
    """A run on a fresh copy: its metrics, and what the database holds afterwards."""
    shutil.copy(start, path)
    updater = DailyUpdater(
        lookback_days=days,
        components=["hearings", "witnesses", "committees", "documents", "bills"],
    )
    updater.settings = Settings(
        database_path=str(path), api_base_url=url, api_key=KEY, retry_attempts=1, **settings
    )
    result = updater.run_daily_update()
    updater.db.close()
    assert result["success"], result
    metrics = dict(result["metrics"])
    for name in TIMES:
        metrics.pop(name, None)
    # In the order in which the answers came.
    waiting = metrics.get("deferred") or []
    metrics["deferred"] = sorted(waiting, key=lambda event: str(event["event_id"]))
    return metrics, contents(path, STAMPS)
