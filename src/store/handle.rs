//! One connection to a file, shared by everything in this process that uses the file.
//!
//! SQLite's POSIX locks belong to the process, and our own lock shim (see `sqlite::locks`) makes them
//! belong to the connection; both only work out with one connection to a file in this library, kept
//! open until it is closed on purpose. A thread that opens a transaction owns the store until it ends:
//! other threads wait.
//!
//! Nobody holds a mutex while the store is used: who uses it takes it out, and puts it back.

pub(super) mod registry;
mod shared;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Answer, BatchHead, BatchId, SqlParams, Store, StoreError, StoreResult, Transactions};
use shared::{Shared, Taken};

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

/// Between two looks at a lock that another program or thread holds.
const SLICE: Duration = Duration::from_millis(50);

/// How long a read may wait inside SQLite: Ctrl-C has to work within a second.
const LONGEST_READ_WAIT: Duration = Duration::from_millis(700);

/// A cloneable handle on a database. Clones and other handles on the same file share one connection.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    access: Access,
    /// Counted among the connection's users.
    counted: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.counted.swap(false, Ordering::SeqCst) {
            self.shared.leave();
        }
    }
}

/// Opens a database that exists; creates nothing. Errors: `Missing`, `Empty`, `NotADatabase`, ...
pub fn open(path: &Path, access: Access) -> StoreResult<Handle> {
    let shared = registry::find_or_add(path)?;
    shared.enter();
    let handle = Handle {
        inner: Arc::new(Inner {
            shared,
            access,
            counted: AtomicBool::new(true),
        }),
    };
    // Finds out now what is wrong with the file; that another program or thread has it locked at this
    // moment is nothing wrong.
    match handle.inner.shared.try_open(access) {
        Ok(()) | Err(StoreError::Busy { .. }) => Ok(handle),
        Err(error) => Err(error),
    }
}

/// Closes the connection to a file that is about to be replaced, if this process has one.
pub(super) fn let_go(path: &Path, patience: &Patience<'_>) -> StoreResult<()> {
    match registry::find(path) {
        Some(shared) => {
            let mut taken = shared.take(patience, None)?;
            if taken.store().is_some_and(|store| store.in_transaction()) {
                return Err(StoreError::Busy {
                    path: path.to_path_buf(),
                    waited_seconds: 0.0,
                });
            }
            taken.discard();
            Ok(())
        }
        None => Ok(()),
    }
}

impl Handle {
    /// Runs `f` with the store. Waits while another thread is inside a transaction; but what `f` finds
    /// locked is waited for no longer than `LONGEST_READ_WAIT`.
    pub fn with<R>(
        &self,
        patience: &Patience<'_>,
        f: impl FnOnce(&mut dyn Store) -> StoreResult<R>,
    ) -> StoreResult<R> {
        let started = Instant::now();
        let mut taken = loop {
            let mut taken = self.take(patience)?;
            // A look at the file shows whether another program has it locked just now; inside a
            // transaction the lock is ours.
            match taken.ready(self.inner.access).and_then(|store| {
                if store.in_transaction() {
                    return Ok(0);
                }
                store.schema_version()
            }) {
                Ok(_) => break taken,
                Err(StoreError::Busy { .. }) => {
                    drop(taken);
                    self.pause(started, patience)?;
                }
                Err(error) => return Err(error),
            }
        };
        let store = taken.ready(self.inner.access)?;
        if store.in_transaction() {
            return f(store);
        }
        store.set_wait(patience.limit.min(LONGEST_READ_WAIT));
        let done = f(store);
        done.map_err(|error| {
            store.doubt(&error);
            what_is_missing(store, error)
        })
    }

    /// Brings the database up where needed, then opens a transaction owned by this thread, waiting for
    /// other programs in slices.
    pub fn begin(&self, head: BatchHead, patience: &Patience<'_>) -> StoreResult<BatchId> {
        let started = Instant::now();
        self.retry(started, patience, || {
            let mut taken = self.take(patience)?;
            let replaced = taken
                .store()
                .is_some_and(|store| !store.in_transaction() && !store.is_current());
            if replaced {
                taken.discard();
                return Err(StoreError::Replaced {
                    path: self.inner.shared.path().to_path_buf(),
                });
            }
            taken.ready(self.inner.access)?.begin(head)
        })
    }

