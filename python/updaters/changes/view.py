"""Which hearings of a report are shown, and what is said of the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from textwrap import shorten
from typing import Any

from updaters.changes.kinds import KINDS, phrase
from updaters.changes.times import told


@dataclass
class Section:
    """The hearings of one committee that are listed under one kind."""

    kind: str
    hearings: list[dict[str, Any]]
    #: So many more are not shown.
    more: int

    @property
    def heading(self) -> str:
        """`New witnesses`."""
        return KINDS[self.kind]

    @property
    def rest(self) -> str:
        """`24 more new`; empty where all are shown."""
        return f"{self.more:,} more {phrase(self.kind)}" if self.more else ""


@dataclass
class Group:
    """A committee with its sections."""

    code: str | None
    name: str
    chamber: str
    sections: list[Section]

    @property
    def shown(self) -> bool:
        """Whether any hearing of it is."""
        return any(section.hearings for section in self.sections)

    @property
    def summary(self) -> str:
        """`24 new, 1 rescheduled`."""
        return ", ".join(
            f"{len(section.hearings) + section.more} {phrase(section.kind)}"
            for section in self.sections
        )


@dataclass
class View:
    """A report as it is shown."""

    groups: list[Group]
    shown: int
    total: int
    #: `3 new`, `2 rescheduled`, ...
    summary: list[str]
    since: str
    until: str
    #: What the journal cannot tell of, where there is something; else empty.
    caveat: str
    filters: str


def view(report: Mapping[str, Any], most: int | None) -> View:
    """At most so many hearings: changed ones before new ones, then those that are next."""
    hearings = {hearing["event_id"]: hearing for hearing in report["hearings"]}
    until = datetime.fromisoformat(report["until"].replace("Z", "+00:00"))
    ranked = sorted(hearings.values(), key=lambda hearing: _rank(hearing, until))
    chosen = {hearing["event_id"] for hearing in ranked[:most]}
    groups = []
    for group in report["committees"]:
        sections = [
            Section(
                kind,
                [hearings[event_id] for event_id in events if event_id in chosen],
                sum(event_id not in chosen for event_id in events),
            )
            for kind, events in group["sections"].items()
        ]
        chamber = {"NoChamber": "Joint"}.get(group["chamber"], group["chamber"] or "")
        groups.append(Group(group["code"], group["name"], chamber, sections))
    counts = report["counts"]
    return View(
        groups=groups,
        shown=len(chosen),
        total=counts["hearings"],
        summary=[f"{counts[kind]:,} {phrase(kind)}" for kind in KINDS if counts[kind]],
        since=_told(report["since"]),
        until=_told(report["until"]),
        caveat=_caveat(report),
        filters=_filters(report["filters"]),
    )


def shortened(title: str | None, most: int | None) -> str:
    """A title on one line, cut at a word: some are pages of names."""
    text = " ".join((title or "").split()) or "(no title)"
    return text if most is None else shorten(text, most, placeholder=" ...")


def _rank(hearing: Mapping[str, Any], now: datetime) -> tuple[bool, bool, float]:
    """News of a known hearing first; the next one ahead, then the last one past."""
    try:
        start = datetime.fromisoformat(f"{hearing['date']}T{hearing['time'] or '23:59:59'}+00:00")
    except ValueError:
        return hearing["section"] == "new", True, float("inf")
    away = (start.astimezone(timezone.utc) - now).total_seconds()
    return hearing["section"] == "new", away < 0, abs(away)


def _told(moment: str) -> str:
    return told(datetime.fromisoformat(moment.replace("Z", "+00:00")))


def _caveat(report: Mapping[str, Any]) -> str:
    if report["journal_begins"] is None:
        return (
            "This database has no record of changes yet: "
            "the journal begins with the first update that changes something."
        )
    if not report["covered"]:
        return (
            f"The journal begins {_told(report['journal_begins'])}: "
            "what changed before is not known."
        )
    return ""


def _filters(filters: Mapping[str, Any]) -> str:
    parts = [f"committee {code}" for code in filters["committees"]]
    return ", ".join(([filters["chamber"]] if filters["chamber"] else []) + parts)
