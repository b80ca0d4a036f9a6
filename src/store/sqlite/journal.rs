//! The journal's triggers: every row that changes while a batch is open leaves its before and after
//! images in `updater_journal`, in the same transaction, whoever's SQL it was.
//!
//! The triggers are TEMP: they belong to our connection, fire before the file's own AFTER triggers (so
//! that entries stand in the order of the changes), and are made anew whenever the schema changed.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::classify::classify;
use super::db::{literal, quoted};
use super::journal_image::{ROWID, push_pair};
use super::tables::{Table, tables};
use crate::domain::{name_key, organization_key};
use crate::store::StoreResult;

/// Columns to one call of `updater_image`: two arguments each, under SQLite's old limit of 127.
const COLUMNS_AT_ONCE: usize = 60;

const PREFIX: &str = "updater_j_";

/// Registers the journal's SQL functions and makes its triggers anew.
pub(super) fn install(conn: &Connection, batch: &Arc<AtomicI64>) -> StoreResult<()> {
    install_all(conn, batch).map_err(|e| {
        classify(
            e,
            Path::new(conn.path().unwrap_or_default()),
            "journal triggers",
        )
    })
}

fn install_all(conn: &Connection, batch: &Arc<AtomicI64>) -> rusqlite::Result<()> {
    functions(conn, batch)?;
    let mut sql = String::new();
    let mut stale = conn.prepare(
        "SELECT name FROM temp.sqlite_master WHERE type = 'trigger' AND name LIKE 'updater\\_%' ESCAPE '\\'",
    )?;
    for name in stale.query_map([], |r| r.get::<_, String>(0))? {
        let _ = write!(sql, "DROP TRIGGER temp.{};", quoted(&name?));
    }
    let tables = tables(conn)?;
    let has = |name: &str| tables.iter().any(|t| t.name == name);
    if has("updater_journal") {
        for table in tables.iter().filter(|t| is_journaled(t)) {
            table_triggers(&mut sql, table);
        }
        if has("updater_witness_names") {
            sql.push_str(NAMES_IN_STEP);
        }
    }
    conn.execute_batch(&sql)?;
    recursion(conn)
}

/// Without `recursive_triggers` the rows that a REPLACE deletes go unseen; with it, a trigger of the
/// file's own that updates its own table would run into itself. Where there are such triggers, only
/// statements that say REPLACE get it (see `sees_replace`).
fn recursion(conn: &Connection) -> rusqlite::Result<()> {
    let own: bool = conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'trigger')",
        [],
        |r| r.get(0),
    )?;
    conn.pragma_update(None, "recursive_triggers", !own)
}

/// Ordinary tables, except SQLite's and our own bookkeeping.
pub(super) fn is_journaled(table: &Table) -> bool {
    let name = table.name.to_ascii_lowercase();
    !name.starts_with("sqlite_")
        && (!name.starts_with("updater_") || name == "updater_unmatched_documents")
        && !table.columns.is_empty()
}

fn functions(conn: &Connection, batch: &Arc<AtomicI64>) -> rusqlite::Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let batch = Arc::clone(batch);
    conn.create_scalar_function("updater_batch", 0, FunctionFlags::SQLITE_UTF8, move |_| {
        Ok(batch.load(Ordering::SeqCst))
    })?;
    conn.create_scalar_function("updater_image", -1, pure, |context| {
        let mut out = String::with_capacity(64 + context.len() * 24);
        out.push('{');
        let mut at = 0;
        while at + 1 < context.len() {
            let name = context.get_raw(at).as_str()?;
            push_pair(&mut out, name, context.get_raw(at + 1));
            at += 2;
        }
        out.push('}');
        Ok(out)
    })?;
    // Two objects in one.
    conn.create_scalar_function("updater_join", 2, pure, |context| {
        let first = context.get_raw(0).as_str()?;
        let second = context.get_raw(1).as_str()?;
        let inner = first.strip_suffix('}').unwrap_or(first);
        let rest = second.strip_prefix('{').unwrap_or(second);
        Ok(format!(
            "{inner}{}{rest}",
            if inner.len() > 1 && rest.len() > 1 {
                ","
            } else {
                ""
            }
        ))
    })?;
    conn.create_scalar_function("updater_name_key", 1, pure, |context| {
        Ok(name_key(&text_of(context.get_raw(0))))
    })?;
    conn.create_scalar_function("updater_organization_key", 1, pure, |context| {
        let value = context.get_raw(0);
        let text = text_of(value);
        let absent = matches!(value, rusqlite::types::ValueRef::Null);
        Ok(organization_key((!absent).then_some(text.as_str())))
    })
}

fn text_of(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(i) => i.to_string(),
        ValueRef::Real(r) => r.to_string(),
        ValueRef::Text(t) | ValueRef::Blob(t) => String::from_utf8_lossy(t).into_owned(),
    }
}

