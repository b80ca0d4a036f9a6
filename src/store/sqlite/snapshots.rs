//! For tests: the whole database row by row, and meetings to write.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::SqliteStore;
use super::db::quoted;
use super::journal::image_sql;
use super::tables::tables;
use super::testing::{fill, legacy_db};
use crate::domain::{
    Chamber, CommitteeRef, Components, Meeting, MeetingType, Witness, WitnessDocument,
    parse_datetime, slot_of,
};
use crate::store::{
    Access, BatchHead, BatchId, BatchKind, Hearings, SqlParams, StoreResult, Transactions, Written,
};

pub(super) const BATCH: BatchHead = BatchHead {
    run: None,
    number: 1,
    kind: BatchKind::Batch,
};

pub(super) const ALL: Components = Components {
    witnesses: true,
    committees: true,
    documents: true,
    bills: true,
};

/// A filled database of the oldest shape, brought up, with its folder.
pub(super) fn store() -> (TempDir, SqliteStore) {
    static READY: OnceLock<Vec<u8>> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        let (dir, store) = store_with("");
        drop(store);
        std::fs::read(dir.path().join("legacy.db")).unwrap()
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("legacy.db");
    std::fs::write(&path, ready).unwrap();
    let store = opened(&path);
    (dir, store)
}

/// The same with some SQL run on it beforehand, by another program.
pub(super) fn store_with(sql: &str) -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(sql)
        .unwrap();
    let store = opened(&path);
    (dir, store)
}

fn opened(path: &Path) -> SqliteStore {
    let mut store = SqliteStore::open(path, Access::ReadWrite).unwrap();
    // No power cut is tested here.
    store
        .conn
        .pragma_update(None, "synchronous", "OFF")
        .unwrap();
    store.bring_up().unwrap();
    store
}

/// Every table but our own bookkeeping: table -> rows as exact text, sorted.
pub(super) fn snapshot(store: &SqliteStore) -> BTreeMap<String, Vec<String>> {
    // The journal's functions are there once a transaction has been begun.
    super::journal::install(&store.conn, &store.batch).unwrap();
    let all = tables(&store.conn).unwrap();
    let seen = all.iter().filter(|t| super::journal::is_journaled(t));
    seen.map(|table| {
        let sql = format!(
            "SELECT {} FROM {} AS t",
            image_sql(table, "t"),
            quoted(&table.name)
        );
        let mut statement = store.conn.prepare(&sql).unwrap();
        let rows = statement.query_map([], |r| r.get(0)).unwrap();
        let mut rows: Vec<String> = rows.collect::<Result<_, _>>().unwrap();
        rows.sort();
        (table.name.clone(), rows)
    })
    .collect()
}

/// Runs `work` as one batch.
pub(super) fn batch(
    store: &mut SqliteStore,
    work: impl FnOnce(&mut SqliteStore) -> StoreResult<()>,
) -> BatchId {
    store.begin(BATCH).unwrap();
    work(store).unwrap();
    store.commit().unwrap().expect("nothing was journaled")
}

pub(super) fn write(store: &mut SqliteStore, meeting: &Meeting) -> Written {
    store.begin(BATCH).unwrap();
    let written = store.write_meeting(meeting, None, ALL).unwrap();
    store.commit().unwrap();
    written
}

pub(super) fn execute(store: &mut SqliteStore, sql: &str) -> StoreResult<()> {
    store
        .execute(sql, &SqlParams::Positional(Vec::new()))
        .map(|_| ())
}

/// A single value of a query, as text.
pub(super) fn value(store: &SqliteStore, sql: &str) -> String {
    store
        .conn
        .query_row(sql, [], |r| {
            Ok(super::db::text(r, 0)?.unwrap_or("NULL".into()))
        })
        .unwrap()
}

pub(super) fn meeting(event_id: &str) -> Meeting {
    Meeting {
        event_id: event_id.to_owned(),
        congress: Some(119),
        chamber: Some(Chamber::House),
        title: Some("Oversight of grain elevators".to_owned()),
        meeting_type: Some(MeetingType::Hearing),
        date: Some("2025-09-09".to_owned()),
        time: Some("18:00:00".to_owned()),
        update_date: parse_datetime("2025-09-08T10:00:00Z"),
        ..Meeting::default()
    }
}

pub(super) fn witness(full_name: &str, organization: Option<&str>) -> Witness {
    let (first_name, last_name) = crate::domain::split_name(full_name);
    Witness {
        full_name: full_name.to_owned(),
        first_name,
        last_name,
        position: Some("Director".to_owned()),
        organization: organization.map(str::to_owned),
    }
}

pub(super) fn statement(owner: &str) -> WitnessDocument {
    let url = format!("https://docs.house.gov/HHRG-119-AG00-Wstate-{owner}-20250909.pdf");
    WitnessDocument {
        document_type: "Statement",
        format: Some("PDF".to_owned()),
        slot: slot_of(&url),
        url,
    }
}

pub(super) fn committee(code: &str) -> CommitteeRef {
    CommitteeRef {
        system_code: code.to_owned(),
        name: None,
        url: None,
    }
}
