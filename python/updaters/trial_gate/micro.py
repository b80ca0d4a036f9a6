"""P2 and P3: how long a checkpoint takes to make, and a batch to validate."""

import time
from collections.abc import Callable
from typing import Any

from updaters.errors import UpdaterError
from updaters.sandbox import Sandbox
from updaters.trial_gate.answers import Tell
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
    # Made ones, so that there are enough of them whatever changed upstream.
    with (
        Sandbox(SIZE, seed=43, congress=trial.about["congress"], rate_limit=1_000_000) as api,
        trial.fresh_copy() as path,
    ):

        def make() -> DailyUpdater:
            updater = DailyUpdater(congress=trial.about["congress"])
            updater.settings.database_path = str(path)
            updater.settings.api_base_url = api.url
            updater.settings.api_key = "trial-gate"
            return updater

        records = [api.meeting(event) for event in api.event_ids()]
        writer = make()
        # Stored, so that there are rows to check-point, and known committees.
        writer._validate_batch(records)
        stored = writer._process_batch(records, 1, Checkpoint(1))
        if not stored.success:
            raise UpdaterError(f"{SIZE} made records could not be stored: {stored.error}")
        rows = [writer.db.get_hearing_by_event_id(record["eventId"]) for record in records]
        writer.db.close()
        for _ in range(rounds):
            # Each time one that has never seen these records.
            updater = make()
            checkpoint_ms.append(_timed(_checkpoint, updater, Checkpoint(1), rows))
            first_ms.append(_timed(updater._validate_batch, records))
            again_ms.append(_timed(updater._validate_batch, records))
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


def _checkpoint(updater: Any, checkpoint: Any, rows: list[Any]) -> None:
    for row in rows:
        checkpoint.track_update(row["event_id"], updater._extract_original_data(row))


def _timed(step: Callable[..., object], *given: object) -> float:
    started = time.perf_counter()
    step(*given)
    return 1000 * (time.perf_counter() - started)
