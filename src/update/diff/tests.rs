use super::*;
use crate::domain::parse_datetime;
use crate::domain::{CommitteeRef, VideoType, WitnessDocument};
use crate::domain::{Transcript, Witness};
use crate::store::{StoredCommitteeLink, StoredWitnessDocument};
use crate::store::{StoredTranscript, StoredWitness};

const ALL: Components = Components {
    witnesses: true,
    committees: true,
    documents: true,
    bills: true,
};
const NONE: Components = Components {
    witnesses: false,
    committees: false,
    documents: false,
    bills: false,
};

#[allow(clippy::unnecessary_wraps)] // the fields it fills are optional
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn committee(code: &str) -> CommitteeRef {
    CommitteeRef {
        system_code: code.to_owned(),
        name: None,
        url: None,
    }
}

fn witness(name: &str, organization: Option<&str>, position: Option<&str>) -> Witness {
    Witness {
        full_name: name.to_owned(),
        first_name: None,
        last_name: None,
        position: position.map(str::to_owned),
        organization: organization.map(str::to_owned),
    }
}

fn stored_witness(name: &str, organization: Option<&str>, position: Option<&str>) -> StoredWitness {
    StoredWitness {
        appearance_id: 1,
        witness_id: 1,
        full_name: name.to_owned(),
        organization: organization.map(str::to_owned),
        position: position.map(str::to_owned),
        order: None,
    }
}

fn document(kind: &'static str, url: &str) -> WitnessDocument {
    WitnessDocument {
        document_type: kind,
        format: None,
        url: url.to_owned(),
        slot: None,
    }
}

fn stored_document(kind: &str, url: Option<&str>) -> StoredWitnessDocument {
    StoredWitnessDocument {
        appearance_id: None,
        document_type: kind.to_owned(),
        format: None,
        url: url.map(str::to_owned),
    }
}

fn meeting() -> Meeting {
    Meeting {
        event_id: "118296".into(),
        title: text("Budget Hearing"),
        meeting_type: Some(MeetingType::Hearing),
        status: Some(MeetingStatus::Scheduled),
        date: text("2025-05-21"),
        time: text("14:00:00"),
        location: text("1324 Longworth House Office Building"),
        video: Some(Video {
            url: "https://youtu.be/abcDEF_-123".into(),
            youtube_id: text("abcDEF_-123"),
            video_type: VideoType::Youtube,
        }),
        jacket_number: text("05692"),
        committees: vec![committee("hsii00"), committee("hsii24")],
        witnesses: vec![
            witness("Jane Roe", Some("Acme"), Some("CEO")),
            witness("William Graham", None, None),
        ],
        witness_documents: vec![document("Statement", "u1"), document("Biography", "u2")],
        meeting_documents: vec![MeetingDocument {
            name: text("Memo"),
            description: None,
            document_type: "Support Document".into(),
            format: text("PDF"),
            url: text("d1"),
        }],
        transcripts: vec![Transcript {
            jacket_number: "05692".into(),
            url: text("t1"),
        }],
        bills: vec![BillRef {
            congress: 119,
            bill_type: "HR",
            number: 7,
            url: None,
        }],
        ..Meeting::default()
    }
}

/// The same, as the store has it: in another order, with other spellings.
fn stored() -> StoredMeeting {
    let link = |code: &str| StoredCommitteeLink {
        committee_id: 1,
        system_code: code.to_owned(),
        is_primary: false,
    };
    StoredMeeting {
        event_id: "118296".into(),
        title: text(" Budget \r\n\tHearing"),
        hearing_type: text("Hearing"),
        status: text("Scheduled"),
        date: text("2025-05-21"),
        time: text("14:00"),
        location: text("1324 Longworth House Office Building"),
        video_url: text("https://youtu.be/abcDEF_-123"),
        youtube_video_id: text("abcDEF_-123"),
        video_type: text("youtube"),
        jacket_number: text("05692"),
        committees: vec![link("hsii24"), link("HSII00")],
        witnesses: vec![
            stored_witness("General William Graham, Jr.", Some(""), Some("Commander")),
            stored_witness("Dr. Jane Roe", Some("ACME"), Some("CEO ")),
        ],
        witness_documents: vec![
            stored_document("Biography", Some("u2")),
            stored_document("Statement", None),
        ],
        unmatched_documents: vec![stored_document("Statement", Some("u1"))],
        supporting_documents: vec![StoredDocument {
            document_id: 1,
            document_type: "Support Document".into(),
            title: text("Memo"),
            description: text("kept from elsewhere"),
            format: None,
            url: text("d1"),
        }],
        transcripts: vec![StoredTranscript {
            transcript_id: 1,
            jacket_number: text("05692"),
            url: text("t1"),
        }],
        bills: vec![StoredBill {
            congress: 119,
            bill_type: "hr".into(),
            number: 7,
        }],
        ..StoredMeeting::default()
    }
}

/// The fields that differ after `change` to the meeting.
fn fields(change: impl FnOnce(&mut Meeting)) -> Vec<&'static str> {
    let mut meeting = meeting();
    change(&mut meeting);
    diff(&stored(), &meeting, ALL)
        .into_iter()
        .map(|found| found.field)
        .collect()
}

#[test]
fn order_spelling_and_white_space_are_no_changes() {
    assert_eq!(diff(&stored(), &meeting(), ALL), []);
}

#[test]
fn what_upstream_leaves_out_is_no_change() {
    let silent = Meeting {
        event_id: "118296".into(),
        ..Meeting::default()
    };
    assert_eq!(diff(&stored(), &silent, ALL), []);
    assert_eq!(fields(|m| m.title = text("")), [""; 0]);
    assert_eq!(fields(|m| m.witnesses[0].position = None), [""; 0]);
}

