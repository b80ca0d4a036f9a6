"""`python3 -m updaters.trial_gate`."""

from updaters.cli.trial_gate import main

if __name__ == "__main__":
    raise SystemExit(main())
