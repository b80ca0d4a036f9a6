//! What the checks before and after a run look at. Reads only.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;

use super::classify::classify;
use super::db::text;
use super::integrity::full_check;
use super::migrate;
use super::open::wal_hint;
use super::{OnClose, SqliteStore};
use crate::faults::{Point, reach};
use crate::store::{Access, Health, Soundness, StoreError, StoreResult};

/// Not this updater's business.
const OUT_OF_SCOPE: [&str; 2] = ["bills", "hearing_bills"];

/// Child table, its column, parent table, the parent's key.
const PARENTS: [(&str, &str, &str, &str); 7] = [
    ("hearing_committees", "hearing_id", "hearings", "hearing_id"),
    (
        "hearing_committees",
        "committee_id",
        "committees",
        "committee_id",
    ),
    (
        "witness_appearances",
        "witness_id",
        "witnesses",
        "witness_id",
    ),
    (
        "witness_appearances",
        "hearing_id",
        "hearings",
        "hearing_id",
    ),
    (
        "witness_documents",
        "appearance_id",
        "witness_appearances",
        "appearance_id",
    ),
    (
        "supporting_documents",
        "hearing_id",
        "hearings",
        "hearing_id",
    ),
    (
        "hearing_transcripts",
        "hearing_id",
        "hearings",
        "hearing_id",
    ),
];

/// Columns of which every combination may be there once.
const UNIQUE: [(&str, &[&str]); 4] = [
    ("hearings", &["event_id"]),
    ("committees", &["system_code"]),
    ("witness_appearances", &["witness_id", "hearing_id"]),
    ("hearing_committees", &["hearing_id", "committee_id"]),
];

/// Column of `hearings`, its known values.
const KNOWN: [(&str, &str); 3] = [
    ("chamber", "'House', 'Senate', 'NoChamber'"),
    ("hearing_type", "'Hearing', 'Meeting', 'Markup'"),
    (
        "status",
        "'Scheduled', 'Canceled', 'Postponed', 'Rescheduled'",
    ),
];

impl SqliteStore {
    fn number(&self, sql: &str) -> StoreResult<i64> {
        let found = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row([], |r| r.get(0)));
        found.map_err(|err| classify(err, &self.path, "counting hearings"))
    }
}

impl Health for SqliteStore {
    fn path(&self) -> &Path {
        &self.path
    }

    fn expect_writable(&self) -> StoreResult<()> {
        let fixed = self
            .conn
            .is_readonly("main")
            .map_err(|error| classify(error, &self.path, "asking whether it can be written"))?;
        if fixed && self.access == Access::ReadWrite {
            return Err(StoreError::ReadOnly {
                path: self.path.clone(),
                detail: "the file is read-only".to_owned(),
            });
        }
        Ok(())
    }

    fn missing_tables(&mut self) -> StoreResult<Vec<String>> {
        migrate::missing_core(&self.conn).map_err(|error| self.failed(error))
    }

    fn table_counts(&mut self) -> StoreResult<Vec<(String, i64)>> {
        table_counts(&self.conn).map_err(|error| self.failed(error))
    }

    fn highest_hearing_id(&mut self) -> StoreResult<i64> {
        let largest = "SELECT COALESCE(MAX(hearing_id), 0) FROM hearings";
        let given_out = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'hearings'";
        let largest: i64 = self.number(largest)?;
        // Tables without AUTOINCREMENT have no such table.
        Ok(self
            .number(given_out)
            .map_or(largest, |seq| seq.max(largest)))
    }

    fn hearing_count(&mut self) -> StoreResult<i64> {
        self.number("SELECT COUNT(*) FROM hearings")
    }

    fn soundness(&mut self) -> StoreResult<Soundness> {
        // From the disk, not from the pages that we remember.
        let mut found = self
            .conn
            .execute_batch("PRAGMA shrink_memory")
            .and_then(|()| soundness(&self.conn))
            .map_err(|error| self.failed(error));
        if self.on_close == OnClose::KeepWal {
            match &mut found {
                Ok(found) if !found.integrity.is_empty() => {
                    found.integrity.push(wal_hint(&self.path));
                }
                Err(StoreError::Corrupt { detail, .. }) => {
                    *detail = format!("{detail}; {}", wal_hint(&self.path));
                }
                _ => {}
            }
        }
        let sound = matches!(&found, Ok(found) if found.integrity.is_empty());
        if self.access == Access::ReadWrite {
            self.set_on_close(if sound {
                OnClose::FoldWal
            } else {
                OnClose::KeepWal
            });
        }
        found
    }

