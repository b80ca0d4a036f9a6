//! Checkpoints made by hand.

use super::*;

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
