"""The sandbox from Python: content, faults, log, and the command's body."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from updaters.sandbox import FAULTS, Sandbox, serve

NOW = datetime(2025, 10, 13, 12, tzinfo=timezone.utc)

#: Whatever proxy the machine has is not for loopback.
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(meetings=40, now=NOW) as running:
        yield running


def get(sandbox: Sandbox, path: str) -> Any:
    request = urllib.request.Request(sandbox.url + path, headers={"X-Api-Key": "a-key"})
    with OPEN(request, timeout=10) as response:
        return json.load(response)


def status(sandbox: Sandbox, path: str) -> int:
    try:
        get(sandbox, path)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def test_it_serves_what_it_says_it_has(sandbox: Sandbox) -> None:
    page = get(sandbox, "/committee-meeting/119?limit=250")
    rows = page["committeeMeetings"]
    assert sorted(str(row["eventId"]) for row in rows) == sandbox.event_ids()
    row = rows[0]
    path = f"/committee-meeting/119/{row['chamber'].lower()}/{row['eventId']}"
    assert get(sandbox, path)["committeeMeeting"] == sandbox.meeting(row["eventId"])


def test_requests_are_logged_without_the_key(sandbox: Sandbox) -> None:
    get(sandbox, "/committee-meeting/119?limit=5&api_key=in-the-query")
    (request,) = sandbox.requests
    assert (request.number, request.method, request.status) == (1, "GET", 200)
    assert request.path == "/v3/committee-meeting/119?limit=5"
    assert (request.key_in, request.fault) == ("header", None)
    assert sandbox.request_count == sandbox.max_in_flight == 1
    sandbox.clear_requests()
    assert (len(sandbox.requests), sandbox.request_count) == (0, 0)


def test_content_can_be_changed_between_two_runs(sandbox: Sandbox) -> None:
    before = {event: sandbox.meeting(event) for event in sandbox.event_ids()}
    changed = sandbox.change(7)
    assert len(changed) == 7
    now = {event: sandbox.meeting(event) for event in sandbox.event_ids()}
    assert sorted(event for event in now if now[event] != before[event]) == changed
    assert not set(sandbox.add(3)) & set(before)
    assert len(sandbox.event_ids()) == 43


def test_one_meeting_can_be_set_touched_and_removed(sandbox: Sandbox) -> None:
    event = sandbox.event_ids()[0]
    meeting = {**sandbox.meeting(event), "title": "Über alles, was fehlt"}
    assert sandbox.set_meeting(meeting) == event
    assert sandbox.meeting(event) == meeting
    sandbox.touch(event)
    touched = sandbox.meeting(event)
    assert touched["updateDate"] != meeting["updateDate"]
    assert {**touched, "updateDate": None} == {**meeting, "updateDate": None}
    assert sandbox.remove(event)
    assert not sandbox.remove(event)
    assert event not in sandbox.event_ids()


def test_faults_are_ordered_set_and_forgotten(sandbox: Sandbox) -> None:
    sandbox.fail_next("503", times=2, path="limit=7")
    paths = ["/committee-meeting/119", "/committee-meeting/119?limit=7"]
    answers = [status(sandbox, path) for path in paths * 3]
    assert answers == [200, 503, 200, 503, 200, 200]
    assert [request.fault for request in sandbox.requests].count("503") == 2
    sandbox.faults = {"500": 1}
    assert sandbox.faults == {"500": 1.0}
    assert status(sandbox, paths[0]) == 500
    sandbox.faults = {}
    sandbox.fail_next("500", times=9)
    sandbox.forget_orders()
    assert status(sandbox, paths[0]) == 200


def test_every_kind_of_fault_is_known_natively(sandbox: Sandbox) -> None:
    sandbox.faults = dict.fromkeys(FAULTS, 0.5)
    assert set(sandbox.faults) == set(FAULTS)
    with pytest.raises(ValueError, match="choose from") as caught:
        sandbox.fail_next("flood")
    assert all(kind in str(caught.value) for kind in FAULTS)


def test_the_limit_and_the_key_can_be_chosen() -> None:
    with Sandbox(meetings=1, rate_limit=1, api_key="another-key") as sandbox:
        assert status(sandbox, "/committee-meeting/119") == 403
    with Sandbox(meetings=1, rate_limit=1) as sandbox:
        assert [status(sandbox, "/committee-meeting/119") for _ in range(2)] == [200, 429]
        sandbox.rate_limit = 5
        assert status(sandbox, "/committee-meeting/119") == 200


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sandbox(meetings=-1), "meetings"),
        (lambda: Sandbox(congress=9999), "congress"),
        (lambda: Sandbox(faults={"500": 2}), "KIND=SHARE"),
        (lambda: Sandbox(faults={"flood": 1}), "unknown fault 'flood'"),
        (lambda: Sandbox(now="soon"), "'soon'"),
        (lambda: Sandbox(port=70_000), "port"),
        (lambda: Sandbox(latency_ms=-1), "latency_ms"),
        (lambda: Sandbox(db="/nowhere/at/all.db"), "/nowhere/at/all.db"),
    ],
)
def test_what_cannot_be_is_a_value_error(make: Callable[[], Sandbox], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_an_event_that_is_not_there_is_a_value_error(sandbox: Sandbox) -> None:
    for ask in (sandbox.meeting, sandbox.touch):
        with pytest.raises(ValueError, match="no-such-event"):
            ask("no-such-event")


def test_a_stopped_sandbox_still_tells_what_was_asked() -> None:
    with Sandbox(meetings=2) as sandbox:
        get(sandbox, "/committee-meeting/119")
    with pytest.raises(OSError):
        get(sandbox, "/committee-meeting/119")
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_and_ends_on_a_signal(number: int) -> None:
    code = "from updaters.sandbox import serve; raise SystemExit(serve(meetings=3))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        child.send_signal(number)
        assert child.wait(timeout=20) == 0
    assert "3 meetings" in line
    assert "API_BASE_URL=http://127.0.0.1:" in line


def test_serve_refuses_a_bad_fault_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(faults=["500"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "KIND=SHARE" in err
