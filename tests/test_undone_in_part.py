"""A run that failed validation, and whose rows another program changed meanwhile."""

from collections.abc import Callable
from typing import Any

from helpers_notify import Receiver
from helpers_run import World
from updaters.daily_updater import DailyUpdater


def meddled(world: World, *statements: str, **settings: Any) -> DailyUpdater:
    """An updater whose run another program writes into before its validation, which fails."""
    updater = world.updater(settings)

    def finds() -> None:
        world.do(*statements)
        updater.metrics.validation_passed = False
        updater.metrics.validation_issues.append("something is off")

    updater._run_post_update_validation = finds  # type: ignore[method-assign]
    return updater


THEIRS = "UPDATE hearings SET title = 'Theirs' WHERE event_id = '2'"


def titles(world: World) -> list[str]:
    return [str(world.hearing(number)["title"]) for number in (2, 3)]


def states(world: World, run: int) -> set[str]:
    rows = world.rows("SELECT state FROM updater_batches WHERE run_id = ? AND kind = 'batch'", run)
    return {row["state"] for row in rows}


def test_what_could_not_be_undone_is_not_said_to_be(filled: World, receiver: Receiver) -> None:
    before = filled.snapshot()
    filled.alter(2, title="Ours")
    updater = meddled(
        filled,
        THEIRS,
        notification_enabled=True,
        notification_type="webhook",
        notification_webhook_url=receiver.url,
    )
    result = updater.run_daily_update()
    updater.db.close()
    assert result["success"] is False
    run = filled.value("SELECT MAX(run_id) FROM updater_runs")
    for part in (
        "this run could NOT be undone: 1 row was changed again by another program",
        f"rollback --run {run} --force",
        f"restore {updater.backup_path}",
    ):
        assert part in result["error"], result["error"]
    assert filled.hearing(2)["title"] == "Theirs"
    assert states(filled, run) == {"applied"}
    [body] = receiver.bodies
    assert body["severity"] == "critical"
    assert "1 row was changed again by another program" in body["message"]
    assert str(updater.backup_path) in body["message"]
    # The other program takes it back: then it can be undone.
    filled.do("UPDATE hearings SET title = 'Ours' WHERE event_id = '2'")
    later = filled.updater()
    assert later.db.native.undo_run(run, None, False)["undone"]
    later.db.close()
    assert filled.snapshot() == before


def test_batches_that_can_be_undone_are_and_the_others_stay_whole(filled: World) -> None:
    filled.alter(2, title="Ours")
    filled.alter(3, title="Ours as well")
    updater = meddled(filled, THEIRS, batch_processing_size=1)
    result = updater.run_daily_update()
    told = "1 row was changed again by another program; 1 row was restored, batches that remain: 1"
    assert told in result["error"], result["error"]
    assert titles(filled) == ["Theirs", "Meeting 3"]
    run = filled.value("SELECT MAX(run_id) FROM updater_runs")
    assert states(filled, run) == {"applied", "undone"}
    assert [event["event_id"] for event in result["metrics"]["deferred"]] == ["3"]


def test_the_seam_called_by_hand_answers_false(filled: World) -> None:
    updater = filled.updater()
    changes: Callable[..., Any] = updater._identify_changes
    filled.alter(2, title="Ours")
    updater._apply_updates_with_batches(changes(updater._fetch_recent_hearings()))
    filled.do(THEIRS)
    assert updater._rollback_database() is False
    assert updater._rollback_database() is False
    filled.do("UPDATE hearings SET title = 'Ours' WHERE event_id = '2'")
    assert updater._rollback_database() is True
    assert filled.hearing(2)["title"] == "Meeting 2"
