//! One run at a time on one database: a lock file beside it, locked with `flock`, so that a killed
//! process leaves no lock behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::sqlite::{Identity, io_error};
use super::{StoreError, StoreResult};
use crate::faults::{Point, pass};

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

/// What a look at the lock file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    Held(LockHolder),
    /// Left by a process that was killed; it keeps nobody out.
    Stale(LockHolder),
}

/// Held until dropped.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    lock_file: PathBuf,
    /// A forked child has the object, but not the lock.
    pid: u32,
}

/// Who only asks for the holder keeps others out for a moment; a second look tells.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);

const SUFFIX: &str = ".updater-lock";

/// How many of them this process holds.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Whether this process holds any.
pub(super) fn any() -> bool {
    HELD.load(Ordering::SeqCst) > 0
}

/// Whether this is where a descriptor on a lock file leads.
pub(super) fn is_lock_file(leads_to: &Path) -> bool {
    let path = leads_to.to_string_lossy();
    path.strip_suffix(" (deleted)")
        .unwrap_or(&path)
        .ends_with(SUFFIX)
}

impl RunLock {
    /// Takes the lock at once, or says who holds it (`StoreError::Running`).
    pub fn acquire(database: &Path, what: &str) -> StoreResult<Self> {
        let lock_file = lock_file_of(database);
        let fail = |error: io::Error| lock_error(database, &lock_file, &error);
        let mut tries = 0;
        loop {
            let mut file =
                opened(OpenOptions::new().write(true).create(true), &lock_file).map_err(fail)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    tries += 1;
                    if tries < TRIES {
                        std::thread::sleep(PAUSE);
                        continue;
                    }
                    return Err(running(database, read_holder(&mut file)));
                }
                Err(TryLockError::Error(error)) => return Err(fail(error)),
            }
            // The holder before us may have removed the file between our opening and locking it: then
            // what we locked is a file that nobody else will find.
            if !is_still(&file, &lock_file).map_err(fail)? {
                continue;
            }
            HELD.fetch_add(1, Ordering::SeqCst);
            let lock = Self {
                file,
                lock_file: lock_file.clone(),
                pid: std::process::id(),
            };
            lock.sign(what).map_err(fail)?;
            pass(Point::Locked, || what.to_owned());
            return Ok(lock);
        }
    }

    /// Who holds it now, without taking it.
    pub fn holder(database: &Path) -> StoreResult<Option<LockHolder>> {
        Ok(match Self::look(database)? {
            Some(LockState::Held(holder)) => Some(holder),
            Some(LockState::Stale(_)) | None => None,
        })
    }

    /// Whether there is a lock, and whether anybody holds it.
    pub fn look(database: &Path) -> StoreResult<Option<LockState>> {
        let lock_file = lock_file_of(database);
        let fail = |error: io::Error| lock_error(database, &lock_file, &error);
        for _ in 0..TRIES {
            let mut file = match opened(&mut OpenOptions::new(), &lock_file) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(fail(error)),
            };
            match file.try_lock_shared() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = read_holder(&mut file).unwrap_or_else(unknown);
                    return Ok(Some(LockState::Held(holder)));
                }
                Err(TryLockError::Error(error)) => return Err(fail(error)),
            }
            // Signed and still there: a killed process left it. Else its holder is just coming or going.
            if is_still(&file, &lock_file).map_err(fail)?
                && let Some(holder) = signature(&mut file)
            {
                return Ok(Some(LockState::Stale(holder)));
            }
            drop(file);
            std::thread::sleep(PAUSE);
        }
        Ok(lock_file.exists().then(|| LockState::Stale(unknown())))
    }

    fn sign(&self, what: &str) -> io::Result<()> {
        let holder = LockHolder {
            pid: self.pid,
            host: host(),
            since: jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string(),
            what: what.to_owned(),
        };
        let mut file = &self.file;
        file.set_len(0)?;
        file.write_all(serde_json::to_string(&holder)?.as_bytes())?;
        file.flush()
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::SeqCst);
        if self.pid == std::process::id() {
            pass(Point::Unlock, String::new);
            // Removed while held: afterwards it could be another's.
            let _ = std::fs::remove_file(&self.lock_file);
            let _ = self.file.unlock();
        }
    }
}

/// One lock for all names of a database.
fn lock_file_of(database: &Path) -> PathBuf {
    let mut name = std::fs::canonicalize(database)
        .unwrap_or_else(|_| database.to_path_buf())
        .into_os_string();
    name.push(SUFFIX);
    PathBuf::from(name)
}

/// The lock file itself. What a link leads to would be emptied, and a pipe be waited for.
fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = match options.read(true).truncate(false).open(path) {
        #[cfg(unix)]
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(io::Error::other("it is a link; remove it"));
        }
        other => other?,
    };
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no ordinary file; remove it"))
    }
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    Ok(Some(Identity::of_file(file)?) == Identity::of(path))
}

#[cfg(not(unix))]
fn is_still(_file: &File, path: &Path) -> io::Result<bool> {
    Ok(path.exists())
}

