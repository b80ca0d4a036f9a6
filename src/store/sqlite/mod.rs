//! The SQLite store.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::{Access, BatchHead};

/// One open database file.
pub struct SqliteStore {
    conn: rusqlite::Connection,
    path: PathBuf,
    access: Access,
    /// The journal batch that the triggers write under; 0 while none is open. Shared with the SQL
    /// function `updater_batch()` that the TEMP triggers call.
    batch: Arc<AtomicI64>,
    head: Option<BatchHead>,
}
