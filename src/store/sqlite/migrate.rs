//! Bringing an older database up: what newer ones have is added, nothing that is there is touched.

use std::collections::HashSet;

use rusqlite::Connection;

use super::SqliteStore;
use super::classify::classify;
use crate::faults::{Point, pass};
use crate::store::{Access, StoreError, StoreResult};

const NEWER_SCHEMA: &str = include_str!("newer_schema.sql");
const OWN_SCHEMA: &str = include_str!("own_schema.sql");

/// Without these a file is not a hearings database.
pub(super) const CORE: [&str; 6] = [
    "hearings",
    "committees",
    "hearing_committees",
    "witnesses",
    "witness_appearances",
    "witness_documents",
];

pub(super) const COLUMNS: [(&str, &str, &str); 7] = [
    ("hearings", "video_url", "TEXT"),
    ("hearings", "youtube_video_id", "TEXT"),
    ("hearings", "video_type", "TEXT"),
    ("hearings", "hearing_date_only", "DATE"),
    ("hearings", "hearing_time", "TIME"),
    ("update_logs", "trigger_source", "TEXT DEFAULT 'manual'"),
    ("update_logs", "schedule_id", "INTEGER"),
];

/// Table, its two columns, and the index that keeps pairs of them unique.
const UNIQUE: [(&str, [&str; 2], &str); 3] = [
    (
        "witness_documents",
        ["appearance_id", "document_url"],
        "idx_witness_documents_unique",
    ),
    (
        "supporting_documents",
        ["hearing_id", "document_url"],
        "idx_supporting_documents_unique",
    ),
    (
        "hearing_transcripts",
        ["hearing_id", "document_url"],
        "idx_hearing_transcripts_unique",
    ),
];

/// What is to be added: its name for people, and the SQL.
struct Addition {
    name: String,
    sql: String,
}

#[derive(Default)]
struct Plan {
    additions: Vec<Addition>,
    warnings: Vec<String>,
}

impl SqliteStore {
    /// -> the names of what was added.
    pub(super) fn migrate(&mut self) -> StoreResult<Vec<String>> {
        let version = self.schema_version()?;
        if self.brought_up == Some(version) {
            return Ok(Vec::new());
        }
        let fail = |error| classify(error, &self.path, "bringing the database up");
        let missing = missing_core(&self.conn).map_err(fail)?;
        if !missing.is_empty() {
            return Err(StoreError::WrongTables {
                path: self.path.clone(),
                tables: missing,
            });
        }
        let plan = plan(&self.conn).map_err(fail)?;
        if plan.additions.is_empty() {
            self.report(&plan);
            self.brought_up = Some(version);
            return Ok(Vec::new());
        }
        if self.access == Access::ReadOnly {
            return Err(StoreError::ReadOnly {
                path: self.path.clone(),
                detail: "it was opened for reading only".to_owned(),
            });
        }
        self.conn.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
        let outcome = apply(&self.conn).and_then(|plan| {
            self.conn.execute_batch("COMMIT")?;
            Ok(plan)
        });
        let plan = match outcome {
            Ok(plan) => plan,
            Err(error) => {
                let error = classify(error, &self.path, "bringing the database up");
                if !self.conn.is_autocommit() && self.conn.execute_batch("ROLLBACK").is_err() {
                    self.broken = true;
                }
                return Err(error);
            }
        };
        self.report(&plan);
        let names: Vec<String> = plan
            .additions
            .into_iter()
            .map(|addition| addition.name)
            .collect();
        if !names.is_empty() {
            tracing::info!(target: "updaters.store", "Brought database up: added {}", names.join(", "));
        }
        self.brought_up = Some(self.schema_version()?);
        Ok(names)
    }

    /// The names of what `migrate` would add; reads only.
    pub(super) fn to_be_added(&self) -> StoreResult<Vec<String>> {
        let fail = |error| classify(error, &self.path, "looking at the database's shape");
        let missing = missing_core(&self.conn).map_err(fail)?;
        if !missing.is_empty() {
            return Err(StoreError::WrongTables {
                path: self.path.clone(),
                tables: missing,
            });
        }
        let plan = plan(&self.conn).map_err(fail)?;
        let names = plan.additions.into_iter().map(|addition| addition.name);
        Ok(names.collect())
    }

    fn report(&self, plan: &Plan) {
        for warning in &plan.warnings {
            tracing::warn!(target: "updaters.store", "{}: {warning}", self.path.display());
        }
    }
}

/// Looks again, now with the lock held (another program may have been first), and adds.
fn apply(conn: &Connection) -> rusqlite::Result<Plan> {
    let plan = plan(conn)?;
    for addition in &plan.additions {
        conn.execute_batch(&addition.sql)?;
        pass(Point::Migration, || addition.name.clone());
    }
    Ok(plan)
}

