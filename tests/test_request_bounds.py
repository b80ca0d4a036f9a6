"""How many requests a run sends at most: counted where they arrive."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from helpers_faults import HASTE
from helpers_run import World, meeting
from updaters.sandbox import Sandbox

TRIES = 3
#: The list's first page; its first two rows; four more, without insisting.
LIST = 3 * TRIES + 4
STORM = {**HASTE, "retry_attempts": TRIES, "circuit_breaker_enabled": False}


def detail_requests(world: World) -> Counter[str]:
    return Counter(world.details())


def counted(world: World, success: bool = True, **settings: Any) -> dict[str, Any]:
    """A run whose count of its requests is the sandbox's."""
    world.sandbox.clear_requests()
    metrics = world.run({**STORM, **settings}, success=success)
    assert metrics["api_requests"] == world.sandbox.request_count
    return metrics


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        # With the date filter, then without it.
        ("500", 2 * LIST),
        ("bad-utf8", 2 * LIST),
        ("oversize", 2 * 7),
        ("503", TRIES),
        ("429", TRIES),
        ("reset", TRIES),
        ("html", TRIES),
        ("truncated", TRIES),
        ("redirect", 1),
        ("redirect-loop", 6),
    ],
)
def test_a_list_that_cannot_be_had(world: World, kind: str, most: int) -> None:
    world.put(*(meeting(n) for n in range(40)))
    world.sandbox.faults = {kind: 1.0}
    counted(world, success=False)
    assert 1 <= world.sandbox.request_count <= most
    assert world.details() == []


@pytest.mark.parametrize(
    ("kind", "each"),
    [
        ("500", TRIES),
        ("503", TRIES),
        ("429", TRIES),
        ("reset", TRIES),
        ("html", TRIES),
        ("deep", TRIES),
        ("gzip-bomb", 1),
        ("huge-title", 1),
        ("404", 1),
        ("redirect", 1),
        ("redirect-loop", 6),
    ],
)
def test_details_that_cannot_be_had(world: World, kind: str, each: int) -> None:
    """Each takes so many requests, and all are told of by event id."""
    world.put(*(meeting(n) for n in range(12)))
    world.sandbox.fail_next(kind, times=10_000, path="/committee-meeting/119/")
    metrics = counted(world)
    assert detail_requests(world) == {str(n): each for n in range(12)}
    assert world.sandbox.request_count == 1 + 12 * each
    assert {event["event_id"] for event in metrics["deferred"]} == {str(n) for n in range(12)}


def test_a_meeting_whose_chamber_nobody_knows_is_looked_for_in_three_places(world: World) -> None:
    world.put(meeting(1), meeting(2))
    world.sandbox.fail_next("wrong-types", path="/committee-meeting/119?")
    world.sandbox.fail_next("404", times=100, path="/119/house/")
    world.sandbox.fail_next("500", times=100, path="/119/senate/")
    counted(world)
    assert detail_requests(world) == {"1": 1 + TRIES, "2": 1 + TRIES}
    # What failed in the second place was not looked for in a third. Found nowhere, it is.
    world.sandbox.forget_orders()
    world.sandbox.fail_next("wrong-types", path="/committee-meeting/119?")
    world.sandbox.fail_next("404", times=100, path="/committee-meeting/119/")
    counted(world)
    assert detail_requests(world) == {"1": 3, "2": 3}


def test_committees_without_end_are_not_looked_up_without_end(world: World) -> None:
    """Twenty of a meeting are, in four places each; a chain of parents ends, too."""
    codes = [f"hszz{n:02}" for n in range(99)]
    world.put(meeting(1, committees=[{"systemCode": code, "name": "None"} for code in codes]))
    counted(world, success=False)
    looked_up = [r.path for r in world.sandbox.requests if "/committee/" in r.path]
    assert len(looked_up) == 20 * 4
    # Once a run for all meetings that name them.
    world.put(*(meeting(n, committees=[{"systemCode": "hszz01", "name": "N"}]) for n in range(9)))
    world.sandbox.remove("1")
    world.sandbox.fail_next("500", times=1000, path="/committee/")
    counted(world)
    assert sum("/committee/" in r.path for r in world.sandbox.requests) == TRIES


