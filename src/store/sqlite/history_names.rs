//! Journaled rows as people know them.

use std::collections::HashMap;

use super::db::{Db, text};
use super::journal_entries::{ENTRY, Entry, entry};
use crate::store::StoreResult;

/// What a row is known by, as far as its image tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RowName {
    /// The hearing itself.
    Hearing,
    Committee(i64),
    Witness(i64),
    Bill(i64),
    Told(String),
}

impl RowName {
    pub(super) fn of(entry: &Entry) -> Self {
        let Some(image) = entry.after.as_ref().or(entry.before.as_ref()) else {
            return Self::Told("row ?".to_owned());
        };
        let id = |key, known: fn(i64) -> Self, what: &str| match image.integer(key) {
            Some(id) => known(id),
            None => Self::Told(format!("{what} ?")),
        };
        match entry.table.as_str() {
            "hearings" => Self::Hearing,
            "hearing_committees" => id("committee_id", Self::Committee, "committee"),
            "witness_appearances" => id("witness_id", Self::Witness, "witness"),
            "hearing_bills" => id("bill_id", Self::Bill, "bill"),
            "hearing_transcripts" => {
                let jacket = image.text("jacket_number");
                Self::Told(format!("transcript {}", jacket.as_deref().unwrap_or("?")))
            }
            _ => Self::Told(
                match image.text("document_url").or_else(|| image.text("title")) {
                    Some(told) => format!("document {told}"),
                    None => format!(
                        "row {}",
                        image
                            .0
                            .first()
                            .and_then(|(_, c)| c.readable())
                            .unwrap_or_default()
                    ),
                },
            ),
        }
    }
}

/// Looks names up, each once.
pub(super) struct Names<'a> {
    db: Db<'a>,
    found: HashMap<(&'static str, i64), String>,
    /// Of rows that are gone, by table: as the journal last saw them. Read at the first need.
    gone: HashMap<&'static str, HashMap<i64, String>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self {
            db,
            found: HashMap::new(),
            gone: HashMap::new(),
        }
    }

    /// `witness Jane Roe`, `bill HR 7 (119)`; empty for the hearing itself.
    pub(super) fn told(&mut self, name: &RowName) -> StoreResult<String> {
        Ok(match name {
            RowName::Hearing => String::new(),
            RowName::Told(told) => told.clone(),
            RowName::Committee(id) => {
                let code = self.named("committees", "committee_id", "system_code", *id)?;
                format!("committee {code}")
            }
            RowName::Witness(id) => {
                let name = self.named("witnesses", "witness_id", "full_name", *id)?;
                format!("witness {name}")
            }
            RowName::Bill(id) => format!("bill {}", self.bill(*id)?),
        })
    }

    /// The name of a row that another one refers to: as it is now, else as the journal last saw it.
    fn named(
        &mut self,
        table: &'static str,
        key: &str,
        name: &str,
        id: i64,
    ) -> StoreResult<String> {
        if let Some(found) = self.found.get(&(table, id)) {
            return Ok(found.clone());
        }
        let sql = format!("SELECT {name} FROM {table} WHERE {key} = ?1");
        let found = if let Some(found) = self.now(table, &sql, id)? {
            found
        } else {
            let gone = self.as_last_seen(table, key, name)?.get(&id).cloned();
            gone.unwrap_or_else(|| id.to_string())
        };
        self.found.insert((table, id), found.clone());
        Ok(found)
    }

    fn now(&self, table: &str, sql: &str, id: i64) -> StoreResult<Option<String>> {
        if !self.db.exists(table)? {
            return Ok(None);
        }
        Ok(self.db.one(table, sql, [id], |r| text(r, 0))?.flatten())
    }

    fn as_last_seen(
        &mut self,
        table: &'static str,
        key: &str,
        name: &str,
    ) -> StoreResult<&HashMap<i64, String>> {
        if !self.gone.contains_key(table) {
            let sql = format!(
                "SELECT {ENTRY} FROM updater_journal WHERE table_name = ?1 ORDER BY entry_id"
            );
            let mut seen = HashMap::new();
            for entry in self
                .db
                .all("journal", &sql, [table], entry)?
                .iter()
                .flatten()
            {
                let Some(image) = entry.after.as_ref().or(entry.before.as_ref()) else {
                    continue;
                };
                if let (Some(id), Some(name)) = (image.integer(key), image.text(name)) {
                    seen.insert(id, name);
                }
            }
            self.gone.insert(table, seen);
        }
        Ok(self.gone.entry(table).or_default())
    }

    fn bill(&mut self, id: i64) -> StoreResult<String> {
        if let Some(found) = self.found.get(&("bills", id)) {
            return Ok(found.clone());
        }
        let sql = "SELECT bill_type || ' ' || bill_number || ' (' || congress || ')' FROM bills \
                   WHERE bill_id = ?1";
        let found = self
            .now("bills", sql, id)?
            .unwrap_or_else(|| id.to_string());
        self.found.insert(("bills", id), found.clone());
        Ok(found)
    }
}
