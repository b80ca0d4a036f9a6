"""Ctrl-C that lands in a place where an exception counts for nothing: it is not lost."""

from collections import UserDict
from pathlib import Path
from typing import Any

import pytest

from conftest import assert_sound, query, record
from updaters.daily_updater import DailyUpdater


class Interrupting(UserDict[str, Any]):
    """Reading it is where the signal arrives."""

    def keys(self) -> Any:
        raise KeyboardInterrupt


class Loud(int):
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize("batched", [True, False])
def test_one_while_a_record_is_read_ends_the_run(
    updater: DailyUpdater, filled_db: Path, batched: bool
) -> None:
    updater.settings.enable_batch_processing = batched
    updater.settings.batch_processing_size = 1
    first, second = record("9001"), record("9002")
    second["location"] = Interrupting(room="1324")
    updater._fetch_recent_hearings = lambda progress_callback=None: [first, second]  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        updater.run_daily_update()
    assert query(filled_db, "SELECT COUNT(*) FROM hearings WHERE event_id = '9002'") == [(0,)]
    assert query(filled_db, "SELECT success FROM update_logs ORDER BY log_id DESC LIMIT 1") == [
        (0,)
    ]
    assert_sound(filled_db)
    # The next run is not ended by what was left over.
    del updater._fetch_recent_hearings
    assert updater.run_daily_update()["success"]


def test_an_event_id_that_is_a_number_is_read_without_running_its_code(
    updater: DailyUpdater,
) -> None:
    updater._add_new_hearing(None, record("1"))
    listed = {**record("1"), "eventId": Loud(1)}
    changes = updater._identify_changes([listed])
    assert (changes["additions"], len(changes["updates"])) == ([], 0)
