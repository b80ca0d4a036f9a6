"""Telling somebody about a run: in the log, to a webhook, or by e-mail. Never raises."""

import contextlib
import contextvars
import functools
import importlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from updaters import notices
from updaters.limited import call_within
from updaters.logs import mask, printable, secrets_of
from updaters.notices import Notice, combined
from updaters.values import plain, shortened

__all__ = ["Delivery", "Notifier", "get_notifier"]

logger = logging.getLogger("updaters.notifier")

#: No notification holds a run up for longer, in seconds.
TIME_LIMIT = 10.0
_LEVELS = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
#: A notifier, and what is to go out together by it.
_HELD: contextvars.ContextVar["tuple[Notifier, list[Notice]] | None"] = contextvars.ContextVar(
    "held_notices", default=None
)


class Delivery(NamedTuple):
    """What became of a notification."""

    sent: bool
    #: Where it went, or should have gone: "the log", a host, an e-mail address.
    where: str
    #: Why it did not go there, in one line without a secret; empty where it did.
    why: str = ""


class Notifier:
    """Sends by `NOTIFICATION_TYPE`; does nothing while `NOTIFICATION_ENABLED` is false.

    `settings` may be a function: it is asked at each use, so that settings can change.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    @property
    def settings(self) -> Any:
        """The settings as they are now."""
        return self._settings() if callable(self._settings) else self._settings

    def send(
        self,
        title: str,
        message: str,
        severity: str = "error",
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """Send one notification; `severity` is info, warning, error or critical.

        Returns whether it went out. Takes ten seconds at most, whatever the receiver does.
        """
        return self._tell(
            Notice("message", str(title), str(message), str(severity).lower(), metadata)
        )

    def notify_update_failure(self, error: object, metrics: Any = None) -> bool:
        """The run failed; `metrics` is its `UpdateMetrics` or their dict."""
        return self._tell(notices.update_failure(error, metrics))

    def notify_high_error_rate(self, error_count: int, total_count: int) -> bool:
        """The run ended, but many of its records had errors."""
        return self._tell(notices.high_error_rate(error_count, total_count))

    def notify_circuit_breaker_open(
        self, circuit_name: str, stats: Mapping[str, Any] | None = None
    ) -> bool:
        """The API failed so often that no more requests are sent for a while."""
        return self._tell(notices.circuit_breaker_open(circuit_name, stats))

    def notify_rate_limit_exhausted(self, remaining: int, reset_time: Any = None) -> bool:
        """The hourly limit is used up; `reset_time` is a Unix time or a datetime."""
        return self._tell(notices.rate_limit_exhausted(remaining, reset_time))

    def notify_validation_failure(self, issues: Sequence[object], metrics: Any = None) -> bool:
        """The checks after the run found that it broke something."""
        return self._tell(notices.validation_failure(issues, metrics))

    def notify_invalid_batches(
        self, batch_errors: Sequence[Mapping[str, Any]], batch_count: int
    ) -> bool:
        """Batches that did not pass validation: their part of `metrics.batch_errors`."""
        return self._tell(notices.invalid_batches(batch_errors, batch_count))

    def notify_anomalies(self, anomalies: Sequence[Any]) -> bool:
        """Figures far from those of earlier runs: `metrics.historical_anomalies`."""
        return self._tell(notices.anomalies(anomalies))

    def notify_rollback(
        self,
        what: str,
        reason: object,
        undone: bool = True,
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """`what` ("This run", "Batch 4") was undone; or could not be, which is critical."""
        return self._tell(notices.rollback(what, reason, undone, metadata))

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """All that this thread sends by it meanwhile goes out at the end, as one notification."""
        held: list[Notice] = []
        mark = _HELD.set((self, held))
        try:
            yield
        finally:
            _HELD.reset(mark)
        if held:
            self._tell(combined(held))

    def deliver(self, notice: Notice) -> Delivery:
        """Send at once, whether or not notifications are enabled, and say what became of it."""
        title, message = printable(self._clean(notice.title)), self._clean(notice.message)
        details = shortened(self._cleaned(plain(notice.metadata))) if notice.metadata else {}
        kind = self.settings.notification_type
        trouble = self.unusable()
        if kind not in ("webhook", "email") or trouble:
            if trouble:
                logger.warning("%s; logged instead", trouble)
            note = f" {json.dumps(details)}" if details else ""
            text = "; ".join(line for line in message.splitlines() if line)
            level = _LEVELS.get(notice.severity, logging.ERROR)
            logger.log(level, "%s: %s%s", title, text, note)
            return Delivery(True, "the log", trouble)
        if kind == "webhook":
            url = self.settings.notification_webhook_url
            # The host alone: the path of a webhook is its password.
            where = urlsplit(url).hostname or ""
            body = {
                "title": title,
                "message": message,
                "severity": notice.severity,
                "metadata": details,
                "timestamp": datetime.now().astimezone().isoformat(timespec="seconds"),
                "text": f"{title}: {message}",
            }
            chat = "\n".join([message, "", *_facts(details)]).strip()
            return self._within(where, "webhook", url, body, chat)
        where, key = self.settings.notification_email, self.settings.sendgrid_api_key
        text = f"{message}\n\n{json.dumps(details, indent=2)}" if details else message
        return self._within(where, "email", where, key, title, text, notice.severity)

    def _tell(self, notice: Notice) -> bool:
        try:
            if not self.settings.notification_enabled:
                return False
            held = _HELD.get()
            if held is not None and held[0] is self:
                held[1].append(notice)
                return True
            delivery = self.deliver(notice)
            if not delivery.sent:
                logger.warning(
                    "A notification to %s could not be sent: %s", delivery.where, delivery.why
                )
            return delivery.sent
        except Exception as exc:
            logger.warning("A notification could not be sent: %s", self._clean(str(exc)))
            return False

    def _within(self, where: str, how: str, *given: Any) -> Delivery:
        """Send by the function `how` of `updaters.sending`, within the time there is."""

        def work() -> str:
            # Not before there is something to send: see there.
            from updaters import sending

            try:
                return str(getattr(sending, how)(*given, TIME_LIMIT))
            except Exception as exc:
                return sending.words_of(exc)

        try:
            # A thread, as neither looking a name up nor a receiver that dribbles has a limit.
            why = call_within(TIME_LIMIT, work, "notifier", stop=True)
        except TimeoutError as exc:
            why = str(exc)
        return Delivery(not why, where, self._clean(why))

    def unusable(self) -> str:
        """Why nothing can be sent by these settings, in one line; empty where it can."""
        settings, kind = self.settings, self.settings.notification_type
        if kind == "webhook":
            url = settings.notification_webhook_url
            if not url:
                return "NOTIFICATION_TYPE=webhook needs NOTIFICATION_WEBHOOK_URL"
            if not _is_address(url):
                return (
                    "NOTIFICATION_WEBHOOK_URL should be a URL that starts with http:// or https://"
                )
        elif kind == "email" and not (settings.notification_email and settings.sendgrid_api_key):
            return "NOTIFICATION_TYPE=email needs NOTIFICATION_EMAIL and SENDGRID_API_KEY"
        return ""

    def _clean(self, text: str) -> str:
        # What turns the direction of writing, or hides, could make something else of the rest.
        return printable(mask(text, secrets_of(self.settings)), keep="\n\t")

    def _cleaned(self, value: Any) -> Any:
        """A plain value without secrets in its texts and names."""
        if isinstance(value, dict):
            return {self._clean(name): self._cleaned(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._cleaned(item) for item in value]
        return self._clean(value) if isinstance(value, str) else value


def _is_address(url: object) -> bool:
    try:
        parts = urlsplit(str(url))
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _facts(details: Any) -> list[str]:
    """The numbers and short texts of the metadata, a line each, for people in a chat."""
    lines = []
    for name, value in details.items() if isinstance(details, dict) else ():
        if isinstance(value, dict):
            lines += _facts(value)
        elif value and not isinstance(value, list) and len(str(value)) <= 100:
            lines.append(f"{name.replace('_', ' ')}: {value}")
    return lines


def get_notifier(settings: Any) -> Any:
    """The checkout's own notifier (`notifications.get_notifier`) where it has one, else ours.

    `settings` may be a function, as for `Notifier`; theirs is given what it answers now.
    Theirs gets ten seconds to come up, as it gets for a notification.
    """
    for name in ("notifications", "notifications.notifier"):
        try:
            with contextlib.redirect_stdout(sys.stderr):
                theirs = call_within(
                    TIME_LIMIT, functools.partial(_theirs, name, settings), "notifier", stop=True
                )
            if callable(getattr(theirs, "send", None)):
                return theirs
        except ModuleNotFoundError as exc:
            if exc.name not in ("notifications", name):
                logger.warning("%s cannot be used: %s is not installed", name, exc.name)
        except TimeoutError as exc:
            logger.warning("%s cannot be used: %s", name, exc)
            # Whoever asks for a part of it would wait for the whole.
            break
        except Exception as exc:
            logger.warning("%s cannot be used: %s", name, exc)
    return Notifier(settings)


def _theirs(name: str, settings: Any) -> Any:
    make = getattr(importlib.import_module(name), "get_notifier", None)
    if not callable(make):
        return None
    return _made(make, settings() if callable(settings) else settings)


def _made(make: Any, settings: Any) -> Any:
    import inspect

    wanted = [
        parameter
        for parameter in inspect.signature(make).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return make(settings) if wanted else make()
