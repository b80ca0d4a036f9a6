"""A process that is killed, wherever it is: whole batches, a sound file, and the next run goes on.

`make soak` does this for as long as it is asked to; here it is a sample of each.
"""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from crash import kills
from crash.scenes import MEETINGS, SCENES, Scene, filled
from updaters import _native
from updaters.sandbox import Sandbox

pytestmark = pytest.mark.skipif(
    not _native.CRASH_POINTS, reason="this build cannot kill itself (a release build)"
)
Make = Callable[[str], Scene]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Scenes, each made once: half of the meetings change, and some are new."""
    root = tmp_path_factory.mktemp("crash")
    made: dict[str, Scene] = {}
    with Sandbox(MEETINGS, seed=11, rate_limit=10**6) as api:
        base = root / "base"
        filled(base, api)
        api.change(MEETINGS // 2, seed=2)
        api.add(7)

        def one(name: str) -> Scene:
            if name not in made:
                folder = root / name.replace(" ", "-")
                made[name] = SCENES[name](folder, api, base).prepare(folder / "scratch")
            return made[name]

        yield one


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_named_points(make: Make, name: str, tmp_path: Path) -> None:
    scene = make(name)
    points = [p for p in scene.passages if p not in ("write", "truncate", "delete")]
    assert points
    choose = random.Random(name)
    for point in choose.sample(points, min(2, len(points))):
        at = f"{point}:{choose.randint(1, scene.passages[point])}"
        kill = partial(kills.at_point, where=at)
        assert kills.try_once(scene, tmp_path, [lambda s, f, kill=kill: kill(s, f)]) == 1, at


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_a_write(make: Make, name: str, tmp_path: Path) -> None:
    scene = make(name)
    choose = random.Random(name)
    at = f"write:{choose.randint(1, scene.passages['write'])}:torn"
    kills.try_once(scene, tmp_path, [lambda s, f: kills.at_point(s, f, at)])


@pytest.mark.parametrize("name", ["batches", "batches, delete mode"])
def test_three_kills_in_a_row_with_a_reader(make: Make, name: str, tmp_path: Path) -> None:
    scene = make(name)
    wheres = ["commit@batch 2:1", "record:3", "committed@batch 1:1"]
    tries = [lambda s, f, at=at: kills.at_point(s, f, at) for at in wheres]
    assert kills.try_once(scene, tmp_path, tries, watch=True) == 3


def test_killed_at_a_moment(make: Make, tmp_path: Path) -> None:
    scene = make("batches")
    began = time.monotonic()
    scene.run(scene.lay(tmp_path / "folder").parent)
    length = time.monotonic() - began
    choose = random.Random(5)
    for _ in range(3):
        moment = choose.uniform(0.3, 1.0) * length
        kills.try_once(scene, tmp_path, [lambda s, f, m=moment: kills.at_moment(s, f, m)])
