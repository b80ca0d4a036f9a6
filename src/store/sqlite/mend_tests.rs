use std::path::PathBuf;

use rusqlite::Connection;

use super::super::testing::{fill, legacy_db};
use super::*;
use crate::store::{Access, BatchHead, BatchKind, Health, Journal, Verify};

fn after(sql: &str) -> (tempfile::TempDir, PathBuf, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA foreign_keys = OFF;").unwrap();
    conn.execute_batch(sql).unwrap();
    drop(conn);
    let store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
    (dir, path, store)
}

fn mended(store: &mut SqliteStore) -> StoreResult<Mended> {
    store
        .begin(BatchHead {
            run: None,
            number: 0,
            kind: BatchKind::Mend,
        })
        .unwrap();
    match store.mend() {
        Ok(done) => store.commit().map(|_| done),
        Err(error) => {
            store.roll_back();
            Err(error)
        }
    }
}

fn one(path: &std::path::Path, sql: &str) -> i64 {
    let conn = Connection::open(path).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn all_that_a_lost_hearing_left_behind_goes() {
    let (_dir, path, mut store) = after(
        "INSERT INTO supporting_documents (document_id, hearing_id, document_type) VALUES (5, 1, 'x');
         INSERT INTO hearing_transcripts (transcript_id, hearing_id) VALUES (6, 1);
         DELETE FROM hearings WHERE hearing_id = 1;",
    );
    let done = mended(&mut store).unwrap();
    assert_eq!(
        done.removed,
        [
            "witness_documents row 1: its appearance 1 has no hearings row",
            "witness_appearances row 1: no hearings row 1",
            "hearing_committees row 1: no hearings row 1",
            "supporting_documents row 5: no hearings row 1",
            "hearing_transcripts row 6: no hearings row 1",
        ]
    );
    assert!(done.asked_again.is_empty());
    let sound = store.soundness().unwrap();
    assert!(sound.orphans.is_empty() && sound.foreign_keys.is_empty());
    // What belongs to the other hearing stays.
    assert_eq!(one(&path, "SELECT COUNT(*) FROM witness_documents"), 1);
    assert_eq!(one(&path, "SELECT COUNT(*) FROM witness_appearances"), 1);
    assert_eq!(one(&path, "SELECT COUNT(*) FROM hearing_committees"), 1);
    // The witness is a person, not a row of that hearing.
    assert_eq!(one(&path, "SELECT COUNT(*) FROM witnesses"), 2);
}

#[test]
fn every_removed_row_is_in_the_journal() {
    let (_dir, path, mut store) = after("DELETE FROM hearings WHERE hearing_id = 1");
    let done = mended(&mut store).unwrap();
    assert_eq!(
        one(
            &path,
            "SELECT COUNT(*) FROM updater_journal AS j JOIN updater_batches AS b USING (batch_id)
             WHERE b.kind = 'mend' AND b.state = 'applied' AND j.op = 'D' AND j.before NOTNULL"
        ),
        i64::try_from(done.removed.len()).unwrap()
    );
}

#[test]
fn a_hearing_that_lost_a_witness_or_a_committee_is_asked_for_again() {
    let (_dir, _path, mut store) = after(
        "DELETE FROM witnesses WHERE witness_id = 1; DELETE FROM committees WHERE committee_id = 2;",
    );
    let done = mended(&mut store).unwrap();
    assert_eq!(done.asked_again, ["1001", "1002"]);
    assert_eq!(done.removed.len(), 3);
    let deferred = store.deferred().unwrap();
    let told: Vec<_> = deferred
        .iter()
        .map(|event| {
            (
                event.event_id.as_str(),
                event.congress,
                event.chamber.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("1001", Some(119), Some("house")),
            ("1002", Some(119), Some("senate"))
        ]
    );
    let history = store.history("1001").unwrap();
    assert!(
        history
            .iter()
            .any(|change| change.table == "witness_appearances" && change.action == "removed")
    );
}

#[test]
fn of_a_repeated_link_the_primary_one_stays() {
    let (_dir, path, mut store) = after(
        "ALTER TABLE hearing_committees RENAME TO old;
         CREATE TABLE hearing_committees (hearing_id INTEGER, committee_id INTEGER, is_primary);
         INSERT INTO hearing_committees VALUES (1, 1, 0), (1, 1, 1), (1, 1, 0), (2, 1, 0),
                                               (NULL, NULL, 0), (NULL, NULL, 0);",
    );
    let done = mended(&mut store).unwrap();
    assert_eq!(
        done.removed,
        [
            "hearing_committees row 1: hearing_id 1, committee_id 1 is there already",
            "hearing_committees row 3: hearing_id 1, committee_id 1 is there already",
        ]
    );
    assert_eq!(one(&path, "SELECT COUNT(*) FROM hearing_committees"), 4);
    assert_eq!(
        one(
            &path,
            "SELECT is_primary FROM hearing_committees WHERE hearing_id = 1"
        ),
        1
    );
}

#[test]
fn a_sound_database_is_left_alone() {
    let (_dir, path, mut store) = after("");
    assert_eq!(mended(&mut store).unwrap(), Mended::default());
    assert_eq!(one(&path, "SELECT COUNT(*) FROM updater_batches"), 0);
}

#[test]
fn an_appearance_that_an_unknown_table_uses_stops_the_repair() {
    let (_dir, path, mut store) = after(
        "CREATE TABLE notes (note_id INTEGER PRIMARY KEY,
             appearance_id INTEGER REFERENCES witness_appearances(appearance_id));
         INSERT INTO notes VALUES (1, 1); DELETE FROM hearings WHERE hearing_id = 1;",
    );
    let error = mended(&mut store).unwrap_err();
    assert!(matches!(error, StoreError::Constraint { .. }), "{error}");
    assert_eq!(one(&path, "SELECT COUNT(*) FROM witness_documents"), 2);
}

#[test]
fn it_needs_a_transaction() {
    let (_dir, _path, mut store) = after("");
    assert!(matches!(store.mend(), Err(StoreError::NoTransaction)));
}
