//! SQLite's failures in the store's words.

use std::path::Path;

use rusqlite::ffi::{self, ErrorCode};

use crate::store::StoreError;

/// `what` says what was being done, for messages that would not tell by themselves.
// By value, for `map_err`.
#[allow(clippy::needless_pass_by_value)]
pub(super) fn classify(error: rusqlite::Error, path: &Path, what: &str) -> StoreError {
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
    let detail = message.unwrap_or_else(|| ffi::code_to_str(code.extended_code).to_owned());
    let path = path.to_path_buf();
    match code.code {
        ErrorCode::DiskFull => StoreError::DiskFull { path },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { path, detail },
        ErrorCode::DatabaseCorrupt => StoreError::Corrupt { path, detail },
        ErrorCode::NotADatabase => StoreError::NotADatabase { path },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy {
            path,
            waited_seconds: 0.0,
        },
        ErrorCode::ConstraintViolation => StoreError::Constraint { message: detail },
        ErrorCode::CannotOpen => StoreError::Io {
            path,
            detail: format!(
                "{}; check the permissions of the file and its folder",
                with_context(what, &detail)
            ),
        },
        ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => StoreError::Io {
            path,
            detail: with_context(what, &detail),
        },
        ErrorCode::OperationInterrupted => StoreError::Interrupted,
        _ => StoreError::Sql {
            message: with_context(what, &detail),
        },
    }
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
