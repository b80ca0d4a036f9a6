//! Undoing a past run because a person asked for it.

use super::checks::forget_size;
use crate::store::{
    BatchInfo, BatchKind, Handle, Patience, StoreError, StoreResult, UndoPolicy, UndoReport,
};

/// Undoes a run or one batch of it because a person asked, and holds its events, in one transaction.
/// Waits for another program's lock.
pub fn undo_on_purpose(
    handle: &Handle,
    patience: &Patience<'_>,
    run: i64,
    batch: Option<i64>,
    policy: UndoPolicy,
) -> StoreResult<(UndoReport, Vec<String>)> {
    let what = || format!("run {run}");
    let Some(info) = handle.with_retry(patience, |store| store.run(run))? else {
        return Err(StoreError::BadRecord {
            what: what(),
            problem: "not known to the journal; 'hearing-updater rollback --list' shows the runs"
                .into(),
        });
    };
    let (dates, batches): (Vec<_>, Vec<_>) = info
        .batches
        .iter()
        .filter(|b| b.state == "applied" || b.state == "undone")
        .filter(|b| batch.is_none_or(|number| b.number == number && b.kind != "undo"))
        .partition(|b| b.kind == BatchKind::Dates.as_str());
    let ids = |chosen: &[&BatchInfo]| chosen.iter().map(|b| b.batch).collect::<Vec<_>>();
    if batches.is_empty() && dates.is_empty() {
        let which = batch.map_or_else(String::new, |number| format!(" as batch {number}"));
        return Err(StoreError::BadRecord {
            what: what(),
            problem: format!("nothing was applied{which}, so there is nothing to undo"),
        });
    }
    let (batches, dates) = (ids(&batches), ids(&dates));
    let mut undo = UndoReport::default();
    let mut held = Vec::new();
    handle.with_retry(patience, |store| {
        held.clear();
        store.undo_together(&mut |store| {
            undo = store.undo(&batches, policy)?;
            if !undo.undone {
                return Ok(false);
            }
            if undo.rows_restored > 0 {
                store.hold(&undo.events, Some(run))?;
                held.extend(undo.events.iter().map(|(event_id, _)| event_id.clone()));
            }
            // Hearings of which only the date moved: one that moved again since is nobody's conflict,
            // and nothing of them was undone that would have to be held back.
            if !dates.is_empty() {
                undo.rows_restored += store.undo(&dates, UndoPolicy::Force)?.rows_restored;
            }
            forget_size(store)?;
            Ok(true)
        })
    })?;
    Ok((undo, held))
}
