"""A test's own stand-in for the API client, or for its `get`."""

from pathlib import Path
from typing import Any

from conftest import record, snapshot
from updaters.daily_updater import DailyUpdater
from updaters.errors import UpdaterError
from updaters.sandbox import Sandbox


class FakeClient:
    """A test's stand-in for the API client: nothing but `get`."""

    def __init__(self, meetings: list[dict[str, Any]]) -> None:
        self.meetings = {meeting["eventId"]: meeting for meeting in meetings}
        self.asked: list[str] = []

    def get(self, endpoint: str, params: Any = None) -> dict[str, Any]:
        self.asked.append(endpoint)
        parts = endpoint.strip("/").split("/")
        if len(parts) == 4:
            return {"committeeMeeting": self.meetings[parts[3]]}
        keys = ("eventId", "updateDate", "congress", "chamber")
        items = [{key: m[key] for key in keys} for m in self.meetings.values()]
        return {"committeeMeetings": items, "pagination": {"count": len(items)}}


def test_a_fake_client(updater: DailyUpdater, filled_db: Path, sandbox: Sandbox) -> None:
    fake = FakeClient([record("9001", updateDate="2030-01-01T00:00:00Z"),
                       record("9002", updateDate="2030-01-01T00:00:00Z")])  # fmt: skip
    updater.api_client = fake
    result = updater.run_daily_update()
    assert result["success"], result
    assert result["metrics"]["hearings_added"] == 2
    assert result["metrics"]["api_requests"] == len(fake.asked)
    assert {"9001", "9002"} <= {row["event_id"] for row in snapshot(filled_db)["hearings"]}
    assert sandbox.request_count == 0


def test_a_fake_get(updater: DailyUpdater, filled_db: Path, sandbox: Sandbox) -> None:
    fake = FakeClient([record("9001", updateDate="2030-01-01T00:00:00Z")])
    updater.api_client.get = fake.get
    assert updater.run_daily_update()["metrics"]["hearings_added"] == 1
    assert sandbox.request_count == 0
    assert fake.asked
    del updater.api_client.get
    updater.run_daily_update()
    assert sandbox.request_count > 0


def test_a_fake_get_that_fails(updater: DailyUpdater, filled_db: Path) -> None:
    before = filled_db.read_bytes()

    def get(endpoint: str, params: Any = None) -> dict[str, Any]:
        raise UpdaterError("nobody is there")

    updater.api_client.get = get
    result = updater.run_daily_update()
    assert result["success"] is False
    assert "nobody is there" in result["error"]
    # It failed before the first page: the file is untouched.
    assert filled_db.read_bytes() == before
