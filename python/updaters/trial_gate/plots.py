"""The page's plots: SVG that takes its colours and its font from the page around it."""

import io
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from updaters.trial_gate.memory import REQUIRED_MB
from updaters.trial_gate.tables import MEMORY_RUNS, fixed, signed, when

#: matplotlib wants colours, the page has variables: each stands for one of them.
INK, SOFT, RULE, PAPER = "#010203", "#010204", "#010205", "#010206"
ONE, TWO, THREE = "#010207", "#010208", "#010209"
OK, WARNING, CRITICAL = "#01020a", "#01020b", "#01020c"
VARIABLES: Mapping[str, str] = {
    INK: "--ink",
    SOFT: "--soft",
    RULE: "--rule",
    PAPER: "--card",
    ONE: "--one",
    TWO: "--two",
    THREE: "--three",
    OK: "--ok",
    WARNING: "--warning",
    CRITICAL: "--critical",
}
#: Inches, so that a text of 10 has as many pixels on a phone.
SIZE = (4.8, 2.9)
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trial-gate",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}
MISSING = "Plots need matplotlib: pip install 'hearing-updater[trial]'."

#: What a plot draws upon, and what it draws.
Draw = Callable[[Any, Mapping[str, Any]], None]


def plots(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The four plots: `{id, title, measured, alt, svg}`. `svg` is None where nothing was measured,
    or where matplotlib is missing, as `alt` then says."""
    kinds: tuple[tuple[str, str, str, Callable[[Any], str], Draw], ...] = (
        ("sizes", "Duration by batch size", "sweep", _sizes_told, _sizes),
        ("compared", "Phase 2.2 against batches", "batch", _compared_told, _compared),
        ("memory", "Memory over time", "memory", _memory_told, _memory),
        ("health", "Health over the observation", "observe", _health_told, _health),
    )
    shown = []
    for name, title, step, tell, draw in kinds:
        found = results.get(step)
        alt = tell(found) if found else ""
        svg = _svg(name, title, alt, draw, found) if found else None
        if found and svg is None:
            alt = f"{alt} {MISSING}"
        shown.append({"id": name, "title": title, "measured": bool(found), "alt": alt, "svg": svg})
    return shown


def _svg(name: str, title: str, alt: str, draw: Draw, found: Mapping[str, Any]) -> Any:
    """An inline SVG, or None without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        return None
    from markupsafe import Markup, escape

    with rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.add_subplot(), found)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    drawn = _themed(_with_own_ids(_inner(file.getvalue()), name))
    width, height = (round(72 * side, 1) for side in SIZE)
    return Markup(
        f'<svg role="img" aria-labelledby="plot-{name}-title plot-{name}-alt" '
        f'viewBox="0 0 {width} {height}" preserveAspectRatio="xMidYMid meet">'
        f'<title id="plot-{name}-title">{escape(title)}</title>'
        f'<desc id="plot-{name}-alt">{escape(alt)}</desc>{drawn}</svg>'
    )


