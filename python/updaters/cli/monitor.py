"""`hearing-updater monitor`, one health check, and `observe`, what the collected ones tell."""

import argparse
import math
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from updaters.cli import common
from updaters.errors import ConfigurationError, UpdaterError

#: The plan's name for it.
LOG = os.path.join("logs", "trial_gate_health.log")
MAX_AGE, MIN_FREE = 26.0, 1024.0
#: So many lines of each list of `observe` are printed; `--json` has them all.
SHOWN = 10


def add_commands(commands: Any) -> None:
    """Add both to the commands."""
    monitor = commands.add_parser(
        "monitor",
        help="check the health of the database and of its updates",
        description="Make one health check. It changes nothing.",
        epilog=(
            "exit: 0 healthy, 1 a warning (or a file that could not be written), 2 critical;\n"
            "bad usage is 2 as well, with a line on stderr and nothing on stdout\n\n"
            "example:\n"
            f"  hearing-updater monitor --log {LOG}\n"
            "  hearing-updater monitor --print-cron"
        ),
    )
    monitor.set_defaults(run=_monitor, command="monitor")
    common.add_db(monitor)
    monitor.add_argument(
        "--full", action="store_true", help="check the indexes too (integrity_check): slower"
    )
    monitor.add_argument("--json", action="store_true", help="print JSON")
    monitor.add_argument("--log", metavar="FILE", help="add the check to this log, for observe")
    monitor.add_argument(
        "--prometheus", metavar="FILE", help="write metrics for a node exporter (a name in .prom)"
    )
    monitor.add_argument(
        "--max-age",
        type=float,
        default=MAX_AGE,
        metavar="HOURS",
        help="since the last success: more is a warning, 24 more critical (default: %(default)g)",
    )
    monitor.add_argument(
        "--min-free",
        type=float,
        default=MIN_FREE,
        metavar="MB",
        help="free on the disk: less is a warning, as is less than twice the database; a tenth "
        "of it, or less than the database, is critical (default: %(default)g)",
    )
    monitor.add_argument(
        "--print-cron", action="store_true", help="print the line for crontab, and check nothing"
    )

    observe = commands.add_parser(
        "observe",
        help="say what the collected health checks cover and show",
        description="Say how many hours the collected checks really cover, and what they saw.",
        epilog=(
            "a check stands for the time until the next one, for 90 minutes at most\n"
            "exit: 0 covered and nothing critical, 1 otherwise, 2 bad usage\n\n"
            "example:\n  hearing-updater observe --hours 48"
        ),
    )
    observe.set_defaults(run=_observe, command="observe")
    observe.add_argument(
        "--hours",
        type=float,
        default=48.0,
        metavar="N",
        help="before the newest check (default: %(default)g)",
    )
    observe.add_argument("--log", default=LOG, metavar="FILE", help="default: %(default)s")
    observe.add_argument(
        "--db", metavar="FILE", help="checks of this database (default: the one checked last)"
    )
    observe.add_argument("--json", action="store_true", help="print JSON")


def _monitor(args: argparse.Namespace) -> int:
    for flag, value in (("--max-age", args.max_age), ("--min-free", args.min_free)):
        if not (math.isfinite(value) and value >= 0):
            raise ConfigurationError(f"{flag} {value:g}: should be a number, 0 or more")
    _need_names(("--log", args.log), ("--prometheus", args.prometheus))
    settings = common.settings_for(args)
    if args.print_cron:
        print(cron_line(args, settings.database_path))
        return 0
    from updaters.health import Limits, check, collect, render

    limits = Limits(max_age_hours=args.max_age, min_free_mb=args.min_free)
    health = check(settings.database_path, full=args.full, settings=settings, limits=limits)
    block = render.text(health)
    kept = True
    if args.log is not None:
        kept = _keep(lambda: collect.append(args.log, block))
    if args.prometheus is not None:
        metrics = render.prometheus(health)
        kept = _keep(lambda: collect.replace(args.prometheus, metrics)) and kept
    if args.json:
        common.print_json(health.to_dict())
    elif sys.stdout.isatty():
        # The line for programs would fill a screen.
        print(render.text(health, record=False), end="")
    else:
        print(block, end="")
    return max(health.exit_code, 0 if kept else common.FAILED)


def _need_names(*flags: tuple[str, str | None]) -> None:
    for flag, name in flags:
        if name is not None and not name.strip():
            raise ConfigurationError(f"{flag} {name!r}: should be the path of a file")


