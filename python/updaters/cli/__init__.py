"""The command line `hearing-updater`."""

from collections.abc import Sequence

from updaters.cli import (
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
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    begin()
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as exc:
        return flushed(PROGRAM, exc.code if isinstance(exc.code, int) else 0)
    return guarded(lambda: int(args.run(args)), prog=f"{PROGRAM} {args.command}")