def test_a_filter_that_is_broken_costs_its_probes_once(world: World) -> None:
    world.put(*(meeting(n) for n in range(40)))
    world.sandbox.faults = {"filter": 1.0}
    metrics = counted(world)
    assert metrics["hearings_added"] == 40
    filtered = sum("fromDateTime" in r.path for r in world.sandbox.requests)
    assert filtered == LIST


@pytest.mark.parametrize("faults", [{}, {"500": 1.0}, {"500": 0.5, "429": 0.4}])
def test_the_hourly_limit_holds_in_a_storm(world: World, faults: dict[str, float]) -> None:
    """Retries count as what they are: requests. Both sides count them."""
    world.put(*(meeting(n) for n in range(40)))
    world.run({**STORM})
    for n in range(40):
        world.alter(n, title=f"Another title {n}")
    for kind in faults:
        world.sandbox.fail_next(kind, times=500, path="/committee-meeting/119/house")
    metrics = counted(world, rate_limit=20)
    # Ours alone, as the sandbox has no such limit. One may have come back meanwhile.
    assert world.sandbox.request_count <= 21
    assert {event["event_id"] for event in metrics["deferred"]} <= {str(n) for n in range(40)}
    done = metrics["hearings_updated"] + len(metrics["deferred"])
    assert done == 40
    world.sandbox.forget_orders()
    assert counted(world)["hearings_updated"] + metrics["hearings_updated"] == 40


def test_an_outage_is_not_hammered(world: World) -> None:
    """The breaker: a handful of requests, one wait, one request more."""
    world.put(*(meeting(n) for n in range(200)))
    world.run({**HASTE})
    for n in range(200):
        world.alter(n, title=f"Another title {n}")
    world.sandbox.clear_requests()
    world.sandbox.fail_next("503", times=10_000, path="/committee-meeting/119/house")
    updater = world.updater({**HASTE, "retry_attempts": TRIES, "max_concurrency": 4})
    result = updater.run_daily_update()
    updater.db.close()
    assert result["circuit_breaker_open"] is True
    # The list; five that fail to open it and three under way beside them; one that tries again.
    assert world.sandbox.request_count <= 1 + (5 + 3 + 1) * TRIES


def test_retry_after_is_waited_for_and_a_long_one_is_not(world: World) -> None:
    world.put(meeting(1), meeting(2))
    world.sandbox.fail_next("503", times=1, path="/house/1", retry_after=1)
    world.sandbox.fail_next("503", times=1, path="/house/2", retry_after=3600)
    began = time.monotonic()
    metrics = counted(world)
    assert time.monotonic() - began >= 1
    assert metrics["hearings_added"] == 1
    assert [event["event_id"] for event in metrics["deferred"]] == ["2"]
    assert detail_requests(world) == {"1": 2, "2": 1}


def test_nobody_follows_a_redirect_or_a_next_link_to_another_host(clean_env: Path) -> None:
    with Sandbox(30, seed=8, spread_days=5) as sandbox:
        world = World(clean_env, sandbox).init()
        sandbox.faults = {"foreign-next": 1.0}
        assert world.run(HASTE)["hearings_added"] == 30
        assert any(request.fault == "foreign-next" for request in sandbox.requests)
        sandbox.change(5)
        sandbox.faults = {}
        sandbox.fail_next("redirect", times=100, path="/committee-meeting/119/")
        assert len(world.run(HASTE)["deferred"]) == 5
        # The other name leads to the same server: it would show up.
        assert {request.host for request in sandbox.requests} == {sandbox.url.split("/")[2]}
        world.close()
