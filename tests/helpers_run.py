"""For tests of whole runs: a database in a folder, a sandbox as its API, updaters between them."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from config.settings import Settings
from updaters._native import init_database
from updaters.daily_updater import DailyUpdater
from updaters.sandbox import Sandbox

KEY = "a-key-to-keep-secret"

#: Without capabilities to read and write everything: tests run as root here and there.
AS_ANYBODY = [
    "setpriv",
    "--bounding-set",
    "-dac_override,-dac_read_search",
    "--inh-caps",
    "-dac_override,-dac_read_search",
]

#: What differs from file to file, or is nobody's data.
_OWN = ("updater_", "sqlite_", "update_logs", "schedule", "scheduled")


def utc(**ago: float) -> str:
    """A moment so long ago, as the API writes it."""
    moment = datetime.now(timezone.utc) - timedelta(**ago)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def meeting(event_id: str | int, **fields: Any) -> dict[str, Any]:
    """A plain meeting in the API's shape; `fields` replace or, as None, stand as null."""
    return {
        "eventId": str(event_id),
        "updateDate": utc(hours=3),
        "congress": 119,
        "chamber": "House",
        "type": "Hearing",
        "title": f"Meeting {event_id}",
        "meetingStatus": "Scheduled",
        "date": "2025-09-09T18:00:00Z",
        "location": {"room": "1324", "building": "Longworth House Office Building"},
        "committees": [{"systemCode": "hsii00", "name": "Natural Resources Committee"}],
        "witnesses": [
            {"name": "Mr. David King", "position": "Director", "organization": "Parks Board"},
            {"name": "Ann Lee", "position": "Chair", "organization": "River Trust"},
        ],
        "witnessDocuments": [
            {
                "documentType": "Witness Statement",
                "format": "PDF",
                "url": f"https://docs.house.gov/II00/{event_id}/HHRG-119-II00-Wstate-KingD-20250909.pdf",
            }
        ],
        **fields,
    }


