//! What crosses the store's border.

use std::sync::Arc;

use crate::domain::{Chamber, Meeting};

/// A value as SQLite keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// A row with its column names, in the table's (or statement's) order.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub columns: Arc<[String]>,
    pub values: Vec<SqlValue>,
}

impl Row {
    /// The value of a column, by name (ASCII case ignored).
    pub fn get(&self, column: &str) -> Option<&SqlValue> {
        let at = self
            .columns
            .iter()
            .position(|c| c.eq_ignore_ascii_case(column))?;
        self.values.get(at)
    }
}

/// What a statement gave back.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub columns: Option<Arc<[String]>>,
    pub rows: Vec<Vec<SqlValue>>,
    /// Rows changed; -1 for a statement that changes none (as `sqlite3.Cursor.rowcount`).
    pub rowcount: i64,
    pub last_insert_id: i64,
}

/// Positional or named parameters of a foreign statement.
#[derive(Debug, Clone)]
pub enum SqlParams {
    Positional(Vec<SqlValue>),
    Named(Vec<(String, SqlValue)>),
}

pub type RunId = i64;
pub type BatchId = i64;

/// What a transaction is for; stored in `updater_batches.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchKind {
    /// A batch of the batched mode.
    #[default]
    Batch,
    /// The one pass of the plain mode.
    Plain,
    /// Valid records of a failed batch (`BATCH_SALVAGE`).
    Salvage,
    /// `_update_related_data`.
    Related,
    /// The committees of a full run, before its meetings.
    Committees,
    /// `update_date`s that moved while nothing else did.
    Dates,
    /// The undoing of earlier batches.
    Undo,
    /// SQL of a caller, outside any batch.
    Manual,
    /// Rows that led nowhere, removed by `scripts.verify_updates --fix`.
    Mend,
    /// Our own bookkeeping only (deferred events, runs): no batch row is kept when nothing was journaled.
    Bookkeeping,
}

impl BatchKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Plain => "plain",
            Self::Salvage => "salvage",
            Self::Related => "related",
            Self::Committees => "committees",
            Self::Dates => "dates",
            Self::Undo => "undo",
            Self::Manual => "manual",
            Self::Mend => "mend",
            Self::Bookkeeping => "bookkeeping",
        }
    }
}

/// The head of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHead {
    pub run: Option<RunId>,
    /// As logged ("Batch 3/10"); 0 outside the batched mode.
    pub number: i64,
    pub kind: BatchKind,
}

impl BatchHead {
    /// Such as "batch 2", where tests order faults.
    pub fn label(self) -> String {
        format!("{} {}", self.kind.as_str(), self.number)
    }
}

/// A hearing with everything of it that the diff compares.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredMeeting {
    pub hearing_id: i64,
    pub event_id: String,
    pub congress: Option<i64>,
    pub chamber: Option<String>,
    pub title: Option<String>,
    pub hearing_type: Option<String>,
    pub status: Option<String>,
    /// `hearing_date`, else `hearing_date_only`.
    pub date: Option<String>,
    pub time: Option<String>,
    pub location: Option<String>,
    pub video_url: Option<String>,
    pub youtube_video_id: Option<String>,
    pub video_type: Option<String>,
    pub jacket_number: Option<String>,
    pub url: Option<String>,
    pub congress_gov_url: Option<String>,
    pub update_date: Option<String>,
    pub committees: Vec<StoredCommitteeLink>,
    pub witnesses: Vec<StoredWitness>,
    pub witness_documents: Vec<StoredWitnessDocument>,
    /// Kept in `updater_unmatched_documents`.
    pub unmatched_documents: Vec<StoredWitnessDocument>,
    pub supporting_documents: Vec<StoredDocument>,
    pub transcripts: Vec<StoredTranscript>,
    pub bills: Vec<StoredBill>,
}

impl StoredMeeting {
    /// The public page: as stored, else built from congress, chamber and event id.
    pub fn page(&self) -> Option<String> {
        let stored = self.congress_gov_url.as_deref().map(str::trim);
        if let Some(page) = stored.filter(|page| !page.is_empty()) {
            return Some(page.to_owned());
        }
        let meeting = Meeting {
            event_id: self.event_id.clone(),
            congress: self.congress,
            chamber: self.chamber.as_deref().and_then(Chamber::parse),
            ..Meeting::default()
        };
        meeting.congress_gov_url()
    }
}

