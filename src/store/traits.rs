//! What a store can do, by subject. `sqlite::SqliteStore` is the first one.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::StoreResult;
use super::run_types::{
    BatchFigures, BatchRecord, LastRun, PastRun, RunInfo, RunRecord, UpdateLog,
};
use super::survey::{Mended, Survey};
use super::types::{
    Answer, BatchHead, BatchId, CommitteeName, DeferKind, Deferred, FieldChange, HandMade,
    HearingChange, Held, Related, Row, RunId, Soundness, SqlParams, StoredMeeting, UndoPolicy,
    UndoReport, Written,
};
use crate::domain::{Committee, Components, Meeting};

/// A store, whole.
pub trait Store:
    Transactions + Hearings + Journal + Ledger + Health + Vitals + Verify + Send
{
}

impl<T: Transactions + Hearings + Journal + Ledger + Health + Vitals + Verify + Send> Store for T {}

/// Transactions, savepoints and foreign statements.
pub trait Transactions {
    /// Brings an older database up additively, in one transaction, and names what it added. Idempotent
    /// and cheap when there is nothing to do. Must be called outside a transaction; `begin` calls it.
    fn bring_up(&mut self) -> StoreResult<Vec<String>>;

    /// `BEGIN IMMEDIATE`, one try (`StoreError::Busy` where another program writes; `Handle::begin`
    /// waits). Opens a journal batch: every row changed until `commit` is journaled under it.
    fn begin(&mut self, head: BatchHead) -> StoreResult<BatchId>;

    /// Commits; `None` where nothing was journaled (no batch row is kept then).
    fn commit(&mut self) -> StoreResult<Option<BatchId>>;

    /// Ends the transaction, if any, as if it had never been. Never fails: a connection that cannot
    /// roll back is reopened at its next use.
    fn roll_back(&mut self);

    fn in_transaction(&self) -> bool;

    /// The batches that this connection committed since it was last asked, oldest first.
    fn take_committed(&mut self) -> Vec<BatchId>;

    /// The journal batch of the open transaction.
    fn current_batch(&self) -> Option<BatchId>;

    /// One savepoint inside the open transaction (for the plain mode's records); not nested.
    fn savepoint(&mut self) -> StoreResult<()>;
    fn release_savepoint(&mut self) -> StoreResult<()>;
    fn roll_back_to_savepoint(&mut self) -> StoreResult<()>;

    /// A caller's own statement, inside the open transaction or (reads, and writes journaled as
    /// `Manual`) outside one. Refuses what would end the transaction, attach a file or switch off the
    /// journal; finds out when a statement ended the transaction all the same (`INSERT OR ROLLBACK`).
    fn execute(&mut self, sql: &str, params: &SqlParams) -> StoreResult<Answer>;
}

/// Reading and writing domain types. Writers need an open transaction.
pub trait Hearings {
    /// The row of `hearings`, in the table's column order.
    fn hearing_row(&mut self, event_id: &str) -> StoreResult<Option<Row>>;

    /// By row id, for callers who pass rows and tuples around.
    fn hearing_row_by_id(&mut self, hearing_id: i64) -> StoreResult<Option<Row>>;

    /// Column names of a table in order; empty where the table is not there.
    fn columns(&mut self, table: &str) -> StoreResult<Vec<String>>;

    fn committee_row(&mut self, system_code: &str) -> StoreResult<Option<Row>>;

    /// A hearing with everything the diff compares. Works on every older shape.
    fn stored_meeting(&mut self, event_id: &str) -> StoreResult<Option<StoredMeeting>>;

    /// The same of many hearings, by row id; those that are not there are left out.
    fn stored_meetings(&mut self, hearing_ids: &[i64]) -> StoreResult<Vec<StoredMeeting>>;

    /// Every committee's name, by system code.
    fn committee_names(&mut self) -> StoreResult<Vec<CommitteeName>>;

    /// event id -> `update_date` as stored, of one congress.
    fn update_dates(&mut self, congress: i64) -> StoreResult<HashMap<String, Option<String>>>;

    /// Every known committee's system code, lower case.
    fn committee_codes(&mut self) -> StoreResult<HashSet<String>>;

    /// Inserts or updates a hearing and, per `components`, its related rows, all by the contract's
    /// value rules: absent never overwrites, empty never deletes, a non-empty list replaces, ids stay,
    /// an unchanged row is not rewritten. The committees it names must be in the store.
    fn write_meeting(
        &mut self,
        meeting: &Meeting,
        hearing_id: Option<i64>,
        components: Components,
    ) -> StoreResult<Written>;

