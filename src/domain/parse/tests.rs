use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::{match_slot, name_key};

mod arbitrary;
mod fields;
mod lists;

/// The shape of the recorded answer for event 115538.
fn recorded() -> Value {
    let file = |folder: &str, name: &str| {
        format!("https://www.congress.gov/118/meeting/house/115538/{folder}/{name}.pdf")
    };
    let statement = |slot: &str| {
        let url = file(
            "witnesses",
            &format!("HHRG-118-II24-Wstate-{slot}-20230324"),
        );
        json!({"documentType": "Witness Statement", "format": "PDF", "url": url})
    };
    let document = |kind: &str, name: &str, stem: &str| json!({"documentType": kind, "format": "PDF", "name": name, "url": file("documents", stem)});
    let witness = |name: &str, position: &str, organization: &str| json!({"name": name, "organization": organization, "position": position});
    json!({
        "committeeMeeting": {
            "chamber": "House",
            "committees": [{
                "name": "House Natural Resources Subcommittee on Indian and Insular Affairs",
                "systemCode": "hsii24",
                "url": "https://v3/committee/house/hsii24?format=json"
            }],
            "congress": 118,
            "date": "2023-03-24 13:00:00+00:00",
            "eventId": "115538",
            "hearingTranscript": [
                {"jacketNumber": 51692, "url": "https://v3/hearing/118/house/51692?format=json"}
            ],
            "location": {"building": "Longworth House Office Building", "room": "1324"},
            "meetingDocuments": [
                document("Support Document", "Hearing Notice", "HHRG-118-II24-20230324-SD001"),
                document("Bills and Resolutions", "H.R. 1532 (Rep. Hageman)", "BILLS-118HR1532ih"),
                document("Bills and Resolutions", "H.R. 1246 (Rep. Hageman)", "BILLS-118HR1246ih"),
                document("Support Document", "Hearing Memo", "HHRG-118-II24-20230324-SD002"),
                document("Support Document", "Chair Westerman's Submission", "HHRG-118-II24-20230324-SD003")
            ],
            "meetingStatus": "Scheduled",
            "relatedItems": {"bills": [
                {"congress": 118, "number": "1532", "type": "HR", "url": "https://v3/bill/118/hr/1532"},
                {"congress": 118, "number": "1246", "type": "HR", "url": "https://v3/bill/118/hr/1246"}
            ]},
            "title": "Legislative hearing on: •\tH.R. 1246 (Rep. Hageman), To authorize leases; and\r\n•\tH.R. 1532 (Rep. Hageman), and for other purposes.",
            "type": "Hearing",
            "updateDate": "2023-10-01 04:18:38+00:00",
            "witnessDocuments": [statement("OsceolaM"), statement("WilliamsJ"), statement("NewlandB")],
            "witnesses": [
                witness("The Honorable Bryan Newland", "Assistant Secretary", "Bureau of Indian Affairs"),
                witness("The Honorable Marcellus Osceola", "Chairman", "Seminole Tribe of Florida"),
                witness("The Honorable John Williams", "Vice Chairman", "United Auburn Rancheria")
            ]
        },
        "request": {"chamber": "house", "congress": "118", "eventId": "115538", "format": "json"}
    })
}

/// A sound record with some fields replaced.
fn parsed(fields: &Value) -> Parsed {
    let mut record = json!({"eventId": "1", "chamber": "House", "congress": 119});
    for (key, value) in fields.as_object().unwrap() {
        record[key] = value.clone();
    }
    parse_meeting(&record)
}

fn sound(fields: &Value) -> Meeting {
    let parsed = parsed(fields);
    assert_eq!(parsed.issues, [], "{fields}");
    parsed.meeting
}

fn messages(fields: &Value) -> Vec<String> {
    parsed(fields)
        .issues
        .into_iter()
        .map(|issue| issue.message)
        .collect()
}

#[test]
fn the_recorded_meeting_comes_out_complete() {
    let Parsed {
        meeting,
        issues,
        notices,
    } = parse_meeting(&recorded());
    assert_eq!((issues, notices), (vec![], vec![]));
    assert_eq!(
        (meeting.event_id.as_str(), meeting.congress),
        ("115538", Some(118))
    );
    assert_eq!(meeting.chamber, Some(Chamber::House));
    assert_eq!(
        meeting.title.as_deref(),
        Some(
            "Legislative hearing on: • H.R. 1246 (Rep. Hageman), To authorize leases; and • H.R. 1532 (Rep. Hageman), and for other purposes."
        )
    );
    assert_eq!(meeting.meeting_type, Some(MeetingType::Hearing));
    assert_eq!(meeting.status, Some(MeetingStatus::Scheduled));
    assert_eq!(meeting.date.as_deref(), Some("2023-03-24"));
    assert_eq!(meeting.time.as_deref(), Some("13:00:00"));
    assert_eq!(
        meeting.location.as_deref(),
        Some("1324 Longworth House Office Building")
    );
    assert_eq!(meeting.update_date.unwrap().stored(), "2023-10-01 04:18:38");
    assert_eq!(meeting.committees.len(), 1);
    assert_eq!(meeting.committees[0].system_code, "hsii24");
    assert_eq!(meeting.jacket_number.as_deref(), Some("51692"));
    assert_eq!(meeting.transcripts.len(), 1);
    assert_eq!(meeting.meeting_documents.len(), 5);
    let bills: Vec<_> = meeting
        .bills
        .iter()
        .map(|b| (b.congress, b.bill_type, b.number))
        .collect();
    assert_eq!(bills, [(118, "HR", 1532), (118, "HR", 1246)]);
    let names: Vec<&str> = meeting
        .witnesses
        .iter()
        .map(|w| w.full_name.as_str())
        .collect();
    assert_eq!(
        names,
        ["Bryan Newland", "Marcellus Osceola", "John Williams"]
    );
    let whose: Vec<_> = meeting
        .witness_documents
        .iter()
        .map(|d| {
            (
                d.document_type,
                match_slot(d.slot.as_ref().unwrap(), &names).unwrap(),
            )
        })
        .collect();
    assert_eq!(
        whose,
        [("Statement", 1), ("Statement", 2), ("Statement", 0)]
    );
}

