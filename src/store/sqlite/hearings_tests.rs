use super::snapshots::*;
use super::testing::{fill, legacy_db};
use super::*;
use crate::domain::{
    BillRef, Chamber, Components, MeetingDocument, Transcript, Video, VideoType, parse_datetime,
};
use crate::store::{Access, Hearings, Journal, Related, StoreError, Transactions, UndoPolicy};

mod related;
mod witnesses;

#[test]
fn a_bare_event_is_stored_with_defaults() {
    let (_dir, mut store) = store();
    store.begin(BATCH).unwrap();
    let bare = crate::domain::Meeting {
        event_id: "7".to_owned(),
        congress: Some(118),
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