/// SQL that makes the image of a row (`alias` is `OLD`, `NEW` or a table's alias).
pub(super) fn image_sql(table: &Table, alias: &str) -> String {
    let mut parts: Vec<String> = Vec::with_capacity(table.columns.len() + 1);
    if table.key.is_empty()
        && let Some(rowid) = table.rowid
    {
        parts.push(format!("{}, {alias}.{rowid}", literal(ROWID)));
    }
    for column in &table.columns {
        parts.push(format!("{}, {alias}.{}", literal(column), quoted(column)));
    }
    let mut calls = parts
        .chunks(COLUMNS_AT_ONCE)
        .map(|chunk| format!("updater_image({})", chunk.join(", ")));
    let first = calls.next().unwrap_or_else(|| "'{}'".to_owned());
    calls.fold(first, |all, next| format!("updater_join({all}, {next})"))
}

/// Whose row it is, where the table tells.
fn hearing_sql(table: &Table, alias: &str) -> String {
    if table.has("hearing_id") {
        format!("{alias}.hearing_id")
    } else if table.has("appearance_id") {
        format!(
            "(SELECT hearing_id FROM witness_appearances WHERE appearance_id = {alias}.appearance_id)"
        )
    } else {
        "NULL".to_owned()
    }
}

fn table_triggers(sql: &mut String, table: &Table) {
    let (old, new) = (image_sql(table, "OLD"), image_sql(table, "NEW"));
    // Exactly: neither a column's collation nor 1 = 1.0 may hide a change.
    let differs = table
        .columns
        .iter()
        .map(|c| {
            let c = quoted(c);
            format!("OLD.{c} IS NOT NEW.{c} COLLATE BINARY OR typeof(OLD.{c}) <> typeof(NEW.{c})")
        })
        .chain(
            table
                .rowid
                .filter(|_| table.key.is_empty())
                .map(|r| format!("OLD.{r} <> NEW.{r}")),
        )
        .collect::<Vec<_>>()
        .join(" OR ");
    let events = [
        (
            "I",
            "INSERT",
            String::new(),
            hearing_sql(table, "NEW"),
            "NULL",
            new.as_str(),
        ),
        (
            "U",
            "UPDATE",
            format!("WHEN {differs} "),
            hearing_sql(table, "NEW"),
            &old,
            &new,
        ),
        (
            "D",
            "DELETE",
            String::new(),
            hearing_sql(table, "OLD"),
            &old,
            "NULL",
        ),
    ];
    for (op, event, when, hearing, before, after) in events {
        let _ = write!(
            sql,
            "CREATE TEMP TRIGGER {trigger} AFTER {event} ON main.{on} {when}BEGIN \
             INSERT INTO updater_journal (batch_id, table_name, op, hearing_id, before, after) \
             VALUES (updater_batch(), {name}, '{op}', {hearing}, {before}, {after}); END;",
            trigger = quoted(&format!("{PREFIX}{}_{op}", table.name)),
            on = quoted(&table.name),
            name = literal(&table.name),
        );
    }
}

/// Keeps the normalised names in step with whatever this connection does to witnesses. (Deleting first:
/// the conflict clause of the outer statement would rule a REPLACE here.)
const NAMES_IN_STEP: &str = "
CREATE TEMP TRIGGER updater_names_i AFTER INSERT ON main.witnesses BEGIN
    DELETE FROM updater_witness_names WHERE witness_id = NEW.witness_id;
    INSERT INTO updater_witness_names (witness_id, name_key, organization_key, full_name, organization)
    VALUES (NEW.witness_id, updater_name_key(NEW.full_name),
            updater_organization_key(NEW.organization), NEW.full_name, NEW.organization);
END;
CREATE TEMP TRIGGER updater_names_u AFTER UPDATE OF witness_id, full_name, organization ON main.witnesses BEGIN
    DELETE FROM updater_witness_names WHERE witness_id IN (OLD.witness_id, NEW.witness_id);
    INSERT INTO updater_witness_names (witness_id, name_key, organization_key, full_name, organization)
    VALUES (NEW.witness_id, updater_name_key(NEW.full_name),
            updater_organization_key(NEW.organization), NEW.full_name, NEW.organization);
END;
CREATE TEMP TRIGGER updater_names_d AFTER DELETE ON main.witnesses BEGIN
    DELETE FROM updater_witness_names WHERE witness_id = OLD.witness_id;
END;";

/// Whether a statement needs `recursive_triggers` for the journal to see all that it does.
pub(super) fn sees_replace(sql: &str) -> bool {
    sql.as_bytes()
        .windows(7)
        .any(|word| word.eq_ignore_ascii_case(b"replace"))
}
