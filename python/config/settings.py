"""The settings: environment, then `.env` in the current folder, then the defaults here.

Names are case-insensitive, surrounding quotes are stripped, an empty value counts as unset.
`Settings()` reads them afresh; `get_settings()` and `settings` share one object.
"""

import ipaddress
import math
import os
import re
import socket
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePath
from typing import Any, Literal, NoReturn, cast
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

#: The public key of api.data.gov: anyone may use it, about 30 requests an hour.
DEMO_KEY = "DEMO_KEY"

#: Where a setting is not named like its variable, the variables that set it, best first.
VARIABLES = {
    "api_key": ("CONGRESS_API_KEY", "API_KEY"),
    "api_base_url": ("API_BASE_URL", "CONGRESS_API_BASE_URL"),
}
#: The names of settings whose value is never shown, also in a checkout's own settings.
SECRET_NAMES = re.compile(r"key|secret|token|password|webhook|postgres|database_url", re.I)
_DAYS = 36_500
#: Of a timeout, as the native client has it.
_SECONDS = 3_600


class SettingsError(ValueError):
    """A setting has a bad value; the text is one line that names the variable."""


def variables(field: str) -> tuple[str, ...]:
    """The environment variables that set `field`, best first."""
    return VARIABLES.get(field, (field.upper(),))


