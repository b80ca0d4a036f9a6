//! One connection to a file, shared by everything in this process that uses the file.
//!
//! SQLite's POSIX locks belong to the process, and our own lock shim (see `sqlite::locks`) makes them
//! belong to the connection; both only work out with one connection to a file in this library, kept
//! open until it is closed on purpose. A thread that opens a transaction owns the store until it ends:
//! other threads wait.

use std::path::Path;
use std::time::Duration;

use super::{BatchHead, BatchId, Store, StoreResult};

/// How a database is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Brought up at the first write.
    ReadWrite,
    /// Nothing at all is written (dry runs, reports).
    ReadOnly,
}

/// How long to wait for another program's lock, and who may end the wait.
pub struct Patience<'a> {
    pub limit: Duration,
    /// Asked about twenty times a second while waiting, never with the store locked.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// A cloneable handle on a database. Clones and other handles on the same file share one connection.
#[derive(Clone)]
pub struct Handle;

/// Opens a database that exists; creates nothing. Errors: `Missing`, `Empty`, `NotADatabase`, ...
pub fn open(path: &Path, access: Access) -> StoreResult<Handle> {
    todo!("{path:?} {access:?}")
}

impl Handle {
    /// Runs `f` with the store. Waits while another thread is inside a transaction.
    pub fn with<R>(
        &self,
        patience: &Patience<'_>,
        f: impl FnOnce(&mut dyn Store) -> StoreResult<R>,
    ) -> StoreResult<R> {
        let _ = (patience, f);
        todo!()
    }

    /// Brings the database up where needed, then opens a transaction owned by this thread, waiting for
    /// other programs in slices.
    pub fn begin(&self, head: BatchHead, patience: &Patience<'_>) -> StoreResult<BatchId> {
        let _ = (head, patience);
        todo!()
    }

    pub fn commit(&self, patience: &Patience<'_>) -> StoreResult<Option<BatchId>> {
        let _ = patience;
        todo!()
    }

    /// Ends this thread's transaction, if it has one.
    pub fn roll_back(&self) {
        todo!()
    }

    /// Whether this thread owns an open transaction.
    pub fn in_transaction(&self) -> bool {
        todo!()
    }

    /// Closes the connection (when no other handle is open on the file); the next use opens it again.
    pub fn close(&self) {
        todo!()
    }
}
