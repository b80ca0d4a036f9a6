"""Changes to a checkout's files, each of them whole or not at all, and what they were before."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from updaters.errors import UpdaterError

#: In the checkout: what is needed to put everything back as it was.
KEPT = ".hearing-updater"
_RECORD = "adopt.json"
_UNFINISHED = ".hearing-updater-new"


@dataclass(frozen=True)
class Step:
    """One change. `path` is relative to the checkout; `why` says it to a person."""

    #: "mkdir", "write", "rename", "delete" or "rmdir".
    do: str
    path: str
    why: str
    #: Of a write: what is in the file now (None: no file), and what is to be in it.
    before: bytes | None = None
    after: bytes = b""
    #: Of a rename: the other name.
    to: str = ""
    #: Of a write: the file's times, where they are to be put back.
    times: tuple[int, int] | None = None
    #: The file was changed by an earlier adoption: what it was before that is known.
    again: bool = False


@dataclass
class Record:
    """What the files were before they were changed."""

    #: File -> "sha256" and "times" (of access and change, in ns); null where there was none.
    files: dict[str, Any] = field(default_factory=dict)
    #: Folders that were made.
    made: list[str] = field(default_factory=list)

    def remember(self, folder: Path, step: Step) -> None:
        """Take down what a step is about to change."""
        path = folder / step.path
        if step.again:
            return
        if step.do == "mkdir":
            self.made = sorted({*self.made, step.path})
        elif not path.exists():
            self.files[step.path] = None
        else:
            status = path.stat()
            times = [status.st_atime_ns, status.st_mtime_ns]
            self.files[step.path] = {"sha256": digest(path.read_bytes()), "times": times}

    def is_as_before(self, path: str, content: bytes) -> bool:
        """Whether this is what the file had in it; also where nothing is known of it."""
        known = self.files.get(path)
        return known is None or bool(known["sha256"] == digest(content))

    def times(self, path: str, content: bytes) -> tuple[int, int] | None:
        """The times to give back to a file that has its content back."""
        known = self.files.get(path)
        if known is None or known["sha256"] != digest(content):
            return None
        return int(known["times"][0]), int(known["times"][1])


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_record(folder: Path) -> Record | None:
    """What was taken down; None where nothing was, or where it cannot be read."""
    try:
        found = json.loads((folder / KEPT / _RECORD).read_text(encoding="utf-8"))
        return Record(files=dict(found["files"]), made=list(found["made"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(folder: Path, record: Record) -> None:
    kept = folder / KEPT
    kept.mkdir(exist_ok=True)
    # It is of this machine, and nothing to commit.
    if not (kept / ".gitignore").exists():
        replace(kept / ".gitignore", b"*\n")
    text = json.dumps({"files": record.files, "made": record.made}, indent=2)
    replace(kept / _RECORD, f"{text}\n".encode())


def forget(folder: Path) -> None:
    """Take away what was taken down."""
    if (folder / KEPT).is_dir() and not (folder / KEPT).is_symlink():
        shutil.rmtree(folder / KEPT)


def do(folder: Path, step: Step) -> None:
    """Make one change; refuses to change what is no longer what it was when it was planned."""
    path = folder / step.path
    if step.do == "mkdir":
        path.mkdir(exist_ok=True)
    elif step.do == "rename":
        if os.path.lexists(folder / step.to):
            raise UpdaterError(f"{folder / step.to} has come up meanwhile: run this again")
        path.rename(folder / step.to)
    elif step.do == "rmdir":
        # Not one that is in use after all.
        with contextlib.suppress(OSError):
            path.rmdir()
    else:
        now = path.read_bytes() if os.path.lexists(path) else None
        if now != step.before:
            raise UpdaterError(f"{path} was changed meanwhile: run this again")
        if step.do == "delete":
            path.unlink()
        else:
            replace(path, step.after, step.times)


def replace(path: Path, content: bytes, times: tuple[int, int] | None = None) -> None:
    """Write the file whole, with the mode and owner that it had."""
    new = path.with_name(f".{path.name}{_UNFINISHED}")
    new.unlink(missing_ok=True)
    try:
        with new.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            old = path.stat()
            with contextlib.suppress(PermissionError):
                os.chown(new, old.st_uid, old.st_gid)
            new.chmod(stat.S_IMODE(old.st_mode))
        if times is not None:
            os.utime(new, ns=times)
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def clear_unfinished(folder: Path) -> None:
    """Take away what a killed process was writing."""
    for where in (folder, folder / "updaters", folder / KEPT):
        for left in where.glob(f".*{_UNFINISHED}"):
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else adopts or undoes meanwhile."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UpdaterError(f"{folder} is being adopted or undone by another process") from None
        yield
    finally:
        os.close(number)
