"""Sending by apprise. Imported only when there is something to send: it takes 25 MB.

Its services are used one by one, without its manager, which would load all of them and send from
threads that keep the interpreter from ending.
"""

import base64
import contextlib
import functools
import http.client
import logging
import re
import ssl
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from updaters.logs import mask, printable

__all__ = ["email", "webhook", "words_of"]

#: What they log while we send is not for the logs: it has the path in it, or the whole URL.
_TALKATIVE = (
    "apprise",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.util.retry",
)
_APP = "hearing-updater"
#: So much of an answer is read, in bytes: what is told of it, and what Slack has to say, are short.
_READ = 4096
#: What may be unpacked: others blow up further than the little that is read could tell.
_PACKED = ("", "identity", "gzip", "deflate")
_WIDEST = 200
#: Of a URL's parts, shorter ones would turn up in innocent words.
_SHORTEST = 6
_TOKEN = 16

#: Its scheme and host are to be seen, what stands around the host is not.
_URL = re.compile(r"(\w+://)(?:[^\s/@]*@)?([^\s/?#'\"]*)[^\s'\")]*")

_DISCORD_HOST = re.compile(r"(?:(?:ptb|canary)\.)?discord(?:app)?\.com")
_DISCORD_PATH = re.compile(r"/api(?:/v\d+)?/webhooks/(\d+)/([\w-]+)/?")
#: What would call people in Discord.
_MENTION = re.compile(r"@(?=everyone|here|[!&]?\d)")
#: What would show a link there as something else.
_LINK = re.compile(r"\](?=\()")


