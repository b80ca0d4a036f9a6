"""Fixtures for everybody. Tests that touch settings start from `clean_env`."""

import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, variables
from helpers_notify import Receiver
from helpers_plan import Shell
from helpers_run import World, meeting
from updaters import _native
from updaters.daily_updater import DailyUpdater
from updaters.notifier import Notifier
from updaters.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
REAL_DATABASE = ROOT.parent / "shared" / "data" / "hearings_119_legacy.db"
MEETINGS = 150
SEED = 11

#: Table -> its rows, each as column -> value, in a fixed order.
Snapshot = dict[str, list[dict[str, Any]]]

#: Every variable that this project reads.
VARIABLES = sorted({name for field in Settings.model_fields for name in variables(field)})


@pytest.fixture
def clean_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """None of our variables set, and an empty current folder, which is returned."""
    known = {*VARIABLES, "TRIGGER_SOURCE"}
    for name in list(os.environ):
        if name.upper() in known:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make_settings(clean_env: Path) -> Callable[..., Settings]:
    """Makes settings with the given values; the database lies in the test's folder."""

    def make(**values: Any) -> Settings:
        return Settings(**{"database_path": str(clean_env / "database.db"), **values})

    return make


@pytest.fixture
def root_logging() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    for handler in list(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


# --- databases ---------------------------------------------------------------------------------


def snapshot(path: Path | str, *, without: tuple[str, ...] = ("update_logs",)) -> Snapshot:
    """Every row of every table but the updater's own, as another program reads the file.

    The log of the runs is left out unless `without=()`: a run that is undone stays in it.
    """
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        names = [
            name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")
        ]
        kept = [n for n in names if not n.startswith(("updater_", "sqlite_")) and n not in without]
        return {
            name: sorted((dict(row) for row in db.execute(f'SELECT * FROM "{name}"')), key=repr)
            for name in sorted(kept)
        }


def query(path: Path | str, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement, as another program reads the file; writes are committed."""
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(sql, params).fetchall()


def count(path: Path | str, table: str) -> int:
    """How many rows a table has."""
    return int(query(path, f"SELECT COUNT(*) FROM {table}")[0][0])


def assert_sound(path: Path | str) -> None:
    """What people check with `sqlite3` after a run."""
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert query(path, "PRAGMA foreign_key_check") == []


@pytest.fixture(scope="session")
def moment() -> datetime:
    """The sandbox's "now": the same for every sandbox of a session, so that they serve the same."""
    return datetime.now(timezone.utc).replace(microsecond=0)


@pytest.fixture(scope="session")
def filled_once(
    tmp_path_factory: pytest.TempPathFactory, moment: datetime, request: pytest.FixtureRequest
) -> Path:
    """A database that holds all that the sandbox serves. To be copied, not to be used."""
    folder = tmp_path_factory.mktemp("filled")
    path = folder / "database.db"
    _native.init_database(str(path))
    with pytest.MonkeyPatch.context() as patch, Sandbox(MEETINGS, seed=SEED, now=moment) as api:
        for name in list(os.environ):
            if name.upper() in {*VARIABLES, "TRIGGER_SOURCE"}:
                patch.delenv(name)
        patch.chdir(folder)
        updater = DailyUpdater(
            update_mode="full",
            components=["hearings", "witnesses", "committees", "documents", "bills"],
        )
        updater.settings = Settings(
            database_path=str(path), api_base_url=api.url, api_key="test-key"
        )
        result = updater.run_daily_update()
        updater.db.close()
    assert result["success"], result
    assert count(path, "hearings") == MEETINGS
    return path


@pytest.fixture
def filled_db(filled_once: Path, clean_env: Path) -> Path:
    """A database of one's own that holds all that `sandbox` serves."""
    return Path(shutil.copy(filled_once, clean_env / "database.db"))


@pytest.fixture
def legacy_db(clean_env: Path) -> Path:
    """A database of the oldest shape in use, with three hearings and what belongs to them.

    No video columns, no `update_logs`, none of the updater's tables, a rollback journal.
    """
    path = clean_env / "legacy.db"
    schema = (ROOT / "src" / "store" / "sqlite" / "schema.sql").read_text()
    schema = re.sub(r"\n +(video_url|youtube_video_id|video_type) TEXT,", "", schema)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(schema)
        db.executescript(LEGACY_ROWS)
    return path


LEGACY_ROWS = """
INSERT INTO committees (committee_id, system_code, name, chamber, type, congress)
    VALUES (1, 'hsag00', 'Agriculture', 'House', 'Standing', 119),
           (2, 'ssga00', 'Homeland Security', 'Senate', 'Standing', 119);
INSERT INTO hearings (hearing_id, event_id, congress, chamber, title, hearing_type, status,
                      hearing_date, hearing_date_only, hearing_time, update_date)
    VALUES (1, '1001', 119, 'House', 'On farms', 'Hearing', 'Scheduled',
            '2025-07-29', '2025-07-29', '14:00:00', '2025-07-28 22:08:17'),
           (2, '1002', 119, 'Senate', 'On ports', 'Markup', 'Postponed', NULL, NULL, NULL, NULL),
           (3, '1003', 119, 'NoChamber', 'On both', 'Meeting', 'Scheduled', NULL, NULL, NULL, NULL);
INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (1, 1), (2, 2);
INSERT INTO witnesses (witness_id, full_name, organization)
    VALUES (1, 'Jane Roe', 'Farm Bureau'), (2, 'John Doe', NULL);
INSERT INTO witness_appearances (appearance_id, witness_id, hearing_id) VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO witness_documents (document_id, appearance_id, document_type, document_url)
    VALUES (1, 1, 'Statement', 'https://docs.house.gov/a.pdf'),
           (2, 2, 'Biography', 'https://docs.house.gov/b.pdf');
"""


@pytest.fixture
def real_db(clean_env: Path) -> Path:
    """A copy of the real database, where there is one."""
    if not REAL_DATABASE.exists():
        pytest.skip(f"the real database is not here: {REAL_DATABASE}")
    return Path(shutil.copy(REAL_DATABASE, clean_env / "real.db"))


# --- updaters ----------------------------------------------------------------------------------


@pytest.fixture
def sandbox(moment: datetime) -> Iterator[Sandbox]:
    """The API: what it serves at first is what `filled_db` holds."""
    with Sandbox(MEETINGS, seed=SEED, now=moment) as running:
        yield running


MakeUpdater = Callable[..., Any]


@pytest.fixture
def make_updater(clean_env: Path, sandbox: Sandbox) -> Iterator[MakeUpdater]:
    """Makes updaters of a database, bound to the sandbox, with the flag on; closed afterwards."""
    made: list[DailyUpdater] = []

    def make(
        path: Path | str,
        cls: type[DailyUpdater] = DailyUpdater,
        *,
        components: list[str] | None = None,
        mode: str = "incremental",
        **settings: Any,
    ) -> DailyUpdater:
        updater = cls(lookback_days=60, update_mode=mode, components=components)
        values = {
            "database_path": str(path),
            "api_base_url": sandbox.url,
            "api_key": "test-key",
            "enable_batch_processing": True,
            "retry_backoff_factor": 1.0,
            **settings,
        }
        updater.settings = Settings(**values)
        made.append(updater)
        return updater

    yield make
    for updater in made:
        updater.db.close()


@pytest.fixture
def updater(make_updater: MakeUpdater, filled_db: Path) -> Any:
    """An updater of `filled_db`, with the flag on."""
    return make_updater(filled_db)


# --- whole runs --------------------------------------------------------------------------------


@pytest.fixture
def world(clean_env: Path) -> Iterator[World]:
    """An empty database, and an API without a meeting."""
    with Sandbox(meetings=0) as sandbox:
        world = World(clean_env, sandbox).init()
        yield world
        world.close()


@pytest.fixture
def filled(world: World) -> World:
    """Three meetings, stored."""
    world.put(*(meeting(n) for n in (1, 2, 3)))
    world.run()
    world.sandbox.clear_requests()
    return world


@pytest.fixture
def busy_world(clean_env: Path) -> Iterator[World]:
    """An empty database, and an API with thirty meetings."""
    with Sandbox(meetings=30, seed=8, spread_days=5) as sandbox:
        world = World(clean_env, sandbox).init()
        yield world
        world.close()


@pytest.fixture
def changed_world(clean_env: Path) -> Iterator[World]:
    """A database with three meetings, one of which has changed upstream since."""
    with Sandbox(meetings=0) as sandbox:
        world = World(clean_env, sandbox).init()
        world.put(*(meeting(n) for n in (1, 2, 3)))
        world.run()
        world.do("PRAGMA journal_mode = delete")
        shutil.rmtree(world.folder / "backups")
        world.alter(2, title="Another title")
        world.sandbox.clear_requests()
        yield world
        world.close()


@pytest.fixture
def shell(filled_db: Path, sandbox: Sandbox) -> Iterator[Shell]:
    yield Shell(filled_db.parent, sandbox)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A web server that notifications can go to."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Receiver()
    yield server
    server.close()


MakeNotifier = Callable[..., Notifier]


@pytest.fixture
def by_webhook(make_settings: Callable[..., Settings]) -> MakeNotifier:
    """Makes notifiers that send to a URL."""

    def make(url: str, **settings: Any) -> Notifier:
        values = {"notification_type": "webhook", "notification_webhook_url": url, **settings}
        return Notifier(make_settings(notification_enabled=True, **values))

    return make


# --- records -----------------------------------------------------------------------------------


def record(event_id: str, **fields: Any) -> dict[str, Any]:
    """A new meeting in the API's shape, with a committee, two witnesses and a statement."""
    return {
        "eventId": event_id,
        "congress": 119,
        "chamber": "House",
        "type": "Hearing",
        "title": f"On matter {event_id}",
        "meetingStatus": "Scheduled",
        "date": "2025-09-09T18:00:00Z",
        "updateDate": "2025-09-01T12:00:00Z",
        "location": {"room": "1324", "building": "Longworth House Office Building"},
        "witnesses": [
            {"name": f"Ms. Ada Newcomer{event_id}", "organization": "Test Institute"},
            {"name": f"Mr. Bob Stranger{event_id}", "organization": "Test Institute"},
        ],
        "witnessDocuments": [
            {
                "documentType": "Witness Statement",
                "format": "PDF",
                "url": f"https://docs.house.gov/meetings/II/HHRG-119-II24-Wstate-Newcomer{event_id}A-20250909.pdf",
            }
        ],
        **fields,
    }


def change_of(updater: DailyUpdater, sandbox: Sandbox, event_id: str, **fields: Any) -> Any:
    """An update of a stored hearing: as the sandbox shows it, with these fields otherwise."""
    existing = updater.db.get_hearing_by_event_id(event_id)
    assert existing is not None
    return {"existing": existing, "new_data": {**sandbox.meeting(event_id), **fields}}