    /// Only the related rows, of a hearing that is stored.
    fn write_related(
        &mut self,
        hearing_id: i64,
        meeting: &Meeting,
        components: Components,
        how: Related,
    ) -> StoreResult<Written>;

    /// Inserts a committee that is not there (its parent must be); returns its row id either way.
    fn write_committee(&mut self, committee: &Committee, congress: i64) -> StoreResult<i64>;

    /// Stores only `update_date`; false where the event is not stored or has it already.
    fn write_update_date(&mut self, event_id: &str, update_date: &str) -> StoreResult<bool>;

    /// One person with one organization is one row, whatever the courtesy title. -> (id, added)
    fn get_or_create_witness(
        &mut self,
        full_name: &str,
        organization: Option<&str>,
        title: Option<&str>,
    ) -> StoreResult<(i64, bool)>;

    /// An appearance seen again keeps its id. -> (id, added)
    fn create_witness_appearance(
        &mut self,
        witness_id: i64,
        hearing_id: i64,
        position: Option<&str>,
        witness_type: Option<&str>,
        order: Option<i64>,
    ) -> StoreResult<(i64, bool)>;

    fn link_committee(
        &mut self,
        hearing_id: i64,
        committee_id: i64,
        primary: bool,
    ) -> StoreResult<()>;

    /// -> how many links there were.
    fn unlink_committees(&mut self, hearing_id: i64) -> StoreResult<usize>;
}

/// Undoing, history, retention.
pub trait Journal {
    /// Undoes whole batches (given in any order), exactly, in one transaction, which is journaled too.
    /// Undoing what is undone is a no-op with `undone: true`.
    fn undo(&mut self, batches: &[BatchId], policy: UndoPolicy) -> StoreResult<UndoReport>;

    /// Runs `work` in one transaction: what it undoes, by journal or by hand, and what it notes about
    /// that come to pass together. False, or an error: nothing does.
    fn undo_together(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Store) -> StoreResult<bool>,
    ) -> StoreResult<()>;

    /// Honours a hand-made checkpoint as it stands, in one transaction: additions deleted with their
    /// dependants, updates restored. A column name that is not in the table refuses the whole.
    fn undo_by_hand(&mut self, checkpoint: &HandMade) -> StoreResult<UndoReport>;

    /// What changed in a hearing, oldest first; empty where the journal knows nothing of it.
    fn history(&mut self, event_id: &str) -> StoreResult<Vec<FieldChange>>;

    /// What changed in all hearings since a moment (UTC), oldest first, in one pass. What was undone
    /// since then is left out with its undoing; the undoing of something older counts as a change.
    fn changes_since(&mut self, since: &str) -> StoreResult<Vec<HearingChange>>;

    /// When the oldest batch that the journal still has was applied (UTC); `None` where it has none.
    fn journal_begins(&mut self) -> StoreResult<Option<String>>;

    /// Removes journal entries older than this many days; -> batches removed.
    fn prune_journal(&mut self, days: i64) -> StoreResult<usize>;

    fn runs(&mut self, newest: usize) -> StoreResult<Vec<RunInfo>>;
    fn run(&mut self, run: RunId) -> StoreResult<Option<RunInfo>>;

    /// Event ids (hearings) and row ids (witnesses, witness documents) that batches touched: for
    /// telling what of a filled checkpoint the journal covers.
    fn touched(&mut self, batches: &[BatchId]) -> StoreResult<HandMade>;
}

/// Runs, logs, deferred and held events. Writers need an open transaction unless they say otherwise.
pub trait Ledger {
    /// Opens a run (own small transaction).
    fn start_run(&mut self, congress: i64, mode: &str, trigger: &str) -> StoreResult<RunId>;

    /// It is still there, and ours: else another file came in this one's place (`Replaced`).
    fn expect_run(&mut self, run: RunId) -> StoreResult<()>;

    /// Closes it: batch figures, outcome, and the row of `update_logs` (with its
    /// `schedule_execution_logs` row where a schedule is named), in one small transaction of its own.
    /// -> `log_id`.
    fn finish_run(
        &mut self,
        run: Option<RunId>,
        log: &UpdateLog,
        batches: &[BatchFigures],
    ) -> StoreResult<Option<i64>>;

    /// Naive local start time of the last successful run, from `update_logs`; of those that began at
    /// `until` or earlier, where that is given. `None` where the table is missing or has none.
    fn last_success(&mut self, until: Option<&str>) -> StoreResult<Option<String>>;

