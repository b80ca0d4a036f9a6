"""What is killed: an update of each kind, a rollback, a restore, an init, a repair."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from crash import states
from helpers_run import COMMAND, MODULE, environment, make_legacy
from updaters import _native
from updaters.sandbox import Sandbox

VERIFY = ("-m", "scripts.verify_updates")
MEETINGS = 24
SIZE = "6"


@dataclass
class Scene:
    """A folder to start from, a command, and what it comes to when nobody kills it."""

    name: str
    start: Path
    words: tuple[str, ...]
    url: str
    variables: dict[str, str] = field(default_factory=dict)
    #: Database of the folder that the command works on.
    database: str = "database.db"
    #: Whether the run writes hearings in batches (else: all or nothing).
    batched: bool = True
    before: states.Events = field(default_factory=dict)
    after: states.Events = field(default_factory=dict)
    reference: dict[str, object] = field(default_factory=dict)
    parts: list[set[str]] = field(default_factory=list)
    #: Of each point, how often an undisturbed run passes it.
    passages: dict[str, int] = field(default_factory=dict)

    def run(self, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        """The command, in a folder that `lay` made."""
        return subprocess.run(
            [sys.executable, *self.words],
            cwd=folder,
            env=environment(folder, self.url, **{**self.variables, **variables}),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def lay(self, folder: Path) -> Path:
        """A copy of the start in an empty folder. -> the database"""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.start, folder)
        return folder / self.database

    def prepare(self, scratch: Path) -> "Scene":
        """Runs it once undisturbed, and notes the way and the end."""
        path = self.lay(scratch)
        newest = 0
        if path.exists():
            with closing(states.connect(path)) as db:
                self.before = states.events(db)
                if db.execute(
                    "SELECT 1 FROM sqlite_master WHERE name = 'updater_batches'"
                ).fetchone():
                    sql = "SELECT COALESCE(MAX(batch_id), 0) FROM updater_batches"
                    newest = db.execute(sql).fetchone()[0]
        log = scratch / "passages"
        done = self.run(scratch, UPDATER_CRASH_LOG=str(log))
        assert done.returncode == 0, f"{self.name}: {done.stdout}{done.stderr}"
        for line in log.read_text().splitlines() if log.exists() else ():
            point = line.split("\t")[0]
            self.passages[point] = self.passages.get(point, 0) + 1
        self.reference = states.state(path)
        with closing(states.connect(path)) as db:
            self.after = states.events(db)
        self.parts = states.batches(path, newest) if self.batched else []
        if not self.batched:
            self.parts = [set(self.before) | set(self.after)]
        return self


def filled(folder: Path, api: Sandbox, mode: str = "wal") -> Path:
    """A database that holds what the API serves."""
    folder.mkdir(parents=True)
    path = folder / "database.db"
    _native.init_database(str(path))
    done = subprocess.run(
        [sys.executable, *MODULE, "--mode", "full", "--quiet"],
        cwd=folder,
        env=environment(folder, api.url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder / "backups", ignore_errors=True)
    shutil.rmtree(folder / "logs", ignore_errors=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
    return path


def _update(name: str, *words: str, mode: str = "wal", batches: bool = True) -> "Maker":
    def make(root: Path, api: Sandbox, base: Path) -> Scene:
        start = root / "start"
        shutil.copytree(base, start)
        with closing(sqlite3.connect(start / "database.db")) as db:
            db.execute(f"PRAGMA journal_mode = {mode}")
        variables = {
            "ENABLE_BATCH_PROCESSING": "true" if batches else "false",
            "BATCH_PROCESSING_SIZE": SIZE,
        }
        return Scene(name, start, (*MODULE, "--lookback-days", "60", *words), api.url, variables)

    return make


def _migration(root: Path, api: Sandbox, base: Path) -> Scene:
    start = root / "start"
    start.mkdir(parents=True)
    make_legacy(start / "database.db", hearings=12)
    variables = {"BATCH_PROCESSING_SIZE": SIZE}
    return Scene("migration", start, (*MODULE, "--lookback-days", "60"), api.url, variables)


def _after_a_run(root: Path, api: Sandbox, base: Path) -> Path:
    """A folder in which a run has stored changes; its backup is kept."""
    start = root / "start"
    shutil.copytree(base, start)
    done = _update("first")(root / "run", api, base).run(start)
    assert done.returncode == 0, done.stderr
    return start


def _rollback(root: Path, api: Sandbox, base: Path) -> Scene:
    start = _after_a_run(root, api, base)
    return Scene("rollback", start, (*COMMAND, "rollback", "--run", "2"), api.url, batched=False)


def _rollback_batch(root: Path, api: Sandbox, base: Path) -> Scene:
    start = _after_a_run(root, api, base)
    words = (*COMMAND, "rollback", "--run", "2", "--batch", "2")
    return Scene("rollback of a batch", start, words, api.url, batched=False)


def _restore(root: Path, api: Sandbox, base: Path) -> Scene:
    start = _after_a_run(root, api, base)
    return Scene("restore", start, (*COMMAND, "restore"), api.url, batched=False)


def _init(root: Path, api: Sandbox, base: Path) -> Scene:
    start = root / "start"
    start.mkdir(parents=True)
    return Scene("init", start, (*COMMAND, "init"), api.url, batched=False)


def _repair(root: Path, api: Sandbox, base: Path) -> Scene:
    start = root / "start"
    shutil.copytree(base, start)
    with closing(sqlite3.connect(start / "database.db")) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("UPDATE hearing_committees SET committee_id = 99999 WHERE rowid % 5 = 0")
    return Scene("repair", start, (*VERIFY, "--fix"), api.url, batched=False)


Maker = Callable[[Path, Sandbox, Path], Scene]
#: Name -> how it is made, of (its own folder, the API after its changes, a filled folder).
SCENES: dict[str, Maker] = {
    "batches": _update("batches"),
    "batches, delete mode": _update("batches, delete mode", mode="delete"),
    "plain": _update("plain", batches=False),
    "plain, delete mode": _update("plain, delete mode", mode="delete", batches=False),
    "full": _update("full", "--mode", "full"),
    "migration": _migration,
    "rollback": _rollback,
    "rollback of a batch": _rollback_batch,
    "restore": _restore,
    "init": _init,
    "repair": _repair,
}
