"""What changed in the hearings, for people who follow Congress.

`report(db, since)` reads the journal and gives a dict that goes into JSON as it is:

- `format`: 1; a higher number when a key changes its meaning or goes.
- `since`, `until`: UTC, `2025-10-01T12:00:00Z`. `time_zone`: of the `start_washington` values.
- `journal_begins`: when the oldest batch in the journal was applied (UTC), or None where there is
  none; `covered`: whether that is before `since`, so that nothing can be missing.
- `filters`: `committees` (codes) and `chamber`, as they were given.
- `counts`: `hearings`, and for each kind of change the hearings that have it.
- `committees`: `code`, `name`, `chamber`, `sections` (a kind -> event ids), by chamber and name.
  A subcommittee's hearings are its parent's; a hearing of two committees stands under both; those
  of none come last, with `code` None.
- `hearings`: by event id, each with `event_id`, `hearing_id`, `title`, `chamber`, `type`, `status`,
  `date`, `time` (UTC), `start_utc`, `start_washington` (None without a time), `location`, `url`
  (the public page), `committees` (`code`, `name`, `parent`), `changed_at` (UTC), `section` (the
  kind that it is listed under), and `changes`: kind -> what changed.

The kinds and what stands under them in `changes`:

- `new`: `witnesses`, `documents`, `bills`, `video_url` as they are now.
- `rescheduled`: `from` and `to`, each `date`, `time`, `start_utc`, `start_washington`.
- `postponed`, `cancelled`, `reinstated`: `from` and `to`, the status.
- `moved`: `from` and `to`, the location. `retitled`, `retyped`: `from` and `to`.
- `announced`: `date`, `time` or `location`, which were not known before.
- `witnesses`: a list of `name`, `organization`, `position`. `withdrawn`: a list of names.
- `documents`: a list of `of` ("witness", "meeting", "transcript"), `type`, `title`, `url`,
  `witness`.
- `bills`: a list of names. `video`: `url`. `committees`: `added` and `removed`, codes.
- `removed`: True: the hearing is no longer in the database.

All of it is the net effect: what was undone, or changed and changed back, is not there; what
changed twice is one change; what happened to a hearing after it was added belongs to its being new.
"""

from updaters.changes.build import report
from updaters.changes.kinds import KINDS
from updaters.changes.times import parse_since

__all__ = ["KINDS", "parse_since", "report"]
