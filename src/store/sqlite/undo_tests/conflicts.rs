//! Rows that were changed, taken or used since the batch.

use super::*;

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
