"""What an examination finds."""

from dataclasses import dataclass, field
from typing import Any

from updaters.health.model import CRITICAL, OK, STATUSES, WARNING

__all__ = ["CRITICAL", "OK", "WARNING", "Check", "Examination"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    #: ok, warning or critical.
    status: str
    message: str
    #: What to do about it; empty where all is well.
    advice: str = ""
    #: Numbers, texts and lists, fit for JSON.
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Examination:
    """What was found out about an installation."""

    checks: tuple[Check, ...]
    #: `{name, value, source}` for each setting, secrets masked; empty where they cannot be read.
    settings: tuple[dict[str, Any], ...]

    @property
    def exit_code(self) -> int:
        """The worst of the checks: 0 ok, 1 warning, 2 critical."""
        return max((STATUSES.index(check.status) for check in self.checks), default=0)

    def to_dict(self) -> dict[str, Any]:
        """`status`, `exit_code`, `checks` (list of `{name, status, message, advice, values}`) and
        `settings` (list of `{name, value, source}`)."""
        return {
            "status": STATUSES[self.exit_code],
            "exit_code": self.exit_code,
            "checks": [vars(check) for check in self.checks],
            "settings": list(self.settings),
        }
