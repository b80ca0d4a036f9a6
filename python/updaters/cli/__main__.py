"""`python3 -m updaters.cli`: the console script, where it is not on the PATH."""

import sys

from updaters.cli import main

sys.exit(main())
