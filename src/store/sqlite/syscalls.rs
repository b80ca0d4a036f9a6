//! The system calls of SQLite's unix VFS that are ours: `fcntl` for locks that belong to the open file
//! (see `locks`), those that open and close (see `descriptors`), and those that change files, where tests
//! can order faults (see `crate::faults`).

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::sync::OnceLock;

use rusqlite::ffi;

use super::descriptors;
use crate::faults::{Point, reach};

static INSTALLED: OnceLock<bool> = OnceLock::new();

thread_local! {
    /// Why the last write failed. What SQLite does before it reports that (closing, removing a journal)
    /// may fail for other reasons, or leave no reason at all.
    static FAILED: Cell<c_int> = const { Cell::new(0) };
}

/// Why this thread's last write failed, if it was not asked for yet.
pub(super) fn why_failed() -> Option<io::Error> {
    match FAILED.replace(0) {
        0 => None,
        number => Some(io::Error::from_raw_os_error(number)),
    }
}

/// Notes why a call failed; -> its result.
fn noted<R: PartialOrd + From<i8>>(result: R) -> R {
    if result < R::from(0) {
        let number = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        FAILED.set(number);
        set_errno(number);
    }
    result
}

/// A function of whatever shape, as SQLite keeps them.
pub(super) type Untyped = unsafe extern "C" fn();

type Mmap =
    unsafe extern "C" fn(*mut c_void, usize, c_int, c_int, c_int, libc::off_t) -> *mut c_void;

/// The name of the file behind a descriptor, without its folder.
fn name_of(fd: c_int) -> String {
    std::fs::read_link(format!("/proc/self/fd/{fd}"))
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_default()
}

fn set_errno(number: c_int) {
    // SAFETY: the location is this thread's own, and always there.
    unsafe { *libc::__errno_location() = number };
}

/// Whether a write may go ahead; `partly` writes half of it, for a process that dies in the middle.
#[cfg_attr(not(feature = "crash-points"), allow(unused_variables))]
fn may_write(fd: c_int, partly: impl Fn()) -> bool {
    #[cfg(feature = "crash-points")]
    if let Some(torn) = crate::faults::crash::at_write(&|| name_of(fd)) {
        if torn {
            partly();
        }
        crate::faults::crash::die();
    }
    match reach(Point::Write, || name_of(fd)) {
        Ok(()) => true,
        Err(ordered) => {
            set_errno(ordered.errno);
            false
        }
    }
}

unsafe extern "C" fn write(fd: c_int, data: *const c_void, count: usize) -> isize {
    // SAFETY: the arguments are SQLite's own, passed through, or half of them.
    let put = |count| unsafe { libc::write(fd, data, count) };
    noted(if may_write(fd, || _ = put(count / 2)) {
        put(count)
    } else {
        -1
    })
}

unsafe extern "C" fn pwrite(
    fd: c_int,
    data: *const c_void,
    count: usize,
    offset: libc::off64_t,
) -> isize {
    // SAFETY: as above.
    let put = |count| unsafe { libc::pwrite64(fd, data, count, offset) };
    noted(if may_write(fd, || _ = put(count / 2)) {
        put(count)
    } else {
        -1
    })
}

unsafe extern "C" fn ftruncate(fd: c_int, size: libc::off_t) -> c_int {
    if let Err(ordered) = reach(Point::Truncate, || name_of(fd)) {
        set_errno(ordered.errno);
        return noted(-1);
    }
    // SAFETY: as above.
    noted(unsafe { libc::ftruncate(fd, size) })
}

unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    let name = || {
        // SAFETY: SQLite passes a path that ends with a zero.
        let path = unsafe { CStr::from_ptr(path) }.to_string_lossy();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    };
    if let Err(ordered) = reach(Point::Delete, name) {
        set_errno(ordered.errno);
        return -1;
    }
    // SAFETY: as above.
    unsafe { libc::unlink(path) }
}

/// Puts the replacements in place, once, before the first database is opened.
/// -> whether SQLite took them all.
pub(super) fn install(fcntl: Untyped) -> bool {
    *INSTALLED.get_or_init(|| {
        let write: unsafe extern "C" fn(c_int, *const c_void, usize) -> isize = write;
        let pwrite: unsafe extern "C" fn(c_int, *const c_void, usize, libc::off64_t) -> isize =
            pwrite;
        let ftruncate: unsafe extern "C" fn(c_int, libc::off_t) -> c_int = ftruncate;
        let unlink: unsafe extern "C" fn(*const c_char) -> c_int = unlink;
        let open: unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int = descriptors::open;
        let close: unsafe extern "C" fn(c_int) -> c_int = descriptors::close;
        let fstat: unsafe extern "C" fn(c_int, *mut libc::stat) -> c_int = descriptors::fstat;
        let mmap: Mmap = descriptors::mmap;
        descriptors::set_up();
        // SAFETY: no connection of this library is open yet (`SqliteStore::open` and its siblings come
        // through here first), the VFS lives as long as the process, and so do our functions; SQLite
        // keeps system calls as pointers of this untyped kind and casts them back.
        unsafe {
            // Before SQLite starts: its count of memory takes a mutex at every allocation, and a child
            // forked while another thread holds that one would wait for it for ever.
            ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
            if ffi::sqlite3_initialize() != ffi::SQLITE_OK {
                return false;
            }
            let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
            if vfs.is_null() {
                return false;
            }
            let Some(set) = (*vfs).xSetSystemCall else {
                return false;
            };
            let pwrite = std::mem::transmute::<
                unsafe extern "C" fn(c_int, *const c_void, usize, libc::off64_t) -> isize,
                Untyped,
            >(pwrite);
            // Which of the three writes SQLite uses depends on how it was built.
            let replaced: [(&CStr, Untyped); 10] = [
                (c"pwrite", pwrite),
                (c"pwrite64", pwrite),
                (c"fcntl", fcntl),
                (
                    c"write",
                    std::mem::transmute::<
                        unsafe extern "C" fn(c_int, *const c_void, usize) -> isize,
                        Untyped,
                    >(write),
                ),
                (
                    c"ftruncate",
                    std::mem::transmute::<
                        unsafe extern "C" fn(c_int, libc::off_t) -> c_int,
                        Untyped,
                    >(ftruncate),
                ),
                (
                    c"unlink",
                    std::mem::transmute::<unsafe extern "C" fn(*const c_char) -> c_int, Untyped>(
                        unlink,
                    ),
                ),
                (
                    c"open",
                    std::mem::transmute::<
                        unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int,
                        Untyped,
                    >(open),
                ),
                (
                    c"close",
                    std::mem::transmute::<unsafe extern "C" fn(c_int) -> c_int, Untyped>(close),
                ),
                (c"mmap", std::mem::transmute::<Mmap, Untyped>(mmap)),
                (
                    c"fstat",
                    std::mem::transmute::<
                        unsafe extern "C" fn(c_int, *mut libc::stat) -> c_int,
                        Untyped,
                    >(fstat),
                ),
            ];
            replaced
                .iter()
                .all(|(name, call)| set(vfs, name.as_ptr(), Some(*call)) == ffi::SQLITE_OK)
        }
    })
}
