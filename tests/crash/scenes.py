"""What the processes that are killed were doing: where each starts, and how it has to end."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from crash.forks import Forks, Job
from crash.state import copy
from helpers_run import make_legacy, meeting, utc
from updaters._native import init_database
from updaters.sandbox import Sandbox

ALL = ("--components", "hearings", "witnesses", "committees", "documents", "bills")
#: Events that wait to be asked for again, and are in no list by now.
OLD = tuple(str(700 + number) for number in range(4))
MOMENT = utc(hours=2)
REAL = Path(__file__).parents[3] / "shared" / "data" / "hearings_119_legacy.db"

UPDATE = Job(
    "update",
    ("--lookback-days", "10", "--quiet", *ALL),
    {"BATCH_PROCESSING_SIZE": "6", "BATCH_SALVAGE": "true"},
)


@dataclass
class Scene:
    """A job, the folder that it starts in, and what follows it."""

    name: str
    job: Job
    #: Fills the folder.
    prepare: Callable[["Stage", Path], None]
    #: The run after a kill, which nothing disturbs.
    then: Job = UPDATE
    #: What is done after `job` where nobody kills it: `then` must come to the same, or to what it
    #: comes to where `job` never was.
    after: tuple[Job, ...] = (UPDATE,)
    #: Whether the database was broken at the start, and is no longer at the end.
    broken: bool = False
    #: The job puts another file in the database's place: the journal says nothing of it.
    replaces: bool = False
    #: `then` may fail where the job had done all: it was to be done once.
    once: bool = False
    #: The API shows a record, too, that spoils its batch.
    spoilt: bool = False
    mode: str = "wal"
    #: How the job ends where nobody kills it.
    status: int = 0


@dataclass
class Stage:
    """Where scenes are played: the API as it is today, and databases of the day before."""

    folder: Path
    forks: Forks
    sandbox: Sandbox
    spoilt: Sandbox
    _made: dict[str, Path] = field(default_factory=dict)

    def url(self, scene: Scene) -> str:
        return (self.spoilt if scene.spoilt else self.sandbox).url

    def must(self, job: Job, folder: Path) -> None:
        """A job that nobody kills."""
        done = self.forks.run(job, folder, self.sandbox.url)
        assert done.status == 0, done.output

    def yesterday(self, mode: str) -> Path:
        """A folder with a database that has most meetings, as they were before the changes."""
        if mode not in self._made:
            folder = self.folder / f"yesterday-{mode}"
            shutil.copytree(self.folder / "filled", folder)
            set_mode(folder / "database.db", mode)
            self._made[mode] = folder
        return self._made[mode]

    def today(self, mode: str) -> Path:
        """The same after today's update, which is run 2; its batches can be undone."""
        name = f"today-{mode}"
        if name not in self._made:
            folder = self.folder / name
            shutil.copytree(self.yesterday(mode), folder)
            self.must(UPDATE, folder)
            self._made[name] = folder
        return self._made[name]


