"""The kinds of change, in the order in which they are told."""

#: Kind -> its heading.
KINDS = {
    "new": "New",
    "rescheduled": "Rescheduled",
    "postponed": "Postponed",
    "cancelled": "Cancelled",
    "reinstated": "Reinstated",
    "moved": "Moved",
    "announced": "Time or place announced",
    "witnesses": "New witnesses",
    "withdrawn": "Witnesses no longer listed",
    "documents": "New documents",
    "bills": "Bills added",
    "video": "Video added",
    "retitled": "Title changed",
    "retyped": "Type changed",
    "committees": "Committees changed",
    "removed": "Removed from the database",
}

#: Of a hearing's kinds, the first of these is the one that it is listed under.
_FIRST = ("removed", "new", "cancelled", "postponed", "reinstated")
PRECEDENCE = (*_FIRST, *(kind for kind in KINDS if kind not in _FIRST))

_OF_THE_HEARING = ("new", "rescheduled", "postponed", "cancelled", "reinstated", "moved", "removed")


def phrase(kind: str) -> str:
    """What is said of hearings with it: `rescheduled`, `with new witnesses`."""
    told = KINDS[kind].lower()
    return told if kind in _OF_THE_HEARING else f"with {told}"
