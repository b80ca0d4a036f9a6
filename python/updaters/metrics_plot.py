"""The picture of `metrics.plot_runs`."""

from typing import TYPE_CHECKING, Any

import numpy
from matplotlib import pyplot
from matplotlib.collections import LineCollection
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.axes_grid1 import make_axes_locatable  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

# Told apart also by those who see few colours, on white and on black.
ADDED, UPDATED, PLAIN, FAILED, UNDONE = "#0a9396", "#ee9b00", "#6c757d", "#d62839", "#8338ec"


def draw(frame: "DataFrame", ax: "Axes | None") -> "Axes":
    """Three axes, one below the other: changes stored, meetings checked, seconds taken."""
    if ax is None:
        ax = pyplot.subplots(figsize=(9, 6.5))[1]
    below = make_axes_locatable(ax)
    axes = [ax]
    for label in ("checked", "seconds"):
        more: Axes = below.append_axes("bottom", size="60%", pad=0.15, sharex=ax)
        more.set_ylabel(label)
        axes.append(more)
    ax.set_ylabel("stored")
    undated = int(frame["started_at"].isna().sum())
    frame = frame[frame["started_at"].notna()]
    # Above the legend.
    ax.set_title(_title(frame, undated), loc="left", pad=24)
    if frame.empty:
        ax.text(0.5, 0.5, "no runs", transform=ax.transAxes, ha="center", va="center")
    else:
        _fill(axes, frame)
    for one in axes:
        one.grid(axis="y", alpha=0.25)
        one.set_axisbelow(True)
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelbottom=one is axes[-1])
    axes[-1].set_xlabel("started (UTC)")
    return ax


def _title(frame: "DataFrame", undated: int) -> str:
    counts = (
        ("failed", _failed(frame)),
        ("undone", _undone(frame)),
        ("never ended", _open_ended(frame)),
    )
    parts = [f"{len(frame)} run{'' if len(frame) == 1 else 's'}"]
    parts += [f"{which.sum()} {what}" for what, which in counts if which.any()]
    if undated:
        parts.append(f"{undated} without a time left out")
    return ", ".join(parts)


def _fill(axes: "list[Axes]", frame: "DataFrame") -> None:
    stored, checked, seconds = axes
    when = frame["started_at"].dt.tz_localize(None).to_numpy()
    added, updated = _numbers(frame, "hearings_added", 0), _numbers(frame, "hearings_updated", 0)
    took = _numbers(frame, "duration_seconds", numpy.nan)
    failed, undone, open_ended = _failed(frame), _undone(frame), _open_ended(frame)

    # In points rather than in days: runs minutes apart stay to be seen in a plot of a year.
    width = float(numpy.clip(330 / len(frame), 1, 9))
    bars: dict[str, Any] = {"linewidth": width, "capstyle": "butt"}
    stored.vlines(when, 0, added, color=ADDED, label="added", **bars)
    stored.vlines(when, added, added + updated, color=UPDATED, label="updated", **bars)
    stored.set_ylim(0, max(1.0, float((added + updated).max()) * 1.12))
    checked.vlines(when, 0, _numbers(frame, "hearings_checked", 0), color=PLAIN, **bars)
    checked.set_ylim(bottom=0)

    size = float(numpy.clip(1500 / len(frame), 6, 30))
    fine = ~(failed | open_ended)
    seconds.plot(when, took, color=PLAIN, linewidth=0.8, alpha=0.5)
    seconds.scatter(when[fine], took[fine], s=size, color=PLAIN, label="completed")
    # One whose duration nobody noted is marked all the same, at the bottom.
    low = numpy.nan_to_num(took)
    for which, colour, marker, label in (
        (failed, FAILED, "X", "failed"),
        (undone, UNDONE, "v", "undone"),
        (open_ended, PLAIN, "$?$", "never ended"),
    ):
        if which.any():
            marks: dict[str, Any] = {"s": size * 2.2, "c": colour, "marker": marker, "zorder": 3}
            seconds.scatter(when[which], low[which], label=label, clip_on=False, **marks)
    for moment in when[failed]:
        for one in axes:
            one.axvline(moment, color=FAILED, alpha=0.25, linewidth=max(width, 2), zorder=0)
    seconds.set_ylim(0, max(0.1, float(low.max()) * 1.12))
    _dates(seconds, when)
    for one in (stored, checked):
        one.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    seconds.yaxis.set_major_locator(MaxNLocator(nbins=4))
    handles = [handle for one in axes for handle in one.get_legend_handles_labels()[0]]
    legend = stored.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(handles),
        fontsize="small",
        frameon=False,
        borderaxespad=0.2,
        columnspacing=1.2,
        handlelength=1.2,
    )
    for handle in legend.legend_handles:
        if isinstance(handle, LineCollection):
            handle.set_linewidth(9)


def _dates(ax: "Axes", when: Any) -> None:
    first, last = when.min(), when.max()
    room = max((last - first) * 0.03, numpy.timedelta64(1, "h"))
    ax.set_xlim(first - room, last + room)
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)


def _numbers(frame: "DataFrame", column: str, missing: float) -> Any:
    values = frame[column].to_numpy(dtype=float, na_value=missing)
    # What another program noted as infinite, no axis can show.
    return numpy.where(numpy.isfinite(values), values, missing)


def _failed(frame: "DataFrame") -> Any:
    return (~frame["success"]).fillna(False).to_numpy(dtype=bool)


def _open_ended(frame: "DataFrame") -> Any:
    return frame["success"].isna().to_numpy(dtype=bool)


def _undone(frame: "DataFrame") -> Any:
    return (frame["batches_undone"] > 0).fillna(False).to_numpy(dtype=bool)
