use super::snapshots::*;
use super::testing::{fill, legacy_db};
use super::*;
use crate::domain::{
    BillRef, Chamber, Components, MeetingDocument, Transcript, Video, VideoType, parse_datetime,
};
use crate::store::{Access, Hearings, Journal, Related, StoreError, Transactions, UndoPolicy};

#[test]
fn a_bare_event_is_stored_with_defaults() {
    let (_dir, mut store) = store();
    store.begin(BATCH).unwrap();
    store.set_default_congress(118);
    let bare = crate::domain::Meeting {
        event_id: "7".to_owned(),
        ..Default::default()
    };
    let written = store.write_meeting(&bare, None, ALL).unwrap();
    store.commit().unwrap();
    assert!(written.added && !written.changed);
    assert_eq!(
        value(
            &store,
            "SELECT congress || chamber || '|' || title || '|' || hearing_type || '|' || status \
             FROM hearings WHERE event_id = '7'"
        ),
        "118NoChamber||Hearing|Scheduled"
    );
    assert_eq!(
        value(
            &store,
            "SELECT created_at = updated_at FROM hearings WHERE event_id = '7'"
        ),
        "1"
    );
}

#[test]
fn an_event_without_id_is_refused() {
    let (_dir, mut store) = store();
    store.begin(BATCH).unwrap();
    let refused = store.write_meeting(&meeting(""), None, ALL);
    assert!(
        matches!(refused, Err(StoreError::BadRecord { .. })),
        "{refused:?}"
    );
}

#[test]
fn writing_needs_a_transaction() {
    let (_dir, mut store) = store();
    let refused = store.write_meeting(&meeting("5"), None, ALL);
    assert!(
        matches!(refused, Err(StoreError::NoTransaction)),
        "{refused:?}"
    );
}

#[test]
fn every_column_of_a_new_hearing_is_set() {
    let (_dir, mut store) = store();
    let mut new = meeting("2001");
    new.location = Some("1324 Longworth House Office Building".to_owned());
    new.jacket_number = Some("05201".to_owned());
    new.url = Some("https://api/2001".to_owned());
    new.video = Some(Video {
        url: "https://youtu.be/abcdefghijk".to_owned(),
        youtube_id: Some("abcdefghijk".to_owned()),
        video_type: VideoType::Youtube,
    });
    write(&mut store, &new);
    let stored = store.stored_meeting("2001").unwrap().unwrap();
    assert_eq!(stored.date.as_deref(), Some("2025-09-09"));
    assert_eq!(
        value(
            &store,
            "SELECT hearing_date_only FROM hearings WHERE event_id='2001'"
        ),
        "2025-09-09"
    );
    assert_eq!(stored.time.as_deref(), Some("18:00:00"));
    assert_eq!(stored.youtube_video_id.as_deref(), Some("abcdefghijk"));
    assert_eq!(stored.video_type.as_deref(), Some("youtube"));
    assert_eq!(stored.update_date.as_deref(), Some("2025-09-08 10:00:00"));
    assert_eq!(
        stored.congress_gov_url.as_deref(),
        Some("https://www.congress.gov/event/119th-congress/house-event/2001")
    );
    assert_eq!(stored.location, new.location);
    assert_eq!(stored.jacket_number, new.jacket_number);
}

#[test]
fn the_same_meeting_again_writes_nothing_at_all() {
    let (_dir, mut store) = store();
    let mut new = meeting("2001");
    new.committees = vec![committee("HSAG00"), committee("ssga00")];
    new.witnesses = vec![
        witness("Jane Roe", Some("Farm Bureau")),
        witness("Ann Oldham", None),
    ];
    new.witness_documents = vec![statement("OldhamA"), statement("NobodyX")];
    new.meeting_documents = vec![
        document("Notice", Some("https://d/1")),
        document("Text", None),
    ];
    new.transcripts = vec![Transcript {
        jacket_number: "12345".to_owned(),
        url: None,
    }];
    new.bills = vec![bill(5)];
    write(&mut store, &new);
    let before = snapshot(&store);
    let entries = value(&store, "SELECT count(*) FROM updater_journal");
    let again = write(&mut store, &new);
    assert!(!again.added && !again.changed, "{again:?}");
    assert_eq!(before, snapshot(&store));
    assert_eq!(
        entries,
        value(&store, "SELECT count(*) FROM updater_journal")
    );
}

fn document(name: &str, url: Option<&str>) -> MeetingDocument {
    MeetingDocument {
        name: Some(name.to_owned()),
        description: None,
        document_type: "Support Document".to_owned(),
        format: Some("PDF".to_owned()),
        url: url.map(str::to_owned),
    }
}

fn bill(number: i64) -> BillRef {
    BillRef {
        congress: 119,
        bill_type: "HR",
        number,
        url: None,
    }
}

#[test]
fn absent_and_empty_leave_what_is_stored() {
    let (_dir, mut store) = store();
    let mut full = meeting("2001");
    full.location = Some("Room 1".to_owned());
    full.committees = vec![committee("hsag00")];
    full.witnesses = vec![witness("Ann Oldham", None)];
    full.witness_documents = vec![statement("OldhamA")];
    write(&mut store, &full);
    let before = snapshot(&store);
    let bare = crate::domain::Meeting {
        event_id: "2001".to_owned(),
        ..Default::default()
    };
    let written = write(&mut store, &bare);
    assert!(!written.changed);
    assert_eq!(before, snapshot(&store));
}

