"""What a run could not have is deferred, what a person took back is held."""

import pytest

from helpers_run import World, meeting, utc


def test_the_life_of_a_deferred_event(world: World) -> None:
    world.put(*(meeting(n) for n in range(1, 21)))
    world.sandbox.fail_next("500", times=5, path="/house/7")
    metrics = world.run({"retry_attempts": 1})
    assert metrics["hearings_added"] == 19
    assert [event["event_id"] for event in metrics["deferred"]] == ["7"]
    assert "500" in metrics["deferred"][0]["reason"]
    assert metrics["errors"] == []
    assert world.value("SELECT success FROM update_logs") == 1
    assert [r["event_id"] for r in world.rows("SELECT event_id FROM updater_deferred")] == ["7"]
    # Out of the window, and asked for all the same.
    world.put(meeting(7, updateDate=utc(days=50)))
    world.sandbox.forget_orders()
    world.sandbox.clear_requests()
    metrics = world.run(lookback_days=1)
    assert world.details() == ["7"]
    assert (metrics["hearings_added"], metrics.get("deferred")) == (1, None)
    assert world.rows("SELECT * FROM updater_deferred") == []


def test_an_event_that_is_not_there_is_dropped_after_five_runs_with_a_warning(
    filled: World, caplog: pytest.LogCaptureFixture
) -> None:
    filled.alter(2, title="Never seen")
    filled.sandbox.fail_next("404", times=50, path="/house/2")
    for number in range(1, 6):
        caplog.clear()
        metrics = filled.run()
        assert [event["event_id"] for event in metrics["deferred"]] == ["2"]
        assert metrics["errors"] == []
        left = filled.rows("SELECT event_id, not_found FROM updater_deferred")
        assert left == ([] if number == 5 else [{"event_id": "2", "not_found": number}])
        dropped = [r for r in caplog.records if "no longer asked for" in r.getMessage()]
        assert len(dropped) == (1 if number == 5 else 0)
    # The stored hearing stays.
    assert filled.hearing(2)["title"] == "Meeting 2"


def test_a_detail_that_could_not_be_had_overwrites_nothing(filled: World) -> None:
    before = filled.snapshot()
    filled.alter(1, title="Never seen")
    filled.sandbox.fail_next("500", times=9, path="/house/1")
    metrics = filled.run()
    assert [event["event_id"] for event in metrics["deferred"]] == ["1"]
    assert filled.snapshot() == before


@pytest.mark.parametrize("batched", [True, False])
def test_what_was_skipped_or_failed_is_deferred(world: World, batched: bool) -> None:
    world.put(meeting(1), meeting(2, date="some day"), meeting(3))
    settings = {"enable_batch_processing": batched, "batch_processing_size": 1}
    metrics = world.run(settings)
    assert metrics["hearings_added"] == 2
    assert [event["event_id"] for event in metrics["deferred"]] == ["2"]
    assert "date" in metrics["deferred"][0]["reason"]
    if batched:
        [error] = metrics["batch_processing"]["batch_errors"]
        assert error["error"] == "Validation failed"
        assert any("Invalid date format" in issue for issue in error["issues"])
    else:
        assert any("2" in error for error in metrics["errors"])
    world.put(meeting(2))
    assert world.run(settings)["hearings_added"] == 1
    assert world.rows("SELECT * FROM updater_deferred") == []


def test_salvage_lets_the_valid_records_of_a_failed_batch_in(world: World) -> None:
    world.put(meeting(1), meeting(2, date="some day"), meeting(3))
    metrics = world.run({"batch_salvage": True, "batch_processing_size": 2})
    assert metrics["hearings_added"] == 2
    assert metrics["batch_processing"]["batches_failed"] == 1
    assert [event["event_id"] for event in metrics["deferred"]] == ["2"]
    without = world.rows("SELECT event_id FROM hearings ORDER BY event_id")
    assert [row["event_id"] for row in without] == ["1", "3"]


def test_what_a_person_rolled_back_is_held_until_upstream_moves_or_it_is_released(
    filled: World,
) -> None:
    before = filled.snapshot()
    filled.alter(1, title="First change")
    filled.alter(2, title="Second change")
    filled.run()
    run = filled.value("SELECT MAX(run_id) FROM updater_runs")
    updater = filled.updater()
    outcome = updater.db.native.undo_run(run, None, False)
    assert outcome["undone"]
    assert filled.snapshot() == before
    updater.db.close()
    filled.sandbox.clear_requests()
    metrics = filled.run()
    assert (metrics["hearings_updated"], metrics["hearings_added"]) == (0, 0)
    assert filled.details() == []
    assert filled.snapshot() == before
    # Upstream changes one of them again.
    filled.alter(1, title="Third change", updateDate=utc(seconds=-5))
    assert filled.run()["hearings_updated"] == 1
    assert filled.hearing(1)["title"] == "Third change"
    assert filled.hearing(2)["title"] == "Meeting 2"
    # The other is let in by hand.
    updater = filled.updater()
    assert updater.db.native.release("2") is True
    updater.db.close()
    assert filled.run()["hearings_updated"] == 1
    assert filled.hearing(2)["title"] == "Second change"
    assert filled.rows("SELECT * FROM updater_held") == []


