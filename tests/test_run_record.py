"""What a run leaves behind: its row in the log, its backup, its counts, the journal mode."""

import json
import re
import shutil
from datetime import datetime

import pytest

from helpers_run import World, meeting


def test_update_logs_are_naive_local_times(world: World) -> None:
    world.put(meeting(1))
    floor = datetime.now().replace(microsecond=0)
    updater = world.updater()
    updater.trigger_source = "vercel_cron"
    updater.schedule_id = 5
    updater.run_daily_update()
    log = world.row("SELECT * FROM update_logs")
    for column in ("start_time", "end_time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", log[column])
    assert floor <= datetime.fromisoformat(log["start_time"]) <= datetime.now()
    assert log["start_time"] <= log["end_time"]
    assert log["duration_seconds"] > 0
    assert (log["success"], log["error_count"], json.loads(log["errors"])) == (1, 0, [])
    assert (log["hearings_checked"], log["hearings_added"], log["hearings_updated"]) == (1, 1, 0)
    assert (log["trigger_source"], log["schedule_id"]) == ("vercel_cron", 5)
    assert log["api_requests"] == world.sandbox.request_count


def test_where_the_table_does_not_know_a_trigger_manual_is_stored(world: World) -> None:
    world.do("DROP TABLE update_logs")
    world.do(
        "CREATE TABLE update_logs (log_id INTEGER PRIMARY KEY, update_date TEXT, start_time TEXT, "
        "end_time TEXT, duration_seconds REAL, hearings_checked INTEGER, hearings_updated INTEGER, "
        "hearings_added INTEGER, committees_updated INTEGER, witnesses_updated INTEGER, "
        "api_requests INTEGER, error_count INTEGER, errors TEXT, success INTEGER, "
        "trigger_source TEXT CHECK (trigger_source IN ('manual', 'vercel_cron', 'test')), "
        "schedule_id INTEGER, "
        "created_at TEXT DEFAULT CURRENT_TIMESTAMP)"
    )
    world.put(meeting(1))
    updater = world.updater()
    updater.trigger_source = "admin_manual"
    assert updater.run_daily_update()["success"]
    assert world.value("SELECT trigger_source FROM update_logs") == "manual"


def test_a_backup_put_back_with_cp_is_the_database_as_it_was(filled: World) -> None:
    before = filled.snapshot()
    filled.alter(1, title="Another title")
    shutil.rmtree(filled.folder / "backups")
    filled.run()
    [backup] = (filled.folder / "backups").iterdir()
    assert re.fullmatch(r"database_backup_\d{8}_\d{6}\.db", backup.name)
    assert filled.snapshot() != before
    assert not list(filled.folder.glob("database.db-*"))
    shutil.copyfile(backup, filled.path)
    assert filled.snapshot() == before
    assert filled.value("PRAGMA integrity_check") == "ok"
    assert filled.run()["hearings_updated"] == 1


@pytest.mark.parametrize("mode", ["delete", "wal", "truncate"])
def test_the_journal_mode_is_kept_and_nothing_is_left_beside_the_file(
    filled: World, mode: str
) -> None:
    filled.do(f"PRAGMA journal_mode = {mode}")
    kept = filled.value("PRAGMA journal_mode")
    filled.alter(1, title="Another title")
    filled.run()
    assert filled.value("PRAGMA journal_mode") == kept
    assert not [path.name for path in filled.folder.glob("database.db-*") if path.stat().st_size]


def test_a_new_database_is_wal(world: World) -> None:
    assert world.value("PRAGMA journal_mode") == "wal"


def test_counts_are_what_was_seen_and_sent(filled: World) -> None:
    filled.alter(1, title="Another title")
    filled.put(meeting(4, witnesses=[], witnessDocuments=[]))
    filled.sandbox.fail_next("503", times=1, path="/house/4")
    metrics = filled.run({"retry_attempts": 3})
    assert metrics["hearings_checked"] == 4
    assert (metrics["hearings_updated"], metrics["hearings_added"]) == (1, 1)
    assert metrics["api_requests"] == filled.sandbox.request_count
    assert metrics["errors"] == []


def test_a_second_run_of_the_same_updater_starts_afresh(world: World) -> None:
    world.put(meeting(1))
    updater = world.updater()
    assert updater.run_daily_update()["metrics"]["hearings_added"] == 1
    second = updater.run_daily_update()["metrics"]
    assert (second["hearings_added"], second["hearings_checked"]) == (0, 1)


@pytest.mark.parametrize(("given", "stored"), [("7", 7), (None, None), ("weekly", None)])
def test_a_schedule_id_may_come_as_text(
    world: World, given: str | None, stored: int | None
) -> None:
    world.put(meeting(1))
    updater = world.updater()
    updater.schedule_id = given  # type: ignore[assignment]
    assert updater.run_daily_update()["success"]
    assert world.row("SELECT * FROM update_logs")["schedule_id"] == stored
