//! Honouring a checkpoint that was made by hand: ids and dicts, no journal behind it.

use rusqlite::{params_from_iter, types::ToSql};

use super::SqliteStore;
use super::db::{Db, quoted, text};
use super::journal_entries::Catalog;
use super::journal_image::Cell;
use super::undo::in_undo;
use crate::store::{HandMade, SqlValue, StoreError, StoreResult, UndoReport};

/// What belongs to a hearing, in the order in which it can be deleted.
const DEPENDANTS: [(&str, &str); 7] = [
    (
        "witness_documents",
        "appearance_id IN (SELECT appearance_id FROM witness_appearances WHERE hearing_id = ?1)",
    ),
    ("witness_appearances", "hearing_id = ?1"),
    ("hearing_committees", "hearing_id = ?1"),
    ("hearing_bills", "hearing_id = ?1"),
    ("supporting_documents", "hearing_id = ?1"),
    ("hearing_transcripts", "hearing_id = ?1"),
    ("updater_unmatched_documents", "hearing_id = ?1"),
];

pub(super) fn undo_by_hand(
    store: &mut SqliteStore,
    checkpoint: &HandMade,
) -> StoreResult<UndoReport> {
    check_columns(store.reading()?, checkpoint)?;
    in_undo(store, |db, _| {
        let catalog = Catalog::read(db)?;
        let mut report = UndoReport {
            undone: true,
            ..UndoReport::default()
        };
        documents(db, checkpoint, &mut report)?;
        for event_id in &checkpoint.added {
            hearing(db, &catalog, event_id, &mut report)?;
        }
        witnesses(db, &catalog, checkpoint, &mut report)?;
        for (event_id, columns) in &checkpoint.originals {
            original(db, event_id, columns, &mut report)?;
        }
        for event_id in &checkpoint.updated {
            let known = |(event, _): &(String, _)| event == event_id;
            if !checkpoint.originals.iter().any(known) && !checkpoint.added.contains(event_id) {
                report
                    .warnings
                    .push(format!("event {event_id}: no original data to restore"));
            }
        }
        Ok(report)
    })
}

/// Before anything is done: a key that is no column refuses the whole.
fn check_columns(db: Db<'_>, checkpoint: &HandMade) -> StoreResult<()> {
    let shape = db.shape("hearings")?;
    for (event_id, columns) in &checkpoint.originals {
        if let Some((bad, _)) = columns.iter().find(|(column, _)| !shape.has(column)) {
            return Err(StoreError::BadRecord {
                what: format!("checkpoint of event {event_id}"),
                problem: format!("'{bad}' is no column of hearings; nothing was restored"),
            });
        }
    }
    Ok(())
}

fn hearing_id(db: Db<'_>, event_id: &str) -> StoreResult<Option<i64>> {
    let sql = "SELECT hearing_id FROM hearings WHERE event_id = ?1";
    db.one("hearings", sql, [event_id], |r| r.get(0))
}

fn documents(db: Db<'_>, checkpoint: &HandMade, report: &mut UndoReport) -> StoreResult<()> {
    for id in &checkpoint.documents_added {
        let sql = "DELETE FROM witness_documents WHERE document_id = ?1";
        let gone = if db.exists("witness_documents")? {
            db.exec("witness_documents", sql, [id])?
        } else {
            0
        };
        report.rows_restored += gone;
        if gone == 0 {
            report
                .warnings
                .push(format!("witness document {id}: not in the database"));
        }
    }
    Ok(())
}

fn hearing(
    db: Db<'_>,
    catalog: &Catalog,
    event_id: &str,
    report: &mut UndoReport,
) -> StoreResult<()> {
    let Some(id) = hearing_id(db, event_id)? else {
        report
            .warnings
            .push(format!("event {event_id}: not in the database"));
        return Ok(());
    };
    let list = db.select_list("hearings", "", &["update_date"])?;
    let sql = format!("SELECT {list} FROM hearings WHERE hearing_id = ?1");
    let update_date = db.one("hearings", &sql, [id], |r| text(r, 0))?.flatten();
    let users = foreign_users(db, catalog, id)?;
    if !users.is_empty() {
        report.kept.push(format!(
            "hearings {id} (event {event_id}): used by {}",
            users.join(", ")
        ));
        return Ok(());
    }
    for (table, condition) in DEPENDANTS {
        let needs_appearances =
            table == "witness_documents" && !db.exists("witness_appearances")?;
        if db.exists(table)? && !needs_appearances {
            let sql = format!("DELETE FROM {table} WHERE {condition}");
            report.rows_restored += db.exec(table, &sql, [id])?;
        }
    }
    report.rows_restored += db.exec(
        "hearings",
        "DELETE FROM hearings WHERE hearing_id = ?1",
        [id],
    )?;
    report.events.push((event_id.to_owned(), update_date));
    Ok(())
}

