"""What a person at a terminal sees: a progress bar while it runs, a table at the end.

Both on stderr. rich is imported only when it is going to be used: a cron job needs no colours,
and its memory is counted.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from updaters.logs import printable

#: Terminals of fewer columns get a bar without words.
NARROW = 60
PHASES = {
    "initializing": "Starting",
    "fetching": "Fetching",
    "checking": "Comparing",
    "applying": "Storing",
    "validating": "Checking",
}


class Progress:
    """A context manager; `callback` and `console` are None where there is nothing to show."""

    def __init__(self, *, enabled: bool) -> None:
        self.console: Any = None
        self.callback: Any = None
        self._bar: Any = None
        self._task: Any = None
        if enabled:
            self._prepare()

    def _prepare(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        if not console.is_terminal or console.is_dumb_terminal:
            return
        phase = TextColumn("{task.fields[phase]:<9}")
        percent = TextColumn("{task.percentage:>3.0f}%")
        columns: list[ProgressColumn]
        columns = [phase, BarColumn(), percent, TextColumn("{task.description}")]
        if console.width < NARROW:
            # What comes first is what is kept.
            columns = [percent, phase, BarColumn(bar_width=max(console.width - 25, 1))]
        self._bar = Bar(
            *columns,
            TimeElapsedColumn(),
            console=console,
            transient=True,
            refresh_per_second=5,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.console = console
        self.callback = self._update

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._task = self._bar.add_task("", total=100, phase=PHASES["initializing"])
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _update(self, state: Mapping[str, Any]) -> None:
        from rich.markup import escape

        self._bar.update(
            self._task,
            completed=float(state.get("percent") or 0),
            description=escape(printable(str(state.get("message") or "")[:60])),
            phase=PHASES.get(str(state.get("phase")), "Working"),
        )


def print_summary(metrics: Mapping[str, Any], *, dry_run: bool) -> None:
    """What a run did, as a small table on stderr."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Would be changed" if dry_run else None, show_header=False)
    table.add_column("what")
    table.add_column("number", justify="right")
    batches = metrics.get("batch_processing") or {}
    rows = [
        ("Hearings checked", metrics.get("hearings_checked")),
        ("Hearings added", metrics.get("hearings_added")),
        ("Hearings updated", metrics.get("hearings_updated")),
        ("Witnesses updated", metrics.get("witnesses_updated")),
        ("API requests", metrics.get("api_requests")),
        ("Batches failed", batches.get("batches_failed")),
        ("Errors", metrics.get("error_count")),
        ("Deferred", len(metrics.get("deferred") or ())),
    ]
    for name, number in rows:
        # Trouble is worth a line only where there is some.
        if number or name.startswith("Hearings"):
            table.add_row(name, str(number or 0))
    seconds = metrics.get("duration_seconds")
    if seconds is not None:
        table.add_row("Seconds", f"{seconds:.2f}")
    Console(stderr=True).print(table)
