use proptest::prelude::*;

use super::snapshots::*;
use super::*;
use crate::domain::{BillRef, Meeting, Transcript, Video, VideoType, parse_datetime};
use crate::store::{
    BatchId, HandMade, Hearings, Journal, SqlValue, StoreError, Transactions, UndoPolicy,
};

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
fn a_row_changed_again_is_named_and_nothing_is_undone() {
    let (dir, mut store) = store();
    let first = batch(&mut store, |s| {
        s.write_meeting(&full("1001"), None, ALL)?;
        s.write_meeting(&full("2001"), None, ALL).map(|_| ())
    });
    let mut again = full("1001");
    again.title = Some("Something else".to_owned());
    let second = batch(&mut store, |s| {
        s.write_meeting(&again, None, ALL).map(|_| ())
    });
    let other = rusqlite::Connection::open(dir.path().join("legacy.db")).unwrap();
    other
        .execute("DELETE FROM hearing_transcripts WHERE hearing_id > 3", [])
        .unwrap();
    let before = snapshot(&store);
    let report = store.undo(&[first], STRICTLY).unwrap();
    assert!(!report.undone);
    let named = report.conflicts.join("\n");
    assert!(
        named.contains(&format!(
            "hearings 1 (event 1001): changed again by batch {second}"
        )),
        "{named}"
    );
    assert!(
        named.contains("hearing_transcripts") && named.contains("removed since by another program"),
        "{named}"
    );
    assert_eq!(before, snapshot(&store));
    let state = "SELECT state FROM updater_batches WHERE batch_id = 1";
    assert_ne!(value(&store, state), "undone");

    let report = store.undo(&[first], UndoPolicy::Force).unwrap();
    assert!(report.undone && !report.conflicts.is_empty());
    assert_eq!(
        value(&store, "SELECT title FROM hearings WHERE event_id = '1001'"),
        "Something else"
    );
    assert_eq!(
        value(
            &store,
            "SELECT count(*) FROM hearings WHERE event_id = '2001'"
        ),
        "0"
    );
    assert_eq!(
        value(&store, "SELECT count(*) FROM pragma_foreign_key_check"),
        "0"
    );
}

#[test]
fn a_witness_that_a_later_batch_uses_stays_and_is_named() {
    let (_dir, mut store) = store();
    let first = batch(&mut store, |s| {
        s.write_meeting(&full("2001"), None, ALL).map(|_| ())
    });
    let mut later = meeting("2002");
    later.witnesses = vec![witness("Ann Oldham", None)];
    let second = batch(&mut store, |s| {
        s.write_meeting(&later, None, ALL).map(|_| ())
    });
    let report = store.undo(&[first], STRICTLY).unwrap();
    assert!(report.undone, "{report:?}");
    assert_eq!(report.kept.len(), 1);
    assert!(
        report.kept[0].contains("'Ann Oldham': used by witness_appearances"),
        "{report:?}"
    );
    assert_eq!(
        value(
            &store,
            "SELECT count(*) FROM witnesses WHERE full_name = 'Ann Oldham'"
        ),
        "1"
    );
    assert_eq!(
        report.events,
        [("2001".to_owned(), Some("2025-09-08 10:00:00".to_owned()))]
    );
    assert!(store.undo(&[second], STRICTLY).unwrap().undone);
    assert_eq!(value(&store, "SELECT count(*) FROM hearings"), "3");
}

#[test]
fn a_row_of_a_table_that_we_do_not_know_holds_what_it_refers_to() {
    let (_dir, mut store) =
        store_with("CREATE TABLE notes (id INTEGER PRIMARY KEY, witness_id INTEGER, note TEXT)");
    let first = batch(&mut store, |s| {
        s.write_meeting(&full("2001"), None, ALL).map(|_| ())
    });
    batch(
        &mut store,
        sql("INSERT INTO notes (witness_id, note) SELECT max(witness_id), 'n' FROM witnesses"),
    );
    let report = store.undo(&[first], STRICTLY).unwrap();
    assert!(
        report.undone && report.kept.len() == 1 && report.kept[0].contains("notes 1"),
        "{report:?}"
    );
}