    fn back_up(&mut self, folder: &Path, interrupted: &dyn Fn() -> bool) -> StoreResult<PathBuf> {
        self.write_backup(folder, interrupted)
    }

    fn checkpoint_wal(&mut self) -> StoreResult<()> {
        let kept = self.on_close == OnClose::KeepWal;
        if self.access == Access::ReadOnly || self.head.is_some() || kept {
            return Ok(());
        }
        reach(Point::WalFold, String::new)?;
        match self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        {
            Ok(()) => Ok(()),
            // A reader is in the way: what is left in the WAL goes in the next time.
            Err(error) => match self.failed(error) {
                StoreError::Busy { .. } => Ok(()),
                other => Err(other),
            },
        }
    }
}

impl SqliteStore {
    fn failed(&self, error: rusqlite::Error) -> StoreError {
        classify(error, &self.path, "checking the database")
    }
}

fn table_counts(conn: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    let names: Vec<String> = conn
        .prepare_cached(
            "SELECT name FROM main.sqlite_master
             WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
               AND name NOT LIKE 'updater\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%'
             ORDER BY name",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    names
        .into_iter()
        .map(|name| {
            let count = count(conn, &name)?;
            Ok((name, count))
        })
        .collect()
}

fn count(conn: &Connection, table: &str) -> rusqlite::Result<i64> {
    conn.query_row(
        &format!("SELECT COUNT(*) FROM main.{}", quoted(table)),
        [],
        |row| row.get(0),
    )
}

fn soundness(conn: &Connection) -> rusqlite::Result<Soundness> {
    let look = Look {
        conn,
        columns: columns(conn)?,
    };
    let file = full_check(conn)?;
    let mut found = Soundness {
        integrity: file.damage,
        foreign_keys: look.foreign_keys()?,
        duplicates: look.duplicates()?,
        invalid_values: look.invalid_values()?,
        orphans: look.orphans()?,
        ..Soundness::default()
    };
    // Where the rows of hearings are named, that SQLite found them too says nothing new.
    let named = !found.invalid_values.is_empty();
    let rules = file.rules.into_iter();
    found
        .invalid_values
        .extend(rules.filter(|rule| !(named && rule.ends_with(" in hearings"))));
    for (table, figure) in [
        ("hearings", &mut found.hearings),
        ("committees", &mut found.committees),
        ("witnesses", &mut found.witnesses),
        ("witness_appearances", &mut found.appearances),
        ("hearing_committees", &mut found.links),
    ] {
        if look.has(table, &[]) {
            *figure = count(conn, table)?;
        }
    }
    Ok(found)
}

/// Tables and their columns, in lower case.
fn columns(conn: &Connection) -> rusqlite::Result<HashMap<String, Vec<String>>> {
    let mut columns: HashMap<String, Vec<String>> = HashMap::new();
    let mut statement = conn.prepare_cached(
        "SELECT lower(tables.name), lower(info.name)
         FROM main.sqlite_master AS tables, pragma_table_info(tables.name, 'main') AS info
         WHERE tables.type = 'table' AND tables.sql NOT LIKE 'CREATE VIRTUAL%'",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for row in rows {
        let (table, column) = row?;
        columns.entry(table).or_default().push(column);
    }
    Ok(columns)
}

struct Look<'a> {
    conn: &'a Connection,
    columns: HashMap<String, Vec<String>>,
}

