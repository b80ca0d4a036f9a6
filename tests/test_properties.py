"""What holds for any change set: batch sizes, modes and the order of undoing do not matter.

`HYPOTHESIS_PROFILE=long` tries hundreds of each.
"""

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crash import journal, state
from helpers_run import World, contents, meeting
from updaters.values import Checkpoint

EXAMPLES = 300 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 12
several = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NUMBERS = itertools.count()
STORED = [str(number) for number in range(1, 9)]
EVENTS = st.sampled_from([*STORED, *(str(number) for number in range(50, 60))])
NAMES = ["Ann Lee", "Dr. Ann Lee", "Mr. David King", "David King Jr.", "José Núñez", "A. Lee"]
WITNESSES = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(NAMES)},
        optional={
            "organization": st.sampled_from(["River Trust", "Parks Board", "river trust"]),
            "position": st.sampled_from(["Chair", "Director", ""]),
        },
    ),
    max_size=4,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "title": st.text(max_size=30),
        "meetingStatus": st.sampled_from(["Scheduled", "Canceled", "Postponed", "Odd"]),
        "type": st.sampled_from(["Hearing", "Markup", "Meeting", None]),
        "chamber": st.sampled_from(["House", "Senate", "Joint"]),
        "date": st.sampled_from(["2025-09-09T18:00:00Z", "2025-10-01 09:30:00+00:00", None]),
        "location": st.sampled_from([{}, None, {"room": "1"}, {"building": "Hall"}]),
        "committees": st.sampled_from([[], [{"systemCode": "hsii00"}], [{"systemCode": "HSII00"}]]),
        "witnesses": WITNESSES,
        "witnessDocuments": st.just([]),
    },
)
CHANGES = st.dictionaries(EVENTS, FIELDS, min_size=1, max_size=12)


@pytest.fixture
def base(world: World) -> Path:
    """A database of eight hearings, to be copied for each example."""
    world.put(*(meeting(event) for event in STORED))
    world.run()
    for suffix in ("-wal", "-shm"):
        assert not Path(f"{world.path}{suffix}").exists()
    return Path(shutil.copy(world.path, world.folder / "base.db"))


def fresh(world: World, base: Path) -> None:
    """A database of the example's own: never one file in another's place."""
    world.path = base.with_name(f"example-{next(NUMBERS)}.db")
    shutil.copy(base, world.path)


def whole(event: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A meeting that is the same whenever it is made."""
    return {**meeting(event), "updateDate": "2026-01-02T03:04:05Z", **fields}


def applied(world: World, base: Path, changes: dict[str, Any], **setting: Any) -> dict[str, Any]:
    """What is stored after these changes, from the base on."""
    fresh(world, base)
    updater = world.updater(setting)
    records = {event: whole(event, fields) for event, fields in changes.items()}
    updates = [
        {"existing": updater.db.get_hearing_by_event_id(event), "new_data": record}
        for event, record in records.items()
        if event in STORED
    ]
    additions = [record for event, record in records.items() if event not in STORED]
    parts = {"updates": updates, "additions": additions}
    if updater.settings.enable_batch_processing:
        updater._apply_updates_with_batches(parts)
    else:
        updater._apply_updates(parts)
    updater.db.close()
    assert updater.metrics.errors == []
    assert updater.metrics.batches_failed == 0
    assert list(journal.problems(world.path)) == []
    return state.contents(world.path)


@several
@given(changes=CHANGES, size=st.integers(1, 13))
def test_neither_batch_size_nor_mode_changes_what_is_stored(
    world: World, base: Path, changes: dict[str, Any], size: int
) -> None:
    stored = applied(world, base, changes, batch_processing_size=50)
    assert applied(world, base, changes, batch_processing_size=size) == stored
    assert applied(world, base, changes, enable_batch_processing=False) == stored


@several
@given(changes=CHANGES)
def test_rolling_back_what_was_applied_is_as_if_it_had_never_been(
    world: World, base: Path, changes: dict[str, Any]
) -> None:
    fresh(world, base)
    before = contents(world.path)
    updater = world.updater()
    checkpoint = Checkpoint(1)
    batch = [
        {"existing": updater.db.get_hearing_by_event_id(event), "new_data": record}
        if event in STORED
        else record
        for event, record in ((e, {**meeting(e), **fields}) for e, fields in changes.items())
    ]
    assert updater._process_batch(batch, 1, checkpoint).success
    assert updater._rollback_checkpoint(checkpoint) is True
    assert updater._rollback_checkpoint(checkpoint) is True
    updater.db.close()
    assert contents(world.path) == before


@several
@given(runs=st.lists(CHANGES, min_size=1, max_size=4), size=st.integers(1, 5))
def test_runs_undone_in_reverse_order_lead_back_step_by_step(
    world: World, base: Path, runs: list[dict[str, Any]], size: int
) -> None:
    fresh(world, base)
    seen = [contents(world.path)]
    updater = world.updater({"batch_processing_size": size})
    numbers = []
    for changes in runs:
        for event, fields in changes.items():
            # What an earlier run brought in changes, too.
            world.put({**meeting(event), **fields})
            world.sandbox.touch(event)
        result = updater.run_daily_update()
        assert result["success"], result
        (newest,) = updater.db.native.runs(1)
        # A run that found nothing new has nothing to undo.
        if newest["batches"]:
            numbers.append(newest["run"])
            seen.append(contents(world.path))
    while numbers:
        outcome = updater.db.native.undo_run(numbers.pop(), None, False)
        assert outcome["undone"], outcome
        seen.pop()
        assert contents(world.path) == seen[-1]
    updater.db.close()
    assert list(journal.problems(world.path)) == []
