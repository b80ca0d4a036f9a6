"""What the program works with: settings, database, API, clock, disk, lock, logs."""

import copy
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from updaters import _native, health
from updaters.doctor.model import CRITICAL, OK, WARNING, Check
from updaters.errors import ApiError, ApiKeyError, RateLimitError, UpdaterError
from updaters.logs import MASK, mask, printable, secrets_of

#: A clock that is off by more is a warning; by a day, meetings are missed or asked for in vain.
_CLOCK_SECONDS, _CLOCK_DAY = 120, 86_400
#: Names of settings that are never shown.
_SECRET = (
    "api_key",
    "sendgrid_api_key",
    "notification_webhook_url",
    "postgres_url",
    "database_url",
)
#: What to do about the findings of a health check.
_ADVICE = {
    "integrity": "hearing-updater restore",
    "foreign_keys": "python3 -m scripts.verify_updates, then the same with --fix",
    "rows": "python3 -m scripts.verify_updates --verbose",
    "hearings": "hearing-updater restore, if there were more once",
    "last_run": "look into logs/, then run hearing-updater update",
    "batches": "look into logs/ for lines with 'failed'",
    "deferred": "hearing-updater deferred",
    "database": "hearing-updater init, or set DATABASE_PATH, or see its permissions",
    "updater": "remove nothing: the next run takes a stale lock over",
    "log": "look into today's log in logs/",
    "disk": "make room: a run needs about twice the database for its backup",
}


def settings_table(settings: Any) -> tuple[dict[str, Any], ...]:
    """`{name, value, source}` for each setting; secrets are masked."""
    from updaters.settings import own_module, setting_sources

    sources = setting_sources(settings)
    secrets = secrets_of(settings)
    rows = []
    for name in own_module().Settings.model_fields:
        value = getattr(settings, name)
        if name in _SECRET and value and value != "DEMO_KEY":
            value = MASK
        elif isinstance(value, str):
            value = mask(value, secrets)
        rows.append({"name": name, "value": value, "source": sources[name]})
    return tuple(rows)


def key(settings: Any) -> Check:
    """The key, without showing it."""
    if settings.api_key == "DEMO_KEY":
        text = "no key of your own: the public DEMO_KEY allows about 30 requests an hour"
        advice = "get one at api.congress.gov/sign-up, and set CONGRESS_API_KEY"
        return Check("key", WARNING, text, advice, {"own": False})
    text = f"a key of {len(settings.api_key)} characters"
    return Check("key", OK, text, values={"own": True})


def database(settings: Any, log_folder: Path) -> Iterator[Check]:
    """What a health check finds, and how old the database's shape is."""
    path = settings.database_path
    if not os.path.exists(path):
        text = f"{path} is not there"
        advice = (
            "hearing-updater init, then hearing-updater update --mode full; or set DATABASE_PATH"
        )
        yield Check("database", CRITICAL, printable(text), advice, {"problem": "missing"})
        return
    found = health.check(path, log_folder=log_folder, settings=settings)
    for finding in found.findings:
        advice = "" if finding.status == OK else _ADVICE.get(finding.name, "")
        if finding.name in ("hearings", "last_run") and not found.get("hearings", "hearings"):
            advice = "hearing-updater update --mode full"
        name = finding.name.replace("_", " ")
        yield Check(name, finding.status, printable(finding.message), advice, finding.values)
    if found.get("database", "problem") is None:
        yield _shape(path)


def _shape(path: str) -> Check:
    native = _native.Database(path, read_only=True, wait_seconds=5.0)
    try:
        missing = _native.to_be_added(native)
    except UpdaterError as error:
        advice = "give --db FILE, or make a new one: hearing-updater init --db FILE"
        return Check("shape", CRITICAL, printable(str(error)), advice)
    finally:
        native.close()
    values = {"to_be_added": missing}
    if not missing:
        return Check("shape", OK, "as this version has it", values=values)
    text = f"older: the first run that writes adds {len(missing)} tables, columns and indexes"
    return Check("shape", OK, text, values=values)


def api(settings: Any) -> Iterator[Check]:
    """One request: whether the API is there and takes the key, what is left, its clock."""
    from updaters.api_client import ApiClient

    quick = copy.copy(settings)
    quick.retry_attempts = 1
    quick.circuit_breaker_enabled = False
    client = ApiClient(quick)
    address = mask(settings.api_base_url, secrets_of(settings))
    began = time.monotonic()
    try:
        client.get(f"committee-meeting/{settings.target_congress}", {"limit": 1})
    except ApiKeyError as error:
        advice = "set CONGRESS_API_KEY to a valid key (free at api.congress.gov/sign-up)"
        yield Check("api", CRITICAL, str(error), advice, {"reachable": True})
    except RateLimitError as error:
        advice = "wait for the next hour, or use a key of your own"
        yield Check("api", WARNING, str(error), advice, {"reachable": True})
    except ApiError as error:
        text = f"{address}: {printable(str(error))}"
        advice = "see API_BASE_URL, the network and its proxy; the API may be down: try again later"
        yield Check("api", CRITICAL, text, advice, {"reachable": False})
        return
    else:
        took = time.monotonic() - began
        left, _ = client.check_rate_limit()
        values = {"reachable": True, "milliseconds": round(took * 1000), "requests_left": left}
        text = f"{address} answers in {took * 1000:.0f} ms; {left:,} requests are left this hour"
        low = left < 50
        advice = "wait for the next hour before a large run" if low else ""
        yield Check("api", WARNING if low else OK, text, advice, values)
    ahead = client.native.server_ahead
    if ahead is not None:
        yield clock(ahead)


def clock(ahead: int) -> Check:
    """Our clock beside the API's, which is so many seconds ahead."""
    values = {"server_ahead_seconds": ahead}
    if abs(ahead) <= _CLOCK_SECONDS:
        return Check("clock", OK, "agrees with the API's", values=values)
    way = "behind" if ahead > 0 else "ahead of"
    text = f"{abs(ahead):,} seconds {way} the API's"
    advice = "set it (timedatectl set-ntp true): what a run looks back over goes by it"
    return Check("clock", CRITICAL if abs(ahead) >= _CLOCK_DAY else WARNING, text, advice, values)


def logs(folder: Path) -> Check:
    """Whether the log can be written."""
    place = folder if folder.exists() else folder.absolute().parent
    values = {"folder": str(folder.absolute()), "exists": folder.exists()}
    if (folder.exists() and not folder.is_dir()) or not os.access(place, os.W_OK | os.X_OK):
        text = f"{folder.absolute()}: no log can be written there"
        advice = "see the permissions of that folder; until then the log goes to stderr only"
        return Check("logs", WARNING, printable(text), advice, values)
    text = str(folder.absolute()) + ("" if folder.exists() else ", made by the first run")
    return Check("logs", OK, printable(text), values=values)
