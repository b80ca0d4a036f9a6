"""Telling somebody about a run: in the log, to a webhook, or by e-mail. Never raises."""

import contextlib
import importlib
import json
import logging
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from updaters.logs import mask, secrets_of
from updaters.values import plain

__all__ = ["Notifier", "get_notifier"]

logger = logging.getLogger("updaters.notifier")

#: No notification holds a run up for longer, in seconds.
TIME_LIMIT = 10.0
SENDGRID_URL = "https://api.sendgrid.com/v3/mail/send"
_LEVELS = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


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
        try:
            if not self.settings.notification_enabled:
                return False
            return self._send(str(title), str(message), str(severity).lower(), metadata)
        except Exception as exc:
            logger.warning("A notification could not be sent: %s", self._clean(str(exc)))
            return False

    def notify_update_failure(self, error: object, metrics: Any = None) -> bool:
        """The run failed; `metrics` is its `UpdateMetrics` or their dict."""
        return self.send("Daily update failed", f"The update failed: {error}", "error", metrics)

    def notify_high_error_rate(self, error_count: int, total_count: int) -> bool:
        """The run ended, but many of its records had errors."""
        share = 100 * error_count / total_count if total_count else 0.0
        return self.send(
            "Many errors in the daily update",
            f"{error_count} errors with {total_count} hearings checked ({share:.1f}%)",
            "warning",
            {"error_count": error_count, "total_count": total_count, "percent": round(share, 1)},
        )

    def notify_circuit_breaker_open(
        self, circuit_name: str, stats: Mapping[str, Any] | None = None
    ) -> bool:
        """The API failed so often that no more requests are sent for a while."""
        return self.send(
            f"Circuit breaker open: {circuit_name}",
            f"{circuit_name} failed several times in a row; requests are held back for now",
            "critical",
            stats,
        )

    def notify_rate_limit_exhausted(self, remaining: int, reset_time: Any = None) -> bool:
        """The hourly limit is used up; `reset_time` is a Unix time or a datetime."""
        reset = reset_time
        if isinstance(reset, int | float):
            with contextlib.suppress(OverflowError, OSError, ValueError):
                reset = datetime.fromtimestamp(reset).isoformat(timespec="seconds")
        until = f"; more are allowed from {plain(reset)} on" if reset else ""
        return self.send(
            "Request limit of the API used up",
            f"{remaining} requests remain{until}",
            "warning",
            {"remaining": remaining, "reset_time": reset},
        )

    def _send(self, title: str, message: str, severity: str, metadata: Any) -> bool:
        title, message = self._clean(title), self._clean(message)
        details = json.loads(self._clean(json.dumps(plain(metadata)))) if metadata else {}
        kind = self.settings.notification_type
        if kind == "webhook" and self.settings.notification_webhook_url:
            body = {
                "title": title,
                "message": message,
                "severity": severity,
                "metadata": details,
                "timestamp": datetime.now().astimezone().isoformat(timespec="seconds"),
                "text": f"{title}: {message}",
            }
            return self._post(self.settings.notification_webhook_url, body, {})
        if kind == "email" and self.settings.notification_email and self.settings.sendgrid_api_key:
            address = {"email": self.settings.notification_email}
            text = f"{message}\n\n{json.dumps(details, indent=2)}" if details else message
            body = {
                "personalizations": [{"to": [address]}],
                "from": address,
                "subject": f"[{severity}] {title}",
                "content": [{"type": "text/plain", "value": text}],
            }
            key = self.settings.sendgrid_api_key
            return self._post(SENDGRID_URL, body, {"Authorization": f"Bearer {key}"})
        if kind in ("webhook", "email"):
            wanted = {
                "webhook": "NOTIFICATION_WEBHOOK_URL",
                "email": "NOTIFICATION_EMAIL and SENDGRID_API_KEY",
            }
            logger.warning("NOTIFICATION_TYPE=%s needs %s; logged instead", kind, wanted[kind])
        note = f" {json.dumps(details)}" if details else ""
        logger.log(_LEVELS.get(severity, logging.ERROR), "%s: %s%s", title, message, note)
        return True

    def _post(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError("the webhook's URL must start with http:// or https://")
        # Not before there is something to send: TLS and all that take 5 MB.
        from updaters.post import post_json

        outcome: list[str] = []
        # A thread, as neither looking a name up nor a receiver that dribbles has a limit.
        thread = threading.Thread(
            target=lambda: outcome.append(post_json(url, body, headers, TIME_LIMIT)),
            name="notifier",
            daemon=True,
        )
        thread.start()
        thread.join(TIME_LIMIT)
        trouble = outcome[0] if outcome else f"no answer within {TIME_LIMIT:.0f} seconds"
        if trouble:
            # The host alone: the path of a webhook is its password.
            logger.warning(
                "A notification to %s could not be sent: %s", parts.hostname, self._clean(trouble)
            )
        return not trouble

    def _clean(self, text: str) -> str:
        return mask(text, secrets_of(self.settings))


def get_notifier(settings: Any) -> Any:
    """The checkout's own notifier (`notifications.get_notifier`) where it has one, else ours.

    `settings` may be a function, as for `Notifier`; theirs is given what it answers now.
    """
    for name in ("notifications", "notifications.notifier"):
        try:
            with contextlib.redirect_stdout(sys.stderr):
                make = getattr(importlib.import_module(name), "get_notifier", None)
                if callable(make):
                    theirs = _made(make, settings() if callable(settings) else settings)
                    if callable(getattr(theirs, "send", None)):
                        return theirs
        except ModuleNotFoundError as exc:
            if exc.name not in ("notifications", name):
                logger.warning("%s cannot be used: %s is not installed", name, exc.name)
        except Exception as exc:
            logger.warning("%s cannot be used: %s", name, exc)
    return Notifier(settings)


def _made(make: Any, settings: Any) -> Any:
    import inspect

    wanted = [
        parameter
        for parameter in inspect.signature(make).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return make(settings) if wanted else make()
