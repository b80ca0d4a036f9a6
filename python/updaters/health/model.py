"""What a health check finds, and from when on it is too much."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

#: From good to bad; the index is the exit code.
STATUSES = ("ok", "warning", "critical")
OK, WARNING, CRITICAL = STATUSES
MB = 1024 * 1024
#: A clock may be a little ahead.
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class Limits:
    """What is too much. The defaults suit a daily update and hourly checks."""

    #: Hours since the last successful run: more is a warning, 24 more critical.
    max_age_hours: float = 26.0
    #: Free disk space in MB: less is a warning, and so is less than twice the database. A tenth of
    #: it, or less than the database once, is critical.
    min_free_mb: float = 1024.0
    #: Deferred events: more is a warning.
    max_deferred: int = 50
    #: Seconds to wait for a program that has the database locked.
    wait_seconds: float = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    #: ok, warning or critical.
    status: str
    message: str
    #: Numbers, texts and lists, fit for JSON.
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """What one check found."""

    #: Local, with its offset from UTC.
    time: datetime
    #: The database's full path.
    database: str
    #: Whether the indexes were checked too (`integrity_check`), or only the pages (`quick_check`).
    full: bool
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """The worst of the findings: 0 ok, 1 warning, 2 critical."""
        return max((STATUSES.index(finding.status) for finding in self.findings), default=0)

    @property
    def status(self) -> str:
        """The same in words."""
        return STATUSES[self.exit_code]

    def get(self, name: str, value: str) -> Any:
        """A value of a finding; None where that was not looked at."""
        for finding in self.findings:
            if finding.name == name:
                return finding.values.get(value)
        return None

    def to_dict(self) -> dict[str, Any]:
        """`time` (ISO, with its offset), `status`, `exit_code`, `database`, `full`, and `findings`
        (list of `{name, status, message, values}`)."""
        return {
            "time": self.time.isoformat(timespec="seconds"),
            "status": self.status,
            "exit_code": self.exit_code,
            "database": self.database,
            "full": self.full,
            "findings": [
                {
                    "name": finding.name,
                    "status": finding.status,
                    "message": finding.message,
                    "values": finding.values,
                }
                for finding in self.findings
            ],
        }


def counted(number: int, what: str) -> str:
    """ "1 hearing", "1,168 hearings"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
