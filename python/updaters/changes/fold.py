"""From single changes to the net effect on each hearing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: A table -> what its rows are. Documents may pass from one table to another.
ROWS = {
    "hearing_committees": "committee",
    "witness_appearances": "witness",
    "hearing_bills": "bill",
    "witness_documents": "document",
    "updater_unmatched_documents": "document",
    "supporting_documents": "document",
    "hearing_transcripts": "document",
}


@dataclass
class Net:
    """What became of one hearing."""

    hearing_id: int
    event_id: str | None = None
    title: str | None = None
    #: When it last changed (UTC, as stored).
    at: str = ""
    #: Column of `hearings` -> the value at first and at last; they differ.
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    #: Rows of the hearing itself added less rows removed: 1, 0 or -1.
    itself: int = 0
    #: What it is ("witness") -> name ("Jane Roe") -> rows added less rows removed.
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    #: Documents that have got an address, or another one.
    readdressed: set[str] = field(default_factory=set)

    def added(self, what: str) -> list[str]:
        """Names of what has come."""
        return [name for name, net in self.rows.get(what, {}).items() if net > 0]

    def removed(self, what: str) -> list[str]:
        """Names of what has gone."""
        return [name for name, net in self.rows.get(what, {}).items() if net < 0]

    def documents(self) -> set[str]:
        """Documents that have come, or can be read now."""
        return {*self.added("document"), *self.readdressed} - {*self.removed("document")}


def fold(changes: Iterable[Mapping[str, Any]]) -> list[Net]:
    """The net effect on each hearing, of what `changes_since` gives, by hearing id.

    Hearings of which nothing is different in the end, or only their update date, may be among them.
    """
    nets: dict[int, Net] = {}
    for change in changes:
        net = nets.setdefault(change["hearing_id"], Net(change["hearing_id"]))
        net.event_id, net.title, net.at = change["event_id"], change["title"], change["at"]
        if change["table"] == "hearings":
            _own(net, change)
        elif change["table"] in ROWS:
            _row(net, change)
    for net in nets.values():
        net.fields = {k: (was, now) for k, (was, now) in net.fields.items() if was != now}
    return [nets[key] for key in sorted(nets)]


def _own(net: Net, change: Mapping[str, Any]) -> None:
    if change["action"] == "changed":
        was, _ = net.fields.get(change["field"], (change["before"], None))
        net.fields[change["field"]] = (was, change["after"])
    else:
        net.itself += 1 if change["action"] == "added" else -1


def _row(net: Net, change: Mapping[str, Any]) -> None:
    what = ROWS[change["table"]]
    # "witness Jane Roe"; a transcript is a document of its jacket number.
    name = str(change["row"]).partition(" ")[2]
    if change["action"] == "changed":
        if what == "document" and change["field"] == "document_url" and change["after"]:
            net.readdressed.add(name)
        return
    rows = net.rows.setdefault(what, {})
    rows[name] = rows.get(name, 0) + (1 if change["action"] == "added" else -1)
