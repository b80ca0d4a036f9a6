use rusqlite::Connection;

use super::super::testing::{fill, legacy_db, new_db};
use super::*;
use crate::store::{Access, Ledger};

/// A filled database of the oldest shape, after some SQL that no constraint keeps in check.
fn after(sql: &str) -> (tempfile::TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    changed(dir, &path, sql)
}

fn changed(
    dir: tempfile::TempDir,
    path: &std::path::Path,
    sql: &str,
) -> (tempfile::TempDir, SqliteStore) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;")
        .unwrap();
    conn.execute_batch(sql).unwrap();
    drop(conn);
    let store = SqliteStore::open(path, Access::ReadOnly).unwrap();
    (dir, store)
}

fn found(store: &mut SqliteStore, about: About) -> (i64, Vec<String>) {
    let survey = store.survey().unwrap();
    let finding = survey.findings.into_iter().find(|f| f.about == about);
    let finding = finding.unwrap();
    (finding.count, finding.examples)
}

#[test]
fn hearings_are_grouped_and_dated() {
    let (_dir, mut store) = after("");
    let survey = store.survey().unwrap();
    assert_eq!(
        survey.groups[1],
        (
            "chamber",
            vec![
                ("House".to_owned(), 1),
                ("NoChamber".to_owned(), 1),
                ("Senate".to_owned(), 1)
            ]
        )
    );
    assert_eq!(survey.earliest.as_deref(), Some("2025-07-29"));
    assert_eq!(survey.latest.as_deref(), Some("2025-07-29"));
    assert_eq!(
        survey.newest_update_date.as_deref(),
        Some("2025-07-28 22:08:17")
    );
    assert!(!survey.logs && survey.last_log.is_none());
}

#[test]
fn dates_that_are_none_or_out_of_place_are_named() {
    let (_dir, mut store) = after(
        "UPDATE hearings SET hearing_date = '2025-02-31' WHERE hearing_id = 1;
         UPDATE hearings SET hearing_date = 20250729 WHERE hearing_id = 2;
         UPDATE hearings SET hearing_date = '2019-07-29T14:00:00Z', hearing_date_only = '2019-07-30',
                             update_date = 'soon' WHERE hearing_id = 3;",
    );
    assert_eq!(
        found(&mut store, About::UnreadableDate),
        (
            2,
            vec![
                "event 1001: hearing_date '2025-02-31'".to_owned(),
                "event 1002: hearing_date 20250729".to_owned()
            ]
        )
    );
    assert_eq!(
        found(&mut store, About::OutsideCongress),
        (1, vec!["event 1003 (2019-07-29)".to_owned()])
    );
    assert_eq!(found(&mut store, About::DatesDisagree).0, 1);
    assert_eq!(found(&mut store, About::NoDate).0, 0);
    assert_eq!(
        found(&mut store, About::UnreadableUpdateDate),
        (1, vec!["event 1003: 'soon'".to_owned()])
    );
    let survey = store.survey().unwrap();
    assert_eq!(survey.latest.as_deref(), Some("2019-07-29T14:00:00Z"));
}

#[test]
fn the_days_of_a_congress_are_counted_from_its_third_of_january() {
    for (date, outside) in [
        ("2025-01-02", 1),
        ("2025-01-03", 0),
        ("2027-01-03", 0),
        ("2027-01-04", 1),
    ] {
        let (_dir, mut store) = after(&format!(
            "UPDATE hearings SET hearing_date = '{date}' WHERE hearing_id = 1"
        ));
        assert_eq!(
            found(&mut store, About::OutsideCongress).0,
            outside,
            "{date}"
        );
    }
}

#[test]
fn dates_ahead_are_found() {
    let (_dir, mut store) = after(
        "UPDATE hearings SET hearing_date = date('now', '+2 years'),
                             update_date = datetime('now', '+3 days') WHERE hearing_id = 1;
         UPDATE hearings SET hearing_date = date('now', '+2 months'),
                             update_date = datetime('now', '+3 hours') WHERE hearing_id = 2;",
    );
    assert_eq!(found(&mut store, About::FarAhead).0, 1);
    assert_eq!(found(&mut store, About::FutureUpdateDate).0, 1);
}