fn read_holder(file: &mut File) -> Option<LockHolder> {
    for _ in 0..TRIES {
        if let Some(holder) = signature(file) {
            return Some(holder);
        }
        // Locked, and not signed yet.
        std::thread::sleep(PAUSE);
    }
    None
}

fn signature(file: &mut File) -> Option<LockHolder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn unknown() -> LockHolder {
    LockHolder {
        pid: 0,
        host: "unknown".to_owned(),
        since: "unknown".to_owned(),
        what: "unknown".to_owned(),
    }
}

fn running(database: &Path, holder: Option<LockHolder>) -> StoreError {
    let path = database.to_path_buf();
    match holder {
        Some(LockHolder {
            pid,
            host,
            since,
            what,
        }) => StoreError::Running {
            path,
            holder: format!("{pid} on {host}, {what}"),
            since,
        },
        None => StoreError::Running {
            path,
            holder: "unknown".to_owned(),
            since: "a moment ago".to_owned(),
        },
    }
}

fn lock_error(database: &Path, lock_file: &Path, error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::NotFound {
        return StoreError::Missing {
            path: database.to_path_buf(),
        };
    }
    match io_error(database, error) {
        StoreError::Io { path, detail } => StoreError::Io {
            path,
            detail: format!("cannot lock {}: {detail}", lock_file.display()),
        },
        StoreError::ReadOnly { path, detail } => StoreError::ReadOnly {
            path,
            detail: format!("no lock file can be made beside it: {detail}"),
        },
        other => other,
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this computer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_run_is_told_who_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("x.db");
        let lock = RunLock::acquire(&database, "daily update").unwrap();
        let error = RunLock::acquire(&database, "rollback").unwrap_err();
        let StoreError::Running { holder, since, .. } = &error else {
            panic!("{error}")
        };
        assert!(
            holder.starts_with(&std::process::id().to_string()),
            "{holder}"
        );
        assert!(holder.ends_with("daily update"), "{holder}");
        assert_eq!(since.len(), 19);
        let holder = RunLock::holder(&database).unwrap().unwrap();
        assert_eq!(
            (holder.pid, holder.what.as_str()),
            (std::process::id(), "daily update")
        );
        drop(lock);
        assert_eq!(RunLock::holder(&database).unwrap(), None);
        RunLock::acquire(&database, "rollback").unwrap();
    }

    #[test]
    fn nothing_is_left_beside_the_database() {
        let dir = tempfile::tempdir().unwrap();
        drop(RunLock::acquire(&dir.path().join("x.db"), "x").unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lock_file_that_a_killed_process_left_does_not_block() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("x.db");
        let old = r#"{"pid":1,"host":"h","since":"2025-01-01 00:00:00","what":"a very long name of what was going on"}"#;
        std::fs::write(dir.path().join("x.db.updater-lock"), old).unwrap();
        assert_eq!(RunLock::holder(&database).unwrap(), None);
        let Some(LockState::Stale(left)) = RunLock::look(&database).unwrap() else {
            panic!("a lock that nobody holds")
        };
        assert_eq!((left.pid, left.since.as_str()), (1, "2025-01-01 00:00:00"));
        let _lock = RunLock::acquire(&database, "daily update").unwrap();
        assert_eq!(
            RunLock::holder(&database).unwrap().unwrap().pid,
            std::process::id()
        );
        assert!(matches!(
            RunLock::look(&database).unwrap(),
            Some(LockState::Held(_))
        ));
    }

    #[test]
    fn a_lock_file_without_a_signature_is_stale_too() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("x.db");
        assert_eq!(RunLock::look(&database).unwrap(), None);
        std::fs::write(dir.path().join("x.db.updater-lock"), "").unwrap();
        let found = RunLock::look(&database).unwrap();
        assert_eq!(found, Some(LockState::Stale(unknown())));
    }

    #[cfg(unix)]
    #[test]
    fn two_names_of_one_database_share_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("x.db");
        File::create(&database).unwrap();
        let link = dir.path().join("link.db");
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let _lock = RunLock::acquire(&database, "daily update").unwrap();
        assert!(matches!(
            RunLock::acquire(&link, "x"),
            Err(StoreError::Running { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_is_none_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("x.db");
        let (lock_file, others) = (lock_file_of(&database), dir.path().join("others"));
        std::fs::write(&others, "theirs").unwrap();
        std::os::unix::fs::symlink(&others, &lock_file).unwrap();
        for error in [
            RunLock::acquire(&database, "x").unwrap_err(),
            RunLock::look(&database).unwrap_err(),
        ] {
            assert!(error.to_string().contains("it is a link"), "{error}");
        }
        assert_eq!(std::fs::read(&others).unwrap(), b"theirs");
        std::fs::remove_file(&lock_file).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(&lock_file)
            .status();
        assert!(made.unwrap().success());
        for error in [
            RunLock::acquire(&database, "x").unwrap_err(),
            RunLock::look(&database).unwrap_err(),
        ] {
            assert!(error.to_string().contains("no ordinary file"), "{error}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_missing_database() {
        let dir = tempfile::tempdir().unwrap();
        let error = RunLock::acquire(&dir.path().join("no/x.db"), "x").unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    }
}
