"""A Congress.gov look-alike on this machine, with faults to order.

    >>> from updaters.sandbox import Sandbox
    >>> with Sandbox(meetings=50, faults={"500": 0.05}) as sandbox:
    ...     print(sandbox.url)              # give this to the updater as API_BASE_URL
    ...     sandbox.change(10)              # ten meetings change between two runs
    ...     sandbox.fail_next("reset", times=2)

It serves a generated Congress (the same for the same seed) or, with `db`, the rows of a hearings
database or, with `recording`, answers that `updaters.recording` recorded. Any key is let in but
`INVALID_KEY`, unless `api_key` names the only one that is.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from types import FrameType, TracebackType
from typing import Any

from updaters._native import Sandbox as _Sandbox
from updaters._native import parse_faults as _parse_faults

__all__ = ["FAULTS", "Request", "Sandbox", "serve"]

#: What can be ordered, by share or with `fail_next`.
FAULTS: Mapping[str, str] = {
    "500": "an internal error",
    "502": "a bad gateway",
    "503": "the service is unavailable",
    "504": "the gateway timed out",
    "429": "over the rate limit, now and then with Retry-After",
    "slow": "the answer comes after `slow_ms`",
    "reset": "the connection is reset without an answer",
    "truncated": "half the body, then the connection ends",
    "html": "a maintenance page with status 200",
    "redirect": "a redirect to another host name (localhost, the same port)",
    "oversize": "a body of 20 MB",
    "drip": "the body in pieces of 64 bytes, ten a second",
    "bad-row": "a share of list rows: a page with one of them answers 500",
    "poison": "a share of events: their detail answers 500, always",
    "404": "a share of events: listed, but their detail is not found",
    "filter": "a list with fromDateTime answers 500",
    "gzip-bomb": "a gzip body of 2 MB that unpacks to 2 GB",
    "deep": "lists in lists, 20,000 deep",
    "bad-utf8": "the answer with two bytes in it that are no UTF-8",
    "content-type": "the right answer under a wrong Content-Type, or without one",
    "duplicates": "each row of a list twice; keys of a detail twice (the last ones are right)",
    "nul": "NUL characters in titles and names",
    "huge-title": "a detail whose title has 10 MB",
    "wrong-types": "numbers and lists where text belongs; the event ids stay",
    "redirect-loop": "a redirect to the very same address",
    "foreign-next": "a list whose link to the next page names another host",
    "odd-headers": "Date, Retry-After and X-RateLimit make no sense; every other answer is a 503",
}


@dataclass(frozen=True)
class Request:
    """A request that the sandbox served."""

    #: Counts from 1, in the order of arrival.
    number: int
    method: str
    #: With the query, without the key.
    path: str
    #: The host that the client named.
    host: str
    #: 0 where no answer was sent: the connection was cut, or the client left.
    status: int
    #: The fault it met, by name.
    fault: str | None
    #: "header", "query", or None where no key came.
    key_in: str | None


class Sandbox:
    """A running sandbox; it stops at the end of its `with` block, or when it is dropped."""

    def __init__(
        self,
        meetings: int = 200,
        seed: int = 1,
        db: str | os.PathLike[str] | None = None,
        congress: int = 119,
        latency_ms: float = 0,
        faults: Mapping[str, float] | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
        rate_limit: int = 5000,
        api_key: str | None = None,
        spread_days: int = 30,
        now: datetime | str | None = None,
        *,
        slow_ms: float = 2000,
        recording: str | os.PathLike[str] | None = None,
    ) -> None:
        """Starts serving at once.

        `meetings`, `seed`, `spread_days`: how many to generate, and over how many days up to `now`
        (the clock, unless given) their update dates lie. `db`: serve this database instead.
        `recording`: or this recording, with its own Congress. Its time stands still: a run that
        looks back so many days is shown as many days before the recording, whenever it runs.
        (But where the list fails with its filter, an updater filters by its own clock.)
        `rate_limit`: requests an hour. `port` 0 picks a free one.
        """
        if isinstance(now, datetime):
            moment = now if now.tzinfo else now.replace(tzinfo=timezone.utc)
            now = moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._latency_ms = float(latency_ms)
        self._slow_ms = float(slow_ms)
        self._rate_limit = rate_limit
        self._native = _Sandbox(
            meetings=meetings,
            seed=seed,
            db=None if db is None else os.fspath(db),
            recording=None if recording is None else os.fspath(recording),
            congress=congress,
            latency_ms=self._latency_ms,
            slow_ms=self._slow_ms,
            faults=_pairs(faults),
            port=port,
            host=host,
            rate_limit=rate_limit,
            api_key=api_key,
            spread_days=spread_days,
            now=now,
        )

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Sandbox {self.url}>"

    def stop(self) -> None:
        """Stops serving; harmless when stopped already. Content and log can still be read."""
        self._native.stop()

    @property
    def url(self) -> str:
        """The base address, with `/v3`: what `API_BASE_URL` should be."""
        return self._native.url

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._native.port

    # What was asked.

    @property
    def requests(self) -> list[Request]:
        """The requests served, in the order they were answered; the last 100,000 of them."""
        return [Request(*served) for served in self._native.requests()]

    @property
    def request_count(self) -> int:
        """How many requests came since the start, or since `clear_requests`."""
        return self._native.request_count

    @property
    def max_in_flight(self) -> int:
        """The most requests that were in flight at once."""
        return self._native.max_in_flight

    def clear_requests(self) -> None:
        """Forgets the requests, their count and `max_in_flight`."""
        self._native.clear_requests()

    # The content.

    def event_ids(self) -> list[str]:
        """The event ids of all meetings, sorted."""
        return self._native.event_ids()

    def meeting(self, event_id: str | int) -> dict[str, Any]:
        """A meeting as its detail shows it, to look at, or to alter and put back."""
        text = self._native.meeting(str(event_id))
        if text is None:
            raise ValueError(f"no meeting with event id {event_id} in the sandbox")
        meeting: dict[str, Any] = json.loads(text)
        return meeting

    def set_meeting(self, meeting: Mapping[str, Any]) -> str:
        """Puts a meeting in, verbatim, replacing the one with its event id, which is returned.

        The `updateDate` is taken as it stands: `touch` moves it.
        """
        return self._native.set_meeting(json.dumps(meeting))

    def remove(self, event_id: str | int) -> bool:
        """Takes a meeting out; False where there is none."""
        return self._native.remove(str(event_id))

    def touch(self, event_id: str | int) -> None:
        """Moves only the `updateDate` of a meeting."""
        self._native.touch(str(event_id))

    def change(
        self, k: int, seed: int = 1, days_ago: tuple[float, float] | None = None
    ) -> list[str]:
        """Changes k meetings, chosen by the seed, and returns their event ids.

        Each changes in a way that the updater stores: date, status, title, one witness more, one
        document more. They are updated now, or at moments spread evenly over `days_ago`, such as
        (0, 7) for the last week; in any case later than they were.
        """
        return self._native.change(k, seed, days_ago)

    def add(self, k: int, days_ago: tuple[float, float] | None = None) -> list[str]:
        """Adds k new meetings, updated now or as `change` has it. Returns their event ids."""
        return self._native.add(k, days_ago)

    # Faults.

    @property
    def faults(self) -> dict[str, float]:
        """The faults by share (a copy: assign it to change them)."""
        return dict(self._native.faults())

    @faults.setter
    def faults(self, faults: Mapping[str, float] | None) -> None:
        self._native.set_faults(_pairs(faults))

    def fail_next(
        self,
        kind: str,
        times: int = 1,
        path: str | None = None,
        retry_after: int | None = None,
        *,
        event_id: str | int | None = None,
    ) -> int:
        """Orders a fault for the next requests that it fits, and whose path holds `path`, or that
        ask for the details of `event_id`. -> the order's number, for `forget_order`.

        `poison`, `404` and `huge-title` wait for details, `bad-row`, `filter` and `foreign-next`
        for lists, `duplicates`, `nul` and `wrong-types` for either. `retry_after` is sent as the
        Retry-After header, in seconds.
        """
        event = None if event_id is None else str(event_id)
        return self._native.fail_next(kind, times, path, retry_after, event)

    def forget_order(self, order: int) -> int:
        """Forgets one order of `fail_next`; -> how many requests met it."""
        return self._native.forget_order(order) or 0

    def order_met(self, order: int) -> int:
        """How many requests met an order of `fail_next` so far."""
        return self._native.order_met(order) or 0

    def fault_count(self, kind: str) -> int:
        """How many requests met this fault since the start, whether ordered or by share."""
        return self._native.fault_count(kind)

    def forget_orders(self) -> None:
        """Forgets what `fail_next` ordered and no request has met yet."""
        self._native.forget_orders()

    @property
    def latency_ms(self) -> float:
        """How long each answer waits, in milliseconds; settable."""
        return self._latency_ms

    @latency_ms.setter
    def latency_ms(self, value: float) -> None:
        self._native.set_latency_ms(value)
        self._latency_ms = float(value)

    @property
    def slow_ms(self) -> float:
        """How long the fault `slow` takes, in milliseconds; settable."""
        return self._slow_ms

    @slow_ms.setter
    def slow_ms(self, value: float) -> None:
        self._native.set_slow_ms(value)
        self._slow_ms = float(value)

    @property
    def rate_limit(self) -> int:
        """Requests an hour; setting it starts a new hour."""
        return self._rate_limit

    @rate_limit.setter
    def rate_limit(self, value: int) -> None:
        self._native.set_rate_limit(value)
        self._rate_limit = value


def _pairs(faults: Mapping[str, float] | None) -> list[tuple[str, float]]:
    """Shares as the native side takes them. Numbers (500) are as good as names ("500")."""
    return [(str(kind), float(share)) for kind, share in (faults or {}).items()]


def serve(
    port: int = 0,
    host: str = "127.0.0.1",
    db: str | os.PathLike[str] | None = None,
    meetings: int = 200,
    seed: int = 1,
    latency_ms: float = 0,
    faults: Sequence[str] = (),
    congress: int = 119,
    recording: str | os.PathLike[str] | None = None,
) -> int:
    """The command `hearing-updater sandbox`: serves until Ctrl-C or SIGTERM. Returns the exit code.

    `faults` are pieces such as "500=0.05".
    """
    try:
        sandbox = Sandbox(
            meetings=meetings,
            seed=seed,
            db=db,
            congress=congress,
            latency_ms=latency_ms,
            faults=dict(_parse_faults(list(faults))),
            port=port,
            host=host,
            recording=recording,
        )
    except ValueError as error:
        print(f"hearing-updater sandbox: {error}", file=sys.stderr)
        return 2

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, _end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with sandbox, contextlib.suppress(_Ended):
            count = len(sandbox.event_ids())
            print(
                f"Sandbox: {count} meetings at {sandbox.url} "
                f"(run the updater with API_BASE_URL={sandbox.url}; Ctrl-C ends)",
                flush=True,
            )
            threading.Event().wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


class _Ended(BaseException):
    """A signal asked the server to end."""


def _end(_number: int, _frame: FrameType | None) -> None:
    # Raised, as a lock that the interrupted code holds could not be taken here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise _Ended
