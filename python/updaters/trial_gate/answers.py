"""The API's answers: recorded once, then the same for every run of the trial."""

import statistics
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from updaters.errors import UpdaterError
from updaters.sandbox import Sandbox
from updaters.trial_gate.look import reading
from updaters.trial_gate.trial import ANSWERS, Trial

#: Changes that the sandbox holds within the plan's lookback, and within its long one.
CHANGES, LARGE_CHANGES = 240, 600
#: Requests by which the live API's latency is taken.
PROBES = 3

Tell = Callable[[str], None]


def replay(
    trial: Trial, *, faults: Mapping[str, float] | None = None, latency_ms: float | None = None
) -> Sandbox:
    """A server on this machine that gives the recorded answers, as fast as the API did."""
    path = trial.home / ANSWERS
    latency = trial.about["latency_ms"] if latency_ms is None else latency_ms
    return Sandbox(
        recording=path,
        congress=trial.about["congress"],
        latency_ms=latency,
        faults=faults,
        rate_limit=1_000_000,
    )


def prepare(trial: Trial, tell: Tell) -> None:
    """Take the snapshot and record the answers, where that was not done yet."""
    snapshot = trial.snapshot
    path = trial.home / ANSWERS
    if path.exists():
        return
    if trial.about["source"] == "sandbox":
        tell("Making the sandbox's answers from the database")
        with Sandbox(db=snapshot, congress=trial.about["congress"], rate_limit=1_000_000) as api:
            _order_changes(trial, api)
            _record(trial, _settings(api.url, "trial-gate"))
        return
    settings = _settings()
    if "latency_ms" not in trial.about:
        # Replayed answers come as fast as the API's own.
        trial.learn(latency_ms=probe(trial)["latency_ms"])
    tell(f"Recording the API's answers of the last {_days(trial)} days")
    found = _record(trial, settings)
    tell(f"Recorded {found['meetings']} meetings in {found['seconds']:.0f} s")
    if found["failed"]:
        tell(f"{found['failed']} of them could not be had: in the replay they fail, too")
    for problem in found["problems"]:
        tell(f"Not recorded: {problem}")


def _days(trial: Trial) -> int:
    return int(max(trial.about["lookback_days"], trial.about["large_lookback_days"]))


def _record(trial: Trial, settings: Any) -> dict[str, Any]:
    """What any run of the trial asks for: the list, what it shows, and what is deferred."""
    from updaters.recording import record

    with reading(trial.snapshot) as database:
        deferred = database.deferred()
    return record(
        settings,
        congress=trial.about["congress"],
        lookback_days=_days(trial),
        path=trial.home / ANSWERS,
        also=deferred,
    )


def recorded_hours_ago(trial: Trial) -> float:
    """How old the answers are."""
    from updaters.recording import describe

    text = describe(trial.home / ANSWERS)["recorded_at"]
    recorded = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (datetime.now(timezone.utc) - recorded).total_seconds() / 3600


def _order_changes(trial: Trial, api: Sandbox) -> None:
    """Half of the changes to meetings that are stored, half new ones."""
    near, far = trial.about["lookback_days"], trial.about["large_lookback_days"]
    # Well inside each window, whatever the hour of the day.
    spans = [(CHANGES, (0.0, near * 0.8))]
    if far > near:
        older = (near + (far - near) * 0.1, near + (far - near) * 0.9)
        spans.insert(0, (LARGE_CHANGES - CHANGES, older))
    # Stored ones first, or new ones would be changed; what two spans chose is of the newer one.
    stored = len(api.event_ids())
    chosen = [
        set(api.change(min(wanted // 2, stored // 4), seed=number, days_ago=days_ago))
        for number, (wanted, days_ago) in enumerate(spans)
    ]
    for number, (wanted, days_ago) in enumerate(spans):
        updates = chosen[number].difference(*chosen[number + 1 :])
        api.add(wanted - len(updates), days_ago=days_ago)


def probe(trial: Trial, url: str | None = None) -> dict[str, Any]:
    """Ask the API for one meeting, a few times: `meetings` (of the congress) and `latency_ms`."""
    from updaters.api_client import ApiClient

    settings = _settings(url, "trial-gate") if url else _settings()
    client = ApiClient(lambda: settings)
    took = []
    answer: Any = {}
    for _ in range(PROBES):
        started = time.perf_counter()
        answer = client.get(f"committee-meeting/{trial.about['congress']}", {"limit": 1})
        took.append(1000 * (time.perf_counter() - started))
    pagination = answer.get("pagination") if isinstance(answer, dict) else None
    if not isinstance(pagination, dict):
        raise UpdaterError("the API's answer is no list of meetings")
    return {"meetings": pagination.get("count"), "latency_ms": round(statistics.median(took), 1)}


def _settings(url: str | None = None, key: str | None = None) -> Any:
    from updaters.settings import load_settings

    settings = load_settings()
    if url is not None:
        settings.api_base_url = url
        settings.rate_limit = 1_000_000
    if key is not None:
        settings.api_key = key
    return settings