    /// Successful runs since a naive local time, oldest first, from `update_logs`.
    fn past_runs(&mut self, since: &str) -> StoreResult<Vec<PastRun>>;

    /// Every run that anybody recorded, oldest first, or those that began at `since` (naive local) or
    /// later. Works on every older shape.
    fn run_records(&mut self, since: Option<&str>) -> StoreResult<Vec<RunRecord>>;

    /// Every batch that the journal still has, oldest first, or those of `since` (UTC) or later.
    fn batch_records(&mut self, since: Option<&str>) -> StoreResult<Vec<BatchRecord>>;

    fn deferred(&mut self) -> StoreResult<Vec<Deferred>>;
    /// Remembers an event or counts one more try. (Bookkeeping: own small transaction when none is open.)
    fn defer(
        &mut self,
        event_id: &str,
        congress: Option<i64>,
        chamber: Option<&str>,
        kind: DeferKind,
        reason: &str,
    ) -> StoreResult<()>;
    /// It is in (or is given up): forget it.
    fn undefer(&mut self, event_ids: &[&str]) -> StoreResult<usize>;

    fn held(&mut self) -> StoreResult<Vec<Held>>;
    fn hold(&mut self, events: &[(String, Option<String>)], run: Option<RunId>) -> StoreResult<()>;
    /// -> false where the event was not held.
    fn release(&mut self, event_id: &str) -> StoreResult<bool>;

    /// A small fact of ours, such as "has held 100 hearings".
    fn fact(&mut self, key: &str) -> StoreResult<Option<String>>;
    fn set_fact(&mut self, key: &str, value: &str) -> StoreResult<()>;
    /// Harmless where there is no such fact.
    fn forget_fact(&mut self, key: &str) -> StoreResult<()>;
}

/// What the checks need. Reads only.
pub trait Health {
    fn path(&self) -> &Path;
    /// `ReadOnly` where a handle that may write has a file that cannot be written.
    fn expect_writable(&self) -> StoreResult<()>;
    /// Tables of the original schema that are missing.
    fn missing_tables(&mut self) -> StoreResult<Vec<String>>;
    /// name -> rows, for every table that is there (ours aside).
    fn table_counts(&mut self) -> StoreResult<Vec<(String, i64)>>;
    /// The highest row id that `hearings` ever gave out (`sqlite_sequence`, else the largest one).
    fn highest_hearing_id(&mut self) -> StoreResult<i64>;
    fn hearing_count(&mut self) -> StoreResult<i64>;
    /// Foreign keys, integrity (`quick_check`), duplicates, orphans, counts.
    fn soundness(&mut self) -> StoreResult<Soundness>;
    /// The online backup, in steps between which `interrupted` is asked; -> the file written.
    fn back_up(&mut self, folder: &Path, interrupted: &dyn Fn() -> bool) -> StoreResult<PathBuf>;
    /// Folds a WAL back into the file at the end of a run; no-op in other journal modes.
    fn checkpoint_wal(&mut self) -> StoreResult<()>;
}

/// What a health check asks for beside. Reads only.
pub trait Vitals {
    /// The damage that `quick_check`, or with `full` `integrity_check`, finds; a file that is too damaged
    /// to be checked is one, too. Rows against a rule of their table are `soundness`'s. Empty: sound.
    fn integrity(&mut self, full: bool) -> StoreResult<Vec<String>>;
    /// What the first write would add to an older database, by name; `Err` where it is no hearings
    /// database.
    fn to_add(&mut self) -> StoreResult<Vec<String>>;
    /// The newest runs, newest first: ours, and what an older updater left in `update_logs`.
    fn last_runs(&mut self, newest: usize) -> StoreResult<Vec<LastRun>>;
}

/// What a person asks of a database after its updates.
pub trait Verify {
    /// Reads only, databases of every shape.
    fn survey(&mut self) -> StoreResult<Survey>;
    /// Table -> every row of it, in a fixed order; our own tables only with `ours`. For tests.
    fn dump(&mut self, ours: bool) -> StoreResult<Vec<(String, Vec<Row>)>>;
    /// Removes rows that lead nowhere (links, appearances, documents of what is gone) and links that are
    /// there twice. Needs an open transaction, in which it is journaled. Hearings that lost such a row are
    /// deferred, so that the next run fills the gap.
    fn mend(&mut self) -> StoreResult<Mended>;
}
