"""An hourly limit that is too small for all there is: what was fetched is stored, hour by hour."""

from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, count, query, record
from helpers_run import World, meeting
from updaters.daily_updater import DailyUpdater
from updaters.sandbox import Sandbox


@pytest.mark.parametrize("batched", [True, False])
def test_every_hour_brings_more_until_all_is_stored(
    make_updater: MakeUpdater, filled_db: Path, batched: bool
) -> None:
    with Sandbox(meetings=40, seed=3, rate_limit=30) as api:
        query(filled_db, "DELETE FROM hearing_committees")
        query(filled_db, "DELETE FROM committees")
        before = count(filled_db, "hearings")
        for _ in range(5):
            api.rate_limit = 30  # a fresh hour
            updater = make_updater(
                filled_db,
                lookback_days=90,
                api_base_url=api.url,
                enable_batch_processing=batched,
                retry_attempts=1,
            )
            metrics = updater.run_daily_update()["metrics"]
            updater.db.close()
            assert metrics["errors"] == [], metrics["errors"]
            done = metrics["hearings_added"] + metrics["hearings_updated"]
            if not metrics.get("deferred"):
                break
            # A meeting takes three requests at most: itself, its committee, the one above.
            assert done >= 7, metrics
        assert metrics.get("deferred") is None
        assert count(filled_db, "hearings") >= before


def without(api: Sandbox, code: str, fault: str) -> None:
    """This committee cannot be looked up."""
    api.fail_next(fault, times=100, path=f"/{code}")


def test_a_meeting_whose_committee_could_not_be_asked_for_is_set_aside_alone(
    world: World,
) -> None:
    other = [{"systemCode": "hsfa05", "name": "Another"}]
    world.put(*(meeting(n) for n in range(1, 6)), meeting(6, committees=other))
    without(world.sandbox, "hsfa05", "500")
    metrics = world.run()
    assert metrics["hearings_added"] == 5
    assert metrics["batch_processing"]["batches_failed"] == 0
    assert metrics["errors"] == []
    [event] = metrics["deferred"]
    assert event["event_id"] == "6"
    assert event["reason"].startswith("committee hsfa05 could not be looked up: ")
    assert "500" in event["reason"]
    assert world.rows("SELECT event_id, kind FROM updater_deferred") == [
        {"event_id": "6", "kind": "fetch"}
    ]


def test_one_that_the_api_does_not_know_stays_an_issue_of_its_batch(world: World) -> None:
    world.put(meeting(1), meeting(2, committees=[{"systemCode": "hszz99", "name": "None"}]))
    without(world.sandbox, "hszz99", "404")
    metrics = world.run({"batch_processing_size": 1})
    assert metrics["hearings_added"] == 1
    [error] = metrics["batch_processing"]["batch_errors"]
    [issue] = error["issues"]
    assert issue.endswith(
        "Unknown committee code 'hszz99': not in the database and not found at the API"
    )


def test_validation_by_hand_says_that_nobody_could_be_asked(
    updater: DailyUpdater, sandbox: Sandbox
) -> None:
    without(sandbox, "hszz05", "500")
    updater.settings.retry_attempts = 1
    batch: list[Any] = [record("9001", committees=[{"systemCode": "hszz05"}])]
    valid, [issue] = updater._validate_batch(batch)
    assert not valid
    assert "'hszz05': not in the database, and could not be looked up: " in issue
    assert "500" in issue
