"""The folder of one trial: what it works on, what was measured, and when.

`OUT/trial_gate/` holds `trial.json` (what the trial is of), `snapshot.db` (the database as it was),
`answers.jsonl.gz` (the API's answers, recorded once), `results/STEP.json` and `timeline.jsonl`.
The deliverables themselves lie in `OUT`, by the plan's names.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from updaters.errors import ConfigurationError, UpdaterError

VERSION = 1
NOTES = "trial_gate_notes.md"
REPORT = "DAY_10_12_TRIAL_GATE_REPORT"
CHECKLIST = "PRODUCTION_ROLLOUT_CHECKLIST.md"
HEALTH = "trial_gate_health.log"
ANSWERS = "answers.jsonl.gz"

#: Steps that hang on no run: what a trial is of can still be changed after them.
PRELIMINARY = frozenset({"verify", "micro", "observe"})
#: What a trial is of; what is given once holds for all of its steps.
DEFAULTS: Mapping[str, Any] = {
    "congress": 119,
    "lookback_days": 7,
    "large_lookback_days": 90,
}
#: Of the sandbox's answers, unless another is given.
LATENCY_MS = 50.0


def now() -> str:
    """The local time with its offset, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """The same for bytes."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # Made anew: nothing is written through a link of that name.
        part.unlink(missing_ok=True)
        with part.open("xb") as file:
            file.write(data)
        os.replace(part, path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise UpdaterError(f"{path} cannot be written: {exc.strerror}") from None


class Trial:
    """One trial in its folder. Nothing is made before `begin`."""

    def __init__(self, out: str | os.PathLike[str]) -> None:
        self.out = Path(out)
        # Children work in other folders.
        self.home = self.out.absolute() / "trial_gate"
        self._about: dict[str, Any] | None = None

    # --- what it is of ------------------------------------------------------------------------

    @property
    def bound(self) -> bool:
        """Whether answers were recorded or a run was measured: then what the trial is of stays."""
        measured = {path.stem for path in (self.home / "results").glob("*.json")}
        return bool(measured - PRELIMINARY) or (self.home / ANSWERS).exists()

    def _start_over(self) -> None:
        """Forget what a trial of something else had looked at."""
        for step in PRELIMINARY:
            (self.home / "results" / f"{step}.json").unlink(missing_ok=True)
        (self.home / "snapshot.db").unlink(missing_ok=True)

    @property
    def begun(self) -> bool:
        """Whether there is a trial in the folder."""
        return (self.home / "trial.json").exists()

    @property
    def about(self) -> dict[str, Any]:
        """What the trial is of: `database`, `source`, `congress`, `lookback_days`, ..."""
        if self._about is None:
            path = self.home / "trial.json"
            if not path.exists():
                raise UpdaterError(
                    f"no trial in {self.out}: begin one with hearing-updater trial-gate verify, "
                    "or name its folder with --out DIR"
                )
            about = _read_json(path)
            if about.get("version") != VERSION:
                raise UpdaterError(f"{path}: of another version of this program; use another --out")
            self._about = about
        return self._about

    def begin(self, given: Mapping[str, Any], database: Path) -> None:
        """Make the trial, or check that what is given fits the one that is there."""
        given = {name: value for name, value in given.items() if value is not None}
        if self.begun and not self.bound:
            # Nothing hangs on what was said at first.
            if "database" in given:
                given["database"] = str(Path(given["database"]).resolve())
            given = {**self.about, **given}
            if given != self.about:
                self._start_over()
            database = Path(given["database"])
        elif self.begun:
            if "database" in given:
                given["database"] = str(Path(given["database"]).resolve())
            for name, value in given.items():
                if self.about.get(name) != value:
                    flag = {"database": "db"}.get(name, name.replace("_", "-"))
                    raise ConfigurationError(
                        f"the trial in {self.out} has {flag} {self.about.get(name)}, not {value}: "
                        "leave it out, or begin another trial with --out DIR"
                    )
            return
        if not database.exists():
            raise UpdaterError(f"{database} is not there: give --db FILE")
        self._make_folders()
        about = {
            "version": VERSION,
            "created_at": now(),
            "source": "live",
            **DEFAULTS,
            **given,
            "database": str(database.resolve()),
        }
        if about["source"] == "sandbox":
            about.setdefault("latency_ms", LATENCY_MS)
        self._write(about)

    def learn(self, **facts: Any) -> None:
        """Note what was found out about what the trial is of, and holds for all its steps."""
        self._write({**self.about, **facts})

    def _write(self, about: dict[str, Any]) -> None:
        write_text(self.home / "trial.json", json.dumps(about, indent=2) + "\n")
        self._about = about

    def _make_folders(self) -> None:
        try:
            (self.home / "results").mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.out):
                pass
        except OSError as exc:
            raise UpdaterError(
                f"{self.out} cannot be written ({exc.strerror}): name another folder with --out DIR"
            ) from None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One program at a time works on a trial."""
        with open(self.home / ".lock", "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UpdaterError(
                    f"another trial-gate works in {self.out}: wait until it has ended"
                ) from None
            self._clear()
            yield

    def _clear(self) -> None:
        """Remove what a trial that was killed has left."""
        for left in self.home.glob("run-*"):
            shutil.rmtree(left, ignore_errors=True)
        for left in (*self.home.glob(".*.part"), *self.home.glob(".snapshot.*")):
            left.unlink(missing_ok=True)

    # --- the database -------------------------------------------------------------------------

    @property
    def snapshot(self) -> Path:
        """The database as it was when the trial first needed it; taken once."""
        path = self.home / "snapshot.db"
        if not path.exists():
            from updaters._native import copy_database

            # Under another name until it is whole.
            part = self.home / f".snapshot.{os.getpid()}.db"
            try:
                copy_database(self.about["database"], str(part))
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
        return path

    @contextlib.contextmanager
    def fresh_copy(self, keep: str | None = None) -> Iterator[Path]:
        """A copy of the snapshot, in a folder of its own, for one run.

        With `keep` (a name) it stays in the trial's folder, for later steps to look at.
        """
        with self.scratch() as folder:
            path = folder / "database.db"
            shutil.copyfile(self.snapshot, path)
            yield path
            if keep is not None:
                from updaters._native import copy_database

                part = self.home / f".{keep}.part"
                part.unlink(missing_ok=True)
                copy_database(str(path), str(part))
                os.replace(part, self.home / keep)

    @property
    def work(self) -> Path:
        """The folder that the measured runs work in; their daily logs stay there."""
        folder = self.home / "work"
        folder.mkdir(exist_ok=True)
        return folder

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder that is removed afterwards."""
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.home) as folder:
            yield Path(folder)

    # --- results ------------------------------------------------------------------------------

    def result(self, step: str) -> dict[str, Any] | None:
        """What a step measured; None where it was not run to its end."""
        path = self.home / "results" / f"{step}.json"
        found: dict[str, Any] | None = _read_result(path)["data"] if path.exists() else None
        return found

    def results(self) -> dict[str, dict[str, Any]]:
        """Step -> `{started_at, ended_at, seconds, data}`, of all that were run to their end."""
        folder = self.home / "results"
        found = sorted(folder.glob("*.json")) if folder.is_dir() else []
        return {path.stem: _read_result(path) for path in found}

    def keep(self, step: str, started_at: str, seconds: float, data: Mapping[str, Any]) -> None:
        """Note what a step measured."""
        result = {
            "step": step,
            "started_at": started_at,
            "ended_at": now(),
            "seconds": round(seconds, 2),
            "data": data,
        }
        path = self.home / "results" / f"{step}.json"
        write_text(path, json.dumps(result, indent=2, default=str) + "\n")

    def note(self, **entry: Any) -> None:
        """Add a line to the timeline."""
        with open(self.home / "timeline.jsonl", "a", encoding="utf-8") as timeline:
            timeline.write(json.dumps(entry, default=str) + "\n")

    def timeline(self) -> list[dict[str, Any]]:
        """What was done when: `step`, `started_at`, `ended_at`, `seconds`, `outcome`."""
        path = self.home / "timeline.jsonl"
        if not path.exists():
            return []
        entries = []
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                entries.append(json.loads(line))
        return entries

    # --- deliverables -------------------------------------------------------------------------

    def deliver(self, name: str, data: str | bytes) -> Path:
        """Write a deliverable, and note that it is ours."""
        path = self.out / name
        write_bytes(path, data.encode() if isinstance(data, str) else data)
        with open(self.home / "delivered.txt", "a", encoding="utf-8") as delivered:
            delivered.write(name + "\n")
        return path

    def in_the_way(self, names: tuple[str, ...]) -> list[str]:
        """Which of these files are there and not this trial's own."""
        listed = self.home / "delivered.txt"
        ours = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
        return [name for name in names if name not in ours and (self.out / name).exists()]


def _read_result(path: Path) -> dict[str, Any]:
    found = _read_json(path)
    if not isinstance(found.get("data"), dict):
        raise _unreadable(path, "it has no data")
    return found


def _unreadable(path: Path, problem: str) -> UpdaterError:
    step = path.parent.name == "results"
    todo = "remove it to measure that step again, or " if step else ""
    return UpdaterError(
        f"{path} cannot be read ({problem}): it is left as it is; {todo}use another --out"
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        problem = "it is no JSON object"
    except (OSError, ValueError) as exc:
        problem = str(exc)
    raise _unreadable(path, problem)
