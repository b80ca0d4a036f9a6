"""What a run takes in memory, whatever the API sends: the system gives it no more than a bound."""

import subprocess
from typing import Any

import pytest

from helpers_run import MODULE, World, command, meeting, metrics_of

#: Nothing here takes more than 160.
MOST_MB = 250
MEETINGS = 16


def updated(world: World) -> "subprocess.CompletedProcess[str]":
    """A run in a process that is given no more memory than so much."""
    room = ["prlimit", f"--data={MOST_MB * 1024 * 1024}"]
    flags = ("--lookback-days", "9")
    return command(world.folder, world.sandbox.url, *MODULE, *flags, before=room)


def all_set_aside(world: World, done: "subprocess.CompletedProcess[str]") -> None:
    metrics = metrics_of(done)
    assert metrics["hearings_checked"] == MEETINGS
    assert metrics["hearings_added"] == metrics["error_count"] == 0
    waiting = world.rows("SELECT event_id FROM updater_deferred")
    assert len(waiting) == MEETINGS


@pytest.mark.parametrize("kind", ["gzip-bomb", "oversize", "huge-title", "deep"])
def test_answers_that_are_too_much_are_not_taken_in(world: World, kind: str) -> None:
    world.put(*(meeting(n) for n in range(MEETINGS)))
    world.sandbox.fail_next(kind, times=10_000, path="/committee-meeting/119/")
    all_set_aside(world, updated(world))


@pytest.mark.parametrize(
    "fields",
    [
        # Two bytes of text each, and fifty times as much in memory.
        {"odd": [0] * 60_000},
        {"odd": ["x" * 700_000] * 3},
    ],
)
def test_meetings_that_are_too_much_are_not_taken_in(world: World, fields: dict[str, Any]) -> None:
    world.put(*(meeting(n, **fields) for n in range(MEETINGS)))
    all_set_aside(world, updated(world))


def test_a_run_that_holds_enough_leaves_the_rest_to_the_next(world: World) -> None:
    """Each of these is just small enough; all of them are not."""
    world.put(*(meeting(n) for n in range(40)))
    updater = world.updater()
    api = updater.api_client

    class Padded:
        def get(self, endpoint: str, params: Any = None) -> Any:
            answer = api.get(endpoint, params)
            if "committeeMeeting" in answer:
                answer["committeeMeeting"]["padding"] = "x" * 2_050_000
            return answer

        def __getattr__(self, name: str) -> Any:
            return getattr(api, name)

    updater.api_client = Padded()
    metrics = updater.run_daily_update()["metrics"]
    updater.db.close()
    assert (metrics["hearings_added"], metrics["errors"]) == (33, [])
    assert len(metrics["deferred"]) == 7
    assert all("left to the next run" in event["reason"] for event in metrics["deferred"])
    assert world.run()["hearings_added"] == 7
    assert world.rows("SELECT * FROM updater_deferred") == []
