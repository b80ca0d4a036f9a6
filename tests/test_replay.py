"""Replaying recorded answers: the same ones, whenever and however often they are asked for."""

import gzip
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from helpers_recording import NOW, client, make, run
from helpers_run import World, meeting
from updaters._native import init_database
from updaters.errors import UpdaterError
from updaters.recording import describe
from updaters.sandbox import Sandbox


@pytest.fixture
def api() -> Iterator[Sandbox]:
    """Forty meetings of the last thirty days."""
    with Sandbox(meetings=40, seed=5, now=NOW) as sandbox:
        yield sandbox


@pytest.fixture
def target(clean_env: Path) -> Path:
    return clean_env / "answers.rec"


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("days", [7, 60])
def test_a_run_against_the_replay_does_what_it_does_against_the_api(
    filled_db: Path, sandbox: Sandbox, target: Path, days: int, batches: bool
) -> None:
    sandbox.change(60, seed=3, days_ago=(0, 50))
    sandbox.add(40, days_ago=(0, 50))
    sandbox.faults = {"poison": 0.04, "404": 0.04}
    report = make(sandbox, target)
    assert report["failed"] > 0
    assert report["meetings"] == report["details"] + report["failed"] == 190
    folder = filled_db.parent
    flag = {"enable_batch_processing": batches, "circuit_breaker_enabled": False}
    original = run(sandbox.url, filled_db, folder / "original.db", days, **flag)
    assert original[0]["hearings_updated"] > 0 < original[0]["hearings_added"]
    with Sandbox(recording=target) as replay:
        for turn in range(2):
            again = run(replay.url, filled_db, folder / f"again{turn}.db", days, **flag)
            assert again[0] == original[0]
            assert again[1] == original[1]


def test_a_longer_lookback_sees_more_of_what_was_placed_in_time(clean_env: Path) -> None:
    with Sandbox(meetings=0) as sandbox:
        world = World(clean_env, sandbox).init()
        sandbox.add(90, days_ago=(0, 90))
        assert world.run(lookback_days=7)["hearings_checked"] == 7
        assert world.run(lookback_days=90)["hearings_checked"] == 90
        assert len(sandbox.change(20, seed=2, days_ago=(0, 2))) == 20
        assert world.run(lookback_days=2)["hearings_updated"] == 20
        world.close()
    with pytest.raises(ValueError, match="days_ago"), Sandbox(meetings=1) as sandbox:
        sandbox.change(1, days_ago=(-1, 3))


def test_a_recording_of_a_month_ago_shows_what_its_last_week_was(
    target: Path, clean_env: Path
) -> None:
    then = NOW - timedelta(days=33, hours=5)
    with Sandbox(meetings=0, now=then) as sandbox:
        new = sandbox.add(14, days_ago=(0, 14))
        ago = {event: then - _updated(sandbox.meeting(event)) for event in new}
        # Within seconds of the edge, on either side of it.
        edge = then - timedelta(days=7)
        sandbox.set_meeting(meeting("in", updateDate=f"{edge:%Y-%m-%dT%H:%M:%SZ}"))
        before = edge - timedelta(seconds=1)
        sandbox.set_meeting(meeting("out", updateDate=f"{before:%Y-%m-%dT%H:%M:%SZ}"))
        make(sandbox, target, now=then)
    init_database("empty.db")
    wanted = {event for event in new if ago[event] < timedelta(days=7)} | {"in"}
    with Sandbox(recording=target) as replay:
        for _ in range(2):
            _metrics, found = run(replay.url, Path("empty.db"), Path("a.db"), 7)
            events = {str(value) for row in found["hearings"] for value in row}
            assert {event for event in [*new, "in", "out"] if event in events} == wanted


def _updated(meeting: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(meeting["updateDate"].replace("Z", "+00:00"))


def test_the_window_of_a_fixed_time_does_not_move_with_the_clock(
    api: Sandbox, target: Path
) -> None:
    make(api, target)
    pages = []
    for later in (timedelta(0), timedelta(seconds=61), timedelta(days=200)):
        now = NOW + later
        with Sandbox(recording=target, now=now) as replay:
            rows, _ = client(replay.url).list_meetings(119, f"{now - timedelta(days=10):%FT%TZ}")
            pages.append(rows)
    assert pages[0] == pages[1] == pages[2]
    assert 0 < len(pages[0]) < 40


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda good: b"SQLite format 3\0", "this is no recording"),
        (lambda good: gzip.compress(b'{"format": "other"}\n'), "this is no recording"),
        (lambda good: good[: len(good) // 2], "cut short"),
        (lambda good: b"", "cut short"),
        (
            lambda good: gzip.compress(
                gzip.decompress(good).replace(b'"version":1', b'"version":9', 1)
            ),
            "newer version",
        ),
        (
            lambda good: gzip.compress(gzip.decompress(good).replace(b"Scheduled", b"Canceled", 1)),
            "damaged",
        ),
    ],
)
def test_a_file_that_is_no_good_is_one_clear_line(
    api: Sandbox, target: Path, spoil: Callable[[bytes], bytes], says: str
) -> None:
    make(api, target)
    target.write_bytes(spoil(target.read_bytes()))
    with pytest.raises(ValueError, match=says) as caught:
        Sandbox(recording=target)
    assert str(caught.value).startswith(f"{target}: ")
    assert "\n" not in str(caught.value)
    if says in ("this is no recording", "newer version"):
        with pytest.raises(UpdaterError, match=says):
            describe(target)


def test_what_one_replay_is_told_to_change_another_does_not_see(api: Sandbox, target: Path) -> None:
    make(api, target)
    with Sandbox(recording=target) as one, Sandbox(recording=target) as other:
        one.change(40)
        one.add(1)
        assert len(one.event_ids()) == 41
        assert other.event_ids() == api.event_ids()
        assert all(other.meeting(event) == api.meeting(event) for event in api.event_ids())
