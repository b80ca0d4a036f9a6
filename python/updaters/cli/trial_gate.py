"""`hearing-updater trial-gate`, which is also `python3 -m updaters.trial_gate`."""

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from updaters.cli import common
from updaters.errors import ConfigurationError, UpdaterError

if TYPE_CHECKING:
    from updaters.trial_gate.steps import Step
    from updaters.trial_gate.trial import Trial

MODULE = "python3 -m updaters.trial_gate"
SUMMARY = "run the three-day trial of batch processing, on copies of the database"
EXAMPLE = (
    "examples:\n"
    "  hearing-updater trial-gate run --sandbox --db database.db\n"
    "  hearing-updater trial-gate baseline\n"
    "  hearing-updater trial-gate status"
)
#: Step -> what it is, in the plan's order.
TOLD = {
    "verify": "the environment checklist of day 10",
    "baseline": "the update with the flag off",
    "batch": "the update with the flag on, compared with the baseline",
    "sweep": "batch sizes 25, 50, 100, 200 in turn",
    "large": "500 and more changes",
    "memory": "memory above the launcher's",
    "micro": "checkpoints and validation, timed",
    "toggle": "the flag off, on, off, many times",
    "failures": "failures on purpose: what is lost, what is undone",
    "integrity": "the databases that the runs left",
    "observe": "one health check now, and what was collected so far",
    "report": "render the report and its page from what was measured",
    "run": "all of these, but the waiting",
    "status": "the plan's checklist, ticked from the evidence",
}


def add_command(commands: Any) -> None:
    """Add `trial-gate` to the commands."""
    parser = commands.add_parser(
        "trial-gate", help=SUMMARY, description=_description(), epilog=EXAMPLE
    )
    add_arguments(parser)


def _description() -> str:
    steps = "\n".join(f"  {name:<10} {told}" for name, told in TOLD.items())
    return f"{SUMMARY[0].upper()}{SUMMARY[1:]}. The steps:\n\n{steps}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of a trial."""
    parser.set_defaults(run=run, command="trial-gate")
    parser.add_argument("step", metavar="STEP", help="one of the steps above")
    common.add_db(parser)
    parser.add_argument(
        "--sandbox", action="store_true", help="against our own server, not the live API"
    )
    parser.add_argument(
        "--out", default="logs", metavar="DIR", help="where the results go (default: %(default)s)"
    )
    parser.add_argument("--congress", type=int, metavar="N", help="default: TARGET_CONGRESS")
    parser.add_argument(
        "--lookback-days", type=int, metavar="N", help="of the plan's runs (default: 7)"
    )
    parser.add_argument(
        "--large-lookback-days", type=int, metavar="N", help="of the large set (default: 90)"
    )
    parser.add_argument(
        "--latency-ms",
        type=float,
        metavar="L",
        help="of each replayed answer (default: as the live API's; 50 with --sandbox)",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="how often a step measures")
    parser.add_argument(
        "--hours", type=float, default=48.0, metavar="N", help="of observation (default: 48)"
    )
    parser.add_argument(
        "--again", action="store_true", help="measure anew what was measured, overwrite its files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON (status)")


def main(argv: Sequence[str] | None = None) -> int:
    """The module's own command line."""
    common.begin()
    parser = common.Parser(prog=MODULE, description=_description(), epilog=EXAMPLE)
    add_arguments(parser)
    try:
        args = parser.parse_args(argv)
    except SystemExit as exc:
        return common.flushed("trial_gate", exc.code if isinstance(exc.code, int) else 0)
    return common.guarded(lambda: run(args), prog="trial_gate")


def run(args: argparse.Namespace) -> int:
    """Run one step, or all of them."""
    from updaters.trial_gate.trial import Trial

    _check(args)
    if not args.out:
        raise ConfigurationError("--out: no folder was named")
    trial = Trial(args.out)
    if args.step == "status":
        return _status(trial, args)
    _begin(trial, args)
    with trial.alone():
        _log_aside(trial)
        if args.step == "report":
            return _report(trial, args)
        if args.step == "run":
            return _run_all(trial, args)
        from updaters.trial_gate.steps import OBSERVE, STEPS

        step = next(step for step in (*STEPS, OBSERVE) if step.name == args.step)
        return _perform(trial, step, args, again=args.again)


def _check(args: argparse.Namespace) -> None:
    if args.step not in TOLD:
        raise ConfigurationError(f"unknown step {args.step!r}: choose from {', '.join(TOLD)}")
    for name, low, high in (
        ("congress", 1, 200),
        ("lookback_days", 1, 365),
        ("large_lookback_days", 1, 3650),
        ("latency_ms", 0, 60_000),
        ("rounds", 1, 1000),
        ("hours", 1, 8_784),
    ):
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            flag = name.replace("_", "-")
            raise ConfigurationError(f"--{flag} {value:g}: should be {low} to {high}")


