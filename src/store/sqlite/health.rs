//! Stand-in.
use std::path::{Path, PathBuf};

use super::SqliteStore;
use crate::store::{Health, Soundness, StoreResult};

impl Health for SqliteStore {
    fn path(&self) -> &Path {
        &self.path
    }
    fn missing_tables(&mut self) -> StoreResult<Vec<String>> {
        todo!()
    }
    fn table_counts(&mut self) -> StoreResult<Vec<(String, i64)>> {
        todo!()
    }
    fn soundness(&mut self) -> StoreResult<Soundness> {
        todo!()
    }
    fn back_up(&mut self, _: &Path, _: &dyn Fn() -> bool) -> StoreResult<PathBuf> {
        todo!()
    }
    fn checkpoint_wal(&mut self) -> StoreResult<()> {
        todo!()
    }
}
