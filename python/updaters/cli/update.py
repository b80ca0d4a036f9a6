"""`hearing-updater update`, which is also `python3 -m updaters.daily_updater`."""

import argparse
import contextlib
import logging
import os
import re
import resource
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from updaters.cli import common
from updaters.cli.progress import Progress, print_summary
from updaters.errors import ConfigurationError
from updaters.values import shortened

logger = logging.getLogger("updaters.daily_updater")

MODULE = "python3 -m updaters.daily_updater"
DEFAULT_LOOKBACK_DAYS = 7


def add_command(commands: Any) -> None:
    """Add `update` to the commands."""
    parser = commands.add_parser(
        "update",
        help="fetch what changed, and store it",
        description="Fetch the meetings that changed upstream, and store them.",
        epilog="example:\n  hearing-updater update --congress 119 --lookback-days 30 --dry-run",
    )
    add_arguments(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of an update."""
    parser.set_defaults(run=run, command="update")
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
    parser.add_argument("--dry-run", action="store_true", help="compare, but write nothing at all")
    parser.add_argument(
        "--mode", default="incremental", help="incremental (default), or full: all of the Congress"
    )
    parser.add_argument(
        "--components",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="of hearings, witnesses, committees (the default), documents, bills",
    )
    parser.add_argument(
        "--event", action="append", metavar="ID", help="only this event (may be given repeatedly)"
    )
    common.add_db(parser)
    parser.add_argument(
        "--wait", type=float, metavar="SECONDS", help="wait so long for another run to end"
    )
    parser.add_argument("--quiet", action="store_true", help="only warnings on stderr")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    parser.add_argument("--version", action=common.ShowVersion)


def main(argv: Sequence[str] | None = None) -> int:
    """The module's own command line."""
    common.begin()
    parser = common.Parser(
        prog=MODULE,
        description="Fetch the meetings that changed upstream, and store them.",
        epilog=f"example:\n  {MODULE} --congress 119 --lookback-days 30 --dry-run",
    )
    add_arguments(parser)
    try:
        args = parser.parse_args(argv)
    except SystemExit as exc:
        return common.flushed("daily_updater", exc.code if isinstance(exc.code, int) else 0)
    return common.guarded(lambda: run(args), prog="daily_updater")


def run(args: argparse.Namespace) -> int:
    """Update as the flags say. The metrics go to stdout as JSON, also when the run failed."""
    # They are all that it gets: what a checkout's own parts print goes to stderr.
    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        return _run(args, stdout)


def _run(args: argparse.Namespace, stdout: TextIO) -> int:
    from updaters.logs import set_up_logging

    updater = _updater(args)
    bar = sys.stderr.isatty() and not (args.quiet or args.no_progress)
    with Progress(enabled=bar) as progress:
        set_up_logging(updater.settings, quiet=args.quiet, console=progress.console)
        interrupted: KeyboardInterrupt | None = None
        result: dict[str, Any] = {"success": False}
        try:
            result = updater.run_daily_update(
                dry_run=args.dry_run, progress_callback=progress.callback
            )
        except KeyboardInterrupt as exc:
            interrupted = exc
        finally:
            # Folds a WAL back into the file: what stays behind is one file.
            updater.db.close()
        _drain_native_logs()
    metrics = result.get("metrics") or updater.metrics.to_dict()
    if sys.stderr.isatty() and not args.quiet:
        print_summary(metrics, dry_run=args.dry_run)
    logger.info("Peak memory: %.1f MB", _peak_memory())
    if result["success"]:
        seconds = metrics.get("duration_seconds") or 0.0
        logger.info("Daily update completed successfully in %.2f seconds", seconds)
    elif interrupted is not None:
        logger.warning("Daily update stopped: what was committed stays, the rest was undone")
    else:
        logger.error("Daily update failed: %s", result.get("error") or "unknown reason")
    common.flush_stderr()
    common.print_json(shortened(metrics), stdout)
    if interrupted is not None:
        raise interrupted
    return 0 if result["success"] else common.FAILED


def _updater(args: argparse.Namespace) -> Any:
    """The updater that the flags describe. Touches neither disk nor network."""
    from updaters.daily_updater import DailyUpdater
    from updaters.settings import load_settings

    congress = args.congress if args.congress is not None else load_settings().target_congress
    components = None
    if args.components is not None:
        given = (name.strip() for part in args.components for name in part.split(","))
        components = [name for name in given if name]
        if not components:
            # An empty variable of a script, which is not to turn the default ones off.
            raise ConfigurationError("--components: no name was given; leave it out, or name some")
    for event in args.event or ():
        # Look-alikes of other scripts are no ids, and a mere dot would be a folder in an address.
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", event) or not event.strip("."):
            raise ConfigurationError(f"--event {event!a}: should be an event id, such as 117521")
    if args.wait is not None and not 0 <= args.wait <= 86_400:
        raise ConfigurationError(f"--wait {args.wait:g}: should be 0 to 86400 seconds")
    updater = DailyUpdater(
        congress=congress,
        lookback_days=args.lookback_days,
        update_mode=args.mode,
        components=components,
    )
    common.choose_database(updater.settings, args.db)
    if args.event:
        updater.event_ids = list(args.event)
    if args.wait is not None:
        updater.lock_wait_seconds = args.wait
    if os.environ.get("TRIGGER_SOURCE", "").strip():
        updater.trigger_source = os.environ["TRIGGER_SOURCE"].strip()
    return updater


def _peak_memory() -> float:
    """Of this process so far, in MB (the kernel counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _drain_native_logs() -> None:
    from updaters import _native

    _native.drain_logs()
