use proptest::prelude::*;

use super::snapshots::*;
use super::*;
use crate::domain::{BillRef, Meeting, Transcript, Video, VideoType, parse_datetime};
use crate::store::{
    BatchId, HandMade, Hearings, Journal, SqlValue, StoreError, Transactions, UndoPolicy,
};

mod by_hand;
mod changes;
mod conflicts;
mod history;

const STRICTLY: UndoPolicy = UndoPolicy::AllOrNothing;

/// Applies `work` as one batch, undoes it, and compares every row.
#[track_caller]
fn undone_exactly(
    store: &mut SqliteStore,
    work: impl FnOnce(&mut SqliteStore) -> crate::store::StoreResult<()>,
) -> BatchId {
    let before = snapshot(store);
    let batch = batch(store, work);
    assert_ne!(before, snapshot(store), "the batch changed nothing");
    let report = store.undo(&[batch], STRICTLY).unwrap();
    assert!(report.undone, "{report:?}");
    assert_eq!(before, snapshot(store));
    batch
}

fn sql(statement: &str) -> impl FnOnce(&mut SqliteStore) -> crate::store::StoreResult<()> {
    move |store| execute(store, statement)
}

fn full(event_id: &str) -> Meeting {
    let mut full = meeting(event_id);
    full.committees = vec![committee("ssga00"), committee("hsag00")];
    full.witnesses = vec![
        witness("Jane Roe", Some("Farm Bureau")),
        witness("Ann Oldham", None),
    ];
    full.witness_documents = vec![statement("OldhamA"), statement("NobodyX")];
    full.transcripts = vec![Transcript {
        jacket_number: "12345".to_owned(),
        url: None,
    }];
    full.bills = vec![BillRef {
        congress: 119,
        bill_type: "HR",
        number: 7,
        url: None,
    }];
    full
}

#[test]
fn an_added_hearing_goes_with_all_that_came_with_it() {
    let (_dir, mut store) = store();
    undone_exactly(&mut store, |s| {
        s.write_meeting(&full("2001"), None, ALL).map(|_| ())
    });
}

#[test]
fn an_updated_hearing_is_as_it_was_and_never_deleted() {
    let (_dir, mut store) = store();
    undone_exactly(&mut store, |s| {
        s.write_meeting(&full("1001"), None, ALL).map(|_| ())
    });
    assert_eq!(value(&store, "SELECT count(*) FROM hearings"), "3");
}

#[test]
fn undoing_twice_is_harmless_and_undoing_the_undo_brings_it_back() {
    let (_dir, mut store) = store();
    let first = batch(&mut store, |s| {
        s.write_meeting(&full("1001"), None, ALL).map(|_| ())
    });
    let applied = snapshot(&store);
    assert!(store.undo(&[first], STRICTLY).unwrap().undone);
    let undone = snapshot(&store);
    assert!(store.undo(&[first], STRICTLY).unwrap().undone);
    assert_eq!(undone, snapshot(&store));
    let undo: BatchId = value(
        &store,
        "SELECT undone_by FROM updater_batches WHERE state = 'undone'",
    )
    .parse()
    .unwrap();
    assert!(store.undo(&[undo], STRICTLY).unwrap().undone);
    assert_eq!(applied, snapshot(&store));
}

#[test]
fn a_caller_s_sql_is_undone_like_ours() {
    let (_dir, mut store) = store();
    undone_exactly(
        &mut store,
        sql("DELETE FROM witness_documents WHERE document_id = 1"),
    );
    undone_exactly(
        &mut store,
        sql("UPDATE hearings SET title = upper(title), event_id = event_id || 'x'"),
    );
    undone_exactly(
        &mut store,
        sql("UPDATE witness_documents SET document_id = document_id + 100"),
    );
    undone_exactly(
        &mut store,
        sql("INSERT OR REPLACE INTO witnesses (witness_id, full_name) VALUES (1, 'Someone Else')"),
    );
    undone_exactly(
        &mut store,
        sql("UPDATE OR REPLACE witness_documents SET document_id = 1"),
    );
}

