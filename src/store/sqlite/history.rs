//! What changed in a hearing, when, field by field.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap};

use super::db::{Db, text};
use super::journal_entries::{ENTRY, Entry, Op, entry};
use super::journal_image::{Cell, Image};
use crate::store::{BatchId, FieldChange, RunId, SqlValue, StoreResult};

/// Columns that follow every change and tell nothing of it.
const SILENT: [&str; 2] = ["updated_at", "created_at"];

struct Origin {
    at: String,
    run: Option<RunId>,
    batch: Option<i64>,
    kind: String,
}

pub(super) fn history(db: Db<'_>, event_id: &str) -> StoreResult<Vec<FieldChange>> {
    let mut entries: Vec<Entry> = Vec::new();
    for id in hearing_ids(db, event_id)? {
        let sql =
            format!("SELECT {ENTRY} FROM updater_journal WHERE hearing_id = ?1 ORDER BY entry_id");
        entries.extend(db.all("journal", &sql, [id], entry)?.into_iter().flatten());
    }
    entries.sort_by_key(|e| e.id);
    let mut origins: HashMap<i64, Origin> = HashMap::new();
    let mut changes = Vec::new();
    for entry in &entries {
        let origin = match origins.entry(entry.batch) {
            Slot::Occupied(known) => known.into_mut(),
            Slot::Vacant(new) => match origin(db, entry.batch)? {
                Some(origin) => new.insert(origin),
                None => continue,
            },
        };
        describe(db, entry, origin, &mut changes)?;
    }
    Ok(changes)
}

fn origin(db: Db<'_>, batch: BatchId) -> StoreResult<Option<Origin>> {
    db.one(
        "journal",
        "SELECT created_at, run_id, kind, NULLIF(batch_number, 0) FROM updater_batches WHERE batch_id = ?1",
        [batch],
        |r| {
            Ok(Origin {
                at: text(r, 0)?.unwrap_or_default(),
                run: r.get(1)?,
                kind: text(r, 2)?.unwrap_or_default(),
                batch: r.get(3)?,
            })
        },
    )
}

/// Row ids that the event has or had.
fn hearing_ids(db: Db<'_>, event_id: &str) -> StoreResult<BTreeSet<i64>> {
    let sql = "SELECT hearing_id FROM hearings WHERE event_id = ?1";
    let mut ids: BTreeSet<i64> = db
        .all("hearings", sql, [event_id], |r| r.get(0))?
        .into_iter()
        .collect();
    let sql = format!(
        "SELECT {ENTRY} FROM updater_journal WHERE table_name = 'hearings' AND op IN ('I', 'D') \
         AND (instr(before, ?1) OR instr(after, ?1))"
    );
    for entry in db
        .all("journal", &sql, [event_id], entry)?
        .into_iter()
        .flatten()
    {
        let image = entry.after.as_ref().or(entry.before.as_ref());
        if image.and_then(|i| i.text("event_id")).as_deref() == Some(event_id) {
            ids.extend(entry.hearing_id);
        }
    }
    Ok(ids)
}

fn describe(
    db: Db<'_>,
    entry: &Entry,
    origin: &Origin,
    changes: &mut Vec<FieldChange>,
) -> StoreResult<()> {
    let Some(image) = entry.after.as_ref().or(entry.before.as_ref()) else {
        return Ok(());
    };
    let row = row_name(db, &entry.table, image)?;
    let change = |action, field: &str, before: Option<&Cell>, after: Option<&Cell>| FieldChange {
        at: origin.at.clone(),
        run: origin.run,
        batch: origin.batch,
        kind: origin.kind.clone(),
        table: entry.table.clone(),
        action,
        row: row.clone(),
        field: field.to_owned(),
        before: before.cloned().map_or(SqlValue::Null, Cell::into_sql_value),
        after: after.cloned().map_or(SqlValue::Null, Cell::into_sql_value),
    };
    match (entry.op, &entry.before, &entry.after) {
        (Op::Update, Some(before), Some(after)) => {
            for (column, now) in &after.0 {
                let was = before.get(column);
                if SILENT.contains(&column.as_str()) || was.is_some_and(|was| was.same(now)) {
                    continue;
                }
                changes.push(change("changed", column, was, Some(now)));
            }
        }
        (Op::Delete, ..) => changes.push(change("removed", "", None, None)),
        _ => changes.push(change("added", "", None, None)),
    }
    Ok(())
}

/// A row as people know it; empty for the hearing itself.
fn row_name(db: Db<'_>, table: &str, image: &Image) -> StoreResult<String> {
    let own = |column| image.text(column).unwrap_or_else(|| "?".to_owned());
    Ok(match table {
        "hearings" => String::new(),
        "hearing_committees" => {
            format!(
                "committee {}",
                named(db, "committees", "committee_id", "system_code", image)?
            )
        }
        "witness_appearances" => {
            format!(
                "witness {}",
                named(db, "witnesses", "witness_id", "full_name", image)?
            )
        }
        "hearing_transcripts" => format!("transcript {}", own("jacket_number")),
        "hearing_bills" => format!("bill {}", bill(db, image)?),
        _ => match image.text("document_url").or_else(|| image.text("title")) {
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
    })
}

/// The name of a row that another one refers to: as it is now, else as the journal last saw it.
fn named(db: Db<'_>, table: &str, key: &str, name: &str, image: &Image) -> StoreResult<String> {
    let Some(id) = image.integer(key) else {
        return Ok("?".to_owned());
    };
    if db.exists(table)? {
        let sql = format!("SELECT {name} FROM {table} WHERE {key} = ?1");
        if let Some(Some(found)) = db.one(table, &sql, [id], |r| text(r, 0))? {
            return Ok(found);
        }
    }
    let sql = format!(
        "SELECT {ENTRY} FROM updater_journal WHERE table_name = ?1 \
         AND (instr(before, ?2) OR instr(after, ?2)) ORDER BY entry_id DESC"
    );
    let part = format!("\"{key}\":{id}");
    let seen = db.all("journal", &sql, [table, part.as_str()], entry)?;
    let images = seen
        .into_iter()
        .flatten()
        .filter_map(|e| e.after.or(e.before));
    let found = images
        .filter(|i| i.integer(key) == Some(id))
        .find_map(|i| i.text(name));
    Ok(found.unwrap_or_else(|| id.to_string()))
}

fn bill(db: Db<'_>, image: &Image) -> StoreResult<String> {
    let Some(id) = image.integer("bill_id") else {
        return Ok("?".to_owned());
    };
    let found = if db.exists("bills")? {
        db.one(
            "bills",
            "SELECT bill_type || ' ' || bill_number || ' (' || congress || ')' FROM bills WHERE bill_id = ?1",
            [id],
            |r| text(r, 0),
        )?
    } else {
        None
    };
    Ok(found.flatten().unwrap_or_else(|| id.to_string()))
}
