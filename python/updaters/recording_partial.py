"""A recording that is not whole yet: what has come so far, in the order in which it came.

Plain JSON lines: the header, the list's rows, `listed`, then answers. A line that was cut short by
whatever ended the process is dropped.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from updaters.errors import UpdaterError

logger = logging.getLogger("updaters.recording")

#: An older one is not gone on with: too much has changed since it was listed.
FRESH = timedelta(hours=24)
#: How it begins, whatever it is a recording of.
_BEGINNING = b'{"format":"hearing-updater recording"'
#: What has to be the same to go on.
SAME = ("format", "version", "congress", "lookback_days", "source")


class Partial:
    """The file, locked; answers are found by key: the first endpoint where they may be."""

    def __init__(self, path: str, header: Mapping[str, Any]) -> None:
        """`header` is what a new one begins with; one that fits it is gone on with."""
        self.path = path
        self.header = dict(header)
        self.problems: list[str] = []
        self.listed = False
        #: The last path segments of the meetings' endpoints.
        self.events: set[str] = set()
        #: The committees that the answers name, in lower case.
        self.codes: set[str] = set()
        #: Where the rows and the answers stand in the file.
        self._rows: list[int] = []
        self._listed = 0
        self._places: dict[str, int] = {}
        self._failed: set[str] = set()

    def __enter__(self) -> Partial:
        self._file = open(self.path, "a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UpdaterError(f"{self.path}: another recording is being made there") from None
        try:
            if not self._resume():
                self._begin()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._file.closed:
            # The list alone is quickly had again.
            if not self._places:
                self.remove()
            self._file.close()

    def remove(self) -> None:
        """It is whole, or not worth keeping."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._file.close()

    # --- reading ---------------------------------------------------------------------------------

    @property
    def answers(self) -> int:
        """How many answers there are."""
        return len(self._places)

    def has(self, key: str) -> bool:
        """Whether it was answered."""
        return key in self._places

    def get(self, key: str) -> dict[str, Any]:
        """`path`, and `answer`, or `status` and `error`."""
        line = self._line(self._places[key])
        del line["key"]
        return line

    def rows(self) -> Iterator[tuple[list[str], dict[str, Any] | None]]:
        """The list's rows in its order, with their endpoints; then what is not listed."""
        for place in self._rows:
            line = self._line(place)
            yield line["endpoints"], line["row"]

    def committees(self) -> Iterator[dict[str, Any]]:
        """Their answers, in the order of their keys."""
        for key in sorted(self._places):
            if _is_committee(key):
                yield self.get(key)

    def counts(self) -> dict[str, int]:
        """Of a whole recording."""
        failed = sum(not _is_committee(key) for key in self._failed)
        committees = sum(_is_committee(key) for key in self._places.keys() - self._failed)
        return {
            "meetings": self._listed,
            "details": len(self._rows) - failed,
            "failed": failed,
            "committees": committees,
        }

    def _line(self, place: int) -> dict[str, Any]:
        self._file.seek(place)
        line: dict[str, Any] = json.loads(self._file.readline())
        return line

    # --- writing ---------------------------------------------------------------------------------

    def put_list(self, rows: Sequence[tuple[list[str], str]], problems: list[str]) -> None:
        """The whole list; each row as the endpoints of its detail, and JSON."""
        for endpoints, row in rows:
            self._put_row(endpoints, row)
        self._write(_json({"listed": len(rows), "problems": problems}))
        self.listed, self.problems, self._listed = True, problems, len(rows)
        self.flush()

    def put_unlisted(self, endpoints: list[str]) -> None:
        """A meeting that the list does not show."""
        if _event(endpoints) not in self.events:
            self._put_row(endpoints, "null")

    def _put_row(self, endpoints: list[str], row: str) -> None:
        self._rows.append(self._write(f'{{"endpoints":{_json(endpoints)},"row":{row}}}'))
        self.events.add(_event(endpoints))

    def put(
        self, key: str, path: str, answer: str | None, status: int | None, problem: str
    ) -> None:
        """One answer as JSON; None where it failed with this status."""
        head = f'{{"key":{_json(key)},"path":{_json(path)}'
        if answer is None:
            line = f'{head},"status":{status},"error":{_json(problem)}}}'
        else:
            line = f'{head},"answer":{answer}}}'
        self._take(json.loads(line), self._write(line))

    def flush(self) -> None:
        """What was put in is in the file."""
        self._file.flush()

    def _write(self, line: str) -> int:
        place = self._file.seek(0, os.SEEK_END)
        self._file.write(line.encode() + b"\n")
        return place

    def _begin(self) -> None:
        self._file.truncate(0)
        self._write(_json(self.header))
        self.flush()

    # --- going on --------------------------------------------------------------------------------

    def _resume(self) -> bool:
        """Takes in what an earlier call left; False where it does not fit, or has no whole list."""
        self._file.seek(0)
        place = 0
        for line in self._file:
            if place == 0 and not line.startswith(_BEGINNING):
                raise UpdaterError(f"{self.path}: this is no partial recording: move it away")
            try:
                value = json.loads(line) if line.endswith(b"\n") else None
                good = isinstance(value, dict) and self._resume_line(value, place)
            except (ValueError, KeyError, TypeError):
                good = False
            if not good:
                break
            place += len(line)
        if not self.listed:
            if place:
                logger.info("%s does not fit: it is made anew", self.path)
            self._forget()
            return False
        self._file.truncate(place)
        return True

    def _resume_line(self, line: dict[str, Any], place: int) -> bool:
        if place == 0:
            if any(line[name] != self.header[name] for name in SAME):
                return False
            age = _moment(self.header) - _moment(line)
            if not timedelta(0) <= age <= FRESH:
                return False
            self.header["recorded_at"] = line["recorded_at"]
        elif "row" in line:
            self._rows.append(place)
            self.events.add(_event(line["endpoints"]))
        elif "listed" in line:
            self._listed = len(self._rows)
            self.listed = line["listed"] == self._listed
            self.problems = list(line["problems"])
        else:
            self._take(line, place)
        return True

    def _forget(self) -> None:
        self._rows.clear()
        self.events.clear()
        self._places.clear()
        self._failed.clear()
        self.codes.clear()

    def _take(self, line: Mapping[str, Any], place: int) -> None:
        self._places[line["key"]] = place
        answer = line.get("answer")
        if answer is None:
            self._failed.add(line["key"])
        else:
            self.codes |= _codes(answer)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _moment(header: Mapping[str, Any]) -> datetime:
    return datetime.strptime(header["recorded_at"], "%Y-%m-%dT%H:%M:%SZ")


def _event(endpoints: Sequence[str]) -> str:
    return endpoints[0].rpartition("/")[2]


def _is_committee(key: str) -> bool:
    return key.startswith("committee/")


def _codes(answer: Any) -> set[str]:
    """The committees that a meeting names, and the one that a committee is below."""
    if not isinstance(answer, dict):
        return set()
    meeting, committee = answer.get("committeeMeeting"), answer.get("committee")
    named: list[Any] = []
    if isinstance(meeting, dict):
        found = meeting.get("committees")
        if isinstance(found, dict):
            found = found.get("item")
        named = found if isinstance(found, list) else [found]
    if isinstance(committee, dict):
        named.append(committee.get("parent"))
    codes = (one.get("systemCode") for one in named if isinstance(one, dict))
    return {code.strip().lower() for code in codes if isinstance(code, str) and code.strip()}
