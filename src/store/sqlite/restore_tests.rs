use rusqlite::Connection;

use super::super::SqliteStore;
use super::super::testing::{fill, legacy_db};
use super::*;
use crate::store::{Access, Health, open};

struct Scene {
    dir: tempfile::TempDir,
    path: PathBuf,
    backup: PathBuf,
}

/// A database of three hearings, backed up, then emptied.
fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    let mut store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
    let backup = store
        .back_up(&dir.path().join("backups"), &|| false)
        .unwrap();
    drop(store);
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "DELETE FROM witness_documents; DELETE FROM witness_appearances;
         DELETE FROM hearing_committees; DELETE FROM hearings;",
    )
    .unwrap();
    Scene { dir, path, backup }
}

fn hearings(path: &Path) -> i64 {
    Connection::open(path)
        .unwrap()
        .query_row("SELECT COUNT(*) FROM hearings", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn the_newest_backup_is_put_back_and_a_stale_wal_removed() {
    let Scene { dir, path, backup } = scene();
    std::fs::write(beside(&path, "-wal"), "left by a crash").unwrap();
    std::fs::write(beside(&path, "-journal"), "").unwrap();
    let report = restore(&path, None).unwrap();
    assert_eq!(report.backup, backup);
    assert_eq!((report.hearings, report.replaced), (3, true));
    assert_eq!(hearings(&path), 3);
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["backups", "legacy.db"]);
}

#[test]
fn permissions_and_journal_mode_stay_those_of_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let Scene {
        dir: _dir,
        path,
        backup,
    } = scene();
    let mode_of = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let journal_mode = || {
        let conn = Connection::open(&path).unwrap();
        conn.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    chmod(&backup, 0o444);
    chmod(&path, 0o664);
    restore(&path, Some(&backup)).unwrap();
    assert_eq!((mode_of(&path), journal_mode()), (0o664, "delete".into()));
    Connection::open(&path)
        .unwrap()
        .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
        .unwrap();
    restore(&path, Some(&backup)).unwrap();
    assert_eq!((mode_of(&path), journal_mode()), (0o664, "wal".into()));
    assert_eq!(hearings(&path), 3);
    assert_eq!(mode_of(&backup), 0o444);
}

#[test]
fn a_corrupt_or_missing_database_is_no_obstacle() {
    let Scene {
        dir: _dir,
        path,
        backup,
    } = scene();
    std::fs::write(&path, "garbage".repeat(1000)).unwrap();
    restore(&path, Some(&backup)).unwrap();
    assert_eq!(hearings(&path), 3);
    std::fs::remove_file(&path).unwrap();
    assert!(!restore(&path, Some(&backup)).unwrap().replaced);
    assert_eq!(hearings(&path), 3);
}

#[test]
fn a_bad_backup_leaves_the_database_as_it_is() {
    let Scene { dir, path, backup } = scene();
    let before = std::fs::read(&path).unwrap();
    let bad = dir.path().join("bad.db");
    let refusal = || match restore(&path, Some(&bad)) {
        Err(StoreError::BadBackup { detail, .. }) => detail,
        other => panic!("{other:?}"),
    };
    assert!(refusal().contains("no such file"));
    std::fs::write(&bad, "").unwrap();
    assert!(refusal().contains("empty"));
    std::fs::write(&bad, "no database at all, only many words".repeat(100)).unwrap();
    assert!(refusal().contains("not a SQLite database"));
    let whole = std::fs::read(&backup).unwrap();
    std::fs::write(&bad, &whole[..whole.len() / 2]).unwrap();
    assert!(refusal().contains("damaged"));
    std::fs::remove_file(&bad).unwrap();
    Connection::open(&bad)
        .unwrap()
        .execute_batch("CREATE TABLE x (y)")
        .unwrap();
    assert!(refusal().contains("without hearings, committees"));
    assert!(restore(&path, Some(&path)).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(
        std::fs::read_dir(dir.path())
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .contains("restore")
            })
            .count(),
        0
    );
}

#[test]
fn a_handle_that_was_open_reads_what_was_put_back() {
    let Scene {
        dir: _dir,
        path,
        backup,
    } = scene();
    let handle = open(&path, Access::ReadWrite).unwrap();
    let patience = Patience {
        limit: Duration::from_secs(5),
        interrupted: &|| false,
    };
    let count = || {
        handle
            .with(&patience, |store| store.table_counts())
            .unwrap()
            .into_iter()
            .find(|(name, _)| name == "hearings")
            .unwrap()
            .1
    };
    assert_eq!(count(), 0);
    restore(&path, Some(&backup)).unwrap();
    assert_eq!(count(), 3);
}

#[test]
fn no_restore_while_an_update_is_running() {
    let Scene {
        dir: _dir, path, ..
    } = scene();
    let _lock = RunLock::acquire(&path, "daily update").unwrap();
    assert!(matches!(
        restore(&path, None),
        Err(StoreError::Running { .. })
    ));
}
