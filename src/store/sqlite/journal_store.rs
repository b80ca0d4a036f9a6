//! The journal's face: undoing, history, retention, past runs.

use super::SqliteStore;
use super::db::{Db, text};
use super::journal_entries::{Op, entries};
use super::{changes_since, history, ledger_runs, undo, undo_by_hand};
use crate::domain::parse_datetime;
use crate::faults::{Point, pass};
use crate::store::{
    BatchHead, BatchId, BatchKind, FieldChange, HandMade, HearingChange, Journal, RunId, RunInfo,
    Store, StoreError, StoreResult, Transactions, UndoPolicy, UndoReport,
};

impl SqliteStore {
    /// Runs `work` in the open transaction, else in a small one of its own.
    pub(super) fn in_some_transaction<R>(
        &mut self,
        work: impl FnOnce(&Self) -> StoreResult<R>,
    ) -> StoreResult<R> {
        if self.in_transaction() {
            return work(self);
        }
        self.begin(BatchHead {
            run: None,
            number: 0,
            kind: BatchKind::Bookkeeping,
        })?;
        let outcome = work(self).and_then(|done| self.commit().map(|_| done));
        if outcome.is_err() {
            self.roll_back();
        }
        outcome
    }
}

impl Journal for SqliteStore {
    fn undo(&mut self, batches: &[BatchId], policy: UndoPolicy) -> StoreResult<UndoReport> {
        undo::undo(self, batches, policy)
    }

    fn undo_together(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Store) -> StoreResult<bool>,
    ) -> StoreResult<()> {
        undo::together(self, |store| work(store).map(|done| (done, ())))
    }

    fn undo_by_hand(&mut self, checkpoint: &HandMade) -> StoreResult<UndoReport> {
        undo_by_hand::undo_by_hand(self, checkpoint)
    }

    fn history(&mut self, event_id: &str) -> StoreResult<Vec<FieldChange>> {
        let db = self.reading()?;
        if !db.exists("updater_journal")? || !db.exists("hearings")? {
            return Ok(Vec::new());
        }
        history::history(db, event_id)
    }

    fn changes_since(&mut self, since: &str) -> StoreResult<Vec<HearingChange>> {
        let Some(moment) = parse_datetime(since) else {
            return Err(StoreError::BadRecord {
                what: format!("'{since}'"),
                problem: "not a date or a time, such as 2025-10-01 14:00:00 (UTC)".to_owned(),
            });
        };
        let db = self.reading()?;
        if !db.exists("updater_journal")? || !db.exists("hearings")? {
            return Ok(Vec::new());
        }
        changes_since::changes_since(db, &moment.stored())
    }

    fn journal_begins(&mut self) -> StoreResult<Option<String>> {
        let db = self.reading()?;
        if !db.exists("updater_batches")? {
            return Ok(None);
        }
        let sql = "SELECT min(created_at) FROM updater_batches WHERE first_entry IS NOT NULL";
        Ok(db.one("journal", sql, [], |r| text(r, 0))?.flatten())
    }

    fn prune_journal(&mut self, days: i64) -> StoreResult<usize> {
        if !self.reading()?.exists("updater_batches")? {
            return Ok(0);
        }
        let open = self.current_batch().unwrap_or(0);
        let old = old_batches(self.db(), days, open)?;
        if old.0 == 0 {
            return Ok(0);
        }
        self.in_some_transaction(|store| {
            prune(store.db(), days, store.current_batch().unwrap_or(0))
        })
    }

    fn runs(&mut self, newest: usize) -> StoreResult<Vec<RunInfo>> {
        ledger_runs::runs(self.reading()?, newest)
    }

    fn run(&mut self, run: RunId) -> StoreResult<Option<RunInfo>> {
        ledger_runs::run(self.reading()?, run)
    }

    fn touched(&mut self, batches: &[BatchId]) -> StoreResult<HandMade> {
        let db = self.reading()?;
        if !db.exists("updater_journal")? {
            return Ok(HandMade::default());
        }
        touched(db, batches)
    }
}

const OLD: &str = "created_at < datetime('now', '-' || max(?1, 0) || ' days') AND batch_id <> ?2";

/// How many batches are too old, and the newest entry among theirs.
fn old_batches(db: Db<'_>, days: i64, open: BatchId) -> StoreResult<(usize, Option<i64>)> {
    let sql = format!("SELECT count(*), max(last_entry) FROM updater_batches WHERE {OLD}");
    let found = db.one("journal", &sql, [days, open], |r| {
        Ok((usize::try_from(r.get::<_, i64>(0)?).unwrap_or(0), r.get(1)?))
    })?;
    Ok(found.unwrap_or((0, None)))
}

fn prune(db: Db<'_>, days: i64, open: BatchId) -> StoreResult<usize> {
    let (_, newest) = old_batches(db, days, open)?;
    if let Some(newest) = newest {
        let sql = format!(
            "DELETE FROM updater_journal WHERE entry_id <= ?3 AND batch_id IN \
             (SELECT batch_id FROM updater_batches WHERE {OLD})"
        );
        db.exec("journal", &sql, [days, open, newest])?;
        pass(Point::Prune, String::new);
    }
    db.exec(
        "journal",
        &format!("DELETE FROM updater_batches WHERE {OLD}"),
        [days, open],
    )
}

fn touched(db: Db<'_>, batches: &[BatchId]) -> StoreResult<HandMade> {
    let mut found = HandMade::default();
    let entries = match entries(db, batches) {
        Ok(entries) => entries,
        // A damaged journal covers nothing.
        Err(StoreError::BadRecord { .. }) => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in &entries {
        let Some(image) = entry.after.as_ref().or(entry.before.as_ref()) else {
            continue;
        };
        let added = entry.op == Op::Insert;
        match entry.table.as_str() {
            "hearings" => {
                let Some(event) = image.text("event_id") else {
                    continue;
                };
                let known = found.added.contains(&event) || found.updated.contains(&event);
                if added && !known {
                    found.added.push(event);
                } else if !known {
                    found.updated.push(event);
                }
            }
            "witnesses" if added => found.witnesses_added.extend(image.integer("witness_id")),
            "witness_documents" if added => {
                found.documents_added.extend(image.integer("document_id"));
            }
            _ => {}
        }
    }
    Ok(found)
}
