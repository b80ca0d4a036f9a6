"""The commands around an update: `init`, `rollback`, `restore`, `history`, `deferred`."""

import argparse
import os
from collections.abc import Callable, Mapping
from typing import Any

from updaters.cli import common
from updaters.errors import ConfigurationError, UpdaterError

#: So many of a long list are printed; `--json` gives them all.
SHOWN = 10
#: How wide a value is in the table of a history.
VALUE_WIDTH = 48


def add_commands(commands: Any) -> None:
    """Add them to the commands."""
    init = _add(commands, "init", _init, "make a new, empty database", "--db database.db")
    common.add_db(init)

    rollback = _add(
        commands,
        "rollback",
        _rollback,
        "undo a past run or one batch of it",
        "--list\n  hearing-updater rollback --run 12 --batch 3",
    )
    what = rollback.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", type=int, metavar="N", dest="number", help="the run to undo")
    what.add_argument(
        "--release", metavar="EVENT_ID", help="let in again what was undone on purpose"
    )
    what.add_argument("--list", action="store_true", help="list past runs and held events")
    rollback.add_argument("--batch", type=int, metavar="K", help="only this batch of the run")
    rollback.add_argument(
        "--force", action="store_true", help="undo the rest where rows were changed again since"
    )
    rollback.add_argument("--json", action="store_true", help="print JSON")
    common.add_db(rollback)

    restore = _add(commands, "restore", _restore, "put a backup back", "")
    restore.add_argument(
        "backup", nargs="?", metavar="BACKUP", help="default: the newest in backups/"
    )
    common.add_db(restore)

    history = _add(commands, "history", _history, "show what changed in a hearing", "117521")
    history.add_argument("event_id", metavar="EVENT_ID")
    history.add_argument("--json", action="store_true", help="print JSON")
    common.add_db(history)

    deferred = _add(commands, "deferred", _deferred, "list what is deferred, and why", "")
    deferred.add_argument("--json", action="store_true", help="print JSON")
    common.add_db(deferred)


def _add(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {common.PROGRAM} {name} {example}".rstrip(),
    )
    parser.set_defaults(run=run, command=name)
    return parser


def _init(args: argparse.Namespace) -> int:
    from updaters._native import init_database

    path = common.settings_for(args).database_path
    init_database(path)
    os.makedirs("logs", exist_ok=True)
    common.say(
        f"Made {path}, an empty database, and logs/. Fill it: {common.PROGRAM} update --mode full"
    )
    return 0


def _rollback(args: argparse.Namespace) -> int:
    if args.batch is not None and args.number is None:
        raise ConfigurationError("--batch needs --run")
    if args.list:
        return _list_runs(args)
    from updaters._native import RunLock

    database = common.open_database(args)
    try:
        with RunLock(database.path, "rollback"):
            if args.release is not None:
                return _release(database, args.release)
            return _undo(database, args)
    finally:
        database.close()


def _release(database: Any, event_id: str) -> int:
    if not database.release(event_id):
        raise UpdaterError(f"event {event_id} is not held: nothing was done (see rollback --list)")
    common.say(f"Event {event_id} is let in again: the next update asks for it")
    return 0


def _undo(database: Any, args: argparse.Namespace) -> int:
    outcome = database.undo_run(args.number, args.batch, args.force)
    what = f"Run {args.number}" + (f", batch {args.batch}," if args.batch is not None else "")
    if args.json:
        common.print_json(outcome)
    for line in outcome["warnings"]:
        common.warn(f"warning: {line}")
    if not outcome["undone"]:
        common.warn(f"{what} was not undone, as rows were changed again since:")
        for line in outcome["conflicts"]:
            common.warn(f"  {line}")
        common.warn("--force undoes the rest and leaves these rows as they are")
        return common.FAILED
    if args.json:
        return 0
    rows = outcome["rows_restored"]
    common.say(f"{what} was undone: {rows} row{'' if rows == 1 else 's'} restored")
    for title, lines in (
        ("Left as they are, changed again since:", outcome["conflicts"]),
        ("Kept, as others use them:", outcome["kept"]),
        ("Held until upstream changes them, or --release:", outcome["held"]),
    ):
        if lines:
            common.say(title)
            _print_some(lines)
    return 0