#[test]
fn wrapped_and_bare_records_are_the_same() {
    let wrapped = recorded();
    assert_eq!(
        parse_meeting(&wrapped),
        parse_meeting(&wrapped["committeeMeeting"])
    );
}

#[test]
fn containers_of_every_shape_read_the_same() {
    let committee = json!({"systemCode": " HSII24 ", "name": null});
    let expected = sound(&json!({"committees": [committee]})).committees;
    assert_eq!(expected[0].system_code, "hsii24");
    for shape in [
        json!({"item": [committee]}),
        json!({"item": committee}),
        json!([null, committee]),
    ] {
        assert_eq!(
            sound(&json!({"committees": shape})).committees,
            expected,
            "{shape}"
        );
    }
    for empty in [
        json!(null),
        json!([]),
        json!({}),
        json!({"item": null}),
        json!({"item": []}),
        json!(""),
        json!({"count": 2, "url": "https://v3/x"}),
    ] {
        let fields = json!({
            "committees": empty, "witnesses": empty, "witnessDocuments": empty, "videos": empty,
            "meetingDocuments": empty, "hearingTranscript": empty, "relatedItems": {"bills": empty}
        });
        assert_eq!(sound(&fields), sound(&json!({})), "{empty}");
    }
    for empty in [json!(null), json!([]), json!({}), json!("")] {
        assert_eq!(sound(&json!({"relatedItems": empty})).bills, []);
    }
}

#[test]
fn wrong_types_are_issues_with_their_path() {
    let cases = [
        (json!({"title": ["x"]}), "title"),
        (json!({"type": {}}), "type"),
        (json!({"meetingStatus": 3}), "meetingStatus"),
        (json!({"url": []}), "url"),
        (json!({"location": ["1324"]}), "location"),
        (
            json!({"location": {"address": {"city": []}}}),
            "location.address.city",
        ),
        (json!({"committees": "hsii24"}), "committees"),
        (json!({"committees": ["hsii24"]}), "committees[0]"),
        (
            json!({"committees": [{"name": "x"}]}),
            "committees[0].systemCode",
        ),
        (
            json!({"committees": [{"systemCode": 24}]}),
            "committees[0].systemCode",
        ),
        (
            json!({"witnesses": [{"name": "A B"}, {}, {"name": ["x"]}]}),
            "witnesses[2].name",
        ),
        (json!({"witnesses": {"item": true}}), "witnesses.item"),
        (json!({"witnesses": {"name": "A B"}}), "witnesses"),
        (
            json!({"witnessDocuments": [{"url": 1}]}),
            "witnessDocuments[0].url",
        ),
        (
            json!({"meetingDocuments": [{"url": "u", "name": 1}]}),
            "meetingDocuments[0].name",
        ),
        (
            json!({"hearingTranscript": [{"jacketNumber": "58-1"}]}),
            "hearingTranscript[0].jacketNumber",
        ),
        (json!({"videos": [{"url": {}}]}), "videos[0].url"),
        (json!({"relatedItems": "bills"}), "relatedItems"),
        (
            json!({"relatedItems": {"bills": [{"type": "HR", "number": "x"}]}}),
            "relatedItems.bills[0].number",
        ),
    ];
    for (fields, path) in cases {
        let fields_with_issues: Vec<_> = parsed(&fields)
            .issues
            .into_iter()
            .map(|i| i.field)
            .collect();
        assert_eq!(fields_with_issues, [path], "{fields}");
    }
    let whole = parse_meeting(&json!(["no", "record"]));
    assert_eq!(
        whole.issues[0].message,
        "the record must be an object, got a list"
    );
}

#[test]
fn what_stands_twice_is_folded_and_the_first_wins() {
    let meeting = sound(&json!({
        "committees": [{"systemCode": "hsii24", "name": "First"}, {"systemCode": "HSII24"}],
        "witnesses": [
            {"name": "Dr. Jane Roe", "organization": "Acme Inc.", "position": "CEO"},
            {"name": "Jane Roe, PhD", "organization": "ACME Inc"},
            {"name": "Jane Roe", "organization": "Other"},
            {"organization": "nobody", "position": "x"}
        ],
        "witnessDocuments": [{"documentType": "Witness Statement", "url": "u"},
            {"documentType": "Statement", "url": "u"}, {"documentType": "Biography", "url": "u"}],
        "meetingDocuments": [{"url": "u", "name": "A"}, {"url": "u"}, {"name": "B"}, {"name": "B"}, {}]
    }));
    assert_eq!(meeting.committees.len(), 1);
    assert_eq!(meeting.committees[0].name.as_deref(), Some("First"));
    let witnesses: Vec<_> = meeting
        .witnesses
        .iter()
        .map(|w| (&*w.full_name, w.position.as_deref()))
        .collect();
    assert_eq!(witnesses, [("Jane Roe", Some("CEO")), ("Jane Roe", None)]);
    assert_eq!(meeting.witness_documents.len(), 1);
    assert_eq!(meeting.witness_documents[0].document_type, "Statement");
    let documents: Vec<_> = meeting
        .meeting_documents
        .iter()
        .map(|d| d.name.as_deref())
        .collect();
    assert_eq!(documents, [Some("A"), Some("B")]);
    assert_eq!(meeting.meeting_documents[0].document_type, "Other");
}