/// A committee as it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitteeName {
    pub system_code: String,
    pub name: String,
    pub chamber: String,
    /// System code of the committee whose subcommittee it is.
    pub parent: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCommitteeLink {
    pub committee_id: i64,
    pub system_code: String,
    pub is_primary: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWitness {
    pub appearance_id: i64,
    pub witness_id: i64,
    pub full_name: String,
    pub organization: Option<String>,
    pub position: Option<String>,
    pub order: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWitnessDocument {
    /// `None` for an unmatched one.
    pub appearance_id: Option<i64>,
    pub document_type: String,
    pub format: Option<String>,
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    pub document_id: i64,
    pub document_type: String,
    pub title: Option<String>,
    pub description: Option<String>,
    pub format: Option<String>,
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTranscript {
    pub transcript_id: i64,
    pub jacket_number: Option<String>,
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBill {
    pub congress: i64,
    pub bill_type: String,
    pub number: i64,
}

/// What writing one meeting did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    pub hearing_id: i64,
    pub added: bool,
    /// Something of an existing hearing (row or related rows) really changed.
    pub changed: bool,
    pub witnesses_added: Vec<i64>,
    pub appearances_added: Vec<i64>,
    /// Witness documents.
    pub documents_added: Vec<i64>,
    /// Witnesses added, changed or linked, and committees linked or unlinked, for the counters.
    pub witnesses_touched: usize,
    pub committees_touched: usize,
}

/// How related rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Related {
    /// A non-empty list replaces what is stored.
    Replace,
    /// Only what is missing is added (`_update_related_data`).
    FillGaps,
}

/// A deferred event (`updater_deferred`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    pub event_id: String,
    pub congress: Option<i64>,
    /// As in the API's paths; `None` where unknown.
    pub chamber: Option<String>,
    pub reason: String,
    pub kind: DeferKind,
    /// Runs that tried and failed.
    pub tries: i64,
    /// Consecutive runs that were answered 404.
    pub not_found: i64,
    /// UTC, `2025-07-28 22:08:17`.
    pub first_seen: String,
    pub last_tried: String,
}

/// Why an event was deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeferKind {
    Fetch,
    NotFound,
    Batch,
    Record,
}

impl DeferKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::NotFound => "not_found",
            Self::Batch => "batch",
            Self::Record => "record",
        }
    }
}

/// An event that a person rolled back on purpose (`updater_held`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub event_id: String,
    /// The upstream `updateDate` that was undone: held until it moves past this. `None`: until released.
    pub update_date: Option<String>,
    pub held_at: String,
    pub run: Option<RunId>,
}

/// What is to be undone, and how to meet rows that changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoPolicy {
    /// Name the rows that were changed again, and undo nothing.
    AllOrNothing,
    /// Leave those rows, undo the rest.
    Force,
}

/// The outcome of an undo.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UndoReport {
    pub undone: bool,
    pub rows_restored: usize,
    /// Rows that were changed again since ("hearings 1346 (event 118296): changed again by ...").
    pub conflicts: Vec<String>,
    /// Rows that stay because something outside still uses them ("witnesses 17 'Jane Roe': used by ...").
    pub kept: Vec<String>,
    /// Ids of a hand-made checkpoint that do not exist, and the like.
    pub warnings: Vec<String>,
    /// Hearings touched: event id, and the upstream update date that the undone state had.
    pub events: Vec<(String, Option<String>)>,
    pub batches: Vec<BatchId>,
}

/// A checkpoint made by hand: ids and dicts only, no journal behind it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HandMade {
    /// Event id -> column -> value.
    pub originals: Vec<(String, Vec<(String, SqlValue)>)>,
    /// Event ids.
    pub updated: Vec<String>,
    /// Event ids.
    pub added: Vec<String>,
    pub witnesses_added: Vec<i64>,
    pub documents_added: Vec<i64>,
}

/// A field that a batch changed (`hearing-updater history`).
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// UTC.
    pub at: String,
    pub run: Option<RunId>,
    /// The batch's number in its run, as `rollback --batch` takes it; `None` outside the batched mode.
    pub batch: Option<i64>,
    pub kind: String,
    /// `hearings`, `hearing_committees`, `witness_appearances`, ...
    pub table: String,
    /// `added`, `changed`, `removed`.
    pub action: &'static str,
    /// Readable key of the row ("witness Jane Roe"); empty for the hearing itself.
    pub row: String,
    /// Empty for a whole row added or removed.
    pub field: String,
    pub before: SqlValue,
    pub after: SqlValue,
}

/// A `FieldChange` with the hearing that it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct HearingChange {
    pub hearing_id: i64,
    /// Also of a hearing that is gone, where the journal saw it; so is the title.
    pub event_id: Option<String>,
    pub title: Option<String>,
    /// The changed row's id in its table; of a link to a committee, the committee's.
    pub row_id: Option<i64>,
    pub change: FieldChange,
}

/// What `verify` compares before and after a run. Each list holds readable, stable descriptions of
/// single findings (such as a row whose hearing is missing), so that the two can be subtracted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Soundness {
    pub foreign_keys: Vec<String>,
    pub integrity: Vec<String>,
    pub duplicates: Vec<String>,
    pub invalid_values: Vec<String>,
    pub hearings: i64,
    pub committees: i64,
    pub witnesses: i64,
    pub appearances: i64,
    pub links: i64,
    pub orphans: Vec<String>,
}

/// Two database files, row by row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    pub tables: usize,
    /// Of the file that has more of them, table by table.
    pub rows: usize,
    pub differences: Vec<RowDifference>,
}

/// A row that only one file has, or that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowDifference {
    pub table: String,
    /// The row id.
    pub row: String,
    /// `added`, `removed`, `changed`.
    pub what: &'static str,
    /// What of it changed.
    pub columns: Vec<String>,
}
