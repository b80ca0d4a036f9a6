"""A small HTML table of names and values, as Jupyter shows it; every text in it is escaped."""

from collections.abc import Iterable
from html import escape
from typing import Any

#: Entries of a list, and characters of a text, before the rest is counted only.
SHOWN, LONGEST = 10, 400


def table(caption: str, rows: Iterable[tuple[str, Any]]) -> str:
    """Rows of plain values (as `values.plain` gives them). No colours: the theme's own are kept."""
    left = "text-align: left; vertical-align: top"
    body = "".join(
        f'<tr><th scope="row" style="{left}">{_text(name)}</th>'
        f'<td style="{left}">{_cell(value)}</td></tr>'
        for name, value in rows
    )
    return f"<table><caption>{_text(caption)}</caption><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "<br>".join(map(_text, _some(value))) or "none"
    return _text(_told(value))


def _some(items: list[Any]) -> list[str]:
    more = [f"... and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
    return [_told(item) for item in items[:SHOWN]] + more


def _told(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_told(item)}" for name, item in value.items())
    if isinstance(value, list):
        return "; ".join(_some(value))
    return str(value)


def _text(text: str) -> str:
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text) - LONGEST} characters more)"
    return escape(text)
