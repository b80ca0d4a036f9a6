"""The report's tables: rows of text, the same for Markdown and for the page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from updaters.trial_gate.criteria import FAIL, NOT_MEASURED, PASS
from updaters.trial_gate.runs import percent, spread
from updaters.trial_gate.speed import DEFAULT_SIZE

#: For what is not known.
NONE = "-"

#: Key in a run's metrics -> its name in the report.
COUNTS: Mapping[str, str] = {
    "hearings_checked": "Hearings checked",
    "hearings_updated": "Hearings updated",
    "hearings_added": "Hearings added",
    "api_requests": "API requests",
    "error_count": "Errors",
}
#: What the plan expected of each size.
EXPECTED_OF_SIZE: Mapping[str, str] = {
    "25": "slower: more batches",
    "50": "the default",
    "100": "faster: fewer batches",
    "200": "similar to 100",
}
MEMORY_RUNS: Mapping[str, str] = {
    "plain": "Phase 2.2",
    "batch": "Batches",
    "large": "Batches, large dataset",
}


@dataclass(frozen=True)
class Table:
    """`rows` are as wide as `columns`; `numeric` and `badge` are numbers of columns."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numeric: frozenset[int] = frozenset()
    #: The column that holds an outcome.
    badge: int | None = None


def when(stamp: Any, *, seconds: bool = False) -> str:
    """An ISO time, to the minute or second, with its offset: "2025-10-13 21:25 +02:00"."""
    text = str(stamp)
    if len(text) < 19 or text[10] != "T":
        return text
    offset = "UTC" if text.endswith(("Z", "+00:00")) else text[19:]
    return f"{text[:10]} {text[11 : 19 if seconds else 16]} {offset}".strip()


def outcome(passed: bool | None) -> str:
    """As the criteria have it."""
    return NOT_MEASURED if passed is None else PASS if passed else FAIL


def fixed(value: Any, digits: int = 2, unit: str = "") -> str:
    """A number with so many digits, and its unit."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NONE if value is None else str(value)
    return f"{value:,.{digits}f}{' ' if unit else ''}{unit}"


def elapsed(seconds: Any) -> str:
    """ "12.3 s", "7 min 5 s"."""
    if isinstance(seconds, int | float) and seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    return fixed(seconds, 1, "s")


def count(value: Any) -> str:
    """A whole number, with thousands apart."""
    return fixed(value, 0)


def counted(number: int, what: str) -> str:
    """ "1 run", "5 runs"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def signed(value: float | None) -> str:
    """A difference in per cent."""
    return NONE if value is None else f"{value:+.1f} %" if value else "0.0 %"


def between(took: Mapping[str, Any], digits: int = 2, unit: str = "s") -> str:
    """The spread of a measurement."""
    return f"{fixed(took['min'], digits)} to {fixed(took['max'], digits, unit)}"


def shortly(values: Iterable[Any], most: int = 3) -> str:
    """A list, cut where it is long."""
    texts = [str(value) for value in values]
    more = f", and {len(texts) - most} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more if texts else "none"


def of_runs(flag: str, found: Mapping[str, Any]) -> Table:
    """The metrics of `baseline`, `batch` or `large`: the plan's list."""
    metrics, took, runs = found["metrics"], found["duration_seconds"], found["runs"]
    rows = [
        ("Total duration, first run", fixed(metrics.get("duration_seconds"), 2, "s")),
        (f"Total duration, median of {len(runs)}", fixed(took["median"], 2, "s")),
        ("Spread of the runs", between(took)),
        *((name, count(metrics.get(key))) for key, name in COUNTS.items()),
        ("Peak memory, as the log says", fixed(runs[0].get("peak_mb"), 1, "MB")),
        ("Validation", _validation(metrics)),
    ]
    batches = metrics.get("batch_processing")
    if batches:
        rows += [
            ("Batches", count(batches.get("batch_count"))),
            ("Batches succeeded", count(batches.get("batches_succeeded"))),
            ("Batches failed", count(batches.get("batches_failed"))),
            ("Batch errors", shortly(error_of(entry) for entry in batches.get("batch_errors", ()))),
        ]
    caption = f"Flag {flag}, {counted(len(runs), 'run')}; counts of the first"
    return Table(caption, ("Metric", "Measured"), rows, frozenset({1}))


def _validation(metrics: Mapping[str, Any]) -> str:
    passed = metrics.get("validation_passed")
    return NONE if passed is None else "passed" if passed else "FAILED"


def error_of(entry: Any) -> str:
    """One of a run's `batch_errors`, in a line."""
    if not isinstance(entry, Mapping):
        return str(entry)
    issues = "; ".join(str(issue) for issue in entry.get("issues", ()))
    return f"batch {entry.get('batch')}: {entry.get('error')}{f' ({issues})' if issues else ''}"


