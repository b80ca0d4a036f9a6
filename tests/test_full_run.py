"""A full run: committees first, window by window, resumed where it was stopped."""

import logging
from typing import Any

import pytest

from helpers_run import World, metrics_of, started, until, update
from updaters.daily_updater import DailyUpdater
from updaters.sandbox import Sandbox


@pytest.fixture
def empty(world: World) -> Any:
    """An empty database, and a Congress of 520 meetings."""
    with Sandbox(meetings=520, seed=5) as sandbox:
        world.sandbox = sandbox
        yield world


def lists_of_committees(world: World) -> list[str]:
    paths = [request.path.split("?")[0] for request in world.sandbox.requests]
    return [path for path in paths if "/committee/119/" in path]


def test_committees_come_first_with_parents_and_types_in_a_few_requests(empty: World) -> None:
    updater = empty.updater(update_mode="full")
    apply = updater._apply_updates_with_batches
    seen: list[int] = []

    def watched(changes: Any) -> None:
        seen.append(empty.value("SELECT COUNT(*) FROM committees"))
        apply(changes)

    updater._apply_updates_with_batches = watched  # type: ignore[method-assign]
    result = updater.run_daily_update()
    assert result["success"], result
    total = empty.value("SELECT COUNT(*) FROM committees")
    assert seen == [total] * 3
    assert total >= 10
    assert len(lists_of_committees(empty)) == 3
    asked = [r.path for r in empty.sandbox.requests if "/committee/" in r.path]
    assert len(asked) == 3, "each of them was looked up, too"
    kinds = {row["type"] for row in empty.rows("SELECT DISTINCT type FROM committees")}
    assert {"Standing", "Subcommittee"} <= kinds
    below = empty.rows(
        "SELECT c.system_code, p.system_code AS parent FROM committees c "
        "JOIN committees p ON p.committee_id = c.parent_committee_id"
    )
    assert below
    assert all(row["parent"][:4] == row["system_code"][:4] for row in below)
    assert result["metrics"]["committees_updated"] >= total


def test_the_committees_are_undone_with_the_run(empty: World) -> None:
    before = empty.snapshot()
    updater = empty.updater(update_mode="full")
    assert updater.run_daily_update()["success"]
    assert empty.snapshot() != before
    assert updater._rollback_database() is True
    assert empty.snapshot() == before


def test_without_the_component_no_committee_is_asked_for(empty: World) -> None:
    empty.run(update_mode="full", components=["hearings"])
    assert lists_of_committees(empty) == []
    assert empty.value("SELECT COUNT(*) FROM committees") == 0


def test_committees_that_cannot_be_listed_are_looked_up_one_by_one(
    empty: World, caplog: pytest.LogCaptureFixture
) -> None:
    updater = empty.updater(update_mode="full")
    real = updater.api_client.get

    def get(endpoint: str, params: Any = None) -> Any:
        if endpoint.startswith("committee/119/"):
            raise RuntimeError("no list today")
        return real(endpoint, params)

    updater.api_client.get = get
    result = updater.run_daily_update()
    assert result["success"], result
    assert "The committees could not be listed (RuntimeError: no list today)" in caplog.text
    assert empty.value("SELECT COUNT(*) FROM hearing_committees") > 0
    assert result["metrics"]["hearings_added"] == 520


def stop_after(updater: DailyUpdater, windows: int) -> None:
    """Ctrl-C at the fetch of the next window."""
    fetch, fetched = updater._fetch_recent_hearings, []

    def stopping(progress_callback: Any = None) -> list[Any]:
        if len(fetched) == windows:
            raise KeyboardInterrupt
        fetched.append(1)
        return fetch(progress_callback)

    updater._fetch_recent_hearings = stopping  # type: ignore[method-assign]


