"""`python3 -m scripts.verify_updates`: is the database sound after its updates?

Reads only, unless `--fix` is given. Exit code 0 when nothing is broken (warnings are no failure),
1 when something is, 2 on bad usage or configuration.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from updaters.cli import common
from updaters.errors import UpdaterError
from updaters.historical import HistoricalValidator
from updaters.verify import UpdateValidator

__all__ = ["HistoricalValidator", "UpdateValidator", "main"]

#: So many lines of a check are printed; `--verbose` and `--json` give them all.
SHOWN = 5
COUNTS = ("hearings", "committees", "witnesses", "witness_appearances", "hearing_committees")


def build_parser() -> common.Parser:
    """The command line."""
    parser = common.Parser(
        prog="python3 -m scripts.verify_updates",
        description="Check that the database is sound. Nothing is written, unless --fix is given.",
        epilog="example:\n  python3 -m scripts.verify_updates --verbose --db database.db\n"
        "  python3 -m scripts.verify_updates --json",
    )
    common.add_db(parser)
    parser.add_argument("--verbose", action="store_true", help="print the figures of each check")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="remove rows that lead nowhere, after writing a backup; nothing else is changed",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check the database and print what was found."""
    common.begin()
    parser = build_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else 0
    return common.guarded(lambda: _verify(args), prog="verify_updates")


def _verify(args: argparse.Namespace) -> int:
    settings = common.settings_for(args)
    validator = UpdateValidator(
        settings.database_path,
        min_history_days=settings.historical_min_days,
        z_threshold=settings.historical_z_threshold,
    )
    result = validator.run_all_checks(fix_issues=args.fix)
    if args.json:
        common.print_json(result)
    elif not validator.checks:
        # Nothing could be looked at.
        raise UpdaterError(result["issues"][0])
    else:
        for check in validator.checks:
            _print_check(check, args.verbose)
        _print_fixed(validator, args.verbose)
        _print_summary(settings.database_path, result)
    return 0 if result["passed"] else common.FAILED


def _print_check(check: dict[str, Any], verbose: bool) -> None:
    state = "FAILED" if check["issues"] else "warn" if check["warnings"] else "ok"
    common.say(f"{state:<7}{check['title']}")
    for lines in (check["issues"], check["warnings"]):
        _print_some(lines, verbose)
    if verbose:
        for name, value in check["figures"].items():
            common.say(f"         {name.replace('_', ' ')}: {_figure(value)}")


def _print_some(lines: list[str], verbose: bool) -> None:
    shown = lines if verbose else lines[:SHOWN]
    for line in shown:
        common.say(f"       {line}")
    if len(lines) > len(shown):
        common.say(f"       ... and {len(lines) - len(shown)} more (see --verbose)")


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        parts = [f"{name} {_figure(one)}" for name, one in value.items()]
        return ", ".join(parts) or "-"
    if isinstance(value, list):
        return "; ".join(map(_figure, value)) or "none"
    return str(value)


def _print_fixed(validator: UpdateValidator, verbose: bool) -> None:
    for line in validator.warnings:
        if line.startswith("nothing was fixed"):
            common.say(f"{'warn':<7}{line}")
    fixed = validator.stats.get("fixed")
    if not fixed:
        return
    common.say(
        f"fixed  {_some(len(fixed), 'row')}; how it was before is in {validator.stats['backup']}"
    )
    _print_some(fixed, verbose)
    if validator.stats["asked_again"]:
        events = ", ".join(validator.stats["asked_again"])
        common.say(f"       the next update asks again for: {events}")


def _print_summary(path: str, result: dict[str, Any]) -> None:
    tables = result["stats"].get("table_counts", {})
    counts = [f"{name.replace('_', ' ')} {tables[name]}" for name in COUNTS if name in tables]
    issues, warnings = len(result["issues"]), len(result["warnings"])
    verdict = "passed" if result["passed"] else f"FAILED with {_some(issues, 'issue')}"
    common.say(f"{path}: {verdict}, {_some(warnings, 'warning')}; {', '.join(counts)}".rstrip("; "))


def _some(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    raise SystemExit(main())
