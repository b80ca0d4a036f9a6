//! Past runs with their batches.

use super::db::{Db, integer, text};
use crate::store::{BatchInfo, RunId, RunInfo, StoreResult};

const RUN: &str = "run_id, started_at, ended_at, congress, mode, success";

/// The newest runs, newest first.
pub(super) fn runs(db: Db<'_>, newest: usize) -> StoreResult<Vec<RunInfo>> {
    if !db.exists("updater_runs")? {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(newest).unwrap_or(i64::MAX);
    let sql = format!("SELECT {RUN} FROM updater_runs ORDER BY run_id DESC LIMIT ?1");
    let mut runs = db.all("runs", &sql, [limit], info)?;
    for run in &mut runs {
        run.batches = batches(db, run.run)?;
    }
    Ok(runs)
}

pub(super) fn run(db: Db<'_>, run: RunId) -> StoreResult<Option<RunInfo>> {
    if !db.exists("updater_runs")? {
        return Ok(None);
    }
    let sql = format!("SELECT {RUN} FROM updater_runs WHERE run_id = ?1");
    let Some(mut info) = db.one("runs", &sql, [run], info)? else {
        return Ok(None);
    };
    info.batches = batches(db, run)?;
    Ok(Some(info))
}

fn info(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunInfo> {
    Ok(RunInfo {
        run: row.get(0)?,
        started_at: text(row, 1)?.unwrap_or_default(),
        ended_at: text(row, 2)?,
        congress: integer(row, 3)?.unwrap_or_default(),
        mode: text(row, 4)?.unwrap_or_default(),
        success: integer(row, 5)?.map(|success| success != 0),
        batches: Vec::new(),
    })
}

fn batches(db: Db<'_>, run: RunId) -> StoreResult<Vec<BatchInfo>> {
    db.all(
        "runs",
        "SELECT b.batch_id, b.batch_number, b.kind, b.state, \
            (SELECT count(*) FROM updater_journal j \
             WHERE j.entry_id BETWEEN b.first_entry AND b.last_entry AND j.batch_id = b.batch_id) \
         FROM updater_batches b WHERE b.run_id = ?1 ORDER BY b.batch_number, b.batch_id",
        [run],
        |r| {
            Ok(BatchInfo {
                batch: r.get(0)?,
                number: r.get(1)?,
                kind: r.get(2)?,
                state: r.get(3)?,
                entries: r.get(4)?,
            })
        },
    )
}
