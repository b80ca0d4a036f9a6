//! Locks that belong to the open file, not to the process.
//!
//! POSIX drops all of a process's `fcntl` locks on a file as soon as any descriptor of that file is
//! closed. Python's `sqlite3` module brings a second SQLite into our process; when it closes the
//! database while we write, our lock would silently be gone. Linux has locks that belong to the open
//! file description instead (`F_OFD_SETLK`), which conflict with ordinary ones as they should. SQLite's
//! unix VFS lets its system calls be replaced by name: we replace `fcntl`.

#![allow(unsafe_code)]

use std::path::Path;

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod shim {
    use std::ffi::{c_int, c_void};

    use super::super::syscalls;

    /// In place of `fcntl`. The real one is variadic in C; on these targets (System V x86-64, AAPCS64
    /// on Linux) a variadic call passes its first arguments in the same registers as a plain one, so a
    /// function with a fixed third argument of pointer size serves. SQLite passes an `int`, a pointer
    /// or nothing there; whatever is in the register is handed through as it came.
    unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
        let by_file = match command {
            libc::F_SETLK => libc::F_OFD_SETLK,
            libc::F_SETLKW => libc::F_OFD_SETLKW,
            libc::F_GETLK => libc::F_OFD_GETLK,
            // SAFETY: the arguments are SQLite's own, passed through.
            _ => return unsafe { libc::fcntl(fd, command, argument) },
        };
        let lock = argument.cast::<libc::flock>();
        if lock.is_null() {
            // SAFETY: as above; the system refuses a null pointer itself.
            return unsafe { libc::fcntl(fd, command, argument) };
        }
        // SAFETY: with these commands the argument points to a `struct flock` of the caller, which
        // nobody else looks at during the call. The system demands a zero `l_pid`.
        let answer = unsafe {
            (*lock).l_pid = 0;
            libc::fcntl(fd, by_file, lock)
        };
        if answer == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL) {
            // A kernel older than 3.15, or a file system that knows only the ordinary kind.
            // SAFETY: as above.
            return unsafe { libc::fcntl(fd, command, lock) };
        }
        answer
    }

    pub(super) fn open_anew(fd: c_int) -> bool {
        let path = format!("/proc/self/fd/{fd}");
        let mut how = std::fs::OpenOptions::new();
        let again = how
            .read(true)
            .write(true)
            .open(&path)
            .or_else(|_| how.write(false).open(&path));
        let Ok(again) = again else { return false };
        let again = std::os::fd::IntoRawFd::into_raw_fd(again);
        // SAFETY: plain system calls on descriptors of ours. `fd` keeps its number, and whoever uses it
        // in this process goes on with the same file; only what is shared with the parent ends.
        unsafe {
            let done = libc::dup3(again, fd, libc::O_CLOEXEC) == fd;
            libc::close(again);
            done
        }
    }

    pub(super) fn install() -> bool {
        let ours: unsafe extern "C" fn(c_int, c_int, *mut c_void) -> c_int = fcntl;
        // SAFETY: SQLite casts it back to what it is before it calls it.
        let untyped = unsafe {
            std::mem::transmute::<
                unsafe extern "C" fn(c_int, c_int, *mut c_void) -> c_int,
                syscalls::Untyped,
            >(ours)
        };
        syscalls::install(untyped)
    }
}

/// Puts the replacement in place, once, before the first database is opened. Elsewhere than on 64-bit
/// Linux SQLite keeps its ordinary locks. -> whether locks belong to the open file.
pub(super) fn install() -> bool {
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    return shim::install();
    #[cfg(not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )))]
    false
}

/// In a forked child, before it opens its own connection.
pub(in crate::store) fn after_fork(path: &Path) {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    part_with_parent(|leads_to| is_of(leads_to, &path));
}

/// Whether this is one of the files of a database that locks are held on.
pub(in crate::store) fn is_of(file: &Path, database: &Path) -> bool {
    file == database
        || file == super::beside(database, "-wal")
        || file == super::beside(database, "-shm")
}

