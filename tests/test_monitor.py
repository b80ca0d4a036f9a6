"""A health check: what it looks at, and from when on that is a warning or critical."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from conftest import REAL_DATABASE, query
from helpers_run import World, meeting, update
from updaters import _native
from updaters.health import STATUSES, Finding, Health, Limits, check
from updaters.health import surroundings as around

#: Enough disk everywhere: other machines than this one run the tests.
LIMITS = Limits(min_free_mb=0.001)
#: For another process, which is to note its times as this one does.
ZONE = {"TZ": os.environ["TZ"]} if "TZ" in os.environ else {}


def look(path: Path, **options: Any) -> Health:
    return check(path, **{"log_folder": path.parent / "logs", "limits": LIMITS, **options})


def found(health: Health, name: str) -> Finding:
    [finding] = [one for one in health.findings if one.name == name]
    return finding


def bad(health: Health) -> dict[str, str]:
    """What is not ok, and how bad it is."""
    return {one.name: one.status for one in health.findings if one.status != "ok"}


def days_later(**time: float) -> datetime:
    return datetime.now() + timedelta(**time)


def log(folder: Path, *lines: str, day: datetime | None = None) -> Path:
    file = folder / "logs" / f"daily_update_{day or datetime.now():%Y%m%d}.log"
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as out:
        out.writelines(f"{line}\n" for line in lines)
    return file


def line(level: str, text: str, at: datetime | None = None) -> str:
    return (
        f"{at or datetime.now():%Y-%m-%d %H:%M:%S},340 - updaters.daily_updater - {level} - {text}"
    )


# --- a healthy one ------------------------------------------------------------------------------


def test_after_a_good_run_all_is_well(filled: World) -> None:
    health = look(filled.path)
    assert (health.status, health.exit_code, bad(health)) == ("ok", 0, {})
    last = found(health, "last_run")
    assert last.values["success"] is True
    assert (last.values["checked"], last.values["added"]) == (3, 3)
    assert last.values["batched"] is True
    assert last.values["seconds"] > 0
    assert "3 added (in batches)" in last.message
    assert health.get("batches", "batches") == 1
    assert health.get("hearings", "hearings") == 3
    assert health.get("disk", "free_bytes") > 0
    assert health.get("database", "bytes") == filled.path.stat().st_size


def test_as_a_dict_it_is_json_and_names_each_finding(filled: World) -> None:
    told = json.loads(json.dumps(look(filled.path).to_dict()))
    assert list(told) == ["time", "status", "exit_code", "database", "full", "findings"]
    assert datetime.fromisoformat(told["time"]).utcoffset() is not None
    names = [finding["name"] for finding in told["findings"]]
    assert len(names) == len(set(names)) == 11
    for finding in told["findings"]:
        assert list(finding) == ["name", "status", "message", "values"]
        assert finding["status"] in STATUSES


def test_a_plain_run_is_told_from_a_batched_one(filled: World) -> None:
    filled.alter(2, title="Another title")
    filled.run({"enable_batch_processing": False})
    health = look(filled.path)
    assert health.get("last_run", "batched") is False
    assert "without batches" in found(health, "last_run").message


@pytest.mark.parametrize("flag", ["true", "false"])
def test_a_run_without_changes_tells_its_mode_in_its_log(filled: World, flag: str) -> None:
    assert look(filled.path).get("last_run", "batched") is True
    update(filled, ENABLE_BATCH_PROCESSING=flag, **ZONE)
    health = look(filled.path)
    assert health.get("last_run", "updated") == 0
    assert health.get("last_run", "batched") is (flag == "true")
    # The log of the run's own day, later too.
    health = look(filled.path, now=days_later(days=3))
    assert health.get("last_run", "batched") is (flag == "true")
    shutil.rmtree(filled.folder / "logs")
    assert look(filled.path).get("last_run", "batched") is None


def test_a_full_check_looks_into_the_indexes(filled: World) -> None:
    # The two indexes of a table in each other's place.
    filled.do("CREATE TABLE t (a, b)", "CREATE INDEX t_a ON t(a)", "CREATE INDEX t_b ON t(b)")
    filled.do("INSERT INTO t VALUES (1, 2), (3, 4)")
    roots = dict(query(filled.path, "SELECT name, rootpage FROM sqlite_schema"))
    filled.do(
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_schema SET rootpage = {roots['t_b']} WHERE name = 't_a'",
        f"UPDATE sqlite_schema SET rootpage = {roots['t_a']} WHERE name = 't_b'",
    )
    assert found(look(filled.path), "integrity").status == "ok"
    health = look(filled.path, full=True)
    integrity = found(health, "integrity")
    assert integrity.status == "critical"
    assert integrity.message.startswith("integrity_check: ")
    assert integrity.values["problems"] > 1


# --- the data -----------------------------------------------------------------------------------


def test_broken_references_are_a_warning_as_other_tools_leave_them(filled: World) -> None:
    filled.do("PRAGMA foreign_keys = OFF", "DELETE FROM witnesses WHERE witness_id = 1")
    health = look(filled.path)
    assert bad(health) == {"foreign_keys": "warning"}
    # Of three hearings.
    assert health.get("foreign_keys", "violations") == 3
    assert (
        "3 broken references, such as: witness_appearances" in found(health, "foreign_keys").message
    )


def test_values_against_a_tables_rules_are_a_warning_and_no_damage(filled: World) -> None:
    filled.do(
        "PRAGMA ignore_check_constraints = ON",
        "UPDATE hearings SET status = 'Unheard' WHERE event_id = '2'",
    )
    health = look(filled.path)
    assert bad(health) == {"rows": "warning"}
    assert "Unheard" in found(health, "rows").message


def test_the_real_database_has_no_run_yet_and_is_sound_otherwise(real_db: Path) -> None:
    health = look(real_db, full=True)
    assert bad(health) == {"last_run": "warning"}
    assert health.get("hearings", "hearings") == 1168
    assert real_db.read_bytes() == REAL_DATABASE.read_bytes()


def test_a_new_database_is_a_warning_and_an_emptied_one_critical(world: World) -> None:
    health = look(world.path)
    assert bad(health) == {"hearings": "warning", "last_run": "warning"}
    world.put(meeting(1, witnesses=None, committees=None, witnessDocuments=None))
    world.run()
    world.do("DELETE FROM hearings")
    assert bad(look(world.path)) == {"hearings": "critical"}


def defer(world: World, count: int, kind: str = "fetch", tries: int = 1, days: float = 0.1) -> None:
    since = datetime.now(timezone.utc) - timedelta(days=days)
    row = "INSERT INTO updater_deferred VALUES ({}, 119, 'house', '{}', 'x', {}, 0, '{}', '')"
    stamp = f"{since:%Y-%m-%d %H:%M:%S}"
    world.do("DELETE FROM updater_deferred")
    world.do(*[row.format(number, kind, tries, stamp) for number in range(count)])


def test_a_few_deferred_events_are_no_trouble(filled: World) -> None:
    defer(filled, 4, tries=4, days=2.9)
    health = look(filled.path)
    assert health.exit_code == 0
    values = found(health, "deferred").values
    assert (values["events"], values["most_tries"]) == (4, 4)
    limits = Limits(min_free_mb=0, max_deferred=3)
    assert bad(look(filled.path, limits=limits)) == {"deferred": "warning"}


def test_many_that_could_not_be_fetched_beside_what_was_checked_are_a_warning(
    filled: World,
) -> None:
    filled.do("UPDATE update_logs SET hearings_checked = 40")
    defer(filled, 40)
    health = look(filled.path)
    assert bad(health) == {"deferred": "warning"}
    told = "40 could not be fetched, where the last run checked 40"
    assert told in found(health, "deferred").message
    defer(filled, 21)
    assert bad(look(filled.path)) == {"deferred": "warning"}
    # Half, and no more; of records that were refused, fetching is not to blame.
    for count, kind in ((20, "fetch"), (40, "record")):
        defer(filled, count, kind)
        assert look(filled.path).exit_code == 0


def test_what_waits_for_long_or_was_tried_often_is_a_warning(filled: World) -> None:
    defer(filled, 1, "record", tries=5)
    health = look(filled.path)
    assert bad(health) == {"deferred": "warning"}
    assert "tried up to 5 times" in found(health, "deferred").message
    defer(filled, 1, "record", days=3.1)
    health = look(filled.path)
    assert bad(health) == {"deferred": "warning"}
    assert "waiting for 3.1 days" in found(health, "deferred").message


# --- the runs -----------------------------------------------------------------------------------


def test_the_age_of_the_last_success(filled: World) -> None:
    for hours, status in ((25.9, "ok"), (26.1, "warning"), (49.9, "warning"), (50.1, "critical")):
        health = look(filled.path, now=days_later(hours=hours))
        assert found(health, "last_run").status == status, hours
    assert "50.1 hours ago" in found(health, "last_run").message
    limits = Limits(max_age_hours=1, min_free_mb=0)
    assert bad(look(filled.path, now=days_later(hours=2), limits=limits)) == {"last_run": "warning"}


def logged_run(success: int, hours_ago: float) -> str:
    at = days_later(hours=-hours_ago)
    return (
        "INSERT INTO update_logs (update_date, start_time, end_time, success, error_count) VALUES "
        f"('{at:%Y-%m-%d}', '{at:%Y-%m-%dT%H:%M:%S.%f}', '{at:%Y-%m-%d %H:%M:%S}', {success}, 4)"
    )


def test_a_failed_run_is_a_warning_and_three_in_a_row_are_critical(filled: World) -> None:
    # Also of an updater that knows nothing of our tables. In the future: after the one just made.
    for ahead, status in ((1, "warning"), (2, "warning"), (3, "critical")):
        filled.do(logged_run(0, -ahead))
        health = look(filled.path, now=days_later(hours=4))
        assert found(health, "last_run").status == status
    assert found(health, "last_run").message == "the last 3 runs failed"
    assert health.get("last_run", "run") is None
    filled.do(logged_run(1, -3.5))
    assert look(filled.path, now=days_later(hours=4)).exit_code == 0


def test_a_run_of_a_time_to_come_is_a_warning_and_hides_no_age(filled: World) -> None:
    for days in (29, 30):
        filled.do(logged_run(1, -24 * days))
    health = look(filled.path)
    assert bad(health) == {"last_run": "warning"}
    last = found(health, "last_run")
    assert f"passed over 2 runs of a time to come: {days_later(days=30):%Y-%m-%d}" in last.message
    assert (last.values["future"], last.values["checked"]) == (2, 3)
    later = look(filled.path, now=days_later(hours=60))
    assert bad(later) == {"last_run": "critical"}
    assert "the last successful run was 60.0 hours ago" in found(later, "last_run").message
    # Until then.
    assert look(filled.path, now=days_later(days=30, hours=1)).exit_code == 0


def test_a_clock_that_is_a_little_ahead_is_no_trouble(filled: World) -> None:
    filled.do(logged_run(1, -0.05))
    health = look(filled.path)
    assert (health.exit_code, health.get("last_run", "success_age_hours")) == (0, 0)


def test_a_run_whose_start_is_no_time_is_passed_over(filled: World) -> None:
    filled.do(*[logged_run(1, 24 * days) for days in range(1, 31)])
    # More than are looked at; they sort after every time.
    filled.do(*["UPDATE update_logs SET start_time = 'not a date' WHERE log_id > 19"])
    health = look(filled.path)
    assert bad(health) == {"last_run": "warning"}
    last = found(health, "last_run")
    assert last.message == "passed over 12 runs whose start is no time"
    assert (last.values["success"], last.values["success_age_hours"]) == (True, 0)
    assert health.get("batches", "runs") == 10
    filled.do("UPDATE update_logs SET start_time = ''", "DELETE FROM updater_runs")
    nothing = found(look(filled.path), "last_run")
    assert nothing.message.startswith("no run is recorded: run an update; passed over 31 runs")


def test_a_run_that_was_killed_is_told(filled: World) -> None:
    filled.do("UPDATE updater_runs SET success = NULL, ended_at = NULL")
    health = look(filled.path)
    assert bad(health) == {"last_run": "warning"}
    assert "killed" in found(health, "last_run").message


def test_an_updater_of_before_recorded_no_durations(legacy_db: Path) -> None:
    query(
        legacy_db,
        "CREATE TABLE update_logs (log_id INTEGER PRIMARY KEY, start_time TEXT, end_time TEXT)",
    )
    at = days_later(hours=-2)
    query(
        legacy_db,
        "INSERT INTO update_logs (start_time, end_time) VALUES (?, ?)",
        f"{at:%Y-%m-%d %H:%M:%S}",
        f"{at + timedelta(seconds=42):%Y-%m-%d %H:%M:%S}",
    )
    assert look(legacy_db).get("last_run", "seconds") == 42


def test_failed_batches_count_over_the_last_runs(filled: World) -> None:
    [[run]] = query(filled.path, "SELECT max(run_id) FROM updater_runs")
    row = f"INSERT INTO updater_batches (run_id, kind, state, created_at) VALUES ({run}, 'batch', "
    filled.do(*[f"{row}'applied', '')"] * 18)
    assert look(filled.path).get("batches", "batches") == 19
    # R1: 19 of 20.
    filled.do(f"{row}'skipped', '')")
    health = look(filled.path)
    assert (health.exit_code, health.get("batches", "failure_rate")) == (0, 0.05)
    filled.do(f"{row}'failed', '')")
    assert bad(look(filled.path)) == {"batches": "warning"}
    filled.do(*[f"{row}'failed', '')"] * 20)
    assert bad(look(filled.path)) == {"batches": "critical"}


def test_one_failed_batch_of_one_is_a_warning(filled: World) -> None:
    filled.do("UPDATE updater_batches SET state = 'failed'")
    assert bad(look(filled.path)) == {"batches": "warning"}


# --- the updater --------------------------------------------------------------------------------


def test_a_running_update_is_told_with_its_process(filled: World) -> None:
    with _native.RunLock(str(filled.path), "daily update"):
        filled.do(
            "INSERT INTO updater_runs (started_at, congress, mode, trigger_source, pid) "
            f"VALUES ('{datetime.now():%Y-%m-%d %H:%M:%S}', 119, 'full', 'manual', 1)"
        )
        health = look(filled.path)
        later = look(filled.path, now=days_later(hours=7))
    assert health.exit_code == 0
    updater = found(health, "updater")
    assert updater.values["running"] is True
    assert f"process {updater.values['pid']}" in updater.message
    # The one before it.
    assert health.get("last_run", "success") is True
    assert bad(later) == {"updater": "warning"}
    assert "7 hours" in found(later, "updater").message


def test_a_stale_lock_is_a_warning(filled: World) -> None:
    lock = filled.folder / "database.db.updater-lock"
    holder = {"pid": 4711, "host": "h", "since": "2025-01-01 00:00:00", "what": "daily update"}
    lock.write_text(json.dumps(holder))
    health = look(filled.path)
    assert bad(health) == {"updater": "warning"}
    assert "4711" in found(health, "updater").message
    assert health.get("updater", "stale_lock") is True
    assert lock.exists()


# --- the log ------------------------------------------------------------------------------------


def test_bad_lines_of_todays_log_count_by_their_level(filled: World) -> None:
    log(
        filled.folder,
        line("INFO", line("ERROR", "somebody else's")),
        "Traceback of an ERROR, which is one line further up",
        *[line("ERROR", f"boom {number}") for number in range(7)],
    )
    health = look(filled.path)
    assert bad(health) == {"log": "warning"}
    assert (health.get("log", "errors"), health.get("log", "criticals")) == (7, 0)
    last = health.get("log", "last")
    assert [text.split("boom ")[1] for text in last] == ["2", "3", "4", "5", "6"]
    log(filled.folder, line("CRITICAL", "could not be undone"))
    health = look(filled.path)
    assert bad(health) == {"log": "critical"}
    assert found(health, "log").message == "1 critical error and 7 errors in today's log"
    assert look(filled.path, now=days_later(days=2)).get("log", "errors") == 0


def test_no_secret_and_no_escape_comes_out_of_a_log(
    filled: World, make_settings: Callable[..., Any]
) -> None:
    log(filled.folder, line("ERROR", "bad \x1b[31m key s3cret-key and api_key=abcdef"))
    settings = make_settings(api_key="s3cret-key")
    [last] = look(filled.path, settings=settings).get("log", "last")
    assert "s3cret" not in last and "abcdef" not in last and "\x1b" not in last


def test_a_huge_log_is_read_in_little_memory(filled: World) -> None:
    import tracemalloc

    file = log(filled.folder, line("ERROR", "first"))
    with file.open("ab") as out:
        # What follows at a round length is still the same line.
        out.write(b"x" * 2**24 + line("ERROR", "of a line").encode() + b"\n")
        out.write((line("INFO", "y" * 200) + "\n").encode() * 50_000)
    log(filled.folder, line("ERROR", "z" * 200_000), line("ERROR", "last"))
    tracemalloc.start()
    try:
        health = look(filled.path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert health.get("log", "errors") == 3
    assert peak < 2_000_000
    assert max(len(text) for text in health.get("log", "last")) <= 300


def test_what_was_logged_just_before_midnight_is_not_lost(filled: World) -> None:
    midnight = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = midnight - timedelta(minutes=30)
    early = midnight - timedelta(hours=5)
    log(
        filled.folder,
        line("ERROR", "early", early),
        line("ERROR", "late", yesterday),
        day=yesterday,
    )
    health = look(filled.path, now=midnight + timedelta(minutes=1))
    assert health.get("log", "errors") == 1
    assert look(filled.path, now=midnight + timedelta(hours=2)).get("log", "errors") == 0


def test_a_log_that_cannot_be_read_is_a_warning(filled: World) -> None:
    log(filled.folder).unlink()
    (filled.folder / "logs" / f"daily_update_{datetime.now():%Y%m%d}.log").mkdir()
    assert bad(look(filled.path)) == {"log": "warning"}


# --- the disk -----------------------------------------------------------------------------------


def test_little_free_space(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    size, mega = filled.path.stat().st_size, 1024 * 1024

    def status(free: float, **limits: float) -> str:
        usage = shutil._ntuple_diskusage(10**12, 0, int(free))  # type: ignore[attr-defined]
        monkeypatch.setattr(around.shutil, "disk_usage", lambda folder: usage)
        return found(look(filled.path, limits=Limits(**limits)), "disk").status

    assert status(1025 * mega) == "ok"
    assert status(1023 * mega) == "warning"
    assert status(103 * mega) == "warning"
    assert status(102 * mega) == "critical"
    # A database that is large beside the limit.
    assert status(size * 2.5, min_free_mb=0.001) == "ok"
    assert status(size * 1.5, min_free_mb=0.001) == "warning"
    assert status(size * 0.9, min_free_mb=0.001) == "critical"
