use super::super::testing::{fill, legacy_db, new_db};
use super::*;
use crate::store::Transactions;

fn open(path: &std::path::Path) -> SqliteStore {
    SqliteStore::open(path, Access::ReadWrite).unwrap()
}

#[test]
fn an_old_database_gets_what_newer_ones_have_and_says_what() {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    let mut store = open(&path);
    let added = store.bring_up().unwrap();
    for name in [
        "column hearings.video_url",
        "column hearings.youtube_video_id",
        "column hearings.video_type",
        "table update_logs",
        "table scheduled_tasks",
        "table schedule_execution_logs",
        "table updater_journal",
        "index updater_witness_names_key",
        "unique index on witness_documents(appearance_id, document_url)",
        "unique index on hearing_transcripts(hearing_id, document_url)",
    ] {
        assert!(added.iter().any(|have| have == name), "{name} in {added:?}");
    }
    assert!(!added.iter().any(|name| name.contains("hearing_time")));
    assert!(store.bring_up().unwrap().is_empty());
    drop(store);
    assert!(open(&path).bring_up().unwrap().is_empty());
    let conn = Connection::open(&path).unwrap();
    let rows: i64 = conn
        .query_row("SELECT COUNT(*) FROM hearings", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 3);
    let mode: String = conn
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "delete");
}

#[test]
fn names_count_whatever_their_case() {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "ALTER TABLE hearings ADD COLUMN Video_URL TEXT; CREATE TABLE Scheduled_Tasks (x);",
        )
        .unwrap();
    let added = open(&path).bring_up().unwrap();
    assert!(
        !added
            .iter()
            .any(|name| name.contains("video_url") || name.contains("scheduled"))
    );
}

#[test]
fn an_old_log_table_gets_its_missing_columns_and_keeps_its_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE update_logs (log_id INTEGER PRIMARY KEY, success CHECK (success IN (0, 1)))")
        .unwrap();
    let added = open(&path).bring_up().unwrap();
    assert!(
        added.contains(&"column update_logs.trigger_source".to_owned()),
        "{added:?}"
    );
    assert!(added.contains(&"column update_logs.schedule_id".to_owned()));
    let conn = Connection::open(&path).unwrap();
    assert!(
        conn.execute("INSERT INTO update_logs (success) VALUES (7)", [])
            .is_err()
    );
}

#[test]
fn a_unique_index_that_rows_would_violate_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "INSERT INTO witness_documents (appearance_id, document_type, document_url)
             VALUES (1, 'Statement', 'https://docs.house.gov/a.pdf')",
        )
        .unwrap();
    let mut store = open(&path);
    let added = store.bring_up().unwrap();
    assert!(
        !added.iter().any(|name| name.contains("witness_documents")),
        "{added:?}"
    );
    assert!(
        added
            .iter()
            .any(|name| name.contains("supporting_documents"))
    );
    let plan = plan(&store.conn).unwrap();
    assert!(plan.additions.is_empty());
    assert!(
        plan.warnings[0].contains("witness_documents"),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn a_unique_index_by_another_name_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE UNIQUE INDEX theirs ON witness_documents(document_url, appearance_id)",
        )
        .unwrap();
    let added = open(&path).bring_up().unwrap();
    assert!(
        !added.iter().any(|name| name.contains("witness_documents")),
        "{added:?}"
    );
}

#[test]
fn a_database_of_something_else_is_left_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE hearings (x)")
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = open(&path).bring_up().unwrap_err();
    let StoreError::WrongTables { tables, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(tables, CORE[1..]);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn nothing_is_brought_up_for_who_only_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    let before = std::fs::read(&path).unwrap();
    let mut store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
    assert!(matches!(store.bring_up(), Err(StoreError::ReadOnly { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_bring_up_that_fails_half_way_leaves_the_file_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    // A name that is taken by something else.
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE INDEX updater_held ON hearings(location)")
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut store = open(&path);
    assert!(store.bring_up().is_err());
    assert!(store.conn.is_autocommit());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_new_database_and_an_old_one_brought_up_have_the_same_tables() {
    let dir = tempfile::tempdir().unwrap();
    let old = legacy_db(dir.path());
    let mut store = open(&old);
    store.bring_up().unwrap();
    let new = open(&new_db(dir.path()));
    for kind in ["table", "index"] {
        assert_eq!(
            names(&store.conn, kind).unwrap(),
            names(&new.conn, kind).unwrap()
        );
    }
    assert_eq!(
        columns(&store.conn, "hearings").unwrap(),
        columns(&new.conn, "hearings").unwrap()
    );
}