/// Rows of tables that we do not know which refer to a hearing or one of its dependants.
fn foreign_users(db: Db<'_>, catalog: &Catalog, hearing_id: i64) -> StoreResult<Vec<String>> {
    let mut users = Vec::new();
    for reference in &catalog.references {
        let known = |name: &str| DEPENDANTS.iter().any(|(table, _)| *table == name);
        if known(&reference.child) {
            continue;
        }
        let condition = match reference.parent.as_str() {
            "hearings" => "hearing_id = ?1",
            parent => match DEPENDANTS.iter().find(|(table, _)| *table == parent) {
                Some((_, condition)) => condition,
                None => continue,
            },
        };
        let [(from, to)] = reference.columns.as_slice() else {
            continue;
        };
        let sql = format!(
            "SELECT count(*) FROM main.{} WHERE {} IN (SELECT {} FROM main.{} WHERE {condition})",
            quoted(&reference.child),
            quoted(from),
            quoted(to),
            quoted(&reference.parent),
        );
        let rows = db.one(&reference.child, &sql, [hearing_id], |r| r.get::<_, i64>(0))?;
        if let Some(rows) = rows.filter(|rows| *rows > 0) {
            users.push(format!("{} ({rows})", reference.child));
        }
    }
    Ok(users)
}

fn witnesses(
    db: Db<'_>,
    catalog: &Catalog,
    checkpoint: &HandMade,
    report: &mut UndoReport,
) -> StoreResult<()> {
    for id in &checkpoint.witnesses_added {
        let name = db.one(
            "witnesses",
            "SELECT full_name FROM witnesses WHERE witness_id = ?1",
            [id],
            |r| text(r, 0),
        )?;
        let Some(name) = name else {
            report
                .warnings
                .push(format!("witness {id}: not in the database"));
            continue;
        };
        let mut users = Vec::new();
        for reference in catalog
            .references
            .iter()
            .filter(|r| r.parent == "witnesses")
        {
            let [(from, _)] = reference.columns.as_slice() else {
                continue;
            };
            let sql = format!(
                "SELECT count(*) FROM main.{} WHERE {} = ?1",
                quoted(&reference.child),
                quoted(from)
            );
            let rows = db.one(&reference.child, &sql, [id], |r| r.get::<_, i64>(0))?;
            if let Some(rows) = rows.filter(|rows| *rows > 0) {
                users.push(format!("{} ({rows})", reference.child));
            }
        }
        if users.is_empty() {
            report.rows_restored += db.exec(
                "witnesses",
                "DELETE FROM witnesses WHERE witness_id = ?1",
                [id],
            )?;
        } else {
            let name = name.unwrap_or_default();
            report.kept.push(format!(
                "witnesses {id} '{name}': used by {}",
                users.join(", ")
            ));
        }
    }
    Ok(())
}

/// Puts the columns back that differ; never the ones that say which hearing it is.
fn original(
    db: Db<'_>,
    event_id: &str,
    columns: &[(String, SqlValue)],
    report: &mut UndoReport,
) -> StoreResult<()> {
    let Some(id) = hearing_id(db, event_id)? else {
        report
            .warnings
            .push(format!("event {event_id}: not in the database"));
        return Ok(());
    };
    let identity = |column: &str| {
        column.eq_ignore_ascii_case("hearing_id") || column.eq_ignore_ascii_case("event_id")
    };
    let wanted: Vec<(&String, Cell)> = columns
        .iter()
        .filter(|(column, _)| !identity(column))
        .map(|(column, value)| (column, Cell::of(value)))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut sets: Vec<String> = Vec::with_capacity(wanted.len());
    let mut differs: Vec<String> = Vec::with_capacity(wanted.len());
    let mut values: Vec<&dyn ToSql> = vec![&id];
    for (at, (column, value)) in wanted.iter().enumerate() {
        let (column, mark) = (quoted(column), at + 2);
        sets.push(format!("{column} = ?{mark}"));
        differs.push(format!("{column} IS NOT ?{mark}"));
        values.push(value);
    }
    let sql = format!(
        "UPDATE hearings SET {} WHERE hearing_id = ?1 AND ({})",
        sets.join(", "),
        differs.join(" OR ")
    );
    let list = db.select_list("hearings", "", &["update_date"])?;
    let read = format!("SELECT {list} FROM hearings WHERE hearing_id = ?1");
    let update_date = db.one("hearings", &read, [id], |r| text(r, 0))?.flatten();
    report.rows_restored += db.exec("hearings", &sql, params_from_iter(values))?;
    report.events.push((event_id.to_owned(), update_date));
    Ok(())
}