def test_an_interrupted_full_run_goes_on_where_it_was(
    empty: World, caplog: pytest.LogCaptureFixture
) -> None:
    updater = empty.updater(update_mode="full")
    stop_after(updater, 2)
    with pytest.raises(KeyboardInterrupt):
        updater.run_daily_update()
    updater.db.close()
    assert empty.value("SELECT COUNT(*) FROM hearings") == 500
    # One of those that are in changes meanwhile.
    changed = empty.value("SELECT MIN(event_id) FROM hearings")
    empty.alter(changed, title="Changed while nobody looked")
    empty.sandbox.clear_requests()
    with caplog.at_level(logging.INFO):
        metrics = empty.run(update_mode="full")
    assert "499 of 520 meetings are in already" in caplog.text
    assert (metrics["hearings_added"], metrics["hearings_updated"]) == (20, 1)
    assert len(empty.details()) == 21
    # That one was whole: the next one asks for everything again.
    empty.sandbox.clear_requests()
    empty.run(update_mode="full")
    assert len(empty.details()) == 520


def test_other_components_begin_anew(empty: World) -> None:
    updater = empty.updater(update_mode="full")
    stop_after(updater, 1)
    with pytest.raises(KeyboardInterrupt):
        updater.run_daily_update()
    updater.db.close()
    empty.sandbox.clear_requests()
    empty.run(update_mode="full", components=["hearings", "witnesses", "committees", "documents"])
    assert len(empty.details()) == 520


def test_what_was_rolled_back_meanwhile_is_asked_for_again(empty: World) -> None:
    updater = empty.updater(update_mode="full")
    stop_after(updater, 1)
    with pytest.raises(KeyboardInterrupt):
        updater.run_daily_update()
    updater.db.close()
    gone = "IN (SELECT hearing_id FROM hearings ORDER BY hearing_id LIMIT 30)"
    for table in ("hearing_committees", "witness_appearances", "hearings"):
        if table == "witness_appearances":
            appearances = f"SELECT appearance_id FROM {table} WHERE hearing_id {gone}"
            empty.do(f"DELETE FROM witness_documents WHERE appearance_id IN ({appearances})")
        empty.do(f"DELETE FROM {table} WHERE hearing_id {gone}")
    empty.sandbox.clear_requests()
    empty.run(update_mode="full")
    assert len(empty.details()) == 520 - 220


def test_a_dry_run_leaves_no_mark(empty: World) -> None:
    before = empty.files()
    metrics = empty.run(update_mode="full", dry_run=True)
    assert metrics["hearings_added"] == 520
    assert empty.files() == before


def test_the_bar_never_goes_back(empty: World) -> None:
    told: list[float] = []
    updater = empty.updater(update_mode="full")
    result = updater.run_daily_update(progress_callback=lambda now: told.append(now["percent"]))
    assert result["success"], result
    assert told == sorted(told)
    assert told[-1] == 100.0
    # The middle window's share lies in the middle.
    assert any(40.0 < percent < 60.0 for percent in told)


def test_it_says_what_the_keys_quota_allows(empty: World) -> None:
    with Sandbox(meetings=60, seed=6, rate_limit=30) as small:
        empty.sandbox = small
        done = update(empty, "--mode", "full", RATE_LIMIT="30")
    assert "60 meetings to ask for; of 30 requests an hour" in done.stderr
    assert "more for all of them" in done.stderr
    metrics = metrics_of(done)
    assert 0 < metrics["hearings_added"] < 30
    # Shown in part; the rest is remembered.
    assert empty.value("SELECT COUNT(*) FROM updater_deferred") == 60 - metrics["hearings_added"]


def test_a_killed_full_run_goes_on_too(empty: World) -> None:
    empty.sandbox.latency_ms = 100
    with started(empty, "--mode", "full") as process:
        until(lambda: empty.value("SELECT COUNT(*) FROM hearings") >= 250, "the first window is in")
        process.kill()
        process.communicate()
    empty.sandbox.latency_ms = 0
    inside = empty.value("SELECT COUNT(*) FROM hearings")
    empty.sandbox.clear_requests()
    metrics = metrics_of(update(empty, "--mode", "full"))
    assert metrics["hearings_added"] == 520 - inside
    assert empty.value("SELECT COUNT(*) FROM hearings") == 520
