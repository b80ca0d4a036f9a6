"""Committees that the database lacks are looked up by every seam; each request is counted."""

from pathlib import Path
from typing import Any

import pytest

from conftest import MakeUpdater, query, record
from updaters.daily_updater import Checkpoint, DailyUpdater
from updaters.sandbox import Sandbox


@pytest.fixture
def code(filled_db: Path) -> str:
    """A committee that the API knows and the database no longer does."""
    [(committee_id, code)] = query(
        filled_db,
        "SELECT committee_id, system_code FROM committees c WHERE NOT EXISTS "
        "(SELECT 1 FROM committees WHERE parent_committee_id = c.committee_id) LIMIT 1",
    )
    query(filled_db, "DELETE FROM hearing_committees WHERE committee_id = ?", committee_id)
    query(filled_db, "DELETE FROM committees WHERE committee_id = ?", committee_id)
    return str(code)


def test_validation_called_alone_asks_the_api(
    updater: DailyUpdater, sandbox: Sandbox, code: str
) -> None:
    sandbox.clear_requests()
    batch = [record("9001", committees=[{"systemCode": code}])]
    assert updater._validate_batch(batch) == (True, [])
    assert sandbox.request_count > 0


def test_a_batch_processed_alone_writes_what_was_found(
    updater: DailyUpdater, filled_db: Path, code: str
) -> None:
    batch = [record("9001", committees=[{"systemCode": code}])]
    assert updater._process_batch(batch, 1, Checkpoint(1)).success
    assert query(filled_db, f"SELECT COUNT(*) FROM committees WHERE system_code = '{code}'") == [
        (1,)
    ]


def test_a_batch_that_an_override_validated_is_looked_into_all_the_same(
    updater: DailyUpdater, code: str
) -> None:
    updater._validate_batch = lambda batch: (True, [])  # type: ignore[method-assign]
    wanted = [record("9001", committees=[{"systemCode": code}])]
    updater._apply_updates_with_batches({"updates": [], "additions": wanted})
    assert (updater.metrics.batches_succeeded, updater.metrics.hearings_added) == (1, 1)


def test_look_ups_are_among_the_requests_of_the_run(
    updater: DailyUpdater, sandbox: Sandbox, code: str
) -> None:
    sandbox.clear_requests()
    wanted = [record("9001", committees=[{"systemCode": code}])]
    updater._fetch_recent_hearings = lambda progress_callback=None: wanted  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["metrics"]["api_requests"] == sandbox.request_count > 0


def test_a_replaced_get_counts_over_all_windows(make_updater: MakeUpdater, filled_db: Path) -> None:
    with Sandbox(meetings=260, seed=3) as larger:
        updater = make_updater(filled_db, mode="full", api_base_url=larger.url)
        asked: list[str] = []
        get = updater.api_client.get

        def counting(endpoint: str, params: Any = None) -> Any:
            asked.append(endpoint)
            return get(endpoint, params)

        updater.api_client.get = counting
        result = updater.run_daily_update()
        assert result["success"], result
        assert result["metrics"]["api_requests"] == len(asked) == larger.request_count > 260
