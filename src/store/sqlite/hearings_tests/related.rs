//! Committees, documents and bills of a hearing.

use super::*;

#[test]
fn committees_are_replaced_but_a_link_that_stays_keeps_its_row() {
    let (_dir, mut store) = store_with(
        "UPDATE hearing_committees SET is_primary = 0, created_at = '2020-01-01' WHERE hearing_id = 1",
    );
    let mut two = meeting("1001");
    two.committees = vec![
        committee("ssga00"),
        committee("HSAG00"),
        committee("ssga00"),
    ];
    let written = write(&mut store, &two);
    assert_eq!(written.committees_touched, 1);
    let links = "SELECT group_concat(committee_id || ':' || is_primary || ':' || \
                 (created_at = '2020-01-01')) FROM (SELECT * FROM hearing_committees \
                 WHERE hearing_id = 1 ORDER BY committee_id)";
    assert_eq!(value(&store, links), "1:0:1,2:1:0");
    two.committees = vec![committee("ssga00")];
    write(&mut store, &two);
    assert_eq!(value(&store, links), "2:1:0");
}

#[test]
fn an_unknown_committee_names_its_code() {
    let (_dir, mut store) = store();
    store.begin(BATCH).unwrap();
    let mut lost = meeting("2001");
    lost.committees = vec![committee("zzzz99")];
    let error = store
        .write_meeting(&lost, None, ALL)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("zzzz99") && error.contains("2001"),
        "{error}"
    );
}

#[test]
fn a_committee_is_written_once_under_its_parent() {
    let (_dir, mut store) = store();
    let mut new = crate::domain::Committee {
        system_code: "hsag15".to_owned(),
        name: "Forestry".to_owned(),
        chamber: Chamber::House,
        committee_type: "Subcommittee",
        is_current: true,
        parent: Some(committee("nope00")),
        url: None,
    };
    store.begin(BATCH).unwrap();
    assert!(
        store
            .write_committee(&new, 119)
            .unwrap_err()
            .to_string()
            .contains("nope00")
    );
    new.parent = Some(committee("hsag00"));
    let id = store.write_committee(&new, 119).unwrap();
    assert_eq!(store.write_committee(&new, 119).unwrap(), id);
    let batch = store.commit().unwrap().unwrap();
    assert_eq!(
        value(
            &store,
            "SELECT parent_committee_id FROM committees WHERE system_code='hsag15'"
        ),
        "1"
    );
    assert!(
        store
            .undo(&[batch], UndoPolicy::AllOrNothing)
            .unwrap()
            .undone
    );
    assert_eq!(value(&store, "SELECT count(*) FROM committees"), "2");
}

#[test]
fn a_document_without_a_single_owner_waits_for_one() {
    let (_dir, mut store) = store();
    let mut new = meeting("2001");
    new.witnesses = vec![witness("Ann Oldham", None)];
    new.witness_documents = vec![statement("OldhamA"), statement("SmithB")];
    let written = write(&mut store, &new);
    assert_eq!(written.documents_added.len(), 1);
    assert_eq!(
        store
            .stored_meeting("2001")
            .unwrap()
            .unwrap()
            .unmatched_documents
            .len(),
        1
    );
    new.witnesses.push(witness("Bob Smith", None));
    new.witness_documents.clear();
    let written = write(&mut store, &new);
    assert_eq!(written.documents_added.len(), 1);
    let stored = store.stored_meeting("2001").unwrap().unwrap();
    assert_eq!(
        (
            stored.witness_documents.len(),
            stored.unmatched_documents.len()
        ),
        (2, 0)
    );
    assert_eq!(
        stored.witness_documents[1].appearance_id,
        Some(written.appearances_added[0])
    );
}

#[test]
fn a_document_at_the_wrong_witness_moves_and_keeps_its_id() {
    let (_dir, mut store) = store();
    let mut new = meeting("2001");
    new.witnesses = vec![witness("Ann Oldham", None), witness("Bob Smith", None)];
    new.witness_documents = vec![statement("SmithB")];
    let written = write(&mut store, &new);
    let (id, wrong) = (written.documents_added[0], written.appearances_added[0]);
    store
        .conn
        .execute(
            "UPDATE witness_documents SET appearance_id = ?1 WHERE document_id = ?2",
            [wrong, id],
        )
        .unwrap();
    let again = write(&mut store, &new);
    assert!(again.changed && again.documents_added.is_empty());
    let owner = value(
        &store,
        &format!("SELECT appearance_id FROM witness_documents WHERE document_id = {id}"),
    );
    assert_eq!(owner, written.appearances_added[1].to_string());
}

#[test]
fn documents_that_are_no_longer_listed_go() {
    let (_dir, mut store) = store();
    let mut new = meeting("2001");
    new.witnesses = vec![witness("Ann Oldham", None)];
    new.witness_documents = vec![statement("OldhamA"), statement("SmithB")];
    new.meeting_documents = vec![
        document("Notice", Some("https://d/1")),
        document("Text", None),
    ];
    write(&mut store, &new);
    new.witness_documents = vec![WitnessDoc::other()];
    new.meeting_documents = vec![document("Text", None)];
    assert!(write(&mut store, &new).changed);
    let stored = store.stored_meeting("2001").unwrap().unwrap();
    assert_eq!(
        (
            stored.witness_documents.len(),
            stored.unmatched_documents.len()
        ),
        (0, 1)
    );
    assert_eq!(stored.supporting_documents.len(), 1);
}

struct WitnessDoc;
impl WitnessDoc {
    fn other() -> crate::domain::WitnessDocument {
        statement("NobodyX")
    }
}

#[test]
fn bills_that_other_tools_linked_stay() {
    let (_dir, mut store) = store_with(
        "INSERT INTO bills (bill_id, congress, bill_type, bill_number) VALUES (1, 119, 'HR', 1), (2, 119, 'HR', 2);
         INSERT INTO hearing_bills (hearing_id, bill_id, relationship_type, notes)
             VALUES (1, 1, 'mentioned', NULL), (1, 2, 'related', 'inferred');",
    );
    let mut update = meeting("1001");
    update.bills = vec![bill(3), bill(1)];
    write(&mut store, &update);
    update.bills = vec![bill(4)];
    write(&mut store, &update);
    let bills = store.stored_meeting("1001").unwrap().unwrap().bills;
    assert_eq!(
        bills.iter().map(|b| b.number).collect::<Vec<_>>(),
        [1, 2, 4]
    );
}