def set_mode(path: Path, mode: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """The API, and the process that makes processes."""
    now = datetime.now(timezone.utc)
    apis = [Sandbox(40, seed=5, spread_days=9, now=now, rate_limit=10**7) for _ in range(2)]
    with apis[0] as sandbox, apis[1] as spoilt, Forks() as forks:
        for api in apis:
            for event in OLD:
                # Beyond the window: only who remembers them asks for them.
                api.set_meeting(meeting(event, updateDate=utc(days=25)))
        filled = folder / "filled"
        filled.mkdir()
        init_database(str(filled / "database.db"))
        made = Stage(folder, forks, sandbox, spoilt)
        made.must(UPDATE, filled)
        _a_day_later(filled / "database.db")
        shutil.rmtree(filled / "backups")
        for api in apis:
            _a_day_passes(api)
        bad = meeting(190, committees=[{"systemCode": "not a code", "name": "None"}])
        spoilt.set_meeting(bad)
        yield made


def _a_day_later(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for event in OLD:
            db.execute(
                "INSERT INTO updater_deferred (event_id, congress, chamber, kind, reason, "
                "first_seen, last_tried) VALUES (?, 119, 'house', 'fetch', 'a fault', ?, ?)",
                (event, "2025-01-01 00:00:00", "2025-01-01 00:00:00"),
            )
        # Old enough to be pruned by the next run.
        db.execute("UPDATE updater_batches SET created_at = '2020-01-01 00:00:00'")


def _a_day_passes(sandbox: Sandbox) -> None:
    """Meetings change in many ways, some only in their date, and there are new ones."""
    events = [event for event in sorted(sandbox.event_ids()) if event not in OLD]
    for number, event in enumerate(events[:14]):
        known = sandbox.meeting(event)
        known["title"] = f"Another title of {event}"
        if number % 3 == 0:
            known["witnesses"] = [
                {"name": f"Ms. New Witness {number}", "organization": "River Trust"},
                *known.get("witnesses", [])[:1],
            ]
        if number % 4 == 0:
            known["meetingStatus"] = "Postponed"
        sandbox.set_meeting({**known, "updateDate": MOMENT})
    for event in events[14:18]:
        sandbox.set_meeting({**sandbox.meeting(event), "updateDate": MOMENT})
    for number in range(12):
        sandbox.set_meeting(meeting(100 + number, updateDate=MOMENT))


def _plain(folder: Path, mode: str, stage: Stage) -> None:
    shutil.copytree(stage.yesterday(mode), folder, dirs_exist_ok=True)


def _yesterday(mode: str) -> Callable[[Stage, Path], None]:
    return lambda stage, folder: _plain(folder, mode, stage)


def _today(mode: str) -> Callable[[Stage, Path], None]:
    def prepare(stage: Stage, folder: Path) -> None:
        shutil.copytree(stage.today(mode), folder, dirs_exist_ok=True)

    return prepare


def _in_small_pages(mode: str) -> Callable[[Stage, Path], None]:
    """More pages than a backup copies at once."""

    def prepare(stage: Stage, folder: Path) -> None:
        shutil.copytree(stage.today(mode), folder, dirs_exist_ok=True)
        path = folder / "database.db"
        set_mode(path, "delete")
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA page_size = 512")
            db.execute("VACUUM")
        set_mode(path, mode)

    return prepare


def _legacy(mode: str) -> Callable[[Stage, Path], None]:
    return lambda stage, folder: make_legacy(folder / "database.db", journal_mode=mode)


def _real(stage: Stage, folder: Path) -> None:
    shutil.copy(REAL, folder / "database.db")


def _crashed(mode: str) -> Callable[[Stage, Path], None]:
    """What a killed program left, and a backup from before: the file alone is not the database."""

    def prepare(stage: Stage, folder: Path) -> None:
        today = stage.today(mode)
        shutil.copytree(today / "backups", folder / "backups")
        with closing(sqlite3.connect(copy(today, stage.folder / "torn"))) as db:
            if mode == "wal":
                db.execute("UPDATE hearings SET title = 'In the WAL ' || title")
                db.commit()
            else:
                # Pages that do not fit go into the file before the commit.
                db.execute("PRAGMA cache_size = 1")
                db.execute("UPDATE hearings SET title = 'Never committed ' || title")
            copy(stage.folder / "torn", folder)
        left = folder / ("database.db-wal" if mode == "wal" else "database.db-journal")
        assert left.stat().st_size > 0

    return prepare


def _torn(mode: str) -> Callable[[Stage, Path], None]:
    """Rows that lead nowhere."""

    def prepare(stage: Stage, folder: Path) -> None:
        shutil.copytree(stage.today(mode), folder, dirs_exist_ok=True)
        with closing(sqlite3.connect(folder / "database.db")) as db, db:
            db.execute("DELETE FROM witnesses WHERE witness_id IN (3, 4, 5)")
            db.execute("DELETE FROM hearing_bills WHERE hearing_id = 7")
            db.execute("DELETE FROM hearings WHERE hearing_id = 7")
            db.execute("DELETE FROM committees WHERE committee_id = 2")

    return prepare


def _empty(stage: Stage, folder: Path) -> None:
    pass


def scenes(real: bool = False) -> list[Scene]:
    """All of them; those on the real database only if asked, as each takes longer."""
    found: list[Scene] = []
    plain = Job("update", UPDATE.argv, {**UPDATE.env, "ENABLE_BATCH_PROCESSING": "false"})
    full = Job("update", (*UPDATE.argv, "--mode", "full"), UPDATE.env)
    rollback = Job("cli", ("rollback", "--run", "2", "--db", "database.db"))
    one_batch = Job("cli", ("rollback", "--run", "2", "--batch", "3", "--db", "database.db"))
    restore = Job("cli", ("restore", "--db", "database.db"))
    fix = Job("verify", ("--fix", "--db", "database.db"))
    init = Job("cli", ("init", "--db", "database.db"))
    for mode in ("wal", "delete"):
        found += [
            Scene(f"batched {mode}", UPDATE, _yesterday(mode), mode=mode),
            Scene(f"spoilt {mode}", UPDATE, _yesterday(mode), spoilt=True, mode=mode),
            Scene(f"plain {mode}", plain, _yesterday(mode), then=plain, after=(plain,), mode=mode),
            Scene(f"full {mode}", full, _yesterday(mode), then=full, after=(full,), mode=mode),
            Scene(f"migration {mode}", UPDATE, _legacy(mode), mode=mode),
            Scene(f"backup {mode}", Job("backup"), _in_small_pages(mode), mode=mode),
            Scene(f"rollback {mode}", rollback, _today(mode), rollback, (), mode=mode),
            Scene(f"rollback, update {mode}", rollback, _today(mode), mode=mode),
            Scene(f"one batch {mode}", one_batch, _today(mode), one_batch, (), mode=mode),
            Scene(
                f"checkpoint {mode}", Job("checkpoint", env=UPDATE.env), _yesterday(mode), mode=mode
            ),
            Scene(
                f"undone {mode}",
                Job("undone", env=UPDATE.env),
                _yesterday(mode),
                mode=mode,
                status=1,
            ),
            Scene(
                f"restore {mode}", restore, _crashed(mode), restore, (), replaces=True, mode=mode
            ),
            Scene(f"fix {mode}", fix, _torn(mode), fix, (), broken=True, mode=mode),
        ]
    found.append(Scene("init", init, _empty, init, (), once=True, replaces=True))
    if real and REAL.exists():
        found.append(Scene("migration real", UPDATE, _real, mode="delete"))
        found.append(Scene("backup real", Job("backup"), _real, mode="delete"))
    return found
