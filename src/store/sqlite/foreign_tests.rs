use super::super::testing::{fill, legacy_db};
use super::*;

fn store() -> (tempfile::TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    let store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
    (dir, store)
}

fn inside() -> (tempfile::TempDir, SqliteStore) {
    let (dir, mut store) = store();
    store
        .begin(BatchHead {
            run: None,
            number: 1,
            kind: BatchKind::Batch,
        })
        .unwrap();
    (dir, store)
}

fn run(store: &mut SqliteStore, sql: &str) -> StoreResult<Answer> {
    store.execute(sql, &SqlParams::Positional(Vec::new()))
}

fn refusal(store: &mut SqliteStore, sql: &str) -> String {
    match run(store, sql) {
        Err(StoreError::Refused { what }) => what,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn rowcounts_are_those_of_pythons_sqlite3() {
    let (_dir, mut store) = inside();
    for (sql, count) in [
        ("SELECT * FROM hearings", -1),
        ("UPDATE hearings SET location = 'x'", 3),
        (
            "UPDATE hearings SET location = 'x' WHERE hearing_id = 99",
            0,
        ),
        (
            "-- a remark\n /* and another */ DELETE FROM witness_documents WHERE document_id = 1",
            1,
        ),
        (
            "INSERT INTO witnesses (full_name) VALUES ('A'), ('B') RETURNING witness_id",
            2,
        ),
        ("CREATE TABLE t (x)", -1),
        ("", -1),
        ("-- nothing", -1),
    ] {
        assert_eq!(run(&mut store, sql).unwrap().rowcount, count, "{sql}");
    }
}

#[test]
fn an_insert_tells_its_row_id_also_under_the_journals_triggers() {
    let (_dir, mut store) = inside();
    let answer = run(&mut store, "INSERT INTO witnesses (full_name) VALUES ('A')").unwrap();
    assert_eq!(answer.last_insert_id, 3);
    assert!(answer.columns.is_none());
}

#[test]
fn values_come_back_as_they_went_in() {
    let (_dir, mut store) = store();
    let values = vec![
        SqlValue::Null,
        SqlValue::Integer(i64::MIN),
        SqlValue::Real(0.5),
        SqlValue::Text("caf\u{e9}".to_owned()),
        SqlValue::Blob(vec![0, 255]),
    ];
    let answer = store
        .execute(
            "SELECT ?, ?, ?, ? AS named, ?",
            &SqlParams::Positional(values.clone()),
        )
        .unwrap();
    assert_eq!(answer.rows, [values]);
    assert_eq!(answer.columns.unwrap()[3], "named");
}

#[test]
fn named_parameters_are_found_with_and_without_their_mark() {
    let (_dir, mut store) = store();
    let named = SqlParams::Named(vec![
        ("id".to_owned(), SqlValue::Integer(1)),
        (":title".to_owned(), SqlValue::Text("On farms".to_owned())),
        ("unused".to_owned(), SqlValue::Null),
    ]);
    let sql = "SELECT COUNT(*) FROM hearings WHERE hearing_id = :id AND title = :title";
    assert_eq!(
        store.execute(sql, &named).unwrap().rows[0][0],
        SqlValue::Integer(1)
    );
    let error = store
        .execute("SELECT :other", &named)
        .unwrap_err()
        .to_string();
    assert!(error.contains(":other"), "{error}");
}

#[test]
fn a_wrong_number_of_parameters_is_told_as_python_tells_it() {
    let (_dir, mut store) = store();
    let error = run(&mut store, "SELECT ?, ?").unwrap_err().to_string();
    assert!(
        error.contains("uses 2, and there are 0 supplied"),
        "{error}"
    );
}

#[test]
fn a_write_outside_a_transaction_gets_one_of_its_own_and_is_journaled() {
    let (_dir, mut store) = store();
    run(
        &mut store,
        "UPDATE hearings SET location = 'x' WHERE hearing_id = 1",
    )
    .unwrap();
    assert!(!store.in_transaction());
    let answer = run(
        &mut store,
        "SELECT kind, COUNT(*) FROM updater_batches JOIN updater_journal USING (batch_id) GROUP BY 1",
    )
    .unwrap();
    assert_eq!(
        answer.rows,
        [[SqlValue::Text("manual".to_owned()), SqlValue::Integer(1)]]
    );
    assert!(
        run(
            &mut store,
            "UPDATE hearings SET status = 'x' WHERE hearing_id = 1"
        )
        .is_err()
    );
    assert!(!store.in_transaction());
}

#[test]
fn a_constraint_names_table_and_column_and_leaves_the_transaction_open() {
    let (_dir, mut store) = inside();
    let error = run(
        &mut store,
        "UPDATE hearings SET title = NULL WHERE hearing_id = 1",
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "NOT NULL constraint failed: hearings.title"
    );
    assert!(store.in_transaction());
}

#[test]
fn what_would_end_the_transaction_is_refused() {
    let (_dir, mut store) = inside();
    for sql in [
        "COMMIT",
        "end",
        "ROLLBACK",
        "BEGIN",
        "/* x */ commit",
        "SAVEPOINT updater_record",
    ] {
        refusal(&mut store, sql);
    }
    assert!(store.in_transaction());
    run(&mut store, "SAVEPOINT theirs").unwrap();
    run(&mut store, "UPDATE hearings SET location = 'x'").unwrap();
    run(&mut store, "ROLLBACK TO theirs").unwrap();
    run(&mut store, "RELEASE theirs").unwrap();
    store.commit().unwrap();
}

#[test]
fn outside_a_transaction_the_refusal_names_the_way() {
    let (_dir, mut store) = store();
    assert!(refusal(&mut store, "BEGIN").contains("transaction()"));
    assert!(refusal(&mut store, "SAVEPOINT x").contains("transaction()"));
}

#[test]
fn files_pragmas_and_the_updaters_tables_are_out_of_reach() {
    let (_dir, mut store) = inside();
    for sql in [
        "ATTACH 'x.db' AS other",
        "DETACH temp",
        "VACUUM",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA recursive_triggers = 0",
        "PRAGMA journal_mode = WAL",
        "PRAGMA writable_schema(1)",
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA user_version = 3",
        "PRAGMA wal_checkpoint",
        "DELETE FROM updater_journal",
        "DROP TABLE updater_batches",
        "ALTER TABLE updater_facts ADD COLUMN x",
        "INSERT INTO UPDATER_FACTS VALUES ('a', 'b')",
        "UPDATE updater_batches SET state = 'undone'",
    ] {
        refusal(&mut store, sql);
    }
    let on = "SELECT foreign_keys FROM pragma_foreign_keys";
    assert_eq!(
        run(&mut store, on).unwrap().rows[0][0],
        SqlValue::Integer(1)
    );
    assert!(store.in_transaction());
}

#[test]
fn reading_pragmas_and_harmless_ones_pass() {
    let (_dir, mut store) = inside();
    assert!(
        run(&mut store, "PRAGMA table_info(hearings)")
            .unwrap()
            .rows
            .len()
            > 10
    );
    assert_eq!(
        run(&mut store, "PRAGMA integrity_check").unwrap().rows,
        [[SqlValue::Text("ok".to_owned())]]
    );
    for sql in [
        "PRAGMA foreign_key_list(hearing_committees)",
        "PRAGMA user_version",
        "PRAGMA journal_mode",
        "PRAGMA foreign_keys = ON",
        "PRAGMA busy_timeout = 30000",
        "SELECT * FROM updater_batches",
        "EXPLAIN QUERY PLAN SELECT * FROM hearings",
    ] {
        run(&mut store, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[test]
fn a_statement_that_ends_the_transaction_all_the_same_is_found_out() {
    let (_dir, mut store) = inside();
    run(&mut store, "UPDATE hearings SET location = 'x'").unwrap();
    let error = run(
        &mut store,
        "INSERT OR ROLLBACK INTO hearings SELECT * FROM hearings WHERE hearing_id = 1",
    )
    .unwrap_err();
    let StoreError::TransactionGone { statement } = &error else {
        panic!("{error}")
    };
    assert!(statement.starts_with("INSERT OR ROLLBACK"), "{statement}");
    assert!(!store.in_transaction());
    let sql = "SELECT COUNT(*) FROM hearings WHERE location = 'x'";
    assert_eq!(
        run(&mut store, sql).unwrap().rows[0][0],
        SqlValue::Integer(0)
    );
}

#[test]
fn two_statements_at_once_are_refused_and_neither_is_run() {
    let (_dir, mut store) = inside();
    let error = run(
        &mut store,
        "UPDATE hearings SET location = 'x'; DELETE FROM witnesses;",
    )
    .unwrap_err()
    .to_string();
    assert_eq!(error, "You can only execute one statement at a time.");
    let sql = "SELECT COUNT(*) FROM hearings WHERE location NOTNULL;  -- done";
    assert_eq!(
        run(&mut store, sql).unwrap().rows[0][0],
        SqlValue::Integer(0)
    );
}

#[test]
fn our_own_statements_are_not_watched_after_a_callers() {
    let (_dir, mut store) = inside();
    refusal(&mut store, "DELETE FROM updater_journal");
    store.conn.execute("DELETE FROM updater_held", []).unwrap();
}

#[test]
fn what_a_replace_deletes_is_journaled_also_where_the_file_has_triggers() {
    let (_dir, mut store) = store();
    store
        .conn
        .execute_batch(
            "CREATE TRIGGER touched AFTER UPDATE ON hearings BEGIN
                 UPDATE hearings SET updated_at = 'now' WHERE hearing_id = NEW.hearing_id;
             END",
        )
        .unwrap();
    run(
        &mut store,
        "INSERT OR REPLACE INTO witness_appearances (witness_id, hearing_id) VALUES (1, 1)",
    )
    .unwrap_err();
    run(
        &mut store,
        "INSERT OR REPLACE INTO hearing_committees (hearing_id, committee_id) VALUES (1, 1)",
    )
    .unwrap();
    let answer = run(
        &mut store,
        "SELECT op FROM updater_journal ORDER BY entry_id",
    )
    .unwrap();
    assert!(
        answer.rows.contains(&vec![SqlValue::Text("D".to_owned())]),
        "{answer:?}"
    );
    run(
        &mut store,
        "UPDATE hearings SET location = 'x' WHERE hearing_id = 1",
    )
    .unwrap();
}
