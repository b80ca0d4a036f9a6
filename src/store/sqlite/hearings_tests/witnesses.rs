//! Witnesses and their appearances.

use super::*;

#[test]
fn a_witness_is_one_row_whatever_the_courtesy_title() {
    let (_dir, mut store) = store();
    let mut new = meeting("2001");
    new.witnesses = vec![
        witness("The Honorable Jane Roe", Some("farm  bureau")),
        witness("Jane Roe", Some("Farm Bureau")),
        witness("Jane Roe", Some("Another Bureau")),
    ];
    let written = write(&mut store, &new);
    assert_eq!(
        written.witnesses_added.len(),
        1,
        "only the one of another organization is new"
    );
    assert_eq!(written.appearances_added.len(), 2);
    assert_eq!(value(&store, "SELECT count(*) FROM witnesses"), "3");
    assert_eq!(
        value(
            &store,
            "SELECT full_name FROM witnesses WHERE witness_id = 1"
        ),
        "Jane Roe"
    );
}

#[test]
fn an_entry_without_organization_leaves_another_entrys_witness_to_it() {
    let (_dir, mut store) = store();
    let mut new = meeting("2001");
    new.witnesses = vec![witness("Jane Roe", Some("Ports Inc"))];
    write(&mut store, &new);
    // Witness 1 is Jane Roe of the Farm Bureau: the lower id must not draw the nameless entry.
    new.witnesses = vec![
        witness("Jane Roe", None),
        witness("Jane Roe", Some("Farm Bureau")),
    ];
    assert_eq!(write(&mut store, &new).appearances_added.len(), 1);
    assert!(!write(&mut store, &new).changed, "written twice");
}

#[test]
fn a_name_listed_several_times_does_not_take_over_another_entrys_witness() {
    let (_dir, mut store) = store();
    let mut new = meeting("2001");
    new.witnesses = vec![witness("Jane Roe", Some("Farm Bureau"))];
    write(&mut store, &new);
    new.witnesses = vec![
        witness("Jane Roe", None),
        witness("Jane Roe", None),
        witness("Jane Roe", Some("Ports Inc")),
    ];
    assert_eq!(write(&mut store, &new).appearances_added.len(), 1);
    assert!(!write(&mut store, &new).changed, "written twice");
}

#[test]
fn a_rename_by_another_program_is_noticed() {
    let (dir, mut store) = store();
    let mut new = meeting("2001");
    new.witnesses = vec![witness("Jane Roe", Some("Farm Bureau"))];
    assert_eq!(write(&mut store, &new).witnesses_added.len(), 0);
    let other = rusqlite::Connection::open(dir.path().join("legacy.db")).unwrap();
    other
        .execute(
            "UPDATE witnesses SET full_name = 'Jane Poe' WHERE witness_id = 1",
            [],
        )
        .unwrap();
    new.event_id = "2002".to_owned();
    new.witnesses = vec![witness("Jane Poe", Some("Farm Bureau"))];
    assert_eq!(write(&mut store, &new).witnesses_added.len(), 0);
    new.event_id = "2003".to_owned();
    new.witnesses = vec![witness("Jane Roe", Some("Farm Bureau"))];
    assert_eq!(write(&mut store, &new).witnesses_added.len(), 1);
}

#[test]
fn names_brought_in_step_in_a_rolled_back_transaction_are_brought_in_step_again() {
    let (_dir, mut store) = store();
    let mut new = meeting("2001");
    new.witnesses = vec![witness("Jane Roe", Some("Farm Bureau"))];
    store.begin(BATCH).unwrap();
    store.savepoint().unwrap();
    store.write_meeting(&new, None, ALL).unwrap();
    store.roll_back_to_savepoint().unwrap();
    assert_eq!(
        store
            .write_meeting(&new, None, ALL)
            .unwrap()
            .witnesses_added
            .len(),
        0
    );
    store.roll_back();
    assert_eq!(write(&mut store, &new).witnesses_added.len(), 0);
}

