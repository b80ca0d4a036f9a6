"""Other programs at the same file while a run is at it."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from helpers_run import World
from updaters.sandbox import Sandbox


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_reader_is_not_blocked_and_sees_no_half_batch(clean_env: Path, mode: str) -> None:
    size = 10
    with Sandbox(meetings=120, seed=2) as sandbox:
        world = World(clean_env, sandbox).init()
        world.do(f"PRAGMA journal_mode = {mode}")
        done = threading.Event()
        seen: list[tuple[int, int]] = []
        failed: list[str] = []

        def read() -> None:
            while not done.is_set():
                try:
                    # Opened and closed again and again: that drops a process's POSIX locks.
                    with closing(sqlite3.connect(world.path, timeout=5)) as db:
                        seen.append(
                            db.execute(
                                "SELECT (SELECT COUNT(*) FROM hearings), (SELECT COUNT(*) FROM "
                                "hearings WHERE hearing_id NOT IN (SELECT hearing_id FROM "
                                "hearing_committees))"
                            ).fetchone()
                        )
                except sqlite3.Error as error:
                    failed.append(repr(error))

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            metrics = world.run({"batch_processing_size": size})
        finally:
            done.set()
            for reader in readers:
                reader.join()
        assert failed == []
        assert metrics["hearings_added"] == 120
        bare = world.value(
            "SELECT COUNT(*) FROM hearings WHERE hearing_id NOT IN "
            "(SELECT hearing_id FROM hearing_committees)"
        )
        assert {count % size for count, _ in seen} == {0}
        assert all(alone <= bare for _, alone in seen)
        assert seen


def test_another_programs_write_in_the_middle_of_a_run_is_waited_for(filled: World) -> None:
    filled.alter(1, title="Another title")
    updater = filled.updater()
    identify = updater._identify_changes
    other = sqlite3.connect(filled.path, check_same_thread=False)

    def and_locked(hearings: Any) -> Any:
        changes = identify(hearings)
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.5, other.rollback).start()
        return changes

    updater._identify_changes = and_locked  # type: ignore[method-assign]
    result = updater.run_daily_update()
    other.close()
    assert result["success"] is True
    assert filled.hearing(1)["title"] == "Another title"
