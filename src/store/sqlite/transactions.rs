//! Transactions and savepoints, each transaction a batch of the journal.

use std::sync::atomic::Ordering;

use super::classify::classify;
use super::integrity::quick_check;
use super::{OnClose, SqliteStore, journal};
use crate::faults::{Point, pass, reach};
use crate::store::{
    Access, Answer, BatchHead, BatchId, RunId, SqlParams, StoreError, StoreResult, Transactions,
};

/// Callers' savepoints may not bear names of this kind.
const SAVEPOINT: &str = "updater_record";

impl Transactions for SqliteStore {
    fn bring_up(&mut self) -> StoreResult<Vec<String>> {
        self.migrate()
    }

    fn begin(&mut self, head: BatchHead) -> StoreResult<BatchId> {
        if self.in_transaction() {
            return Err(StoreError::Sql {
                message: "a transaction is already open".to_owned(),
            });
        }
        if self.access == Access::ReadOnly {
            return Err(StoreError::ReadOnly {
                path: self.path.clone(),
                detail: "it was opened for reading only".to_owned(),
            });
        }
        if !self.is_current() {
            return Err(StoreError::Replaced {
                path: self.path.clone(),
            });
        }
        if self.opened.was_written() {
            self.look_at_the_disk()?;
        }
        self.begin_immediate()?;
        let begun = self.open_batch(head).and_then(|batch| {
            let in_wal = self.journal_mode()?.eq_ignore_ascii_case("wal");
            self.opened.began(in_wal)?;
            reach(Point::Begun, || head.label())?;
            Ok(batch)
        });
        match begun {
            Ok(batch) => {
                // What was left beside the file is ours from here on.
                self.set_on_close(OnClose::FoldWal);
                Ok(batch)
            }
            Err(error) => {
                self.roll_back();
                self.doubt(&error);
                Err(error)
            }
        }
    }

    fn commit(&mut self) -> StoreResult<Option<BatchId>> {
        let Some(head) = self.head else {
            return Err(StoreError::NoTransaction);
        };
        let outcome = if self.conn.is_autocommit() {
            Err(StoreError::TransactionGone {
                statement: "COMMIT".to_owned(),
            })
        } else {
            self.close_batch().and_then(|kept| {
                reach(Point::Commit, || head.label())?;
                self.opened.expect_untouched()?;
                self.run("COMMIT", "committing")?;
                pass(Point::Committed, || head.label());
                Ok(kept)
            })
        };
        match outcome {
            Ok(kept) => {
                self.forget_batch();
                self.remember_commit(kept);
                Ok(kept)
            }
            // A reader holds the file for the moment: the transaction stays, to be committed again.
            Err(error @ StoreError::Busy { .. }) => Err(error),
            Err(error) => {
                self.roll_back();
                self.doubt(&error);
                Err(error)
            }
        }
    }

    fn roll_back(&mut self) {
        self.memo.forget_names();
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            tracing::warn!(
                target: "updaters.store",
                "{}: could not roll back ({error}); opening the database anew",
                self.path.display()
            );
            self.broken = true;
        }
        if self.schema_touched {
            self.triggers_for = None;
            self.brought_up = None;
        }
        self.forget_batch();
    }

    fn in_transaction(&self) -> bool {
        self.head.is_some()
    }

    fn take_committed(&mut self) -> Vec<BatchId> {
        std::mem::take(&mut self.committed)
    }

    fn current_batch(&self) -> Option<BatchId> {
        self.head.map(|_| self.batch.load(Ordering::Relaxed))
    }

    fn savepoint(&mut self) -> StoreResult<()> {
        self.expect_transaction()?;
        if self.savepoint_open {
            return Err(StoreError::Sql {
                message: "a savepoint is already open".to_owned(),
            });
        }
        self.run_cached(&format!("SAVEPOINT {SAVEPOINT}"))?;
        self.savepoint_open = true;
        Ok(())
    }

    fn release_savepoint(&mut self) -> StoreResult<()> {
        self.expect_savepoint()?;
        self.run_cached(&format!("RELEASE {SAVEPOINT}"))?;
        self.savepoint_open = false;
        Ok(())
    }

    fn roll_back_to_savepoint(&mut self) -> StoreResult<()> {
        self.expect_savepoint()?;
        self.memo.forget_names();
        self.run_cached(&format!("ROLLBACK TO {SAVEPOINT}"))?;
        self.run_cached(&format!("RELEASE {SAVEPOINT}"))?;
        self.savepoint_open = false;
        if self.schema_touched {
            self.remake_triggers()?;
        }
        Ok(())
    }

    fn execute(&mut self, sql: &str, params: &SqlParams) -> StoreResult<Answer> {
        self.execute_foreign(sql, params)
    }
}

