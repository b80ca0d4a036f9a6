//! Backups by SQLite's online backup: whole, also while the database is in use.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::classify::classify;
use super::files::{connect_to_make, make_like, make_new};
use super::init::{io_error, sync_folder};
use super::integrity::quick_check;
use super::{SqliteStore, locks, under_way};
use crate::faults::{Point, pass, reach};
use crate::store::{StoreError, StoreResult};

pub(super) const PREFIX: &str = "database_backup_";
const MARK: &str = ".updater-partial-";
const PAGES_A_STEP: i32 = 256;
/// Another program's lock may keep a step from being taken for this long.
const LIMIT: Duration = Duration::from_secs(60);

impl SqliteStore {
    /// -> the backup: one self-contained file.
    pub(super) fn write_backup(
        &mut self,
        folder: &Path,
        interrupted: &dyn Fn() -> bool,
    ) -> StoreResult<PathBuf> {
        if self.head.is_some() {
            return Err(StoreError::Refused {
                what: "a backup inside a transaction".to_owned(),
            });
        }
        std::fs::create_dir_all(folder).map_err(|error| io_error(folder, &error))?;
        let stamp = jiff::Zoned::now().strftime("%Y%m%d_%H%M%S").to_string();
        // Under another name until it is whole: nobody is to take a part of one for a backup.
        let building = under_way::name(&folder.join(format!("{PREFIX}{stamp}")), MARK);
        under_way::remove_left(folder, PREFIX, MARK);
        under_way::remove(&building);
        make_like(&self.path, &building).map_err(|error| io_error(&building, &error))?;
        let outcome = self.copy_to(&building, interrupted).and_then(|()| {
            File::open(&building)
                .and_then(|file| file.sync_all())
                .map_err(|error| io_error(&building, &error))?;
            pass(Point::BackupWhole, String::new);
            let target = put_in_place(&building, folder, &stamp)?;
            sync_folder(folder).map_err(|error| io_error(&target, &error))?;
            Ok(target)
        });
        under_way::remove(&building);
        outcome
    }

    pub(super) fn copy_to(&self, target: &Path, interrupted: &dyn Fn() -> bool) -> StoreResult<()> {
        let source_fails = |error| classify(error, &self.path, "backing up");
        let target_fails = |error| classify(error, target, "writing the backup");
        locks::install();
        let mut copy = connect_to_make(target).map_err(target_fails)?;
        // The file is made anew: a crash half-way leaves no backup that anybody would trust.
        copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            .map_err(target_fails)?;
        let started = Instant::now();
        {
            let backup = Backup::new(&self.conn, &mut copy).map_err(source_fails)?;
            loop {
                if interrupted() {
                    return Err(StoreError::Interrupted);
                }
                // A failure in here is the target's as a rule (a full disk); corruption is the source's.
                let step = backup.step(PAGES_A_STEP).map_err(|error| {
                    match classify(error, target, "writing the backup") {
                        StoreError::Corrupt { detail, .. } => StoreError::Corrupt {
                            path: self.path.clone(),
                            detail,
                        },
                        other => other,
                    }
                })?;
                match step {
                    StepResult::Done => break,
                    StepResult::More => reach(Point::Backup, String::new)?,
                    _ => {
                        let waited = started.elapsed();
                        if waited >= LIMIT {
                            return Err(StoreError::Busy {
                                path: self.path.clone(),
                                waited_seconds: waited.as_secs_f64(),
                            });
                        }
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            }
        }
        // The copy has taken over the source's mode; without WAL it is one file whoever opens it.
        copy.execute_batch("PRAGMA journal_mode = DELETE;")
            .map_err(target_fails)?;
        check(&copy, target)?;
        copy.close().map_err(|(_, error)| target_fails(error))
    }
}

/// `PRAGMA quick_check` on a backup.
pub(super) fn check(conn: &Connection, path: &Path) -> StoreResult<()> {
    let found = quick_check(conn).map_err(|error| classify(error, path, "checking the backup"))?;
    match found.damage.into_iter().next() {
        None => Ok(()),
        Some(detail) => Err(StoreError::Corrupt {
            path: path.to_path_buf(),
            detail,
        }),
    }
}

/// Gives a backup a name of the moment that nobody has yet.
fn put_in_place(building: &Path, folder: &Path, stamp: &str) -> StoreResult<PathBuf> {
    for number in 1..1000 {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("_{number}")
        };
        let path = folder.join(format!("{PREFIX}{stamp}{suffix}.db"));
        match std::fs::hard_link(building, &path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(_) => {}
        }
        // A file system without links: the name is taken with an empty file, which the rename replaces.
        let named = make_new(&path, 0o600).and_then(|_| std::fs::rename(building, &path));
        match named {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io_error(&path, &error)),
        }
    }
    Err(StoreError::Io {
        path: folder.to_path_buf(),
        detail: "no free name for a backup".to_owned(),
    })
}

