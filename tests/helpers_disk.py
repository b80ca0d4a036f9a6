"""A disk that fails at its Nth write, for any command in a process of its own."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers_run import KEY, environment

NO_SPACE, IO_ERROR, READ_ONLY = 28, 5, 30

#: Every Nth write is tried; 1 tries them all, which takes minutes (`DISK_STEP=1 make test`).
STEP = int(os.environ.get("DISK_STEP", "0"))


@functools.cache
def library() -> str:
    """The library that stands between a process and its disk; built once."""
    folder = tempfile.mkdtemp(prefix="failing-disk-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    built = os.path.join(folder, "disk.so")
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
    return built


@dataclass
class Outcome:
    """How a command went, and its writes under the folder, such as `write database.db-wal`."""

    code: int
    stdout: str
    stderr: str
    writes: list[str]


def on_disk(
    folder: Path,
    url: str,
    words: Sequence[str],
    *,
    fails_at: int = 0,
    once: bool = False,
    errno: int = NO_SPACE,
    **variables: str,
) -> Outcome:
    """Run Python in `folder`, whose disk fails at this write and ever after (0: never)."""
    with tempfile.TemporaryDirectory() as elsewhere:
        told = Path(elsewhere, "told")
        told.touch()
        env = {
            # However busy the machine is: what is not fetched could not be stored either.
            **dict.fromkeys(("CONNECT_TIMEOUT", "READ_TIMEOUT", "REQUEST_TIMEOUT"), "60"),
            **environment(folder, url, **variables),
            "LD_PRELOAD": library(),
            "DISK_UNDER": str(folder),
            "DISK_TOLD": str(told),
            "DISK_FAILS": str(fails_at),
            "DISK_ERRNO": str(errno),
            **({"DISK_ONCE": "1"} if once else {}),
        }
        done = subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        writes = [line.replace(" /", " ", 1) for line in told.read_text().splitlines()]
    said = done.stdout + done.stderr
    assert KEY not in said
    assert "Traceback" not in said, said
    assert "Exception ignored" not in said, said
    assert done.returncode in (0, 1, 2), (done.returncode, said)
    return Outcome(done.returncode, done.stdout, done.stderr, writes)


def chosen(writes: list[str], at_most: int) -> list[int]:
    """Numbers of writes to fail at: first and last ones of a stretch at one file."""
    if STEP:
        return list(range(1, len(writes) + 1, STEP))
    edges = [
        at
        for at in range(1, len(writes) + 1)
        if at == 1 or at == len(writes) or writes[at - 1] != writes[at - 2]
    ]
    if len(edges) <= at_most:
        return edges
    return [edges[(2 * n + 1) * len(edges) // (2 * at_most)] for n in range(at_most)]
