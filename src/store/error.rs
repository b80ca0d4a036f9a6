use std::path::PathBuf;

pub type StoreResult<T> = Result<T, StoreError>;

/// What can go wrong with a database; each message says what happened, to which file or record, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{path}: no such database; create one with 'hearing-updater init --db {path}' or set DATABASE_PATH"
    )]
    Missing { path: PathBuf },
    #[error("{path}: empty: run hearing-updater init")]
    Empty { path: PathBuf },
    #[error(
        "{path}: not a SQLite database; check DATABASE_PATH, or put a backup back with 'hearing-updater restore --db {path}'"
    )]
    NotADatabase { path: PathBuf },
    #[error(
        "{path}: the database is damaged ({detail}); put a backup back with 'hearing-updater restore --db {path}'"
    )]
    Corrupt { path: PathBuf, detail: String },
    #[error("{path}: not a hearings database: table{} {} missing; check DATABASE_PATH, or put a backup back with 'hearing-updater restore --db {path}'", if .tables.len() == 1 { "" } else { "s" }, .tables.join(", "))]
    WrongTables { path: PathBuf, tables: Vec<String> },
    #[error("{path}: cannot be used as a backup: {detail}; the database was left as it was")]
    BadBackup { path: PathBuf, detail: String },
    #[error(
        "{path}: cannot be written ({detail}); check the permissions of the file and its folder"
    )]
    ReadOnly { path: PathBuf, detail: String },
    #[error("{path}: {detail}")]
    Io { path: PathBuf, detail: String },
    #[error(
        "{path}: the disk is full; nothing of what was being written was kept: make room, then try again"
    )]
    DiskFull { path: PathBuf },
    #[error(
        "{path}: replaced, removed or overwritten while it was in use; nothing more was written: \
         look at what is there now, then try again"
    )]
    Replaced { path: PathBuf },
    #[error(
        "{path}: locked by another program or thread; waited {waited_seconds:.0} s: end that program, or try again later"
    )]
    Busy { path: PathBuf, waited_seconds: f64 },
    #[error("another update of {path} is running: process {holder} (since {since})")]
    Running {
        path: PathBuf,
        holder: String,
        since: String,
    },
    #[error("{message}")]
    Constraint { message: String },
    #[error("{message}")]
    Sql { message: String },
    #[error("not allowed: {what}")]
    Refused { what: String },
    #[error("a statement ended the batch's transaction ({statement}); nothing of it was kept")]
    TransactionGone { statement: String },
    #[error("no transaction is open")]
    NoTransaction,
    #[error("{what}: {problem}")]
    BadRecord { what: String, problem: String },
    #[error(transparent)]
    Ordered(#[from] crate::faults::Ordered),
    #[error("interrupted")]
    Interrupted,
    #[error("{path}: closed")]
    Closed { path: PathBuf },
}

impl StoreError {
    /// The fault lies with the file or its disk, not with what was being written.
    pub fn is_of_the_file(&self) -> bool {
        matches!(
            self,
            Self::DiskFull { .. }
                | Self::Corrupt { .. }
                | Self::NotADatabase { .. }
                | Self::ReadOnly { .. }
                | Self::Io { .. }
                | Self::Replaced { .. }
                | Self::WrongTables { .. }
        )
    }
}
