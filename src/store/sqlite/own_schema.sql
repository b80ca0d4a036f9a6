-- Our own tables: additive, prefixed, without foreign keys into the others (an older program must be
-- able to delete a hearing without knowing of us). Times are UTC unless a comment says otherwise.

CREATE TABLE IF NOT EXISTS updater_facts (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS updater_runs (
    run_id INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at TEXT NOT NULL,            -- naive local, as update_logs.start_time
    ended_at TEXT,
    congress INTEGER NOT NULL,
    mode TEXT NOT NULL,
    trigger_source TEXT NOT NULL,
    pid INTEGER NOT NULL,
    success INTEGER,                     -- NULL while running, or when killed
    log_id INTEGER                       -- update_logs.log_id
);

CREATE TABLE IF NOT EXISTS updater_batches (
    batch_id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER,
    batch_number INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,                 -- applied, undone, failed, skipped, unchanged
    first_entry INTEGER,                 -- the batch's entries in updater_journal, inclusive
    last_entry INTEGER,
    created_at TEXT NOT NULL,
    undone_by INTEGER,                   -- batch_id of the undo
    size INTEGER,                        -- changes in it; these are NULL where the run never ended
    records INTEGER,                     -- those that went in
    error TEXT,
    issues TEXT,                         -- JSON list
    validate_ms REAL,                    -- NULL for a step that was not taken
    apply_ms REAL,                       -- without the commit
    commit_ms REAL
);
CREATE INDEX IF NOT EXISTS updater_batches_run ON updater_batches(run_id);

-- One row for each row that a batch changed. Images are JSON objects, column -> value, with blobs and
-- odd values tagged, so that they come back exactly. No index and no AUTOINCREMENT: each would be one more
-- page to every row that a batch writes, and a batch's entries are found by their range.
CREATE TABLE IF NOT EXISTS updater_journal (
    entry_id INTEGER PRIMARY KEY,
    batch_id INTEGER NOT NULL,
    table_name TEXT NOT NULL,
    op TEXT NOT NULL,                    -- I, U, D
    hearing_id INTEGER,                  -- whose it is, where that is known
    before TEXT,
    after TEXT
);

CREATE TABLE IF NOT EXISTS updater_deferred (
    event_id TEXT PRIMARY KEY,
    congress INTEGER,
    chamber TEXT,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 1,
    not_found INTEGER NOT NULL DEFAULT 0,
    first_seen TEXT NOT NULL,
    last_tried TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS updater_held (
    event_id TEXT PRIMARY KEY,
    update_date TEXT,
    run_id INTEGER,
    held_at TEXT NOT NULL
) WITHOUT ROWID;

-- Witness documents that match no single witness of their hearing; tried again at each change.
CREATE TABLE IF NOT EXISTS updater_unmatched_documents (
    document_id INTEGER PRIMARY KEY AUTOINCREMENT,
    hearing_id INTEGER NOT NULL,
    document_type TEXT NOT NULL,
    document_url TEXT NOT NULL,
    format_type TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (hearing_id, document_url)
);

-- Normalised names, for finding a witness without a scan. full_name and organization are copies: where
-- they differ from the witness, another program renamed the row and the keys are made anew.
CREATE TABLE IF NOT EXISTS updater_witness_names (
    witness_id INTEGER PRIMARY KEY,
    name_key TEXT NOT NULL,
    organization_key TEXT NOT NULL,
    full_name TEXT NOT NULL,
    organization TEXT
);
CREATE INDEX IF NOT EXISTS updater_witness_names_key
    ON updater_witness_names(name_key, organization_key);