#[test]
fn several_batches_are_undone_together_and_one_between_others_is_a_conflict() {
    let (_dir, mut store) = store();
    let start = snapshot(&store);
    let mut batches = Vec::new();
    for title in ["one", "two", "three"] {
        let mut next = full("1001");
        next.title = Some(title.to_owned());
        batches.push(batch(&mut store, |s| {
            s.write_meeting(&next, None, ALL).map(|_| ())
        }));
    }
    assert!(
        !store
            .undo(&[batches[0], batches[2]], STRICTLY)
            .unwrap()
            .undone
    );
    batches.reverse();
    assert!(store.undo(&batches, STRICTLY).unwrap().undone);
    assert_eq!(start, snapshot(&store));
}

#[test]
fn a_unique_value_taken_since_is_a_conflict_and_no_failure() {
    let (_dir, mut store) = store();
    let first = batch(
        &mut store,
        sql("UPDATE hearings SET event_id = '9' WHERE event_id = '1001'"),
    );
    batch(&mut store, |s| {
        s.write_meeting(&meeting("1001"), None, ALL).map(|_| ())
    });
    let report = store.undo(&[first], STRICTLY).unwrap();
    assert!(
        !report.undone && report.conflicts[0].contains("UNIQUE"),
        "{report:?}"
    );
}