impl Look<'_> {
    /// What is not there cannot be wrong.
    fn has(&self, table: &str, columns: &[&str]) -> bool {
        self.columns
            .get(&table.to_ascii_lowercase())
            .is_some_and(|have| {
                columns
                    .iter()
                    .all(|wanted| have.iter().any(|column| column == wanted))
            })
    }

    fn texts(&self, sql: &str) -> rusqlite::Result<Vec<String>> {
        // Text that is not UTF-8 is no reason to give up.
        self.conn
            .prepare_cached(sql)?
            .query_map([], |row| Ok(text(row, 0)?.unwrap_or_default()))?
            .collect()
    }

    fn foreign_keys(&self) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.conn.prepare_cached("PRAGMA foreign_key_check")?;
        let violations: Vec<(String, Option<i64>, String, i64)> = statement
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut found = Vec::new();
        for (table, row, parent, key) in violations {
            let aside = |name: &str| {
                OUT_OF_SCOPE
                    .iter()
                    .any(|out| out.eq_ignore_ascii_case(name))
            };
            if aside(&table) || aside(&parent) || !self.has(&parent, &[]) {
                continue;
            }
            let Some(row) = row else {
                found.push(format!("{table}: a row without its {parent} row"));
                continue;
            };
            let value = self.reference(&table, row, key)?;
            found.push(format!("{table} row {row}: no {parent} row {value}"));
        }
        Ok(found)
    }

    /// What a row's foreign key says, for a person.
    fn reference(&self, table: &str, row: i64, key: i64) -> rusqlite::Result<String> {
        let columns: Vec<String> = self
            .conn
            .prepare_cached(
                "SELECT \"from\" FROM pragma_foreign_key_list(?1, 'main') WHERE id = ?2 ORDER BY seq",
            )?
            .query_map((table, key), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let list = columns
            .iter()
            .map(|name| quoted(name))
            .collect::<Vec<_>>()
            .join(", ");
        self.conn.query_row(
            &format!("SELECT {list} FROM main.{} WHERE rowid = ?1", quoted(table)),
            [row],
            |values| {
                let mut shown = Vec::with_capacity(columns.len());
                for at in 0..columns.len() {
                    shown.push(show(&values.get(at)?));
                }
                Ok(shown.join(", "))
            },
        )
    }

    fn duplicates(&self) -> rusqlite::Result<Vec<String>> {
        let mut found = Vec::new();
        for (table, columns) in UNIQUE {
            if !self.has(table, columns) {
                continue;
            }
            let list = columns.join(", ");
            let shown: Vec<_> = columns
                .iter()
                .map(|column| format!("'{column} ' || quote({column})"))
                .collect();
            let filled: Vec<_> = columns
                .iter()
                .map(|column| format!("{column} NOTNULL"))
                .collect();
            found.extend(self.texts(&format!(
                "SELECT '{table}: ' || {} || ' is there ' || COUNT(*) || ' times' FROM {table}
                 WHERE {} GROUP BY {list} HAVING COUNT(*) > 1",
                shown.join(" || ', ' || "),
                filled.join(" AND ")
            ))?);
        }
        Ok(found)
    }

    fn invalid_values(&self) -> rusqlite::Result<Vec<String>> {
        let mut found = Vec::new();
        if !self.has("hearings", &["hearing_id", "event_id", "title"]) {
            return Ok(found);
        }
        let row =
            "'hearings row ' || hearing_id || ' (event ' || ifnull(event_id, 'NULL') || '): '";
        for (column, known) in KNOWN {
            if self.has("hearings", &[column]) {
                found.extend(self.texts(&format!(
                    "SELECT {row} || '{column} ' || quote({column}) FROM hearings
                     WHERE {column} IS NULL OR {column} NOT IN ({known})"
                ))?);
            }
        }
        found.extend(self.texts(&format!(
            "SELECT {row} || 'no title' FROM hearings WHERE title IS NULL"
        ))?);
        Ok(found)
    }

    fn orphans(&self) -> rusqlite::Result<Vec<String>> {
        let mut found = Vec::new();
        for (child, column, parent, key) in PARENTS {
            if self.has(child, &[column]) && self.has(parent, &[key]) {
                found.extend(self.texts(&format!(
                    "SELECT '{child} row ' || rowid || ': no {parent} row ' || quote({column})
                     FROM {child} AS child WHERE {column} NOTNULL
                     AND NOT EXISTS (SELECT 1 FROM {parent} WHERE {parent}.{key} = child.{column})"
                ))?);
            }
        }
        Ok(found)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
