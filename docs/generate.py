"""Writes `docs/configuration.md` and `docs/commands.md` from the settings and the parsers.

`make docs` runs it; a test holds the files against what it would write.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le

from config.settings import Settings, variables
from scripts.verify_updates import build_parser as verify_parser
from updaters.cli import build_parser
from updaters.cli.common import Parser
from updaters.cli.update import MODULE, add_arguments

DOCS = Path(__file__).parent
NOTE = (
    "<!-- Written by docs/generate.py; change the settings or the parsers, then run make docs. -->"
)


def configuration() -> str:
    """The page of the settings."""
    lines = [
        "# Configuration",
        "",
        NOTE,
        "",
        "The environment beats `.env` in the current folder. Names are case-insensitive,",
        "surrounding quotes are stripped, an empty value counts as unset. A bad value is one line",
        "that names the variable, before anything is touched. A checkout's own",
        "`config/settings.py` is used, too; what it lacks comes from here.",
        "`hearing-updater doctor --settings` shows which value is in force, and its source.",
        "",
        "| variable | default | range | what it means |",
        "| --- | --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        names = " or ".join(f"`{variable}`" for variable in variables(name))
        meaning = _cell(field.description or "")
        lines.append(f"| {names} | {_value(field.default)} | {_range(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if value is None:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _range(field: Any) -> str:
    if field.annotation is bool:
        return "true or false"
    low = high = ""
    for rule in field.metadata:
        if isinstance(rule, Ge):
            low = f"{rule.ge:,}"
        elif isinstance(rule, Gt):
            low = f"more than {rule.gt:,}"
        elif isinstance(rule, Le):
            high = f" to {rule.le:,}"
    return f"{low}{high}"


def commands() -> str:
    """The page of the commands."""
    module = Parser(prog=MODULE, description="The same as `hearing-updater update`.")
    add_arguments(module)
    verify = verify_parser()
    lines = ["# Commands", "", NOTE, ""]
    lines += [
        "Each has `--help`. Exit codes: 0 success, 1 failed, 2 bad usage or configuration, 130 and",
        "143 interrupted (Ctrl-C, SIGTERM), where a command does not say otherwise.",
        "",
    ]
    for parser in (*_of(build_parser()), module, verify):
        lines += _page(parser)
    return "\n".join(lines).rstrip() + "\n"


def _of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The commands below, each before its own."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield below
                yield from _of(below)


def _page(parser: argparse.ArgumentParser) -> list[str]:
    lines = [f"## `{parser.prog}`", "", *(parser.description or "").splitlines(), ""]
    rows = [row for action in parser._actions if (row := _row(action, parser))]
    if rows:
        lines += ["| argument | what it means |", "| --- | --- |", *rows, ""]
    text = (parser.epilog or "").replace("%(prog)s", parser.prog)
    before, _, example = text.partition("example:")
    if before.strip():
        lines += [*(line.strip() for line in before.strip().splitlines()), ""]
    if example.strip():
        lines += ["```bash", *(line.strip() for line in example.strip().splitlines()), "```", ""]
    return lines


def _row(action: argparse.Action, parser: argparse.ArgumentParser) -> str | None:
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
        return None
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    if action.option_strings and action.nargs != 0:
        name += f" {action.metavar or action.dest.upper()}"
    if action.nargs in ("+", "*"):
        name += " ..."
    values = {**vars(action), "prog": parser.prog}
    meaning = (action.help or "") % values
    if action.choices:
        meaning += f" ({', '.join(map(str, action.choices))})"
    return f"| `{name}` | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


PAGES = {"configuration.md": configuration, "commands.md": commands}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
