"""The report as plain text."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from updaters.changes.lines import Line, lines_of, subcommittees, web
from updaters.changes.times import told_slot, zone_name
from updaters.changes.view import Group, Section, View, shortened, view
from updaters.logs import printable

#: So many hearings are shown unless all are asked for.
MOST = 50
#: So many items of a list (witnesses, documents) of a hearing, likewise.
ITEMS = 6
#: So many characters of a title, likewise.
TITLE = 300


def to_text(report: Mapping[str, Any], *, everything: bool = False, width: int = 80) -> str:
    """The report, `width` columns wide, but for addresses, which are never broken."""
    shown = view(report, None if everything else MOST)
    lines = [*_head(shown, width)]
    for group in shown.groups:
        if group.shown:
            lines += _group(group, None if everything else ITEMS, width)
    lines += _rest(shown, width)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _head(shown: View, width: int) -> Iterator[str]:
    if shown.total == 0:
        yield from _wrap(f"No changes since {shown.since}{_only(shown)}.", "", width)
    else:
        zone = "times are Washington's" if zone_name() != "UTC" else "times are UTC"
        what = f"What changed since {shown.since}{_only(shown)}"
        yield from _wrap(f"{what}, as of {shown.until} ({zone})", "", width)
        hearings = "1 hearing" if shown.total == 1 else f"{shown.total:,} hearings"
        yield from _wrap(f"{hearings}: {', '.join(shown.summary)}", "", width)
    if shown.caveat:
        yield from _wrap(shown.caveat, "", width)


def _only(shown: View) -> str:
    return f" ({printable(shown.filters)})" if shown.filters else ""


def _group(group: Group, most: int | None, width: int) -> Iterator[str]:
    title = f"{group.chamber}: {group.name}" if group.chamber else group.name
    yield ""
    lines = _wrap(title, "", width)
    yield from lines
    yield "=" * max(len(line) for line in lines)
    for section in group.sections:
        if section.hearings:
            yield from _section(section, most, width)
    more = [section.rest for section in group.sections if section.more]
    if more:
        yield ""
        yield from _wrap(f"... and {', '.join(more)}", "  ", width)


def _section(section: Section, most: int | None, width: int) -> Iterator[str]:
    yield ""
    yield f"{section.heading}"
    for at, hearing in enumerate(section.hearings):
        if at:
            yield ""
        yield from _hearing(hearing, most, width)


def _hearing(hearing: Mapping[str, Any], most: int | None, width: int) -> Iterator[str]:
    kind = hearing["type"] or "Event"
    when = f"{told_slot(hearing)} - " if hearing["date"] else ""
    yield from _wrap(f"{when}{kind} {hearing['event_id']}", "  ", width)
    title = shortened(hearing["title"], None if most is None else TITLE)
    yield from _wrap(title, "    ", width)
    for name in subcommittees(hearing):
        yield from _wrap(name, "    ", width)
    if hearing["location"]:
        yield from _wrap(f"at {hearing['location']}", "    ", width)
    for line in lines_of(hearing):
        yield from _line(line, most, width)
    if web(hearing["url"]):
        yield f"    {printable(hearing['url'])}"


def _line(line: Line, most: int | None, width: int) -> Iterator[str]:
    if line.items:
        yield from _wrap(f"{line.label}:", "  * ", width)
        for item in line.items[:most]:
            yield from _wrap(f"- {item.text}", "    ", width, "      ")
            if item.url and item.url != item.text:
                yield f"      {printable(item.url)}"
        if most is not None and len(line.items) > most:
            yield f"    - and {len(line.items) - most} more"
    elif line.was is not None:
        yield from _wrap(f"{line.label}: {line.now}", "  * ", width)
        yield from _wrap(f"was: {line.was}", "    ", width)
    else:
        told = f"{line.label}: {line.now}" if line.now else line.label
        yield from _wrap(told, "  * ", width)


def _rest(shown: View, width: int) -> Iterator[str]:
    hidden = [group for group in shown.groups if not group.shown]
    if hidden:
        yield ""
        yield "Also"
        for group in hidden:
            title = f"{group.chamber}: {group.name}" if group.chamber else group.name
            yield from _wrap(f"{title}: {group.summary}", "  ", width, "    ")
    if shown.shown < shown.total:
        yield ""
        left = shown.total - shown.shown
        text = f"{left:,} of {shown.total:,} hearings are not shown in full: --all shows every one."
        yield from _wrap(text, "", width)


def _wrap(text: str, indent: str, width: int, rest: str | None = None) -> list[str]:
    """On lines of `width`, never breaking an address; what a terminal would act upon is escaped."""
    return textwrap.wrap(
        printable(" ".join(text.split())),
        width,
        initial_indent=indent,
        subsequent_indent=" " * len(indent) if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
