"""The exceptions of the updater. Each message says what happened, to what, and what to do."""

import sqlite3


class UpdaterError(Exception):
    """Anything that this package raises on purpose."""


class ConfigurationError(UpdaterError, ValueError):
    """A setting or an argument is wrong; the message names it."""


class DatabaseError(UpdaterError, sqlite3.DatabaseError):
    """The database cannot be used or a statement failed; `except sqlite3.Error` catches it too."""


class IntegrityError(DatabaseError, sqlite3.IntegrityError):
    """A constraint of the database refused a row."""


class DatabaseBusyError(DatabaseError, sqlite3.OperationalError):
    """Another program holds the database's lock."""


class DatabaseFileError(DatabaseError, sqlite3.OperationalError):
    """The file cannot be read or written: a full disk, damage, missing permissions."""


class DamagedDatabaseError(DatabaseFileError):
    """The file is damaged, or no database at all."""


class AlreadyRunningError(UpdaterError):
    """Another update of the same database is running."""


class ApiError(UpdaterError):
    """A request to the API failed."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        #: The HTTP status, where there was one.
        self.status = status


class ApiKeyError(ApiError):
    """The API refused the key."""


class CircuitBreakerOpenError(ApiError):
    """The API failed several times in a row; no request was sent."""


class RateLimitError(ApiError):
    """The hourly request limit is used up."""


class RunCancelled(BaseException):
    """The awaiting task was cancelled; raised inside the run so that it winds down."""
