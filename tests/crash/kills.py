"""Killing a scene's command, and judging what is left."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from crash import states
from crash.scenes import Scene
from helpers_run import environment
from updaters import _native


class Finding(AssertionError):
    """Something that a crash must not leave behind."""


def at_point(scene: Scene, folder: Path, where: str) -> bool:
    """Kills itself at a point ("commit:2", "write:17:torn"). -> whether it got there"""
    done = scene.run(folder, UPDATER_CRASH_AT=where)
    if done.returncode == 0 or (scene.name == "init" and "exists already" in done.stderr):
        return False
    if done.returncode != -signal.SIGKILL:
        raise Finding(f"ended with {done.returncode}: {done.stderr[-500:]}")
    return True


def at_moment(scene: Scene, folder: Path, seconds: float) -> bool:
    """Killed from outside, so many seconds after its start. -> whether it still ran"""
    process = subprocess.Popen(
        [sys.executable, *scene.words],
        cwd=folder,
        env=environment(folder, scene.url, **scene.variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait() == -signal.SIGKILL


class Reader:
    """Another program that reads all the while, and must see whole batches only."""

    def __init__(self, scene: Scene, path: Path) -> None:
        self._scene, self._path = scene, path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.looks = 0
        self.seen: list[str] = []

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _read(self) -> None:
        scene = self._scene
        while not self._over.is_set():
            try:
                with closing(states.connect(self._path)) as db:
                    found = states.events(db)
            except Exception as error:
                self.seen.append(f"a reader failed: {error!r}")
                return
            self.looks += 1
            self.seen += states.halves(found, scene.before, scene.after, scene.parts)
            time.sleep(0.005)


def judge(scene: Scene, folder: Path, scratch: Path) -> None:
    """Right after a kill: the file is whole, so is every batch, and it all can be undone."""
    path = folder / scene.database
    if not path.exists():
        if scene.before:
            raise Finding("the database is gone")
        return
    # Of a scene that begins with some.
    old = set(states.problems(start)) if (start := scene.start / scene.database).exists() else set()
    found = [one for one in states.problems(path) if one not in old]
    with closing(states.connect(path)) as db:
        now = states.events(db)
    found += states.halves(now, scene.before, scene.after, scene.parts)
    if scene.batched:
        found += _undone(scene, path, scratch)
    if found:
        raise Finding("; ".join(found[:5]))


def _undone(scene: Scene, path: Path, scratch: Path) -> Iterator[str]:
    """Undoing what was applied gives back the start, row by row, on a copy."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    copy = scratch / "copy.db"
    start = states.rows(scene.start / scene.database)
    _native.copy_database(str(path), str(copy))
    known = _runs(scene.start / scene.database)
    native = _native.Database(str(copy))
    try:
        for run in native.runs(1000):
            if run["run"] not in known and run["batches"]:
                outcome = native.undo_run(run["run"], None, False)
                if not outcome["undone"]:
                    yield f"run {run['run']} cannot be undone: {outcome['conflicts'][:2]}"
    finally:
        native.close()
    end = states.rows(copy)
    for table, rows in start.items():
        # A migration adds columns, which were not there at the start.
        if table in end and len(rows) == len(end[table]) and rows and rows != end[table]:
            if len(rows[0]) == len(end[table][0]):
                yield f"after the undoing {table} is not as it was"
        elif len(rows) != len(end.get(table, [])):
            yield f"after the undoing {table} has {len(end.get(table, []))} rows, not {len(rows)}"


def _runs(path: Path) -> set[int]:
    native = _native.Database(str(path), read_only=True)
    try:
        return {run["run"] for run in native.runs(1000)}
    finally:
        native.close()


def finish(scene: Scene, folder: Path) -> None:
    """The next run, undisturbed, ends where a run ends that was never killed."""
    path = folder / scene.database
    done = scene.run(folder)
    again = scene.name == "init" and "exists already" in done.stderr
    if done.returncode != 0 and not again:
        raise Finding(f"the next run failed: {done.stderr[-600:]}")
    end = states.state(path)
    for what, wanted in scene.reference.items():
        if end[what] != wanted:
            raise Finding(f"the next run ends with other {what}: {_difference(wanted, end[what])}")
    found = [*states.problems(path), *_left(folder, lock=scene.batched)]
    if found:
        raise Finding("after the next run: " + "; ".join(found[:5]))


def _difference(wanted: object, found: object) -> str:
    one = set(map(repr, wanted.items() if isinstance(wanted, dict) else wanted))  # type: ignore[call-overload]
    other = set(map(repr, found.items() if isinstance(found, dict) else found))  # type: ignore[call-overload]
    lost, more = sorted(one - other), sorted(other - one)
    return f"missing {str(lost[:2])[:300]}, too much {str(more[:2])[:300]}"


def _left(folder: Path, *, lock: bool) -> Iterator[str]:
    """Files that nobody needs."""
    for path in folder.rglob("*"):
        name = path.name
        if path.is_dir() or path.parent.name == "logs" or name == "passages":
            continue
        # A stale lock keeps nobody out; it goes with the next run that takes it.
        if name.endswith(".updater-lock") and not lock:
            continue
        backup = path.parent.name == "backups" and name.startswith("database_backup_")
        if backup and name.endswith(".db"):
            if path.stat().st_size == 0:
                yield f"an empty backup {name}"
            continue
        if name != "database.db":
            yield f"left behind: {path.relative_to(folder)}"


Kill = Callable[[Scene, Path], bool]


def try_once(scene: Scene, root: Path, kills: list[Kill], *, watch: bool = False) -> int:
    """Some kills one after the other, each judged, then an undisturbed run. -> kills that hit"""
    folder, scratch = root / "folder", root / "scratch"
    path = scene.lay(folder)
    hit = 0
    for kill in kills:
        if watch and path.exists():
            with Reader(scene, path) as reader:
                struck = kill(scene, folder)
            if reader.seen:
                raise Finding(f"while it ran: {reader.seen[0]}")
        else:
            struck = kill(scene, folder)
        hit += struck
        if struck:
            judge(scene, folder, scratch)
    finish(scene, folder)
    return hit
