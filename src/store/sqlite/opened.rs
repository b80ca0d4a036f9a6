//! Whether the file is still the one that was opened, with the content that we left in it.
//!
//! Other programs may replace it (`mv`), overwrite it where it lies (`cp`), remove it or what is beside
//! it. SQLite notices little of that: a commit then goes to a file that nobody sees any more, or mixes
//! two files into one.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::open::Identity;
use super::{beside, descriptors};
use crate::store::{StoreError, StoreResult};

/// The header of a database file.
const HEADER: usize = 100;

pub(super) struct Opened {
    /// As it was given, for messages.
    given: PathBuf,
    /// Absolute: the current folder may become another one.
    path: PathBuf,
    /// Where a symbolic link leads: what SQLite puts beside the file lies there.
    real: PathBuf,
    identity: Option<Identity>,
    /// Kept open until the end, to notice what is done to the file under whatever name.
    file: Option<File>,
    /// As the transaction found it.
    before: Option<Seen>,
    /// Somebody wrote into it during a transaction of ours.
    touched: bool,
    /// As we left it when our last transaction ended.
    left: Option<Stamp>,
    in_wal: bool,
    /// The `-wal` and the `-shm` that were there at the first transaction: they stay while we are here.
    wal: Option<[Option<Identity>; 2]>,
}

/// What a transaction finds.
struct Seen {
    header: [u8; HEADER],
    stamp: Option<Stamp>,
}

/// Changes whenever somebody writes into the file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    fn of(facts: &Metadata) -> Self {
        Self {
            size: facts.size(),
            seconds: facts.mtime(),
            nanoseconds: facts.mtime_nsec(),
        }
    }
}

impl Opened {
    pub(super) fn of(path: &Path) -> Self {
        let file = descriptors::reading(path).ok();
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        Self {
            real: std::fs::canonicalize(path).unwrap_or_else(|_| absolute.clone()),
            given: path.to_path_buf(),
            path: absolute,
            identity: Identity::of(path),
            in_wal: false,
            file,
            before: None,
            touched: false,
            left: None,
            wal: None,
        }
    }

    /// Whether the path still leads to it.
    pub(super) fn is_there(&self) -> bool {
        self.identity == Identity::of(&self.path)
    }

    /// A transaction has begun, and the lock is held.
    pub(super) fn began(&mut self, in_wal: bool) -> StoreResult<()> {
        self.in_wal = in_wal;
        if in_wal {
            let now = self.wal_now();
            if *self.wal.get_or_insert(now) != now || now.contains(&None) {
                return Err(self.replaced("-wal"));
            }
        }
        self.before = Some(Seen {
            header: header(self.file.as_ref()),
            stamp: self.stamp(),
        });
        Ok(())
    }

    /// Nobody else may have written where the transaction is about to be committed.
    pub(super) fn expect_untouched(&mut self) -> StoreResult<()> {
        if !self.is_there() {
            return Err(self.replaced(""));
        }
        let Some(before) = &self.before else {
            return Ok(());
        };
        if self.in_wal {
            // Into the file itself others may fold the WAL at any time: to be looked at afterwards.
            self.touched |= before.stamp != self.stamp();
            return match self.wal {
                Some(then) if then != self.wal_now() => Err(self.replaced("-wal")),
                _ => Ok(()),
            };
        }
        if header(self.file.as_ref()) != before.header {
            return Err(self.replaced(""));
        }
        // Without its journal a commit that fails half-way could not be undone.
        if Identity::of(&beside(&self.real, "-journal")).is_none() {
            return Err(self.replaced("-journal"));
        }
        Ok(())
    }

    /// The transaction is over.
    pub(super) fn ended(&mut self) {
        if self.before.take().is_some() {
            self.left = self.stamp();
        }
    }

    /// Whether somebody else wrote into the file since our last transaction.
    pub(super) fn was_written(&self) -> bool {
        self.touched || (self.left.is_some() && self.left != self.stamp())
    }

    /// What was written has been looked at.
    pub(super) fn looked_at(&mut self) {
        self.touched = false;
    }

    fn replaced(&self, suffix: &str) -> StoreError {
        StoreError::Replaced {
            path: beside(&self.given, suffix),
        }
    }

    fn wal_now(&self) -> [Option<Identity>; 2] {
        ["-wal", "-shm"].map(|suffix| Identity::of(&beside(&self.real, suffix)))
    }

    fn stamp(&self) -> Option<Stamp> {
        let facts = self.file.as_ref()?.metadata().ok()?;
        Some(Stamp::of(&facts))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            descriptors::give_back(file);
        }
    }
}

/// Zeros where there is none.
fn header(file: Option<&File>) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    if file.is_none_or(|file| file.read_exact_at(&mut header, 0).is_err()) {
        header.fill(0);
    }
    header
}
