//! The figures of runs and batches: written at a run's end, read for whoever plots them.

use std::fmt::Write as _;

use rusqlite::Row;

use super::db::{Db, Pair, integer, text, utc_now};
use crate::store::{
    BatchCounts, BatchFigures, BatchOutcome, BatchRecord, RunId, RunRecord, StoreResult, UpdateLog,
};

/// Notes in a run's row how it ended, and in its batches' rows their figures.
pub(super) fn close_run(
    db: Db<'_>,
    run: RunId,
    log: &UpdateLog,
    log_id: Option<i64>,
    batches: &[BatchFigures],
) -> StoreResult<()> {
    db.exec(
        "updater_runs",
        "UPDATE updater_runs SET ended_at = ?2, success = ?3, log_id = ?4 WHERE run_id = ?1",
        (run, &log.end_time, log.success, log_id),
    )?;
    for figures in batches {
        write(db, run, figures)?;
    }
    Ok(())
}

fn write(db: Db<'_>, run: RunId, figures: &BatchFigures) -> StoreResult<()> {
    let issues = (!figures.issues.is_empty())
        .then(|| serde_json::Value::from(figures.issues.clone()).to_string());
    let numbers: [Pair<'_>; 7] = [
        ("size", &figures.size),
        ("records", &figures.records),
        ("error", &figures.error),
        ("issues", &issues),
        ("validate_ms", &figures.validate_ms),
        ("apply_ms", &figures.apply_ms),
        ("commit_ms", &figures.commit_ms),
    ];
    if let Some(batch) = figures.batch
        && db.update("updater_batches", "batch_id", batch, &numbers)? > 0
    {
        return Ok(());
    }
    // It left no trace in the journal, and is none that could be undone.
    let state = match figures.outcome {
        BatchOutcome::Applied => "unchanged",
        BatchOutcome::Failed => "failed",
        BatchOutcome::Skipped => "skipped",
    };
    let kind = figures.kind.as_str();
    let now = utc_now();
    let at = if figures.at.is_empty() {
        &now
    } else {
        &figures.at
    };
    let mut row: Vec<Pair<'_>> = vec![
        ("run_id", &run),
        ("batch_number", &figures.number),
        ("kind", &kind),
        ("state", &state),
        ("created_at", at),
    ];
    row.extend(numbers);
    db.insert("updater_batches", &row).map(drop)
}

const LOG: [&str; 13] = [
    "log_id",
    "start_time",
    "end_time",
    "duration_seconds",
    "trigger_source",
    "success",
    "hearings_checked",
    "hearings_updated",
    "hearings_added",
    "committees_updated",
    "witnesses_updated",
    "api_requests",
    "error_count",
];

const RUN: [&str; 8] = [
    "run_id",
    "log_id",
    "started_at",
    "ended_at",
    "congress",
    "mode",
    "trigger_source",
    "success",
];

/// A table's wanted columns under their names, as something to select from: what this file lacks is
/// NULL, or no row at all.
fn source(db: Db<'_>, table: &str, wanted: &[&str]) -> StoreResult<String> {
    let shape = db.shape(table)?;
    let mut sql = String::from("(SELECT ");
    for (at, column) in wanted.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let found = shape.quoted(column).unwrap_or("NULL");
        // Writing to a String cannot fail.
        let _ = write!(sql, "{comma}{found} AS {column}");
    }
    sql.push_str(if shape.exists() { " FROM " } else { " WHERE 0" });
    if shape.exists() {
        sql.push_str(table);
    }
    sql.push(')');
    Ok(sql)
}

/// Runs of `update_logs` and of our own table, joined; a run may be in one of them only.
pub(super) fn runs(db: Db<'_>, since: Option<&str>) -> StoreResult<Vec<RunRecord>> {
    let mut log = LOG.to_vec();
    log.push("errors");
    let (logs, runs) = (
        source(db, "update_logs", &log)?,
        source(db, "updater_runs", &RUN)?,
    );
    let batches = source(db, "updater_batches", &["run_id", "kind", "state"])?;
    // Other programs write the ISO form with a T.
    let sql = format!(
        "SELECT r.run_id, l.log_id, coalesce(l.start_time, r.started_at), \
            coalesce(l.end_time, r.ended_at), l.duration_seconds, r.congress, r.mode, \
            coalesce(l.trigger_source, r.trigger_source), coalesce(l.success, r.success), \
            l.hearings_checked, l.hearings_updated, l.hearings_added, l.committees_updated, \
            l.witnesses_updated, l.api_requests, l.error_count, l.errors, \
            b.known, b.applied, b.failed, b.skipped, b.undone \
         FROM {logs} l FULL JOIN {runs} r ON r.log_id = l.log_id \
         LEFT JOIN (SELECT run_id, 1 AS known, \
            sum(kind = 'batch' AND state IN ('applied', 'unchanged')) AS applied, \
            sum(kind = 'batch' AND state = 'failed') AS failed, \
            sum(kind = 'batch' AND state = 'skipped') AS skipped, \
            sum(kind = 'batch' AND state = 'undone') AS undone \
            FROM {batches} GROUP BY run_id) b ON b.run_id = r.run_id \
         WHERE ?1 IS NULL OR replace(coalesce(l.start_time, r.started_at), 'T', ' ') >= ?1 \
         ORDER BY replace(coalesce(l.start_time, r.started_at), 'T', ' '), l.log_id, r.run_id"
    );
    db.all("runs", &sql, [since], run)
}

