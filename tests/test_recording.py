"""Recording the API's answers: what is kept, what is refused, how it goes on."""

import gzip
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from helpers_recording import NOW, client, lines, make, run
from helpers_run import COMMAND, KEY, World, command, environment, meeting, until
from updaters._native import Database
from updaters.errors import ApiError, ConfigurationError, RateLimitError, UpdaterError
from updaters.recording import describe
from updaters.recording_partial import Partial
from updaters.sandbox import Sandbox


@pytest.fixture
def api() -> Iterator[Sandbox]:
    """Forty meetings of the last thirty days."""
    with Sandbox(meetings=40, seed=5, now=NOW) as sandbox:
        yield sandbox


@pytest.fixture
def target(clean_env: Path) -> Path:
    return clean_env / "answers.rec"


def details_asked(sandbox: Sandbox) -> Counter[str]:
    paths = [request.path.split("?")[0] for request in sandbox.requests if request.status]
    return Counter(path for path in paths if path.count("/") == 5 or "/committee/" in path)


# --- what is in it -------------------------------------------------------------------------------


def test_the_file_says_what_it_is_and_holds_answers_as_they_were(
    api: Sandbox, target: Path
) -> None:
    report = make(api, target)
    found = lines(target)
    header, end = found[0], found[-1]
    assert header == describe(target)
    assert header == {
        "format": "hearing-updater recording",
        "version": 1,
        "congress": 119,
        "recorded_at": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        "lookback_days": 90,
        "source": "127.0.0.1",
        "meetings": 40,
        "details": 40,
        "failed": 0,
        "committees": report["committees"],
    }
    assert end["end"] == len(found) - 1 == 1 + 40 + report["committees"]
    shown = {str(line["row"]["eventId"]): line for line in found if "row" in line}
    assert sorted(shown) == api.event_ids()
    for event, line in shown.items():
        assert line["answer"]["committeeMeeting"] == api.meeting(event)
        assert line["answer"]["request"]["eventId"] == event
    assert report["requests"] == 1 + 40 + report["committees"]
    assert (report["path"], report["resumed"], report["problems"]) == (str(target), 0, [])
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_committees_that_meetings_name_and_those_above_them_are_recorded(target: Path) -> None:
    named = [{"systemCode": code} for code in ("HSII24", "jcse00", "hszz99")]
    with Sandbox(meetings=0) as sandbox:
        sandbox.set_meeting(meeting("1", committees=named))
        sandbox.set_meeting(meeting("2", committees={"item": {"systemCode": "ssga00"}}))
        report = make(sandbox, target, now=datetime.now(timezone.utc))
    answers = {line["path"]: line.get("status", 200) for line in lines(target)[1:-1]}
    committees = {path: status for path, status in answers.items() if "committee/" in path}
    assert committees == {
        "committee/house/hsii24": 200,
        "committee/house/hsii00": 200,
        "committee/joint/jcse00": 200,
        "committee/nochamber/hszz99": 404,
        "committee/senate/ssga00": 200,
    }
    assert report["committees"] == 4


def test_the_key_is_not_in_the_file(target: Path) -> None:
    with Sandbox(meetings=0) as sandbox:
        title = f'A "quoted" {KEY} and api_key=another"'
        sandbox.set_meeting(meeting("1", title=title))
        make(sandbox, target, now=datetime.now(timezone.utc))
    text = gzip.decompress(target.read_bytes()).decode()
    assert KEY not in text
    assert "another" not in text
    [shown] = [line["answer"] for line in lines(target) if "row" in line]
    assert shown["committeeMeeting"]["title"] == 'A "quoted" **** and api_key=****"'


def test_what_fails_is_recorded_with_its_status_and_replayed_with_it(
    api: Sandbox, target: Path
) -> None:
    first, second, third = api.event_ids()[:3]
    for event, kind, times in ((first, "500", 1), (second, "404", 1), (third, "503", 2)):
        api.fail_next(kind, times=times, path=f"/{event}")
    report = make(api, target)
    assert (report["details"], report["failed"]) == (37, 3)
    with Sandbox(recording=target) as replay:
        asking = client(replay.url)
        for event, status in ((first, 500), (second, 404), (third, 503)):
            [path] = [line["path"] for line in lines(target) if f"/{event}" in line.get("path", "")]
            with pytest.raises(ApiError) as caught:
                asking.get(path)
            assert caught.value.status == status


def test_what_fails_in_a_passing_way_is_asked_once_more(api: Sandbox, target: Path) -> None:
    for event, kind in zip(api.event_ids(), ("503", "reset", "429", "truncated"), strict=False):
        api.fail_next(kind, path=f"/{event}")
    assert make(api, target)["failed"] == 0


def test_answers_are_asked_for_together_but_not_more_than_allowed(
    api: Sandbox, target: Path
) -> None:
    api.latency_ms = 5
    make(api, target, settings={"max_concurrency": 3})
    assert api.max_in_flight == 3