def _keep(write: Callable[[], None]) -> bool:
    """A file that cannot be written does not hide what was found."""
    try:
        write()
    except UpdaterError as error:
        common.warn(f"{common.PROGRAM} monitor: {error}")
        return False
    return True


def cron_line(args: argparse.Namespace, database: str) -> str:
    """The line for a crontab that makes such a check every hour, in the current folder.

    cron gives neither our variables nor our folder: all that matters is in the line.
    """
    words = [*_ourselves(), "monitor", "--db", os.path.abspath(database)]
    words += ["--log", os.path.abspath(args.log or LOG)]
    if args.prometheus is not None:
        words += ["--prometheus", os.path.abspath(args.prometheus)]
    if args.full:
        words.append("--full")
    for flag, value, default in (
        ("--max-age", args.max_age, MAX_AGE),
        ("--min-free", args.min_free, MIN_FREE),
    ):
        if value != default:
            words += [flag, f"{value:g}"]
    command = f"cd {shlex.quote(os.getcwd())} && {shlex.join(words)} >/dev/null"
    found = re.search(r"[\\\x00-\x1f\x7f\ud800-\udfff]", command)
    if found:
        raise ConfigurationError(
            f"a path has the character {found[0]!r} in it, which cannot stand in a crontab"
        )
    # To cron a % is the end of the line.
    return "0 * * * * " + command.replace("%", r"\%")


def _ourselves() -> list[str]:
    """The command that runs this very installation."""
    script = Path(sys.executable).with_name(common.PROGRAM)
    if script.is_file() and os.access(script, os.X_OK):
        return [str(script)]
    return [sys.executable, "-m", "updaters.cli"]


def _observe(args: argparse.Namespace) -> int:
    from updaters.health import observe

    _need_names(("--log", args.log), ("--db", args.db))
    result = observe(args.log, args.hours, database=args.db)
    if args.json:
        common.print_json(result)
    else:
        _print_observation(result)
    return 0 if result["healthy"] else common.FAILED


def _print_observation(result: dict[str, Any]) -> None:
    from updaters.health.model import counted

    counts = result["statuses"]
    of = f" of {result['database']}" if result["database"] is not None else ""
    common.say(f"{result['log']}: {counted(result['count'], 'check')}{of}")
    if result["count"]:
        age = result["last_age_hours"]
        common.say(f"From {result['first']} to {result['last']}, {age:.1f} hours ago")
    common.say(
        f"covers {result['hours_covered']:.1f} of {result['hours']:g} hours (a check stands for "
        f"the time until the next one, for {result['max_gap_minutes']:g} minutes at most)"
    )
    common.say(", ".join(f"{number} {status}" for status, number in counts.items()))
    for phase in result["phases"]:
        common.say(
            f"Phase {phase['mode']}: {phase['hours_covered']:.1f} hours covered, "
            f"{counted(phase['checks'], 'check')}, {phase['statuses']['critical']} critical"
        )
    for title, lines in (
        ("Corruption:", [f"{one['time']}: {one['message']}" for one in result["corruption"]]),
        (
            "Worst findings:",
            [
                f"[{one['status']}] {one['name']}, {counted(one['count'], 'time')}, "
                f"last {one['last']}: "
                f"{one['message']}"
                for one in result["worst"]
            ],
        ),
        (
            "Gaps:",
            [f"{gap['from']} to {gap['to']}: {gap['minutes']:g} minutes" for gap in result["gaps"]],
        ),
        ("Passed over:", _passed_over(result)),
    ):
        if lines:
            common.say(title)
            for line in lines[:SHOWN]:
                common.say(f"  {line}")
            if len(lines) > SHOWN:
                common.say(f"  ... and {len(lines) - SHOWN} more")


def _passed_over(result: dict[str, Any]) -> list[str]:
    from updaters.health.model import counted

    reasons = {
        "unreadable": ("record", "torn, or not ours"),
        "without_record": ("block", "without a record (of a shell script, or cut short)"),
        "duplicates": ("check", "of a moment that was there already"),
        "future": ("check", "of a time to come"),
        "other_databases": ("check", "of other databases"),
    }
    return [
        f"{counted(result[key], what)} {reason}"
        for key, (what, reason) in reasons.items()
        if result[key]
    ]