    pub fn commit(&self, patience: &Patience<'_>) -> StoreResult<Option<BatchId>> {
        let started = Instant::now();
        let outcome = self.retry(started, patience, || {
            if !self.in_transaction() {
                return Err(StoreError::NoTransaction);
            }
            let mut taken = self.take(patience)?;
            taken.ready(self.inner.access)?.commit()
        });
        if outcome.is_err() {
            self.roll_back();
        }
        outcome
    }

    /// Ends this thread's transaction, if it has one.
    pub fn roll_back(&self) {
        if self.in_transaction()
            && let Ok(mut taken) = self.inner.shared.take_now()
            && let Some(store) = taken.store()
        {
            store.roll_back();
        }
    }

    /// Whether this thread owns an open transaction.
    pub fn in_transaction(&self) -> bool {
        self.inner.shared.is_mine()
    }

    /// A caller's own statement; one that writes outside a transaction waits for other programs as
    /// `begin` does.
    pub fn execute(
        &self,
        sql: &str,
        params: &SqlParams,
        patience: &Patience<'_>,
    ) -> StoreResult<Answer> {
        let started = Instant::now();
        self.retry(started, patience, || {
            let mut taken = self.take(patience)?;
            taken.ready(self.inner.access)?.execute(sql, params)
        })
    }

    /// For the length of a run: a file that comes in the place of this one is an error, rather than
    /// opened.
    pub fn keep_to_file(&self, keep: bool) {
        self.inner.shared.keep_to_file(keep);
    }

    /// The database's path, as it was given when it was first opened.
    pub fn path(&self) -> &Path {
        self.inner.shared.path()
    }

    /// Closes the connection (when no other handle is open on the file); the next use opens it again.
    pub fn close(&self) {
        self.roll_back();
        if self.inner.counted.swap(false, Ordering::SeqCst) && self.inner.shared.leave() == 0 {
            self.inner.shared.close_idle();
        }
    }

    fn take(&self, patience: &Patience<'_>) -> StoreResult<Taken<'_>> {
        if !self.inner.counted.swap(true, Ordering::SeqCst) {
            self.inner.shared.enter();
        }
        self.inner.shared.take(patience, Some(SLICE))
    }

    /// Runs `f` with the store, again and again while another program's lock is in its way: for reading,
    /// and for pieces of work that open a transaction of their own and can be done twice.
    pub fn with_retry<R>(
        &self,
        patience: &Patience<'_>,
        mut f: impl FnMut(&mut dyn Store) -> StoreResult<R>,
    ) -> StoreResult<R> {
        self.retry(Instant::now(), patience, || self.with(patience, &mut f))
    }

    /// Tries until it is not another program's lock that is in the way.
    fn retry<R>(
        &self,
        started: Instant,
        patience: &Patience<'_>,
        mut attempt: impl FnMut() -> StoreResult<R>,
    ) -> StoreResult<R> {
        loop {
            match attempt() {
                Err(StoreError::Busy { .. }) => self.pause(started, patience)?,
                other => return other,
            }
        }
    }

    /// One slice of waiting, or the end of patience.
    fn pause(&self, started: Instant, patience: &Patience<'_>) -> StoreResult<()> {
        if (patience.interrupted)() {
            return Err(StoreError::Interrupted);
        }
        let waited = started.elapsed();
        if waited >= patience.limit {
            return Err(StoreError::Busy {
                path: self.inner.shared.path().to_path_buf(),
                waited_seconds: waited.as_secs_f64(),
            });
        }
        std::thread::sleep(SLICE.min(patience.limit.saturating_sub(waited)));
        Ok(())
    }
}

/// "no such table" of a file that was overwritten by another one tells nobody what happened.
fn what_is_missing(store: &mut dyn Store, error: StoreError) -> StoreError {
    match error {
        StoreError::Sql { .. } => match store.missing_tables() {
            Ok(tables) if !tables.is_empty() => StoreError::WrongTables {
                path: store.path().to_path_buf(),
                tables,
            },
            _ => error,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests;
