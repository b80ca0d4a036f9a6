//! Putting a backup back: into a fresh file that takes the database's place.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::classify::classify;
use super::init::{file_name, folder_of, io_error, sync_folder};
use super::{backup, beside, locks, migrate, under_way};
use crate::faults::{Point, reach};
use crate::store::handle::let_go;
use crate::store::{Patience, RunLock, StoreError, StoreResult};

/// What `restore` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    pub backup: PathBuf,
    /// Rows of `hearings` now.
    pub hearings: i64,
    /// There was a database (sound or not) that was replaced.
    pub replaced: bool,
    /// Left-overs of the old database (`-wal`, `-shm`, `-journal`) that were removed.
    pub removed: Vec<PathBuf>,
}

/// Of the file that is made to take the database's place.
const MARK: &str = ".restore-";

/// Puts a backup back, the newest in `backups/` beside the database where none is named. The backup is
/// checked first; a bad one leaves the database as it is. Works over a damaged or missing database.
pub fn restore(database: &Path, from: Option<&Path>) -> StoreResult<RestoreReport> {
    let folder = folder_of(database);
    let backup = match from {
        Some(path) => path.to_path_buf(),
        None => newest(&folder.join("backups"))?,
    };
    let _lock = RunLock::acquire(database, "restore")?;
    refuse_itself(database, &backup)?;
    // A link stays a link: the file that it leads to is replaced.
    let database = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_path_buf());
    let folder = folder_of(&database);
    let fresh = under_way::name(&database, MARK);
    under_way::remove_left(&folder, &file_name(&database), MARK);
    let fails = |error: io::Error| io_error(&database, &error);
    let kept = Kept::of(&database);
    let outcome = copy_checked(
        &backup,
        &fresh,
        kept.as_ref().and_then(|kept| kept.journal_mode),
    )
    .map_err(|error| not_usable(&backup, error))
    .and_then(|hearings| {
        let patience = Patience {
            limit: Duration::from_secs(5),
            interrupted: &|| false,
        };
        let_go(&database, &patience)?;
        let replaced = database.exists();
        // First the left-overs: beside the new file they would be taken for its own.
        let mut removed = Vec::new();
        for suffix in ["-wal", "-shm", "-journal"] {
            let path = beside(&database, suffix);
            match std::fs::remove_file(&path) {
                Ok(()) => removed.push(path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(fails(error)),
            }
        }
        if let Some(kept) = &kept {
            kept.apply_to(&fresh).map_err(fails)?;
        }
        reach(Point::Restore, String::new)?;
        std::fs::rename(&fresh, &database).map_err(fails)?;
        sync_folder(&folder).map_err(fails)?;
        Ok(RestoreReport {
            backup: backup.clone(),
            hearings,
            replaced,
            removed,
        })
    });
    if outcome.is_err() {
        under_way::remove(&fresh);
    }
    if let Ok(report) = &outcome {
        tracing::info!(
            target: "updaters.store",
            "Restored {} from {} ({} hearings)",
            database.display(), report.backup.display(), report.hearings
        );
    }
    outcome
}

/// What stays of the database that is replaced: who may use it, and its journal mode.
struct Kept {
    facts: Metadata,
    /// `None`: its header does not say.
    journal_mode: Option<&'static str>,
}

impl Kept {
    fn of(database: &Path) -> Option<Self> {
        let facts = std::fs::metadata(database).ok()?;
        let mut header = [0; 20];
        let read = File::open(database).and_then(|mut file| file.read_exact(&mut header));
        let journal_mode = match (
            read.is_ok() && header.starts_with(b"SQLite format 3\0"),
            header[18],
        ) {
            (true, 1) => Some("DELETE"),
            (true, 2) => Some("WAL"),
            _ => None,
        };
        Some(Self {
            facts,
            journal_mode,
        })
    }

    fn apply_to(&self, fresh: &Path) -> io::Result<()> {
        // Root gives the file back to whom it belonged; others may not, and need not.
        let _ = chown(fresh, Some(self.facts.uid()), Some(self.facts.gid()));
        std::fs::set_permissions(fresh, self.facts.permissions())
    }
}

fn newest(folder: &Path) -> StoreResult<PathBuf> {
    backup::backups(folder)?
        .pop()
        .map(|(_, path)| path)
        .ok_or_else(|| StoreError::Io {
            path: folder.to_path_buf(),
            detail: "no backup in this folder; name one".to_owned(),
        })
}

/// The words for a database would send people to restore it.
fn not_usable(backup: &Path, error: StoreError) -> StoreError {
    let detail = match error {
        StoreError::Missing { .. } => "no such file".to_owned(),
        StoreError::Empty { .. } => "it is empty".to_owned(),
        StoreError::NotADatabase { .. } => "not a SQLite database".to_owned(),
        StoreError::Corrupt { detail, .. } => format!("it is damaged ({detail})"),
        StoreError::WrongTables { tables, .. } => {
            format!("not a hearings database, without {}", tables.join(", "))
        }
        other => return other,
    };
    StoreError::BadBackup {
        path: backup.to_path_buf(),
        detail,
    }
}

fn refuse_itself(database: &Path, backup: &Path) -> StoreResult<()> {
    let same = std::fs::canonicalize(backup).ok().is_some_and(|backup| {
        std::fs::canonicalize(database)
            .ok()
            .is_some_and(|database| database == backup)
    });
    if same {
        return Err(StoreError::BadBackup {
            path: backup.to_path_buf(),
            detail: "it is the database itself".to_owned(),
        });
    }
    Ok(())
}

/// Copies the backup into a fresh file and checks the copy. -> hearings in it.
fn copy_checked(
    backup: &Path,
    fresh: &Path,
    journal_mode: Option<&'static str>,
) -> StoreResult<i64> {
    super::look_at(backup)?;
    // The content alone: a backup may be kept read-only, the database must not become so.
    let copy = |from: &Path, to: &Path| {
        let mut from = File::open(from).map_err(|error| io_error(from, &error))?;
        let written = File::create(to).and_then(|mut to| {
            std::io::copy(&mut from, &mut to)?;
            to.sync_all()
        });
        written.map_err(|error| io_error(to, &error))
    };
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(beside(fresh, suffix));
    }
    copy(backup, fresh)?;
    // A backup made by hand may have its newest rows in a WAL beside it.
    let wal = beside(backup, "-wal");
    if wal.exists() {
        copy(&wal, &beside(fresh, "-wal"))?;
    }
    let fails = |error| classify(error, backup, "checking the backup");
    locks::install();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(fresh, flags).map_err(fails)?;
    backup::check(&conn, backup)?;
    let missing = migrate::missing_core(&conn).map_err(fails)?;
    if !missing.is_empty() {
        return Err(StoreError::WrongTables {
            path: backup.to_path_buf(),
            tables: missing,
        });
    }
    let hearings = conn
        .query_row("SELECT COUNT(*) FROM hearings", [], |row| row.get(0))
        .map_err(fails)?;
    if let Some(mode) = journal_mode {
        conn.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))
            .map_err(fails)?;
    }
    conn.close().map_err(|(_, error)| fails(error))?;
    File::open(fresh)
        .and_then(|file| file.sync_all())
        .map_err(|error| io_error(fresh, &error))?;
    Ok(hearings)
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            (report.hearings, report.replaced, report.removed.len()),
            (3, true, 2)
        );
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
}
