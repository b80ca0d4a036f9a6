//! Which files this process has open.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::shared::Shared;
use crate::store::sqlite::{Identity, look_at};
use crate::store::{StoreResult, forking};

static OPEN: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// The list, held still.
pub(in crate::store) struct Held(MutexGuard<'static, Vec<Weak<Shared>>>);

/// For a fork; `None` where the list is in use for longer.
pub(in crate::store) fn hold() -> Option<Held> {
    forking::soon(&OPEN).map(Held)
}

impl Held {
    /// The files that this process has open.
    pub(in crate::store) fn paths(&self) -> Vec<PathBuf> {
        let open = self.0.iter().filter_map(Weak::upgrade);
        open.map(|shared| shared.resolved().to_path_buf()).collect()
    }
}

/// The one connection's place for a file: by path, and, for a file with several names, by inode.
pub(super) fn find_or_add(path: &Path) -> StoreResult<Arc<Shared>> {
    look_at(path)?;
    let resolved = resolve(path);
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|entry| entry.strong_count() > 0);
    if let Some(shared) = search(&open, &resolved) {
        return Ok(shared);
    }
    let shared = Arc::new(Shared::new(path.to_path_buf(), resolved));
    open.push(Arc::downgrade(&shared));
    Ok(shared)
}

pub(super) fn find(path: &Path) -> Option<Arc<Shared>> {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    search(&open, &resolve(path))
}

fn search(open: &[Weak<Shared>], resolved: &Path) -> Option<Arc<Shared>> {
    let known = || open.iter().filter_map(Weak::upgrade);
    known()
        .find(|shared| shared.resolved() == resolved)
        .or_else(|| {
            let identity = Identity::of(resolved)?;
            known().find(|shared| Identity::of(shared.resolved()) == Some(identity))
        })
}

fn resolve(path: &Path) -> PathBuf {
    std::fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_path_buf())
}
