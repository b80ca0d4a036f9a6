//! What an undo has to know before and after: which batches, who refers to a row, what hangs loose.

use std::collections::BTreeSet;

use rusqlite::{params_from_iter, types::ToSql};

use super::db::{Db, quoted, text};
use super::journal_entries::{Catalog, ENTRY, Entry, RowKey, entry};
use super::journal_image::{Cell, Image};
use super::tables::Table;
use crate::store::{BatchId, StoreError, StoreResult};

/// Those of the batches that are not undone yet; an unknown one is refused.
pub(super) fn still_to_undo(db: Db<'_>, batches: &[BatchId]) -> StoreResult<Vec<BatchId>> {
    let mut wanted = Vec::with_capacity(batches.len());
    for &batch in batches {
        let state = db.one(
            "journal",
            "SELECT state FROM updater_batches WHERE batch_id = ?1",
            [batch],
            |r| text(r, 0),
        )?;
        match state {
            None => {
                return Err(StoreError::BadRecord {
                    what: format!("batch {batch}"),
                    problem: "the journal does not know it (its entries may have been pruned)"
                        .to_owned(),
                });
            }
            Some(state) if state.as_deref() == Some("undone") => {}
            Some(_) if wanted.contains(&batch) => {}
            Some(_) => wanted.push(batch),
        }
    }
    Ok(wanted)
}

pub(super) fn mark_undone(db: Db<'_>, batches: &[BatchId], by: BatchId) -> StoreResult<()> {
    for batch in batches {
        db.exec(
            "journal",
            "UPDATE updater_batches SET state = 'undone', undone_by = ?2 WHERE batch_id = ?1",
            [batch, &by],
        )?;
    }
    Ok(())
}

/// Rows that refer to a row (`witness_appearances 12`), a few of them.
pub(super) fn dependants(
    db: Db<'_>,
    catalog: &Catalog,
    table: &Table,
    image: &Image,
) -> StoreResult<Vec<String>> {
    let mut found = Vec::new();
    for reference in catalog.references.iter().filter(|r| r.parent == table.name) {
        let Some(child) = catalog.table(&reference.child) else {
            continue;
        };
        let mut parts: Vec<String> = Vec::new();
        let mut values: Vec<&Cell> = Vec::new();
        for (from, to) in &reference.columns {
            if let Some(cell) = image.get(to).filter(|cell| **cell != Cell::Null) {
                parts.push(format!("{} = ?", quoted(from)));
                values.push(cell);
            }
        }
        if parts.len() < reference.columns.len() {
            continue;
        }
        // A row that refers to itself does not hold itself.
        if child.name == table.name
            && let Some(key) = RowKey::of(table, image)
        {
            parts.push(format!("NOT ({})", RowKey::condition(table)));
            found.extend(users(
                db,
                child,
                &parts,
                values.into_iter().cloned().chain(key.cells),
            )?);
            continue;
        }
        found.extend(users(db, child, &parts, values.into_iter().cloned())?);
    }
    Ok(found)
}

fn users(
    db: Db<'_>,
    child: &Table,
    parts: &[String],
    values: impl Iterator<Item = Cell>,
) -> StoreResult<Vec<String>> {
    let list: Vec<String> = if child.key.is_empty() {
        vec![child.rowid.unwrap_or("1").to_owned()]
    } else {
        child.key.iter().map(|c| quoted(c)).collect()
    };
    let sql = format!(
        "SELECT {} FROM main.{} WHERE {} LIMIT 3",
        list.join(", "),
        quoted(&child.name),
        parts.join(" AND ")
    );
    db.all(&child.name, &sql, params_from_iter(values), |r| {
        let ids = (0..list.len()).map(|at| Ok(text(r, at)?.unwrap_or_else(|| "NULL".to_owned())));
        let ids = ids.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(format!("{} {}", child.name, ids.join("/")))
    })
}

/// Broken references of some tables, readable and stable.
pub(super) fn dangling(db: Db<'_>, tables: &BTreeSet<String>) -> StoreResult<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for table in tables {
        let rows = db.all(
            table,
            "SELECT \"table\", rowid, parent, fkid FROM pragma_foreign_key_check(?1)",
            [table],
            |r| {
                let row = text(r, 1)?.unwrap_or_else(|| "(no row id)".to_owned());
                let fk = text(r, 3)?.unwrap_or_default();
                Ok(format!(
                    "{table} row {row}: its row of {} is missing (key {fk})",
                    r.get::<_, String>(2)?
                ))
            },
        )?;
        all.extend(rows);
    }
    Ok(all)
}

/// Who changed a row after the entry `last`.
pub(super) fn changed_again_by(
    db: Db<'_>,
    table: &Table,
    key: &RowKey,
    last: i64,
    batches: &[BatchId],
) -> StoreResult<String> {
    let sql = format!(
        "SELECT {ENTRY} FROM updater_journal WHERE table_name = ?1 AND entry_id > ?2 ORDER BY entry_id"
    );
    let params: [&dyn ToSql; 2] = [&table.name, &last];
    let later = db.all("journal", &sql, &params[..], entry)?;
    let touches = |e: &Entry| {
        [&e.before, &e.after]
            .into_iter()
            .flatten()
            .filter_map(|image| RowKey::of(table, image))
            .any(|k| k.id == key.id)
    };
    let by = later
        .into_iter()
        .flatten()
        .find(|e| !batches.contains(&e.batch) && touches(e));
    let Some(by) = by else {
        return Ok("another program".to_owned());
    };
    let run = db.one(
        "journal",
        "SELECT run_id FROM updater_batches WHERE batch_id = ?1",
        [by.batch],
        |r| r.get::<_, Option<i64>>(0),
    )?;
    Ok(match run.flatten() {
        Some(run) => format!("batch {} of run {run}", by.batch),
        None => format!("batch {}", by.batch),
    })
}

/// Hearings that entries touched: event id, and the update date that they had after the last of them.
pub(super) fn events_of(
    db: Db<'_>,
    entries: &[Entry],
) -> StoreResult<Vec<(String, Option<String>)>> {
    let mut events: Vec<(i64, Option<String>, Option<String>)> = Vec::new();
    for entry in entries {
        let own = entry.table.eq_ignore_ascii_case("hearings");
        let image = entry.after.as_ref().or(entry.before.as_ref());
        let Some(id) = entry.hearing_id else { continue };
        if !events.iter().any(|(known, ..)| *known == id) {
            events.push((id, None, None));
        }
        let event = events.iter_mut().find(|(known, ..)| *known == id);
        if let (true, Some(event), Some(image)) = (own, event, image) {
            event.1 = image.text("event_id");
            event.2 = image.text("update_date");
        }
    }
    let mut named = Vec::with_capacity(events.len());
    for (id, event, date) in events {
        if let Some(event) = event {
            named.push((event, date));
            continue;
        }
        let list = db.select_list("hearings", "", &["event_id", "update_date"])?;
        let sql = format!("SELECT {list} FROM hearings WHERE hearing_id = ?1");
        if let Some((Some(event), date)) =
            db.one("hearings", &sql, [id], |r| Ok((text(r, 0)?, text(r, 1)?)))?
        {
            named.push((event, date));
        }
    }
    Ok(named)
}
