"""A native updater of a database of congressional committee hearings."""

from updaters._native import __version__
from updaters.errors import (
    AlreadyRunningError,
    ApiError,
    ApiKeyError,
    CircuitBreakerOpenError,
    ConfigurationError,
    DatabaseBusyError,
    DatabaseError,
    IntegrityError,
    RateLimitError,
    UpdaterError,
)

__all__ = [
    "AlreadyRunningError",
    "ApiError",
    "ApiKeyError",
    "CircuitBreakerOpenError",
    "ConfigurationError",
    "DatabaseBusyError",
    "DatabaseError",
    "IntegrityError",
    "RateLimitError",
    "UpdaterError",
    "__version__",
]