class World:
    """A folder with `database.db`, and the API that updaters made here talk to."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.path = folder / "database.db"
        self.made: list[DailyUpdater] = []

    def init(self) -> "World":
        """An empty database."""
        init_database(str(self.path))
        return self

    def put(self, *meetings: dict[str, Any]) -> None:
        """Meetings as the API shows them."""
        for one in meetings:
            self.sandbox.set_meeting(one)

    def alter(self, event_id: str | int, **fields: Any) -> dict[str, Any]:
        """A meeting changes upstream: new fields, a newer `updateDate`."""
        altered = {**self.sandbox.meeting(event_id), **fields}
        self.sandbox.set_meeting(altered)
        if "updateDate" not in fields:
            self.sandbox.touch(event_id)
        return altered

    def updater(self, settings: dict[str, Any] | None = None, **arguments: Any) -> DailyUpdater:
        """An updater of this database, talking to the sandbox."""
        updater = DailyUpdater(**{"lookback_days": 60, **arguments})
        updater.settings = Settings(
            **{
                "database_path": str(self.path),
                "api_base_url": self.sandbox.url,
                "api_key": KEY,
                "retry_attempts": 1,
                "retry_backoff_factor": 1.0,
                "enable_batch_processing": True,
                **(settings or {}),
            }
        )
        self.made.append(updater)
        return updater

    def run(
        self, settings: dict[str, Any] | None = None, success: bool = True, **arguments: Any
    ) -> dict[str, Any]:
        """One run of a new updater; returns its metrics."""
        events = arguments.pop("event_ids", None)
        dry_run = arguments.pop("dry_run", False)
        updater = self.updater(settings, **arguments)
        if events is not None:
            updater.event_ids = events
        result = updater.run_daily_update(dry_run=dry_run)
        updater.db.close()
        assert result["success"] is success, result
        return {**result["metrics"], **{k: v for k, v in result.items() if k == "error"}}

    def close(self) -> None:
        for updater in self.made:
            updater.db.close()
        self.sandbox.stop()

    # --- looking ---------------------------------------------------------------------------------

    def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """What another program reads."""
        with closing(sqlite3.connect(self.path)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql, params)]

    def row(self, sql: str, *params: Any) -> dict[str, Any]:
        [row] = self.rows(sql, *params)
        return row

    def value(self, sql: str, *params: Any) -> Any:
        """The one value that a query gives."""
        [value] = self.row(sql, *params).values()
        return value

    def hearing(self, event_id: str | int) -> dict[str, Any]:
        return self.row("SELECT * FROM hearings WHERE event_id = ?", str(event_id))

    def do(self, *statements: str) -> None:
        """Another program writes."""
        with closing(sqlite3.connect(self.path)) as db, db:
            for statement in statements:
                db.execute(statement)

    def details(self) -> list[str]:
        """The event ids that were asked for since the requests were cleared."""
        found = []
        for request in self.sandbox.requests:
            parts = request.path.split("?")[0].strip("/").split("/")
            if "committee-meeting" in parts and len(parts) == parts.index("committee-meeting") + 4:
                found.append(parts[-1])
        return found

    def snapshot(self, columns_off: Iterable[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table that holds people's data."""
        return contents(self.path, columns_off)

    def files(self) -> dict[str, str]:
        """Every file in the folder by its content."""
        return {
            str(path.relative_to(self.folder)): digest(path)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(path: Path, columns_off: Iterable[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that holds people's data, by column name."""
    off = set(columns_off)
    with closing(sqlite3.connect(path)) as db:
        tables = [
            name
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith(_OWN)
        ]
        found = {}
        for table in sorted(tables):
            named = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            wanted = sorted(name for name in named if name not in off)
            rows = db.execute(f"SELECT {', '.join(wanted)} FROM {table}")
            found[table] = sorted(rows.fetchall(), key=repr)
        return found


#: Columns of hearings that older files lack.
NEWER_COLUMNS = ("video_url", "youtube_video_id", "video_type")


def make_legacy(path: Path, hearings: int = 3, journal_mode: str = "delete") -> None:
    """A database of the oldest shape: no video columns, no logs, columns in an order of its own."""
    init_database(str(path))
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {journal_mode}")
        with db:
            names = db.execute(
                "SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL AND "
                "(name LIKE 'updater_%' OR tbl_name LIKE 'updater_%' OR name IN "
                "('update_logs', 'scheduled_tasks', 'schedule_execution_logs'))"
            ).fetchall()
            for kind, name in names:
                db.execute(f"DROP {kind} IF EXISTS {name}")
            for (name,) in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%UNIQUE%'"
            ).fetchall():
                db.execute(f"DROP INDEX {name}")
            for column in NEWER_COLUMNS:
                db.execute(f"ALTER TABLE hearings DROP COLUMN {column}")
            db.execute(
                "INSERT INTO committees (system_code, name, chamber, type, congress) "
                "VALUES ('hsii00', 'Natural Resources', 'House', 'Standing', 119)"
            )
            for number in range(hearings):
                db.execute(
                    "INSERT INTO hearings (event_id, congress, chamber, title, hearing_type, "
                    "status, hearing_date, hearing_date_only, hearing_time, update_date, "
                    "created_at, updated_at) VALUES (?, 119, 'House', ?, 'Hearing', 'Scheduled', "
                    "'2025-07-29', '2025-07-29', '14:00:00', '2025-07-28 22:08:17', "
                    "'2025-07-28 23:00:00', '2025-07-28 23:00:00')",
                    (str(900 + number), f"An old  title {number}"),
                )
        db.execute("VACUUM")


# --- processes ------------------------------------------------


def environment(folder: Path, url: str, **variables: str) -> dict[str, str]:
    """The variables of a command in `folder` that talks to the API at `url`."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(folder),
        "NO_PROXY": "127.0.0.1",
        "API_BASE_URL": url,
        "CONGRESS_API_KEY": KEY,
        "RETRY_ATTEMPTS": "1",
        "RETRY_BACKOFF_FACTOR": "1",
        "ENABLE_BATCH_PROCESSING": "true",
        **variables,
    }


MODULE = ("-m", "updaters.daily_updater")
COMMAND = ("-m", "updaters.cli")


def command(
    folder: Path,
    url: str,
    *words: str,
    code: int = 0,
    before: Sequence[str] = (),
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run Python with these words in `folder`; no key and no traceback may come out of it."""
    done = subprocess.run(
        [*before, sys.executable, *words],
        cwd=folder,
        env=environment(folder, url, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def metrics_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What an update printed: JSON and nothing else."""
    metrics: dict[str, Any] = json.loads(done.stdout)
    return metrics


def messages(stderr: str) -> list[str]:
    """The messages of log lines."""
    return [line.split(" - ", 3)[3] for line in stderr.splitlines() if line.count(" - ") >= 3]


def update(world: World, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return command(world.folder, world.sandbox.url, *MODULE, *words, **options)


def tool(world: World, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return command(world.folder, world.sandbox.url, *COMMAND, *words, **options)


@contextmanager
def started(world: World, *words: str, **variables: str) -> "Iterator[subprocess.Popen[str]]":
    """An update that runs beside the test; it does not outlive it."""
    process = subprocess.Popen(
        [sys.executable, *MODULE, *words],
        cwd=world.folder,
        env=environment(world.folder, world.sandbox.url, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(condition: Any, what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


def fails(world: World, *words: str, says: str | tuple[str, ...], **options: Any) -> str:
    """An update fails with one clear line and leaves all files as they were."""
    before = {k: v for k, v in world.files().items() if not k.startswith("logs")}
    options = {"code": 1, **options}
    url = options.pop("url", world.sandbox.url)
    done = command(world.folder, url, *MODULE, *words, **options)
    told = [line for line in messages(done.stderr) if line.startswith("Daily update failed: ")]
    if options["code"] == 1:
        assert len(told) == 1, done.stderr
        line = told[0]
        metrics = json.loads(done.stdout)
        assert metrics["error_count"] >= 1
    else:
        line = done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stdout == ""
    for part in (says,) if isinstance(says, str) else says:
        assert part in line, line
    after = {k: v for k, v in world.files().items() if not k.startswith("logs")}
    assert after == before
    return line


@contextmanager
def locked(world: World) -> "Iterator[subprocess.Popen[str]]":
    """Another program holds the database's lock, until it is communicated with."""
    # In a process of its own: this one drops its locks when it reads the file to compare it.
    code = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect('database.db')\n"
        "db.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=world.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield holder