impl SqliteStore {
    /// `BEGIN IMMEDIATE` on a database that is up to date, with the journal's triggers in place. The
    /// schema can change between the look at it and the lock; then both are done again.
    fn begin_immediate(&mut self) -> StoreResult<()> {
        for _ in 0..5 {
            self.migrate()?;
            let version = self.schema_version()?;
            if self.triggers_for != Some(version) {
                journal::install(&self.conn, &self.batch)?;
                self.triggers_for = Some(version);
            }
            self.run_cached("BEGIN IMMEDIATE")?;
            match self.schema_version() {
                Ok(now) if now == version => return Ok(()),
                Ok(_) => self.roll_back(),
                Err(error) => {
                    self.roll_back();
                    return Err(error);
                }
            }
        }
        Err(StoreError::Busy {
            path: self.path.clone(),
            waited_seconds: 0.0,
        })
    }

    fn open_batch(&mut self, head: BatchHead) -> StoreResult<BatchId> {
        if let Some(run) = head.run {
            self.expect_our_run(run)?;
        }
        let (batch, mark) = (|| {
            self.conn
                .prepare_cached(
                    "INSERT INTO updater_batches (run_id, batch_number, kind, state, created_at)
                     VALUES (?1, ?2, ?3, 'applied', CURRENT_TIMESTAMP)",
                )?
                .execute((head.run, head.number, head.kind.as_str()))?;
            let batch = self.conn.last_insert_rowid();
            let mark = self
                .conn
                .prepare_cached("SELECT COALESCE(MAX(entry_id), 0) FROM updater_journal")?
                .query_row([], |row| row.get(0))?;
            Ok((batch, mark))
        })()
        .map_err(|error| classify(error, &self.path, "opening a batch"))?;
        self.entry_mark = mark;
        self.batch.store(batch, Ordering::Relaxed);
        self.head = Some(head);
        self.savepoint_open = false;
        self.schema_touched = false;
        Ok(batch)
    }