def _begin(trial: "Trial", args: argparse.Namespace) -> None:
    """Begin the trial, or go on with the one that is there."""
    given = {
        "database": args.db,
        "congress": args.congress,
        "lookback_days": args.lookback_days,
        "large_lookback_days": args.large_lookback_days,
        "latency_ms": args.latency_ms,
        "source": "sandbox" if args.sandbox else None,
    }
    from updaters.trial_gate.steps import STEPS, not_yet

    if trial.begun:
        trial.begin(given, Path())
        return
    if args.step == "report":
        raise UpdaterError(f"no trial in {trial.out}: run hearing-updater trial-gate run first")
    needed = next((step.needs for step in STEPS if step.name == args.step), ())
    if needed:
        raise UpdaterError(not_yet(args.step, needed[0]))
    # Before anything is made.
    _nothing_in_the_way(trial, args)
    settings = common.settings_for(args)
    if args.congress is None:
        given["congress"] = settings.target_congress
    # Tells of what is not there, or no hearings database.
    args.db = settings.database_path
    common.open_database(args, read_only=True).close()
    trial.begin(given, Path(settings.database_path))


def _log_aside(trial: "Trial") -> None:
    """What runs in this process logs to the trial's own file: failures on purpose are no news."""
    handler = logging.FileHandler(trial.home / "trial_gate.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
    logger = logging.getLogger("updaters")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _perform(trial: "Trial", step: "Step", args: argparse.Namespace, *, again: bool) -> int:
    from updaters.trial_gate.steps import OBSERVE, perform

    rounds = int(args.hours) if step is OBSERVE else args.rounds
    common.say(f"{step.name}: {step.title}")
    perform(trial, step, rounds, lambda text: common.say(f"  {text}"), again=again)
    result = trial.result(step.name) or {}
    passed = result.get("passed", result.get("all_passed", True))
    return 0 if passed is not False else common.FAILED


def _run_all(trial: "Trial", args: argparse.Namespace) -> int:
    """Every step that was not run yet, then the report."""
    from updaters.trial_gate.steps import OBSERVE, STEPS

    started, failed = time.monotonic(), False
    _nothing_in_the_way(trial, args)
    for step in (*STEPS, OBSERVE):
        if trial.result(step.name) is not None and not args.again and step is not OBSERVE:
            common.say(f"{step.name}: measured already (--again measures it anew)")
            continue
        try:
            _perform(trial, step, args, again=args.again)
        except UpdaterError as exc:
            # What others measure does not hang on it; without a baseline there is nothing to say.
            if step.name == "baseline":
                raise
            common.warn(f"{step.name} could not be measured: {exc}")
            failed = True
    code = _report(trial, args)
    common.say(f"It took {time.monotonic() - started:.0f} s")
    return common.FAILED if failed else code


def _nothing_in_the_way(trial: "Trial", args: argparse.Namespace) -> None:
    """Foreign files are told of before the first minute is spent."""
    from updaters.trial_gate.steps import STEPS, foreign_file

    steps = (step for step in STEPS if args.step in (step.name, "run"))
    names = tuple(name for step in steps for name in step.files)
    foreign = [] if args.again else trial.in_the_way(names)
    if foreign:
        raise UpdaterError(foreign_file(trial, foreign[0]))


def _report(trial: "Trial", args: argparse.Namespace) -> int:
    from updaters.trial_gate.report import render

    if trial.result("baseline") is None:
        from updaters.trial_gate.steps import not_yet

        raise UpdaterError(not_yet("report", "baseline"))
    found = render(trial, args.hours, again=args.again)
    for name in found["written"]:
        common.say(f"Wrote {trial.out / name}")
    common.print_table(found["criteria"], ("id", "what", "target", "outcome", "measured"))
    common.say(f"Recommendation: {found['recommendation']['verdict']}")
    for line in (*found["recommendation"]["why"], *found["recommendation"]["conditions"]):
        common.say(f"  {line}")
    return 0 if found["recommendation"]["verdict"] == "proceed" else common.FAILED


def _status(trial: "Trial", args: argparse.Namespace) -> int:
    """Nothing is written."""
    from updaters.trial_gate.findings import gather

    found = gather(trial, args.hours)
    if args.json:
        common.print_json({key: found[key] for key in ("about", "checklist", "criteria")})
        return 0
    about = found["about"]
    common.say(f"Trial of {about['database']}, begun {about['created_at']}, {about['source']} API")
    for section, items in found["checklist"].items():
        common.say("")
        common.say(section)
        for item in items:
            common.say(f"  [{'x' if item['done'] else ' '}] {item['item']} ({item['evidence']})")
    return 0
