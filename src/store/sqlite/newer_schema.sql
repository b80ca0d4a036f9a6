-- Tables that newer databases have. No CHECK on trigger_source and no foreign keys: callers of every
-- age write here, and a log row must never be what fails.

CREATE TABLE IF NOT EXISTS scheduled_tasks (
    task_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    description TEXT,
    schedule_cron TEXT NOT NULL,
    lookback_days INTEGER NOT NULL DEFAULT 7,
    components TEXT NOT NULL DEFAULT '["hearings", "witnesses", "committees"]', -- JSON list
    chamber TEXT NOT NULL DEFAULT 'both',
    mode TEXT NOT NULL DEFAULT 'incremental',
    is_active BOOLEAN NOT NULL DEFAULT 1,
    is_deployed BOOLEAN NOT NULL DEFAULT 0,
    last_run_at TIMESTAMP,
    next_run_at TIMESTAMP,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    created_by TEXT,

    CHECK (lookback_days BETWEEN 1 AND 90),
    CHECK (chamber IN ('both', 'house', 'senate')),
    CHECK (mode IN ('incremental', 'full'))
);
CREATE TABLE IF NOT EXISTS update_logs (
    log_id INTEGER PRIMARY KEY AUTOINCREMENT,
    update_date DATE NOT NULL,
    start_time TIMESTAMP NOT NULL,            -- naive local
    end_time TIMESTAMP,
    duration_seconds REAL,
    hearings_checked INTEGER DEFAULT 0,
    hearings_updated INTEGER DEFAULT 0,
    hearings_added INTEGER DEFAULT 0,
    committees_updated INTEGER DEFAULT 0,
    witnesses_updated INTEGER DEFAULT 0,
    api_requests INTEGER DEFAULT 0,
    error_count INTEGER DEFAULT 0,
    errors TEXT,                              -- JSON list
    success BOOLEAN NOT NULL DEFAULT 1,
    trigger_source TEXT DEFAULT 'manual',     -- manual, vercel_cron, test, ...
    schedule_id INTEGER,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS schedule_execution_logs (
    execution_id INTEGER PRIMARY KEY AUTOINCREMENT,
    schedule_id INTEGER NOT NULL,
    log_id INTEGER NOT NULL,
    execution_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    error_message TEXT,
    config_snapshot TEXT,                     -- JSON
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,

    UNIQUE (schedule_id, log_id)
);
