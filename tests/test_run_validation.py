"""The validation after a run: what it finds undoes the run, what was broken before does not."""

import sqlite3
from contextlib import closing
from typing import Any

from helpers_run import World


def test_what_was_broken_before_is_no_issue(filled: World) -> None:
    filled.do("INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (1, 4711)")
    filled.alter(2, title="Another title")
    metrics = filled.run()
    assert metrics["validation_passed"] is True
    assert metrics["validation_issues"] == []
    assert metrics["validation_warnings"] != []
    assert metrics["hearings_updated"] == 1


def test_what_an_override_broke_is_undone_by_journal(filled: World) -> None:
    before = filled.snapshot()
    logs = filled.value("SELECT COUNT(*) FROM update_logs")
    filled.alter(2, title="Another title")
    updater = filled.updater()
    update = updater._update_hearing_record

    def breaks(conn: Any, existing: Any, new_data: Any) -> None:
        update(conn, existing, new_data)
        conn.execute("PRAGMA defer_foreign_keys = ON")
        conn.execute(
            "INSERT INTO hearings (event_id, congress, chamber, title, hearing_type, status) "
            "VALUES ('2 ', 119, 'House', 'x', 'Hearing', 'Scheduled')"
        )
        conn.execute(
            "DELETE FROM witnesses WHERE witness_id NOT IN "
            "(SELECT witness_id FROM witness_appearances)"
        )

    def finds() -> None:
        updater.metrics.validation_passed = False
        updater.metrics.validation_issues.append("something is off")

    updater._update_hearing_record = breaks  # type: ignore[method-assign]
    updater._run_post_update_validation = finds  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"] is False
    assert "something is off" in result["error"]
    assert filled.snapshot() == before
    assert filled.value("SELECT COUNT(*) FROM update_logs") == logs + 1
    assert filled.value("SELECT success FROM update_logs ORDER BY log_id DESC LIMIT 1") == 0


def test_a_foreign_key_that_the_run_broke_undoes_it(filled: World) -> None:
    before = filled.snapshot()
    filled.alter(2, title="Another title")
    updater = filled.updater()
    related = updater._update_related_data

    def breaks(changes: Any) -> None:
        related(changes)
        # Another program, foreign keys off as they are by default, in the middle of our run.
        with closing(sqlite3.connect(filled.path)) as db, db:
            db.execute("INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (1, 4711)")

    updater._update_related_data = breaks  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"] is False
    assert any("foreign key" in issue for issue in updater.metrics.validation_issues)
    filled.do("DELETE FROM hearing_committees WHERE committee_id = 4711")
    assert filled.snapshot() == before
    assert filled.value("SELECT success FROM update_logs ORDER BY log_id DESC LIMIT 1") == 0


def test_a_failed_earlier_run_and_missing_tables_are_no_issue(filled: World) -> None:
    filled.do("UPDATE update_logs SET success = 0", "DROP TABLE hearing_bills", "DROP TABLE bills")
    filled.alter(2, title="Another title")
    metrics = filled.run()
    assert (metrics["validation_passed"], metrics["hearings_updated"]) == (True, 1)