/// In a forked child. Descriptors that came from the parent are one open file with the parent's, and so
/// are locks on them: they would last as long as either of the two. Each that leads to a file of ours is
/// opened anew under its number.
pub(in crate::store) fn part_with_parent(is_ours: impl Fn(&Path) -> bool) {
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    {
        let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
            return;
        };
        let ours: Vec<_> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let fd: i32 = entry.file_name().to_str()?.parse().ok()?;
                let leads_to = std::fs::read_link(entry.path()).ok()?;
                is_ours(&leads_to).then_some((fd, leads_to))
            })
            .collect();
        for (fd, leads_to) in ours {
            if !shim::open_anew(fd) {
                tracing::warn!(
                    target: "updaters.store",
                    "{}: this forked process could not part with its parent's locks",
                    leads_to.display()
                );
            }
        }
    }
    #[cfg(not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )))]
    let _ = is_ours;
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::path::Path;

    use super::super::testing::{fill, legacy_db, new_db};
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Access, BatchHead, BatchKind, Transactions};

    /// Set for a second run of this test binary, which plays the other program.
    const OTHER: &str = "UPDATER_TEST_OTHER_PROGRAM";

    /// The other program: tries to write, with the ordinary locks of an unchanged SQLite, and says how
    /// it went by its exit code. Does nothing in an ordinary test run.
    #[test]
    fn other_program() {
        let Some(path) = std::env::var_os(OTHER) else {
            return;
        };
        let conn = rusqlite::Connection::open(Path::new(&path)).unwrap();
        let outcome = conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
        std::process::exit(if outcome.is_ok() { 40 } else { 41 });
    }

    fn another_program_can_write(path: &Path) -> bool {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["store::sqlite::locks::tests::other_program", "--exact"])
            .env(OTHER, path)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        match status.code() {
            Some(40) => true,
            Some(41) => false,
            other => panic!("{other:?}"),
        }
    }

    fn keeps_others_out(path: &Path, beside: &[&str]) {
        fill(path);
        let mut store = SqliteStore::open(path, Access::ReadWrite).unwrap();
        assert!(another_program_can_write(path));
        store
            .begin(BatchHead {
                run: None,
                number: 1,
                kind: BatchKind::Batch,
            })
            .unwrap();
        assert!(!another_program_can_write(path));
        // As Python's own SQLite does at the end of a request.
        drop(File::open(path).unwrap());
        for suffix in beside {
            drop(File::open(super::super::beside(path, suffix)).unwrap());
        }
        assert!(
            !another_program_can_write(path),
            "closing a descriptor dropped our lock"
        );
        store.roll_back();
        assert!(another_program_can_write(path), "the lock is given back");
    }

    #[test]
    fn closing_the_file_elsewhere_in_the_process_does_not_drop_our_lock() {
        let dir = tempfile::tempdir().unwrap();
        keeps_others_out(&legacy_db(dir.path()), &[]);
    }

    const HEAD: BatchHead = BatchHead {
        run: None,
        number: 1,
        kind: BatchKind::Batch,
    };

    fn folder(dir: &tempfile::TempDir, inside: bool) -> std::path::PathBuf {
        let folder = dir.path().join(inside.to_string());
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    /// A child that is kept out by its parent's transaction, and let in afterwards. `inside`: it is forked
    /// in the middle of it.
    fn keep_each_other_out(path: &Path, inside: bool) {
        fill(path);
        let mut store = SqliteStore::open(path, Access::ReadWrite).unwrap();
        store.begin(HEAD).unwrap();
        if !inside {
            store.roll_back();
        }
        let (mut ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        // SAFETY: the child does nothing but use the database and leave.
        let child = unsafe { libc::fork() };
        if child == 0 {
            std::mem::forget(store);
            super::after_fork(path);
            let mut word = [0];
            theirs.read_exact(&mut word).unwrap();
            let mut own = SqliteStore::open(path, Access::ReadWrite).unwrap();
            let kept_out = matches!(own.begin(HEAD), Err(crate::store::StoreError::Busy { .. }));
            theirs.write_all(&word).unwrap();
            theirs.read_exact(&mut word).unwrap();
            let let_in = own.begin(HEAD).is_ok();
            // SAFETY: leaves at once, without the parent's clean-up.
            unsafe { libc::_exit(if kept_out && let_in { 40 } else { 41 }) };
        }
        if !inside {
            store.begin(HEAD).unwrap();
        }
        let mut word = [1];
        ours.write_all(&word).unwrap();
        ours.read_exact(&mut word).unwrap();
        store.roll_back();
        ours.write_all(&word).unwrap();
        let mut status = 0;
        // SAFETY: waits for the child that was just made.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(libc::WEXITSTATUS(status), 40, "inside: {inside}");
    }

    #[test]
    fn a_forked_child_and_its_parent_keep_each_other_out() {
        let dir = tempfile::tempdir().unwrap();
        for inside in [false, true] {
            keep_each_other_out(&new_db(&folder(&dir, inside)), inside);
        }
    }

    #[test]
    fn they_do_so_with_a_rollback_journal_too() {
        let dir = tempfile::tempdir().unwrap();
        for inside in [false, true] {
            keep_each_other_out(&legacy_db(&folder(&dir, inside)), inside);
        }
    }

    #[test]
    fn nor_does_it_in_wal_mode() {
        let dir = tempfile::tempdir().unwrap();
        keeps_others_out(&new_db(dir.path()), &["-wal", "-shm"]);
    }
}
