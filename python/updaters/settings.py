"""Loading the settings: an existing checkout's own `config/settings.py` where there is one,
completed by ours where it lacks something."""

import contextlib
import copy
import enum
import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from updaters.errors import ConfigurationError
from updaters.logs import mask, secrets_of

if TYPE_CHECKING:
    from config.settings import Settings

__all__ = ["check_settings", "complete_settings", "load_settings", "warn_demo_key"]

_OWN_NAME = "updaters._own_settings"
#: Tells our `config/settings.py` from a checkout's.
_MARK = "class SettingsError(ValueError):"


class _Missing(enum.Enum):
    """Tells what is not there from None, also after a copy."""

    MISSING = enum.auto()


_MISSING = _Missing.MISSING


def load_settings() -> "Settings":
    """Fresh settings, valid and complete, or `ConfigurationError` in one line.

    The object is ours, or one that passes for it over the checkout's own: it reads and assigns
    our settings validated, and hands everything else to theirs.
    """
    own = own_module()
    with _errors_in_one_line(own):
        settings: Settings = own.Settings()
        module = _their_module(own)
        if module is not None:
            theirs = _their_settings(module, own, settings)
            settings = cast("Settings", CompletedSettings(theirs, settings, none_is_unset=True))
    check_settings(settings)
    return settings


def complete_settings(given: Any) -> "Settings":
    """What a caller puts in the settings' place, completed as `load_settings` completes.

    Ours, and what is completed already, is kept as it is. Bad values are for `check_settings`.
    """
    own = own_module()
    if isinstance(given, own.Settings | CompletedSettings):
        return cast("Settings", given)
    if given is None or isinstance(given, Mapping):
        raise ConfigurationError(
            "settings must be an object with an attribute for each setting, "
            f"not {'None' if given is None else 'a ' + type(given).__name__}"
        )
    # A checkout's own class says None for what is not set; anywhere else None is a value.
    theirs = getattr(sys.modules.get("config.settings"), "Settings", None)
    unset = isinstance(theirs, type) and isinstance(given, theirs)
    with _errors_in_one_line(own):
        return cast("Settings", CompletedSettings(given, own.Settings(), none_is_unset=unset))


def check_settings(settings: Any) -> None:
    """Raise `ConfigurationError`, in one line, where a setting of ours will not do."""
    own = own_module()
    with _errors_in_one_line(own, "the settings"):
        own.check(settings)
    _refuse_server(settings)


def setting_sources(settings: Any) -> dict[str, str]:
    """Where each of our settings has its value from: a variable of the environment or of `.env`,
    the checkout's `config/settings.py`, or "default"."""
    own = own_module()
    found: dict[str, str] = own.Settings.sources()
    theirs, file = None, ""
    if isinstance(settings, CompletedSettings):
        theirs = settings.__dict__["_parts"][0]
        module = sys.modules.get(type(theirs).__module__)
        file = str(getattr(module, "__file__", None) or "config/settings.py")
    for name in own.Settings.model_fields:
        if name not in found:
            value = _plain(getattr(theirs, name, None))
            by_them = value is not None and _same(value, getattr(settings, name))
            found[name] = file if by_them else "default"
    return found


def warn_demo_key(settings: "Settings", logger: logging.Logger) -> None:
    """Say in one line what no key of one's own means; nothing where there is one."""
    if settings.api_key == own_module().DEMO_KEY:
        logger.warning(
            "No API key is set (CONGRESS_API_KEY): using the public DEMO_KEY, "
            "which allows about 30 requests an hour"
        )