class _Environment(PydanticBaseSettingsSource):
    """Variables by field name, so that a variable's second name in the environment still beats
    its first name in `.env`: pydantic's own sources would let the alias order decide."""

    def __init__(self, settings_cls: type[BaseSettings], given: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        # The exact upper-case spelling wins over others of the same name.
        self.given = {name.upper(): value for name, value in sorted(given.items(), reverse=True)}

    def variable_of(self, field_name: str) -> str | None:
        """The variable that sets the field here."""
        return next((n for n in variables(field_name) if _bare(self.given.get(n))), None)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = self.variable_of(field_name)
        return (_bare(self.given[name]) if name else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[name] = value
        return found


def _bare(value: str | None) -> str:
    """Without blanks and one pair of quotes around it (`docker --env-file` keeps them)."""
    text = (value or "").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def _is_loopback(host: str) -> bool:
    if host.rstrip(".") == "localhost":
        return True
    try:
        # "127.1" is an address too, to the native client as to most programs.
        address = ipaddress.ip_address(host if ":" in host else socket.inet_aton(host))
    except (OSError, ValueError):
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _is_host(host: str) -> bool:
    """Whether the native client takes it for a host: IPv6, IPv4 or a name."""
    try:
        if ":" in host:
            ipaddress.IPv6Address(host)
        elif re.search(r"(^|\.)(\d+|0x[0-9a-f]*)\.?$", host):
            socket.inet_aton(host.rstrip("."))
    except (OSError, ValueError):
        return False
    return not re.search(r"[\x00-\x20\x7f#%/<>?@\\^|]", host)


class Settings(BaseSettings):
    """All settings. A bad value raises `SettingsError`, also when assigned later."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",
        extra="ignore",
        validate_assignment=True,
        hide_input_in_errors=True,
    )

    # The API
    api_key: str = Field(
        default=DEMO_KEY,
        repr=False,
        description="the key; never shown in a log, an error or a repr",
    )
    api_allow_http: bool = Field(
        default=False,
        description="let a key of your own go to another machine over plain `http://`",
    )
    api_base_url: str = Field(
        default="https://api.congress.gov/v3", description="another server, such as the sandbox"
    )
    rate_limit: int = Field(default=5000, ge=1, le=10_000_000, description="requests an hour")
    connect_timeout: float = Field(default=5, gt=0, le=_SECONDS, description="seconds")
    read_timeout: float = Field(default=15, gt=0, le=_SECONDS, description="seconds")
    request_timeout: float = Field(
        default=30, gt=0, le=_SECONDS, description="seconds for one request"
    )
    retry_attempts: int = Field(
        default=3, ge=0, le=20, description="tries of a request in all, the first one included"
    )
    retry_backoff_factor: float = Field(
        default=2.0, gt=0, le=60, description="each wait is so many times the last one"
    )
    circuit_breaker_enabled: bool = Field(
        default=True, description="stop asking an API that is down"
    )
    circuit_breaker_threshold: int = Field(
        default=5, ge=1, le=10_000, description="failures in a row that open it"
    )
    circuit_breaker_timeout: float = Field(
        default=60, gt=0, le=_SECONDS, description="seconds until the next try"
    )
    max_concurrency: int = Field(default=16, ge=1, le=64, description="requests in flight, 1 to 64")

    # The database
    database_path: str = Field(default="database.db", description="relative to the current folder")
    postgres_url: str | None = Field(
        default=None, repr=False, description="refused: the data is kept on a server; never shown"
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="refused where it names a PostgreSQL server; never shown",
    )

    # The run
    target_congress: int = Field(default=119, ge=1, le=200, description="1 to 200")
    batch_size: int = Field(default=50, ge=1, le=1_000_000, description="read by other tools")
    validation_mode: bool = Field(default=False, description="read by other tools")
    enable_batch_processing: bool = Field(default=False, description="apply changes in batches")
    batch_processing_size: int = Field(
        default=50, ge=1, le=1_000_000, description="changes in a batch"
    )
    batch_salvage: bool = Field(
        default=False, description="store the valid records of a batch that failed"
    )
    catch_up: bool = Field(
        default=True, description="look back to the last successful run when that is longer ago"
    )
    journal_retention_days: int = Field(
        default=90, ge=1, le=_DAYS, description="how long a batch can be undone"
    )
    enable_historical_validation: bool = Field(
        default=False, description="compare a run with earlier ones"
    )
    historical_min_days: int = Field(
        default=17, ge=1, le=_DAYS, description="days of runs that it needs"
    )
    historical_z_threshold: float = Field(
        default=3.0, gt=0, description="deviations that count as an anomaly"
    )
    update_window_days: int = Field(default=30, ge=1, le=_DAYS, description="read by other tools")
    update_schedule_hour: int = Field(default=2, ge=0, le=23, description="read by other tools")

    # Logs and notifications
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL")
    log_file: str = Field(default="logs/import.log", description="read by other tools")
    notification_enabled: bool = Field(default=False, description="tell somebody about trouble")
    notification_type: Literal["log", "email", "webhook"] = Field(
        default="log", description="log, webhook or email"
    )
    notification_webhook_url: str | None = Field(
        default=None,
        repr=False,
        description="Slack, Discord, or any URL that takes JSON by POST; never shown",
    )
    notification_email: str | None = Field(
        default=None, description="whom to write to by SendGrid; the sender, too"
    )
    sendgrid_api_key: str | None = Field(default=None, repr=False, description="never shown")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as exc:
            # A crash reporter shows a frame's variables.
            values.clear()
            _refuse(exc)
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
            raise SettingsError(f"the file .env cannot be read: {reason}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except ValidationError as exc:
            value = None
            _refuse(exc)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # Read once, by pydantic: each reading warns of a line that cannot be understood.
        in_file = cast(DotEnvSettingsSource, dotenv_settings).env_vars
        return (
            init_settings,
            _Environment(settings_cls, os.environ),
            _Environment(settings_cls, in_file),
        )

    @classmethod
    def sources(cls) -> dict[str, str]:
        """Field -> what sets it ("environment NAME", ".env NAME"), of those that are set."""
        in_file = _Environment(cls, DotEnvSettingsSource(cls).env_vars)
        places = (("environment", _Environment(cls, os.environ)), (".env", in_file))
        found = {}
        for field in cls.model_fields:
            for place, source in places:
                if name := source.variable_of(field):
                    found[field] = f"{place} {name}"
                    break
        return found

    @field_validator("*", mode="before")
    @classmethod
    def _plain_value(cls, value: Any) -> Any:
        # pydantic makes a number of whatever can be made one, a mock say.
        if value is None or isinstance(value, str | int | float | PurePath):
            return value
        raise ValueError(f"should be text, a number, or true or false, not {type(value).__name__}")

    @field_validator("api_key", mode="before")
    @classmethod
    def _some_key(cls, value: Any) -> Any:
        if value is None or (isinstance(value, str) and not value.strip()):
            return DEMO_KEY
        return value

    @field_validator("api_key")
    @classmethod
    def _key_fits_a_header(cls, value: str) -> str:
        value = value.strip()
        if not re.fullmatch(r"[!-~]+", value):
            raise ValueError("a key is letters, digits and dashes; this has blanks or others")
        return value

    @field_validator("api_base_url", "notification_webhook_url")
    @classmethod
    def _http_only(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            sound = parts.scheme in ("http", "https") and parts.port != 0
            sound = sound and bool(parts.hostname) and _is_host(parts.hostname or "")
        except ValueError:  # a port that is no number, brackets that do not match
            sound = False
        if not sound or re.search(r"[\s\\\x00-\x1f\x7f]", value):
            raise ValueError("should be a URL that starts with http:// or https://")
        return value.rstrip("/")

    @field_validator("api_base_url")
    @classmethod
    def _base_address(cls, value: str, info: ValidationInfo) -> str:
        # As the native client has it, which would tell of it in the middle of a run.
        parts = urlsplit(value)
        if "@" in parts.netloc:
            raise ValueError("should hold no user name or password")
        if "?" in value or "#" in value:
            raise ValueError("should hold no query; the key belongs into CONGRESS_API_KEY")
        secret = info.data.get("api_key", DEMO_KEY) != DEMO_KEY
        allowed = info.data.get("api_allow_http", False) or _is_loopback(parts.hostname or "")
        if parts.scheme == "http" and secret and not allowed:
            raise ValueError(
                "the key would go over the network in the clear; use https, or allow it with "
                "API_ALLOW_HTTP=true"
            )
        return value

    @field_validator("database_path", "log_file", mode="before")
    @classmethod
    def _path_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, PurePath) else value

    @field_validator("database_path", "log_file")
    @classmethod
    def _a_path(cls, value: str) -> str:
        if not value.strip() or "\0" in value:
            raise ValueError("should be the path of a file")
        return value

    @field_validator("database_path")
    @classmethod
    def _no_uri(cls, value: str) -> str:
        # Nobody who writes this means a file that is called so.
        if value.strip() == ":memory:" or re.match(r"\s*(file|sqlite\w*):", value, re.I):
            raise ValueError("should be the path of a file, not a URI and not in memory")
        return value

    @field_validator("historical_z_threshold")
    @classmethod
    def _finite(cls, value: float) -> float:
        if not math.isfinite(value):
            raise ValueError("should be a finite number")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: Any) -> Any:
        names = {"WARN": "WARNING", "FATAL": "CRITICAL"}
        level = names.get(str(value).upper(), str(value).upper())
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
            raise ValueError("should be DEBUG, INFO, WARNING, ERROR or CRITICAL")
        return level

    @field_validator("notification_type", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


#: pydantic's kind of mistake -> what a person should do.
_WORDS = {
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_parsing": "should be a number",
    "bool_parsing": "should be true or false",
}


def _refuse(exc: ValidationError) -> NoReturn:
    raise SettingsError(describe(exc)) from None


def describe(exc: ValidationError) -> str:
    """One line for all that is wrong, each with its variable; no secret is shown."""
    lines = []
    for error in exc.errors(include_url=False, include_context=False):
        field = str(error["loc"][0]) if error["loc"] else "settings"
        message = _WORDS.get(error["type"]) or error["msg"]
        message = message.removeprefix("Value error, ").removeprefix("Input ")
        message = _without_values(message, field, error["input"])
        lines.append(f"{_shown(field, error['input'])}: {message}")
    return "; ".join(lines).replace("\n", " ")


def _without_values(message: str, field: str, value: Any) -> str:
    """A checkout's own validator may quote the secret, or one of all that it was given."""
    given = value.items() if isinstance(value, Mapping) else [(field, value)]
    secrets = {str(one) for name, one in given if one and SECRET_NAMES.search(str(name))}
    for secret in sorted(secrets, key=len, reverse=True):
        message = message.replace(secret, "****")
    return message


def _without_secrets(address: str) -> str:
    """What stands before an @ in a URL is a password, and what comes after a ? may be a key."""
    address = re.sub(r"(?s)^(\w+:/*)?.*@", r"\1***@", address)
    return re.sub(r"(?s)([?#]).*", r"\1***", address)


def _shown(field: str, value: Any) -> str:
    """The variables that set `field`, and what it was given where that is no secret."""
    names = " or ".join(variables(field))
    # What is no single value is all of them, the secrets too.
    if SECRET_NAMES.search(field) or not isinstance(value, str | int | float | PurePath | None):
        return names
    return f"{names}={_without_secrets(str(value))[:60]!r}"


#: So many mistakes are told in one line.
_TOLD = 3
_KINDS: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}


def check(settings: Any) -> None:
    """Hold every setting, as it is read from any object, to the rules of `Settings`.

    Raises `SettingsError`: one line that names the variables. A value that would have to be
    converted first is refused as well: it is used as it stands.
    """
    wrong = _wrong(settings)
    if wrong:
        more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise SettingsError("; ".join(wrong[:_TOLD]) + more)


def _wrong(settings: Any) -> list[str]:
    """What `check` complains about; values are gone with this frame."""
    scratch = Settings.model_construct()
    wrong = []
    for field in Settings.model_fields:
        given = getattr(settings, field)
        try:
            setattr(scratch, field, given)
        except SettingsError as exc:
            wrong.append(str(exc))
            continue
        kind = type(getattr(scratch, field))
        # An `int` will do where a `float` is wanted.
        if not isinstance(given, (kind, int) if kind is float else kind):
            wanted = _KINDS.get(kind, "text")
            wrong.append(
                f"{_shown(field, given)}: should be {wanted}, not of type {type(given).__name__}"
            )
    return wrong


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The shared settings, read once."""
    return Settings()


settings: Settings


def __getattr__(name: str) -> Any:
    # `settings` is made when it is first asked for: importing this module never fails.
    if name == "settings":
        return get_settings()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