def _inner(text: str) -> str:
    """What is in a file's `<svg>`, less its metadata, which name another site."""
    start = text.index(">", text.index("<svg")) + 1
    inner = text[start : text.rindex("</svg>")]
    return re.sub(r"\s*<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)


def _with_own_ids(text: str, name: str) -> str:
    """matplotlib numbers its parts: several figures on a page would share their ids."""
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', text)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)


def _themed(text: str) -> str:
    """The page's colours, and its font."""
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", text)


# --- duration by batch size ----------------------------------------------------------------------


def _sizes_told(found: Mapping[str, Any]) -> str:
    told = (
        f"{size}: {fixed(seen['duration_seconds']['median'], 2, 's')} "
        f"({fixed(seen['duration_seconds']['min'])} to {fixed(seen['duration_seconds']['max'])})"
        for size, seen in found["sizes"].items()
    )
    return f"Median duration and spread by batch size. {'; '.join(told)}."


def _sizes(axes: Any, found: Mapping[str, Any]) -> None:
    sizes = found["sizes"]
    places = range(len(sizes))
    took = [seen["duration_seconds"] for seen in sizes.values()]
    medians = [seen["median"] for seen in took]
    axes.vlines(
        places,
        [seen["min"] for seen in took],
        [seen["max"] for seen in took],
        colors=ONE,
        lw=6,
        alpha=0.25,
        capstyle="round",
    )
    for place, seen in zip(places, took, strict=True):
        values = seen["values"]
        axes.plot([place] * len(values), values, "o", ms=3, mfc=ONE, mec="none", alpha=0.6)
    axes.plot(places, medians, "-", color=ONE, lw=1.2)
    axes.plot(places, medians, "o", ms=7, mfc=ONE, mec=PAPER, mew=1.5)
    for place, seen in zip(places, took, strict=True):
        axes.annotate(
            f"{seen['median']:.2f}",
            (place, seen["max"]),
            (0, 7),
            textcoords="offset points",
            ha="center",
        )
    axes.locator_params(axis="y", nbins=5)
    axes.set_xticks(list(places), list(sizes))
    axes.set_xlim(-0.4, len(sizes) - 0.4)
    axes.grid(False, axis="x")
    axes.set_xlabel("changes in a batch")
    axes.set_ylabel("seconds")
    axes.margins(y=0.2)


# --- phase 2.2 against batches -------------------------------------------------------------------


def _compared_told(found: Mapping[str, Any]) -> str:
    plain, batched = found["baseline_seconds"], found["duration_seconds"]
    return (
        f"Duration of each run. Median of Phase 2.2: {fixed(plain['median'], 2, 's')}; of batches: "
        f"{fixed(batched['median'], 2, 's')}; difference {signed(found['difference_percent'])}. "
        "The band is 10 % around the median of Phase 2.2."
    )


def _compared(axes: Any, found: Mapping[str, Any]) -> None:
    plain, batched = found["baseline_seconds"], found["duration_seconds"]
    median = plain["median"]
    axes.axvspan(median * 0.9, median * 1.1, color=SOFT, alpha=0.12, lw=0)
    axes.annotate(
        "± 10 %",
        (median * 1.1, 1.45),
        (-3, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        color=SOFT,
        size=9,
    )
    for place, took, colour in ((1, plain, TWO), (0, batched, ONE)):
        values = took["values"]
        axes.plot(values, [place] * len(values), "o", ms=6, mfc=colour, mec=PAPER, alpha=0.75)
        axes.plot([took["median"]] * 2, [place - 0.22, place + 0.22], color=colour, lw=2.5)
        axes.annotate(
            f"{took['median']:.2f} s",
            (took["median"], place + 0.24),
            (0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
        )
    axes.set_yticks([1, 0], ["Phase 2.2", "Batches"])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(-0.6, 1.65)
    axes.grid(False, axis="y")
    axes.set_xlabel("seconds")
    axes.margins(x=0.1)


# --- memory over time ----------------------------------------------------------------------------


def _memory_told(found: Mapping[str, Any]) -> str:
    told = (
        f"{MEMORY_RUNS.get(name, name)}: peak {fixed(run['peak_mb'], 1, 'MB')}, "
        f"{fixed(run['increase_mb'], 1, 'MB')} above the launcher"
        for name, run in found["runs"].items()
    )
    return f"Resident memory of the process over its run. {'; '.join(told)}."


def _memory(axes: Any, found: Mapping[str, Any]) -> None:
    launcher = max(run["baseline_mb"] for run in found["runs"].values())
    looks = (("-", TWO), ("-", ONE), ("-", THREE))
    for (name, run), (line, colour) in zip(found["runs"].items(), looks, strict=False):
        seconds, sizes = zip(*run["samples"], strict=True) if run["samples"] else ((), ())
        axes.plot(seconds, sizes, line, color=colour, lw=1.6, label=MEMORY_RUNS.get(name, name))
    for height, text, dash in (
        (launcher + REQUIRED_MB, f"limit: launcher + {REQUIRED_MB} MB", (0, (5, 3))),
        (launcher, "launcher", (0, (1, 2))),
    ):
        axes.axhline(height, color=SOFT, lw=1, ls=dash)
        axes.annotate(
            text,
            (1, height),
            (0, -3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="top",
            color=SOFT,
            size=9,
        )
    axes.set_ylim(0, (launcher + REQUIRED_MB) * 1.08)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds")
    axes.set_ylabel("MB")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.9), frameon=False, fontsize=9)


# --- health over the observation -----------------------------------------------------------------

#: Status -> its row and its colour.
ROWS: Mapping[str, tuple[int, str]] = {
    "ok": (1, OK),
    "warning": (2, WARNING),
    "critical": (3, CRITICAL),
}
MODES: Mapping[str, tuple[str, str]] = {"plain": ("Phase 2.2", TWO), "batch": ("batches", ONE)}


def _health_told(found: Mapping[str, Any]) -> str:
    statuses = found["statuses"]
    return (
        f"{found['count']} health checks from {when(found['first'])} to {when(found['last'])}, "
        f"covering {found['hours_covered']:.1f} hours: {statuses['ok']} ok, "
        f"{statuses['warning']} with warnings, {statuses['critical']} critical."
    )


def _health(axes: Any, found: Mapping[str, Any]) -> None:
    start = datetime.fromisoformat(found["first"])

    def hours(stamp: str) -> float:
        return (datetime.fromisoformat(stamp) - start).total_seconds() / 3600

    for status, (row, colour) in ROWS.items():
        at = [hours(check["time"]) for check in found["checks"] if check["status"] == status]
        axes.vlines(at, row - 0.3, row + 0.3, colors=colour, lw=2.4)
    for phase in found["phases"]:
        name, colour = MODES.get(phase["mode"], ("mode unknown", SOFT))
        begin, end = hours(phase["from"]), hours(phase["to"])
        axes.barh(0, end - begin, left=begin, height=0.36, color=colour, alpha=0.3, lw=0)
        if end - begin > found["hours"] / 6:
            axes.annotate(name, ((begin + end) / 2, 0), ha="center", va="center", size=9)
        else:
            # Beside it, as there is no room in it.
            axes.annotate(name, (end, 0), (4, 0), textcoords="offset points", va="center", size=9)
    for gap in found["gaps"]:
        axes.axvspan(hours(gap["from"]), hours(gap["to"]), color=SOFT, alpha=0.12, lw=0)
    axes.set_yticks([0, 1, 2, 3], ["last run", *ROWS])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(-0.5, 3.6)
    axes.grid(False, axis="y")
    axes.set_xlabel(f"hours since {when(found['first'])}")
    # All that was to be watched, so that what was not is seen.
    axes.set_xlim(-0.02 * found["hours"], 1.02 * found["hours"])