class CompletedSettings:
    """Somebody else's settings object, completed by ours.

    What it has is read from it when asked for, and assignments reach it. Values go by our rules;
    one that breaks them is handed out as it stands, for `check_settings` to name.
    """

    def __init__(self, theirs: Any, ours: "Settings", *, none_is_unset: bool) -> None:
        #: Field -> their value that ours stands for, because it was taken over or does not count.
        settled: dict[str, Any] = {}
        object.__setattr__(self, "_parts", (theirs, ours, settled))
        fields = type(ours).model_fields
        set_by_them = getattr(theirs, "model_fields_set", fields)
        if not isinstance(set_by_them, Set):
            set_by_them = fields
        for name in fields:
            value = _plain(getattr(theirs, name, _MISSING))
            empty = value is None or value == ""
            unset = value is _MISSING or (empty and (none_is_unset or name == "api_key"))
            # A variable that only ours knows beats a mere default of theirs.
            if unset or (name in ours.model_fields_set and name not in set_by_them):
                settled[name] = value

    def __getattr__(self, name: str) -> Any:
        # Copying and pickling ask before there are any parts.
        if name.startswith("__") or "_parts" not in self.__dict__:
            raise AttributeError(name)
        theirs, ours, settled = self.__dict__["_parts"]
        if name not in type(ours).model_fields:
            return getattr(theirs, name)
        value = _plain(getattr(theirs, name, _MISSING))
        if value is not _MISSING and not _same(value, settled.get(name, _MISSING)):
            try:
                setattr(ours, name, value)
            except own_module().SettingsError:
                return value
            settled[name] = value
        return getattr(ours, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # What raises has no variables that hold a secret: crash reporters show those of each frame.
        ours = self.__dict__["_parts"][1]
        if name not in type(ours).model_fields:
            setattr(self.__dict__["_parts"][0], name, value)
            return
        with _errors_in_one_line(own_module(), name):
            try:
                setattr(ours, name, value)
            except own_module().SettingsError:
                value = None
                raise
        theirs, _, settled = self.__dict__["_parts"]
        # Frozen, or without room for it: what counts here is ours.
        with contextlib.suppress(Exception):
            setattr(theirs, name, value)
        settled[name] = _plain(getattr(theirs, name, _MISSING))

    def __copy__(self) -> "CompletedSettings":
        theirs, ours, settled = self.__dict__["_parts"]
        return _again(copy.copy(theirs), vars(ours), ours.model_fields_set, settled)

    def __reduce__(self) -> tuple[Any, ...]:
        # Ours by its values: another process cannot import its class where a checkout's hides it.
        theirs, ours, settled = self.__dict__["_parts"]
        return _again, (theirs, dict(vars(ours)), set(ours.model_fields_set), dict(settled))

    def __dir__(self) -> list[str]:
        theirs, ours, _ = self.__dict__["_parts"]
        return sorted({*dir(theirs), *type(ours).model_fields})

    def __repr__(self) -> str:
        theirs, ours, _ = self.__dict__["_parts"]
        return f"<{type(theirs).__module__}.{type(theirs).__name__}, completed: {ours!r}>"


def _again(
    theirs: Any, values: dict[str, Any], set_by_us: set[str], settled: dict[str, Any]
) -> CompletedSettings:
    """The completed settings of these parts."""
    ours = own_module().Settings.model_construct(set(set_by_us), **values)
    completed = CompletedSettings.__new__(CompletedSettings)
    object.__setattr__(completed, "_parts", (theirs, ours, dict(settled)))
    return completed


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def own_module() -> ModuleType:
    """Our `config.settings`, also where a checkout's hides it."""
    loaded = sys.modules.get(_OWN_NAME)
    if loaded is not None:
        return loaded
    path = _own_path()
    # First by its public name, so that `isinstance(updater.settings, Settings)` holds; what is
    # wrong with a checkout's is told when it is used.
    with contextlib.suppress(Exception), contextlib.redirect_stdout(sys.stderr):
        importlib.import_module("config.settings")
    public = sys.modules.get("config.settings")
    if public is not None and _is_file(public, path):
        sys.modules[_OWN_NAME] = public
        return public
    spec = importlib.util.spec_from_file_location(_OWN_NAME, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} cannot be loaded: install hearing-updater again")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_OWN_NAME] = module
    spec.loader.exec_module(module)
    return module


def _own_path() -> Path:
    roots = [Path(__file__).resolve().parent.parent, *map(Path, sys.path)]
    for root in roots:
        path = root / "config" / "settings.py"
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if _MARK in path.read_text(encoding="utf-8"):
                return path.resolve()
    raise ConfigurationError(
        "the config/settings.py that comes with hearing-updater is missing: install it again"
    )


def _is_file(module: ModuleType, path: Path) -> bool:
    with contextlib.suppress(OSError, TypeError):
        return Path(cast(str, module.__file__)).samefile(path)
    return False


def _their_module(own: ModuleType) -> ModuleType | None:
    """The checkout's `config.settings`; None where that is ours, missing, or of another kind."""
    try:
        # Some print on import; stdout belongs to the metrics.
        with contextlib.redirect_stdout(sys.stderr):
            module = importlib.import_module("config.settings")
    except ModuleNotFoundError as exc:
        if exc.name in ("config", "config.settings"):
            return None
        raise
    # Under two names it is still ours.
    if module is own or _is_file(module, Path(cast(str, own.__file__))):
        return None
    # A `config.settings` of something else, as of a web framework.
    return module if callable(getattr(module, "Settings", None)) else None


def _their_settings(module: ModuleType, own: ModuleType, ours: "Settings") -> Any:
    """Their `Settings()`, helped where only we know the variable or they forbid ours."""
    from pydantic import ValidationError

    cls = module.Settings
    with contextlib.redirect_stdout(sys.stderr):
        try:
            return cls()
        except ValidationError as exc:
            errors = exc.errors(include_url=False, include_context=False, include_input=False)
            known = type(ours).model_fields
            given: dict[str, Any] = {}
            for error in errors:
                name = str(error["loc"][0]).lower() if error["loc"] else ""
                if error["type"] == "missing":
                    field = _field_of(name, own)
                    if field in known and getattr(ours, field) is not None:
                        given[str(error["loc"][0])] = getattr(ours, field)
                        continue
                elif error["type"] == "extra_forbidden" and _field_of(name, own) in known:
                    continue
                raise
        # Our settings in `.env` are no reason to refuse it.
        tolerant = type(cls.__name__, (cls,), {"model_config": {"extra": "ignore"}})
        theirs = tolerant(**given)
        # Of their class itself, which can be found again when it is unpickled.
        object.__setattr__(theirs, "__class__", cls)
        return theirs


def _field_of(name: str, own: ModuleType) -> str:
    for field, names in own.VARIABLES.items():
        if name.upper() in names:
            return str(field)
    return name.lower()


def _plain(value: Any) -> Any:
    reveal = getattr(value, "get_secret_value", None)
    return reveal() if callable(reveal) else value


@contextlib.contextmanager
def _errors_in_one_line(own: ModuleType, what: str = "config/settings.py") -> Iterator[None]:
    from pydantic import ValidationError

    try:
        yield
    except ConfigurationError:
        raise
    except ValidationError as exc:
        raise ConfigurationError(own.describe(exc)) from None
    except own.SettingsError as exc:
        raise ConfigurationError(str(exc)) from None
    except Exception as exc:
        told = " ".join(str(exc).split())
        text = mask(told, _secrets(own))
        # Whoever shows the cause as well would show what it quotes.
        cause = exc if text == told else None
        name = type(exc).__name__
        raise ConfigurationError(f"{what} cannot be used: {name}: {text[:200]}") from cause


def _secrets(own: ModuleType) -> list[str]:
    """As far as they can be read where the settings as a whole cannot."""
    with contextlib.suppress(own.SettingsError):
        return secrets_of(own.Settings())
    return []


def _refuse_server(settings: "Settings") -> None:
    name = None
    if settings.postgres_url:
        name = "POSTGRES_URL"
    elif (
        (settings.database_url or "")
        .lower()
        .startswith(("postgres:", "postgresql:", "postgresql+"))
    ):
        name = "DATABASE_URL"
    if name:
        raise ConfigurationError(
            f"{name} is set: the data is on a PostgreSQL server, which this updater cannot "
            f"write to yet; unset {name} to use the SQLite file {settings.database_path}"
        )
