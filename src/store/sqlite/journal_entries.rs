//! Reading the journal back: its entries, the rows they speak of, and names for people.

use std::collections::HashMap;

use rusqlite::params_from_iter;

use super::db::{Db, quoted, text};
use super::journal_image::{Cell, Image, ROWID};
use super::tables::{Reference, Table, references, tables};
use crate::store::{BatchId, StoreError, StoreResult};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Insert,
    Update,
    Delete,
}

/// One row of `updater_journal`.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) batch: BatchId,
    pub(super) table: String,
    pub(super) op: Op,
    pub(super) hearing_id: Option<i64>,
    pub(super) before: Option<Image>,
    pub(super) after: Option<Image>,
}

pub(super) const ENTRY: &str = "entry_id, batch_id, table_name, op, hearing_id, before, after";

/// An entry of a row of `ENTRY`; `Err` for one that is damaged.
pub(super) fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<Entry, i64>> {
    let id: i64 = row.get(0)?;
    let op = match row.get::<_, String>(3)?.as_str() {
        "I" => Op::Insert,
        "U" => Op::Update,
        "D" => Op::Delete,
        _ => return Ok(Err(id)),
    };
    let (before, after) = (text(row, 5)?, text(row, 6)?);
    let image = |text: &Option<String>| text.as_deref().and_then(Image::parse);
    let entry = Entry {
        id,
        batch: row.get(1)?,
        table: row.get(2)?,
        op,
        hearing_id: row.get::<_, Option<i64>>(4).unwrap_or_default(),
        before: image(&before),
        after: image(&after),
    };
    let sound =
        entry.before.is_some() == (op != Op::Insert) && entry.after.is_some() == (op != Op::Delete);
    Ok(if sound { Ok(entry) } else { Err(id) })
}

/// All entries of some batches, oldest first.
pub(super) fn entries(db: Db<'_>, batches: &[BatchId]) -> StoreResult<Vec<Entry>> {
    let mut sorted = batches.to_vec();
    sorted.sort_unstable();
    let mut all = Vec::new();
    for batch in sorted {
        let range = db.one(
            "journal",
            "SELECT first_entry, last_entry FROM updater_batches WHERE batch_id = ?1",
            [batch],
            |r| Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, Option<i64>>(1)?)),
        )?;
        let Some((Some(first), Some(last))) = range else {
            continue;
        };
        let found = db.all(
            "journal",
            &format!(
                "SELECT {ENTRY} FROM updater_journal \
                 WHERE entry_id BETWEEN ?1 AND ?2 AND batch_id = ?3 ORDER BY entry_id"
            ),
            [first, last, batch],
            entry,
        )?;
        for entry in found {
            all.push(entry.map_err(|id| StoreError::BadRecord {
                what: format!("journal entry {id}"),
                problem: "it cannot be read; put a backup back instead".to_owned(),
            })?);
        }
    }
    all.sort_by_key(|e| e.id);
    Ok(all)
}

/// The file's tables and references, for finding rows.
pub(super) struct Catalog {
    tables: HashMap<String, Table>,
    pub(super) references: Vec<Reference>,
}

impl Catalog {
    pub(super) fn read(db: Db<'_>) -> StoreResult<Self> {
        let tables = db.fail(tables(db.conn), "reading the schema")?;
        let references = db.fail(references(db.conn, &tables), "reading the schema")?;
        let tables = tables
            .into_iter()
            .map(|t| (t.name.to_ascii_lowercase(), t))
            .collect();
        Ok(Self { tables, references })
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(&name.to_ascii_lowercase())
    }
}

/// A row's key: its primary key, else its row id.
#[derive(Debug, Clone)]
pub(super) struct RowKey {
    pub(super) cells: Vec<Cell>,
    /// Table and key as one text, for maps.
    pub(super) id: String,
}

impl RowKey {
    /// `None` where the image lacks a column of the key.
    pub(super) fn of(table: &Table, image: &Image) -> Option<Self> {
        let cells: Vec<Cell> = if table.key.is_empty() {
            vec![image.get(ROWID)?.clone()]
        } else {
            table
                .key
                .iter()
                .map(|column| image.get(column).cloned())
                .collect::<Option<_>>()?
        };
        let id = format!("{} {cells:?}", table.name);
        Some(Self { cells, id })
    }

    /// `"a" IS ? AND "b" IS ?`
    pub(super) fn condition(table: &Table) -> String {
        if table.key.is_empty() {
            return format!("{} IS ?", table.rowid.unwrap_or("rowid"));
        }
        let parts: Vec<String> = table
            .key
            .iter()
            .map(|c| format!("{} IS ?", quoted(c)))
            .collect();
        parts.join(" AND ")
    }
}

/// The row as it is now.
pub(super) fn current(db: Db<'_>, table: &Table, key: &RowKey) -> StoreResult<Option<Image>> {
    let list: Vec<String> = table.columns.iter().map(|c| quoted(c)).collect();
    let sql = format!(
        "SELECT {} FROM main.{} WHERE {}",
        list.join(", "),
        quoted(&table.name),
        RowKey::condition(table)
    );
    db.one(&table.name, &sql, params_from_iter(&key.cells), |row| {
        let cells = table.columns.iter().enumerate();
        let cells = cells.map(|(at, c)| Ok((c.clone(), Cell::from_ref(row.get_ref(at)?))));
        cells.collect::<rusqlite::Result<Vec<_>>>().map(Image)
    })
}

/// Whether a row is as an image says, in the columns that are still there.
pub(super) fn is_as(table: &Table, now: &Image, image: &Image) -> bool {
    image
        .0
        .iter()
        .filter(|(name, _)| table.has(name))
        .all(|(name, cell)| now.get(name).is_some_and(|now| now.same(cell)))
}

/// A row as people know it: `hearings 1346 (event 118296)`, `witnesses 17 'Jane Roe'`.
pub(super) fn name_of(table: &str, key: &RowKey, image: Option<&Image>) -> String {
    let ids: Vec<String> = key
        .cells
        .iter()
        .map(|c| c.readable().unwrap_or_else(|| "NULL".to_owned()))
        .collect();
    let base = format!("{table} {}", ids.join("/"));
    let Some(image) = image else { return base };
    if let Some(event) = image.text("event_id") {
        return format!("{base} (event {event})");
    }
    let told = ["full_name", "system_code", "document_url"]
        .iter()
        .find_map(|c| image.text(c));
    match told {
        Some(told) => format!("{base} '{told}'"),
        None => base,
    }
}