#[test]
fn an_absent_organization_keeps_the_namesake_who_is_there() {
    let (_dir, mut store) = store();
    let mut update = meeting("1001");
    update.witnesses = vec![witness("Jane Roe", None)];
    let written = write(&mut store, &update);
    assert!(written.witnesses_added.is_empty() && written.appearances_added.is_empty());
    let elsewhere = {
        let mut new = meeting("2001");
        new.witnesses = vec![witness("Jane Roe", None)];
        write(&mut store, &new)
    };
    assert_eq!(
        elsewhere.witnesses_added.len(),
        1,
        "elsewhere she is not known to be the same"
    );
}

#[test]
fn an_appearance_seen_again_keeps_its_id_and_its_documents() {
    let (_dir, mut store) = store();
    let mut update = meeting("1001");
    update.witnesses = vec![
        witness("Ann Oldham", None),
        witness("Jane Roe", Some("Farm Bureau")),
    ];
    let written = write(&mut store, &update);
    assert_eq!(written.appearances_added.len(), 1);
    assert_eq!(
        value(
            &store,
            "SELECT appearance_order || position FROM witness_appearances WHERE appearance_id = 1"
        ),
        "2Director"
    );
    assert_eq!(
        value(
            &store,
            "SELECT count(*) FROM witness_documents WHERE document_id = 1"
        ),
        "1"
    );
    update.witnesses = vec![witness("Ann Oldham", None)];
    write(&mut store, &update);
    assert_eq!(
        value(
            &store,
            "SELECT count(*) FROM witness_documents WHERE document_id = 1"
        ),
        "0"
    );
    assert_eq!(
        value(
            &store,
            "SELECT count(*) FROM witnesses WHERE witness_id = 1"
        ),
        "1"
    );
}

#[test]
fn a_legacy_duplicate_of_a_listed_witness_is_left_alone() {
    let (_dir, mut store) = store_with(
        "INSERT INTO witnesses (witness_id, full_name, organization) VALUES (9, 'Jane Roe', 'Farm Bureau');
         INSERT INTO witness_appearances (appearance_id, witness_id, hearing_id) VALUES (9, 9, 1);
         INSERT INTO witness_appearances (appearance_id, witness_id, hearing_id) VALUES (10, 9, 3);",
    );
    let mut update = meeting("1001");
    update.witnesses = vec![witness("Jane Roe", Some("Farm Bureau"))];
    write(&mut store, &update);
    let here = "SELECT count(*) FROM witness_appearances WHERE hearing_id = 1";
    assert_eq!(value(&store, here), "2");
    update.event_id = "1003".to_owned();
    assert!(
        write(&mut store, &update).appearances_added.is_empty(),
        "who appears already is preferred"
    );
}

#[test]
fn callers_witnesses_and_appearances_keep_their_ids() {
    let (_dir, mut store) = store();
    store.begin(BATCH).unwrap();
    assert_eq!(
        store
            .get_or_create_witness("Dr. Jane Roe", Some("Farm Bureau"), None)
            .unwrap(),
        (1, false)
    );
    let (id, added) = store
        .get_or_create_witness("The Honorable Sue Storm", None, Some("Chief"))
        .unwrap();
    assert!(added);
    let name = format!("SELECT full_name || first_name FROM witnesses WHERE witness_id = {id}");
    assert_eq!(value(&store, &name), "Sue StormSue");
    let (appearance, added) = store
        .create_witness_appearance(id, 1, Some("Chief"), None, Some(2))
        .unwrap();
    assert!(added);
    let again = store
        .create_witness_appearance(id, 1, Some("Boss"), None, None)
        .unwrap();
    assert_eq!(again, (appearance, false));
    store.link_committee(1, 2, false).unwrap();
    assert_eq!(store.unlink_committees(1).unwrap(), 2);
    store.commit().unwrap();
    let row = format!(
        "SELECT position || appearance_order FROM witness_appearances WHERE appearance_id = {appearance}"
    );
    assert_eq!(value(&store, &row), "Boss2");
}
