"""`python3 -m scripts.verify_updates`: is the database sound after its updates?

Reads only. Exit code 0 when it is, 1 when something is wrong, 2 on bad usage or configuration.
"""

import argparse
from collections.abc import Sequence

from updaters.cli import common

CHECKS = {
    "integrity": "file integrity",
    "foreign_keys": "foreign keys",
    "orphans": "rows without their hearing",
    "duplicates": "duplicates",
    "invalid_values": "values out of their range",
}
COUNTS = ("hearings", "committees", "witnesses", "appearances", "links")


def main(argv: Sequence[str] | None = None) -> int:
    """Check the database and print what was found."""
    common.begin()
    parser = common.Parser(
        prog="python3 -m scripts.verify_updates",
        description="Check that the database is sound. Nothing is written.",
        epilog="example:\n  python3 -m scripts.verify_updates --db database.db",
    )
    common.add_db(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    try:
        args = parser.parse_args(argv)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else 0
    return common.guarded(lambda: _verify(args), prog="verify_updates")


def _verify(args: argparse.Namespace) -> int:
    database = common.open_database(args, read_only=True)
    try:
        found = database.soundness()
    finally:
        database.close()
    sound = not any(found[check] for check in CHECKS)
    if args.json:
        common.print_json({"sound": sound, **found})
    else:
        for check, name in CHECKS.items():
            print(f"{'FAILED' if found[check] else 'ok':<7}{name}")
            for line in found[check]:
                print(f"       {line}")
        print(", ".join(f"{name} {found[name]}" for name in COUNTS))
    return 0 if sound else common.FAILED


if __name__ == "__main__":
    raise SystemExit(main())