/// Backups in a folder, oldest first, with the time in their name. Other files are none of ours.
pub(super) fn backups(folder: &Path) -> StoreResult<Vec<(jiff::civil::DateTime, PathBuf)>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error(folder, &error)),
    };
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let key = key_of(entry.file_name().to_str()?)?;
            entry.path().is_file().then(|| (key, entry.path()))
        })
        .collect();
    found.sort();
    Ok(found
        .into_iter()
        .map(|((time, _), path)| (time, path))
        .collect())
}

/// `database_backup_20251013_212558.db` or `..._2.db` -> its time and number.
fn key_of(name: &str) -> Option<(jiff::civil::DateTime, u32)> {
    let stem = name.strip_prefix(PREFIX)?.strip_suffix(".db")?;
    let stamp = stem.get(..15)?;
    let number = match stem.get(15..)? {
        "" => 1,
        rest => rest.strip_prefix('_')?.parse().ok()?,
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d_%H%M%S", stamp).ok()?;
    Some((time, number))
}

/// Removes backups older than `days` by the time in their name, never the newest. -> what was removed.
pub fn prune_backups(folder: &Path, days: i64) -> StoreResult<Vec<PathBuf>> {
    let mut backups = backups(folder)?;
    backups.pop();
    let span = jiff::Span::new().try_days(days.max(0)).unwrap_or_default();
    let Ok(limit) = jiff::Zoned::now().datetime().checked_sub(span) else {
        return Ok(Vec::new());
    };
    let mut removed = Vec::new();
    for (time, path) in backups {
        if time >= limit {
            continue;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => removed.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error(&path, &error)),
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fill, legacy_db, new_db};
    use super::*;
    use crate::store::{Access, BatchHead, BatchKind, Health, Transactions};

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_backup_of_a_wal_database_in_use_is_one_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = new_db(dir.path());
        // Rows that are still in the WAL only.
        let outsider = Connection::open(&path).unwrap();
        fill(&path);
        let mut store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
        let folder = dir.path().join("backups");
        let backup = store.back_up(&folder, &|| false).unwrap();
        assert_eq!(
            files(&folder),
            [backup.file_name().unwrap().to_str().unwrap()]
        );
        let copy = dir.path().join("by cp.db");
        std::fs::copy(&backup, &copy).unwrap();
        let conn = Connection::open(&copy).unwrap();
        let hearings: i64 = conn
            .query_row("SELECT COUNT(*) FROM hearings", [], |row| row.get(0))
            .unwrap();
        assert_eq!(hearings, 3);
        let mode: String = conn
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "delete");
        drop(outsider);
    }

    #[test]
    fn two_backups_in_one_second_have_two_names() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&legacy_db(dir.path()), Access::ReadWrite).unwrap();
        let folder = dir.path().join("b");
        let names: std::collections::HashSet<_> = (0..3)
            .map(|_| store.back_up(&folder, &|| false).unwrap())
            .collect();
        assert_eq!(names.len(), 3);
        let found = backups(&folder).unwrap();
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn an_interrupted_backup_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&legacy_db(dir.path()), Access::ReadWrite).unwrap();
        let folder = dir.path().join("b");
        assert!(matches!(
            store.back_up(&folder, &|| true),
            Err(StoreError::Interrupted)
        ));
        assert!(files(&folder).is_empty());
    }

    #[test]
    fn no_backup_is_made_inside_a_transaction() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&legacy_db(dir.path()), Access::ReadWrite).unwrap();
        store
            .begin(BatchHead {
                run: None,
                number: 1,
                kind: BatchKind::Batch,
            })
            .unwrap();
        let refused = store.back_up(&dir.path().join("b"), &|| false);
        assert!(matches!(refused, Err(StoreError::Refused { .. })));
    }

    #[test]
    fn pruning_goes_by_name_and_spares_the_newest_and_what_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let fresh = jiff::Zoned::now()
            .strftime("database_backup_%Y%m%d_%H%M%S.db")
            .to_string();
        let ours = [
            "database_backup_20200101_000000.db",
            "database_backup_20200101_000000_2.db",
        ];
        let others = [
            "database_backup_20200101.db",
            "database_backup_20200101_000000.db.gz",
            "x.db",
        ];
        for name in ours.iter().chain(&others).copied().chain([fresh.as_str()]) {
            File::create(dir.path().join(name)).unwrap();
        }
        let removed = prune_backups(dir.path(), 7).unwrap();
        assert_eq!(removed, ours.map(|name| dir.path().join(name)));
        assert_eq!(files(dir.path()).len(), others.len() + 1);
        std::fs::remove_file(dir.path().join(&fresh)).unwrap();
        File::create(dir.path().join(ours[0])).unwrap();
        assert!(
            prune_backups(dir.path(), 7).unwrap().is_empty(),
            "the only one is the newest"
        );
    }

    #[test]
    fn a_folder_that_is_not_there_has_nothing_to_prune() {
        assert!(
            prune_backups(Path::new("/nowhere/backups"), 7)
                .unwrap()
                .is_empty()
        );
    }
}