fn run(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let mut found = RunRecord {
        run: row.get(0)?,
        log_id: integer(row, 1)?,
        started_at: text(row, 2)?,
        ended_at: text(row, 3)?,
        duration_seconds: real(row, 4)?,
        congress: integer(row, 5)?,
        mode: text(row, 6)?,
        trigger_source: text(row, 7)?,
        success: integer(row, 8)?.map(|success| success != 0),
        hearings_checked: integer(row, 9)?,
        hearings_updated: integer(row, 10)?,
        hearings_added: integer(row, 11)?,
        committees_updated: integer(row, 12)?,
        witnesses_updated: integer(row, 13)?,
        api_requests: integer(row, 14)?,
        error_count: integer(row, 15)?,
        errors: list(text(row, 16)?),
        batches: None,
    };
    let known = row.get::<_, Option<i64>>(17)?.is_some();
    let stored = found.hearings_updated.unwrap_or(0) + found.hearings_added.unwrap_or(0) > 0;
    // Who stored something left a batch: where there is none, retention removed it.
    if found.run.is_some() && (known || !stored) {
        let count = |at| integer(row, at).map(Option::unwrap_or_default);
        found.batches = Some(BatchCounts {
            applied: count(18)?,
            failed: count(19)?,
            skipped: count(20)?,
            undone: count(21)?,
        });
    }
    Ok(found)
}

/// The batches of all runs, and those of no run; what we write for ourselves is none.
pub(super) fn batches(db: Db<'_>, since: Option<&str>) -> StoreResult<Vec<BatchRecord>> {
    if !db.exists("updater_batches")? {
        return Ok(Vec::new());
    }
    db.all(
        "batches",
        "SELECT b.batch_id, b.run_id, NULLIF(b.batch_number, 0), b.kind, b.state, b.created_at, \
            b.size, b.records, \
            (SELECT count(*) FROM updater_journal j \
             WHERE j.entry_id BETWEEN b.first_entry AND b.last_entry AND j.batch_id = b.batch_id), \
            b.error, b.issues, b.validate_ms, b.apply_ms, b.commit_ms \
         FROM updater_batches b \
         WHERE b.kind <> 'bookkeeping' AND (?1 IS NULL OR b.created_at >= ?1) \
         ORDER BY b.created_at, b.batch_id",
        [since],
        |row| {
            Ok(BatchRecord {
                batch: row.get(0)?,
                run: integer(row, 1)?,
                number: integer(row, 2)?,
                kind: text(row, 3)?.unwrap_or_default(),
                state: text(row, 4)?.unwrap_or_default(),
                at: text(row, 5)?.unwrap_or_default(),
                size: integer(row, 6)?,
                records: integer(row, 7)?,
                entries: row.get(8)?,
                error: text(row, 9)?,
                issues: list(text(row, 10)?),
                validate_ms: real(row, 11)?,
                apply_ms: real(row, 12)?,
                commit_ms: real(row, 13)?,
            })
        },
    )
}

/// A number, also where it is kept as text; `None` for NULL and nonsense.
fn real(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<f64>> {
    use rusqlite::types::ValueRef;
    #[allow(clippy::cast_precision_loss)] // seconds and milliseconds
    Ok(match row.get_ref(at)? {
        ValueRef::Real(number) => Some(number),
        ValueRef::Integer(number) => Some(number as f64),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.trim().parse().ok()),
        _ => None,
    })
}

/// The texts of a JSON list; what is none is one text.
fn list(stored: Option<String>) -> Vec<String> {
    let Some(stored) = stored.filter(|text| !text.trim().is_empty()) else {
        return Vec::new();
    };
    match serde_json::from_str(&stored) {
        Ok(serde_json::Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            })
            .collect(),
        Ok(serde_json::Value::Null) => Vec::new(),
        _ => vec![stored],
    }
}