#[test]
fn addresses_and_update_dates_are_not_compared() {
    assert_eq!(
        fields(|m| {
            m.url = text("https://v3/x");
            m.event_page = text("https://www.congress.gov/event/x");
            m.update_date = parse_datetime("2030-01-01");
        }),
        [""; 0]
    );
}

#[test]
fn each_compared_field_is_found_alone() {
    assert_eq!(fields(|m| m.title = text("Other")), ["title"]);
    assert_eq!(fields(|m| m.date = text("2025-05-22")), ["date"]);
    assert_eq!(fields(|m| m.time = text("15:00:00")), ["time"]);
    assert_eq!(
        fields(|m| m.status = Some(MeetingStatus::Canceled)),
        ["status"]
    );
    assert_eq!(fields(|m| m.location = text("WEBEX")), ["location"]);
    assert_eq!(
        fields(|m| m.meeting_type = Some(MeetingType::Markup)),
        ["type"]
    );
    assert_eq!(
        fields(|m| m.jacket_number = text("05693")),
        ["jacket_number"]
    );
    assert_eq!(
        fields(|m| m.video.as_mut().unwrap().url = "v".into()),
        ["video"]
    );
    assert_eq!(
        fields(|m| m.video.as_mut().unwrap().youtube_id = text("x")),
        ["video"]
    );
    assert_eq!(fields(|m| m.committees.truncate(1)), ["committees"]);
    assert_eq!(
        fields(|m| m.committees.push(committee("hsag00"))),
        ["committees"]
    );
    assert_eq!(fields(|m| m.witnesses.truncate(1)), ["witnesses"]);
    assert_eq!(
        fields(|m| m.witnesses[0].position = text("COO")),
        ["witnesses"]
    );
    assert_eq!(
        fields(|m| m.witnesses[0].organization = text("Other")),
        ["witnesses"]
    );
    assert_eq!(
        fields(|m| m.witnesses[1].full_name = "Will Graham".into()),
        ["witnesses"]
    );
    assert_eq!(
        fields(|m| m.witness_documents.truncate(1)),
        ["witness_documents"]
    );
    assert_eq!(
        fields(|m| m.witness_documents[0].document_type = "Biography"),
        ["witness_documents"]
    );
    assert_eq!(
        fields(|m| m.meeting_documents[0].name = text("Notice")),
        ["meeting_documents"]
    );
    assert_eq!(
        fields(|m| m.meeting_documents[0].url = text("d2")),
        ["meeting_documents"]
    );
    assert_eq!(
        fields(|m| m.transcripts[0].url = text("t2")),
        ["transcripts"]
    );
    assert_eq!(fields(|m| m.bills[0].number = 8), ["bills"]);
}

#[test]
fn a_second_row_of_what_is_listed_is_history() {
    let mut stored = stored();
    stored
        .witnesses
        .push(stored_witness("Jane Roe", Some("Acme"), Some("Founder")));
    let mut old = stored.supporting_documents[0].clone();
    old.title = text("Memo, older spelling");
    stored.supporting_documents.push(old);
    assert_eq!(diff(&stored, &meeting(), ALL), []);
}

#[test]
fn a_witness_without_organization_is_known_by_the_name() {
    assert_eq!(fields(|m| m.witnesses[0].organization = None), [""; 0]);
    assert_eq!(
        fields(|m| m.witnesses[1].organization = text("Army")),
        ["witnesses"]
    );
}

#[test]
fn bill_links_of_other_tools_are_no_change() {
    let mut stored = stored();
    stored.bills.push(StoredBill {
        congress: 119,
        bill_type: "S".into(),
        number: 1,
    });
    assert_eq!(diff(&stored, &meeting(), ALL), []);
}

#[test]
fn components_that_are_off_are_not_compared() {
    let mut changed = meeting();
    changed.committees.truncate(1);
    changed.witnesses.truncate(1);
    changed.witness_documents.truncate(1);
    changed.meeting_documents[0].url = text("d2");
    changed.transcripts[0].url = text("t2");
    changed.bills[0].number = 8;
    assert_eq!(diff(&stored(), &changed, NONE), []);
    assert_eq!(diff(&stored(), &changed, ALL).len(), 6);
}

#[test]
fn a_difference_reads_as_text() {
    let mut changed = meeting();
    changed.status = Some(MeetingStatus::Postponed);
    changed.committees.truncate(1);
    let found = diff(&stored(), &changed, ALL);
    let shown: Vec<_> = found
        .iter()
        .map(|d| (d.field, &*d.before, &*d.after))
        .collect();
    assert_eq!(
        shown,
        [
            ("status", "Scheduled", "Postponed"),
            ("committees", "hsii24; hsii00", "hsii00")
        ]
    );
    let empty = diff(&StoredMeeting::default(), &meeting(), ALL);
    let video = empty.iter().find(|found| found.field == "video").unwrap();
    assert_eq!(video.before, "");
    assert_eq!(
        video.after,
        "https://youtu.be/abcDEF_-123 (youtube abcDEF_-123)"
    );
    let witnesses = empty
        .iter()
        .find(|found| found.field == "witnesses")
        .unwrap();
    assert_eq!(witnesses.after, "Jane Roe (CEO, Acme); William Graham");
}

#[test]
fn newer_takes_what_it_cannot_read_for_older() {
    let upstream = parse_datetime("2025-10-01T20:00:00Z");
    assert!(newer(Some("2025-10-01 19:59:59"), upstream));
    assert!(!newer(Some("2025-10-01 20:00:00"), upstream));
    assert!(!newer(Some("2025-10-01T20:00:01Z"), upstream));
    assert!(newer(Some("long ago"), upstream));
    assert!(newer(None, upstream));
    assert!(newer(Some("2025-10-01 20:00:00"), None));
}
