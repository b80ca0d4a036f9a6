//! A copy of a database to work on, taken by SQLite's online backup: whole, also while it is in use.

use std::path::Path;

use super::classify::classify;
use super::files::{connect_to_make, make_like};
use super::init::io_error;
use super::{SqliteStore, beside};
use crate::store::{Access, StoreError, StoreResult};

/// Copies `source` to `target`, which must not be there. The copy is one file in the source's own
/// journal mode, so that what is measured on it holds for the original; the original is only read.
pub fn copy(source: &Path, target: &Path, interrupted: &dyn Fn() -> bool) -> StoreResult<()> {
    // A link that leads nowhere is somebody's, too.
    if target.symlink_metadata().is_ok() {
        return Err(StoreError::Io {
            path: target.to_path_buf(),
            detail: "exists already; it was left as it is".to_owned(),
        });
    }
    let outcome = take(source, target, interrupted);
    if outcome.is_err() {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = std::fs::remove_file(beside(target, suffix));
        }
    }
    outcome
}

fn take(source: &Path, target: &Path, interrupted: &dyn Fn() -> bool) -> StoreResult<()> {
    let store = SqliteStore::open(source, Access::ReadOnly)?;
    make_like(source, target).map_err(|error| io_error(target, &error))?;
    store.copy_to(target, interrupted)?;
    let mode: String = store
        .conn
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(|error| classify(error, source, "asking for the journal mode"))?;
    if mode.eq_ignore_ascii_case("wal") {
        let fails = |error| classify(error, target, "copying the database");
        let conn = connect_to_make(target).map_err(fails)?;
        conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
            .map_err(fails)?;
        conn.close().map_err(|(_, error)| fails(error))?;
    }
    std::fs::File::open(target)
        .and_then(|file| file.sync_all())
        .map_err(|error| io_error(target, &error))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::testing::{fill, legacy_db, new_db};
    use super::*;

    fn mode(path: &Path) -> String {
        let conn = Connection::open(path).unwrap();
        conn.query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn the_copy_is_one_file_in_the_same_journal_mode() {
        let dir = tempfile::tempdir().unwrap();
        for (source, expected) in [
            (new_db(dir.path()), "wal"),
            (legacy_db(dir.path()), "delete"),
        ] {
            fill(&source);
            let target = source.with_extension("copy");
            copy(&source, &target, &|| false).unwrap();
            assert!(!beside(&target, "-wal").exists());
            assert_eq!(mode(&target), expected);
            let same = super::super::compare(&source, &target, &[]).unwrap();
            assert_eq!(same.differences, []);
        }
    }

    #[test]
    fn what_is_there_is_left_and_an_interrupted_copy_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let source = new_db(dir.path());
        let target = dir.path().join("copy.db");
        std::fs::write(&target, "mine").unwrap();
        assert!(copy(&source, &target, &|| false).is_err());
        assert_eq!(std::fs::read(&target).unwrap(), b"mine");
        std::fs::remove_file(&target).unwrap();
        assert!(matches!(
            copy(&source, &target, &|| true),
            Err(StoreError::Interrupted)
        ));
        assert!(!target.exists());
    }
}
