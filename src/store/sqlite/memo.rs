//! What a connection remembers: the tables' columns, whether the witness names are in step, a default.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// A table as it stands.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// In the table's order; empty where there is no such table.
    pub(super) columns: Vec<String>,
}

impl Shape {
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|c| c.eq_ignore_ascii_case(column))
    }

    pub(super) fn exists(&self) -> bool {
        !self.columns.is_empty()
    }
}

/// Kept beside the connection; nothing here outlives it.
#[derive(Default)]
pub(super) struct Memo {
    /// `PRAGMA schema_version` that `shapes` was read under.
    pub(super) version: Cell<i64>,
    pub(super) shapes: RefCell<HashMap<String, Arc<Shape>>>,
    /// `PRAGMA data_version` under which `updater_witness_names` was brought in step; `None`: it has to be.
    pub(super) names_at: Cell<Option<i64>>,
    /// They were found in step in the open transaction: nobody else commits meanwhile.
    pub(super) names_sure: Cell<bool>,
    /// The congress of a meeting that names none.
    pub(super) default_congress: Cell<Option<i64>>,
}

impl Memo {
    /// After a rollback, also to a savepoint: what was brought in step may be gone again.
    pub(super) fn forget_names(&self) {
        self.names_at.set(None);
        self.names_sure.set(false);
    }
}
