"""`metrics.plot_runs`: what is in the picture, with few runs and with many."""

import math
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection, PathCollection

from updaters import metrics
from updaters._native import init_database


@pytest.fixture(autouse=True)
def no_display() -> Iterator[None]:
    matplotlib.use("Agg")
    yield
    pyplot.close("all")


def logged(folder: Path, runs: int, failed: tuple[int, ...] = (), hours: int = 24) -> Path:
    """A database with so many runs in its log, one after the other."""
    path = folder / f"{runs}.db"
    init_database(str(path))
    began = datetime(2025, 3, 1, 2)
    with closing(sqlite3.connect(path)) as db, db:
        for n in range(runs):
            start = began + timedelta(hours=n * hours)
            db.execute(
                "INSERT INTO update_logs (update_date, start_time, end_time, duration_seconds, "
                "hearings_checked, hearings_updated, hearings_added, success) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    str(start.date()),
                    str(start),
                    str(start),
                    2 + n % 3,
                    100 + n,
                    5,
                    2,
                    n not in failed,
                ),
            )
    return path


def below(ax: Any) -> list[Any]:
    """The three axes, from top to bottom."""
    ours = [one for one in ax.figure.axes if one is ax or one.get_shared_x_axes().joined(one, ax)]
    return sorted(ours, key=lambda one: -one.get_position().y0)


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_stored_checked_and_seconds_are_drawn_over_time(clean_env: Path) -> None:
    ax = metrics.plot_runs(logged(clean_env, 5), tz="UTC")
    stored, checked, seconds = (one for one in below(ax))
    assert [one.get_ylabel() for one in (stored, checked, seconds)] == [
        "stored",
        "checked",
        "seconds",
    ]
    added, updated = (c for c in stored.collections if isinstance(c, LineCollection))
    assert [line[1][1] for line in added.get_segments()] == [2] * 5
    assert [(line[0][1], line[1][1]) for line in updated.get_segments()] == [(2, 7)] * 5
    [bars] = (c for c in checked.collections if isinstance(c, LineCollection))
    assert [line[1][1] for line in bars.get_segments()] == [100, 101, 102, 103, 104]
    [line] = seconds.get_lines()
    assert list(line.get_ydata()) == [2, 3, 4, 2, 3]
    assert ax.get_title(loc="left") == "5 runs"
    assert legend(ax) == ["added", "updated", "completed"]
    assert seconds.get_xlabel() == "started (UTC)"
    pyplot.figure(ax.figure.number)
    ax.figure.canvas.draw()
    assert [label.get_text() for label in seconds.get_xticklabels() if label.get_text()]


def test_failed_undone_and_unfinished_runs_are_marked(clean_env: Path) -> None:
    path = logged(clean_env, 6, failed=(1, 4))
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(
            "INSERT INTO updater_runs (run_id, started_at, congress, mode, trigger_source, pid,"
            " success, log_id) VALUES (1, '2025-03-03 02:00:00', 119, 'full', 'manual', 1, 1, 3),"
            " (2, '2025-03-20 02:00:00', 119, 'full', 'manual', 1, NULL, NULL);"
            "INSERT INTO updater_batches (run_id, batch_number, kind, state, created_at)"
            " VALUES (1, 1, 'batch', 'undone', '2025-03-03 02:00:01');"
        )
    ax = metrics.plot_runs(path)
    assert ax.get_title(loc="left") == "7 runs, 2 failed, 1 undone, 1 never ended"
    assert legend(ax)[3:] == ["failed", "undone", "never ended"]
    seconds = below(ax)[-1]
    marks = {
        c.get_label(): len(c.get_offsets())
        for c in seconds.collections
        if isinstance(c, PathCollection)
    }
    assert marks == {"completed": 4, "failed": 2, "undone": 1, "never ended": 1}
    # A line through all three for each failure.
    assert [len(one.get_lines()) for one in below(ax)] == [2, 2, 3]


@pytest.mark.parametrize(("runs", "hours"), [(1, 24), (2, 24), (700, 24), (700, 1)])
def test_few_and_many_runs_can_be_told_apart(clean_env: Path, runs: int, hours: int) -> None:
    ax = metrics.plot_runs(logged(clean_env, runs, hours=hours))
    first, last = ax.get_xlim()
    days = (runs - 1) * hours / 24
    assert days < last - first < days * 1.1 + 1
    width = ax.collections[0].get_linewidths()[0]
    assert 1 <= width <= 9
    if runs > 100:
        assert width == 1
    ax.figure.savefig(clean_env / "plot.png")
    assert (clean_env / "plot.png").stat().st_size > 5000


def test_no_runs_are_said_to_be_none(clean_env: Path) -> None:
    ax = metrics.plot_runs(logged(clean_env, 0))
    assert [text.get_text() for text in ax.texts] == ["no runs"]
    ax.figure.canvas.draw()


def test_a_duration_without_end_is_left_out(clean_env: Path) -> None:
    path = logged(clean_env, 4)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE update_logs SET duration_seconds = 9e999 WHERE log_id = 2")
        db.execute("UPDATE update_logs SET duration_seconds = -9e999 WHERE log_id = 3")
    frame = metrics.runs(path)
    assert frame["duration_seconds"].tolist()[1:3] == [float("inf"), float("-inf")]
    frame.loc[3, "duration_seconds"] = float("nan")
    ax = metrics.plot_runs(frame)
    seconds = below(ax)[-1]
    ax.figure.canvas.draw()
    assert seconds.get_ylim() == (0, pytest.approx(2 * 1.12))
    [line] = seconds.get_lines()
    assert line.get_ydata()[0] == 2
    assert all(math.isnan(value) for value in line.get_ydata()[1:])


def test_it_draws_into_the_axes_that_are_given(clean_env: Path) -> None:
    path = logged(clean_env, 9)
    figure, (left, right) = pyplot.subplots(1, 2)
    assert metrics.plot_runs(path, since="2025-03-05", ax=left) is left
    assert left.get_title(loc="left") == "5 runs"
    assert len(pyplot.get_fignums()) == 1
    figure.canvas.draw()
    rooms = [one.get_position() for one in below(left)]
    assert len(rooms) == 3
    # None of the three is in the other axes' half.
    assert all(room.x1 < right.get_position().x0 for room in rooms)


def test_it_takes_a_frame_that_was_filtered_before(clean_env: Path) -> None:
    frame = metrics.runs(logged(clean_env, 9, failed=(2,)))
    ax = metrics.plot_runs(frame[frame["success"]])
    assert ax.get_title(loc="left") == "8 runs"


def test_it_works_without_a_display(clean_env: Path) -> None:
    path = logged(clean_env, 3)
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"}
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"from updaters import metrics; "
            f"metrics.plot_runs({str(path)!r}).figure.savefig('out.png')",
        ],
        check=True,
        cwd=clean_env,
        env={name: value for name, value in os.environ.items() if name not in hidden},
    )
    assert (clean_env / "out.png").read_bytes().startswith(b"\x89PNG")


def test_frames_can_be_plotted_by_pandas_themselves(clean_env: Path) -> None:
    path = logged(clean_env, 4, failed=(1,))
    ax = metrics.runs(path).plot(x="started_at", y="duration_seconds")
    assert len(ax.get_lines()[0].get_xdata()) == 4
