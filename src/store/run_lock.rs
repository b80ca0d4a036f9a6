//! One run at a time on one database: a lock file beside it, locked with `flock`, so that a killed
//! process leaves no lock behind.

use std::path::Path;

use super::StoreResult;

/// Who holds the lock, as written into the lock file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LockHolder {
    pub pid: u32,
    pub host: String,
    /// Naive local time.
    pub since: String,
    /// "daily update", "rollback", "restore", ...
    pub what: String,
}

/// Held until dropped.
#[derive(Debug)]
pub struct RunLock;

impl RunLock {
    /// Takes the lock at once, or says who holds it (`StoreError::Running`).
    pub fn acquire(database: &Path, what: &str) -> StoreResult<Self> {
        todo!("{database:?} {what}")
    }

    /// Who holds it now, without taking it.
    pub fn holder(database: &Path) -> StoreResult<Option<LockHolder>> {
        todo!("{database:?}")
    }
}
