use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::*;
use crate::store::sqlite::{SqliteStore, init};
use crate::store::{Access, Ledger, RunLock};

fn now() -> Zoned {
    "2025-10-13T21:00:00-04:00[America/New_York]"
        .parse()
        .unwrap()
}

/// A new database with two hearings that nothing is wrong with, after some SQL.
fn database(dir: &Path, sql: &str) -> PathBuf {
    let path = dir.join("x.db");
    init(&path).unwrap();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "PRAGMA foreign_keys = OFF;
         INSERT INTO committees (committee_id, system_code, name, chamber, type, congress)
             VALUES (1, 'hsag00', 'Agriculture', 'House', 'Standing', 119);
         INSERT INTO hearings (hearing_id, event_id, congress, chamber, title, hearing_type, status,
                               hearing_date, location, update_date)
             VALUES (1, '1001', 119, 'House', 'On farms', 'Hearing', 'Scheduled', '2025-07-29', 'x',
                     '2025-07-28 22:08:17'),
                    (2, '1002', 119, 'House', 'On ports', 'Hearing', 'Scheduled', '2025-07-30', 'x',
                     '2025-07-28 22:08:17');
         INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (1, 1), (2, 1);",
    )
    .unwrap();
    conn.execute_batch(sql).unwrap();
    path
}

fn verified(sql: &str) -> Verification {
    let dir = tempfile::tempdir().unwrap();
    let path = database(dir.path(), sql);
    let mut store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
    verify(&mut store, &now(), 17, 3.0).unwrap()
}

fn issues(found: &Verification) -> Vec<&str> {
    let all = found.checks.iter().flat_map(|check| &check.issues);
    all.map(String::as_str).collect()
}

fn warnings(found: &Verification) -> Vec<&str> {
    let all = found.checks.iter().flat_map(|check| &check.warnings);
    all.map(String::as_str).collect()
}

/// Runs logged on each day of September and early October, the last one on the given day.
fn logs(last: u8, last_checked: i64) -> String {
    let mut sql = String::new();
    for day in 1..=30 {
        sql += &log(&format!("2025-09-{day:02}"), 100 + day % 5, true);
    }
    sql + &log(&format!("2025-10-{last:02}"), last_checked, true)
}

fn log(day: &str, checked: i64, success: bool) -> String {
    format!(
        "INSERT INTO update_logs (update_date, start_time, duration_seconds, hearings_checked, success,
                                  errors)
         VALUES ('{day}', '{day} 02:00:00', 2.0, {checked}, {success}, '[\"no  answer\"]');"
    )
}

#[test]
fn a_sound_database_that_was_updated_today_has_nothing_to_say() {
    let found = verified(&logs(13, 102));
    assert_eq!(issues(&found), [""; 0]);
    assert_eq!(warnings(&found), [""; 0]);
    assert!(!found.mendable && found.unmendable.is_none());
    let names: Vec<_> = found.checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            "integrity",
            "counts",
            "values",
            "date_ranges",
            "foreign_keys",
            "duplicates",
            "relationships",
            "anomalies",
            "last_update"
        ]
    );
}

#[test]
fn a_row_that_leads_nowhere_is_one_issue_and_mendable() {
    let found = verified(
        &(logs(13, 102)
            + "INSERT INTO hearing_committees (hearing_id, committee_id) VALUES (99, 1)"),
    );
    assert_eq!(
        issues(&found),
        ["foreign key violation: hearing_committees row 3: no hearings row 99"]
    );
    assert!(found.mendable);
}

#[test]
fn so_many_findings_are_named_and_the_rest_counted() {
    let rows: Vec<String> = (50..90).map(|id| format!("({id}, 1)")).collect();
    let found = verified(&format!(
        "INSERT INTO hearing_committees (hearing_id, committee_id) VALUES {}",
        rows.join(", ")
    ));
    assert_eq!(issues(&found).len(), NAMED + 1);
    assert_eq!(issues(&found)[NAMED], "foreign key violation: 20 more");
}

#[test]
fn hearings_that_were_lost_are_an_issue_that_no_repair_may_hide() {
    let found = verified("UPDATE sqlite_sequence SET seq = 1168 WHERE name = 'hearings'");
    assert_eq!(issues(&found).len(), 1);
    assert!(issues(&found)[0].starts_with("only 2 hearings where there have been 100 or more"));
    assert!(found.unmendable.is_some());
}

