//! What the journal tells of all hearings since a moment.

use super::*;
use crate::store::HearingChange;

const EVER: &str = "2000-01-01";

/// `event row field action`, sorted.
fn told(store: &mut SqliteStore, since: &str) -> Vec<String> {
    let changes = store.changes_since(since).unwrap();
    let line = |c: &HearingChange| {
        let event = c.event_id.as_deref().unwrap_or("?");
        let words = [event, &c.change.row, &c.change.field, c.change.action];
        words
            .join(" ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut lines: Vec<String> = changes.iter().map(line).collect();
    lines.sort();
    lines
}

fn set(
    event: &str,
    column: &str,
    value: &str,
) -> impl FnOnce(&mut SqliteStore) -> crate::store::StoreResult<()> {
    sql(Box::leak(
        format!("UPDATE hearings SET {column} = '{value}' WHERE event_id = '{event}'")
            .into_boxed_str(),
    ))
}

fn make_old(store: &SqliteStore, batch: BatchId) {
    let sql = "UPDATE updater_batches SET created_at = '2001-01-01 00:00:00' WHERE batch_id = ?1";
    assert_eq!(store.conn.execute(sql, [batch]).unwrap(), 1);
}

#[test]
fn every_hearing_s_changes_are_told_with_who_they_are_about() {
    let (_dir, mut store) = store();
    batch(&mut store, |s| {
        s.write_meeting(&full("2001"), None, ALL).map(|_| ())
    });
    batch(&mut store, set("1002", "status", "Canceled"));
    let lines = told(&mut store, EVER);
    for line in [
        "1002 status changed",
        "2001 added",
        "2001 bill HR 7 (119) added",
        "2001 committee ssga00 added",
        "2001 transcript 12345 added",
        "2001 witness Ann Oldham added",
    ] {
        assert!(
            lines.iter().any(|l| l == line),
            "{line} is not among {lines:?}"
        );
    }
    let all = store.changes_since(EVER).unwrap();
    let changed = all.iter().find(|c| c.change.field == "status").unwrap();
    assert_eq!(
        (changed.hearing_id, changed.row_id, changed.title.as_deref()),
        (2, Some(2), Some("On ports"))
    );
    assert_eq!(changed.change.before, SqlValue::Text("Postponed".into()));
    let link = all
        .iter()
        .find(|c| c.change.row == "committee ssga00")
        .unwrap();
    assert_eq!(link.row_id, Some(2));
    let mut by_event: Vec<_> = store.history("2001").unwrap();
    by_event.retain(|c| c.field.is_empty());
    let of_2001 = all
        .into_iter()
        .filter(|c| c.event_id.as_deref() == Some("2001"));
    assert_eq!(of_2001.map(|c| c.change).collect::<Vec<_>>(), by_event);
}

#[test]
fn only_batches_since_then_are_told() {
    let (_dir, mut store) = store();
    assert_eq!(store.journal_begins().unwrap(), None);
    let old = batch(&mut store, set("1001", "title", "Older"));
    batch(&mut store, set("1002", "title", "Newer"));
    make_old(&store, old);
    assert_eq!(
        told(&mut store, "2001-01-01T00:00:01Z"),
        ["1002 title changed"]
    );
    assert_eq!(told(&mut store, "2001-01-01").len(), 2);
    assert!(told(&mut store, "9000-01-01 00:00:00").is_empty());
    assert_eq!(
        store.journal_begins().unwrap().as_deref(),
        Some("2001-01-01 00:00:00")
    );
    assert!(matches!(
        store.changes_since("yesterday"),
        Err(StoreError::BadRecord { .. })
    ));
}

#[test]
fn what_was_undone_is_no_news_and_neither_is_its_undoing() {
    let (_dir, mut store) = store();
    let added = batch(&mut store, |s| {
        s.write_meeting(&full("2001"), None, ALL).map(|_| ())
    });
    let changed = batch(&mut store, |s| {
        s.write_meeting(&full("1001"), None, ALL).map(|_| ())
    });
    batch(&mut store, set("1003", "title", "Stays"));
    assert!(store.undo(&[added, changed], STRICTLY).unwrap().undone);
    assert_eq!(told(&mut store, EVER), ["1003 title changed"]);
}

#[test]
fn the_undoing_of_something_older_is_a_change() {
    let (_dir, mut store) = store();
    let old = batch(&mut store, set("1001", "status", "Canceled"));
    make_old(&store, old);
    assert!(store.undo(&[old], STRICTLY).unwrap().undone);
    let changes = store.changes_since("2002-01-01").unwrap();
    let [back] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert_eq!(back.change.kind, "undo");
    assert_eq!(back.change.after, SqlValue::Text("Scheduled".into()));
}

#[test]
fn rows_that_a_forced_undo_left_are_told() {
    let (_dir, mut store) = store();
    let first = batch(
        &mut store,
        sql("UPDATE hearings SET title = 'First' WHERE event_id IN ('1001', '1002')"),
    );
    batch(&mut store, set("1001", "title", "Second"));
    assert!(store.undo(&[first], UndoPolicy::Force).unwrap().undone);
    assert_eq!(
        told(&mut store, EVER),
        ["1001 title changed", "1001 title changed"]
    );
}

#[test]
fn an_undone_undo_leaves_the_change() {
    let (_dir, mut store) = store();
    let first = batch(&mut store, set("1001", "title", "First"));
    assert!(store.undo(&[first], STRICTLY).unwrap().undone);
    let sql = "SELECT undone_by FROM updater_batches WHERE undone_by IS NOT NULL";
    let undo: BatchId = value(&store, sql).parse().unwrap();
    assert!(store.undo(&[undo], STRICTLY).unwrap().undone);
    assert_eq!(told(&mut store, EVER), ["1001 title changed"]);
}

#[test]
fn a_checkpoint_undone_by_hand_is_no_news_either() {
    let (_dir, mut store) = store();
    batch(&mut store, |s| {
        s.write_meeting(&full("2001"), None, ALL).map(|_| ())
    });
    batch(&mut store, set("1001", "title", "First"));
    let by_hand = HandMade {
        originals: vec![(
            "1001".to_owned(),
            vec![("title".to_owned(), SqlValue::Text("On farms".into()))],
        )],
        updated: vec!["1001".to_owned()],
        added: vec!["2001".to_owned()],
        ..HandMade::default()
    };
    assert!(store.undo_by_hand(&by_hand).unwrap().undone);
    assert_eq!(told(&mut store, EVER), Vec::<String>::new());
}

#[test]
fn a_removed_hearing_keeps_its_name() {
    let (_dir, mut store) = store();
    batch(
        &mut store,
        sql("DELETE FROM hearings WHERE event_id = '1003'"),
    );
    let changes = store.changes_since(EVER).unwrap();
    assert_eq!(changes[0].change.action, "removed");
    assert_eq!(changes[0].title.as_deref(), Some("On both"));
}

#[test]
fn a_row_with_another_key_keeps_its_story() {
    let (_dir, mut store) = store();
    let moved = batch(
        &mut store,
        sql("UPDATE witness_documents SET document_id = document_id + 100"),
    );
    assert_eq!(told(&mut store, EVER).len(), 2);
    assert!(store.undo(&[moved], STRICTLY).unwrap().undone);
    assert!(told(&mut store, EVER).is_empty());
}
