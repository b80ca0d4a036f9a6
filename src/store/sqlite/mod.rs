//! The SQLite store.

mod backup;
mod bills;
mod changes_since;
mod classify;
mod committees;
mod compare;
mod copy;
mod db;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod descriptors;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "descriptors_elsewhere.rs"]
mod descriptors;
mod documents;
mod dump;
mod figures;
mod files;
mod foreign;
mod guard;
mod health;
mod hearings;
mod hearings_read;
mod hearings_write;
mod history;
mod history_names;
mod init;
mod integrity;
mod journal;
mod journal_entries;
mod journal_image;
mod journal_store;
mod ledger;
mod ledger_runs;
mod legacy;
mod locks;
mod memo;
mod mend;
mod migrate;
mod open;
mod opened;
mod restore;
mod survey;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod syscalls;
mod tables;
mod transactions;
mod under_way;
mod undo;
mod undo_by_hand;
mod undo_checks;
mod undo_rows;
mod vitals;
mod witness_documents;
mod witness_kind;
mod witnesses;

#[cfg(test)]
mod figures_tests;
#[cfg(test)]
mod hearings_tests;
#[cfg(test)]
mod ledger_tests;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
pub(in crate::store) mod testing;
#[cfg(test)]
mod undo_tests;
#[cfg(test)]
mod vitals_tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::{Access, BatchHead};

pub use backup::prune_backups;
pub use compare::compare;
pub use copy::copy;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(in crate::store) use descriptors::hold;
pub use init::init;
pub(in crate::store) use init::io_error;
pub use legacy::make_legacy;
pub(in crate::store) use locks::{after_fork, is_of, part_with_parent};
pub(in crate::store) use open::{BUSY, Identity, look_at};
pub use restore::{RestoreReport, restore};

use guard::Guard;
use opened::Opened;

/// One open database file.
pub struct SqliteStore {
    conn: rusqlite::Connection,
    path: PathBuf,
    access: Access,
    /// The file that was opened, to notice when another one takes its place.
    opened: Opened,
    /// The journal batch that the triggers write under; 0 while none is open. Shared with the SQL
    /// function `updater_batch()` that the TEMP triggers call.
    batch: Arc<AtomicI64>,
    head: Option<BatchHead>,
    /// The newest journal entry when the transaction began.
    entry_mark: i64,
    savepoint_open: bool,
    /// `PRAGMA schema_version` for which nothing is left to bring up.
    brought_up: Option<i64>,
    /// `PRAGMA schema_version` for which the journal's triggers were made.
    triggers_for: Option<i64>,
    /// The open transaction changed the schema: its rollback takes the remade triggers along.
    schema_touched: bool,
    /// What the authorizer asks about callers' statements.
    guard: Guard,
    /// The connection could not roll back; only closing it ends the transaction.
    broken: bool,
    /// Columns of the tables, and what else is worth remembering.
    memo: memo::Memo,
    /// Committed since `take_committed` was last called.
    committed: Vec<super::BatchId>,
    on_close: OnClose,
}

/// What becomes of a WAL when the connection to it is closed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnClose {
    FoldWal,
    /// It was there when the file was opened to be read.
    KeepWal,
}

/// The path of a file beside the database, such as its `-wal`.
fn beside(path: &std::path::Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
