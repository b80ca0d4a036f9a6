"""Keeping what checks found: added to a log, or in the place of a file."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from updaters.errors import UpdaterError

#: Seconds to wait for another check that is just writing.
PATIENCE = 10.0
#: Others read what we write: a node exporter, for one.
MODE = 0o644


def append(path: str | os.PathLike[str], block: str) -> None:
    """Add a block to a log, whole or not at all; its folder is made when missing, but no other.

    Checks that write at the same time do so one after the other. Raises `UpdaterError`.
    """
    name = os.fspath(path)
    with _told(name, "the check was not added"):
        folder = os.path.dirname(os.path.abspath(name))
        # A mistyped path makes no tree of folders.
        if not os.path.isdir(folder):
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o755)
        log = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
        try:
            _lock(log)
            _write(log, block.encode("utf-8", "backslashreplace"))
        finally:
            os.close(log)


def _lock(log: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(None, "locked by another program") from None
            time.sleep(0.02)
        else:
            return


def _write(log: int, block: bytes) -> None:
    size = os.fstat(log).st_size
    # What a killed program left of a line ends here.
    if size and os.pread(log, 1, size - 1) != b"\n":
        block = b"\n" + block
    written = 0
    try:
        while written < len(block):
            written += os.write(log, block[written:])
    except OSError:
        # Unless somebody who knows nothing of the lock wrote after us.
        if written and os.fstat(log).st_size == size + written:
            os.ftruncate(log, size)
        raise


def replace(path: str | os.PathLike[str], content: str) -> None:
    """Put a file in its place at once, readable for everybody. Raises `UpdaterError`."""
    # Through a link, which is to stay one.
    name = os.path.realpath(path)
    # Not `.prom`: a node exporter reads all files that end so.
    temporary = f"{name}.{os.getpid()}.tmp"
    with _told(os.fspath(path), "it was left as it was"):
        try:
            # What a killed program left; and nobody else's file is written through a link.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
            with os.fdopen(file, "w", encoding="utf-8") as out:
                os.fchmod(file, MODE)
                out.write(content)
            os.replace(temporary, name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


@contextlib.contextmanager
def _told(name: str, outcome: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UpdaterError(f"{name}: cannot be written: {reason}; {outcome}") from None