#[test]
fn what_belongs_to_nothing_is_counted() {
    let (_dir, mut store) = after(
        "INSERT INTO witnesses (witness_id, full_name) VALUES (9, 'No One');
         UPDATE hearings SET location = 'Room 1' WHERE hearing_id = 1;
         UPDATE hearings SET title = ' ' WHERE hearing_id = 2;",
    );
    assert_eq!(
        found(&mut store, About::NoCommittee),
        (1, vec!["event 1003".to_owned()])
    );
    assert_eq!(found(&mut store, About::NoWitness).0, 1);
    assert_eq!(
        found(&mut store, About::WitnessNowhere),
        (1, vec!["witness 9 'No One'".to_owned()])
    );
    assert_eq!(found(&mut store, About::NoLocation).0, 2);
    assert_eq!(found(&mut store, About::NoTitle).0, 1);
}

#[test]
fn one_person_under_several_ids_is_one_finding() {
    let (_dir, mut store) = after(
        "INSERT INTO witnesses (witness_id, full_name, organization)
             VALUES (3, 'jane  roe', 'farm bureau'), (4, 'Jane Roe', 'Farm Bureau'),
                    (5, 'Jane Roe', 'Another')",
    );
    assert_eq!(
        found(&mut store, About::AlikeWitnesses),
        (1, vec!["'jane  roe' (witnesses 1, 3, 4)".to_owned()])
    );
}

#[test]
fn repeated_documents_are_found_where_no_index_keeps_them_out() {
    let (_dir, mut store) = after(
        "INSERT INTO witness_documents (appearance_id, document_type, document_url)
             VALUES (1, 'Statement', 'https://docs.house.gov/a.pdf'), (1, 'Statement', NULL),
                    (1, 'Statement', NULL)",
    );
    assert_eq!(found(&mut store, About::RepeatedWitnessDocuments).0, 1);
}

#[test]
fn what_the_shape_lacks_is_left_out() {
    let (_dir, mut store) = after(
        "DROP TABLE witness_appearances; ALTER TABLE hearings DROP COLUMN location;
         DROP INDEX idx_hearings_congress; ALTER TABLE hearings DROP COLUMN congress;",
    );
    let survey = store.survey().unwrap();
    let abouts: Vec<About> = survey.findings.iter().map(|f| f.about).collect();
    for gone in [
        About::NoWitness,
        About::WitnessNowhere,
        About::NoLocation,
        About::OutsideCongress,
    ] {
        assert!(!abouts.contains(&gone), "{gone:?}");
    }
    assert!(abouts.contains(&About::NoCommittee));
    assert!(
        survey
            .groups
            .iter()
            .all(|(column, _)| *column != "congress")
    );
}

#[test]
fn text_that_is_no_utf8_is_shown_as_well_as_can_be() {
    let (_dir, mut store) = after(
        "UPDATE hearings SET event_id = CAST(x'31ff' AS TEXT), title = '' WHERE hearing_id = 1;
         UPDATE witnesses SET full_name = CAST(x'ff41' AS TEXT) WHERE witness_id = 1;",
    );
    assert_eq!(found(&mut store, About::NoTitle).0, 1);
    assert_eq!(found(&mut store, About::AlikeWitnesses).0, 0);
}

#[test]
fn the_newest_log_row_is_read_whatever_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = new_db(dir.path());
    let (_dir, mut store) = changed(
        dir,
        &path,
        "INSERT INTO update_logs (update_date, start_time, duration_seconds, hearings_checked,
                                  hearings_added, success, errors)
         VALUES ('2025-10-02', '2025-10-02 02:00:00', NULL, '12', 'many', 0, '[\"no\"]'),
                ('2025-10-01', '2025-10-01 02:00:00', 3.5, 10, 1, 1, NULL)",
    );
    let survey = store.survey().unwrap();
    let last = survey.last_log.unwrap();
    assert_eq!(last.start_time, "2025-10-02 02:00:00");
    assert_eq!(last.success, Some(false));
    assert_eq!(last.errors.as_deref(), Some("[\"no\"]"));
    assert_eq!(
        last.figures[..2],
        [("duration_seconds", None), ("hearings_checked", Some(12.0))]
    );
    assert_eq!(last.figures[3], ("hearings_added", None));
}

#[test]
fn a_past_run_without_a_figure_is_not_one_with_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = new_db(dir.path());
    let (_dir, mut store) = changed(
        dir,
        &path,
        "INSERT INTO update_logs (update_date, start_time, duration_seconds, hearings_checked)
         VALUES ('2025-10-01', '2025-10-01 02:00:00', NULL, 10)",
    );
    let runs = store.past_runs("").unwrap();
    assert!(runs[0].duration_seconds.is_nan());
    assert_eq!(
        (runs[0].hearings_checked, runs[0].hearings_added),
        (10.0, 0.0)
    );
}
