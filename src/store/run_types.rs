//! What is known of runs and their batches.

use super::types::{BatchId, BatchKind, RunId};

/// A past run, as `hearing-updater rollback` and the ledger know it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    pub run: RunId,
    /// Naive local time.
    pub started_at: String,
    pub ended_at: Option<String>,
    pub congress: i64,
    pub mode: String,
    pub success: Option<bool>,
    pub batches: Vec<BatchInfo>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct BatchInfo {
    pub batch: BatchId,
    pub number: i64,
    pub kind: String,
    /// `applied`, `undone`, `failed`, `skipped`, `unchanged`.
    pub state: String,
    pub entries: i64,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchOutcome {
    #[default]
    Applied,
    /// Begun, and rolled back.
    Failed,
    /// Refused by validation.
    Skipped,
}

/// The figures of a batch, recorded with its run (also of failed ones).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchFigures {
    pub number: i64,
    pub kind: BatchKind,
    /// The journal's batch, where it was applied and changed anything.
    pub batch: Option<BatchId>,
    /// Changes in it.
    pub size: i64,
    /// Those that went in.
    pub records: i64,
    pub outcome: BatchOutcome,
    /// UTC; when it ended.
    pub at: String,
    pub error: Option<String>,
    pub issues: Vec<String>,
    /// Milliseconds; `None` for a step that was not taken.
    pub validate_ms: Option<f64>,
    /// Without the commit.
    pub apply_ms: Option<f64>,
    pub commit_ms: Option<f64>,
}

/// A batch as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRecord {
    pub batch: BatchId,
    pub run: Option<RunId>,
    /// `None` outside the batched mode.
    pub number: Option<i64>,
    pub kind: String,
    /// `applied`, `undone`, `failed`, `skipped`, `unchanged`.
    pub state: String,
    /// UTC.
    pub at: String,
    pub size: Option<i64>,
    pub records: Option<i64>,
    /// Rows written, of all tables.
    pub entries: i64,
    pub error: Option<String>,
    pub issues: Vec<String>,
    pub validate_ms: Option<f64>,
    pub apply_ms: Option<f64>,
    pub commit_ms: Option<f64>,
}

/// A run as it was recorded: by `update_logs`, by our own table, or by both.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunRecord {
    /// `None` for a run of another program, or one that ended before it wrote.
    pub run: Option<RunId>,
    /// `None` for a run that never ended.
    pub log_id: Option<i64>,
    /// Naive local times.
    pub started_at: Option<String>,
    pub ended_at: Option<String>,
    pub duration_seconds: Option<f64>,
    pub congress: Option<i64>,
    pub mode: Option<String>,
    pub trigger_source: Option<String>,
    pub success: Option<bool>,
    pub hearings_checked: Option<i64>,
    pub hearings_updated: Option<i64>,
    pub hearings_added: Option<i64>,
    pub committees_updated: Option<i64>,
    pub witnesses_updated: Option<i64>,
    pub api_requests: Option<i64>,
    pub error_count: Option<i64>,
    pub errors: Vec<String>,
    /// `None` where nobody knows: another program's run, or batches that retention removed.
    pub batches: Option<BatchCounts>,
}

/// The batches of a run in the batched mode, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchCounts {
    /// With those that found nothing to change.
    pub applied: i64,
    pub failed: i64,
    pub skipped: i64,
    pub undone: i64,
}

/// A row of `update_logs` to be written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateLog {
    /// Naive local times, `2025-10-13 21:25:58`.
    pub start_time: String,
    pub end_time: String,
    pub duration_seconds: f64,
    pub hearings_checked: i64,
    pub hearings_updated: i64,
    pub hearings_added: i64,
    pub committees_updated: i64,
    pub witnesses_updated: i64,
    pub api_requests: i64,
    pub errors: Vec<String>,
    pub success: bool,
    pub trigger_source: String,
    pub schedule_id: Option<i64>,
}

/// How a run went, for a health check.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LastRun {
    /// `None` for a run that only `update_logs` knows.
    pub run: Option<RunId>,
    /// Naive local times.
    pub started_at: String,
    pub ended_at: Option<String>,
    /// `None` while it runs, and where it was killed.
    pub success: Option<bool>,
    pub seconds: Option<f64>,
    pub errors: Option<i64>,
    pub hearings_checked: Option<i64>,
    pub hearings_updated: Option<i64>,
    pub hearings_added: Option<i64>,
    /// `None` where it left no trace of the mode: nothing changed in it.
    pub batched: Option<bool>,
    /// Batches that changed something or failed; of these, failed or skipped.
    pub batches: i64,
    pub batches_failed: i64,
}

/// The figures of an earlier run, from `update_logs`; NaN for what is not there or is no number (the
/// updater before this one left durations NULL).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PastRun {
    /// Naive local time.
    pub start_time: String,
    pub hearings_checked: f64,
    pub hearings_updated: f64,
    pub hearings_added: f64,
    pub error_count: f64,
    pub duration_seconds: f64,
}
