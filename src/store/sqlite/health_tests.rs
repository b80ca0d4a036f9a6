use super::super::testing::{fill, legacy_db, new_db};
use super::*;

/// An open store on a filled database, after some SQL that no constraint keeps in check.
fn after(sql: &str) -> (tempfile::TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;")
        .unwrap();
    conn.execute_batch(sql).unwrap();
    drop(conn);
    let store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
    (dir, store)
}

#[test]
fn a_sound_database_has_counts_and_no_findings() {
    let (_dir, mut store) = after("");
    assert_eq!(
        store.soundness().unwrap(),
        Soundness {
            hearings: 3,
            committees: 2,
            witnesses: 2,
            appearances: 2,
            links: 2,
            ..Soundness::default()
        }
    );
    assert!(store.missing_tables().unwrap().is_empty());
}

#[test]
fn a_broken_foreign_key_names_table_row_and_parent() {
    let (_dir, mut store) =
        after("UPDATE witness_appearances SET hearing_id = 99 WHERE appearance_id = 2");
    let found = store.soundness().unwrap();
    assert_eq!(
        found.foreign_keys,
        ["witness_appearances row 2: no hearings row 99"]
    );
    assert_eq!(found.orphans, found.foreign_keys);
}

#[test]
fn bills_and_tables_that_are_not_there_are_no_issue() {
    let (_dir, mut store) = after(
        "INSERT INTO hearing_bills (hearing_id, bill_id, relationship_type) VALUES (77, 88, 'x');
         INSERT INTO member_leadership_positions (member_id, title, congress) VALUES (5, 't', 1);
         DROP TABLE members; DROP TABLE supporting_documents;",
    );
    let found = store.soundness().unwrap();
    assert!(found.foreign_keys.is_empty(), "{:?}", found.foreign_keys);
    assert!(found.orphans.is_empty());
    assert!(store.missing_tables().unwrap().is_empty());
}

#[test]
fn values_outside_the_known_ones_are_named() {
    let (_dir, mut store) = after(
        "UPDATE hearings SET chamber = 'Joint' WHERE hearing_id = 1;
         UPDATE hearings SET status = 'Over' WHERE hearing_id = 2;
         UPDATE hearings SET hearing_type = '' WHERE hearing_id = 3;",
    );
    assert_eq!(
        store.soundness().unwrap().invalid_values,
        [
            "hearings row 1 (event 1001): chamber 'Joint'",
            "hearings row 3 (event 1003): hearing_type ''",
            "hearings row 2 (event 1002): status 'Over'",
        ]
    );
}

#[test]
fn duplicates_are_found_where_no_index_keeps_them_out() {
    let (_dir, mut store) = after(
        "ALTER TABLE hearing_committees RENAME TO old;
         CREATE TABLE hearing_committees (hearing_id INTEGER, committee_id INTEGER);
         INSERT INTO hearing_committees VALUES (1, 1), (1, 1), (2, 1), (NULL, NULL), (NULL, NULL);",
    );
    assert_eq!(
        store.soundness().unwrap().duplicates,
        ["hearing_committees: hearing_id 1, committee_id 1 is there 2 times"]
    );
}

#[test]
fn a_damaged_file_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    let conn = Connection::open(&path).unwrap();
    let page: u32 = conn
        .query_row(
            "SELECT rootpage FROM sqlite_master WHERE name = 'idx_hearings_date'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(conn);
    let page = page as usize;
    bytes[(page - 1) * 4096..page * 4096].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let mut store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
    match store.soundness() {
        Ok(found) => {
            assert!(!found.integrity.is_empty());
            assert!(
                found
                    .integrity
                    .iter()
                    .all(|line| !line.contains(['\n', '*']))
            );
        }
        Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "{error}"),
    }
}

#[test]
fn counts_leave_our_own_tables_out_and_mind_odd_names() {
    let (_dir, mut store) =
        after("CREATE TABLE \"odd \"\" name\" (x); INSERT INTO \"odd \"\" name\" VALUES (1)");
    crate::store::Transactions::bring_up(&mut store).unwrap();
    let counts = store.table_counts().unwrap();
    assert!(counts.contains(&("hearings".to_owned(), 3)));
    assert!(counts.contains(&("odd \" name".to_owned(), 1)));
    assert!(!counts.iter().any(|(name, _)| name.starts_with("updater_")));
    assert!(!counts.iter().any(|(name, _)| name.starts_with("sqlite_")));
}

#[test]
fn a_checkpoint_empties_the_wal_and_minds_no_other_mode() {
    let dir = tempfile::tempdir().unwrap();
    let path = new_db(dir.path());
    let mut store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
    fill(&path);
    store
        .conn
        .execute_batch("UPDATE hearings SET location = 'here'")
        .unwrap();
    let wal = super::super::beside(&path, "-wal");
    assert!(std::fs::metadata(&wal).unwrap().len() > 0);
    store.checkpoint_wal().unwrap();
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), 0);
    let (_dir, mut other) = after("");
    other.checkpoint_wal().unwrap();
}

#[test]
fn rows_against_the_rules_of_their_table_are_no_damage() {
    let (dir, mut store) = after(
        "UPDATE hearings SET chamber = 'Lords' WHERE hearing_id = 1;
         UPDATE committees SET type = 'Club' WHERE committee_id = 2;",
    );
    let found = store.soundness().unwrap();
    assert_eq!(found.integrity, [""; 0]);
    assert_eq!(
        found.invalid_values,
        [
            "hearings row 1 (event 1001): chamber 'Lords'",
            "CHECK constraint failed in committees"
        ]
    );
    // They are no reason to have no backup.
    let backup = store
        .back_up(&dir.path().join("backups"), &|| false)
        .unwrap();
    assert!(backup.is_file());
}