class _Hush(logging.Filter):
    """Keeps back what is logged by threads that are sending."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread not in self.threads


_HUSH = _Hush()


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_HUSH)
    thread = threading.get_ident()
    _HUSH.threads.add(thread)
    try:
        yield
    finally:
        _HUSH.threads.discard(thread)


@_hushed()
def webhook(url: str, body: Mapping[str, Any], text: str, time_limit: float) -> str:
    """Send to a webhook: Slack's or Discord's in their own shape, any other one as JSON.

    `body` is that JSON (title, message, severity, metadata, timestamp, text), `text` what people
    read in a chat. Returns why it did not go out, without a secret, or an empty text.
    """
    parts = urlsplit(url)
    plain_host = parts.port is None and "@" not in parts.netloc
    host = parts.hostname or ""
    title, options = body["title"], _options(time_limit)
    if plain_host and host in ("hooks.slack.com", "hooks.slack-gov.com"):
        from apprise.plugins.slack import NotifySlack

        service: Any = NotifySlack
        slack = service.parse_native_url(f"https://{host}{parts.path}")
        if slack:
            given = {**slack, **options, "include_image": False}
            return _send(service, given, title, text, body["severity"], _secrets_in(url))
    discord = _DISCORD_PATH.fullmatch(parts.path)
    if plain_host and discord and _DISCORD_HOST.fullmatch(host):
        from apprise.plugins.discord import NotifyDiscord

        given = {
            **options,
            "webhook_id": discord[1],
            "webhook_token": discord[2],
            "thread": parse_qs(parts.query).get("thread_id", [None])[0],
            "avatar": False,
        }
        title, text = (
            _LINK.sub("]\u200b", _MENTION.sub("@\u200b", part)) for part in (title, text)
        )
        return _send(NotifyDiscord, given, title, text, body["severity"], _secrets_in(url))
    return _json(url, body, options)


def _json(url: str, body: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """By apprise's JSON service, which is not given the URL to parse: it would take parts of the
    query for itself, and merge names that are there twice."""
    from apprise.plugins.custom_json import NotifyJSON

    parts = urlsplit(url)
    headers = {}
    if "@" in parts.netloc:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    host = parts.hostname or ""
    own = {
        "schema": "json",
        "secure": parts.scheme == "https",
        "host": f"[{host}]" if ":" in host else host,
        "port": parts.port,
        "fullpath": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        "headers": headers,
        # An empty name takes a field of apprise's own out; ours are added as they are.
        "payload": {
            **dict.fromkeys(("version", "attachments", "type"), ""),
            **{name: value for name, value in body.items() if name not in ("title", "message")},
        },
        "overflow": "upstream",
    }
    secrets = _secrets_in(url)
    return _send(
        NotifyJSON, {**options, **own}, body["title"], body["message"], body["severity"], secrets
    )


@_hushed()
def email(address: str, key: str, title: str, text: str, severity: str, time_limit: float) -> str:
    """Send by SendGrid, from the address to itself; returns as `webhook` does."""
    from apprise.plugins.sendgrid import NotifySendGrid
    from apprise.utils import parse

    is_email: Any = parse.is_email
    if not is_email(address):
        return "NOTIFICATION_EMAIL is not an e-mail address"
    given = {**_options(time_limit), "apikey": key, "from_email": address}
    return _send(NotifySendGrid, given, f"[{severity}] {title}", text, severity, [key])


def _options(time_limit: float) -> dict[str, Any]:
    """What all services are made with: plain text, no redirects, nothing kept on disk."""
    from apprise import AppriseAsset

    return {
        "asset": AppriseAsset(
            app_id=_APP,
            app_desc=_APP,
            # A redirect would take the key, or what is told, to another host.
            http_redirects=False,
            storage_mode="memory",
        ),
        "cto": time_limit,
        "rto": time_limit,
        "format": "text",
        "overflow": "truncate",
    }


def _send(
    service: Any,
    given: Mapping[str, Any],
    title: str,
    text: str,
    severity: str,
    secrets: list[str],
) -> str:
    from apprise import NotifyType
    from apprise.exception import AppriseException

    listener = _Listener()
    types = {"info": NotifyType.INFO, "warning": NotifyType.WARNING}
    try:
        # What the service logs says why it failed; it goes to the listener, and nowhere else.
        ours = type(service.__name__, (service,), {**_curt(service), "logger": listener.logger})
        sent = ours(**given).notify(
            body=text.strip() or title,
            title=title,
            notify_type=types.get(severity, NotifyType.FAILURE),
            body_format="text",
        )
        why = "" if sent else listener.why()
    except AppriseException as exc:
        why = str(exc)
    except Exception as exc:
        why = words_of(exc)
    return printable(mask(why, secrets, anywhere=True))[: 2 * _WIDEST]


class _Requests:
    """The package `requests`, whose calls read no more than the beginning of an answer."""

    def __getattr__(self, name: str) -> Any:
        import requests

        found = getattr(requests, name)
        if name in ("request", "get", "post"):
            # Called before the body is read, all of it and into memory.
            return functools.partial(found, hooks={"response": _cut})
        return found


def _cut(answer: Any, *args: Any, **kwargs: Any) -> None:
    """Read the beginning of an answer and let the connection go, however much would come."""
    packed = answer.headers.get("Content-Encoding", "").strip().lower()
    read = b""
    if packed in _PACKED:
        for part in answer.iter_content(_READ // 4):
            read += part
            if len(read) >= _READ:
                break
    answer.close()
    answer._content, answer._content_consumed = read[:_READ], True


def _curt(service: Any) -> dict[str, Callable[..., Any]]:
    """A service's methods that make requests, with `_Requests` for its package: nobody else who
    uses either in this process is touched."""
    made: dict[str, Callable[..., Any]] = {}
    for name, method in vars(service).items():
        if isinstance(method, types.FunctionType) and "requests" in method.__code__.co_names:
            known = {**method.__globals__, "requests": _Requests()}
            ours = types.FunctionType(
                method.__code__, known, name, method.__defaults__, method.__closure__
            )
            ours.__kwdefaults__ = method.__kwdefaults__
            made[name] = ours
    return made


class _Listener(logging.Handler):
    """Hears a service out, to tell why it could not send."""

    def __init__(self) -> None:
        super().__init__()
        #: Not one of the process's: what is heard here is heard nowhere else.
        self.logger = logging.Logger("updaters.sending", logging.DEBUG)
        self.logger.addHandler(self)
        self._problem = ""
        self._status = ""
        self._answer = ""
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        # The services log what went wrong while they handle it.
        problem = sys.exc_info()[1]
        if isinstance(problem, Exception):
            self._problem = words_of(problem)
        if isinstance(record.args, tuple) and record.args and isinstance(record.args[0], bytes):
            self._answer = _line(record.args[0].decode("utf-8", "replace"))
        elif record.levelno >= logging.WARNING:
            self._last = record.getMessage()
            status = re.search(r"error=(\d+)", self._last)
            self._status = status[1] if status else self._status

    def why(self) -> str:
        """What went wrong, in one line. May hold what the receiver answered."""
        if self._problem:
            return self._problem
        if not self._status:
            return self._last or "it was not accepted"
        name = http.client.responses.get(int(self._status), "")
        said = f"answered {self._status}" + (f" {name}" if name else "")
        # A page of HTML tells nobody anything.
        return f"{said}: {self._answer}" if self._answer and "<" not in self._answer else said


def words_of(problem: BaseException) -> str:
    """What is at the bottom of a failed request, without the URL that its text would hold."""
    by_proxy, name = False, ""
    while True:
        by_proxy = by_proxy or type(problem).__name__ == "ProxyError"
        # urllib3's error knows where it wanted to go, and by which proxy: without its password.
        proxy = getattr(vars(problem).get("pool"), "proxy", None)
        if proxy is not None:
            name = f" {proxy.host}" + (f":{proxy.port}" if proxy.port else "")
        deeper = problem.__cause__ or problem.__context__
        if deeper is None:
            break
        problem = deeper
    if isinstance(problem, ssl.SSLCertVerificationError):
        words = f"its certificate is not accepted: {problem.verify_message}"
    elif isinstance(problem, TimeoutError):
        words = "no answer in time"
    elif isinstance(problem, ImportError):
        words = f"{problem.name} is not installed: pip install apprise"
    else:
        text = problem.strerror if isinstance(problem, OSError) and problem.strerror else ""
        words = _line(text or str(problem)) or type(problem).__name__
    words = _URL.sub(r"\1\2/...", words)
    return f"the proxy{name}: {words}" if by_proxy else words


def _line(text: str) -> str:
    return " ".join(text.split())[:_WIDEST]


def _secrets_in(url: str) -> list[str]:
    """What of a URL must not be seen: all but the host. Longest first."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    long = [parts.password or "", path, f"{path}?{parts.query}", parts.query]
    long += [value for values in parse_qs(parts.query).values() for value in values]
    found = {part for part in long if len(part) >= _SHORTEST}
    found |= {part for part in path.split("/") if len(part) >= _TOKEN}
    found |= {unquote(part) for part in found} | {url}
    return sorted(found, key=len, reverse=True)
