"""Events that wait to be asked for again."""

from datetime import datetime, timezone
from typing import Any

from updaters.health.model import OK, WARNING, Finding, counted
from updaters.health.surroundings import Surroundings
from updaters.logs import printable

#: Meetings that could not be fetched: so many are too much, where they are more than such a share
#: of what the last run checked.
FETCHES, SHARE = 5, 0.5
#: So many tries, or more days, and waiting alone will not mend it.
TRIES, DAYS = 5, 3.0


def deferred(waiting: list[dict[str, Any]], around: Surroundings, checked: int | None) -> Finding:
    """A few are no trouble: each run asks for them. `waiting` is what `Database.deferred` gives,
    the oldest first; `checked`, how many meetings the last run checked."""
    if not waiting:
        values = {"events": 0, "oldest": None, "most_tries": 0}
        return Finding("deferred", OK, "no deferred events", values)
    tries, oldest = max(event["tries"] for event in waiting), waiting[0]["first_seen"]
    values = {"events": len(waiting), "oldest": oldest, "most_tries": tries}
    text = f"{counted(len(waiting), 'deferred event')}, the oldest since {printable(oldest)} (UTC)"
    problems = []
    fetches = sum(event["kind"] == "fetch" for event in waiting)
    if fetches >= FETCHES and checked is not None and fetches > SHARE * checked:
        problems.append(f"{fetches:,} could not be fetched, where the last run checked {checked:,}")
    if tries >= TRIES:
        problems.append(f"tried up to {tries} times")
    days = _days_since(oldest, around.now)
    if days is not None and days > DAYS:
        problems.append(f"waiting for {days:.1f} days")
    if problems or len(waiting) > around.limits.max_deferred:
        return Finding("deferred", WARNING, "; ".join([text, *problems]), values)
    return Finding("deferred", OK, text, values)


def _days_since(text: str, now: datetime) -> float | None:
    """The age of a naive time in UTC; None for no time."""
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return (now - then).total_seconds() / 86_400