def comparison(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Phase 2.2 against batches, of step `batch`: `{metric, unit, phase_22, batches,
    difference_percent}`. Times and memory are medians of all runs, counts those of the first."""
    plain, batched = found["baseline_runs"], found["runs"]
    rows = [
        ("Duration", "s", found["baseline_seconds"]["median"], found["duration_seconds"]["median"]),
        ("Whole process", "s", _median(plain, "wall_seconds"), _median(batched, "wall_seconds")),
        ("Peak memory", "MB", _median(plain, "peak_mb"), _median(batched, "peak_mb")),
    ]
    first, second = plain[0]["metrics"], found["metrics"]
    rows += [(name, "", first.get(key), second.get(key)) for key, name in COUNTS.items()]
    return [
        {
            "metric": name,
            "unit": unit,
            "phase_22": before,
            "batches": after,
            "difference_percent": None
            if before is None or after is None
            else 0.0
            if before == after
            else percent(after, before),
        }
        for name, unit, before, after in rows
    ]


def _median(runs: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [run[key] for run in runs if run.get(key) is not None]
    return spread(values)["median"] if values else None


def compared(found: Mapping[str, Any]) -> Table:
    """The same as a table."""
    rows = []
    for row in comparison(found):
        digits = {"s": 2, "MB": 1}.get(row["unit"], 0)
        values = (fixed(row[key], digits, row["unit"]) for key in ("phase_22", "batches"))
        rows.append((row["metric"], *values, signed(row["difference_percent"])))
    caption = f"Flag off and on in turn, {counted(len(found['runs']), 'run')} each"
    return Table(
        caption, ("Metric", "Phase 2.2", "Batches", "Difference"), rows, frozenset({1, 2, 3})
    )


def sizes(found: Mapping[str, Any]) -> Table:
    """The sweep, one row a size."""
    default = found["sizes"][str(DEFAULT_SIZE)]["duration_seconds"]["median"]
    rows = []
    for size, seen in found["sizes"].items():
        took = seen["duration_seconds"]
        rows.append(
            (
                size + (", fastest" if int(size) == found["best"] else ""),
                count(seen["batch_count"]),
                fixed(took["median"], 2, "s"),
                between(took),
                NONE if int(size) == DEFAULT_SIZE else signed(percent(took["median"], default)),
                EXPECTED_OF_SIZE.get(size, NONE),
            )
        )
    columns = ("Size", "Batches", "Median", "Spread", "Against 50", "Expected")
    changes = " or ".join(sorted({count(seen["changes"]) for seen in found["sizes"].values()}))
    caption = f"{changes} changes, the sizes in turn, {counted(found['rounds'], 'round')}"
    return Table(caption, columns, rows, frozenset(range(1, 5)))


def best_size(found: Mapping[str, Any]) -> str:
    """What the sweep says, in a sentence."""
    if found["best_is_clear"]:
        return (
            f"Best size: {found['best']}, {found['gain_percent']:.1f} % faster than "
            f"{DEFAULT_SIZE}: its slowest run beats the fastest of the default."
        )
    if found["best"] == DEFAULT_SIZE:
        return f"Best size: {DEFAULT_SIZE}, the default."
    return (
        f"Best size: {DEFAULT_SIZE}, the default. The median of {found['best']} is "
        f"{found['gain_percent']:.1f} % lower, which is within the spread of the runs."
    )


def memory(found: Mapping[str, Any]) -> Table:
    """The highest increase of each kind of run."""
    rows = [
        (
            MEMORY_RUNS.get(name, name),
            *(fixed(run[key], 1, "MB") for key in ("baseline_mb", "peak_mb", "increase_mb")),
        )
        for name, run in found["runs"].items()
    ]
    caption = f"psutil, the worst of {counted(found['rounds'], 'run')} each"
    return Table(caption, ("Run", "Launcher", "Peak", "Increase"), rows, frozenset({1, 2, 3}))


def micro(found: Mapping[str, Any]) -> Table:
    """Checkpoints and validation, timed."""
    names = {
        "checkpoint_ms": "Checkpoint of 50 updates",
        "validate_ms": "Validation of 50 records, not seen before",
        "validate_again_ms": "Validation of the same again",
    }
    rows = [
        (name, *(fixed(found[key][value], 2, "ms") for value in ("median", "min", "max")))
        for key, name in names.items()
    ]
    caption = f"In the process, {found['rounds']} times each"
    return Table(caption, ("What", "Median", "Fastest", "Slowest"), rows, frozenset({1, 2, 3}))
