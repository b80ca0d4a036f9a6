"""What a person at a terminal sees: the progress bar and the tables."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from updaters.cli.common import print_table


def at_a_terminal(code: str, columns: int) -> str:
    """What the code writes to a stderr that is a terminal of so many columns."""
    import pty

    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns)},
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(master)
    assert process.returncode == 0, shown
    return shown.decode()


@pytest.mark.parametrize("columns", [20, 40, 59, 60, 100])
def test_a_bar_shows_how_far_it_is_on_every_terminal(clean_env: Path, columns: int) -> None:
    code = (
        "from updaters.cli.progress import Progress\n"
        "with Progress(enabled=True) as progress:\n"
        "    progress.callback({'phase': 'fetching', 'message': 'Page 2 of 12 of all that there "
        "is to be had', 'percent': 40})\n"
    )
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", at_a_terminal(code, columns))
    assert " 40%" in text
    assert columns < 40 or "Fetching" in text


def test_at_a_terminal_there_is_a_bar_and_a_table(clean_env: Path) -> None:
    code = (
        "import logging\n"
        "from updaters.cli.progress import Progress, print_summary\n"
        "with Progress(enabled=True) as progress:\n"
        "    progress.callback({'phase': 'fetching', 'message': '[page] 2', 'percent': 40})\n"
        "    progress.console.print('a log line')\n"
        "print_summary({'hearings_checked': 12, 'duration_seconds': 1.5}, dry_run=False)\n"
    )
    text = at_a_terminal(code, 100)
    assert "[page] 2" in text
    assert "a log line" in text
    assert "Hearings checked" in text and "12" in text


def test_a_table_is_aligned_and_cut(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"event_id": "1", "why": "x" * 70}, {"event_id": "12345", "why": None}]
    print_table(rows, ("event_id", "why"))
    assert capsys.readouterr().out.splitlines() == [
        "event id  why",
        "1         " + "x" * 57 + "...",
        "12345     -",
    ]
