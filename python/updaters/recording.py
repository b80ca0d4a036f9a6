"""Recording the API's answers once, to replay them as often as wanted: `Sandbox(recording=FILE)`.

    >>> from updaters.recording import record
    >>> from updaters.settings import load_settings
    >>> record(load_settings(), congress=119, lookback_days=90, path="answers.rec")

A recording holds what a run that looks back so many days asks for: the list's rows, each meeting's
detail (or how it failed), and the committees that they name. It is one file of gzip'ed JSON lines:

- a header: `format`, `version`, `congress`, `recorded_at` (UTC), `lookback_days`, `source` (the
  API's host), and the counts `meetings`, `details`, `failed`, `committees`
- a line for each meeting, in the list's order: `path`, `row` (null where the list does not show
  it), and `answer`, or `status` and `error`
- a line for each committee: `path`, and `answer`, or `status` and `error`
- the end mark: `end` (the lines before it) and `crc32` (of them)

What has come before it is whole stands in `FILE.partial`; recording again goes on from there.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from updaters.api_client import ApiClient
from updaters.errors import ApiError, ConfigurationError, UpdaterError
from updaters.logs import mask, secrets_of
from updaters.recording_partial import Partial
from updaters.settings import complete_settings

__all__ = ["FORMAT", "VERSION", "describe", "record"]

logger = logging.getLogger("updaters.recording")

FORMAT, VERSION = "hearing-updater recording", 1
LONGEST_LOOKBACK = 3650
#: Answers asked for before they are written down, if not fewer are asked for at a time: an
#: interrupt loses those.
CHUNK = 16
#: Failures that may be over a moment later: they are asked for once more.
PASSING = frozenset({None, 408, 429, 502, 503, 504})
#: Committees above committees: no more than the updater follows.
DEPTH = 4

Tell = Callable[[Mapping[str, Any]], None]


def record(
    settings: Any,
    *,
    congress: int,
    lookback_days: int,
    path: str | os.PathLike[str],
    progress: Tell | None = None,
    now: datetime | None = None,
    also: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Records what a run that looks back `lookback_days` asks the API for, into the file `path`.

    `settings` name the API, the key and the limits. `progress` is given `phase`, `message`,
    `percent`, `done`, `total`. `now` is where the window ends (the clock's time, unless given).
    `also` are events to record whether the list shows them or not, with `event_id`, `chamber` and
    `congress` (either may be None): what `Database.deferred()` gives, as a run asks for those, too.

    Returns `meetings` (listed), `details` (had), `failed` (recorded as failing, with their status),
    `committees`, `requests` (sent by this call), `resumed` (answers that an earlier, interrupted
    call had), `problems` (what the list could not tell), `seconds`, `path`. Raises `UpdaterError`.
    """
    started = time.monotonic()
    _in_range("congress", congress, 1, 200)
    _in_range("lookback_days", lookback_days, 1, LONGEST_LOOKBACK)
    target = os.fspath(path)
    if os.path.isdir(target):
        raise UpdaterError(f"{target}: is a folder: give the name of a file")
    settings = complete_settings(settings)
    moment = datetime.now(timezone.utc) if now is None else now
    header = {
        "format": FORMAT,
        "version": VERSION,
        "congress": congress,
        "recorded_at": _written(moment),
        "lookback_days": lookback_days,
        "source": urlsplit(settings.api_base_url).hostname or "",
    }
    try:
        with Partial(f"{target}.partial", header) as partial:
            recorder = _Recorder(settings, partial, progress)
            recorder.fetch(also)
            counts = _write(target, partial)
            partial.remove()
    except OSError as error:
        raise UpdaterError(
            f"{target}: the recording cannot be written: {error.strerror or error}"
        ) from None
    logger.info(
        "Recorded %d meetings and %d committees in %s",
        counts["meetings"],
        counts["committees"],
        target,
    )
    return {
        **counts,
        "requests": recorder.requests,
        "resumed": recorder.resumed,
        "problems": partial.problems,
        "seconds": round(time.monotonic() - started, 3),
        "path": target,
    }


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The header of a recording. What follows it is checked when it is served."""
    target = os.fspath(path)
    try:
        with gzip.open(target, "rb") as file:
            header = json.loads(file.readline(65_536))
    except FileNotFoundError:
        raise UpdaterError(f"{target}: is not there") from None
    except (gzip.BadGzipFile, EOFError, ValueError, zlib.error):
        header = None
    except OSError as error:
        raise UpdaterError(f"{target}: cannot be read: {error.strerror or error}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UpdaterError(
            f"{target}: this is no recording: make one with hearing-updater record --to FILE"
        )
    if header.get("version") != VERSION:
        raise UpdaterError(
            f"{target}: recorded by a newer version (format {header.get('version')}, this one "
            f"reads {VERSION}): update hearing-updater"
        )
    return header


class _Recorder:
    """Asks for what a partial recording lacks."""

    def __init__(self, settings: Any, partial: Partial, progress: Tell | None) -> None:
        self._settings = settings
        self._partial = partial
        self._progress = progress
        self._client = ApiClient(settings).native
        self._at_once = min(CHUNK, settings.max_concurrency)
        self._secrets = secrets_of(settings)
        self._total = 0
        #: Answers that an earlier call had.
        self.resumed = partial.answers

    @property
    def requests(self) -> int:
        return self._client.requests

    def fetch(self, also: Iterable[Mapping[str, Any]]) -> None:
        try:
            self._list()
            self._put_unlisted(also)
            wanted = [endpoints for endpoints, _row in self._partial.rows()]
            self._check_limit(sum(not self._partial.has(one[0]) for one in wanted))
            self._answers(wanted)
            for _ in range(DEPTH):
                codes = sorted(self._partial.codes)
                self._answers([self._client.committee_endpoints(code) for code in codes])
        except ApiError as error:
            raise type(error)(f"{error}{self._kept()}", error.status) from None
        except KeyboardInterrupt:
            logger.warning("Interrupted%s", self._kept())
            raise

    def _kept(self) -> str:
        """What to do, where there is something to go on from."""
        if not self._partial.answers:
            return ""
        return (
            f" ({self._partial.answers} answers are kept in {self._partial.path}: "
            "record again, with the same options, to go on)"
        )

    def _tell(self, message: str) -> None:
        if self._progress is None:
            return
        done = self._partial.answers
        self._progress(
            {
                "phase": "fetching",
                "message": message,
                "percent": 5.0 + 95.0 * done / self._total if self._total else 0.0,
                "done": done,
                "total": self._total,
            }
        )

    def _list(self) -> None:
        if self._partial.listed:
            logger.info("Going on with %s: %d answers are there", self._partial.path, self.resumed)
            return
        self._tell("Listing meetings")
        header = self._partial.header
        ended = datetime.strptime(header["recorded_at"], "%Y-%m-%dT%H:%M:%SZ")
        since = ended - timedelta(days=header["lookback_days"])
        rows, problems = self._client.list_meetings(header["congress"], _written(since))
        self._partial.put_list(
            [(endpoints, self._masked(row)) for _event, endpoints, row in rows], problems
        )

    def _put_unlisted(self, also: Iterable[Mapping[str, Any]]) -> None:
        congress = self._partial.header["congress"]
        for event in also:
            if event.get("congress") in (None, congress):
                self._partial.put_unlisted(
                    self._client.meeting_endpoints(
                        congress, event.get("chamber"), str(event["event_id"])
                    )
                )

    def _masked(self, text: str) -> str:
        """JSON without the key, should the API have repeated it."""
        if mask(text, self._secrets) == text:
            return text

        def clean(value: Any) -> Any:
            if isinstance(value, str):
                return mask(value, self._secrets)
            if isinstance(value, list):
                return [clean(item) for item in value]
            if isinstance(value, dict):
                return {name: clean(item) for name, item in value.items()}
            return value

        return json.dumps(clean(json.loads(text)), ensure_ascii=False)

    def _check_limit(self, needed: int) -> None:
        left, _over = self._client.check_rate_limit()
        logger.info("%d meetings are to be asked for, and their committees", needed)
        if needed <= left:
            return
        if self._settings.api_key == "DEMO_KEY":
            raise UpdaterError(
                f"recording needs {needed} requests and some for committees, and DEMO_KEY, which "
                f"allows about 30 an hour, has {left} left: set CONGRESS_API_KEY (free at "
                "api.congress.gov/sign-up), or record fewer days"
            )
        logger.warning(
            "Only %d requests are left in this hour: recording will stop there, and go on when it "
            "is called again",
            left,
        )

    def _answers(self, wanted: Sequence[list[str]]) -> None:
        """Asks for what is not there yet; what fails in a passing way, twice."""
        missing = [endpoints for endpoints in wanted if not self._partial.has(endpoints[0])]
        self._total = self._partial.answers + len(missing)
        again = self._pass(missing, PASSING)
        lost = self._pass(again, frozenset({None}))
        if lost:
            raise ApiError(f"{len(lost)} answers did not come, such as {lost[0][0]}")

    def _pass(self, wanted: list[list[str]], not_yet: frozenset[int | None]) -> list[list[str]]:
        """-> those that failed in one of these ways."""
        failed = []
        for start in range(0, len(wanted), self._at_once):
            chunk = wanted[start : start + self._at_once]
            answers, ended = self._client.get_many(chunk)
            for at, endpoint, answer, status, problem in answers:
                if answer is None and status in not_yet:
                    failed.append(chunk[at])
                    continue
                clean = None if answer is None else self._masked(answer)
                self._partial.put(chunk[at][0], endpoint, clean, status, problem)
            self._partial.flush()
            self._tell(f"Recording: {self._partial.answers} of {self._total}")
            if ended is not None:
                raise ended
        return failed


def _write(target: str, partial: Partial) -> dict[str, int]:
    """The whole file, from the partial one. -> its counts"""
    counts = partial.counts()
    written = f"{target}.writing"
    try:
        # Made anew: nothing is written through a link of that name.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(written)
        with open(written, "xb") as file:
            _write_lines(file, _lines({**partial.header, **counts}, partial))
            file.flush()
            os.fsync(file.fileno())
        os.replace(written, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(written)
        raise
    return counts


def _lines(header: Mapping[str, Any], partial: Partial) -> Iterator[Mapping[str, Any]]:
    yield header
    for endpoints, row in partial.rows():
        answer = partial.get(endpoints[0])
        yield {"path": answer.pop("path"), "row": row, **answer}
    yield from partial.committees()


def _write_lines(file: BinaryIO, lines: Iterator[Mapping[str, Any]]) -> None:
    count = crc = 0
    # Neither name nor time: the same answers make the same file.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
        for line in lines:
            text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            packed.write(text)
            count += 1
            crc = zlib.crc32(text, crc)
        end = {"end": count, "crc32": f"{crc:08x}"}
        packed.write(json.dumps(end).encode() + b"\n")


def _written(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_range(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigurationError(f"{name}: {value!r} should be a number from {low} to {high}")
