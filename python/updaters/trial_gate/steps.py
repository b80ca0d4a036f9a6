"""What there is to run, in the plan's order, and how a step is run."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from updaters.errors import UpdaterError
from updaters.trial_gate import speed
from updaters.trial_gate.answers import Tell, prepare
from updaters.trial_gate.failures import failures
from updaters.trial_gate.integrity import integrity
from updaters.trial_gate.memory import LOG as MEMORY_LOG
from updaters.trial_gate.memory import memory
from updaters.trial_gate.micro import micro
from updaters.trial_gate.observe import observe
from updaters.trial_gate.trial import Trial, now
from updaters.trial_gate.verify import verify


@dataclass(frozen=True)
class Step:
    """One step of the trial."""

    name: str
    title: str
    #: Of the plan.
    day: int
    #: Measures, notes nothing: `Trial.keep` does.
    run: Callable[[Trial, int, Tell], dict[str, Any]]
    #: Rounds (for `toggle`: cycles) unless others are asked for; 0: it has none.
    rounds: int = 0
    #: Steps that must have been run before.
    needs: tuple[str, ...] = ()
    #: The deliverables that it writes.
    files: tuple[str, ...] = ()
    #: Whether it needs the API's answers.
    answers: bool = True


STEPS: tuple[Step, ...] = (
    Step(
        "verify",
        "Environment checklist",
        10,
        lambda trial, _, tell: verify(trial, tell),
        answers=False,
    ),
    Step(
        "baseline",
        "Phase 2.2 baseline, the flag off",
        10,
        speed.baseline,
        rounds=3,
        files=(speed.BASELINE_LOG, speed.BASELINE_METRICS),
    ),
    Step(
        "batch",
        "Batch processing, the flag on",
        11,
        speed.batch,
        rounds=5,
        needs=("baseline",),
        files=(speed.BATCH_LOG, speed.BATCH_METRICS),
    ),
    Step(
        "sweep",
        "Batch sizes",
        12,
        speed.sweep,
        rounds=5,
        files=tuple(speed.size_log(size) for size in speed.SIZES),
    ),
    Step("large", "Large dataset", 12, speed.large, rounds=3, files=(speed.LARGE_LOG,)),
    Step("memory", "Memory", 12, memory, rounds=2, files=(MEMORY_LOG,)),
    Step("micro", "Checkpoints and validation, timed", 12, micro, rounds=20, answers=False),
    Step("toggle", "The flag off, on, off", 12, speed.toggle, rounds=10),
    Step("failures", "Failure injection", 12, lambda trial, _, tell: failures(trial, tell)),
    Step(
        "integrity",
        "Database integrity",
        12,
        lambda trial, _, tell: integrity(trial, tell),
        needs=("batch",),
        answers=False,
    ),
)
#: Reads what cron collected; may be run again and again.
OBSERVE = Step(
    "observe",
    "Observation",
    11,
    lambda trial, hours, tell: observe(trial, float(hours), tell),
    rounds=48,
    answers=False,
)


def not_yet(step: str, needed: str) -> str:
    """What to do first."""
    return f"{step} needs {needed}, which was not run: hearing-updater trial-gate {needed}"


def foreign_file(trial: Trial, name: str) -> str:
    """That it is not overwritten, and what to do."""
    return (
        f"{trial.out / name} is there and not this trial's: move it away, "
        "use another --out, or overwrite it with --again"
    )


def perform(trial: Trial, step: Step, rounds: int | None, tell: Tell, *, again: bool) -> None:
    """Run one step and keep what it measured. What is there already is not overwritten unless
    `again`; a step that fails or is interrupted leaves the earlier result as it was."""
    for needed in step.needs:
        if trial.result(needed) is None:
            raise UpdaterError(not_yet(step.name, needed))
    if not again:
        if trial.result(step.name) is not None and step is not OBSERVE:
            raise UpdaterError(f"{step.name} was run already: --again measures it anew")
        in_the_way = trial.in_the_way(step.files)
        if in_the_way:
            raise UpdaterError(foreign_file(trial, in_the_way[0]))
    started_at, started = now(), time.perf_counter()
    outcome = "failed"
    try:
        if step.answers:
            prepare(trial, tell)
        data = step.run(trial, step.rounds if rounds is None else rounds, tell)
        trial.keep(step.name, started_at, time.perf_counter() - started, data)
        outcome = "done"
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    except OSError as exc:
        where = exc.filename or trial.out
        raise UpdaterError(f"{where}: {exc.strerror or exc}") from None
    finally:
        trial.note(
            step=step.name,
            title=step.title,
            day=step.day,
            started_at=started_at,
            ended_at=now(),
            seconds=round(time.perf_counter() - started, 2),
            outcome=outcome,
        )
