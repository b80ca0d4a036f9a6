"""What git knows of the files concerned, and the lines that commit them. Without git: nothing."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path


def _ask(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where it fails, or is not there."""
    # Else a hook's or another tool's repository would answer.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env={**environment, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None


def changed(folder: Path, files: Sequence[str]) -> dict[str, str]:
    """Those of the files that differ from what is committed -> git's two letters for how."""
    found = _ask(folder, "status", "--porcelain", "-z", "-uall", "--no-renames", "--", *files)
    top = _ask(folder, "rev-parse", "--show-prefix")
    if found is None or top is None:
        return {}
    prefix = top.rstrip("\n")
    return {
        entry[3:].removeprefix(prefix): entry[:2] for entry in found.split("\0") if len(entry) > 3
    }


def to_commit(folder: Path, files: Sequence[str]) -> list[str]:
    """The lines, to be run in the checkout, that put the files' changes up for a commit."""
    states = changed(folder, files)
    # "D ": gone from the index, too.
    gone = [name for name, how in states.items() if not os.path.lexists(folder / name)]
    gone = [name for name in gone if states[name] != "D "]
    there = [name for name in states if os.path.lexists(folder / name)]
    # A file's own index entry may be there already: what is the same needs no line.
    there = [name for name in there if states[name][1] != " "]
    lines = []
    for command, names in (("git rm --quiet", gone), ("git add", there)):
        if names:
            lines.append(f"{command} -- {shlex.join(sorted(names))}")
    return lines
