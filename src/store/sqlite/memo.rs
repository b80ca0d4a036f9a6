//! What a connection remembers: the tables' columns, whether the witness names are in step.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use super::db::quoted;

/// A table as it stands.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// In the table's order; empty where there is no such table.
    pub(super) columns: Vec<String>,
    /// The same, quoted for SQL: statements are put together for every row.
    quoted: Vec<String>,
}

impl Shape {
    pub(super) fn new(columns: Vec<String>) -> Self {
        let quoted = columns.iter().map(|column| quoted(column)).collect();
        Self { columns, quoted }
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.quoted(column).is_some()
    }

    /// A column's name as the table spells it, quoted; `None` where the table lacks it.
    pub(super) fn quoted(&self, column: &str) -> Option<&str> {
        let exact = self.columns.iter().position(|c| c == column);
        let at = exact.or_else(|| {
            self.columns
                .iter()
                .position(|c| c.eq_ignore_ascii_case(column))
        })?;
        self.quoted.get(at).map(String::as_str)
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
}

impl Memo {
    /// After a rollback, also to a savepoint: what was brought in step may be gone again.
    pub(super) fn forget_names(&self) {
        self.names_at.set(None);
        self.names_sure.set(false);
    }
}