#[test]
fn only_the_columns_that_differ_are_written() {
    let (_dir, mut store) = store_with(
        "UPDATE hearings SET title = 'On\n  farms ', updated_at = '2020-01-01 00:00:00', \
         location = 'Room 7' WHERE event_id = '1001'",
    );
    let mut same = meeting("1001");
    same.title = Some("On farms".to_owned());
    same.date = Some("2025-07-29".to_owned());
    same.time = None;
    same.update_date = parse_datetime("2025-07-20T00:00:00Z");
    same.event_page = None;
    store
        .conn
        .execute("UPDATE hearings SET congress_gov_url = 'x'", [])
        .unwrap();
    let written = write(&mut store, &same);
    assert!(
        !written.changed,
        "white space alone, and an older update date, are no changes"
    );
    same.location = Some("Room 8".to_owned());
    assert!(write(&mut store, &same).changed);
    let title = value(&store, "SELECT title FROM hearings WHERE event_id = '1001'");
    assert_eq!(title, "On\n  farms ");
    let newer = "SELECT updated_at > '2020-01-02' FROM hearings WHERE event_id = '1001'";
    assert_eq!(value(&store, newer), "1");
    assert_eq!(
        value(
            &store,
            "SELECT update_date FROM hearings WHERE event_id = '1001'"
        ),
        "2025-07-28 22:08:17",
        "the update date never goes back"
    );
}

#[test]
fn a_newer_update_date_alone_does_not_move_updated_at() {
    let (_dir, mut store) = store_with(
        "UPDATE hearings SET updated_at = '2020-01-01 00:00:00', congress_gov_url = 'x'",
    );
    let only = crate::domain::Meeting {
        event_id: "1001".to_owned(),
        update_date: parse_datetime("2025-08-01T00:00:00Z"),
        ..Default::default()
    };
    assert!(!write(&mut store, &only).changed);
    let row = "SELECT update_date || ' ' || updated_at FROM hearings WHERE event_id = '1001'";
    assert_eq!(
        value(&store, row),
        "2025-08-01 00:00:00 2020-01-01 00:00:00"
    );
}

#[test]
fn a_joint_meeting_finds_its_home_in_no_chamber() {
    let (_dir, mut store) = store();
    let mut joint = meeting("2001");
    joint.chamber = Some(Chamber::Joint);
    write(&mut store, &joint);
    assert_eq!(
        value(&store, "SELECT chamber FROM hearings WHERE event_id='2001'"),
        "NoChamber"
    );
}

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

#[test]
fn components_that_are_off_are_not_written() {
    let (_dir, mut store) = store();
    let none = Components {
        witnesses: false,
        committees: false,
        documents: false,
        bills: false,
    };
    let mut new = meeting("2001");
    new.committees = vec![committee("zzzz99")];
    new.witnesses = vec![witness("Ann Oldham", None)];
    new.meeting_documents = vec![document("Notice", None)];
    new.bills = vec![bill(1)];
    store.begin(BATCH).unwrap();
    store.write_meeting(&new, None, none).unwrap();
    store.commit().unwrap();
    let stored = store.stored_meeting("2001").unwrap().unwrap();
    assert!(stored.witnesses.is_empty() && stored.supporting_documents.is_empty());
}

#[test]
fn filling_gaps_adds_only_where_there_is_nothing() {
    let (_dir, mut store) = store();
    let mut related = meeting("1001");
    related.committees = vec![committee("ssga00")];
    related.witnesses = vec![witness("Ann Oldham", None)];
    store.begin(BATCH).unwrap();
    let filled = store
        .write_related(1, &related, ALL, Related::FillGaps)
        .unwrap();
    assert!(!filled.changed, "hearing 1 has both");
    let filled = store
        .write_related(3, &related, ALL, Related::FillGaps)
        .unwrap();
    assert!(filled.changed);
    store.commit().unwrap();
    let stored = store.stored_meeting("1003").unwrap().unwrap();
    assert_eq!((stored.committees.len(), stored.witnesses.len()), (1, 1));
}

#[test]
fn a_hearing_of_the_oldest_shape_can_be_read_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = legacy_db(dir.path());
    fill(&path);
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(
        "ALTER TABLE hearings DROP COLUMN hearing_date_only; ALTER TABLE hearings DROP COLUMN hearing_time;
         ALTER TABLE hearings DROP COLUMN location; DROP TABLE witness_documents; DROP TABLE hearing_bills;",
    )
    .unwrap();
    drop(conn);
    let before = std::fs::read(&path).unwrap();
    let mut store = SqliteStore::open(&path, Access::ReadOnly).unwrap();
    let stored = store.stored_meeting("1001").unwrap().unwrap();
    assert_eq!(stored.date.as_deref(), Some("2025-07-29"));
    assert_eq!((stored.video_url, stored.location), (None, None));
    assert_eq!(
        (stored.witnesses.len(), stored.witness_documents.len()),
        (1, 0)
    );
    assert_eq!(store.committee_codes().unwrap().len(), 2);
    assert_eq!(store.update_dates(119).unwrap().len(), 3);
    assert!(store.history("1001").unwrap().is_empty());
    drop(store);
    assert_eq!(before, std::fs::read(&path).unwrap());
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
