"""For tests of the trial gate: its command, run as people run it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers_run import KEY, environment

COMMAND = [sys.executable, "-m", "updaters.trial_gate"]
#: With these it takes seconds: each step measures once.
QUICK = ("--rounds", "1")


class Gate:
    """A folder with `database.db`, in which `hearing-updater trial-gate` is run."""

    def __init__(self, folder: Path, url: str = "http://127.0.0.1:9/v3") -> None:
        self.folder = folder
        self.url = url
        self.logs = folder / "logs"
        self.home = self.logs / "trial_gate"

    def __call__(
        self, *words: str, code: int | None = 0, before: Sequence[str] = (), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a step; with `code=None` whatever its outcome."""
        done = subprocess.run(
            [*before, *COMMAND, *words],
            cwd=self.folder,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        assert KEY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def environment(self, **variables: str) -> dict[str, str]:
        """As a person has it, with the flag not set."""
        found = environment(self.folder, self.url, **variables)
        for name in ("ENABLE_BATCH_PROCESSING", "RETRY_ATTEMPTS", "RETRY_BACKOFF_FACTOR"):
            if name not in variables:
                del found[name]
        return found

    def refused(self, *words: str, code: int = 1, says: str | Sequence[str]) -> str:
        """A step ends with one clear line, and no file changes."""
        before = self.files()
        done = self(*words, code=code)
        assert self.files() == before
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        for part in (says,) if isinstance(says, str) else says:
            assert part in lines[0], lines[0]
        return lines[0]

    def result(self, step: str) -> dict[str, Any]:
        """What a step measured."""
        found: dict[str, Any] = json.loads((self.home / "results" / f"{step}.json").read_text())
        return found

    def about(self) -> dict[str, Any]:
        """What the trial is of."""
        found: dict[str, Any] = json.loads((self.home / "trial.json").read_text())
        return found

    def metrics(self) -> dict[str, Any]:
        """The report's figures."""
        found: dict[str, Any] = json.loads(self.log("trial_gate_metrics.json"))
        return found

    def log(self, name: str) -> str:
        """A deliverable."""
        return (self.logs / name).read_text()

    def files(self) -> dict[str, bytes]:
        """Everything in the folder, but for what tells that a step was tried."""
        aside = (".lock", "trial_gate.log", "timeline.jsonl")
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.name not in aside
        }
