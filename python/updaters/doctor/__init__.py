"""Examining an installation: `hearing-updater doctor`. Reads only, and sends one request."""

from pathlib import Path
from typing import Any

from updaters.doctor import installation, surroundings
from updaters.doctor.model import CRITICAL, Check, Examination
from updaters.errors import ConfigurationError

__all__ = ["Check", "Examination", "examine"]

LOG_FOLDER = Path("logs")


def examine(*, db: str | None = None, offline: bool = False) -> Examination:
    """Look at the interpreter, the native module, the settings and where each has its value from,
    the database and its shape, the API and its quota, the clock, the disk, the lock, and which
    `updaters.daily_updater` this folder loads.

    `db` in place of DATABASE_PATH. `offline` sends no request. Whatever is wrong is a check with
    an advice, never an exception.
    """
    checks: list[Check] = [
        installation.interpreter(),
        installation.native(),
        installation.module(),
        installation.extras(),
    ]
    settings: Any = None
    table: tuple[dict[str, Any], ...] = ()
    try:
        settings = _settings(db)
    except ConfigurationError as error:
        advice = "mend that variable, in the environment or in .env"
        checks.append(Check("settings", CRITICAL, str(error), advice))
    else:
        table = surroundings.settings_table(settings)
        checks.append(surroundings.key(settings))
        checks += surroundings.database(settings, LOG_FOLDER)
        if not offline:
            checks += surroundings.api(settings)
    checks.append(surroundings.logs(LOG_FOLDER))
    return Examination(tuple(checks), table)


def _settings(db: str | None) -> Any:
    from updaters.cli.common import choose_database
    from updaters.settings import load_settings

    settings = load_settings()
    choose_database(settings, db)
    return settings
