"""`hearing-updater sandbox`: a stand-in for the API, with faults to order."""

import argparse
import threading
from typing import Any

from updaters.cli import common
from updaters.errors import ConfigurationError


def add_command(commands: Any) -> None:
    """Add `sandbox` to the commands."""
    parser = commands.add_parser(
        "sandbox",
        help="serve a stand-in for the Congress.gov API",
        description="Serve a stand-in for the Congress.gov API, on this machine only.",
        epilog=(
            "faults: 500, 429, slow, reset, truncated, html, bad-row, poison\n\n"
            "example:\n"
            "  hearing-updater sandbox --port 8119 --meetings 500 --fault 500=0.05\n"
            "  API_BASE_URL=http://127.0.0.1:8119/v3 hearing-updater update"
        ),
    )
    parser.set_defaults(run=run, command="sandbox")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--db", metavar="FILE", help="serve the rows of this hearings database")
    parser.add_argument(
        "--meetings", type=int, metavar="N", help="or so many generated ones (default: 200)"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="decides their content")
    parser.add_argument("--congress", type=int, default=119, metavar="N")
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
    from updaters.sandbox import Sandbox

    if args.db and (args.meetings is not None or args.seed is not None):
        raise ConfigurationError("--db serves a database: --meetings and --seed do not go with it")
    if not 0 <= args.port <= 65_535:
        raise ConfigurationError(f"--port {args.port}: should be 0 to 65535")
    options: dict[str, Any] = {"db": args.db} if args.db else {}
    if args.meetings is not None:
        options["meetings"] = args.meetings
    if args.seed is not None:
        options["seed"] = args.seed
    try:
        sandbox = Sandbox(
            host=args.host,
            port=args.port,
            congress=args.congress,
            latency_ms=args.latency_ms,
            faults=_faults(args.fault),
            **options,
        )
    except (ValueError, TypeError) as exc:
        raise ConfigurationError(str(exc)) from None
    with sandbox:
        print(f"Serving at {sandbox.url} (Ctrl-C ends it)", flush=True)
        try:
            while True:
                # In slices: a wait without end would not see a signal everywhere.
                threading.Event().wait(3600)
        except common.Terminated:
            raise
        except KeyboardInterrupt:
            return 0


def _faults(given: list[str]) -> dict[str, float]:
    faults = {}
    for text in given:
        kind, _, share = text.partition("=")
        try:
            faults[kind.strip()] = float(share)
        except ValueError:
            raise ConfigurationError(
                f"--fault {text!r}: write it as KIND=SHARE, such as 500=0.05"
            ) from None
    return faults
