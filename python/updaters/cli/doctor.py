"""`hearing-updater doctor`: examines an installation, and says what to do."""

import argparse
from typing import Any

from updaters.cli import common

MARKS = {"ok": "ok", "warning": "warning", "critical": "PROBLEM"}


def add_command(commands: Any) -> None:
    """Add it to the commands."""
    parser = commands.add_parser(
        "doctor",
        help="examine the installation, and say what to do",
        description=(
            "Examine the interpreter, the native module, the settings, the database, the API,\n"
            "the clock, the disk and the lock. Changes nothing, and sends one request."
        ),
        epilog=(
            "exit: 0 all is well, 1 a warning, 2 a problem;\n"
            "bad usage is 2 as well, with a line on stderr and nothing on stdout\n\n"
            "example:\n  hearing-updater doctor --settings"
        ),
    )
    parser.set_defaults(run=run, command="doctor")
    common.add_db(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, the settings in it")
    parser.add_argument(
        "--settings", action="store_true", help="show settings that have their default, too"
    )
    parser.add_argument("--offline", action="store_true", help="send no request to the API")


def run(args: argparse.Namespace) -> int:
    """Examine, and print what was found."""
    from updaters import doctor

    found = doctor.examine(db=args.db, offline=args.offline)
    if args.json:
        common.print_json(found.to_dict())
        return found.exit_code
    for check in found.checks:
        common.say(f"{MARKS[check.status]:<8} {check.name}: {check.message}")
        if check.advice:
            common.say(f"{'':<8}   -> {check.advice}")
    rows = [row for row in found.settings if args.settings or row["source"] != "default"]
    if rows:
        common.say("")
        common.print_table(rows, ("name", "value", "source"))
    return found.exit_code
