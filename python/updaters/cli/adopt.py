"""`hearing-updater adopt`: into an existing checkout, and out of it again."""

import argparse
import shlex
import sys
from typing import TYPE_CHECKING, Any

from updaters.cli import common
from updaters.errors import ConfigurationError, UpdaterError

if TYPE_CHECKING:
    from updaters.adopt import Plan


def add_command(commands: Any) -> None:
    """Add `adopt` to the commands."""
    parser = commands.add_parser(
        "adopt",
        help="put the updater into an existing checkout, or take it out again",
        description=(
            "Have a checkout's `updaters.daily_updater` be the installed one. Its other modules, "
            "settings, notifier and scripts stay in use. Tells what it will do, and asks."
        ),
        epilog=(
            "examples:\n"
            "  hearing-updater adopt --dry-run ~/hearings\n"
            "  hearing-updater adopt ~/hearings\n"
            "  hearing-updater adopt --undo ~/hearings"
        ),
    )
    parser.set_defaults(run=run, command="adopt")
    parser.add_argument("path", metavar="PATH", help="the folder that its updaters/ is in")
    parser.add_argument("--undo", action="store_true", help="put everything back as it was")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="tell, but change nothing")
    parser.add_argument(
        "--python",
        metavar="FILE",
        help="the interpreter that runs the checkout (default: its .venv/bin/python, or venv/...)",
    )
    parser.add_argument("--json", action="store_true", help="print plan and result as JSON")


def run(args: argparse.Namespace) -> int:
    """Tell, ask, do, check."""
    from updaters import adopt

    if args.undo and args.python:
        raise ConfigurationError("--python does not go with --undo, which runs nothing")
    asks = not args.yes and not args.dry_run
    if asks and args.json:
        raise ConfigurationError("--json cannot ask: give --yes or --dry-run, too")
    if asks and not sys.stdin.isatty():
        raise ConfigurationError("nobody to ask, as this is no terminal: give --yes (or --dry-run)")
    plan = adopt.plan_undo(args.path) if args.undo else adopt.plan_adoption(args.path, args.python)
    if not args.json:
        _tell(plan)
    result = "nothing to do" if _is_done(plan) else "planned"
    lines: list[str] = []
    if not args.dry_run and not (args.undo and _is_done(plan)):
        if asks and not _is_done(plan) and not _agreed():
            raise UpdaterError("nothing was changed")
        adopt.carry_out(plan)
        lines = adopt.to_commit(plan)
        if not _is_done(plan):
            result = "undone" if args.undo else "adopted"
    if args.json:
        common.print_json({**plan.to_dict(), "result": result, "commit": lines})
    elif not args.dry_run:
        _tell_result(plan, lines)
    return 0


def _is_done(plan: "Plan") -> bool:
    return not plan.steps and not plan.leftover


def _tell(plan: "Plan") -> None:
    if _is_done(plan):
        common.say(
            f"{plan.folder}: "
            + ("not adopted: nothing to undo" if plan.undo else "adopted already")
        )
    else:
        common.say(f"{plan.folder} {'goes back to its own module' if plan.undo else 'gets'}:")
    for number, step in enumerate(plan.steps, 1):
        names = f"{step.path} -> {step.to}" if step.to else step.path
        common.say(f"  {number}. {step.do} {names}: {step.why}")
    if plan.installed is not None:
        common.say(
            f"The updater is hearing-updater {plan.installed.version} in {plan.installed.folder}, "
            f"as {plan.python} has it."
        )
    if plan.stays:
        common.say(f"Stays the checkout's own: {', '.join(plan.stays)}")
    for note in plan.notes:
        common.say(f"Note: {note}")


def _agreed() -> bool:
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell_result(plan: "Plan", lines: list[str]) -> None:
    if plan.installed is not None:
        common.say(
            "Checked in a new process: updaters.daily_updater is the installed one, "
            "and its neighbours are the checkout's."
        )
    elif not _is_done(plan):
        common.say("Undone.")
    if lines:
        common.say("Commit this, or the next git pull may bring back what was before:")
        for line in (f"cd {shlex.quote(str(plan.folder))}", *lines):
            common.say(f"  {line}")
    if not plan.undo:
        common.say(f"To go back: hearing-updater adopt --undo {shlex.quote(str(plan.folder))}")