#[test]
fn a_column_that_came_since_is_left_alone() {
    let (dir, mut store) = store();
    let first = batch(&mut store, |s| {
        s.write_meeting(&full("1001"), None, ALL).map(|_| ())
    });
    let other = rusqlite::Connection::open(dir.path().join("legacy.db")).unwrap();
    other
        .execute_batch(
            "ALTER TABLE hearings ADD COLUMN mood TEXT; UPDATE hearings SET mood = 'good'",
        )
        .unwrap();
    assert!(store.undo(&[first], STRICTLY).unwrap().undone);
    assert_eq!(
        value(
            &store,
            "SELECT title || mood FROM hearings WHERE hearing_id = 1"
        ),
        "On farmsgood"
    );
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

#[test]
fn a_hand_made_checkpoint_is_honoured() {
    let (_dir, mut store) = store();
    let before = snapshot(&store);
    let mut written = Vec::new();
    let old = store.hearing_row("1001").unwrap().unwrap();
    batch(&mut store, |s| {
        written.push(s.write_meeting(&full("2001"), None, ALL)?);
        let mut update = meeting("1001");
        update.location = Some("Elsewhere".to_owned());
        s.write_meeting(&update, None, ALL).map(|_| ())
    });
    let columns = old
        .columns
        .iter()
        .map(|c| c.to_uppercase())
        .zip(old.values.clone())
        .collect();
    let checkpoint = HandMade {
        originals: vec![("1001".to_owned(), columns), ("404".to_owned(), Vec::new())],
        updated: vec!["1001".to_owned()],
        added: vec!["2001".to_owned(), "405".to_owned()],
        witnesses_added: written[0]
            .witnesses_added
            .iter()
            .copied()
            .chain([1, 999])
            .collect(),
        documents_added: written[0].documents_added.clone(),
    };
    let report = store.undo_by_hand(&checkpoint).unwrap();
    assert!(report.undone);
    assert_eq!(report.warnings.len(), 3, "{report:?}");
    assert!(
        report.kept.len() == 1 && report.kept[0].contains("Jane Roe"),
        "{report:?}"
    );
    let mut after = snapshot(&store);
    after.remove("bills");
    let mut before = before;
    before.remove("bills");
    assert_eq!(before, after);
    assert!(
        store.undo_by_hand(&checkpoint).unwrap().undone,
        "twice is harmless"
    );
}

#[test]
fn a_hostile_column_name_refuses_the_whole_checkpoint() {
    let (_dir, mut store) = store();
    let before = snapshot(&store);
    let checkpoint = HandMade {
        originals: vec![(
            "1001".to_owned(),
            vec![(
                "title = 'x'; DROP TABLE hearings; --".to_owned(),
                SqlValue::Null,
            )],
        )],
        added: vec!["1002".to_owned()],
        ..HandMade::default()
    };
    assert!(matches!(
        store.undo_by_hand(&checkpoint),
        Err(StoreError::BadRecord { .. })
    ));
    assert_eq!(before, snapshot(&store));
}

#[test]
fn the_identity_of_a_hearing_is_never_restored_over() {
    let (_dir, mut store) = store();
    let checkpoint = HandMade {
        originals: vec![(
            "1001".to_owned(),
            vec![
                ("hearing_id".to_owned(), SqlValue::Integer(77)),
                ("event_id".to_owned(), SqlValue::Text("77".to_owned())),
                ("title".to_owned(), SqlValue::Text("Restored".to_owned())),
            ],
        )],
        ..HandMade::default()
    };
    assert!(store.undo_by_hand(&checkpoint).unwrap().undone);
    assert_eq!(
        value(
            &store,
            "SELECT title FROM hearings WHERE hearing_id = 1 AND event_id = '1001'"
        ),
        "Restored"
    );
}

#[test]
fn history_tells_what_changed_also_of_a_hearing_that_is_gone() {
    let (_dir, mut store) = store();
    let added = batch(&mut store, |s| {
        s.write_meeting(&full("2001"), None, ALL).map(|_| ())
    });
    let mut next = full("2001");
    next.title = Some("New title".to_owned());
    batch(&mut store, |s| {
        s.write_meeting(&next, None, ALL).map(|_| ())
    });
    let history = store.history("2001").unwrap();
    let title = history.iter().find(|c| c.field == "title").unwrap();
    assert_eq!(title.action, "changed");
    assert_eq!(title.after, SqlValue::Text("New title".to_owned()));
    assert!(history.iter().all(|c| c.field != "updated_at"));
    let rows: Vec<&str> = history.iter().map(|c| c.row.as_str()).collect();
    for row in [
        "",
        "committee ssga00",
        "witness Ann Oldham",
        "transcript 12345",
        "bill HR 7 (119)",
    ] {
        assert!(rows.contains(&row), "{row} is not among {rows:?}");
    }
    assert!(rows.iter().any(|r| r.contains("Wstate-OldhamA")));
    store.undo(&[added], UndoPolicy::Force).unwrap();
    execute(&mut store, "DELETE FROM witness_documents WHERE appearance_id IN (SELECT appearance_id FROM witness_appearances WHERE hearing_id > 3)").unwrap();
    assert!(store.history("2001").unwrap().len() > history.len());
    assert!(store.history("404").unwrap().is_empty());
}

#[test]
fn pruning_removes_whole_old_batches_only() {
    let (_dir, mut store) = store();
    let first = batch(&mut store, |s| {
        s.write_meeting(&full("2001"), None, ALL).map(|_| ())
    });
    let second = batch(&mut store, |s| {
        s.write_meeting(&full("2002"), None, ALL).map(|_| ())
    });
    store.conn.execute("UPDATE updater_batches SET created_at = datetime('now', '-91 days') WHERE batch_id = ?1", [first]).unwrap();
    assert_eq!(store.prune_journal(90).unwrap(), 1);
    assert_eq!(store.prune_journal(90).unwrap(), 0);
    assert_eq!(
        value(
            &store,
            &format!("SELECT count(*) FROM updater_journal WHERE batch_id = {first}")
        ),
        "0"
    );
    assert!(matches!(
        store.undo(&[first], STRICTLY),
        Err(StoreError::BadRecord { .. })
    ));
    assert!(store.undo(&[second], STRICTLY).unwrap().undone);
}

#[test]
fn touched_names_what_a_batch_covers() {
    let (_dir, mut store) = store();
    let mut written = None;
    let first = batch(&mut store, |s| {
        written = Some(s.write_meeting(&full("2001"), None, ALL)?);
        s.write_meeting(&full("1001"), None, ALL).map(|_| ())
    });
    let touched = store.touched(&[first]).unwrap();
    assert_eq!(
        (touched.added, touched.updated),
        (vec!["2001".to_owned()], vec!["1001".to_owned()])
    );
    assert_eq!(touched.witnesses_added, written.unwrap().witnesses_added);
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
