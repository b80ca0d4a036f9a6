//! What a health check asks for beside `health`: whether the pages are sound, and how the last runs
//! went. Reads only.

use super::SqliteStore;
use super::db::{Db, integer, text};
use super::integrity::{full_check, quick_check};
use crate::store::{LastRun, RunId, StoreError, StoreResult, Vitals};

/// Columns of `update_logs` that tell how a run went; which of them there are depends on its age.
const FIGURES: [&str; 5] = [
    "duration_seconds",
    "error_count",
    "hearings_checked",
    "hearings_updated",
    "hearings_added",
];

impl Vitals for SqliteStore {
    fn integrity(&mut self, full: bool) -> StoreResult<Vec<String>> {
        let found = if full {
            full_check(&self.conn)
        } else {
            quick_check(&self.conn)
        };
        match self.db().fail(found, "checking the pages") {
            Ok(found) => Ok(found.damage),
            Err(StoreError::Corrupt { detail, .. }) => Ok(vec![detail]),
            Err(error) => Err(error),
        }
    }

    fn to_add(&mut self) -> StoreResult<Vec<String>> {
        self.to_be_added()
    }

    fn last_runs(&mut self, newest: usize) -> StoreResult<Vec<LastRun>> {
        let db = self.reading()?;
        let mut found = ours(db, newest)?;
        found.append(&mut only_logged(db, newest)?);
        // Older updaters wrote a T, or fractions of a second.
        found.sort_by_cached_key(|run| std::cmp::Reverse(run.started_at.replace('T', " ")));
        found.truncate(newest);
        for run in &mut found {
            if let Some(id) = run.run {
                count_batches(db, id, run)?;
            }
        }
        Ok(found)
    }
}

fn ours(db: Db<'_>, newest: usize) -> StoreResult<Vec<LastRun>> {
    if !db.exists("updater_runs")? {
        return Ok(Vec::new());
    }
    let (figures, join) = if db.shape("update_logs")?.has("log_id") {
        (
            db.select_list("update_logs", "l.", &FIGURES)?,
            "LEFT JOIN update_logs AS l ON l.log_id = r.log_id",
        )
    } else {
        (["NULL"; FIGURES.len()].join(", "), "")
    };
    let sql = format!(
        "SELECT r.run_id, r.started_at, r.ended_at, r.success, {figures} \
         FROM updater_runs AS r {join} ORDER BY r.run_id DESC LIMIT ?1"
    );
    db.all("runs", &sql, [limit(newest)], run)
}

/// Runs of updaters that know nothing of our tables.
fn only_logged(db: Db<'_>, newest: usize) -> StoreResult<Vec<LastRun>> {
    let shape = db.shape("update_logs")?;
    if !shape.has("start_time") {
        return Ok(Vec::new());
    }
    let others = if shape.has("log_id") && db.exists("updater_runs")? {
        "WHERE log_id NOT IN (SELECT log_id FROM updater_runs WHERE log_id NOTNULL)"
    } else {
        ""
    };
    let figures = db.select_list("update_logs", "", &FIGURES)?;
    let rest = db.select_list("update_logs", "", &["start_time", "end_time", "success"])?;
    let sql = format!(
        "SELECT NULL, {rest}, {figures} FROM update_logs {others} \
         ORDER BY start_time DESC LIMIT ?1"
    );
    db.all("runs", &sql, [limit(newest)], run)
}

fn limit(newest: usize) -> i64 {
    i64::try_from(newest).unwrap_or(i64::MAX)
}

fn run(row: &rusqlite::Row<'_>) -> rusqlite::Result<LastRun> {
    Ok(LastRun {
        run: integer(row, 0)?,
        started_at: text(row, 1)?.unwrap_or_default(),
        ended_at: text(row, 2)?,
        success: integer(row, 3)?.map(|success| success != 0),
        seconds: text(row, 4)?.and_then(|seconds| seconds.parse().ok()),
        errors: integer(row, 5)?,
        hearings_checked: integer(row, 6)?,
        hearings_updated: integer(row, 7)?,
        hearings_added: integer(row, 8)?,
        ..LastRun::default()
    })
}

fn count_batches(db: Db<'_>, id: RunId, run: &mut LastRun) -> StoreResult<()> {
    let sql = "SELECT count(*) FILTER (WHERE kind = 'batch'), \
                count(*) FILTER (WHERE kind = 'batch' AND state IN ('failed', 'skipped')), \
                max(CASE WHEN kind IN ('batch', 'salvage') THEN 1 WHEN kind = 'plain' THEN 0 END) \
         FROM updater_batches WHERE run_id = ?1";
    let counted = db.one("runs", sql, [id], |r| {
        Ok((r.get(0)?, r.get(1)?, r.get::<_, Option<bool>>(2)?))
    })?;
    if let Some((batches, failed, batched)) = counted {
        (run.batches, run.batches_failed, run.batched) = (batches, failed, batched);
    }
    Ok(())
}
