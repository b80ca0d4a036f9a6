//! Putting a backup back: into a fresh file that takes the database's place.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::OpenFlags;

use super::classify::classify;
use super::files::{connect, make_like};
use super::init::{file_name, folder_of, io_error, refuse_dangling, sync_or_warn};
use super::open::expect_file;
use super::{backup, beside, descriptors, locks, migrate, under_way};
use crate::faults::{Point, pass, reach};
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
const MARK: &str = ".updater-restore-";

/// Puts a backup back, the newest in `backups/` beside the database where none is named. The backup is
/// checked first; a bad one leaves the database as it is. Works over a damaged or missing database.
pub fn restore(database: &Path, from: Option<&Path>) -> StoreResult<RestoreReport> {
    let folder = folder_of(database);
    let backup = match from {
        Some(path) => path.to_path_buf(),
        None => newest(&folder.join("backups"))?,
    };
    expect_replaceable(database)?;
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
    .map_err(|error| match error {
        // It is beside the database that there is no room for the fresh file.
        StoreError::DiskFull { .. } => StoreError::DiskFull {
            path: database.clone(),
        },
        other => other,
    })
    .and_then(|hearings| {
        let patience = Patience {
            limit: Duration::from_secs(5),
            interrupted: &|| false,
        };
        let_go(&database, &patience)?;
        let replaced = database.exists();
        if let Some(kept) = &kept {
            kept.apply_to(&fresh).map_err(fails)?;
        }
        settle(&database);
        // First the left-overs: beside the new file they would be taken for its own.
        let left = LeftOvers::set_aside(&database, &fresh).map_err(fails)?;
        let renamed = reach(Point::Restore, String::new)
            .map_err(StoreError::from)
            .and_then(|()| std::fs::rename(&fresh, &database).map_err(fails));
        if let Err(error) = renamed {
            left.put_back();
            return Err(error);
        }
        pass(Point::Restored, String::new);
        let removed = left.remove();
        sync_or_warn(&database, &folder);
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

/// Brings into the old database what a crash left beside it. Killed on the way from here, it is whole.
fn settle(database: &Path) {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let settled = connect(database, flags).and_then(|conn| {
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        conn.close().map_err(|(_, error)| error)
    });
    if let Err(error) = settled {
        // A damaged one, as a rule: that is why it is replaced.
        tracing::debug!(target: "updaters.store", "{}: {error}", database.display());
    }
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
        let read = descriptors::reading(database).and_then(|file| {
            let read = file.read_exact_at(&mut header, 0);
            descriptors::give_back(file);
            read
        });
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

/// What lies beside the old database and is a part of it, under other names until it is replaced.
struct LeftOvers(Vec<(PathBuf, PathBuf)>);

impl LeftOvers {
    fn set_aside(database: &Path, fresh: &Path) -> io::Result<Self> {
        let mut moved = Self(Vec::new());
        for suffix in ["-wal", "-shm", "-journal"] {
            let path = beside(database, suffix);
            let aside = beside(fresh, &format!(".old{suffix}"));
            match std::fs::rename(&path, &aside) {
                Ok(()) => moved.0.push((path, aside)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    moved.put_back();
                    return Err(error);
                }
            }
        }
        Ok(moved)
    }

    fn put_back(&self) {
        for (path, aside) in &self.0 {
            let _ = std::fs::rename(aside, path);
        }
    }

    fn remove(self) -> Vec<PathBuf> {
        self.0
            .into_iter()
            .map(|(path, aside)| {
                let _ = std::fs::remove_file(aside);
                path
            })
            .collect()
    }
}

/// A file may be replaced, or made where there is none. Not what was named by mistake: a
/// device that is renamed over is gone for the whole system.
fn expect_replaceable(database: &Path) -> StoreResult<()> {
    match std::fs::metadata(database) {
        Ok(facts) => expect_file(database, &facts),
        Err(error) if error.kind() == io::ErrorKind::NotFound => refuse_dangling(database),
        Err(error) => Err(io_error(database, &error)),
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
    let copy = |from_path: &Path, to: &Path| {
        let mut from = File::open(from_path).map_err(|error| io_error(from_path, &error))?;
        let written = make_like(from_path, to).and_then(|mut to| {
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
    let conn = connect(fresh, flags).map_err(fails)?;
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
#[path = "restore_tests.rs"]
mod tests;