@pytest.mark.parametrize("batched", [True, False])
def test_nothing_is_forgotten_when_the_whole_run_is_undone(world: World, batched: bool) -> None:
    settings = {"enable_batch_processing": batched}
    world.put(*(meeting(n) for n in range(1, 21)))
    world.sandbox.fail_next("500", times=5, path="/house/7")
    world.run(settings)
    # The deferred one is to be had again, but has left the window.
    world.put(meeting(7, updateDate=utc(days=50)))
    world.sandbox.forget_orders()
    world.alter(3, title="Another title")
    updater = world.updater(settings, lookback_days=1)

    def finds() -> None:
        updater.metrics.validation_passed = False
        updater.metrics.validation_issues.append("something is off")

    updater._run_post_update_validation = finds  # type: ignore[method-assign]
    before = world.snapshot()
    result = updater.run_daily_update()
    updater.db.close()
    assert result["success"] is False
    assert world.snapshot() == before
    waiting = {row["event_id"] for row in world.rows("SELECT event_id FROM updater_deferred")}
    assert "7" in waiting
    told = {event["event_id"] for event in result["metrics"]["deferred"]}
    assert told == {"3", "7"}
    metrics = world.run(settings, lookback_days=1)
    assert (metrics["hearings_added"], metrics["hearings_updated"]) == (1, 1)
    assert world.rows("SELECT * FROM updater_deferred") == []


def test_a_meeting_is_not_told_of_what_is_wrong_with_another(world: World) -> None:
    # Its id is in the number of the item, and in the date that is wrong.
    world.put(meeting(1), meeting(2, date="the 13th of 2025"), meeting(13), meeting(2025))
    metrics = world.run(success=False)
    reasons = {event["event_id"]: event["reason"] for event in metrics["deferred"]}
    assert "Invalid date format" in reasons.pop("2")
    assert reasons == dict.fromkeys(["1", "13", "2025"], "batch 1: Validation failed")


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(
    "wrong",
    [
        {"title": 7},
        {"date": "some day"},
        {"committees": [{"systemCode": "hszz99", "name": "Nobody's"}]},
    ],
)
def test_a_meeting_that_stays_invalid_does_not_keep_others_out_for_ever(
    world: World, batched: bool, wrong: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"enable_batch_processing": batched}
    world.put(*(meeting(n) for n in range(1, 6)), meeting(6, **wrong))
    first = world.run(settings, success=not batched)
    assert first["hearings_added"] == (0 if batched else 5)
    # The rest of its batch comes in; what is wrong upstream is nobody's error here.
    second = world.run(settings)
    assert second["hearings_added"] == (5 if batched else 0)
    for metrics in (second, world.run(settings)):
        assert metrics["errors"] == []
        [event] = metrics["deferred"]
        assert event["event_id"] == "6"
        told = {"title": "title must be text", "date": "date format", "committees": "hszz99"}
        assert told[next(iter(wrong))] in event["reason"]
    assert "event 6: still invalid" in caplog.text
    row = world.row("SELECT event_id, kind, tries FROM updater_deferred")
    assert row == {"event_id": "6", "kind": "record", "tries": 3}
    world.put(meeting(6))
    assert world.run(settings)["hearings_added"] == 1
    assert world.rows("SELECT * FROM updater_deferred") == []


def test_a_row_that_nobody_could_read_is_looked_back_to(world: World) -> None:
    """Its event id is not known: it cannot be set aside, but its time can."""
    world.put(*(meeting(n, updateDate=utc(days=3)) for n in range(20)))
    world.sandbox.faults = {"bad-row": 0.4}
    metrics = world.run(lookback_days=5)
    added = metrics["hearings_added"]
    assert 0 < added < 20
    assert len([e for e in metrics["errors"] if "cannot be had" in e]) == 20 - added
    world.sandbox.faults = {}
    # The next runs look back a day: one that may go no further does not forget it.
    assert world.run({"catch_up": False}, lookback_days=1)["hearings_checked"] == 0
    assert world.run(lookback_days=1)["hearings_added"] == 20 - added
    assert world.run(lookback_days=1)["hearings_checked"] == 0