def _print_some(lines: list[str]) -> None:
    """The first ten, and how many more there are; `--json` has them all."""
    for line in lines[:SHOWN]:
        common.say(f"  {line}")
    if len(lines) > SHOWN:
        common.say(f"  ... and {len(lines) - SHOWN} more")


def _batches(run: Mapping[str, Any]) -> str:
    """What there is to undo of a run: "1-8, 10 applied; 9 failed; dates applied"."""
    states: dict[str, list[int]] = {}
    others = []
    for batch in run["batches"]:
        if batch["batch"]:
            states.setdefault(batch["state"], []).append(batch["batch"])
        else:
            others.append(f"{batch['kind']} {batch['state']}")
    numbered = [f"{_ranges(sorted(set(numbers)))} {state}" for state, numbers in states.items()]
    return "; ".join(numbered + others) or "nothing changed"


def _ranges(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)


def _list_runs(args: argparse.Namespace) -> int:
    database = common.open_database(args, read_only=True)
    try:
        runs, held = database.runs(), database.held()
    finally:
        database.close()
    if args.json:
        common.print_json({"runs": runs, "held": held})
        return 0
    if runs:
        shown = [
            {**run, "batches": _batches(run), "ended_at": run["ended_at"] or "did not end"}
            for run in runs
        ]
        common.print_table(
            shown, ("run", "started_at", "ended_at", "congress", "mode", "success", "batches")
        )
    else:
        common.say("No runs yet")
    if held:
        print()
        common.say("Held, as they were rolled back on purpose:")
        common.print_table(held[:SHOWN], ("event_id", "update_date", "held_at", "run"))
        if len(held) > SHOWN:
            common.say(f"... and {len(held) - SHOWN} more")
    return 0


def _restore(args: argparse.Namespace) -> int:
    from updaters._native import restore_database

    path = common.settings_for(args).database_path
    outcome = restore_database(path, args.backup)
    common.say(f"Restored {path} from {outcome['backup']}: {outcome['hearings']} hearings")
    return 0


def _history(args: argparse.Namespace) -> int:
    database = common.open_database(args, read_only=True)
    try:
        changes = database.history(args.event_id)
        known = bool(changes) or database.hearing(args.event_id) is not None
    finally:
        database.close()
    if not known:
        raise UpdaterError(f"no hearing with event id {args.event_id} in {database.path}")
    if args.json:
        common.print_json(changes)
    elif changes:
        common.say(f"Event {args.event_id}, times in UTC")
        changes = [{**change, **_from_where_they_differ(change)} for change in changes]
        columns = ("at", "run", "batch", "kind", "table", "action", "row", "field")
        common.print_table(changes, (*columns, "before", "after"), widest=VALUE_WIDTH)
    else:
        common.say(f"Nothing has changed in event {args.event_id} as far as the journal goes back")
    return 0


def _from_where_they_differ(change: dict[str, Any]) -> dict[str, str]:
    """Long texts that begin alike, without most of what is alike: else both are cut to the same."""
    before, after = change["before"], change["after"]
    if not (isinstance(before, str) and isinstance(after, str)):
        return {}
    before, after = " ".join(before.split()), " ".join(after.split())
    pairs = enumerate(zip(before, after, strict=False))
    shorter = min(len(before), len(after))
    alike = next((at for at, (was, now) in pairs if was != now), shorter)
    if max(len(before), len(after)) <= VALUE_WIDTH or alike < VALUE_WIDTH // 2:
        return {}
    cut = alike - VALUE_WIDTH // 4
    return {"before": "..." + before[cut:], "after": "..." + after[cut:]}


def _deferred(args: argparse.Namespace) -> int:
    database = common.open_database(args, read_only=True)
    try:
        waiting = database.deferred()
    finally:
        database.close()
    if args.json:
        common.print_json(waiting)
    elif waiting:
        columns = ("event_id", "kind", "tries", "first_seen", "last_tried", "reason")
        common.print_table(waiting, columns, widest=80)
    else:
        common.say("Nothing is deferred")
    return 0
