//! The place where a file's connection is kept, and who may take it out.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use super::{Access, Patience, SLICE};
use crate::store::sqlite::{BUSY, Identity, SqliteStore, after_fork};
use crate::store::{StoreError, StoreResult, Transactions, forking};

thread_local! {
    /// Dropped with its thread: tells a thread that ended inside a transaction from a slow one.
    static ALIVE: RefCell<Arc<()>> = RefCell::new(Arc::new(()));
    static NUMBER: u64 = NUMBERS.fetch_add(1, Ordering::Relaxed);
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// This thread of this process: in a forked child it is another one. Never 0.
fn me() -> u64 {
    u64::from(std::process::id()) << 32 | NUMBER.with(|number| *number & u64::from(u32::MAX))
}

pub(super) struct Shared {
    /// As it was given, for messages and for opening.
    path: PathBuf,
    resolved: PathBuf,
    state: Mutex<State>,
    free: Condvar,
    /// Handles that have not been closed.
    users: AtomicUsize,
    /// The file that a run keeps to.
    kept: Mutex<Option<Identity>>,
    /// `me()` of the state's owner, else 0: to be read without a lock, which a forked child might find
    /// locked for ever.
    owned_by: AtomicU64,
}

struct State {
    /// `None` while it is taken out, and before it is opened.
    store: Option<Box<SqliteStore>>,
    taken_by: Option<ThreadId>,
    /// The thread whose transaction is open.
    owner: Option<(ThreadId, Weak<()>)>,
    /// The process that opened the connection. After a fork the child must not touch it.
    pid: u32,
}

impl Shared {
    pub(super) fn new(path: PathBuf, resolved: PathBuf) -> Self {
        Self {
            path,
            resolved,
            state: Mutex::new(State {
                store: None,
                taken_by: None,
                owner: None,
                pid: std::process::id(),
            }),
            free: Condvar::new(),
            users: AtomicUsize::new(0),
            kept: Mutex::new(None),
            owned_by: AtomicU64::new(0),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn resolved(&self) -> &Path {
        &self.resolved
    }

    pub(super) fn keep_to_file(&self, keep: bool) {
        let file = Identity::of(&self.resolved).filter(|_| keep);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }

    fn expect_kept(&self) -> StoreResult<()> {
        let kept = *self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_some() && kept != Identity::of(&self.path) {
            return Err(StoreError::Replaced {
                path: self.path.clone(),
            });
        }
        Ok(())
    }

    pub(super) fn enter(&self) {
        self.users.fetch_add(1, Ordering::SeqCst);
    }

    /// -> how many users are left.
    pub(super) fn leave(&self) -> usize {
        self.users.fetch_sub(1, Ordering::SeqCst).saturating_sub(1)
    }

    pub(super) fn is_mine(&self) -> bool {
        self.owned_by.load(Ordering::SeqCst) == me()
    }

    pub(super) fn try_open(&self, access: Access) -> StoreResult<()> {
        self.take_now()?.ready(access).map(|_| ())
    }

    /// Closes the connection, unless a thread is using it or is inside a transaction.
    pub(super) fn close_idle(&self) {
        if let Ok(mut taken) = self.take_now()
            && !taken.store().is_some_and(|store| store.in_transaction())
        {
            taken.discard();
        }
    }

    /// Takes the store out if that is possible at once.
    pub(super) fn take_now(&self) -> StoreResult<Taken<'_>> {
        let inside = forking::inside();
        let mut state = self.lock();
        self.try_take(&mut state, inside)?
            .ok_or_else(|| self.busy(Duration::ZERO))
    }

    /// Takes the store out, waiting for other threads in slices.
    pub(super) fn take(
        &self,
        patience: &Patience<'_>,
        slice: Option<Duration>,
    ) -> StoreResult<Taken<'_>> {
        let started = Instant::now();
        loop {
            let inside = forking::inside();
            let mut state = self.lock();
            if let Some(taken) = self.try_take(&mut state, inside)? {
                return Ok(taken);
            }
            let slice = slice.unwrap_or(SLICE);
            let (state, _) = self
                .free
                .wait_timeout(state, slice)
                .unwrap_or_else(PoisonError::into_inner);
            drop(state);
            if (patience.interrupted)() {
                return Err(StoreError::Interrupted);
            }
            if started.elapsed() >= patience.limit {
                return Err(self.busy(started.elapsed()));
            }
        }
    }

    fn try_take<'a>(
        &'a self,
        state: &mut State,
        inside: forking::Inside,
    ) -> StoreResult<Option<Taken<'a>>> {
        let me = std::thread::current().id();
        if state.pid != std::process::id() {
            // Forked: the connection is the parent's. Closing it would take the parent's locks along.
            std::mem::forget(state.store.take());
            after_fork(&self.path);
            state.taken_by = None;
            state.owner = None;
            self.owned_by.store(0, Ordering::SeqCst);
            state.pid = std::process::id();
        }
        if let Some(by) = state.taken_by {
            if by == me {
                return Err(StoreError::Sql {
                    message: "the store is in use further up on this thread".to_owned(),
                });
            }
            return Ok(None);
        }
        if let Some((owner, alive)) = &state.owner
            && *owner != me
        {
            if alive.strong_count() > 0 {
                return Ok(None);
            }
            if let Some(store) = &mut state.store {
                store.roll_back();
            }
            state.owner = None;
            self.owned_by.store(0, Ordering::SeqCst);
        }
        state.taken_by = Some(me);
        Ok(Some(Taken {
            shared: self,
            store: state.store.take(),
            _inside: inside,
        }))
    }

    fn busy(&self, waited: Duration) -> StoreError {
        StoreError::Busy {
            path: self.path.clone(),
            waited_seconds: waited.as_secs_f64(),
        }
    }

    /// A panic elsewhere leaves nothing half-done in here: the state is set in single steps.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.pid != std::process::id() {
            std::mem::forget(state.store.take());
        }
    }
}

