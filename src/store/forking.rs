//! Forks. A child has a copy of the memory, and of all threads only the one that forked: a mutex that
//! another one held at that moment stays locked in the child for ever, and what it was about to change
//! stays half changed. So a fork waits for a moment in which no thread is at work in the store, and holds
//! the mutexes across it; and the child parts at once with the locks that it shares with its parent, or
//! they would outlive a parent that is killed.

#![allow(unsafe_code)]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::handle::registry;
use super::{run_lock, sqlite};

/// So long a fork waits. A piece of work that takes longer (a backup) is none that a child would have to
/// wait for: what it holds throughout is no mutex.
const LIMIT: Duration = Duration::from_millis(100);

/// How many threads are at work in the store.
static AT_WORK: Mutex<usize> = Mutex::new(0);
static LEFT: Condvar = Condvar::new();
/// Of other modules: each takes a mutex of its own.
static HOLDERS: Mutex<Vec<Holder>> = Mutex::new(Vec::new());

/// Takes a mutex that is held across a fork; `None` where it cannot be had soon.
pub type Holder = fn() -> Option<Box<dyn Any>>;

thread_local! {
    /// How deep this thread is inside the store.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// While this thread forks.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

struct Held {
    at_work: MutexGuard<'static, usize>,
    registry: Option<registry::Held>,
    others: Vec<Box<dyn Any>>,
}

/// This thread is at work in the store, until this is dropped.
pub struct Inside(PhantomData<*const ()>);

/// Waits while another thread forks.
pub fn inside() -> Inside {
    let before = DEPTH.get();
    DEPTH.set(before + 1);
    if before == 0 {
        *lock() += 1;
    }
    Inside(PhantomData)
}

impl Drop for Inside {
    fn drop(&mut self) {
        let depth = DEPTH.get() - 1;
        DEPTH.set(depth);
        if depth == 0 {
            *lock() -= 1;
            LEFT.notify_all();
        }
    }
}

fn lock() -> MutexGuard<'static, usize> {
    AT_WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn own() -> usize {
    usize::from(DEPTH.get() > 0)
}

/// The mutex, if it can be had soon.
pub fn soon<T>(mutex: &'static Mutex<T>) -> Option<MutexGuard<'static, T>> {
    let started = Instant::now();
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if started.elapsed() < LIMIT => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => return None,
        }
    }
}

/// Sees to the forks of this process, whoever forks. `holders`: what else to hold meanwhile.
pub fn install(holders: &[Holder]) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        HOLDERS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(holders);
        // SAFETY: the functions live as long as the process (an extension module is never unloaded).
        // The C library calls them on the thread that forks, right before and right after.
        unsafe { libc::pthread_atfork(Some(prepare), Some(in_parent), Some(in_child)) };
    });
}

extern "C" fn prepare() {
    let own = own();
    let (at_work, _) = LEFT
        .wait_timeout_while(lock(), LIMIT, |at_work| *at_work > own)
        .unwrap_or_else(PoisonError::into_inner);
    let registry = registry::hold();
    let mut others: Vec<_> = match soon(&HOLDERS) {
        Some(holders) => holders.iter().filter_map(|hold| hold()).collect(),
        None => Vec::new(),
    };
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    others.extend(sqlite::hold());
    HELD.set(Some(Held {
        at_work,
        registry,
        others,
    }));
}

extern "C" fn in_parent() {
    drop(HELD.take());
}

extern "C" fn in_child() {
    let Some(mut held) = HELD.take() else { return };
    *held.at_work = own();
    let databases = held.registry.as_ref().map(registry::Held::paths);
    drop(held.others);
    drop(held.registry);
    drop(held.at_work);
    let databases = databases.unwrap_or_default();
    if databases.is_empty() && !run_lock::any() {
        return;
    }
    sqlite::part_with_parent(|path: &Path| {
        run_lock::is_lock_file(path)
            || databases
                .iter()
                .any(|database| sqlite::is_of(path, database))
    });
}
