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