def test_what_is_deferred_is_recorded_too_and_replayed_without_being_listed(
    filled_db: Path, target: Path
) -> None:
    with Sandbox(meetings=0) as sandbox:
        world = World(filled_db.parent, sandbox)
        listed, old = (
            meeting("1"),
            meeting("2", chamber="Senate", updateDate="2025-02-01T00:00:00Z"),
        )
        world.put(listed, {**old, "updateDate": listed["updateDate"]})
        sandbox.fail_next("500", path="/2")
        assert [event["event_id"] for event in world.run()["deferred"]] == ["2"]
        world.put(old)
        database = Database(str(filled_db), read_only=True)
        waiting = database.deferred()
        database.close()
        # One of the list, one of another Congress: neither makes a line of its own.
        waiting += [{"event_id": "1", "chamber": None}, {"event_id": "3", "congress": 118}]
        report = make(sandbox, target, now=datetime.now(timezone.utc), also=waiting)
        world.close()
    assert (report["meetings"], report["details"], report["failed"]) == (1, 2, 0)
    with Sandbox(recording=target) as replay:
        assert replay.event_ids() == ["1", "2"]
        metrics, _found = run(replay.url, filled_db, Path("again.db"), 60)
        assert (metrics["hearings_checked"], metrics["hearings_added"]) == (1, 1)
        assert metrics["deferred"] == []


# --- going on ------------------------------------------------------------------------------------


def test_a_used_up_limit_keeps_what_has_come_and_the_next_call_goes_on(
    api: Sandbox, target: Path
) -> None:
    api.rate_limit = 25
    with pytest.raises(RateLimitError, match=r"answers are kept in .*\.partial: record again"):
        make(api, target)
    assert not target.exists()
    api.rate_limit = 5000
    report = make(api, target)
    assert 0 < report["resumed"] <= 24
    assert report["details"] == 40
    asked = details_asked(api)
    assert len(asked) == 40 + report["committees"]
    # The last ones met the limit, and were not answered.
    answered = Counter(r.path.split("?")[0] for r in api.requests if r.status == 200)
    assert set(answered.values()) == {1}
    assert not target.with_suffix(".rec.partial").exists()