#[test]
fn values_of_every_kind_come_back() {
    let (_dir, mut store) = store_with(
        "UPDATE hearings SET location = x'00ff', jacket_number = CAST(x'ff41' AS TEXT),
             url = 'a' || char(0) || 'b', congress_gov_url = NULL WHERE hearing_id = 1;
         CREATE TABLE loose (a, b COLLATE NOCASE);
         INSERT INTO loose VALUES (1, 'x'), (1.0, 'X'), (9e999, x''), (-0.0, NULL), (1, 'x');",
    );
    undone_exactly(
        &mut store,
        sql(
            "UPDATE hearings SET location = 'L', jacket_number = 'J', url = 'U', congress_gov_url = 'C'",
        ),
    );
    undone_exactly(
        &mut store,
        sql("UPDATE loose SET b = upper(b) WHERE b = 'x'"),
    );
    undone_exactly(
        &mut store,
        sql("UPDATE loose SET a = CAST(a AS REAL) WHERE typeof(a) = 'integer'"),
    );
    undone_exactly(&mut store, sql("DELETE FROM loose"));
    undone_exactly(&mut store, sql("UPDATE loose SET rowid = rowid + 50"));
}

#[test]
fn odd_tables_are_journaled_too() {
    let wide: Vec<String> = (0..130)
        .map(|n| format!("c{n} TEXT DEFAULT '{n}'"))
        .collect();
    let (_dir, mut store) = store_with(&format!(
        "CREATE TABLE wide (id INTEGER PRIMARY KEY, {});
         CREATE TABLE \"my \"\"own\"\" table\" (\"the 'key'\" TEXT PRIMARY KEY, \"a \"\" b\", rowid) WITHOUT ROWID;
         CREATE TABLE made (a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2) STORED, c AS (a + 1));
         CREATE VIRTUAL TABLE words USING fts5(word);
         CREATE VIEW v AS SELECT * FROM wide;
         INSERT INTO wide (id) VALUES (1);
         INSERT INTO \"my \"\"own\"\" table\" VALUES ('k', 1, 2);
         INSERT INTO made (a) VALUES (1);",
        wide.join(", ")
    ));
    undone_exactly(&mut store, sql("UPDATE wide SET c0 = 'x', c129 = NULL"));
    undone_exactly(&mut store, sql("DELETE FROM wide"));
    undone_exactly(
        &mut store,
        sql("UPDATE \"my \"\"own\"\" table\" SET \"a \"\" b\" = 9, rowid = 'r'"),
    );
    undone_exactly(&mut store, sql("DELETE FROM \"my \"\"own\"\" table\""));
    undone_exactly(&mut store, sql("UPDATE made SET a = 5"));
    undone_exactly(&mut store, sql("INSERT INTO made (a) VALUES (7)"));
}

#[test]
fn the_file_s_own_triggers_neither_disturb_the_journal_nor_the_undo() {
    let (_dir, mut store) = store_with(
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT);
         CREATE TRIGGER touched AFTER UPDATE ON hearings BEGIN
             UPDATE hearings SET updated_at = 'touched ' || random() WHERE hearing_id = NEW.hearing_id;
             INSERT INTO audit (what) VALUES ('changed ' || OLD.title);
         END;
         CREATE TRIGGER gone AFTER DELETE ON witness_documents BEGIN
             INSERT INTO audit (what) VALUES ('gone ' || OLD.document_id);
         END;",
    );
    undone_exactly(&mut store, |s| {
        s.write_meeting(&full("1001"), None, ALL).map(|_| ())
    });
    undone_exactly(&mut store, sql("DELETE FROM witness_documents"));
    undone_exactly(
        &mut store,
        sql(
            "REPLACE INTO witness_documents (document_id, appearance_id, document_type) VALUES (1, 2, 'Biography')",
        ),
    );
    assert_eq!(value(&store, "SELECT count(*) FROM audit"), "0");
    batch(&mut store, sql("UPDATE hearings SET title = 'again'"));
    assert_eq!(
        value(&store, "SELECT count(*) FROM audit"),
        "3",
        "they are on again afterwards"
    );
}

