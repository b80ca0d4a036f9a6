"""Loading the settings: an existing checkout's own `config/settings.py` where there is one,
completed by ours where it lacks something."""

import contextlib
import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from updaters.errors import ConfigurationError

if TYPE_CHECKING:
    from config.settings import Settings

__all__ = ["load_settings", "warn_demo_key"]

_OWN_NAME = "updaters._own_settings"
#: Tells our `config/settings.py` from a checkout's.
_MARK = "class SettingsError(ValueError):"


def load_settings() -> "Settings":
    """Fresh settings, valid and complete, or `ConfigurationError` in one line.

    The object is ours, or one that passes for it over the checkout's own: it reads and assigns
    our settings validated, and hands everything else to theirs.
    """
    own = own_module()
    with _errors_in_one_line(own):
        ours: Settings = own.Settings()
        module = _their_module(own)
        if module is None:
            settings = ours
        else:
            theirs = _their_settings(module, own, ours)
            settings = cast("Settings", ComplementedSettings(theirs, ours, own))
    _refuse_server(settings)
    return settings


def warn_demo_key(settings: "Settings", logger: logging.Logger) -> None:
    """Say in one line what no key of one's own means; nothing where there is one."""
    if settings.api_key == own_module().DEMO_KEY:
        logger.warning(
            "No API key is set (CONGRESS_API_KEY): using the public DEMO_KEY, "
            "which allows about 30 requests an hour"
        )


class ComplementedSettings:
    """A checkout's settings object, completed by ours; assignments reach both."""

    def __init__(self, theirs: Any, ours: "Settings", own: ModuleType) -> None:
        object.__setattr__(self, "_parts", (theirs, ours, own))
        set_by_them = getattr(theirs, "model_fields_set", None)
        for name in type(ours).model_fields:
            value = _plain(getattr(theirs, name, None))
            if value is None or value == "":
                continue
            # A variable that only ours knows beats a mere default of theirs.
            if name in ours.model_fields_set and name not in (set_by_them or (name,)):
                continue
            setattr(ours, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        theirs, ours, _ = self.__dict__["_parts"]
        if name in type(ours).model_fields:
            return getattr(ours, name)
        return getattr(theirs, name)

    def __setattr__(self, name: str, value: Any) -> None:
        theirs, ours, own = self.__dict__["_parts"]
        if name not in type(ours).model_fields:
            setattr(theirs, name, value)
            return
        with _errors_in_one_line(own):
            setattr(ours, name, value)
        if hasattr(theirs, name):
            # Frozen, or a property: what counts here is ours.
            with contextlib.suppress(Exception):
                setattr(theirs, name, value)

    def __dir__(self) -> list[str]:
        theirs, ours, _ = self.__dict__["_parts"]
        return sorted({*dir(theirs), *type(ours).model_fields})

    def __repr__(self) -> str:
        theirs, ours, _ = self.__dict__["_parts"]
        return f"<{type(theirs).__module__}.{type(theirs).__name__}, completed: {ours!r}>"


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
        return tolerant(**given)


def _field_of(name: str, own: ModuleType) -> str:
    for field, names in own.VARIABLES.items():
        if name.upper() in names:
            return str(field)
    return name.lower()


def _plain(value: Any) -> Any:
    reveal = getattr(value, "get_secret_value", None)
    return reveal() if callable(reveal) else value


@contextlib.contextmanager
def _errors_in_one_line(own: ModuleType) -> Iterator[None]:
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
        text = " ".join(str(exc).split())[:200]
        raise ConfigurationError(
            f"config/settings.py cannot be used: {type(exc).__name__}: {text}"
        ) from exc


def _refuse_server(settings: "Settings") -> None:
    name = None
    if settings.postgres_url:
        name = "POSTGRES_URL"
    elif (settings.database_url or "").startswith(("postgres:", "postgresql:", "postgresql+")):
        name = "DATABASE_URL"
    if name:
        raise ConfigurationError(
            f"{name} is set: the data is on a PostgreSQL server, which this updater cannot "
            f"write to yet; unset {name} to use the SQLite file {settings.database_path}"
        )
