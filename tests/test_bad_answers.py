"""An API that answers nonsense, refuses the key, or is not there: nothing is overwritten."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from helpers_run import World, fails, utc


@pytest.fixture
def world(changed_world: World) -> World:
    return changed_world


@pytest.mark.parametrize("kind", ["html", "truncated", "reset", "500", "503", "oversize"])
def test_an_api_that_answers_nonsense(world: World, kind: str) -> None:
    world.sandbox.faults = {kind: 1.0}
    fails(world, says="", RETRY_ATTEMPTS="1", CIRCUIT_BREAKER_ENABLED="false")


@contextmanager
def odd_api(body: bytes, status: int = 200, kind: str = "application/json") -> Iterator[str]:
    """An API that has one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v3"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"hello"',
        b"42",
        b"{}",
        b'{"committeeMeetings": 7}',
        b'{"committeeMeetings": {"a": 1}}',
        b'{"error": "nothing here"}',
        b"\xff\xfe\x00",
        b"[" * 5000,
    ],
)
def test_wrong_json_in_place_of_the_list(world: World, body: bytes) -> None:
    with odd_api(body) as url:
        fails(world, says="committee-meeting", url=url, CIRCUIT_BREAKER_ENABLED="false")


@pytest.mark.parametrize(
    "row",
    [{}, {"eventId": None}, {"eventId": []}, 7, None, "x", {"eventId": "9", "chamber": 4}, [1]],
)
def test_odd_rows_in_the_list_harm_nobody(world: World, row: Any) -> None:
    page = {"committeeMeetings": [row], "pagination": {"count": 1}}
    before = world.snapshot()
    with odd_api(json.dumps(page).encode()) as url:
        updater = world.updater({"api_base_url": url, "circuit_breaker_enabled": False})
        outcome = updater.run_daily_update()
        updater.db.close()
    assert set(outcome) >= {"success", "metrics"}
    assert world.snapshot() == before


@pytest.mark.parametrize(
    "detail",
    [
        {},
        [],
        None,
        {"committeeMeeting": None},
        {"committeeMeeting": []},
        {"committeeMeeting": {}},
        {"committeeMeeting": {"eventId": "77", "chamber": "House", "title": ["a", "list"]}},
        {"committeeMeeting": {"eventId": "other", "chamber": "House", "title": "x"}},
    ],
)
def test_odd_details_overwrite_nothing(world: World, detail: Any) -> None:
    before = world.snapshot()
    updater = world.updater()
    api = updater.api_client
    real = api.get

    class Fake:
        def get(self, endpoint: str, params: Any = None) -> Any:
            return detail if endpoint.rstrip("/").endswith("/2") else real(endpoint, params)

        def __getattr__(self, name: str) -> Any:
            return getattr(api, name)

    updater.api_client = Fake()
    result = updater.run_daily_update()
    updater.db.close()
    assert set(result) >= {"success", "metrics"}
    assert world.snapshot() == before
    assert world.hearing(2)["title"] == "Meeting 2"


@pytest.mark.parametrize("code", ["API_KEY_INVALID", "API_KEY_MISSING"])
def test_a_key_that_is_refused_is_one_line_and_one_request(world: World, code: str) -> None:
    body = json.dumps({"error": {"code": code, "message": "An invalid key was supplied."}})
    with odd_api(body.encode(), status=403) as url:
        fails(world, says=("key", "CONGRESS_API_KEY"), url=url)


def test_the_sandbox_refuses_a_key_too(world: World) -> None:
    fails(world, says="CONGRESS_API_KEY", CONGRESS_API_KEY="INVALID_KEY")
    assert world.sandbox.request_count == 1


def test_nobody_answers(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fails(world, says="committee-meeting", url=f"http://127.0.0.1:{port}/v3")


def test_an_update_date_from_the_future_is_no_trouble(world: World) -> None:
    world.alter(1, title="From the future", updateDate=utc(days=-400))
    assert world.run()["hearings_updated"] == 2
    assert world.run()["hearings_updated"] == 0