/// The store, taken out; put back when dropped, also by a panic.
pub(super) struct Taken<'a> {
    shared: &'a Shared,
    store: Option<Box<SqliteStore>>,
    _inside: forking::Inside,
}

impl Taken<'_> {
    /// The store as it is, if it is open.
    pub(super) fn store(&mut self) -> Option<&mut SqliteStore> {
        self.store.as_deref_mut()
    }

    /// The store, opened (anew, where the file is no longer the one that was opened) and set to what
    /// the handle may do.
    pub(super) fn ready(&mut self, access: Access) -> StoreResult<&mut SqliteStore> {
        let usable = self.store.as_ref().is_some_and(|store| {
            !store.is_broken() && (store.in_transaction() || store.is_current())
        });
        if !usable {
            self.store = None;
            self.shared.expect_kept()?;
            self.store = Some(Box::new(SqliteStore::open(&self.shared.path, access)?));
        }
        let Some(store) = self.store.as_deref_mut() else {
            return Err(StoreError::Closed {
                path: self.shared.path.clone(),
            });
        };
        store.set_access(access)?;
        store.set_wait(BUSY);
        Ok(store)
    }

    /// Closes the connection; the next use opens it again.
    pub(super) fn discard(&mut self) {
        self.store = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let open = self
            .store
            .as_ref()
            .is_some_and(|store| store.in_transaction());
        state.store = self.store.take();
        state.taken_by = None;
        state.owner = open.then(|| {
            let alive = ALIVE
                .try_with(|alive| Arc::downgrade(&alive.borrow()))
                .unwrap_or_default();
            (std::thread::current().id(), alive)
        });
        let owner = if open { me() } else { 0 };
        self.shared.owned_by.store(owner, Ordering::SeqCst);
        drop(state);
        self.shared.free.notify_all();
    }
}
