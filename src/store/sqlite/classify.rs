//! SQLite's failures in the store's words.

use std::io;
use std::path::Path;

use rusqlite::ffi::{self, ErrorCode};

use super::init::io_error;
use super::{beside, syscalls};
use crate::store::StoreError;

/// `what` says what was being done, for messages that would not tell by themselves.
// By value, for `map_err`.
#[allow(clippy::needless_pass_by_value)]
pub(super) fn classify(error: rusqlite::Error, path: &Path, what: &str) -> StoreError {
    // Of the call that failed just now, for what SQLite calls "disk I/O error" whatever it was.
    let now = io::Error::last_os_error();
    let (code, message) = match &error {
        rusqlite::Error::SqliteFailure(code, message) => (*code, message.clone()),
        rusqlite::Error::SqlInputError {
            error: code, msg, ..
        } => (*code, Some(msg.clone())),
        rusqlite::Error::MultipleStatement => {
            return StoreError::Sql {
                message: "You can only execute one statement at a time.".to_owned(),
            };
        }
        _ => {
            return StoreError::Sql {
                message: with_context(what, &error.to_string()),
            };
        }
    };
    let said = message.unwrap_or_else(|| ffi::code_to_str(code.extended_code).to_owned());
    let path = path.to_path_buf();
    match code.code {
        _ if code.extended_code == ffi::SQLITE_READONLY_DBMOVED => StoreError::Replaced { path },
        ErrorCode::DiskFull => StoreError::DiskFull { path },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            StoreError::ReadOnly { path, detail: said }
        }
        ErrorCode::DatabaseCorrupt => StoreError::Corrupt { path, detail: said },
        ErrorCode::NotADatabase => StoreError::NotADatabase { path },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy {
            path,
            waited_seconds: 0.0,
        },
        ErrorCode::ConstraintViolation => StoreError::Constraint { message: said },
        ErrorCode::CannotOpen => match why_no_file(&path) {
            Some(error) => io_error(&path, &error),
            None => StoreError::Io {
                path,
                detail: format!(
                    "{}; check the permissions of the file and its folder",
                    with_context(what, &said)
                ),
            },
        },
        ErrorCode::SystemIoFailure if from_system(code.extended_code) => {
            let why = why_failed(code.extended_code).unwrap_or(now);
            match io_error(&path, &why) {
                // What was done since may have forgotten the reason.
                _ if why.raw_os_error() == Some(0) => StoreError::Io {
                    path,
                    detail: with_context(what, &said),
                },
                StoreError::Io { path, detail } => StoreError::Io {
                    path,
                    detail: with_context(what, &detail),
                },
                other => other,
            }
        }
        ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => StoreError::Io {
            path,
            detail: with_context(what, &said),
        },
        ErrorCode::OperationInterrupted => StoreError::Interrupted,
        _ => StoreError::Sql {
            message: with_context(what, &said),
        },
    }
}

/// Whether a call to the system failed, which then says why.
fn from_system(code: i32) -> bool {
    matches!(
        code,
        ffi::SQLITE_IOERR_READ
            | ffi::SQLITE_IOERR_WRITE
            | ffi::SQLITE_IOERR_FSYNC
            | ffi::SQLITE_IOERR_DIR_FSYNC
            | ffi::SQLITE_IOERR_TRUNCATE
            | ffi::SQLITE_IOERR_FSTAT
            | ffi::SQLITE_IOERR_DELETE
            | ffi::SQLITE_IOERR_SHMOPEN
            | ffi::SQLITE_IOERR_SHMSIZE
            | ffi::SQLITE_IOERR_SHMMAP
    )
}

/// Why a write failed, as it was noted then.
fn why_failed(code: i32) -> Option<io::Error> {
    let a_write = [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_SHMSIZE,
    ];
    syscalls::why_failed().filter(|_| a_write.contains(&code))
}

/// SQLite could not make or open a file beside the database, and does not say why: a file of our own
/// fails for the same reason. It is removed at once.
fn why_no_file(path: &Path) -> Option<io::Error> {
    let probe = beside(path, &format!(".probe-{}", std::process::id()));
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe);
    if made.is_ok() {
        let _ = std::fs::remove_file(&probe);
    }
    made.err()
}

fn with_context(what: &str, detail: &str) -> String {
    if what.is_empty() {
        detail.to_owned()
    } else {
        format!("{what}: {detail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32, message: &str) -> StoreError {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(message.to_owned()));
        classify(error, Path::new("x.db"), "reading")
    }

    #[test]
    fn codes_become_what_a_person_can_act_on() {
        assert!(matches!(
            failure(ffi::SQLITE_FULL, ""),
            StoreError::DiskFull { .. }
        ));
        assert!(matches!(
            failure(ffi::SQLITE_READONLY, ""),
            StoreError::ReadOnly { .. }
        ));
        assert!(matches!(
            failure(ffi::SQLITE_CORRUPT, ""),
            StoreError::Corrupt { .. }
        ));
        assert!(matches!(
            failure(ffi::SQLITE_NOTADB, ""),
            StoreError::NotADatabase { .. }
        ));
        assert!(matches!(
            failure(ffi::SQLITE_BUSY, ""),
            StoreError::Busy { .. }
        ));
        assert!(matches!(
            failure(ffi::SQLITE_LOCKED, ""),
            StoreError::Busy { .. }
        ));
        assert!(matches!(
            failure(ffi::SQLITE_IOERR, ""),
            StoreError::Io { .. }
        ));
        assert!(matches!(
            failure(ffi::SQLITE_CANTOPEN, ""),
            StoreError::Io { .. }
        ));
    }

    #[test]
    fn a_constraint_keeps_the_name_of_table_and_column() {
        let error = failure(
            ffi::SQLITE_CONSTRAINT_UNIQUE,
            "UNIQUE constraint failed: hearings.event_id",
        );
        assert_eq!(
            error.to_string(),
            "UNIQUE constraint failed: hearings.event_id"
        );
    }

    #[test]
    fn other_failures_say_what_was_being_done() {
        assert_eq!(
            failure(ffi::SQLITE_ERROR, "no such table: x").to_string(),
            "reading: no such table: x"
        );
    }
}
