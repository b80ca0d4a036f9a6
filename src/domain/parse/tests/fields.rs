//! One field at a time: what is taken for it, and what is an issue.

use super::*;

#[test]
fn event_ids_are_any_text_or_whole_number() {
    let id = |value: Value| sound(&json!({"eventId": value})).event_id;
    assert_eq!(id(json!(118_296)), "118296");
    assert_eq!(
        id(json!(" 634847912c87197aac1f9800\n")),
        "634847912c87197aac1f9800"
    );
    assert_eq!(id(json!(118_296.0)), "118296");
    assert_eq!(id(json!("  ")), "");
    assert_eq!(id(json!(null)), "");
    for wrong in [json!(true), json!(["1"]), json!({"id": 1}), json!(1.5)] {
        let parsed = parsed(&json!({"eventId": wrong}));
        assert_eq!(parsed.issues[0].field, "eventId", "{wrong}");
        assert_eq!(parsed.meeting.event_id, "");
    }
}

#[test]
fn a_congress_is_a_number_from_1_to_200() {
    let congress = |value: Value| sound(&json!({"congress": value})).congress;
    assert_eq!(congress(json!("119")), Some(119));
    assert_eq!(congress(json!(null)), None);
    assert_eq!(
        messages(&json!({"congress": "abc"})),
        ["Congress must be a number, got 'abc'"]
    );
    assert_eq!(
        messages(&json!({"congress": [119]})),
        ["Congress must be a number, got a list"]
    );
    for outside in [0, -1, 201, 9999] {
        let expected = format!("Congress must be between 1 and 200, got {outside}");
        assert_eq!(messages(&json!({"congress": outside})), [expected]);
    }
}

#[test]
fn chambers_are_read_in_any_case() {
    let chamber = |value: &str| sound(&json!({"chamber": value})).chamber;
    assert_eq!(chamber("SENATE"), Some(Chamber::Senate));
    assert_eq!(chamber(" joint "), Some(Chamber::Joint));
    assert_eq!(chamber("nochamber"), Some(Chamber::NoChamber));
    let unknown = messages(&json!({"chamber": "Lords"}));
    assert_eq!(
        unknown,
        ["Invalid chamber 'Lords': must be house, senate, joint or nochamber"]
    );
    assert_eq!(
        messages(&json!({"chamber": ["House"]})),
        ["chamber must be text, got a list"]
    );
}

#[test]
fn types_are_mapped_and_unknown_ones_noticed() {
    let read = |value: &str| {
        let parsed = parsed(&json!({"type": value}));
        assert_eq!(parsed.issues, []);
        (parsed.meeting.meeting_type.unwrap(), parsed.notices.len())
    };
    assert_eq!(read("hearing"), (MeetingType::Hearing, 0));
    assert_eq!(read("Business Meeting"), (MeetingType::Meeting, 0));
    assert_eq!(read("Mark-Up"), (MeetingType::Markup, 0));
    assert_eq!(read("Remote hearing, part two"), (MeetingType::Hearing, 1));
    assert_eq!(
        read("Markup (cont.) of a hearing"),
        (MeetingType::Markup, 1)
    );
    assert_eq!(read("Séance"), (MeetingType::Meeting, 1));
}

#[test]
fn statuses_are_mapped_and_unknown_ones_are_scheduled() {
    let read = |fields: Value| {
        let parsed = parsed(&fields);
        (parsed.meeting.status, parsed.notices)
    };
    assert_eq!(
        read(json!({"meetingStatus": "cancelled"})),
        (Some(MeetingStatus::Canceled), vec![])
    );
    assert_eq!(
        read(json!({"status": "Postponed"})),
        (Some(MeetingStatus::Postponed), vec![])
    );
    let both = json!({"meetingStatus": "Rescheduled", "status": "Scheduled"});
    assert_eq!(read(both), (Some(MeetingStatus::Rescheduled), vec![]));
    let notice = Notice::UnknownStatus {
        value: "Pondering".into(),
    };
    assert_eq!(
        read(json!({"meetingStatus": "Pondering"})),
        (Some(MeetingStatus::Scheduled), vec![notice])
    );
    assert_eq!(read(json!({})), (None, vec![]));
}

