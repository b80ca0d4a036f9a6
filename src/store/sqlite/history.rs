//! What changed in a hearing, when, field by field.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap};

use super::db::{Db, text};
use super::history_names::{Names, RowName};
use super::journal_entries::{ENTRY, Entry, Op, entry};
use super::journal_image::Cell;
use crate::store::{BatchId, FieldChange, RunId, SqlValue, StoreResult};

/// Columns that follow every change and tell nothing of it.
pub(super) const SILENT: [&str; 2] = ["updated_at", "created_at"];

/// The batch that a change came with.
pub(super) struct Origin {
    at: String,
    run: Option<RunId>,
    batch: Option<i64>,
    kind: String,
}

pub(super) const ORIGIN: &str = "created_at, run_id, kind, NULLIF(batch_number, 0)";

/// An origin of a row that begins with `ORIGIN`.
pub(super) fn origin(row: &rusqlite::Row<'_>) -> rusqlite::Result<Origin> {
    Ok(Origin {
        at: text(row, 0)?.unwrap_or_default(),
        run: row.get(1)?,
        kind: text(row, 2)?.unwrap_or_default(),
        batch: row.get(3)?,
    })
}

/// What an entry says of its row, or of one field of it.
pub(super) struct Said {
    pub(super) action: &'static str,
    field: String,
    before: SqlValue,
    after: SqlValue,
}

impl Said {
    pub(super) fn by(self, origin: &Origin, table: &str, row: &str) -> FieldChange {
        FieldChange {
            at: origin.at.clone(),
            run: origin.run,
            batch: origin.batch,
            kind: origin.kind.clone(),
            table: table.to_owned(),
            action: self.action,
            row: row.to_owned(),
            field: self.field,
            before: self.before,
            after: self.after,
        }
    }
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
    let mut names = Names::new(db);
    let mut changes = Vec::new();
    for entry in &entries {
        let origin = match origins.entry(entry.batch) {
            Slot::Occupied(known) => known.into_mut(),
            Slot::Vacant(new) => match origin_of(db, entry.batch)? {
                Some(origin) => new.insert(origin),
                None => continue,
            },
        };
        let row = names.told(&RowName::of(entry))?;
        let said = said(entry).into_iter();
        changes.extend(said.map(|said| said.by(origin, &entry.table, &row)));
    }
    Ok(changes)
}

fn origin_of(db: Db<'_>, batch: BatchId) -> StoreResult<Option<Origin>> {
    let sql = format!("SELECT {ORIGIN} FROM updater_batches WHERE batch_id = ?1");
    db.one("journal", &sql, [batch], origin)
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

pub(super) fn said(entry: &Entry) -> Vec<Said> {
    let say = |action, field: &str, before: Option<&Cell>, after: Option<&Cell>| Said {
        action,
        field: field.to_owned(),
        before: before.cloned().map_or(SqlValue::Null, Cell::into_sql_value),
        after: after.cloned().map_or(SqlValue::Null, Cell::into_sql_value),
    };
    match (entry.op, &entry.before, &entry.after) {
        (Op::Update, Some(before), Some(after)) => after
            .0
            .iter()
            .map(|(column, now)| (column, before.get(column), now))
            .filter(|(column, was, now)| {
                !SILENT.contains(&column.as_str()) && !was.is_some_and(|was| was.same(now))
            })
            .map(|(column, was, now)| say("changed", column, was, Some(now)))
            .collect(),
        (Op::Delete, ..) => vec![say("removed", "", None, None)],
        _ => vec![say("added", "", None, None)],
    }
}
