//! Descriptors that the process shares with others: with Python's own SQLite, and with a parent.
//!
//! Closing any descriptor of a file takes away all POSIX locks that the process has on that file (ours
//! belong to the open file, see `locks`). So a descriptor of a file that somebody else in this process
//! has open is not closed but kept, for the next connection of ours; and closed when nobody has it open
//! any more. Between the look and the closing nobody can take a lock: a lock of ours on the byte that
//! everybody begins with is given back by the closing itself, after it took away whatever it takes away.

#![allow(unsafe_code)]

use std::any::Any;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::store::forking;

/// Which file it is.
type FileId = (libc::dev_t, libc::ino_t);

struct Kept {
    fd: c_int,
    file: FileId,
    role: Role,
}

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

fn kept() -> MutexGuard<'static, Vec<Kept>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For a fork (see `store::forking`).
pub(in crate::store) fn hold() -> Option<Box<dyn Any>> {
    Some(Box::new(forking::soon(&KEPT)?))
}

/// The process that SQLite was set up in.
static SET_UP_IN: OnceLock<u32> = OnceLock::new();

/// Notes the process.
pub(super) fn set_up() {
    SET_UP_IN.get_or_init(std::process::id);
}

/// In place of `fstat`. SQLite keeps books on the locks of this process, by the file's device and inode. A
/// forked child inherits the books as they were: with a lock noted in them that a thread of the parent
/// held, which nobody here will ever give back, and behind which nobody here is safe from the parent. A
/// child that sees the file on a device of its own begins new ones.
pub(super) unsafe extern "C" fn fstat(fd: c_int, facts: *mut libc::stat) -> c_int {
    // SAFETY: the arguments are SQLite's own, passed through.
    let answer = unsafe { libc::fstat(fd, facts) };
    let here = std::process::id();
    if answer == 0 && SET_UP_IN.get().is_some_and(|process| *process != here) {
        // SAFETY: SQLite's own, just filled in. It looks at the device for nothing else.
        unsafe { (*facts).st_dev ^= libc::dev_t::from(here) << 32 };
    }
    answer
}

/// In place of `mmap`. A mapping keeps its open file, and the locks on that: a child does not get it, or
/// they would outlive a parent that is killed.
pub(super) unsafe extern "C" fn mmap(
    at: *mut c_void,
    length: usize,
    access: c_int,
    flags: c_int,
    fd: c_int,
    offset: libc::off_t,
) -> *mut c_void {
    // SAFETY: the arguments are SQLite's own, passed through. A child touches no mapping of a connection
    // of its parent's: it forgets those.
    unsafe {
        let mapped = libc::mmap(at, length, access, flags, fd, offset);
        if mapped != libc::MAP_FAILED {
            libc::madvise(mapped, length, libc::MADV_DONTFORK);
        }
        mapped
    }
}

/// In place of `open`.
pub(super) unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // SAFETY: the arguments are SQLite's own, passed through.
    unsafe { reused(path, flags).unwrap_or_else(|| libc::open(path, flags, mode)) }
}

/// A kept descriptor on this file.
unsafe fn reused(path: *const c_char, flags: c_int) -> Option<c_int> {
    let mut kept = kept();
    if kept.is_empty() || flags & (libc::O_EXCL | libc::O_TRUNC) != 0 {
        return None;
    }
    // SAFETY: SQLite passes a path that ends with a zero; `facts` is ours.
    let file = unsafe {
        let mut facts: libc::stat = std::mem::zeroed();
        (libc::stat(path, &raw mut facts) == 0).then_some((facts.st_dev, facts.st_ino))?
    };
    let fits = |one: &Kept| one.file == file && access(one.fd) == flags & libc::O_ACCMODE;
    let at = kept.iter().position(fits)?;
    Some(kept.swap_remove(at).fd)
}

/// Reading, or reading and writing.
fn access(fd: c_int) -> c_int {
    // SAFETY: a plain system call.
    unsafe { libc::fcntl(fd, libc::F_GETFL) & libc::O_ACCMODE }
}

/// In place of `close`.
pub(super) unsafe extern "C" fn close(fd: c_int) -> c_int {
    match (file_of(fd), Role::of(fd)) {
        (Some(file), role @ (Role::Database | Role::Shm)) => let_go(Kept { fd, file, role }),
        // SAFETY: the argument is SQLite's own, passed through.
        _ => unsafe { libc::close(fd) },
    }
}

/// A file of a database that we read ourselves, wherever it stands; to be given back with `give_back`.
pub(super) fn reading(path: &Path) -> io::Result<File> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    // Open for writing, for the lock that closing it takes.
    for access in [libc::O_RDWR, libc::O_RDONLY] {
        // SAFETY: a path that ends with a zero; the descriptor is nobody else's.
        unsafe {
            let fd = open(name.as_ptr(), access | libc::O_CLOEXEC, 0);
            if fd >= 0 {
                return Ok(File::from_raw_fd(fd));
            }
        }
    }
    Err(io::Error::last_os_error())
}

/// Closes it as `close` does.
pub(super) fn give_back(file: File) {
    // SAFETY: a descriptor that is ours alone.
    unsafe { close(file.into_raw_fd()) };
}

