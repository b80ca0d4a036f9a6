"""The command line `hearing-updater`."""

import os
import sys
from collections.abc import Sequence
from types import ModuleType

from updaters.cli import (
    adopt,
    doctor,
    maintain,
    monitor,
    notify,
    record,
    report,
    sandbox,
    trial_gate,
    update,
)
from updaters.cli.common import PROGRAM, Parser, ShowVersion, begin, flushed, guarded

__all__ = ["main"]


def build_parser() -> Parser:
    """The parser with all commands."""
    parser = Parser(
        prog=PROGRAM,
        description="Keep a database of congressional committee hearings up to date.",
        epilog="example:\n  hearing-updater init\n  hearing-updater update --lookback-days 30",
    )
    parser.add_argument("--version", action=ShowVersion)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    update.add_command(commands)
    maintain.add_commands(commands)
    notify.add_command(commands)
    report.add_command(commands)
    monitor.add_commands(commands)
    doctor.add_command(commands)
    record.add_command(commands)
    sandbox.add_command(commands)
    trial_gate.add_command(commands)
    adopt.add_command(commands)
    return parser


def in_adopted_checkout() -> ModuleType | None:
    """This command line as an adopted checkout has it, where the current folder is one."""
    from updaters import _adopted

    try:
        return _adopted.enter(os.getcwd())
    except OSError:  # `guarded` tells of it
        return None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    begin()
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as exc:
        return flushed(PROGRAM, exc.code if isinstance(exc.code, int) else 0)
    if argv is None and args.command != "adopt":
        theirs = in_adopted_checkout()
        if theirs is not None:
            return int(theirs.main(sys.argv[1:]))
    return guarded(lambda: int(args.run(args)), prog=f"{PROGRAM} {args.command}")
