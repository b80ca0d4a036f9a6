"""`hearing-updater record`: the API's answers, recorded once to be replayed by the sandbox."""

import argparse
import os
import sys
from typing import Any

from updaters.cli import common
from updaters.cli.progress import Progress
from updaters.errors import ConfigurationError, UpdaterError

DEFAULT_LOOKBACK_DAYS = 90


def add_command(commands: Any) -> None:
    """Add `record` to the commands."""
    parser = commands.add_parser(
        "record",
        help="record the API's answers, to be replayed",
        description=(
            "Record what an update asks the API for: the meetings that changed in the last days,\n"
            "their details, their committees. What has come is kept when it is interrupted: the\n"
            "same command goes on."
        ),
        epilog=(
            "example:\n"
            "  hearing-updater record --lookback-days 90 --to answers.rec\n"
            "  hearing-updater sandbox --recording answers.rec --port 8119"
        ),
    )
    parser.set_defaults(run=run, command="record")
    parser.add_argument("--to", required=True, metavar="FILE", help="the file to make")
    parser.add_argument(
        "--congress", type=int, metavar="N", help="default: TARGET_CONGRESS, else 119"
    )
    parser.add_argument(
        "--lookback-days",
        type=int,
        default=DEFAULT_LOOKBACK_DAYS,
        metavar="N",
        help="how far back to look for changes (default: %(default)s)",
    )
    parser.add_argument(
        "--db", metavar="FILE", help="record what is deferred in this database, too"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE where it is there")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="only warnings on stderr")


def run(args: argparse.Namespace) -> int:
    """Record, and print what was recorded."""
    from updaters.logs import set_up_logging
    from updaters.recording import record
    from updaters.settings import load_settings

    if not args.to.strip():
        raise ConfigurationError("--to: should be the name of a file")
    if os.path.exists(args.to) and not args.force:
        raise UpdaterError(f"{args.to} is there already: give --force to replace it")
    settings = load_settings()
    also = _deferred(args) if args.db else []
    with Progress(enabled=sys.stderr.isatty() and not args.quiet) as progress:
        set_up_logging(settings, quiet=args.quiet, console=progress.console, folder=None)
        report = record(
            settings,
            congress=settings.target_congress if args.congress is None else args.congress,
            lookback_days=args.lookback_days,
            path=args.to,
            progress=progress.callback,
            also=also,
        )
    if args.json:
        common.print_json(report)
        return 0
    failed = f", {report['failed']} of them failing" if report["failed"] else ""
    common.say(
        f"{report['path']}: {report['meetings']} meetings{failed}, "
        f"{report['committees']} committees ({report['requests']} requests, "
        f"{report['seconds']:.1f} s)"
    )
    common.say(f"Replay it with: {common.PROGRAM} sandbox --recording {report['path']}")
    return 0


def _deferred(args: argparse.Namespace) -> list[dict[str, Any]]:
    database = common.open_database(args, read_only=True)
    try:
        return database.deferred()
    finally:
        database.close()