/// Closes this one, and those of the kept ones that nobody else needs any more; keeps it otherwise.
fn let_go(this: Kept) -> c_int {
    let mut kept = kept();
    let fd = this.fd;
    kept.push(this);
    let needed = open_files(&kept);
    // The one of each file that has the lock; it is the last of them to be closed.
    let mut holding: Vec<(FileId, c_int)> = Vec::new();
    for one in kept.iter() {
        let is_new = holding.iter().all(|(file, _)| *file != one.file);
        if is_new && !needed.contains(&one.file) && hold_off(one) {
            holding.push((one.file, one.fd));
        }
    }
    let needed = if holding.is_empty() {
        needed
    } else {
        open_files(&kept)
    };
    let (staying, mut closing): (Vec<_>, Vec<_>) = kept.drain(..).partition(|one| {
        let held = holding.iter().any(|(file, _)| *file == one.file);
        // What stays has no lock; where there are no locks of our kind, all are closed.
        (!held || needed.contains(&one.file)) && unlock(one.fd)
    });
    *kept = staying;
    closing.sort_by_key(|one| holding.contains(&(one.file, one.fd)));
    let mut answer = 0;
    for one in closing {
        // SAFETY: a descriptor that is ours alone.
        let closed = unsafe { libc::close(one.fd) };
        if one.fd == fd {
            answer = closed;
        }
    }
    answer
}

fn file_of(fd: c_int) -> Option<FileId> {
    // SAFETY: a plain system call; `facts` is ours.
    unsafe {
        let mut facts: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &raw mut facts) == 0 && facts.st_mode & libc::S_IFMT == libc::S_IFREG)
            .then_some((facts.st_dev, facts.st_ino))
    }
}

/// What a file is to SQLite.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Database,
    Shm,
    /// A WAL or a rollback journal: nobody locks those.
    Journal,
}

impl Role {
    fn of(fd: c_int) -> Self {
        let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
        let path = path.as_os_str().as_encoded_bytes();
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        if path.ends_with(b"-shm") {
            Self::Shm
        } else if path.ends_with(b"-journal") || path.ends_with(b"-wal") {
            Self::Journal
        } else {
            Self::Database
        }
    }

    /// The byte that everybody has to lock first: SQLite's pending byte, and its "dead man's switch".
    fn first_byte(self) -> libc::off_t {
        match self {
            Self::Shm => 128,
            Self::Database | Self::Journal => 0x4000_0000,
        }
    }
}

/// The files that this process has open otherwise than by the kept ones.
fn open_files(kept: &[Kept]) -> Vec<FileId> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| kept.iter().all(|one| one.fd != *fd))
        .filter_map(file_of)
        .collect()
}

/// Keeps everybody from taking a lock on the file. False where somebody is just taking one, or has one
/// on that byte.
fn hold_off(one: &Kept) -> bool {
    let byte = one.role.first_byte();
    set_lock(one.fd, libc::F_WRLCK, byte, 1)
        // Not open for writing, or no locks of this kind.
        || matches!(
            io::Error::last_os_error().raw_os_error(),
            Some(libc::EBADF | libc::EINVAL)
        )
}

/// Gives back the locks that closing it would have given back.
fn unlock(fd: c_int) -> bool {
    // A length of 0: all of the file.
    set_lock(fd, libc::F_UNLCK, 0, 0)
}

/// `kind` is one of `F_WRLCK`, `F_UNLCK`, which are small.
#[allow(clippy::cast_possible_truncation)]
fn set_lock(fd: c_int, kind: c_int, start: libc::off_t, length: libc::off_t) -> bool {
    // SAFETY: plain system calls; the lock is ours.
    unsafe {
        // `l_whence` is SEEK_SET, zero.
        let mut lock: libc::flock = std::mem::zeroed();
        lock.l_type = kind as libc::c_short;
        lock.l_start = start;
        lock.l_len = length;
        libc::fcntl(fd, libc::F_OFD_SETLK, &raw mut lock) == 0
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::super::testing::new_db;
    use super::*;
    use crate::store::Access;
    use crate::store::sqlite::SqliteStore;

    fn descriptors(path: &Path) -> usize {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap();
        entries
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .filter(|leads_to| leads_to == path)
            .count()
    }

    #[test]
    fn a_file_that_somebody_else_has_open_is_closed_when_they_are_done() {
        let dir = tempfile::tempdir().unwrap();
        let path = new_db(dir.path()).canonicalize().unwrap();
        let open = || {
            let store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
            let open = descriptors(&path);
            drop(store);
            open
        };
        open();
        assert_eq!(descriptors(&path), 0);
        let theirs = File::open(&path).unwrap();
        let first = open();
        for _ in 0..5 {
            assert_eq!(open(), first, "those that are kept are used again");
            assert_eq!(descriptors(&path), first);
        }
        drop(theirs);
        open();
        assert_eq!(descriptors(&path), 0);
    }

    #[test]
    fn who_comes_between_the_look_and_the_closing_gets_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        for (name, byte) in [("x.db", 0x4000_0000), ("x.db-shm", 128)] {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            let fd = reading(&path).unwrap().into_raw_fd();
            let role = Role::of(fd);
            let file = file_of(fd).unwrap();
            assert!(hold_off(&Kept { fd, file, role }), "{name}");
            let theirs = reading(&path).unwrap();
            let lock = || set_lock(theirs.as_raw_fd(), libc::F_RDLCK, byte, 1);
            assert!(!lock(), "{name}");
            // SAFETY: a descriptor of this test.
            unsafe { libc::close(fd) };
            assert!(lock(), "{name}");
            // They have it: then it is not closed under them.
            let fd = reading(&path).unwrap().into_raw_fd();
            assert!(!hold_off(&Kept { fd, file, role }), "{name}");
        }
    }
}
