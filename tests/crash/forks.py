"""The face of the process that makes processes to be killed."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from helpers_run import environment

TESTS = Path(__file__).parent.parent


@dataclass(frozen=True)
class Job:
    """What a process is to do in a folder."""

    kind: str
    argv: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """How it ended: an exit code, or minus a signal's number."""

    status: int
    seconds: float
    output: str

    @property
    def killed(self) -> bool:
        return self.status == -9


class Forks:
    """Runs jobs, each in a process of its own."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._server = subprocess.Popen(
            [sys.executable, "-m", "crash.server"],
            env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent / 'python'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def run(
        self,
        job: Job,
        folder: Path,
        url: str,
        *,
        crash_at: str | None = None,
        log: Path | None = None,
        kill_after: float | None = None,
        reader: Path | None = None,
    ) -> Ended:
        """One job in `folder`, killed at a point, or after so many seconds, or not at all."""
        variables = dict(job.env)
        if crash_at is not None:
            variables["UPDATER_CRASH_AT"] = crash_at
        if log is not None:
            variables["UPDATER_CRASH_LOG"] = str(log)
        output = folder.parent / f"{folder.name}.out"
        output.unlink(missing_ok=True)
        asked: dict[str, Any] = {
            "kind": job.kind,
            "argv": job.argv,
            "folder": str(folder),
            "database": str(folder / "database.db"),
            "env": environment(folder, url, **variables),
            "output": str(output),
            "kill_after": kill_after,
            "reader": None if reader is None else str(reader),
        }
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise AssertionError(f"the forking process ended: {self._errors.read().decode()}")
        answer = json.loads(line)
        return Ended(answer["status"], answer["seconds"], output.read_text(errors="replace"))

    def __enter__(self) -> "Forks":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        self._errors.close()