#[test]
fn dates_of_both_formats_and_bare_dates_are_read() {
    let when = |date: &str| {
        let meeting = sound(&json!({"date": date}));
        (meeting.date.unwrap(), meeting.time)
    };
    let expected = ("2025-09-09".to_owned(), Some("18:00:00".to_owned()));
    assert_eq!(when("2025-09-09T18:00:00Z"), expected);
    assert_eq!(when("2025-09-09 18:00:00+00:00"), expected);
    assert_eq!(when("2025-09-09"), ("2025-09-09".to_owned(), None));
    assert_eq!(
        messages(&json!({"date": "tomorrow"})),
        ["Invalid date format: 'tomorrow'"]
    );
    assert!(messages(&json!({"date": 20_250_909}))[0].starts_with("Invalid date format"));
    let parsed = parsed(&json!({"updateDate": "soon"}));
    assert_eq!(parsed.meeting.update_date, None);
    assert_eq!(
        parsed.issues[0].message,
        "Invalid updateDate format: 'soon'"
    );
}

#[test]
fn jacket_numbers_are_zero_filled() {
    let jacket = |value: Value| {
        let meeting = sound(&json!({"hearingTranscript": [{"jacketNumber": value}]}));
        assert_eq!(meeting.transcripts.len(), 1);
        meeting.jacket_number.unwrap()
    };
    assert_eq!(jacket(json!(5692)), "05692");
    assert_eq!(jacket(json!(" 0005692 ")), "05692");
    assert_eq!(jacket(json!("51692")), "51692");
    assert_eq!(
        sound(&json!({"hearingTranscript": [{"url": "u"}]})).jacket_number,
        None
    );
}

#[test]
fn bills_of_unknown_type_are_skipped() {
    let bills = sound(&json!({"relatedItems": {"bills": {"item": [
        {"type": "hjres", "number": 7, "congress": "118"},
        {"type": "S.", "number": "12"},
        {"type": "PN", "number": "5", "congress": 118},
        {"type": "HJRES", "number": "7", "congress": 118}
    ]}}}))
    .bills;
    let keys: Vec<_> = bills
        .iter()
        .map(|bill| (bill.congress, bill.bill_type, bill.number))
        .collect();
    assert_eq!(keys, [(118, "HJRES", 7), (119, "S", 12)]);
}

#[test]
fn document_types_are_the_tables() {
    let kinds = [
        ("Witness Biography", "Biography"),
        ("Witness Supporting Document", "Supplemental"),
        ("witness statement", "Statement"),
        ("Witness Truth in Testimony", "Truth Statement"),
        ("Truth Statement", "Truth Statement"),
        ("Questions for Record", "Questions for Record"),
        ("Poem", "Supplemental"),
    ];
    for (told, stored) in kinds {
        let documents =
            json!({"witnessDocuments": [{"documentType": told, "url": "https://x/y.pdf"}]});
        let document = sound(&documents).witness_documents.remove(0);
        assert_eq!(
            (document.document_type, document.slot),
            (stored, None),
            "{told}"
        );
    }
}

#[test]
fn the_event_page_is_kept_beside_a_better_video() {
    let page = "https://www.congress.gov/event/119th-congress/house-event/118296";
    let meeting = sound(&json!({"videos": [
        {"name": "Event", "url": page}, {"name": "YouTube", "url": "https://youtu.be/abcDEF_-123"}
    ]}));
    assert_eq!(meeting.event_page.as_deref(), Some(page));
    let video = meeting.video.unwrap();
    assert_eq!(video.video_type, VideoType::Youtube);
    assert_eq!(video.youtube_id.as_deref(), Some("abcDEF_-123"));
}
