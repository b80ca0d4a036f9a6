"""`hearing-updater report`: what changed in the hearings themselves."""

import argparse
import json
import os
import shutil
import sys
from datetime import datetime, timezone
from typing import Any

from updaters.cli import common
from updaters.errors import UpdaterError

CHAMBERS = {"house": "House", "senate": "Senate", "joint": "Joint"}


def add_command(commands: Any) -> None:
    """Add `report` to the commands."""
    parser = commands.add_parser(
        "report",
        help="tell what changed in the hearings",
        description="Tell what changed in the hearings: new, rescheduled, cancelled, witnesses, "
        "documents, by committee.",
        epilog=(
            "example:\n"
            "  hearing-updater report --since 24h\n"
            "  hearing-updater report --since 7d --format html --output news.html\n"
            "  hearing-updater report --since 2025-10-01 --committee hsag00 --format json"
        ),
    )
    parser.set_defaults(run=run, command="report")
    parser.add_argument(
        "--since",
        default="7d",
        metavar="WHEN",
        help="7d, 24h, 2w, or a date or time, Washington's where it names no offset "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--format", choices=("text", "json", "html"), default="text", help="default: %(default)s"
    )
    parser.add_argument(
        "--committee",
        action="append",
        default=[],
        metavar="CODE",
        help="only this committee and its subcommittees, such as hsag00 (may be given repeatedly)",
    )
    parser.add_argument("--chamber", type=str.lower, choices=tuple(CHAMBERS))
    parser.add_argument(
        "--all", action="store_true", help="show every hearing in full, however many there are"
    )
    parser.add_argument("--output", metavar="FILE", help="write to a file, whole or not at all")
    common.add_db(parser)


def run(args: argparse.Namespace) -> int:
    """Print or write the report; what there is to read is read, nothing is written to the file."""
    from updaters.changes import parse_since, report

    now = datetime.now(timezone.utc)
    since = parse_since(args.since, now)
    database = common.open_database(args, read_only=True)
    try:
        chamber = CHAMBERS.get(args.chamber)
        found = report(database, since, committees=args.committee, chamber=chamber, now=now)
    finally:
        database.close()
    text = _rendered(args, found)
    if args.output is None:
        if args.format == "html":
            # Whatever stdout's encoding, which the page does not know.
            text = text.encode("ascii", "xmlcharrefreplace").decode()
        print(text, end="")
    else:
        write_whole(args.output, text)
        common.warn(f"Wrote {args.output}")
    return 0


def _rendered(args: argparse.Namespace, found: dict[str, Any]) -> str:
    if args.format == "json":
        return json.dumps(found, indent=2, default=str) + "\n"
    if args.format == "html":
        from updaters.changes.html import to_html

        return to_html(found, everything=args.all)
    from updaters.changes.text import to_text

    width = 80
    if args.output is None and sys.stdout.isatty():
        width = max(40, min(shutil.get_terminal_size().columns, 100))
    return to_text(found, everything=args.all, width=width)


def write_whole(path: str, text: str) -> None:
    """Write a file by way of one beside it, so that nobody ever reads half of it."""
    if os.path.isdir(path):
        raise UpdaterError(f"{path} is a folder: name a file with --output")
    if os.path.exists(path) and not os.path.isfile(path):
        # A device or a pipe cannot be replaced.
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return
    target = os.path.realpath(path)
    beside = f"{target}.{os.getpid()}.part"
    try:
        with open(beside, "x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, target)
    except OSError as exc:
        raise UpdaterError(
            f"{path} cannot be written: {exc.strerror}; nothing was changed"
        ) from exc
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
