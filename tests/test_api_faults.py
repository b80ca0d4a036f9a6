"""Every fault of the API, alone and mixed: nothing is lost, and the next good run has it all."""

import os
import random
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from conftest import assert_sound
from helpers_faults import HASTE, Content, run_through, timeless, waiting
from helpers_run import World
from updaters.sandbox import FAULTS, Sandbox

MEETINGS, SEED = 20, 4
NOW = datetime.now(timezone.utc)
#: For a soak: so many rounds of mixed faults.
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "2"))


@pytest.fixture
def storm(clean_env: Path) -> Iterator[World]:
    """An empty database, and an API with content that is the same for every test."""
    with Sandbox(MEETINGS, seed=SEED, slow_ms=20, rate_limit=1_000_000, now=NOW) as sandbox:
        world = World(clean_env, sandbox).init()
        yield world
        world.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """What a database holds that never met a fault."""
    with Sandbox(MEETINGS, seed=SEED, now=NOW) as sandbox:
        world = World(tmp_path_factory.mktemp("undisturbed"), sandbox).init()
        world.run(HASTE)
        world.close()
    return timeless(world.path)


def converges(world: World, undisturbed: Content) -> None:
    """One run without a fault, and all is as if there had never been one."""
    metrics = run_through(world, world.sandbox, {})
    assert metrics["errors"] == [] and "deferred" not in metrics, metrics
    assert waiting(world) == set()
    assert timeless(world.path) == undisturbed
    assert_sound(world.path)


def is_right(world: World, undisturbed: Content) -> None:
    """What is stored is what upstream says, if not all of it."""
    for table, rows in timeless(world.path).items():
        assert set(rows) <= set(undisturbed[table]), table


@pytest.mark.parametrize("kind", FAULTS)
def test_a_kind_of_fault_loses_nothing(storm: World, undisturbed: Content, kind: str) -> None:
    for share in (0.5, 0.05):
        run_through(storm, storm.sandbox, {kind: share})
        is_right(storm, undisturbed)
    converges(storm, undisturbed)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_mixed_faults_lose_nothing(storm: World, undisturbed: Content, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        kinds = chance.sample(sorted(FAULTS), chance.randint(2, 8))
        faults = {kind: chance.uniform(0.01, 0.5) / len(kinds) ** 0.5 for kind in kinds}
        run_through(storm, storm.sandbox, faults)
        is_right(storm, undisturbed)
    converges(storm, undisturbed)
