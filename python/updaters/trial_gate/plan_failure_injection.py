"""Test 2.1 of the plan: three additions in batches of two, one of them without an event id.

Run as a program of its own, with `DATABASE_PATH` naming a copy. Prints one line of JSON.
"""

import json

from updaters.daily_updater import DailyUpdater

updater = DailyUpdater(congress=119, lookback_days=7)
updater.settings.enable_batch_processing = True
updater.settings.batch_processing_size = 2
updater._apply_updates_with_batches(
    {
        "updates": [],
        "additions": [
            {"eventId": "TEST-119-001", "chamber": "House", "title": "Valid Hearing"},
            {"chamber": "Senate", "title": "Invalid Hearing"},
            {"eventId": "TEST-119-002", "chamber": "House", "title": "Another Valid Hearing"},
        ],
    }
)
updater.db.close()
metrics = updater.metrics
print(
    json.dumps(
        {
            "batches": [metrics.batch_count, metrics.batches_succeeded, metrics.batches_failed],
            "batch_errors": metrics.batch_errors,
        }
    )
)
