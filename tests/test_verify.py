"""`scripts.verify_updates`: what is broken is named, history is no failure, nothing is written."""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import MEETINGS, query, snapshot
from helpers_run import AS_ANYBODY, World, command, digest, locked, make_legacy, tool
from scripts import verify_updates
from scripts.verify_updates import UpdateValidator
from updaters import _native
from updaters.errors import ConfigurationError

MODULE = ("-m", "scripts.verify_updates")
CHECKS = [
    "integrity",
    "counts",
    "values",
    "date_ranges",
    "foreign_keys",
    "duplicates",
    "relationships",
    "anomalies",
    "last_update",
]


def alter(path: Path, *statements: str) -> None:
    """Another program writes, minding no constraint."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            db.execute(statement)


def verified(path: Path, **options: Any) -> dict[str, Any]:
    """The result; the file and its folder are as before."""
    before = {one.name: digest(one) for one in path.parent.iterdir() if one.is_file()}
    result = UpdateValidator(path, **options).run_all_checks()
    after = {one.name: digest(one) for one in path.parent.iterdir() if one.is_file()}
    assert after == before
    return result


def lose_a_hearing(path: Path) -> int:
    """A hearing goes without what belongs to it; -> its id."""
    [(lost,)] = query(
        path,
        "SELECT hearing_id FROM witness_appearances JOIN witness_documents USING (appearance_id) "
        "LIMIT 1",
    )
    alter(path, f"DELETE FROM hearings WHERE hearing_id = {lost}")
    return int(lost)


def log(path: Path, start: datetime, **columns: Any) -> None:
    """A row of `update_logs`."""
    row = {
        "update_date": f"{start:%Y-%m-%d}",
        "start_time": f"{start:%Y-%m-%d %H:%M:%S}",
        "hearings_checked": 100,
        "success": 1,
        **columns,
    }
    query(
        path,
        f"INSERT INTO update_logs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        *row.values(),
    )


# --- what is found -----------------------------------------------------------------------------


def test_a_sound_database_passes(filled_db: Path) -> None:
    result = verified(filled_db)
    assert list(result) == ["timestamp", "passed", "issues", "warnings", "stats"]
    assert abs(datetime.fromisoformat(result["timestamp"]) - datetime.now()) < timedelta(minutes=1)
    assert result["passed"] is True
    assert result["issues"] == []
    json.dumps(result)


def test_the_figures_are_those_of_the_file(filled_db: Path) -> None:
    stats = verified(filled_db)["stats"]
    assert stats["total_hearings"] == MEETINGS
    assert list(stats["checks"]) == CHECKS
    for table, rows in stats["table_counts"].items():
        assert query(filled_db, f"SELECT COUNT(*) FROM {table}") == [(rows,)]
    assert stats["hearings_by_chamber"] == dict(
        query(filled_db, "SELECT chamber, COUNT(*) FROM hearings GROUP BY 1")
    )
    assert stats["hearings_by_status"] == dict(
        query(filled_db, "SELECT status, COUNT(*) FROM hearings GROUP BY 1")
    )
    [(first, last)] = query(filled_db, "SELECT min(hearing_date), max(hearing_date) FROM hearings")
    assert stats["date_range"] == {"earliest": first, "latest": last}
    assert stats["last_update"]["success"] is True
    assert stats["last_update"]["hearings_added"] == MEETINGS
    assert stats["hours_since_last_success"] == 0


def test_the_real_database_passes(real_db: Path) -> None:
    result = verified(real_db)
    assert result["passed"] is True
    assert result["stats"]["total_hearings"] == 1168
    assert result["stats"]["hearings_without_location"] == 1168
    assert verify_updates.main(["--db", str(real_db)]) == 0


def test_the_oldest_shape_passes(legacy_db: Path) -> None:
    result = verified(legacy_db)
    assert result["passed"] is True
    assert any("no table update_logs" in line for line in result["warnings"])
    assert result["stats"]["last_update"] is None


def test_a_new_database_passes_with_a_warning(clean_env: Path) -> None:
    _native.init_database("new.db")
    result = verified(clean_env / "new.db")
    assert result["passed"] is True
    assert any(line.startswith("no hearings yet") for line in result["warnings"])


@pytest.mark.parametrize(
    ("statement", "check", "told"),
    [
        (
            "INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (99999, 1)",
            "foreign_keys",
            "no hearings row 99999",
        ),
        ("UPDATE hearings SET chamber = 'Lords' WHERE hearing_id = 1", "values", "'Lords'"),
        (
            "UPDATE hearings SET hearing_date = '2025-13-40' WHERE hearing_id = 1",
            "date_ranges",
            "'2025-13-40'",
        ),
        ("UPDATE sqlite_sequence SET seq = 5000 WHERE name = 'hearings'", None, ""),
    ],
)
def test_what_is_broken_is_an_issue(
    filled_db: Path, statement: str, check: str | None, told: str
) -> None:
    alter(filled_db, statement)
    result = verified(filled_db)
    assert result["passed"] is (check is None)
    if check:
        [issue] = result["issues"]
        assert told in issue
        failed = [name for name, state in result["stats"]["checks"].items() if state == "failed"]
        assert failed == [check]


def test_duplicates_are_an_issue_where_no_index_keeps_them_out(clean_env: Path) -> None:
    path = clean_env / "old.db"
    make_legacy(path)
    alter(
        path,
        "ALTER TABLE hearings RENAME TO old",
        "CREATE TABLE hearings AS SELECT * FROM old",
        "INSERT INTO hearings SELECT * FROM old LIMIT 1",
    )
    result = verified(path)
    assert result["issues"] == ["duplicate: hearings: event_id '900' is there 2 times"]


def test_rows_that_were_lost_are_an_issue(filled_db: Path) -> None:
    for table in ("hearing_committees", "witness_documents", "witness_appearances"):
        alter(filled_db, f"DELETE FROM {table}")
    for table in ("hearing_bills", "supporting_documents", "hearing_transcripts"):
        alter(filled_db, f"DELETE FROM {table}")
    alter(filled_db, "DELETE FROM hearings WHERE hearing_id > 5")
    [issue] = verified(filled_db)["issues"]
    assert issue.startswith("only 5 hearings where there have been 100 or more")


def test_a_hearing_that_belongs_to_nothing_is_a_warning(filled_db: Path) -> None:
    before = verified(filled_db)["stats"]["hearings_without_committee"]
    alter(filled_db, "DELETE FROM hearing_committees WHERE hearing_id = 1")
    result = verified(filled_db)
    assert result["passed"] is True
    assert result["stats"]["hearings_without_committee"] == before + 1
    assert any(line.startswith("hearings without a committee: ") for line in result["warnings"])


def test_an_update_that_failed_is_a_warning(filled_db: Path) -> None:
    soon = datetime.now() + timedelta(seconds=5)
    log(filled_db, soon, success=0, errors=json.dumps(["the API\nwas down", "more"]))
    result = verified(filled_db)
    assert result["passed"] is True
    assert any(line.endswith(": the API was down") for line in result["warnings"])


def test_an_update_of_long_ago_is_a_warning(filled_db: Path) -> None:
    alter(filled_db, "UPDATE update_logs SET start_time = datetime('now', '-9 days', 'localtime')")
    assert any("9 days ago" in line for line in verified(filled_db)["warnings"])
    alter(filled_db, "UPDATE update_logs SET start_time = 'whenever'")
    assert any("'whenever'" in line for line in verified(filled_db)["warnings"])


def test_a_last_run_unlike_those_before_it_is_a_warning(filled_db: Path) -> None:
    now = datetime.now()
    for day in range(1, 25):
        log(filled_db, now - timedelta(days=day), hearings_checked=MEETINGS * 9 + day % 4)
    result = verified(filled_db)
    assert result["passed"] is True
    assert "hearings_checked" in {one["metric"] for one in result["stats"]["anomalies"]}
    assert result["stats"]["alert_triggered"] is True
    assert any(line.startswith("hearings_checked of the run of") for line in result["warnings"])
    short = verified(filled_db, min_history_days=60)
    assert short["stats"]["anomalies"] == []
    assert short["stats"]["history_problem"] == "24 days of history in the last 90, 60 are needed"


def test_without_a_path_the_settings_count(
    filled_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PATH", str(filled_db))
    assert UpdateValidator().run_all_checks()["stats"]["total_hearings"] == MEETINGS
    monkeypatch.setenv("RATE_LIMIT", "many")
    with pytest.raises(ConfigurationError, match="RATE_LIMIT"):
        UpdateValidator().run_all_checks()


@pytest.mark.parametrize(
    "options", [{"min_history_days": 0}, {"min_history_days": "9"}, {"z_threshold": float("nan")}]
)
def test_bad_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        UpdateValidator("x.db", **options)


# --- files that cannot be used -------------------------------------------------------------------


def bad_file(path: Path, kind: str) -> None:
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "text":
        path.write_bytes(b"These are minutes of a meeting.\n" * 500)
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()
        alter(path, "CREATE TABLE recipes (name TEXT)")


BAD = {
    "missing": "no such database",
    "empty": "empty: run hearing-updater init",
    "folder": "a folder, not a database file",
    "text": "not a SQLite database",
    "cut": "database.db",
    "other": "missing table(s): hearings",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_is_no_database_is_one_issue(filled_db: Path, kind: str) -> None:
    bad_file(filled_db, kind)
    result = verified(filled_db)
    assert result["passed"] is False
    assert BAD[kind] in result["issues"][0]
    assert "\n" not in result["issues"][0]


@pytest.mark.parametrize("kind", BAD)
def test_the_command_on_such_a_file(world: World, kind: str) -> None:
    bad_file(world.path, kind)
    before = digest(world.path) if world.path.is_file() else None
    done = command(world.folder, world.sandbox.url, *MODULE, code=1)
    assert BAD[kind] in done.stdout + done.stderr
    if kind not in ("other", "cut"):
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
    done = command(world.folder, world.sandbox.url, *MODULE, "--json", code=1)
    assert json.loads(done.stdout)["passed"] is False
    assert (digest(world.path) if world.path.is_file() else None) == before


def test_damage_is_found_wherever_it_is(filled_db: Path) -> None:
    data = filled_db.read_bytes()
    chance = random.Random(7)
    failed = 0
    for _ in range(25):
        page = chance.randrange(1, len(data) // 4096)
        hurt = bytearray(data)
        hurt[page * 4096 : page * 4096 + 300] = chance.randbytes(300)
        filled_db.write_bytes(hurt)
        result = UpdateValidator(filled_db).run_all_checks()
        assert not any("\n" in line for line in result["issues"])
        failed += not result["passed"]
    # Pages that nothing uses can be hurt without harm.
    assert failed >= 20


def test_a_locked_database_is_one_issue(world: World) -> None:
    world.do("PRAGMA journal_mode = delete")
    with locked(world) as holder:
        result = UpdateValidator(world.path, wait_seconds=0.3).run_all_checks()
        holder.communicate("")
    [issue] = result["issues"]
    assert "locked by another program" in issue


def test_an_update_under_way_does_not_block_the_checks(filled_db: Path) -> None:
    with closing(sqlite3.connect(filled_db)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM hearing_committees")
        assert UpdateValidator(filled_db, wait_seconds=0.3).run_all_checks()["passed"] is True
        db.rollback()


def test_a_file_that_may_only_be_read(world: World) -> None:
    world.do("PRAGMA journal_mode = delete")
    world.path.chmod(0o444)
    world.folder.chmod(0o555)
    try:
        command(world.folder, world.sandbox.url, *MODULE, before=AS_ANYBODY)
        done = command(
            world.folder, world.sandbox.url, *MODULE, "--fix", "--json", before=AS_ANYBODY
        )
    finally:
        world.folder.chmod(0o755)
    assert json.loads(done.stdout)["passed"] is True


# --- the command ---------------------------------------------------------------------------------


def test_each_check_is_a_line(filled_db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_updates.main(["--db", str(filled_db)]) == 0
    out = capsys.readouterr().out
    for title in ("file integrity", "date ranges", "foreign keys", "duplicates", "the last update"):
        assert f"  {title}\n" in out or f"   {title}\n" in out
    assert "table counts" not in out
    assert out.splitlines()[-1].startswith(f"{filled_db}: passed, ")


def test_verbose_prints_the_figures_of_each_check(
    filled_db: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_updates.main(["--db", str(filled_db), "--verbose"]) == 0
    out = capsys.readouterr().out
    for figure in (
        f"total hearings: {MEETINGS}",
        "hearings by chamber: House",
        "date range: earliest",
        "orphaned rows: 0",
        "duplicates: 0",
        "hearings without committee: ",
        "history days: ",
        "last update: start_time",
    ):
        assert figure in out


def test_many_findings_are_cut_unless_verbose(
    filled_db: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alter(
        filled_db,
        *(
            f"INSERT INTO hearing_committees (hearing_id, committee_id) VALUES ({n}, 1)"
            for n in range(90_000, 90_009)
        ),
    )
    assert verify_updates.main(["--db", str(filled_db)]) == 1
    short = capsys.readouterr().out
    assert "FAILED foreign keys" in short
    assert "... and 4 more (see --verbose)" in short
    assert short.splitlines()[-1].startswith(f"{filled_db}: FAILED with 9 issues, ")
    assert verify_updates.main(["--db", str(filled_db), "--verbose"]) == 1
    assert "no hearings row 90008" in capsys.readouterr().out


def test_json_is_all_that_stdout_gets(world: World) -> None:
    done = command(world.folder, world.sandbox.url, *MODULE, "--json")
    assert list(json.loads(done.stdout)) == ["timestamp", "passed", "issues", "warnings", "stats"]
    assert done.stderr == ""


@pytest.mark.parametrize("words", [["--odd"], ["database.db"], ["--db"], ["--db", ""]])
def test_bad_usage_is_one_line(world: World, words: list[str]) -> None:
    done = command(world.folder, world.sandbox.url, *MODULE, *words, code=2)
    assert done.stderr.count("\n") == 1


def test_a_bad_setting_is_one_line(world: World) -> None:
    done = command(world.folder, world.sandbox.url, *MODULE, code=2, HISTORICAL_MIN_DAYS="few")
    assert "HISTORICAL_MIN_DAYS" in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_keeps_away_from_heavy_packages(filled_db: Path) -> None:
    code = (
        "import sys; from scripts.verify_updates import main; "
        f"main(['--db', {str(filled_db)!r}]); "
        "print({'pandas', 'matplotlib', 'apprise', 'jinja2', 'psutil'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


# --- repair --------------------------------------------------------------------------------------


def test_a_repair_removes_what_leads_nowhere_and_nothing_else(filled_db: Path) -> None:
    whole = snapshot(filled_db)
    lost = lose_a_hearing(filled_db)
    broken = snapshot(filled_db)
    validator = UpdateValidator(filled_db)
    result = validator.run_all_checks(fix_issues=True)
    assert result["passed"] is True, result["issues"]
    fixed = result["stats"]["fixed"]
    assert fixed
    assert all(line.startswith("removed ") for line in fixed)
    now = snapshot(filled_db)
    gone = sum(len(broken[table]) - len(now[table]) for table in broken)
    bills = len([row for row in whole["hearing_bills"] if row["hearing_id"] == lost])
    assert gone == len(fixed)
    # Bills are not this updater's business.
    assert len(now["hearing_bills"]) == len(broken["hearing_bills"]) >= bills
    for table, rows in now.items():
        assert all(row in broken[table] for row in rows)
    # The backup holds how it was before.
    assert snapshot(result["stats"]["backup"]) == broken
    assert Path(result["stats"]["backup"]).parent == filled_db.parent / "backups"
    assert not filled_db.with_name("database.db.updater-lock").exists()


def test_a_repair_is_journaled(filled_db: Path) -> None:
    lose_a_hearing(filled_db)
    fixed = UpdateValidator(filled_db).run_all_checks(fix_issues=True)["stats"]["fixed"]
    [(entries,)] = query(
        filled_db,
        "SELECT COUNT(*) FROM updater_journal JOIN updater_batches USING (batch_id) "
        "WHERE kind = 'mend' AND op = 'D' AND before NOTNULL",
    )
    assert entries == len(fixed)


def test_a_sound_database_is_not_touched_by_a_repair(filled_db: Path, legacy_db: Path) -> None:
    for path in (filled_db, legacy_db):
        before = digest(path)
        result = UpdateValidator(path).run_all_checks(fix_issues=True)
        assert result["stats"]["fixed"] == []
        assert result["stats"]["backup"] is None
        assert digest(path) == before
    assert not (filled_db.parent / "backups").exists()


def test_the_next_run_fills_the_gap_that_a_repair_left(filled: World) -> None:
    [witness] = filled.rows(
        "SELECT witness_id, hearing_id FROM witness_appearances ORDER BY appearance_id LIMIT 1"
    )
    before = filled.value(
        "SELECT COUNT(*) FROM witness_appearances WHERE hearing_id = ?", witness["hearing_id"]
    )
    filled.do(f"DELETE FROM witnesses WHERE witness_id = {witness['witness_id']}")
    result = UpdateValidator(filled.path).run_all_checks(fix_issues=True)
    assert result["passed"] is True
    [event] = filled.rows("SELECT event_id FROM updater_deferred WHERE event_id = '1'")
    assert event["event_id"] in result["stats"]["asked_again"]
    filled.run()
    after = filled.value(
        "SELECT COUNT(*) FROM witness_appearances WHERE hearing_id = ?", witness["hearing_id"]
    )
    assert after == before
    assert filled.rows("SELECT * FROM updater_deferred") == []


def test_a_repair_waits_for_no_update(filled_db: Path) -> None:
    lose_a_hearing(filled_db)
    before = digest(filled_db)
    with _native.RunLock(str(filled_db), "daily update"):
        result = UpdateValidator(filled_db).run_all_checks(fix_issues=True)
    assert result["passed"] is False
    assert result["stats"]["fixed"] == []
    assert any("is running" in line and "daily update" in line for line in result["warnings"])
    assert digest(filled_db) == before


def test_a_database_that_lost_its_hearings_is_not_tidied_up(filled_db: Path) -> None:
    alter(filled_db, "DELETE FROM hearings WHERE hearing_id > 5")
    before = digest(filled_db)
    result = UpdateValidator(filled_db).run_all_checks(fix_issues=True)
    assert result["passed"] is False
    assert any(line.startswith("nothing was fixed: only 5 hearings") for line in result["warnings"])
    assert digest(filled_db) == before


def test_a_damaged_file_is_not_written(filled_db: Path) -> None:
    lose_a_hearing(filled_db)
    [(page,)] = query(
        filled_db, "SELECT rootpage FROM sqlite_schema WHERE name = 'idx_hearings_date'"
    )
    data = bytearray(filled_db.read_bytes())
    data[(page - 1) * 4096 + 100 : page * 4096] = b"\x5a" * 3996
    filled_db.write_bytes(data)
    before = digest(filled_db)
    result = UpdateValidator(filled_db).run_all_checks(fix_issues=True)
    assert result["passed"] is False
    assert digest(filled_db) == before
    assert not (filled_db.parent / "backups").exists()


def test_what_cannot_be_repaired_stays_an_issue(filled_db: Path) -> None:
    lost = lose_a_hearing(filled_db)
    other = 1 if lost != 1 else 2
    alter(filled_db, f"UPDATE hearings SET chamber = 'Lords' WHERE hearing_id = {other}")
    result = UpdateValidator(filled_db).run_all_checks(fix_issues=True)
    assert result["passed"] is False
    assert ["'Lords'" in issue for issue in result["issues"]] == [True], result
    assert result["stats"]["fixed"]


def test_the_command_tells_what_it_fixed(filled: World) -> None:
    filled.do("DELETE FROM committees")
    broken = command(filled.folder, filled.sandbox.url, *MODULE, code=1)
    assert "FAILED foreign keys" in broken.stdout
    done = command(filled.folder, filled.sandbox.url, *MODULE, "--fix")
    assert "fixed  3 rows; how it was before is in " in done.stdout
    assert "removed hearing_committees row 1: no committees row 1" in done.stdout
    assert "the next update asks again for: 1, 2, 3" in done.stdout
    again = tool(filled, "deferred")
    assert "led nowhere" in again.stdout


def test_a_repair_brings_an_old_shape_up_first(legacy_db: Path) -> None:
    alter(legacy_db, "DELETE FROM hearings WHERE hearing_id = 1")
    result = UpdateValidator(legacy_db).run_all_checks(fix_issues=True)
    assert result["passed"] is True
    assert len(result["stats"]["fixed"]) == 3
    restored = Path(shutil.copy(result["stats"]["backup"], legacy_db.with_name("again.db")))
    assert UpdateValidator(restored).run_all_checks()["passed"] is False


def test_a_value_against_the_rules_stops_neither_run_nor_backup(filled: World) -> None:
    alter(filled.path, "UPDATE committees SET type = 'Club'")
    result = UpdateValidator(filled.path).run_all_checks()
    assert result["issues"] == ["invalid value: CHECK constraint failed in committees"]
    filled.alter(2, title="Another title")
    before = len(list((filled.folder / "backups").iterdir()))
    metrics = filled.run()
    assert metrics["hearings_updated"] == 1
    assert metrics["validation_passed"] is True
    assert len(list((filled.folder / "backups").iterdir())) == before + 1
