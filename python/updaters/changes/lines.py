"""A hearing's changes as labelled lines, which text and HTML show in their own ways."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from updaters.changes.kinds import KINDS
from updaters.changes.times import told_slot


@dataclass
class Item:
    """Something that came: a witness, a document."""

    text: str
    #: An address that a browser may be sent to, else None.
    url: str | None = None


@dataclass
class Line:
    """One change: from and to, or a list of what came."""

    label: str
    was: str | None = None
    now: str | None = None
    items: list[Item] = field(default_factory=list)


def lines_of(hearing: Mapping[str, Any]) -> list[Line]:
    """One for each change, in the order of the kinds."""
    changes = hearing["changes"]
    lines: list[Line] = []
    for kind, what in changes.items():
        if kind == "new":
            lines += _new(hearing, what)
        elif kind == "rescheduled":
            was, now = told_slot(what["from"]), told_slot(what["to"])
            same = "marked so; the date is the same"
            lines.append(Line(KINDS[kind], *((was, now) if was != now else (None, same))))
        elif kind in ("postponed", "cancelled", "reinstated"):
            lines.append(Line(KINDS[kind]))
        elif kind in ("moved", "retitled", "retyped"):
            lines.append(Line(KINDS[kind], _text(what["from"]), _text(what["to"])))
        elif kind == "announced":
            lines.append(Line(KINDS[kind], now=_announced(hearing, what)))
        elif kind == "witnesses":
            lines.append(Line(KINDS[kind], items=[Item(witness(w)) for w in what]))
        elif kind == "documents":
            lines.append(Line(KINDS[kind], items=[document(d) for d in what]))
        elif kind in ("withdrawn", "bills"):
            lines.append(Line(KINDS[kind], items=[Item(_text(name)) for name in what]))
        elif kind == "video":
            lines.append(Line(KINDS[kind], items=[Item(_text(what["url"]), web(what["url"]))]))
        elif kind == "committees":
            lines.append(Line(KINDS[kind], now=_committees(hearing, what)))
        else:
            lines.append(Line(KINDS[kind]))
    return lines


def _new(hearing: Mapping[str, Any], what: Mapping[str, Any]) -> list[Line]:
    lines = []
    if hearing["status"] not in (None, "Scheduled"):
        lines.append(Line("Status", now=_text(hearing["status"])))
    for label, items in (
        ("Witnesses", [Item(witness(w)) for w in what["witnesses"]]),
        ("Documents", [document(d) for d in what["documents"]]),
        ("Bills", [Item(_text(bill)) for bill in what["bills"]]),
    ):
        if items:
            lines.append(Line(label, items=items))
    if what["video_url"]:
        lines.append(Line("Video", items=[Item(_text(what["video_url"]), web(what["video_url"]))]))
    return lines


def _announced(hearing: Mapping[str, Any], what: Mapping[str, Any]) -> str:
    parts = [told_slot(hearing)] if "date" in what or "time" in what else []
    return "; ".join(parts + ([_text(what["location"])] if "location" in what else []))


def _committees(hearing: Mapping[str, Any], what: Mapping[str, Any]) -> str:
    names = {link["code"]: link["name"] for link in hearing["committees"]}
    parts = [f"now also {_text(names.get(code, code))}" for code in what["added"]]
    return "; ".join(parts + [f"no longer {_text(code)}" for code in what["removed"]])


def witness(witness: Mapping[str, Any]) -> str:
    """`Jane Roe, Director, Farm Bureau`."""
    parts = (_text(witness[key]) for key in ("name", "position", "organization"))
    return ", ".join(part for part in parts if part)


def document(document: Mapping[str, Any]) -> Item:
    """`Statement (Jane Roe)`, `Transcript 12345`, `Hearing Notice: Full text`."""
    kind, title = _text(document["type"]), _text(document["title"])
    if document["of"] == "transcript":
        text = f"Transcript {title}".strip()
    elif document["of"] == "witness":
        text = f"{kind} ({_text(document['witness'])})" if document["witness"] else kind
    else:
        text = ": ".join(part for part in (kind, title) if part)
    return Item(text or "Document", web(document["url"]))


def subcommittees(hearing: Mapping[str, Any]) -> list[str]:
    """Names of those among its committees that are a part of another one."""
    return [_text(link["name"]) for link in hearing["committees"] if link["parent"]]


def web(url: Any) -> str | None:
    """The address, where it is one of the web: what upstream writes may be anything."""
    text = str(url or "").strip()
    return text if re.fullmatch(r"https?://[^\s\x00-\x20<>\"]+", text, re.IGNORECASE) else None


def _text(value: Any) -> str:
    return " ".join(str(value).split()) if value is not None else ""
