//! Which files this process has open.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::shared::Shared;
use crate::store::StoreResult;
use crate::store::sqlite::{Identity, look_at};

static OPEN: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

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