#[test]
fn rows_that_refer_to_each_other_are_undone_in_any_order() {
    let (_dir, mut store) = store_with(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, up INTEGER REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE child (id INTEGER PRIMARY KEY, up INTEGER NOT NULL REFERENCES parent DEFERRABLE INITIALLY DEFERRED);",
    );
    undone_exactly(&mut store, |s| {
        execute(s, "INSERT INTO child VALUES (1, 1)")?;
        execute(s, "INSERT INTO parent VALUES (1, 1), (3, 2), (2, 1)")
    });
}

#[test]
fn an_unknown_batch_is_refused() {
    let (_dir, mut store) = store();
    assert!(matches!(
        store.undo(&[99], STRICTLY),
        Err(StoreError::BadRecord { .. })
    ));
    assert!(!store.in_transaction());
}

#[test]
fn a_change_that_is_none_leaves_no_entry() {
    let (_dir, mut store) = store();
    store.begin(BATCH).unwrap();
    execute(&mut store, "UPDATE hearings SET title = title").unwrap();
    assert_eq!(store.commit().unwrap(), None);
}

prop_compose! {
    fn any_meeting()(
        event in prop::sample::select(vec!["1001", "1002", "1003", "2001", "2002"]),
        title in prop::option::of("[a-z\"'\\PC]{0,12}"),
        location in prop::option::of("\\PC{1,9}"),
        day in prop::option::of(1_u8..28),
        codes in prop::collection::vec(prop::sample::select(vec!["hsag00", "SSGA00"]), 0..3),
        people in prop::collection::vec((
            prop::sample::select(vec!["Jane Roe", "Dr. Jane Roe", "John Doe", "Ann Oldham", "Bob Smith"]),
            prop::option::of(prop::sample::select(vec!["Farm Bureau", "Ports Inc"])),
        ), 0..4),
        owners in prop::collection::vec(prop::sample::select(vec!["RoeJ", "SmithB", "OldhamA", "XX"]), 0..4),
        jackets in prop::collection::vec(10_000_u32..10_004, 0..3),
        bills in prop::collection::vec(1_i64..5, 0..3),
        video in any::<bool>(),
    ) -> Meeting {
        Meeting {
            event_id: event.to_owned(),
            congress: Some(119),
            title,
            location,
            date: day.map(|d| format!("2025-03-{d:02}")),
            update_date: day.and_then(|d| parse_datetime(&format!("2025-08-{d:02}T00:00:00Z"))),
            video: video.then(|| Video {
                url: "https://youtu.be/abcdefghijk".to_owned(),
                youtube_id: Some("abcdefghijk".to_owned()),
                video_type: VideoType::Youtube,
            }),
            committees: codes.into_iter().map(committee).collect(),
            witnesses: people.into_iter().map(|(name, org)| witness(name, org)).collect(),
            witness_documents: owners.into_iter().map(statement).collect(),
            transcripts: jackets.into_iter()
                .map(|j| Transcript { jacket_number: j.to_string(), url: None }).collect(),
            bills: bills.into_iter()
                .map(|number| BillRef { congress: 119, bill_type: "HR", number, url: None }).collect(),
            ..Meeting::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn applying_and_undoing_is_the_identity(
        batches in prop::collection::vec(prop::collection::vec(any_meeting(), 1..6), 1..4)
    ) {
        let (_dir, mut store) = store();
        let before = snapshot(&store);
        let mut applied = Vec::new();
        for meetings in &batches {
            store.begin(BATCH).unwrap();
            for meeting in meetings {
                store.write_meeting(meeting, None, ALL).unwrap();
                let again = store.write_meeting(meeting, None, ALL).unwrap();
                prop_assert!(!again.added && !again.changed, "written twice: {:?}", meeting);
            }
            applied.extend(store.commit().unwrap());
        }
        let report = store.undo(&applied, STRICTLY).unwrap();
        prop_assert!(report.undone, "{:?}", report);
        prop_assert!(report.kept.is_empty(), "{:?}", report);
        prop_assert_eq!(before, snapshot(&store));
    }
}
