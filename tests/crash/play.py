"""One scene, killed and looked at as often as somebody likes."""

import random
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from crash.forks import Job
from crash.journal import Journal, newest_batch
from crash.scenes import Scene, Stage
from crash.state import Rows, contents, copy, damage, differences, digest_of

#: What may lie beside a database when nobody uses it.
_FILES = re.compile(r"database\.db|backups/database_backup_\d{8}_\d{6}(_\d+)?\.db|logs/.*")


@dataclass(frozen=True)
class Kill:
    """Where, or when, a process is killed."""

    #: As UPDATER_CRASH_AT.
    at: str | None = None
    #: Or seconds after its start.
    after: float | None = None

    @property
    def is_write(self) -> bool:
        return self.at is not None and self.at.startswith("write")

    def __str__(self) -> str:
        return f"at {self.at}" if self.at else f"after {self.after:.4f} s"


@dataclass
class Played:
    """What came of one play."""

    kills: int = 0
    runs: int = 0
    #: Where a process died.
    points: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


class Play:
    """A scene, made ready once: its start, a run that nobody kills, the points that it passes."""

    def __init__(self, scene: Scene, stage: Stage, folder: Path) -> None:
        self.scene, self.stage, self.folder = scene, stage, folder
        shutil.rmtree(folder, ignore_errors=True)
        self.start = folder / "start"
        self.start.mkdir(parents=True)
        scene.prepare(stage, self.start)
        self._path = self.start / "database.db"
        self.exists = self._path.exists()
        self._look = copy(self.start, folder / "look")
        self._since = newest_batch(self._look) if self.exists else 0
        self._loose = damage(self._look) if self.exists else []
        assert scene.broken == bool(self._loose), self._loose
        self._before = digest_of(self._look) if self.exists else ""
        self._old_backups = {path.name for path in (self.start / "backups").glob("*")}
        self._batches: dict[str, Counter[str]] = {}
        self._ends: list[Rows] = []
        self.passages = self._unkilled()

    def _unkilled(self) -> list[tuple[str, str]]:
        """A run that nobody kills, and what follows. -> every passage of it: point and label"""
        scene, folder, log = self.scene, self._fresh("whole"), self.folder / "passages"
        log.unlink(missing_ok=True)
        done = self.stage.forks.run(scene.job, folder, self.stage.url(scene), log=log)
        assert done.status == scene.status, done.output
        self.seconds = done.seconds
        path = copy(folder, self.folder / "look")
        self._after = digest_of(path)
        if not scene.replaces:
            journal = Journal(path, self._since)
            for batch in journal.batches:
                # A batch that was undone has a row of its own for its figures.
                self._batches.setdefault(batch.label, Counter()).update(batch.told())
            journal.close()
        alone = folder
        if scene.then != scene.job:
            alone = self._fresh("then")
            self._run(scene.then, alone)
        self._ends.append(contents(alone / "database.db"))
        for job in scene.after:
            self._run(job, folder)
        self._ends.append(contents(folder / "database.db"))
        lines = log.read_text().splitlines()
        return [(point, label) for point, _, label in (line.partition("\t") for line in lines)]

    def _run(self, job: Job, folder: Path) -> None:
        done = self.stage.forks.run(job, folder, self.stage.url(self.scene))
        assert done.status in (0, 1), done.output

    def _fresh(self, name: str) -> Path:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.start, folder)
        return folder

    def points(self) -> list[Kill]:
        """Every passage as a kill; writes also torn."""
        counted: Counter[str] = Counter()
        kills = []
        for point, _ in self.passages:
            counted[point] += 1
            kills.append(Kill(f"{point}:{counted[point]}"))
            if point == "write":
                kills.append(Kill(f"{point}:{counted[point]}:torn"))
        return kills

    def at_random(self, dice: random.Random) -> Kill:
        return Kill(after=dice.uniform(0.0, self.seconds * 1.1))

    def play(self, *kills: Kill, reader: bool = False) -> Played:
        """Kill the job, then each next run, then leave one alone; look after each."""
        played = Played()
        folder = self._fresh("play")
        seen = self.folder / "seen"
        for number, kill in enumerate(kills):
            job = self.scene.job if number == 0 else self.scene.then
            seen.unlink(missing_ok=True)
            reads = reader and number == 0 and self.exists and not self.scene.replaces
            done = self.stage.forks.run(
                job,
                folder,
                self.stage.url(self.scene),
                crash_at=kill.at,
                kill_after=kill.after,
                reader=seen if reads else None,
            )
            played.runs += 1
            if not done.killed:
                if "UPDATER_CRASH_AT: cannot read" in done.output or done.status < 0:
                    played.findings.append(f"{kill}: ended with {done.status}: {done.output}")
                continue
            played.kills += 1
            if kill.at:
                played.points.append(kill.at)
            read = seen.read_text().split("\n") if reads else []
            played.findings += self.judge(folder, read, first=number == 0)
        played.findings += self._go_on(folder, played)
        return played

    # --- after a kill ----------------------------------------------------------------------------

    def judge(self, folder: Path, read: Sequence[str] = (), *, first: bool = True) -> list[str]:
        """What is wrong with what is left in a folder.

        `read`: the states that a reader saw, in order.
        `first`: it is from the first run, whose batches are those of a run that nobody killed.
        """
        path = copy(folder, self.folder / "look")
        if not path.exists():
            return ["the database is gone"] if self.exists else []
        if path.stat().st_size == 0:
            return ["the database is empty"]
        found = [line for line in damage(path) if line not in self._loose]
        for backup in sorted((folder / "backups").glob("*.db")):
            if backup.name.startswith("database_backup_"):
                found += [f"backup {line}" for line in self._of_backup(backup)]
        if found:
            return found
        if self.scene.replaces:
            if self.exists and digest_of(path) not in (self._before, self._after):
                found.append("neither the old database nor the one of the backup")
            return found
        return found + self._journal(path, read, first)

    def _of_backup(self, backup: Path) -> list[str]:
        """What is wrong with a backup that bears a backup's name."""
        look = self.folder / "look" / "backup.db"
        shutil.copy(backup, look)
        if look.stat().st_size == 0:
            return [f"{backup.name} is empty"]
        broken = [line for line in damage(look) if line not in self._loose]
        return [f"{backup.name}: {line}" for line in broken]

    def _journal(self, path: Path, read: Sequence[str], first: bool) -> list[str]:
        try:
            with closing(Journal(path, self._since)) as journal:
                found = journal.problems()
                if first:
                    found += self._halves(journal)
                states = journal.undo_all()
        except (sqlite3.Error, AssertionError, ValueError) as error:
            return [f"the journal cannot be undone: {error}"]
        start = copy(self.start, self.folder / "look-start")
        if digest_of(path) != digest_of(_brought_up(start, path)):
            found.append("undoing every batch does not lead back to the start")
        order = [self._before, *reversed(states)]
        at = 0
        for line in filter(None, read):
            if line.startswith("error"):
                found.append(f"a reader met an {line}")
            elif line not in order[at:]:
                found.append("a reader saw what is no state after whole batches")
            else:
                at = order.index(line, at)
        return found

    def _halves(self, journal: Journal) -> list[str]:
        """Batches that did something else than those of a run that nobody killed."""
        found = []
        for batch in journal.batches:
            # Several transactions may bear one label, such as "bookkeeping 0".
            if not batch.label.startswith("batch"):
                continue
            whole, mine = self._batches.get(batch.label, Counter()), Counter(batch.told())
            if mine != whole:
                lost, more = list(whole - mine)[:2], list(mine - whole)[:2]
                found.append(f"{batch.label} is not whole: lacks {lost}, has {more}")
        return found

    # --- the run after that ----------------------------------------------------------------------

    def _go_on(self, folder: Path, played: Played) -> list[str]:
        done = self.stage.forks.run(self.scene.then, folder, self.stage.url(self.scene))
        played.runs += 1
        found = []
        fine = (0, 1) if self.scene.once or self.scene.spoilt else (0,)
        if done.status not in fine:
            found.append(f"the next run ended with {done.status}: {done.output[-600:]}")
        path = folder / "database.db"
        if not path.exists():
            return [*found, "there is no database"]
        broken = damage(path)
        if broken:
            return [*found, *broken]
        now = contents(path)
        apart = [differences(end, now) for end in self._ends]
        if all(apart):
            found += min(apart, key=len)
        found += [
            f"left behind: {name}"
            for name in sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
            # A repair that has nothing to do takes no lock, and so does not clear up a stale one.
            if not _FILES.fullmatch(name)
            and not (self.scene.broken and name == "database.db.updater-lock")
        ]
        with closing(sqlite3.connect(path)) as db:
            mode = db.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != self.scene.mode:
            found.append(f"the journal mode is {mode}")
        return found


def _brought_up(start: Path, like: Path) -> Path:
    """A copy of the start with the columns and tables that the file `like` has by now, empty."""
    with closing(sqlite3.connect(start)) as db, db, closing(sqlite3.connect(like)) as other:
        tables = dict(
            other.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        )
        there = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        for name, sql in tables.items():
            if name.startswith("sqlite_"):
                continue
            if name not in there:
                db.execute(sql)
                continue
            mine = {row[1] for row in db.execute(f"PRAGMA table_info({name})")}
            for row in other.execute(f"PRAGMA table_info({name})"):
                if row[1] not in mine:
                    db.execute(f"ALTER TABLE {name} ADD COLUMN {row[1]} {row[2]}")
    return start
