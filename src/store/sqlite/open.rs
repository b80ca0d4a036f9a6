//! Opening a database file.

use std::fs::Metadata;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use super::classify::classify;
use super::files::connect;
use super::guard::Guard;
use super::opened::Opened;
use super::{OnClose, SqliteStore, locks};
use crate::store::{Access, StoreError, StoreResult};

/// Kept tiny: who waits for longer does so in slices, and can be interrupted between them.
pub(in crate::store) const BUSY: Duration = Duration::from_millis(20);

/// Which file it is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// `None` where there is no file, or no such thing as an inode.
    #[cfg(unix)]
    pub(in crate::store) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let facts = std::fs::metadata(path).ok()?;
        Some(Self {
            device: facts.dev(),
            inode: facts.ino(),
        })
    }

    #[cfg(unix)]
    pub(in crate::store) fn of_file(file: &std::fs::File) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let facts = file.metadata()?;
        Ok(Self {
            device: facts.dev(),
            inode: facts.ino(),
        })
    }

    #[cfg(not(unix))]
    pub(in crate::store) fn of(_path: &Path) -> Option<Self> {
        None
    }
}

/// Says what is wrong with a path without opening it: a descriptor of ours that is closed again would
/// drop the locks that Python's own SQLite may hold on the file.
pub(in crate::store) fn look_at(path: &Path) -> StoreResult<()> {
    let facts = match std::fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::Missing {
                path: path.to_path_buf(),
            });
        }
        Err(error) => {
            return Err(StoreError::Io {
                path: path.to_path_buf(),
                detail: error.to_string(),
            });
        }
    };
    expect_file(path, &facts)?;
    if facts.len() == 0 && wal_is_empty(path) {
        return Err(StoreError::Empty {
            path: path.to_path_buf(),
        });
    }
    Ok(())
}

/// No folder, pipe, socket or device.
pub(super) fn expect_file(path: &Path, facts: &Metadata) -> StoreResult<()> {
    if facts.is_file() {
        return Ok(());
    }
    let kind = if facts.is_dir() {
        "a folder"
    } else {
        "a device, pipe or socket"
    };
    Err(StoreError::Io {
        path: path.to_path_buf(),
        detail: format!("{kind}, not a database file"),
    })
}

fn wal_is_empty(path: &Path) -> bool {
    // It lies beside what a symbolic link leads to.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    std::fs::metadata(super::beside(&path, "-wal")).map_or(true, |facts| facts.len() == 0)
}

/// Of a file that is damaged and had a WAL beside it when it was opened.
fn blaming_the_wal(error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { path, detail } => StoreError::Corrupt {
            detail: format!("{detail}; {}", wal_hint(&path)),
            path,
        },
        other => other,
    }
}

/// A WAL that another file left (a database that was moved or overwritten) makes a sound one unreadable.
pub(super) fn wal_hint(path: &Path) -> String {
    format!(
        "if {} is another file's, move it away and try again",
        super::beside(path, "-wal").display()
    )
}

impl SqliteStore {
    /// Opens a file that exists. The connection is always one that could write, where the system lets
    /// it: one that cannot would leave a `-wal` and a `-shm` behind. `access` is kept by `query_only`.
    pub fn open(path: &Path, access: Access) -> StoreResult<Self> {
        look_at(path)?;
        // Whoever left a WAL, a reader does not fold it in; a writer does once the file has turned out
        // to be sound: a WAL that belongs to another file would spoil it for good.
        let on_close = if wal_is_empty(path) {
            OnClose::FoldWal
        } else {
            OnClose::KeepWal
        };
        locks::install();
        let opened = Opened::of(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let fail = |error| {
            let error = match classify(error, path, "") {
                // "unsupported file format": whatever is in there, it is none of ours.
                StoreError::Sql { message } => StoreError::Corrupt {
                    path: path.to_path_buf(),
                    detail: message,
                },
                StoreError::Io { path, detail } => StoreError::Io {
                    path,
                    detail: format!("cannot open the database: {detail}"),
                },
                other => other,
            };
            if on_close == OnClose::KeepWal {
                blaming_the_wal(error)
            } else {
                error
            }
        };
        let mut conn = connect(path, flags).map_err(fail)?;
        conn.busy_timeout(BUSY).map_err(fail)?;
        conn.set_prepared_statement_cache_capacity(256);
        // Plans do not hang on the values: else binding others compiles many a statement anew.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(fail)?;
        let keep = on_close == OnClose::KeepWal;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep)
            .map_err(fail)?;
        let guard = Guard::default();
        guard.install(&mut conn).map_err(fail)?;
        conn.execute_batch(
            "PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; PRAGMA temp_store = MEMORY;",
        )
        .map_err(fail)?;
        // The first look into the file; a file that is none of SQLite's is found out here.
        conn.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0))
            .map_err(|error| match fail(error) {
                StoreError::ReadOnly { path, .. } => StoreError::ReadOnly {
                    path,
                    detail: "it is in WAL mode, where also reading needs leave to write beside it"
                        .to_owned(),
                },
                other => other,
            })?;
        conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -16000;")
            .map_err(fail)?;
        let mut store = Self {
            conn,
            path: path.to_path_buf(),
            access: Access::ReadWrite,
            opened,
            batch: Arc::new(AtomicI64::new(0)),
            head: None,
            entry_mark: 0,
            savepoint_open: false,
            brought_up: None,
            triggers_for: None,
            schema_touched: false,
            guard,
            broken: false,
            memo: super::memo::Memo::default(),
            committed: Vec::new(),
            on_close,
        };
        store.set_access(access)?;
        Ok(store)
    }

    /// Switches between what a read-only and a writing handle may do.
    pub(in crate::store) fn set_access(&mut self, access: Access) -> StoreResult<()> {
        if self.access != access {
            let on = access == Access::ReadOnly;
            self.conn
                .pragma_update(None, "query_only", on)
                .map_err(|error| classify(error, &self.path, "switching access"))?;
            self.access = access;
        }
        Ok(())
    }

    /// What becomes of the WAL when the file is closed.
    pub(super) fn set_on_close(&mut self, on_close: OnClose) {
        if self.on_close != on_close {
            self.on_close = on_close;
            // Cannot fail on an open connection.
            let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            let _ = self.conn.set_db_config(keep, on_close == OnClose::KeepWal);
        }
    }

    /// Whether the path still leads to the file that was opened.
    pub(in crate::store) fn is_current(&self) -> bool {
        self.opened.is_there()
    }

    /// Whether the connection is of no more use.
    pub(in crate::store) fn is_broken(&self) -> bool {
        self.broken
    }

    /// How long SQLite itself waits for a lock.
    pub(in crate::store) fn set_wait(&self, wait: Duration) {
        // Cannot fail on an open connection.
        let _ = self.conn.busy_timeout(wait);
    }

    /// Changes with every change of the schema, by whomever.
    pub(in crate::store) fn schema_version(&self) -> StoreResult<i64> {
        self.conn
            .prepare_cached("PRAGMA schema_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(|error| classify(error, &self.path, "reading the schema"))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Its writer folded it in meanwhile: what is left are two files without content.
        if wal_is_empty(&self.path) {
            self.set_on_close(OnClose::FoldWal);
        }
    }
}
