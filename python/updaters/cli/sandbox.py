"""`hearing-updater sandbox`: a stand-in for the API, with faults to order."""

import argparse
from typing import Any

from updaters.errors import ConfigurationError

DEFAULT_MEETINGS, DEFAULT_SEED, DEFAULT_CONGRESS = 200, 1, 119


def add_command(commands: Any) -> None:
    """Add `sandbox` to the commands."""
    parser = commands.add_parser(
        "sandbox",
        help="serve a stand-in for the Congress.gov API",
        description="Serve a stand-in for the Congress.gov API, on this machine only.",
        epilog=(
            "faults: 500, 429, slow, reset, truncated, html, bad-row, poison and others\n\n"
            "example:\n"
            "  hearing-updater sandbox --port 8119 --meetings 500 --fault 500=0.05\n"
            "  API_BASE_URL=http://127.0.0.1:8119/v3 hearing-updater update"
        ),
    )
    parser.set_defaults(run=run, command="sandbox")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--db", metavar="FILE", help="serve the rows of this hearings database")
    parser.add_argument("--recording", metavar="FILE", help="or the answers recorded in this file")
    parser.add_argument(
        "--meetings",
        type=int,
        metavar="N",
        help=f"or so many generated ones (default: {DEFAULT_MEETINGS})",
    )
    parser.add_argument("--seed", type=int, metavar="S", help="decides their content")
    parser.add_argument("--congress", type=int, metavar="N", help=f"default: {DEFAULT_CONGRESS}")
    parser.add_argument("--latency-ms", type=float, default=0, metavar="L", help="of each answer")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND=SHARE",
        help="such as 500=0.05 for one request in twenty (may be given repeatedly)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from updaters.sandbox import serve

    if args.recording and any(
        given is not None for given in (args.db, args.meetings, args.seed, args.congress)
    ):
        raise ConfigurationError(
            "--recording serves what was recorded: --db, --meetings, --seed and --congress "
            "do not go with it"
        )
    if args.db and (args.meetings is not None or args.seed is not None):
        raise ConfigurationError("--db serves a database: --meetings and --seed do not go with it")
    if not 0 <= args.port <= 65_535:
        raise ConfigurationError(f"--port {args.port}: should be 0 to 65535")
    return serve(
        port=args.port,
        host=args.host,
        db=args.db,
        meetings=DEFAULT_MEETINGS if args.meetings is None else args.meetings,
        seed=DEFAULT_SEED if args.seed is None else args.seed,
        latency_ms=args.latency_ms,
        faults=args.fault,
        congress=DEFAULT_CONGRESS if args.congress is None else args.congress,
        recording=args.recording,
    )
