//! Single rows put back, changed back or taken away, by their keys.

use rusqlite::params_from_iter;

use super::db::{Db, quoted};
use super::journal_entries::RowKey;
use super::journal_image::{Cell, Image, ROWID};
use super::tables::Table;
use crate::store::StoreResult;

pub(super) fn delete(db: Db<'_>, table: &Table, key: &RowKey) -> StoreResult<()> {
    if table.name == "hearings"
        && let Some(id) = key.cells.first().and_then(Cell::integer)
    {
        // Without a hearing they wait for nothing.
        db.exec(
            "updater_unmatched_documents",
            "DELETE FROM updater_unmatched_documents WHERE hearing_id = ?1",
            [id],
        )?;
    }
    let sql = format!(
        "DELETE FROM main.{} WHERE {}",
        quoted(&table.name),
        RowKey::condition(table)
    );
    db.exec(&table.name, &sql, params_from_iter(&key.cells))
        .map(|_| ())
}

pub(super) fn update(
    db: Db<'_>,
    table: &Table,
    key: &RowKey,
    before: &Image,
    after: &Image,
) -> StoreResult<()> {
    let mut sets: Vec<String> = Vec::new();
    let mut values: Vec<&Cell> = Vec::new();
    for (name, was) in &before.0 {
        let same = name == ROWID && after.get(name).is_none()
            || after.get(name).is_some_and(|is| is.same(was));
        if !same && name == ROWID {
            sets.push(format!("{} = ?", table.rowid.unwrap_or("rowid")));
            values.push(was);
        } else if !same && table.has(name) {
            sets.push(format!("{} = ?", quoted(name)));
            values.push(was);
        }
    }
    if sets.is_empty() {
        return Ok(());
    }
    values.extend(&key.cells);
    let sql = format!(
        "UPDATE main.{} SET {} WHERE {}",
        quoted(&table.name),
        sets.join(", "),
        RowKey::condition(table)
    );
    db.exec(&table.name, &sql, params_from_iter(values))
        .map(|_| ())
}

pub(super) fn insert(db: Db<'_>, table: &Table, image: &Image) -> StoreResult<()> {
    let mut names: Vec<String> = Vec::new();
    let mut values: Vec<&Cell> = Vec::new();
    for (name, cell) in &image.0 {
        if name == ROWID {
            names.push(table.rowid.unwrap_or("rowid").to_owned());
        } else if table.has(name) {
            names.push(quoted(name));
        } else {
            continue;
        }
        values.push(cell);
    }
    let marks = vec!["?"; values.len()].join(", ");
    let sql = format!(
        "INSERT INTO main.{} ({}) VALUES ({marks})",
        quoted(&table.name),
        names.join(", ")
    );
    db.exec(&table.name, &sql, params_from_iter(values))
        .map(|_| ())
}
