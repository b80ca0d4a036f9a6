//! Removing rows that lead nowhere: the one repair that loses nothing, as nobody can reach them.

use super::SqliteStore;
use super::db::{Db, text};
use crate::faults::{Point, pass};
use crate::store::{DeferKind, Ledger, Mended, StoreError, StoreResult, Transactions};

/// Child table, its column, the parent table with a column of the same name.
type Reference = (&'static str, &'static str, &'static str);

/// In the order in which they can be removed: documents before the appearances that they belong to.
const REFERENCES: [Reference; 7] = [
    ("witness_documents", "appearance_id", "witness_appearances"),
    ("witness_appearances", "hearing_id", "hearings"),
    ("witness_appearances", "witness_id", "witnesses"),
    ("hearing_committees", "hearing_id", "hearings"),
    ("hearing_committees", "committee_id", "committees"),
    ("supporting_documents", "hearing_id", "hearings"),
    ("hearing_transcripts", "hearing_id", "hearings"),
];

const REASON: &str = "a row of it that led nowhere was removed; asked for again to fill the gap";

/// In the open transaction, journaled.
pub(super) fn mend(store: &mut SqliteStore) -> StoreResult<Mended> {
    if !store.in_transaction() {
        return Err(StoreError::NoTransaction);
    }
    let db = store.reading()?;
    let events = hearings_with_gaps(db)?;
    let mut removed = Vec::new();
    for appearances in REFERENCES {
        if appearances.0 == "witness_appearances" {
            with_their_appearance(db, appearances, &mut removed)?;
        }
    }
    for reference in REFERENCES {
        lost(db, reference, &mut removed)?;
    }
    repeated_links(db, &mut removed)?;
    for (event_id, congress, chamber) in &events {
        store.defer(
            event_id,
            *congress,
            chamber.as_deref(),
            DeferKind::Fetch,
            REASON,
        )?;
    }
    Ok(Mended {
        removed,
        asked_again: events.into_iter().map(|(event_id, ..)| event_id).collect(),
    })
}

fn there(db: Db<'_>, (child, column, parent): Reference) -> StoreResult<bool> {
    Ok(db.shape(child)?.has(column) && db.shape(parent)?.has(column))
}

/// Rows (as `child`) whose parent is not there.
fn condition((child, column, parent): Reference) -> String {
    format!(
        "{child}.{column} NOTNULL AND NOT EXISTS \
         (SELECT 1 FROM {parent} WHERE {parent}.{column} = {child}.{column})"
    )
}

fn lost(db: Db<'_>, reference: Reference, removed: &mut Vec<String>) -> StoreResult<()> {
    if !there(db, reference)? {
        return Ok(());
    }
    let (child, column, parent) = reference;
    let shown = format!("'{child} row ' || rowid || ': no {parent} row ' || quote({column})");
    remove(db, child, &shown, &condition(reference), removed)
}

/// Documents of an appearance that is about to be removed.
fn with_their_appearance(
    db: Db<'_>,
    appearances: Reference,
    removed: &mut Vec<String>,
) -> StoreResult<()> {
    let documents = "witness_documents";
    let ours = (documents, "appearance_id", appearances.0);
    if !there(db, appearances)? || !there(db, ours)? {
        return Ok(());
    }
    let parent = appearances.2;
    let shown = format!(
        "'{documents} row ' || rowid || ': its appearance ' || appearance_id || ' has no {parent} row'"
    );
    let lost = condition(appearances);
    let of_these =
        format!("appearance_id IN (SELECT appearance_id FROM witness_appearances WHERE {lost})");
    remove(db, documents, &shown, &of_these, removed)
}

/// The same link twice, where no key keeps that out: the primary one stays, else the oldest.
fn repeated_links(db: Db<'_>, removed: &mut Vec<String>) -> StoreResult<()> {
    let links = "hearing_committees";
    let shape = db.shape(links)?;
    if !shape.has("hearing_id") || !shape.has("committee_id") {
        return Ok(());
    }
    let primary = if shape.has("is_primary") {
        "is_primary DESC, "
    } else {
        ""
    };
    let again = format!(
        "rowid IN (SELECT row FROM (SELECT rowid AS row, row_number() OVER \
         (PARTITION BY hearing_id, committee_id ORDER BY {primary}rowid) AS number \
         FROM {links} WHERE hearing_id NOTNULL AND committee_id NOTNULL) WHERE number > 1)"
    );
    let shown = format!(
        "'{links} row ' || rowid || ': hearing_id ' || hearing_id || ', committee_id ' || \
         committee_id || ' is there already'"
    );
    remove(db, links, &shown, &again, removed)
}

fn remove(
    db: Db<'_>,
    table: &str,
    shown: &str,
    condition: &str,
    removed: &mut Vec<String>,
) -> StoreResult<()> {
    let sql = format!("SELECT {shown} FROM {table} WHERE {condition} ORDER BY rowid");
    let rows = db.all(table, &sql, [], |row| {
        Ok(text(row, 0)?.unwrap_or_else(|| format!("{table}: a row without ids")))
    })?;
    if !rows.is_empty() {
        db.exec(table, &format!("DELETE FROM {table} WHERE {condition}"), [])?;
        pass(Point::Mend, || table.to_owned());
        removed.extend(rows);
    }
    Ok(())
}

/// Event id, congress, chamber.
type Event = (String, Option<i64>, Option<String>);

/// Hearings that are there and lose an appearance or a link by the repair.
fn hearings_with_gaps(db: Db<'_>) -> StoreResult<Vec<Event>> {
    let shape = db.shape("hearings")?;
    if !shape.has("event_id") || !shape.has("hearing_id") {
        return Ok(Vec::new());
    }
    let mut gaps = Vec::new();
    for reference in REFERENCES {
        let (child, column, _) = reference;
        if column == "hearing_id" || !db.shape(child)?.has("hearing_id") || !there(db, reference)? {
            continue;
        }
        let lost = condition(reference);
        gaps.push(format!(
            "EXISTS (SELECT 1 FROM {child} WHERE {child}.hearing_id = hearings.hearing_id AND {lost})"
        ));
    }
    if gaps.is_empty() {
        return Ok(Vec::new());
    }
    let list = db.select_list("hearings", "", &["event_id", "congress", "chamber"])?;
    let sql = format!(
        "SELECT {list} FROM hearings WHERE event_id NOTNULL AND ({}) ORDER BY hearing_id",
        gaps.join(" OR ")
    );
    db.all("hearings", &sql, [], |row| {
        Ok((
            text(row, 0)?.unwrap_or_default(),
            super::db::integer(row, 1)?,
            text(row, 2)?.map(|chamber| chamber.to_lowercase()),
        ))
    })
}

#[cfg(test)]
#[path = "mend_tests.rs"]
mod tests;
