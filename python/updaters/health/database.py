"""What is in the database: its pages, its rows, and how the last runs went."""

import os
from collections.abc import Iterator

from updaters import _native
from updaters.errors import (
    DamagedDatabaseError,
    DatabaseBusyError,
    DatabaseFileError,
    UpdaterError,
)
from updaters.health.deferred import deferred
from updaters.health.model import CRITICAL, MB, OK, WARNING, Finding, counted
from updaters.health.runs import ASKED, batches, last_run, look_at
from updaters.health.surroundings import Surroundings, size_of
from updaters.logs import printable


def look_into(around: Surroundings, *, full: bool, running: bool) -> list[Finding]:
    """What can be found out; the last finding, `database`, says what became of the looking."""
    findings: list[Finding] = []
    wait = around.limits.wait_seconds
    native = _native.Database(around.path, read_only=True, wait_seconds=wait)
    try:
        # One by one: what was found before something fails is kept.
        for finding in _findings(native, around, full, running):
            findings.append(finding)
    except DatabaseBusyError as error:
        text = f"not checked: {error}"
        findings.append(Finding("database", WARNING, text, {"problem": "locked"}))
    except (UpdaterError, OSError) as error:
        findings.append(_trouble(around.path, error))
    finally:
        native.close()
    return findings


def _findings(
    native: _native.Database, around: Surroundings, full: bool, running: bool
) -> Iterator[Finding]:
    native.open()
    yield _integrity(native, full)
    counts = native.table_counts()
    if "hearings" not in counts:
        text = f"{around.path}: not a hearings database: it has no table hearings"
        yield Finding("database", CRITICAL, text, {"problem": "unreadable"})
        return
    yield from _rows(native)
    told = _native.last_runs(native, ASKED)
    yield _hearings(counts["hearings"], told["highest_hearing_id"])
    runs = look_at(told, around.now, running=running)
    yield last_run(runs, around, running=running)
    yield batches(runs.last)
    checked = runs.last[0]["hearings_checked"] if runs.last else None
    yield deferred(native.deferred(), around, checked)
    yield _file(around.path)


def _trouble(path: str, error: Exception) -> Finding:
    """Why the database could not be read, or not to the end."""
    if _is_not_ours(path, error):
        text = f"not checked: {printable(str(error))}"
        return Finding("database", WARNING, text, {"problem": "unreadable"})
    problem = "damaged" if isinstance(error, DamagedDatabaseError) else "unreadable"
    if not os.path.exists(path):
        problem = "missing"
    return Finding("database", CRITICAL, printable(str(error)), {"problem": problem})


def _is_not_ours(path: str, error: Exception) -> bool:
    """Whether all that is wrong is that SQLite would write here to read a WAL, and we may not."""
    if type(error) is not DatabaseFileError or not os.access(path, os.R_OK):
        return False
    folder = os.path.dirname(os.path.realpath(path))
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return False
    return not (os.access(path, os.W_OK) and os.access(folder, os.W_OK))


def _file(path: str) -> Finding:
    """The file itself, once everything in it could be read."""
    size = size_of(path)
    values = {"problem": None, "bytes": size}
    for place in (path, os.path.dirname(os.path.realpath(path))):
        if os.access(place, os.W_OK):
            continue
        text = f"{printable(place)} cannot be written: no update can be stored"
        if os.statvfs(place).f_flag & os.ST_RDONLY:
            return Finding("database", CRITICAL, f"{text} (a read-only file system)", values)
        # Somebody else may well do the updates.
        if os.stat(place).st_uid == os.geteuid():
            return Finding("database", WARNING, f"{text}: see its permissions", values)
    return Finding("database", OK, f"{printable(path)}, {size / MB:,.1f} MB", values)


def _integrity(native: _native.Database, full: bool) -> Finding:
    pragma = "integrity_check" if full else "quick_check"
    problems = _native.integrity(native, full)
    if not problems:
        return Finding("integrity", OK, f"{pragma}: ok", {"problems": 0})
    text = f"{pragma}: {printable(problems[0])}"
    if len(problems) > 1:
        text += f", and {len(problems) - 1} more"
    return Finding("integrity", CRITICAL, text, {"problems": len(problems)})


def _rows(native: _native.Database) -> Iterator[Finding]:
    """Broken references and odd rows. Other tools may have left them years ago: warnings."""
    found = native.soundness()
    broken = found["foreign_keys"]
    text = _such_as(broken, "broken reference") if broken else "no broken reference"
    values = {"violations": len(broken)}
    yield Finding("foreign_keys", WARNING if broken else OK, text, values)
    odd = [*found["duplicates"], *found["invalid_values"]]
    text = _such_as(odd, "duplicate or invalid row") if odd else "no duplicate or invalid row"
    yield Finding("rows", WARNING if odd else OK, text, {"odd": len(odd)})


def _such_as(items: list[str], what: str) -> str:
    return f"{counted(len(items), what)}, such as: {printable(items[0])}"


def _hearings(hearings: int, highest_id: int) -> Finding:
    values = {"hearings": hearings}
    if hearings:
        return Finding("hearings", OK, counted(hearings, "hearing"), values)
    if highest_id:
        text = "no hearings, though there have been some: put a backup back"
        return Finding("hearings", CRITICAL, text, values)
    return Finding("hearings", WARNING, "no hearings yet: run an update", values)
