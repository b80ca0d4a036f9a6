"""The README: every command in it runs somewhere, every setting in it is true."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import Settings, variables
from updaters.cli import build_parser
from updaters.cli.common import Parser
from updaters.cli.update import MODULE, add_arguments
from updaters.daily_updater import DailyUpdater

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

#: A command of the README -> the file that runs it, and how it stands there.
RUN_BY = {
    "make demo": (".ci/run", "make --no-print-directory demo"),
    "make test": (".ci/run", "make --no-print-directory test"),
    "make wheel": (".ci/run", "make --no-print-directory wheel"),
    "make bench": ("Makefile", "benches/run.py"),
    "make help": (".ci/run", "make --no-print-directory help"),
    ".ci/run": (".ci/run", "#!/usr/bin/env bash"),
    "python3 -m scripts.verify_updates": (
        "tests/test_plan_failures.py",
        "python3 -m scripts.verify_updates",
    ),
    "cargo test": ("Makefile", "cargo test --locked"),
    "source .venv/bin/activate": (".ci/setup", "-m venv .venv"),
}


def shell_commands() -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```", README, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def named_commands() -> list[str]:
    """Those in running text and in the table."""
    spans = re.findall(r"`((?:hearing-updater|make|cargo|python3) [^`]+|\.ci/run)`", README)
    return [span for span in spans if span != "make"]


def test_there_are_commands_to_check() -> None:
    assert {"make demo", "make test"} <= set(shell_commands())
    assert "hearing-updater deferred" in named_commands()


@pytest.mark.parametrize("command", sorted({*shell_commands(), *named_commands()}))
def test_every_command_is_run_somewhere(command: str) -> None:
    """Ours are parsed here as they stand (other tests run them); the rest is run by CI."""
    if command in RUN_BY:
        file, text = RUN_BY[command]
        assert text in (ROOT / file).read_text(encoding="utf-8")
        return
    # Placeholders for numbers.
    words = ["1" if word in ("N", "K") else word for word in shlex.split(command)]
    if command.startswith(MODULE):
        parser = Parser(prog=MODULE)
        add_arguments(parser)
        assert parser.parse_args(words[3:]).command == "update"
    else:
        assert words[0] == "hearing-updater"
        assert build_parser().parse_args(words[1:]).command == words[1]


def test_the_python_in_it_runs(updater: DailyUpdater) -> None:
    variables = {
        "API_BASE_URL": updater.settings.api_base_url,
        "DATABASE_PATH": updater.settings.database_path,
    }
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    assert blocks
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-c", block],
            env={**os.environ, **{name: str(value) for name, value in variables.items()}},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) > 0


def test_every_setting_is_there_with_its_default() -> None:
    rows = re.findall(r"^\| (`[A-Z_]+`(?: or `[A-Z_]+`)*) \| (?:`([^`]+)`)? ?\|", README, re.M)
    told = {tuple(re.findall(r"[A-Z_]+", names)): default for names, default in rows}
    for name, field in Settings.model_fields.items():
        if name in ("postgres_url", "database_url"):
            continue
        default = "" if field.default is None else str(field.default)
        if isinstance(field.default, bool):
            default = default.lower()
        assert told.pop(variables(name)) == default, name
    assert not told


def test_the_folders_it_names_exist() -> None:
    for folder in re.findall(r"`((?:src|python)/\w+)`", README):
        assert (ROOT / folder).is_dir(), folder
