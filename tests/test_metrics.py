"""`updaters.metrics`: runs, batches and changes as DataFrames."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas
import pytest

from helpers_run import World, locked, meeting
from updaters import metrics
from updaters.daily_updater import DailyUpdater
from updaters.database import Database
from updaters.errors import ConfigurationError, UpdaterError

FRAMES: dict[str, Callable[..., pandas.DataFrame]] = {
    "runs": metrics.runs,
    "batches": metrics.batches,
    "changes": metrics.changes,
}

LOGS = """
CREATE TABLE update_logs (log_id INTEGER PRIMARY KEY, update_date TEXT, start_time TEXT,
    end_time TEXT, duration_seconds REAL, hearings_checked INTEGER, hearings_updated INTEGER,
    error_count INTEGER, errors TEXT, success INTEGER);
INSERT INTO update_logs VALUES
    (1, '2025-10-13', '2025-10-13 21:25:58', '2025-10-13 21:26:10', 12.5, 9, 4, 0, '[]', 1),
    (2, '2025-10-14', '2025-10-14 21:00:00', NULL, NULL, NULL, NULL, 1, '["no answer"]', 0),
    (3, '2025-11-02', '2025-11-02T01:59:30.250000', '2025-11-02T01:00:30', 60, 9, 0, 0, NULL, 1),
    (4, '2025-11-05', '2025-11-05T10:00:00+00:00', 'half past ten', 60, 9, 0, 0, NULL, 1);
