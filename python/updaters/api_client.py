"""`updater.api_client`: the Congress.gov API (contract §1, `api_client`)."""

import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from updaters import _native
from updaters.logs import Hidden

__all__ = ["ApiClient", "CircuitBreaker"]

#: What a page of a list holds at most (the API's own limit).
PAGE = 250
#: Lists end, also where an answer claims otherwise.
MAX_PAGES = 1000


class CircuitBreaker:
    """The client's circuit breaker, for reading and for a reset by hand."""

    def __init__(self, client: "ApiClient") -> None:
        self._client = client

    @property
    def state(self) -> str:
        """'closed', 'open' or 'half_open'."""
        return str(self.get_stats()["state"])

    @property
    def is_open(self) -> bool:
        """Whether requests are refused at the moment."""
        return self.state == "open"

    def get_stats(self) -> dict[str, Any]:
        """The statistics of the contract."""
        return self._client.get_circuit_breaker_stats() or {}

    def reset(self) -> None:
        """Close it."""
        self._client.native.reset_breaker()


class ApiClient:
    """A client with retries, an hourly limit and a circuit breaker; sync, with async twins.

    `settings` may be a function: it is asked when a request is made, so that settings can change
    after construction. The key travels in a header only. Failures are `updaters.errors.ApiError`.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._native: _native.Client | None = None
        self._built_from: tuple[int, dict[str, Any]] | None = None

    def _config(self) -> dict[str, Any]:
        settings = self._settings
        if callable(settings):
            settings = settings()
        enabled = settings.circuit_breaker_enabled
        return {
            "base_url": settings.api_base_url,
            # A traceback may show it, with the variables of a frame.
            "api_key": Hidden(settings.api_key),
            "rate_limit": settings.rate_limit,
            "connect_timeout": float(settings.connect_timeout),
            "read_timeout": float(settings.read_timeout),
            "request_timeout": float(settings.request_timeout),
            "retry_attempts": settings.retry_attempts,
            "backoff_factor": float(settings.retry_backoff_factor),
            "breaker_threshold": settings.circuit_breaker_threshold if enabled else None,
            "breaker_timeout": float(settings.circuit_breaker_timeout),
            "max_concurrency": settings.max_concurrency,
            "allow_http": bool(getattr(settings, "api_allow_http", False)),
        }

    @property
    def native(self) -> _native.Client:
        """The native client, made anew where the settings changed, and in a forked child.

        (What the parent's threads were at when it forked, nobody would end in the child.)
        """
        wanted = (os.getpid(), self._config())
        if self._native is None or wanted != self._built_from:
            self._native = _native.Client(wanted[1])
            self._built_from = wanted
        return self._native

    def native_for_fetching(self) -> "_native.Client | None":
        """The native client, unless `get` was replaced: then a run fetches through that."""
        replaced = "get" in self.__dict__ or type(self).get is not ApiClient.get
        return None if replaced else self.native

    def get(self, endpoint: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """`GET {base}/{endpoint}`, as a dict; `endpoint` is such as 'committee-meeting/119'."""
        answer: dict[str, Any] = self.native.get(endpoint, dict(params or {}))
        return answer

    async def get_async(
        self, endpoint: str, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The same, awaitable. Cancelling the awaiting task drops the request."""
        answer: dict[str, Any] = await self.native.get_async(endpoint, dict(params or {}))
        return answer

    def paginate(
        self, endpoint: str, params: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        query = dict(params or {})
        limit = int(query.setdefault("limit", PAGE))
        offset = int(query.get("offset", 0))
        for _ in range(MAX_PAGES):
            page = self.get(endpoint, {**query, "offset": offset})
            items = next(
                (
                    value
                    for key, value in page.items()
                    if key not in {"pagination", "request"} and isinstance(value, list)
                ),
                [],
            )
            yield from items
            if not items or not (page.get("pagination") or {}).get("next"):
                return
            offset += limit

    def get_hearing_details(
        self, congress: int, chamber: str, event_id: str | int
    ) -> dict[str, Any]:
        """One committee meeting: `{'committeeMeeting': {...}, 'request': {...}}`."""
        segment = quote(str(event_id), safe="")
        return self.get(f"committee-meeting/{congress}/{str(chamber).lower()}/{segment}")

    def check_rate_limit(self) -> tuple[int, float]:
        """(requests left in this hour, Unix time at which it is over)."""
        return self.native.check_rate_limit()

    def get_retry_stats(self) -> dict[str, Any]:
        """`total_retries`, `last_retry_time` (Unix time or None)."""
        return self.native.retry_stats()

    @property
    def circuit_breaker(self) -> CircuitBreaker | None:
        """The circuit breaker; None when disabled."""
        return CircuitBreaker(self) if self._config()["breaker_threshold"] else None

    def get_circuit_breaker_stats(self) -> dict[str, Any] | None:
        """The breaker in numbers; None when disabled."""
        return self.native.breaker_stats()

    def __repr__(self) -> str:
        return f"<ApiClient {self._config()['base_url']}>"