def test_an_interrupted_recording_comes_out_the_same_as_a_whole_one(
    api: Sandbox, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(api, target)
    whole = target.read_bytes()
    target.unlink()
    partial = Path(f"{target}.partial")
    monkeypatch.setattr("updaters.recording.CHUNK", 10)

    def interrupted(at: int) -> None:
        def stop(state: Any) -> None:
            if state["done"]:
                # The header, the rows, the list's end, and every answer are in the file by then.
                assert partial.read_bytes().count(b"\n") == 42 + state["done"]
            if state["done"] >= at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            make(api, target, progress=stop, now=NOW + timedelta(minutes=at - 20))
        # As a power cut leaves it: an answer is half there.
        partial.write_bytes(partial.read_bytes()[:-40])

    interrupted(20)
    interrupted(35)
    api.clear_requests()
    report = make(api, target, now=NOW + timedelta(hours=5))
    assert report["resumed"] == 38
    assert target.read_bytes() == whole
    assert sum("committee-meeting/119/" in request.path for request in api.requests) == 2


@pytest.mark.parametrize("options", [{"lookback_days": 91}, {"now": NOW + timedelta(days=2)}])
def test_another_or_an_old_partial_recording_is_not_gone_on_with(
    api: Sandbox, options: dict[str, Any], target: Path
) -> None:
    api.rate_limit = 25
    with pytest.raises(RateLimitError):
        make(api, target)
    api.rate_limit = 5000
    report = make(api, target, **options)
    assert (report["resumed"], report["meetings"]) == (0, 40)


def test_a_file_of_somebody_elses_is_left_alone(api: Sandbox, target: Path) -> None:
    partial = Path(f"{target}.partial")
    partial.write_text("my notes\n")
    with pytest.raises(UpdaterError, match="no partial recording: move it away"):
        make(api, target)
    assert partial.read_text() == "my notes\n"
    assert api.request_count == 0


def test_only_one_records_into_a_file(api: Sandbox, target: Path) -> None:
    header = {"format": "hearing-updater recording", "recorded_at": "2026-01-01T00:00:00Z"}
    with (
        Partial(f"{target}.partial", header),
        pytest.raises(UpdaterError, match="another recording is being made there"),
    ):
        make(api, target)


# --- refusals ------------------------------------------------------------------------------------


def test_the_demo_key_is_told_before_it_is_used_up(target: Path) -> None:
    with Sandbox(meetings=40, rate_limit=30, now=NOW) as api:
        with pytest.raises(UpdaterError) as caught:
            make(api, target, settings={"api_key": "DEMO_KEY"})
        assert api.request_count == 1
    told = str(caught.value)
    assert "needs 40 requests" in told
    assert "29 left" in told
    assert "CONGRESS_API_KEY" in told
    assert list(target.parent.iterdir()) == []


def test_the_demo_key_may_record_what_it_can(target: Path) -> None:
    with Sandbox(meetings=2, rate_limit=30, now=NOW) as api:
        assert make(api, target, settings={"api_key": "DEMO_KEY"})["details"] == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"path": "/nowhere/answers.rec"}, "/nowhere/answers.rec: the recording cannot be written"),
        ({"path": "/tmp"}, "is a folder"),
        ({"congress": 0}, "congress"),
        ({"lookback_days": 0}, "lookback_days"),
        ({"lookback_days": True}, "lookback_days"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_asked(
    api: Sandbox, options: dict[str, Any], says: str, target: Path
) -> None:
    with pytest.raises(UpdaterError, match=says) as caught:
        make(api, **{"path": target, **options})
    assert isinstance(caught.value, ConfigurationError) == ("path" not in options)
    assert "\n" not in str(caught.value)
    assert api.request_count == 0


def test_a_failed_write_leaves_neither_half_a_file_nor_the_old_one_lost(
    api: Sandbox, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(api, target)
    before = target.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UpdaterError, match="No space left on device"):
        make(api, target, now=NOW + timedelta(hours=1))
    assert target.read_bytes() == before
    monkeypatch.undo()
    names = {path.name for path in target.parent.iterdir()}
    assert names == {target.name, f"{target.name}.partial"}


def test_describe_says_what_it_cannot_read(clean_env: Path) -> None:
    with pytest.raises(UpdaterError, match="is not there"):
        describe(clean_env / "none.rec")
    with pytest.raises(UpdaterError, match="cannot be read"):
        describe(clean_env)


# --- the commands --------------------------------------------------------------------------------


def test_the_commands_record_and_replay(api: Sandbox, clean_env: Path) -> None:
    words = ("record", "--lookback-days", "60", "--to", "answers.rec")
    done = command(clean_env, api.url, *COMMAND, *words)
    assert "answers.rec: 40 meetings, " in done.stdout
    assert "sandbox --recording answers.rec" in done.stdout
    assert not (clean_env / "logs").exists()
    asked = api.request_count
    done = command(clean_env, api.url, *COMMAND, *words, code=1)
    assert done.stderr.count("\n") == 1
    assert "answers.rec is there already: give --force" in done.stderr
    assert api.request_count == asked
    done = command(clean_env, api.url, *COMMAND, *words, "--force", "--json", "--quiet")
    assert json.loads(done.stdout)["meetings"] == 40
    assert done.stderr == ""
    serve = ("sandbox", "--recording", "answers.rec")
    done = command(clean_env, api.url, *COMMAND, *serve, "--meetings", "3", code=2)
    assert "--meetings" in done.stderr
    (clean_env / "answers.rec").write_bytes(b"nothing")
    done = command(clean_env, api.url, *COMMAND, *serve, code=2)
    assert done.stderr.count("\n") == 1
    assert "answers.rec: this is no recording" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_interrupted_keeps_what_came_and_goes_on_later(
    api: Sandbox, clean_env: Path, number: int, code: int
) -> None:
    api.latency_ms = 200
    words = ("record", "--lookback-days", "60", "--to", "answers.rec")
    with subprocess.Popen(
        [sys.executable, *COMMAND, *words],
        cwd=clean_env,
        env=environment(clean_env, api.url, MAX_CONCURRENCY="4"),
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        until(lambda: sum(details_asked(api).values()) >= 20, "twenty details are asked for")
        child.send_signal(number)
        _out, err = child.communicate(timeout=20)
    assert child.returncode == code
    *_, told, last = err.splitlines()
    assert last.startswith("hearing-updater record: ")
    assert not (clean_env / "answers.rec").exists()
    # All but those that were under way.
    kept = (clean_env / "answers.rec.partial").read_bytes().count(b'"answer"')
    assert 16 <= kept < 40
    assert f"Interrupted ({kept} answers are kept in answers.rec.partial: record again" in told
    api.latency_ms = 0
    api.clear_requests()
    done = command(clean_env, api.url, *COMMAND, *words, "--json")
    report = json.loads(done.stdout)
    assert report["resumed"] == kept
    assert sum("committee-meeting/119/" in request.path for request in api.requests) == 40 - kept
    assert report["meetings"] == 40


def test_the_command_records_what_a_database_has_deferred(
    filled_db: Path, api: Sandbox, target: Path
) -> None:
    folder = filled_db.parent
    world = World(folder, api)
    old = {**api.meeting(api.event_ids()[0]), "updateDate": "2025-02-01T00:00:00Z"}
    api.fail_next("500", path=f"/{old['eventId']}")
    assert [str(event["event_id"]) for event in world.run()["deferred"]] == [str(old["eventId"])]
    world.put(old)
    words = ("record", "--to", target.name, "--db", filled_db.name, "--json")
    report = json.loads(command(folder, api.url, *COMMAND, *words).stdout)
    assert (report["meetings"], report["details"]) == (39, 40)
    words = ("record", "--to", "more.rec", "--db", "none.db")
    assert "none.db is not there" in command(folder, api.url, *COMMAND, *words, code=1).stderr