"""


@pytest.fixture
def old_program(legacy_db: Path) -> Path:
    """A database without our tables, with four runs of older programs."""
    with closing(sqlite3.connect(legacy_db)) as db:
        db.executescript(LOGS)
    return legacy_db


def utc(text: str) -> pandas.Timestamp:
    return pandas.Timestamp(text, tz="UTC")


# --- runs ----------------------------------------------------------------------------------------


def test_a_run_is_one_row_of_both_tables(world: World) -> None:
    world.put(*(meeting(n) for n in (1, 2, 3)), meeting(4, date="next week"))
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    told = world.run({"batch_processing_size": 2})
    frame = metrics.runs(world.path)
    assert len(frame) == 1
    run = frame.iloc[0]
    assert before <= run["started_at"] <= run["ended_at"] <= datetime.now(timezone.utc)
    assert (run["run"], run["log_id"], run["congress"]) == (1, 1, 119)
    assert (run["mode"], run["trigger_source"], run["success"]) == ("incremental", "manual", True)
    assert run["duration_seconds"] == pytest.approx(told["duration_seconds"])
    for name in ("hearings_checked", "hearings_added", "witnesses_updated", "api_requests"):
        assert run[name] == told[name]
    assert (run["batches_applied"], run["batches_skipped"], run["batches_failed"]) == (1, 1, 0)
    assert (run["error_count"], run["errors"]) == (0, [])


def test_a_failed_run_says_why(world: World) -> None:
    world.put(meeting(1, date="next week"))
    told = world.run(success=False)
    run = metrics.runs(world.path).iloc[0]
    assert run["success"] is False or run["success"] == False  # noqa: E712
    assert (run["error_count"], run["errors"]) == (1, told["errors"])


def test_a_run_that_never_ended(filled: World) -> None:
    filled.do(
        "INSERT INTO updater_runs (started_at, congress, mode, trigger_source, pid) "
        "VALUES ('2999-01-01 02:03:04', 119, 'full', 'vercel_cron', 1)"
    )
    run = metrics.runs(filled.path, tz="UTC").iloc[-1]
    assert run["started_at"] == utc("2999-01-01 02:03:04")
    assert run["ended_at"] is pandas.NaT
    assert run["success"] is pandas.NA and run["log_id"] is pandas.NA
    assert (run["mode"], run["trigger_source"], run["batches_applied"]) == (
        "full",
        "vercel_cron",
        0,
    )


def test_the_older_programs_log_alone_gives_its_runs(old_program: Path) -> None:
    frame = metrics.runs(old_program, tz="America/New_York")
    assert frame["log_id"].tolist() == [1, 2, 3, 4]
    assert frame["run"].isna().all() and frame["batches_applied"].isna().all()
    assert frame["success"].tolist() == [True, False, True, True]
    assert frame["errors"].tolist() == [[], ["no answer"], [], []]
    assert frame["started_at"][0] == utc("2025-10-14 01:25:58")
    assert frame["duration_seconds"][0] == 12.5
    # With an offset it is no naive time.
    assert frame["started_at"][3] == utc("2025-11-05 10:00")
    assert frame["duration_seconds"].isna().tolist() == [False, True, False, False]
    assert frame["ended_at"].isna().tolist() == [False, True, False, True]
    assert frame["hearings_added"].isna().all()


def test_a_run_over_the_end_of_summer_time_ends_after_it_began(old_program: Path) -> None:
    run = metrics.runs(old_program, tz="America/New_York").iloc[2]
    assert run["started_at"] == utc("2025-11-02 05:59:30.25")
    assert run["ended_at"] == utc("2025-11-02 06:00:30")


def test_naive_times_are_this_machines_unless_a_zone_is_named(
    old_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        assert metrics.runs(old_program)["started_at"][0] == utc("2025-10-13 15:40:58")
        assert len(metrics.runs(old_program, since="2025-10-13 21:25:58")) == 4
        assert len(metrics.runs(old_program, since="2025-10-13 21:25:59")) == 3
    finally:
        monkeypatch.undo()
        time.tzset()
    assert metrics.runs(old_program, tz="UTC")["started_at"][0] == utc("2025-10-13 21:25:58")


# --- batches and changes -------------------------------------------------------------------------


def test_a_batch_is_one_row(world: World) -> None:
    world.put(*(meeting(n) for n in (1, 2, 3)), meeting(4, date="next week"))
    world.run({"batch_processing_size": 2})
    frame = metrics.batches(world.path)
    # What the updater writes for itself (its log) is no batch.
    assert set(frame["kind"]) == {"batch"}
    frame = frame.sort_values("batch")
    assert frame["outcome"].tolist() == ["applied", "skipped"]
    assert frame["size"].tolist() == [2, 2] and frame["records"].tolist() == [2, 0]
    assert frame["apply_ms"].isna().tolist() == [False, True]
    assert frame["error"].isna().tolist() == [True, False]
    assert (frame["at"] <= pandas.Timestamp.now(tz="UTC")).all()


def test_a_change_is_one_row(filled: World) -> None:
    filled.alter(1, title="Another title")
    filled.run()
    frame = metrics.changes(filled.path)
    added = frame[(frame["action"] == "added") & (frame["table"] == "hearings")]
    assert sorted(added["event_id"]) == ["1", "2", "3"]
    assert (added["field"] == "").all() and added["before"].isna().all()
    [title] = frame[frame["field"] == "title"].to_dict("records")
    assert (title["before"], title["after"]) == ("Meeting 1", "Another title")
    assert (title["event_id"], title["run"], title["kind"]) == ("1", 2, "batch")
    assert title["title"] == "Another title"


# --- all three -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRAMES)
def test_an_empty_answer_has_the_same_dtypes(filled: World, legacy_db: Path, name: str) -> None:
    filled.alter(1, title="Another title")
    filled.run()
    full, empty = FRAMES[name](filled.path), FRAMES[name](filled.path, since="2999-01-01")
    assert len(full) > 0 and len(empty) == 0
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()
    # Nor does a database without any of the tables change them.
    bare = FRAMES[name](legacy_db)
    assert len(bare) == 0 and bare.dtypes.to_dict() == full.dtypes.to_dict()


@pytest.mark.parametrize(
    ("name", "dtypes"),
    [
        (
            "runs",
            {
                "started_at": "datetime64[us, UTC]",
                "ended_at": "datetime64[us, UTC]",
                "duration_seconds": "Float64",
                "success": "boolean",
                "hearings_added": "Int64",
                "mode": "string",
            },
        ),
        ("batches", {"at": "datetime64[us, UTC]", "size": "Int64", "commit_ms": "Float64"}),
        ("changes", {"at": "datetime64[us, UTC]", "event_id": "string", "before": "object"}),
    ],
)
def test_the_dtypes_are_such_that_nothing_turns_into_floats(
    filled: World, name: str, dtypes: dict[str, str]
) -> None:
    found = FRAMES[name](filled.path).dtypes
    assert {column: str(found[column]) for column in dtypes} == dtypes


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("kind", ["str", "path", "database", "native", "updater", "settings"])
def test_the_database_may_be_given_in_many_ways(
    filled: World, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.setenv("DATABASE_PATH", str(filled.path))
    updater = filled.updater()
    given: dict[str, Any] = {
        "str": str(filled.path),
        "path": filled.path,
        "database": Database(filled.path),
        "native": Database(filled.path).native,
        "updater": updater,
        "settings": None,
    }
    assert len(FRAMES[name](given[kind])) > 0


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("1d", 1),
        ("26h", 1),
        ("72 H", 2),
        ("1w", 2),
        (timedelta(days=1), 1),
        (timedelta(days=3), 2),
        (None, 3),
        (date(1990, 1, 1), 3),
        (datetime(1990, 1, 1), 3),
        (pandas.Timestamp("1990-01-01", tz="Europe/Berlin"), 3),
        ("1990-01-01", 3),
        ("1990-01-01T12:30:00+02:00", 3),
        ("1990-01-01T12:30:00Z", 3),
        (datetime(2999, 1, 1, tzinfo=timezone.utc), 0),
    ],
)
@pytest.mark.parametrize("name", ["runs", "batches"])
def test_since(world: World, name: str, since: Any, expected: int) -> None:
    """Three runs with a batch each: today, two days ago, ten days ago."""
    for number, days in ((1, 8), (2, 2), (3, 0)):
        world.put(meeting(number))
        world.run()
        for table, columns in (
            ("update_logs", ("start_time", "end_time")),
            ("updater_batches", ("created_at",)),
        ):
            for column in columns:
                world.do(f"UPDATE {table} SET {column} = datetime({column}, '-{days} days')")
    assert len(FRAMES[name](world.path, since)) == expected


def test_since_of_changes(filled: World) -> None:
    filled.do("UPDATE updater_batches SET created_at = datetime(created_at, '-3 days')")
    filled.alter(1, title="Another title")
    filled.run()
    assert set(metrics.changes(filled.path, "2d")["run"]) == {2}
    assert set(metrics.changes(filled.path, "4d")["run"]) == {1, 2}


@pytest.mark.parametrize("since", ["soon", "7", "-7d", "7y", "999999w", "2025-13-01", 7, object()])
@pytest.mark.parametrize("name", FRAMES)
def test_a_bad_since_is_one_line(filled: World, name: str, since: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^since=.*: should be such as '7d'.*$"):
        FRAMES[name](filled.path, since)


def test_a_bad_zone_is_one_line(filled: World) -> None:
    for zone in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(ConfigurationError, match=r"^tz='.*': no such time zone.*$"):
            metrics.runs(filled.path, tz=zone)


@pytest.mark.parametrize("name", FRAMES)
def test_what_is_no_database_of_hearings_is_one_line(clean_env: Path, name: str) -> None:
    (clean_env / "text.db").write_text("no database at all, but quite long enough " * 40)
    with closing(sqlite3.connect(clean_env / "other.db")) as db, db:
        db.execute("CREATE TABLE people (id)")
    for file, says in (
        ("missing.db", "missing.db"),
        ("text.db", "text.db"),
        ("other.db", "other.db: not a hearings database"),
    ):
        with pytest.raises(UpdaterError, match=says) as raised:
            FRAMES[name](clean_env / file)
        assert "\n" not in str(raised.value)
    assert not (clean_env / "missing.db").exists()
    with pytest.raises(ConfigurationError, match="got int"):
        FRAMES[name](7)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_reading_leaves_every_file_as_it_was(filled: World, mode: str) -> None:
    filled.do(f"PRAGMA journal_mode = {mode}")
    before = filled.files()
    for frame in FRAMES.values():
        frame(filled.path)
    metrics.plot_runs(filled.path)
    assert filled.files() == before


def test_a_database_of_the_oldest_shape_is_not_brought_up(old_program: Path) -> None:
    before = old_program.read_bytes()
    for frame in FRAMES.values():
        frame(old_program)
    assert old_program.read_bytes() == before


def test_reading_works_while_another_program_writes(filled: World) -> None:
    with locked(filled):
        for frame in FRAMES.values():
            assert len(frame(filled.path)) > 0


def test_reading_works_inside_a_batch_and_does_not_disturb_it(world: World) -> None:
    seen = []

    class Curious(DailyUpdater):
        def _add_new_hearing(self, conn: Any, hearing_data: dict[str, Any]) -> None:
            seen.append(len(metrics.runs(self)))
            super()._add_new_hearing(conn, hearing_data)
            seen.append(len(metrics.batches(self.db)))

    world.put(meeting(1), meeting(2))
    updater = Curious(lookback_days=60)
    updater.settings = world.updater().settings
    result = updater.run_daily_update()
    updater.db.close()
    assert result["success"] and result["metrics"]["hearings_added"] == 2
    assert seen == [1, 1, 1, 1]


@pytest.mark.parametrize("package", ["pandas", "matplotlib"])
def test_without_the_packages_one_line_says_what_to_install(
    filled: World, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    calls = [metrics.plot_runs, *(FRAMES.values() if package == "pandas" else ())]
    for call in calls:
        with pytest.raises(UpdaterError) as raised:
            call(filled.path)
        assert str(raised.value) == (
            f"{package} is needed for this and not installed: "
            "pip install 'hearing-updater[notebook]'"
        )


def test_nothing_heavy_is_imported_until_a_frame_is_asked_for() -> None:
    code = (
        "import sys, updaters.daily_updater, updaters.metrics\n"
        "heavy = {'pandas', 'numpy', 'matplotlib', 'html'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
