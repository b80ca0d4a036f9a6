"""A process that is killed, wherever it is: whole batches, a sound file, and the next run goes on.

`make soak` tries every point for as long as it is asked to; here it is a sample of each.
"""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from conftest import change_of, snapshot
from crash.play import Kill, Play
from crash.scenes import Stage, scenes, stage
from helpers_run import World, tool, update
from updaters import _native
from updaters.daily_updater import Checkpoint, DailyUpdater
from updaters.sandbox import Sandbox

pytestmark = pytest.mark.skipif(
    not _native.CRASH_POINTS, reason="this build cannot kill itself (it is as a wheel is)"
)
MakePlay = Callable[[str], Play]

#: One of each kind, in one of the two journal modes.
SAMPLE = (
    "batched delete",
    "batched wal",
    "spoilt wal",
    "plain delete",
    "full wal",
    "migration delete",
    "backup wal",
    "rollback delete",
    "rollback, update wal",
    "one batch wal",
    "checkpoint delete",
    "undone wal",
    "restore wal",
    "restore delete",
    "fix wal",
    "init",
)


@pytest.fixture(scope="module")
def on_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("crash")) as made:
        yield made


@pytest.fixture(scope="module")
def play(on_stage: Stage) -> MakePlay:
    """Scenes, each made ready once."""
    known = {scene.name: scene for scene in scenes()}
    ready: dict[str, Play] = {}

    def make(name: str) -> Play:
        if name not in ready:
            folder = on_stage.folder / name.replace(" ", "-")
            ready[name] = Play(known[name], on_stage, folder)
        return ready[name]

    return make


@pytest.mark.parametrize("name", SAMPLE)
def test_killed_at_points_of_every_kind(play: MakePlay, name: str) -> None:
    made, dice = play(name), random.Random(name)
    points = made.points()
    named = [kill for kill in points if not kill.is_write]
    writes = [kill for kill in points if kill.is_write]
    kills = [*dice.sample(named, 2), dice.choice(writes)]
    for number, kill in enumerate(kills):
        # While somebody reads, SQLite puts off the folding of a WAL.
        read = number == 0 and not str(kill.at).startswith(("truncate", "delete"))
        played = made.play(kill, reader=read)
        assert played.kills == 1, f"{name}, {kill}: it never came there"
        assert played.findings == [], f"{name}, killed {kill}"


def test_killed_at_moments_from_outside(play: MakePlay) -> None:
    made, dice = play("batched wal"), random.Random(5)
    kills = [made.at_random(dice) for _ in range(4)]
    played = [made.play(kill, reader=True) for kill in kills]
    assert [one.findings for one in played] == [[]] * len(kills)
    assert sum(one.kills for one in played) > 0


def test_killed_and_killed_again_in_the_next_run_and_the_one_after(play: MakePlay) -> None:
    for name in ("batched wal", "batched delete"):
        kills = [Kill("committed@batch 2:1"), Kill("write:300:torn"), Kill("record:3")]
        played = play(name).play(*kills)
        assert (played.kills, played.findings) == (3, []), name


@pytest.mark.parametrize(
    ("name", "at"),
    [
        # Events that waited to be asked for again were forgotten: undone, and in no list.
        ("undone wal", "committed@undo 0:1"),
        # The old database was still there, without its WAL or its hot journal.
        ("restore wal", "restore:1"),
        ("restore delete", "restore:1"),
        # Undone, and not held: the next update brought it all back.
        ("rollback, update wal", "committed@undo 0:1"),
        # Half a backup bore a backup's name.
        ("backup wal", "backup:2"),
        ("backup wal", "backup-whole:1"),
    ],
)
def test_killed_where_something_was_lost_once(play: MakePlay, name: str, at: str) -> None:
    played = play(name).play(Kill(at))
    assert (played.kills, played.findings) == (1, [])


def test_a_killed_rollback_of_everything_keeps_no_update_out(busy_world: World) -> None:
    # Fewer than 100 hearings where there were more: rows were lost, unless a rollback took them.
    busy_world.sandbox.add(90)
    update(busy_world, "--lookback-days", "60")
    assert busy_world.value("SELECT COUNT(*) FROM hearings") == 120
    rollback = ("rollback", "--run", "1", "--db", "database.db")
    tool(busy_world, *rollback, code=-9, UPDATER_CRASH_AT="committed@undo 0:1")
    assert busy_world.value("SELECT COUNT(*) FROM hearings") == 0
    update(busy_world, "--lookback-days", "60")
    assert busy_world.value("SELECT COUNT(*) FROM hearings") == 0
    assert busy_world.value("SELECT COUNT(*) FROM updater_held") == 120


def test_a_checkpoint_is_undone_wholly_or_not_at_all(
    updater: DailyUpdater, filled_db: Path, sandbox: Sandbox
) -> None:
    checkpoint = Checkpoint(1)
    batch = [change_of(updater, sandbox, event_id) for event_id in sandbox.change(5, seed=5)]
    assert updater._process_batch(batch, 1, checkpoint).success
    # What somebody added by hand cannot be undone; so what the journal knows is not, either.
    checkpoint.original_hearing_data["1"] = {"no_such_column": 1}
    after = snapshot(filled_db)
    assert updater._rollback_checkpoint(checkpoint) is False
    assert snapshot(filled_db) == after
    del checkpoint.original_hearing_data["1"]
    assert updater._rollback_checkpoint(checkpoint) is True
    assert snapshot(filled_db) != after


def test_files_of_a_persons_own_are_no_left_overs(filled: World) -> None:
    own = [filled.folder / f"database.db.{name}-20250101" for name in ("new", "restore", "partial")]
    for path in own:
        path.write_text("mine")
    tool(filled, "restore", "--db", "database.db")
    filled.path.unlink()
    tool(filled, "init", "--db", "database.db")
    assert [path.read_text() for path in own] == ["mine"] * 3


def test_the_real_database_survives_a_kill_in_its_first_update(
    on_stage: Stage, real_db: Path
) -> None:
    [scene] = [scene for scene in scenes(real=True) if scene.name == "migration real"]
    made = Play(scene, on_stage, on_stage.folder / "real")
    for at in ("migration:12", "commit@batch 3:1", "committed@batch 3:1"):
        played = made.play(Kill(at))
        assert (played.kills, played.findings) == (1, []), at


def test_the_checks_find_what_is_wrong(play: MakePlay, tmp_path: Path) -> None:
    """What judges the kills above is no judge that lets everything pass."""
    made = play("batched wal")
    folder = tmp_path / "spoilt"
    shutil.copytree(made.folder / "whole", folder)
    path = folder / "database.db"
    assert made.judge(folder) == []

    def spoil(sql: str) -> str:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(sql)
        return " ".join(made.judge(folder))

    assert "the journal says" in spoil("UPDATE hearings SET title = 'x' WHERE hearing_id = 3")
    assert "which is not there" in spoil("DELETE FROM updater_batches WHERE batch_number = 2")
    assert "foreign key" in spoil("DELETE FROM witnesses WHERE witness_id = 2")
