//! Making a new, empty database.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::classify::classify;
use super::files::{connect_to_make, make_new};
use super::open::expect_file;
use super::{beside, locks, migrate, under_way};
use crate::faults::{Point, pass};
use crate::store::{StoreError, StoreResult};

const SCHEMA: &str = include_str!("schema.sql");
const MARK: &str = ".updater-new-";

/// Makes a new database with every table, in WAL mode; its folder too, where that is missing. A file
/// that is there is left alone, unless it is empty. The file appears whole or not at all.
pub fn init(path: &Path) -> StoreResult<()> {
    let io = |error: io::Error| io_error(path, &error);
    let folder = folder_of(path);
    under_way::remove_left(&folder, &file_name(path), MARK);
    match std::fs::metadata(path) {
        Ok(facts) => {
            // A device has no bytes either, and would be gone for the whole system.
            expect_file(path, &facts)?;
            if facts.len() > 0 {
                return Err(StoreError::Io {
                    path: path.to_path_buf(),
                    detail: "exists already: nothing was done; name another with --db FILE"
                        .to_owned(),
                });
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => refuse_dangling(path)?,
        Err(error) => return Err(io(error)),
    }
    refuse_left_overs(path)?;
    std::fs::create_dir_all(&folder).map_err(io)?;
    let building = under_way::name(path, MARK);
    under_way::remove(&building);
    let outcome = make_new(&building, 0o666)
        .map_err(io)
        .and_then(|_| {
            build(&building).map_err(|error| classify(error, path, "cannot make the database"))
        })
        .and_then(|()| put_in_place(&building, path, &folder).map_err(io));
    under_way::remove(&building);
    outcome
}

/// They would be taken for the new file's own, and spoil it.
fn refuse_left_overs(path: &Path) -> StoreResult<()> {
    for suffix in ["-wal", "-journal"] {
        let left = beside(path, suffix);
        if std::fs::metadata(&left).is_ok_and(|facts| facts.len() > 0) {
            return Err(StoreError::Io {
                path: left,
                detail: "left by a database that was here before: put that back, or move this away"
                    .to_owned(),
            });
        }
    }
    Ok(())
}

/// A symbolic link to what is not there: a disk that is not mounted, as a rule.
pub(super) fn refuse_dangling(path: &Path) -> StoreResult<()> {
    let Ok(leads_to) = std::fs::read_link(path) else {
        return Ok(());
    };
    Err(StoreError::Io {
        path: path.to_path_buf(),
        detail: format!(
            "a symbolic link to {}, which is not there: make that, mount its disk, or remove the link",
            leads_to.display()
        ),
    })
}

fn build(path: &Path) -> rusqlite::Result<()> {
    locks::install();
    let conn = connect_to_make(path)?;
    conn.execute_batch("PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL;")?;
    conn.execute_batch("BEGIN")?;
    conn.execute_batch(SCHEMA)?;
    migrate::add_all(&conn)?;
    conn.execute_batch("COMMIT")?;
    // Folds the WAL in and removes it.
    conn.close().map_err(|(_, error)| error)
}

fn put_in_place(building: &Path, path: &Path, folder: &Path) -> io::Result<()> {
    File::open(building)?.sync_all()?;
    pass(Point::Init, String::new);
    match std::fs::metadata(path) {
        // Somebody's empty file: replaced.
        Ok(facts) if facts.len() == 0 => std::fs::rename(building, path)?,
        // A link fails where another program made the file meanwhile; a rename would erase it.
        _ => match std::fs::hard_link(building, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => std::fs::rename(building, path)?,
            Ok(()) => pass(Point::Made, String::new),
        },
    }
    sync_or_warn(path, folder);
    Ok(())
}

/// The last part of a path.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The folder a path is in; `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename last.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// The file is in its place, whatever becomes of this.
pub(super) fn sync_or_warn(path: &Path, folder: &Path) {
    if let Err(error) = sync_folder(folder) {
        tracing::warn!(
            target: "updaters.store",
            "{}: done, but it may not outlast a power cut ({error})", path.display()
        );
    }
}

/// A failure of the file system in the store's words.
pub(in crate::store) fn io_error(path: &Path, error: &io::Error) -> StoreError {
    let path = path.to_path_buf();
    let said = error.to_string();
    let said = said.split(" (os error").next().unwrap_or_default();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull { path },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly {
                path,
                detail: said.to_owned(),
            }
        }
        io::ErrorKind::FileTooLarge => StoreError::Io {
            path,
            detail: format!(
                "{said}: it would grow beyond what the system lets a file be (see 'ulimit -f')"
            ),
        },
        _ if matches!(
            error.raw_os_error(),
            Some(libc::EIO | libc::ENXIO | libc::ESTALE)
        ) =>
        {
            StoreError::Io {
                path,
                detail: format!(
                    "{said}: look after the disk (dmesg tells), then check the file with \
                     'python3 -m scripts.verify_updates'"
                ),
            }
        }
        _ => StoreError::Io {
            path,
            detail: said.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Access, Transactions};

    #[test]
    fn a_new_database_is_one_wal_file_with_nothing_left_to_bring_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new folder").join("a?b%20#c.db");
        init(&path).unwrap();
        let here: Vec<_> = std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(here, ["a?b%20#c.db"]);
        let mut store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
        assert!(store.bring_up().unwrap().is_empty());
        let mode: String = store
            .conn
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn an_empty_file_is_filled_and_a_full_one_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        File::create(&path).unwrap();
        init(&path).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(!before.is_empty());
        let error = init(&path).unwrap_err().to_string();
        assert!(error.contains("exists already"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(init(dir.path()).unwrap_err().to_string().contains("folder"));
    }
}
