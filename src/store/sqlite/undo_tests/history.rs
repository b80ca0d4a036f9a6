//! What the journal tells of hearings and batches, and for how long.

use super::*;

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