/// Everything that newer databases have, in a database being made.
pub(super) fn add_all(conn: &Connection) -> rusqlite::Result<()> {
    apply(conn).map(|_| ())
}

pub(super) fn missing_core(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let names = names(conn, "table")?;
    Ok(CORE
        .iter()
        .filter(|name| !names.contains(**name))
        .map(|name| (*name).to_owned())
        .collect())
}

fn plan(conn: &Connection) -> rusqlite::Result<Plan> {
    let mut plan = Plan::default();
    let tables = names(conn, "table")?;
    let indexes = names(conn, "index")?;
    for (table, column, kind) in COLUMNS {
        if tables.contains(table) && !columns(conn, table)?.contains(column) {
            plan.additions.push(Addition {
                name: format!("column {table}.{column}"),
                sql: format!("ALTER TABLE {table} ADD COLUMN {column} {kind}"),
            });
        }
    }
    for statement in statements(NEWER_SCHEMA).chain(statements(OWN_SCHEMA)) {
        let known = if statement.kind == "table" {
            &tables
        } else {
            &indexes
        };
        if !known.contains(&statement.name.to_ascii_lowercase()) {
            plan.additions.push(Addition {
                name: format!("{} {}", statement.kind, statement.name),
                sql: statement.sql.to_owned(),
            });
        }
    }
    for (table, [first, second], index) in UNIQUE {
        if !tables.contains(table)
            || indexes.contains(index)
            || !columns(conn, table)?.contains(first)
            || !columns(conn, table)?.contains(second)
            || has_unique(conn, table, first, second)?
        {
            continue;
        }
        if has_pairs(conn, table, first, second)? {
            plan.warnings.push(format!(
                "{table} has rows with the same {first} and {second}: no unique index was added"
            ));
        } else {
            plan.additions.push(Addition {
                name: format!("unique index on {table}({first}, {second})"),
                sql: format!("CREATE UNIQUE INDEX {index} ON {table}({first}, {second})"),
            });
        }
    }
    Ok(plan)
}

struct Creation<'a> {
    kind: &'static str,
    name: &'a str,
    sql: &'a str,
}

/// The statements of one of our schema files, which end with `;` at the end of a line, as nothing else
/// there does outside a comment.
fn statements(schema: &str) -> impl Iterator<Item = Creation<'_>> {
    [
        ("table", "CREATE TABLE IF NOT EXISTS "),
        ("index", "CREATE INDEX IF NOT EXISTS "),
    ]
    .into_iter()
    .flat_map(move |(kind, opening)| {
        schema.match_indices(opening).filter_map(move |(at, _)| {
            let sql = schema.get(at..)?;
            let sql = sql.split_inclusive(";\n").next()?;
            let name = sql.get(opening.len()..)?;
            let name = name.split([' ', '(', '\n']).next()?;
            Some(Creation { kind, name, sql })
        })
    })
}

/// Names in lower case: SQLite does not mind the case.
fn names(conn: &Connection, kind: &str) -> rusqlite::Result<HashSet<String>> {
    conn.prepare_cached("SELECT lower(name) FROM main.sqlite_master WHERE type = ?1")?
        .query_map([kind], |row| row.get(0))?
        .collect()
}

fn columns(conn: &Connection, table: &str) -> rusqlite::Result<HashSet<String>> {
    conn.prepare_cached("SELECT lower(name) FROM pragma_table_info(?1, 'main')")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

fn has_unique(conn: &Connection, table: &str, first: &str, second: &str) -> rusqlite::Result<bool> {
    let mut indexes = conn.prepare(
        "SELECT name FROM pragma_index_list(?1, 'main') WHERE \"unique\" = 1 AND partial = 0",
    )?;
    let indexes: Vec<String> = indexes
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for index in indexes {
        let columns: HashSet<String> = conn
            .prepare_cached("SELECT lower(COALESCE(name, '')) FROM pragma_index_info(?1, 'main')")?
            .query_map([&index], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if columns.len() == 2 && columns.contains(first) && columns.contains(second) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_pairs(conn: &Connection, table: &str, first: &str, second: &str) -> rusqlite::Result<bool> {
    conn.query_row(
        &format!(
            "SELECT EXISTS (SELECT 1 FROM {table} WHERE {first} IS NOT NULL AND {second} IS NOT NULL
             GROUP BY {first}, {second} HAVING COUNT(*) > 1)"
        ),
        [],
        |row| row.get(0),
    )
}

#[cfg(test)]
#[path = "migrate_tests.rs"]
mod tests;
