use super::super::testing::{fill, legacy_db};
use super::*;
use crate::store::{BatchKind, SqlValue};

fn store() -> (tempfile::TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    let store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
    (dir, store)
}

fn head(kind: BatchKind) -> BatchHead {
    BatchHead {
        run: None,
        number: 1,
        kind,
    }
}

fn run(store: &mut SqliteStore, sql: &str) -> StoreResult<Answer> {
    store.execute(sql, &SqlParams::Positional(Vec::new()))
}

fn number(store: &mut SqliteStore, sql: &str) -> i64 {
    match run(store, sql).unwrap().rows[0][0] {
        SqlValue::Integer(number) => number,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_batch_notes_its_journal_entries() {
    let (_dir, mut store) = store();
    let batch = store.begin(head(BatchKind::Batch)).unwrap();
    assert_eq!(store.current_batch(), Some(batch));
    run(&mut store, "UPDATE hearings SET location = 'here'").unwrap();
    assert_eq!(store.commit().unwrap(), Some(batch));
    assert_eq!(store.current_batch(), None);
    assert_eq!(
        number(
            &mut store,
            "SELECT COUNT(*) FROM updater_journal, updater_batches USING (batch_id)
             WHERE entry_id BETWEEN first_entry AND last_entry AND state = 'applied'"
        ),
        3
    );
}

#[test]
fn a_batch_that_changed_nothing_leaves_no_row() {
    let (_dir, mut store) = store();
    store.begin(head(BatchKind::Manual)).unwrap();
    run(
        &mut store,
        "UPDATE hearings SET location = 'here' WHERE hearing_id = 99",
    )
    .unwrap();
    assert_eq!(store.commit().unwrap(), None);
    assert_eq!(
        number(&mut store, "SELECT COUNT(*) FROM updater_batches"),
        0
    );
}

#[test]
fn a_savepoint_undoes_one_record_and_keeps_the_rest() {
    let (_dir, mut store) = store();
    store.begin(head(BatchKind::Plain)).unwrap();
    store.savepoint().unwrap();
    run(
        &mut store,
        "UPDATE hearings SET location = 'a' WHERE hearing_id = 1",
    )
    .unwrap();
    store.release_savepoint().unwrap();
    store.savepoint().unwrap();
    assert!(store.savepoint().is_err(), "not nested");
    run(
        &mut store,
        "UPDATE hearings SET location = 'b' WHERE hearing_id = 2",
    )
    .unwrap();
    run(&mut store, "SAVEPOINT theirs").unwrap();
    store.roll_back_to_savepoint().unwrap();
    store.commit().unwrap();
    assert_eq!(
        number(
            &mut store,
            "SELECT COUNT(*) FROM hearings WHERE location NOTNULL"
        ),
        1
    );
}

#[test]
fn without_a_transaction_there_is_nothing_to_commit_or_to_save() {
    let (_dir, mut store) = store();
    assert!(matches!(store.commit(), Err(StoreError::NoTransaction)));
    assert!(matches!(store.savepoint(), Err(StoreError::NoTransaction)));
    store.roll_back();
}

#[test]
fn a_deferred_foreign_key_that_fails_at_commit_rolls_all_back() {
    let (_dir, mut store) = store();
    store
        .conn
        .execute_batch(
            "CREATE TABLE later (x INTEGER REFERENCES hearings(hearing_id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .unwrap();
    store.begin(head(BatchKind::Batch)).unwrap();
    run(&mut store, "UPDATE hearings SET location = 'here'").unwrap();
    run(&mut store, "INSERT INTO later VALUES (99)").unwrap();
    let error = store.commit().unwrap_err();
    assert!(matches!(error, StoreError::Constraint { .. }), "{error}");
    assert!(!store.in_transaction());
    assert_eq!(
        number(
            &mut store,
            "SELECT COUNT(*) FROM hearings WHERE location NOTNULL"
        ),
        0
    );
    store.begin(head(BatchKind::Batch)).unwrap();
    store.roll_back();
}

#[test]
fn a_reader_in_the_way_of_a_commit_leaves_the_transaction_open_for_another_try() {
    let (_dir, mut store) = store();
    store.bring_up().unwrap();
    store.begin(head(BatchKind::Batch)).unwrap();
    // After us: the library's connections to one file share the first one's lock.
    let reader = rusqlite::Connection::open(&store.path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT COUNT(*) FROM hearings;")
        .unwrap();
    run(&mut store, "UPDATE hearings SET location = 'here'").unwrap();
    assert!(matches!(store.commit(), Err(StoreError::Busy { .. })));
    assert!(store.in_transaction());
    reader.execute_batch("COMMIT").unwrap();
    assert!(store.commit().unwrap().is_some());
    assert_eq!(
        number(
            &mut store,
            "SELECT COUNT(*) FROM hearings WHERE location = 'here'"
        ),
        3
    );
}

#[test]
fn tables_made_in_a_transaction_and_by_others_are_journaled_too() {
    let (_dir, mut store) = store();
    store.begin(head(BatchKind::Batch)).unwrap();
    run(
        &mut store,
        "CREATE TABLE notes (note_id INTEGER PRIMARY KEY, text TEXT)",
    )
    .unwrap();
    run(&mut store, "INSERT INTO notes (text) VALUES ('x')").unwrap();
    let inside = "SELECT COUNT(*) FROM updater_journal WHERE table_name = 'notes'";
    assert_eq!(number(&mut store, inside), 1);
    store.roll_back();
    let outsider = rusqlite::Connection::open(&store.path).unwrap();
    outsider
        .execute_batch("CREATE TABLE notes (note_id INTEGER PRIMARY KEY, text TEXT)")
        .unwrap();
    store.begin(head(BatchKind::Batch)).unwrap();
    run(&mut store, "INSERT INTO notes (text) VALUES ('y')").unwrap();
    run(
        &mut store,
        "UPDATE hearings SET location = 'here' WHERE hearing_id = 1",
    )
    .unwrap();
    store.commit().unwrap();
    assert_eq!(number(&mut store, inside), 1);
    assert_eq!(
        number(&mut store, "SELECT COUNT(*) FROM updater_journal"),
        2
    );
}

#[test]
fn a_full_disk_is_told_and_nothing_is_kept() {
    let (_dir, mut store) = store();
    store.bring_up().unwrap();
    let pages = number(&mut store, "PRAGMA page_count");
    store
        .conn
        .pragma_update(None, "max_page_count", pages)
        .unwrap();
    store.begin(head(BatchKind::Batch)).unwrap();
    let outcome = store.execute(
        "UPDATE hearings SET location = ?",
        &SqlParams::Positional(vec![SqlValue::Text("x".repeat(100_000))]),
    );
    assert!(
        matches!(outcome, Err(StoreError::DiskFull { .. })),
        "{outcome:?}"
    );
    store.roll_back();
    assert_eq!(
        number(
            &mut store,
            "SELECT COUNT(*) FROM hearings WHERE location NOTNULL"
        ),
        0
    );
}
