"""P2 and P3: how long a checkpoint takes to make, and a batch to validate."""

import time
from collections.abc import Callable
from typing import Any

from updaters.errors import UpdaterError
from updaters.trial_gate.answers import Tell, replay
from updaters.trial_gate.runs import spread
from updaters.trial_gate.trial import Trial

SIZE = 50


def micro(trial: Trial, rounds: int, tell: Tell) -> dict[str, Any]:
    """Milliseconds, by this process's clock, through the same methods that a run calls.

    `checkpoint_ms`: a `Checkpoint` of 50 updates, each with all columns of its row. `validate_ms`:
    50 records that the updater has not seen before; `validate_again_ms`: the same ones once more.
    """
    from updaters.daily_updater import Checkpoint, DailyUpdater

    checkpoint_ms, first_ms, again_ms = [], [], []
    with replay(trial, latency_ms=0) as api, trial.fresh_copy() as path:

        def make() -> DailyUpdater:
            updater = DailyUpdater(
                congress=trial.about["congress"],
                lookback_days=trial.about["large_lookback_days"],
            )
            updater.settings.database_path = str(path)
            updater.settings.api_base_url = api.url
            updater.settings.api_key = "trial-gate"
            updater.settings.rate_limit = 1_000_000
            updater.settings.catch_up = False
            return updater

        reader = make()
        records = reader._fetch_recent_hearings()
        changes = reader._identify_changes(records)
        updates = changes["updates"][:SIZE]
        reader.db.close()
        if len(records) < SIZE or len(updates) < SIZE:
            raise UpdaterError(
                f"{len(updates)} changed and {len(records)} listed meetings in "
                f"{trial.about['large_lookback_days']} days: {SIZE} of each are needed; "
                "look further back with --large-lookback-days"
            )
        for _ in range(rounds):
            # Each time one that has never seen these records.
            updater = make()
            checkpoint_ms.append(_timed(lambda: _checkpoint(updater, Checkpoint, updates)))  # noqa: B023
            batch = records[:SIZE]
            first_ms.append(_timed(lambda: updater._validate_batch(batch)))  # noqa: B023
            again_ms.append(_timed(lambda: updater._validate_batch(batch)))  # noqa: B023
            updater.db.close()
    found: dict[str, Any] = {
        "size": SIZE,
        "rounds": rounds,
        "checkpoint_ms": spread(checkpoint_ms),
        "validate_ms": spread(first_ms),
        "validate_again_ms": spread(again_ms),
    }
    tell(
        f"checkpoint {found['checkpoint_ms']['median']:.2f} ms, "
        f"validation {found['validate_ms']['median']:.2f} ms, for {SIZE} records"
    )
    return found


def _checkpoint(updater: Any, kind: Any, updates: list[dict[str, Any]]) -> None:
    checkpoint = kind(1)
    for update in updates:
        row = update["existing"]
        checkpoint.track_update(row["event_id"], updater._extract_original_data(row))


def _timed(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return 1000 * (time.perf_counter() - started)
