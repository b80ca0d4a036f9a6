"""Builds the report: which hearings, what changed in each, and where it is listed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Protocol

from updaters.changes.fold import Net, fold
from updaters.changes.kinds import KINDS, PRECEDENCE
from updaters.changes.times import iso, slot, stored, zone_name
from updaters.errors import ConfigurationError

FORMAT = 1
_OFF = {"Postponed": "postponed", "Canceled": "cancelled"}
_CHAMBERS = {"House": 0, "Senate": 1}


class Journaled(Protocol):
    """What is asked of a database (`updaters._native.Database` has it)."""

    def changes_since(self, since: str) -> list[dict[str, Any]]: ...
    def journal_begins(self) -> str | None: ...
    def hearings_in_full(self, hearing_ids: Sequence[int]) -> list[dict[str, Any]]: ...
    def committee_names(self) -> list[dict[str, Any]]: ...


def report(
    db: Journaled,
    since: datetime,
    *,
    committees: Sequence[str] = (),
    chamber: str | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """What changed since a moment (with a time zone); the shape is told in `updaters.changes`.

    `committees` are system codes, a parent's standing for its subcommittees too; `chamber` is
    "House", "Senate" or "Joint". Reads only. Raises ConfigurationError for a code that the database
    does not know, DatabaseError where it cannot be read.
    """
    now = now or datetime.now(timezone.utc)
    names = {name["code"]: name for name in db.committee_names()}
    wanted = [_known(code, names) for code in committees]
    begins = stored(db.journal_begins())
    nets = fold(db.changes_since(since.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")))
    cards = {card["hearing_id"]: card for card in db.hearings_in_full([n.hearing_id for n in nets])}
    # A hearing that was replaced by another row is not gone.
    there = {card["event_id"] for card in cards.values()}
    hearings: dict[str, dict[str, Any]] = {}
    for net in nets:
        card = cards.get(net.hearing_id)
        if net.event_id is None or (card is None and net.event_id in there):
            continue
        told = _removed(net) if card is None else _hearing(net, card)
        if told is None or not _is_of(told, wanted, chamber, names):
            continue
        told["committees"] = [
            {"code": code, "name": names[code]["name"], "parent": names[code]["parent"]}
            for code in told["committees"]
            if code in names
        ]
        hearings[net.event_id] = told
    return {
        "format": FORMAT,
        "since": iso(since),
        "until": iso(now),
        "time_zone": zone_name(),
        "journal_begins": iso(begins) if begins else None,
        "covered": begins is not None and begins <= since,
        "filters": {"committees": wanted, "chamber": chamber},
        "counts": _counts(hearings),
        "committees": _grouped(hearings, names, wanted),
        "hearings": [hearings[event_id] for event_id in sorted(hearings)],
    }


def _known(code: str, names: Mapping[str, Any]) -> str:
    found = next((known for known in names if known.lower() == code.strip().lower()), None)
    if found is None:
        raise ConfigurationError(
            f"--committee {code!r}: no committee of this database has that system code "
            "(such as hsag00)"
        )
    return found


def _hearing(net: Net, card: dict[str, Any]) -> dict[str, Any] | None:
    changes = {"new": _all_of(card)} if net.itself > 0 else _changes(net, card)
    if not changes:
        return None
    return {
        "event_id": card["event_id"],
        "hearing_id": card["hearing_id"],
        "title": card["title"],
        "chamber": card["chamber"],
        "type": card["hearing_type"],
        "status": card["status"],
        **slot(card["date"], card["time"]),
        "location": card["location"],
        "url": card["page"],
        "committees": card["committees"],
        "changed_at": _iso_of(net),
        "section": next(kind for kind in PRECEDENCE if kind in changes),
        "changes": {kind: changes[kind] for kind in KINDS if kind in changes},
    }


def _removed(net: Net) -> dict[str, Any] | None:
    # Added and removed since is nothing.
    if net.itself >= 0:
        return None
    return {
        "event_id": net.event_id,
        "hearing_id": net.hearing_id,
        "title": net.title,
        **dict.fromkeys(("chamber", "type", "status")),
        **slot(None, None),
        **dict.fromkeys(("location", "url")),
        "committees": net.removed("committee"),
        "changed_at": _iso_of(net),
        "section": "removed",
        "changes": {"removed": True},
    }


def _iso_of(net: Net) -> str | None:
    at = stored(net.at)
    return iso(at) if at else None


def _all_of(card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "witnesses": [_witness(witness) for witness in card["witnesses"]],
        "documents": card["documents"],
        "bills": card["bills"],
        "video_url": card["video_url"],
    }


def _witness(witness: Mapping[str, Any]) -> dict[str, Any]:
    return {key: witness[key] for key in ("name", "organization", "position")}


def _changes(net: Net, card: Mapping[str, Any]) -> dict[str, Any]:
    """Kind -> what changed, of a hearing that was there before."""
    found: dict[str, Any] = {}
    _of_status(net, found)
    _of_time(net, card, found)
    for column, kind in (("title", "retitled"), ("hearing_type", "retyped")):
        was, now = net.fields.get(column, (None, None))
        if " ".join(str(was).split()) != " ".join(str(now).split()):
            found[kind] = {"from": was, "to": now}
    was, now = net.fields.get("location", (None, None))
    if was and now:
        found["moved"] = {"from": was, "to": now}
    elif now:
        found.setdefault("announced", {})["location"] = now
    _, video = net.fields.get("video_url", (None, None))
    if video:
        found["video"] = {"url": video}
    _of_rows(net, card, found)
    return found


def _of_status(net: Net, found: dict[str, Any]) -> None:
    was, now = net.fields.get("status", (None, None))
    kind = _OFF.get(now or "") or ("reinstated" if was in _OFF and now == "Scheduled" else None)
    if kind:
        found[kind] = {"from": was, "to": now}


def _of_time(net: Net, card: Mapping[str, Any], found: dict[str, Any]) -> None:
    same = (card["date"], card["date"])
    whole, only = (net.fields.get(c, same) for c in ("hearing_date", "hearing_date_only"))
    # The date is in either column.
    day = (whole[0] or only[0], whole[1] or only[1])
    clock = net.fields.get("hearing_time", (card["time"], card["time"]))
    before, after = slot(day[0], clock[0]), slot(day[1], clock[1])
    told_so = net.fields.get("status", ("", ""))[1] == "Rescheduled"
    if (day[0] and day[0] != day[1]) or (clock[0] and clock[0] != clock[1]) or told_so:
        found["rescheduled"] = {"from": before, "to": after}
        return
    for key in ("date", "time"):
        if before[key] != after[key]:
            found.setdefault("announced", {})[key] = after[key]


def _of_rows(net: Net, card: Mapping[str, Any], found: dict[str, Any]) -> None:
    new = net.added("witness")
    witnesses = [_witness(w) for w in card["witnesses"] if w["name"] in new]
    fresh = net.documents()
    documents = [d for d in card["documents"] if d["url"] in fresh or d["title"] in fresh]
    bills = [bill for bill in card["bills"] if bill in net.added("bill")]
    withdrawn = net.removed("witness")
    for kind, items in (
        ("witnesses", witnesses),
        ("withdrawn", withdrawn),
        ("documents", documents),
        ("bills", bills),
    ):
        if items:
            found[kind] = items
    linked, unlinked = net.added("committee"), net.removed("committee")
    if linked or unlinked:
        found["committees"] = {"added": linked, "removed": unlinked}


def _is_of(
    hearing: Mapping[str, Any], wanted: Sequence[str], chamber: str | None, names: Mapping[str, Any]
) -> bool:
    if chamber is not None:
        there = {"NoChamber": "Joint"}.get(hearing["chamber"], hearing["chamber"])
        if there != chamber:
            return False
    return not wanted or bool(_with_parents(hearing["committees"], names) & {*wanted})


def _with_parents(codes: Sequence[str], names: Mapping[str, Any]) -> set[str]:
    parents = (names[code]["parent"] for code in codes if code in names)
    return {*codes, *(parent for parent in parents if parent)}


def _counts(hearings: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    kinds = [kind for hearing in hearings.values() for kind in hearing["changes"]]
    return {"hearings": len(hearings), **{kind: kinds.count(kind) for kind in KINDS}}


def _grouped(
    hearings: Mapping[str, Mapping[str, Any]], names: Mapping[str, Any], wanted: Sequence[str]
) -> list[dict[str, Any]]:
    # A wanted subcommittee brings its parent, not the other committees of a joint hearing.
    asked = {names[code]["parent"] or code for code in wanted}
    members: dict[str | None, dict[str, list[str]]] = {}
    by_date = sorted(
        hearings.values(), key=lambda h: (h["date"] or "", h["time"] or "", h["event_id"])
    )
    for hearing in by_date:
        heads = {link["parent"] or link["code"] for link in hearing["committees"]}
        for head in (heads & asked if asked else heads) or {None}:
            sections = members.setdefault(head, {})
            sections.setdefault(hearing["section"], []).append(hearing["event_id"])
    groups = []
    for head, sections in members.items():
        name = names.get(head or "", {"name": "No committee", "chamber": None})
        ordered = {kind: sections[kind] for kind in KINDS if kind in sections}
        groups.append(
            {"code": head, "name": name["name"], "chamber": name["chamber"], "sections": ordered}
        )
    return sorted(
        groups,
        key=lambda g: (g["code"] is None, _CHAMBERS.get(g["chamber"], 2), g["name"], g["code"]),
    )