#[test]
fn a_database_without_our_tables_has_one_issue() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE recipes (name)").unwrap();
    drop(conn);
    let mut store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
    let found = verify(&mut store, &now(), 17, 3.0).unwrap();
    assert_eq!(issues(&found).len(), 1);
    assert!(issues(&found)[0].starts_with("missing table(s): hearings"));
}

#[test]
fn an_empty_database_is_worth_a_warning() {
    let found = verified("DELETE FROM hearing_committees; DELETE FROM hearings;");
    assert_eq!(issues(&found), [""; 0]);
    assert!(warnings(&found)[0].starts_with("no hearings yet"));
}

#[test]
fn a_date_that_is_none_is_an_issue_and_one_out_of_place_a_warning() {
    let found = verified(
        &(logs(13, 102)
            + "UPDATE hearings SET hearing_date = 'soon' WHERE hearing_id = 1;
               UPDATE hearings SET hearing_date = '2019-01-01' WHERE hearing_id = 2;"),
    );
    assert_eq!(
        issues(&found),
        ["hearings whose date is none: 1 (event 1001: hearing_date 'soon')"]
    );
    assert_eq!(
        warnings(&found),
        ["hearings dated outside the two years of their Congress: 1 (event 1002 (2019-01-01))"]
    );
}

#[test]
fn an_unusual_last_run_is_a_warning() {
    let found = verified(&logs(13, 0));
    assert_eq!(issues(&found), [""; 0]);
    assert_eq!(warnings(&found).len(), 1);
    assert!(
        warnings(&found)[0]
            .starts_with("hearings_checked of the run of 2025-10-13 02:00:00 is 0.0")
    );
    assert!(warnings(&found)[0].ends_with(": critical"));
    let figures = &found.checks[7].figures;
    assert_eq!(figures["alert_triggered"], true);
    assert_eq!(figures["history_days"], 30);
}

#[test]
fn a_last_update_that_failed_or_lies_long_ago_is_a_warning() {
    let stale = verified(&logs(10, 102));
    assert_eq!(
        warnings(&stale),
        ["the last successful update was 3 days ago, at 2025-10-10 02:00:00"]
    );
    let failed = verified(&(logs(12, 102) + &log("2025-10-13", 0, false)));
    assert_eq!(
        warnings(&failed),
        ["the last update failed, at 2025-10-13 02:00:00: no answer"]
    );
    let ahead = verified(&logs(20, 102));
    assert!(warnings(&ahead)[0].contains("ahead of this computer's clock"));
    let never = verified("");
    assert_eq!(warnings(&never), ["no successful update is recorded"]);
    let unknown = verified("DROP TABLE update_logs");
    assert!(warnings(&unknown)[0].contains("no table update_logs"));
}

#[test]
fn a_run_that_was_killed_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let path = database(dir.path(), &logs(13, 102));
    let mut store = SqliteStore::open(&path, Access::ReadWrite).unwrap();
    store.start_run(119, "incremental", "manual").unwrap();
    let found = verify(&mut store, &now(), 17, 3.0).unwrap();
    assert_eq!(warnings(&found).len(), 1);
    assert!(warnings(&found)[0].contains("did not end"));
    let _lock = RunLock::acquire(&path, "daily update").unwrap();
    let found = verify(&mut store, &now(), 17, 3.0).unwrap();
    assert_eq!(warnings(&found), [""; 0]);
    assert_eq!(found.checks[8].figures["running"], "daily update");
}

#[test]
fn what_to_do_stands_at_the_end() {
    let found = verified(&(logs(13, 102) + "UPDATE hearings SET location = NULL"));
    assert_eq!(
        warnings(&found),
        [
            "hearings without a location: 2 (event 1001, event 1002); 'hearing-updater update --mode \
             full' fills in old ones"
        ]
    );
}

#[test]
fn rows_against_the_rules_are_no_damage() {
    let found = verified(
        "PRAGMA ignore_check_constraints = ON; UPDATE hearings SET chamber = 'Lords' WHERE hearing_id = 1;
         UPDATE committees SET type = 'Club';",
    );
    assert_eq!(
        issues(&found),
        [
            "invalid value: hearings row 1 (event 1001): chamber 'Lords'",
            "invalid value: CHECK constraint failed in committees"
        ]
    );
    assert!(found.unmendable.is_none());
}
