//! Descriptors that the process shares with others: with Python's own SQLite, and with a parent.
//!
//! Closing any descriptor of a file takes away all POSIX locks that the process has on that file (ours
//! belong to the open file, see `locks`). So a descriptor of a file that somebody else in this process
//! has open is not closed but kept, for the next connection of ours; and closed when nobody has it open
//! any more.

#![allow(unsafe_code)]

use std::any::Any;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::store::forking;

/// Which file it is.
type FileId = (libc::dev_t, libc::ino_t);

struct Kept {
    fd: c_int,
    file: FileId,
    /// Reading, or reading and writing.
    access: c_int,
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
    let fits = |one: &Kept| one.file == file && one.access == flags & libc::O_ACCMODE;
    let at = kept.iter().position(fits)?;
    Some(kept.swap_remove(at).fd)
}

/// A descriptor of our own beside SQLite's, to look at the file.
pub(super) fn open_to_read(path: &Path) -> Option<File> {
    let name = CString::new(path.as_os_str().as_encoded_bytes()).ok()?;
    // SAFETY: a path that ends with a zero; what was kept is ours alone.
    let kept = unsafe { reused(name.as_ptr(), libc::O_RDONLY).map(|fd| File::from_raw_fd(fd)) };
    kept.or_else(|| File::open(path).ok())
}

/// Closes such a descriptor; where that would take others' locks away, it is kept.
pub(super) fn give_back(file: File) {
    // SAFETY: the descriptor was the file's, and is nobody's now.
    unsafe { close(file.into_raw_fd()) };
}

/// In place of `close`.
pub(super) unsafe extern "C" fn close(fd: c_int) -> c_int {
    let mut kept = kept();
    // Nobody locks a journal or a WAL.
    if let Some(file) = file_of(fd).filter(|_| !is_journal(fd)) {
        let others = open_files(&kept, fd);
        // Of a file that nobody else has open any more.
        kept.retain(|one| {
            let wanted = others.contains(&one.file);
            if !wanted {
                // SAFETY: a descriptor that is ours alone.
                unsafe { libc::close(one.fd) };
            }
            wanted
        });
        if others.contains(&file) && unlock(fd) {
            // SAFETY: a plain system call.
            let access = unsafe { libc::fcntl(fd, libc::F_GETFL) } & libc::O_ACCMODE;
            kept.push(Kept { fd, file, access });
            return 0;
        }
    }
    drop(kept);
    // SAFETY: the argument is SQLite's own, passed through.
    unsafe { libc::close(fd) }
}

fn file_of(fd: c_int) -> Option<FileId> {
    // SAFETY: a plain system call; `facts` is ours.
    unsafe {
        let mut facts: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &raw mut facts) == 0 && facts.st_mode & libc::S_IFMT == libc::S_IFREG)
            .then_some((facts.st_dev, facts.st_ino))
    }
}

fn is_journal(fd: c_int) -> bool {
    std::fs::read_link(format!("/proc/self/fd/{fd}")).is_ok_and(|path| {
        let path = path.as_os_str().as_encoded_bytes();
        path.ends_with(b"-journal") || path.ends_with(b"-wal")
    })
}

/// The files that this process has open otherwise than by this descriptor and the kept ones.
fn open_files(kept: &[Kept], but: c_int) -> Vec<FileId> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd != but && kept.iter().all(|one| one.fd != *fd))
        .filter_map(file_of)
        .collect()
}

/// Gives back the locks that closing it would have given back.
fn unlock(fd: c_int) -> bool {
    // SAFETY: plain system calls; the lock is ours.
    unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        // `l_whence`, `l_start` and `l_len` stay 0: all of the file.
        lock.l_type = UNLOCK;
        libc::fcntl(fd, libc::F_OFD_SETLK, &raw mut lock) == 0
    }
}

/// `F_UNLCK`, in the type that `struct flock` has for it.
#[allow(clippy::cast_possible_truncation)]
const UNLOCK: libc::c_short = libc::F_UNLCK as libc::c_short;

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::testing::new_db;
    use crate::store::Access;
    use crate::store::sqlite::SqliteStore;

    fn descriptors(path: &Path) -> usize {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap();
        entries
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .filter(|leads_to| leads_to == path)
            .count()
    }

    /// A process of its own for each test: `nextest` makes one; under `cargo test` other tests' files
    /// are other files.
    #[test]
    fn a_file_that_somebody_else_has_open_is_closed_when_they_are_done() {
        let dir = tempfile::tempdir().unwrap();
        let path = new_db(dir.path()).canonicalize().unwrap();
        drop(SqliteStore::open(&path, Access::ReadWrite).unwrap());
        assert_eq!(descriptors(&path), 0);
        let theirs = std::fs::File::open(&path).unwrap();
        for _ in 0..5 {
            drop(SqliteStore::open(&path, Access::ReadWrite).unwrap());
            assert_eq!(descriptors(&path), 3, "two are kept, and used again");
        }
        drop(theirs);
        drop(SqliteStore::open(&path, Access::ReadWrite).unwrap());
        assert_eq!(descriptors(&path), 0);
    }
}