    /// Notes the batch's journal entries in its row, or removes the row where there are none.
    fn close_batch(&mut self) -> StoreResult<Option<BatchId>> {
        let batch = self.batch.load(Ordering::Relaxed);
        (|| {
            let (first, last): (Option<i64>, Option<i64>) = self
                .conn
                .prepare_cached(
                    "SELECT MIN(entry_id), MAX(entry_id) FROM updater_journal WHERE entry_id > ?1",
                )?
                .query_row([self.entry_mark], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if first.is_none() {
                self.conn
                    .prepare_cached("DELETE FROM updater_batches WHERE batch_id = ?1")?
                    .execute([batch])?;
                return Ok(None);
            }
            self.conn
                .prepare_cached(
                    "UPDATE updater_batches SET first_entry = ?2, last_entry = ?3 WHERE batch_id = ?1",
                )?
                .execute((batch, first, last))?;
            Ok(Some(batch))
        })()
        .map_err(|error| classify(error, &self.path, "closing a batch"))
    }

    /// Bounded: most programs never ask.
    fn remember_commit(&mut self, batch: Option<BatchId>) {
        if self.committed.len() >= 10_000 {
            self.committed.clear();
        }
        self.committed.extend(batch);
    }

    fn forget_batch(&mut self) {
        self.batch.store(0, Ordering::Relaxed);
        self.memo.names_sure.set(false);
        self.head = None;
        self.savepoint_open = false;
        self.schema_touched = false;
        self.opened.ended();
    }

    /// Another program has written into the file. As a rule that is SQLite's doing; a `cp` over it is
    /// not, and the pages that we remember would hide it.
    fn look_at_the_disk(&mut self) -> StoreResult<()> {
        let found = self
            .run("PRAGMA shrink_memory", "reading anew")
            .and_then(|()| self.db().fail(quick_check(&self.conn), "reading anew"))
            .and_then(|found| match found.damage.into_iter().next() {
                None => Ok(()),
                Some(detail) => Err(StoreError::Corrupt {
                    path: self.path.clone(),
                    detail,
                }),
            });
        match &found {
            Ok(()) => self.opened.looked_at(),
            Err(error) => self.doubt(error),
        }
        found
    }

    fn journal_mode(&self) -> StoreResult<String> {
        let found = self
            .db()
            .one("", "PRAGMA journal_mode", [], |row| row.get(0))?;
        Ok(found.unwrap_or_default())
    }

    /// The WAL of a damaged file stays: it may be another file's, or hold what is left.
    pub(in crate::store) fn doubt(&mut self, error: &StoreError) {
        if matches!(
            error,
            StoreError::Corrupt { .. } | StoreError::NotADatabase { .. }
        ) {
            self.set_on_close(OnClose::KeepWal);
        }
    }

    /// A run was entered by this process: else another file, or an older state of this one, has come in
    /// its place.
    pub(super) fn expect_our_run(&self, run: RunId) -> StoreResult<()> {
        let pid = self.db().one(
            "updater_runs",
            "SELECT pid FROM updater_runs WHERE run_id = ?1",
            [run],
            |row| row.get::<_, Option<i64>>(0),
        )?;
        if pid == Some(Some(i64::from(std::process::id()))) {
            Ok(())
        } else {
            Err(StoreError::Replaced {
                path: self.path.clone(),
            })
        }
    }

    /// After a statement that changed the schema inside the open transaction.
    pub(super) fn remake_triggers(&mut self) -> StoreResult<()> {
        self.schema_touched = true;
        journal::install(&self.conn, &self.batch)?;
        self.triggers_for = Some(self.schema_version()?);
        Ok(())
    }

    /// What a statement left behind that ended our transaction (`INSERT OR ROLLBACK`).
    pub(super) fn transaction_gone(&mut self, statement: &str) -> StoreError {
        self.roll_back();
        StoreError::TransactionGone {
            statement: statement.to_owned(),
        }
    }

    fn expect_transaction(&mut self) -> StoreResult<()> {
        if self.head.is_none() {
            Err(StoreError::NoTransaction)
        } else if self.conn.is_autocommit() {
            // SQLite gave it up (a full disk, a failing file) in the statement before.
            Err(self.transaction_gone("the statement before"))
        } else {
            Ok(())
        }
    }

    fn expect_savepoint(&mut self) -> StoreResult<()> {
        self.expect_transaction()?;
        if self.savepoint_open {
            Ok(())
        } else {
            Err(StoreError::Sql {
                message: "no savepoint is open".to_owned(),
            })
        }
    }

    fn run(&self, sql: &str, what: &str) -> StoreResult<()> {
        self.conn
            .execute_batch(sql)
            .map_err(|error| classify(error, &self.path, what))
    }

    fn run_cached(&self, sql: &str) -> StoreResult<()> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_| ())
            .map_err(|error| classify(error, &self.path, sql))
    }
}

#[cfg(test)]
#[path = "transactions_tests.rs"]
mod tests;
