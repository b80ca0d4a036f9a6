"""A dry run writes nothing, whatever it meets."""

import shutil
from typing import Any

import pytest

from helpers_run import World, make_legacy, meeting, utc


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
@pytest.mark.parametrize("shape", ["new", "legacy"])
def test_a_dry_run_writes_nothing_at_all(world: World, journal_mode: str, shape: str) -> None:
    world.path.unlink()
    for left in world.folder.glob("database.db-*"):
        left.unlink()
    if shape == "legacy":
        make_legacy(world.path, journal_mode=journal_mode)
    else:
        world.init()
        world.put(meeting(900), meeting(901))
        world.run()
        world.do(f"PRAGMA journal_mode = {journal_mode}")
        shutil.rmtree(world.folder / "backups")
    world.put(
        meeting(900, title="Another title", updateDate=utc(seconds=1)), meeting(55), meeting(56)
    )
    before = world.files()
    metrics = world.run(dry_run=True)
    assert (metrics["hearings_updated"], metrics["hearings_added"]) == (
        1,
        2 + (shape != "legacy" and 0),
    )
    assert world.files() == before


def test_a_dry_run_cannot_be_made_to_write(filled: World) -> None:
    filled.alter(2, title="Another title")
    before = filled.files()
    updater = filled.updater()

    def writes(hearings: Any) -> Any:
        updater.db.execute("DELETE FROM hearings")
        return {"updates": [], "additions": []}

    updater._identify_changes = writes  # type: ignore[method-assign]
    assert updater.run_daily_update(dry_run=True)["success"] is False
    updater.db.close()
    assert filled.files() == before
