"""What is recorded of each batch with its run: size, outcome, milliseconds."""

import sqlite3
from threading import Timer
from typing import Any

import pytest

from helpers_run import World, meeting
from updaters import _native
from updaters.daily_updater import DailyUpdater

FIVE = (1, 2, 3, 4, 5)


def figures(world: World, *kinds: str) -> list[dict[str, Any]]:
    """Of these kinds of batches, in the order of their numbers."""
    database = _native.Database(str(world.path), read_only=True)
    found = [b for b in database.batch_figures() if b["kind"] in (kinds or ("batch",))]
    database.close()
    return sorted(found, key=lambda b: (b["run"], b["batch"] or 0, b["kind"]))


def columns(batches: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(batch[name] for name in names) for batch in batches]


def test_an_applied_batch(world: World) -> None:
    world.put(*(meeting(n) for n in FIVE))
    world.run({"batch_processing_size": 2})
    found = figures(world)
    assert columns(found, "batch", "outcome", "size", "records") == [
        (1, "applied", 2, 2),
        (2, "applied", 2, 2),
        (3, "applied", 1, 1),
    ]
    for batch in found:
        assert batch["entries"] > 0
        assert batch["validate_ms"] > 0 and batch["apply_ms"] > 0 and batch["commit_ms"] > 0


def test_the_commit_is_no_part_of_applying(world: World) -> None:
    """A reader keeps the commit waiting, so that by far the most of the time is the commit's."""

    class Waits(DailyUpdater):
        def _add_new_hearing(self, conn: Any, hearing_data: dict[str, Any]) -> None:
            super()._add_new_hearing(conn, hearing_data)
            reader = sqlite3.connect(world.path, check_same_thread=False)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM hearings").fetchone()
            Timer(1.0, reader.close).start()

    world.do("PRAGMA journal_mode = delete")
    world.put(meeting(1))
    updater = Waits(lookback_days=60)
    updater.settings = world.updater().settings
    assert updater.run_daily_update()["success"]
    updater.db.close()
    [batch] = figures(world)
    assert 0 < batch["apply_ms"] < batch["commit_ms"]


def test_a_skipped_batch(world: World) -> None:
    world.put(meeting(1), meeting(2, date="next week"), meeting(3))
    world.run({"batch_processing_size": 2})
    skipped, applied = figures(world)
    assert (skipped["outcome"], skipped["size"], skipped["records"]) == ("skipped", 2, 0)
    assert skipped["error"] == "Validation failed"
    assert "next week" in skipped["issues"][0]
    assert skipped["validate_ms"] > 0
    assert skipped["apply_ms"] is None and skipped["commit_ms"] is None
    assert applied["outcome"] == "applied"


class Fails(DailyUpdater):
    """One event cannot be written."""

    def _add_new_hearing(self, conn: Any, hearing_data: dict[str, Any]) -> None:
        super()._add_new_hearing(conn, hearing_data)
        if hearing_data["eventId"] == "2":
            raise RuntimeError("no room for it")


def run_failing(world: World, **settings: Any) -> dict[str, Any]:
    updater = Fails(lookback_days=60)
    updater.settings = world.updater(settings).settings
    result = updater.run_daily_update()
    updater.db.close()
    metrics: dict[str, Any] = result["metrics"]
    return metrics


def test_a_failed_batch(world: World) -> None:
    world.put(*(meeting(n) for n in FIVE))
    run_failing(world, batch_processing_size=2)
    failed, *others = figures(world)
    assert (failed["outcome"], failed["size"], failed["records"]) == ("failed", 2, 0)
    assert "no room for it" in failed["error"]
    assert failed["apply_ms"] > 0 and failed["commit_ms"] is None
    assert failed["at"] <= others[-1]["at"]
    assert columns(others, "outcome") == [("applied",), ("applied",)]


def test_what_was_salvaged_of_a_batch_has_figures_of_its_own(world: World) -> None:
    world.put(*(meeting(n) for n in FIVE))
    run_failing(world, batch_processing_size=3, batch_salvage=True)
    failed, salvaged, applied = figures(world, "batch", "salvage")
    names = ("batch", "kind", "outcome", "size", "records")
    assert columns([failed, salvaged, applied], *names) == [
        (1, "batch", "failed", 3, 0),
        (1, "salvage", "applied", 3, 2),
        (2, "batch", "applied", 2, 2),
    ]
    assert salvaged["commit_ms"] > 0 and salvaged["validate_ms"] is None


def test_the_plain_pass(world: World) -> None:
    world.put(*(meeting(n) for n in FIVE))
    run_failing(world, enable_batch_processing=False)
    [plain] = figures(world, "batch", "plain")
    assert (plain["kind"], plain["batch"], plain["outcome"]) == ("plain", None, "applied")
    assert (plain["size"], plain["records"]) == (5, 4)
    assert plain["validate_ms"] is None
    assert plain["apply_ms"] > 0 and plain["commit_ms"] > 0


def test_a_plain_pass_that_is_undone_whole(world: World) -> None:
    class Ends(DailyUpdater):
        def _add_new_hearing(self, conn: Any, hearing_data: dict[str, Any]) -> None:
            raise KeyboardInterrupt

    world.put(meeting(1))
    updater = Ends(lookback_days=60)
    updater.settings = world.updater({"enable_batch_processing": False}).settings
    with pytest.raises(KeyboardInterrupt):
        updater.run_daily_update()
    updater.db.close()
    [plain] = figures(world, "plain")
    assert (plain["outcome"], plain["size"], plain["records"]) == ("failed", 1, 0)
    assert "KeyboardInterrupt" in plain["error"] and plain["commit_ms"] is None


def test_a_pass_that_changes_nothing_keeps_its_figures_to_itself(world: World) -> None:
    """Each window of a full run is a pass; the second one here finds nothing to write."""

    class Twice(DailyUpdater):
        def _apply_updates(self, changes: Any) -> None:
            super()._apply_updates(changes)
            super()._apply_updates({"updates": [], "additions": changes["additions"][:1]})

    world.put(*(meeting(n) for n in FIVE))
    updater = Twice(lookback_days=60)
    updater.settings = world.updater({"enable_batch_processing": False}).settings
    assert updater.run_daily_update()["success"]
    updater.db.close()
    found = figures(world, "plain")
    assert columns(found, "outcome", "size", "entries") == [
        ("applied", 5, found[0]["entries"]),
        ("unchanged", 1, 0),
    ]


def test_an_undone_batch_keeps_its_figures(world: World) -> None:
    world.put(meeting(1))
    world.run()
    before = figures(world)[0]
    database = _native.Database(str(world.path))
    database.undo_run(1, None, False)
    database.close()
    assert figures(world) == [{**before, "outcome": "undone"}]
    assert len(figures(world, "undo")) == 1


def test_a_run_that_breaks_something_is_recorded_as_undone(world: World) -> None:
    class Broken(DailyUpdater):
        def _run_post_update_validation(self) -> None:
            self.metrics.validation_passed = False
            self.metrics.validation_issues.append("it is broken")

    world.put(*(meeting(n) for n in FIVE))
    updater = Broken(lookback_days=60)
    updater.settings = world.updater({"batch_processing_size": 3}).settings
    assert not updater.run_daily_update()["success"]
    updater.db.close()
    assert columns(figures(world), "outcome", "records") == [("undone", 3), ("undone", 2)]
    database = _native.Database(str(world.path), read_only=True)
    [run] = database.run_figures()
    database.close()
    assert (run["success"], run["batches_undone"], run["batches_applied"]) == (False, 2, 0)
