use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::{match_slot, name_key};

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

#[test]
fn list_rows_need_only_an_event_id() {
    let item = parse_list_item(
        &json!({"eventId": 105_481, "chamber": "House", "congress": 115,
        "updateDate": "2019-01-17 16:03:53+00:00", "url": "https://v3/x"}),
    )
    .unwrap();
    assert_eq!(
        (item.event_id.as_str(), item.chamber),
        ("105481", Some(Chamber::House))
    );
    assert_eq!(item.update_date.unwrap().stored(), "2019-01-17 16:03:53");
    let odd = parse_list_item(&json!({"eventId": "1", "updateDate": "?", "chamber": 3})).unwrap();
    assert_eq!((odd.update_date, odd.chamber), (None, None));
    assert_eq!(
        parse_list_item(&json!({"chamber": "House"})).unwrap_err(),
        "no eventId"
    );
    assert!(
        parse_list_item(&json!({"eventId": []}))
            .unwrap_err()
            .contains("a list")
    );
}

#[test]
fn list_pages_report_rows_that_are_no_meetings() {
    let page = parse_list_page(&json!({
        "committeeMeetings": [{"eventId": "1"}, {"chamber": "House"}, "x", {"eventId": "2"}],
        "pagination": {"count": 1954, "next": "https://v3/committee-meeting?offset=20"}
    }))
    .unwrap();
    assert_eq!(page.items.len(), 2);
    assert_eq!((page.count, page.has_next), (Some(1954), true));
    assert_eq!(
        page.problems,
        ["row 1: no eventId", "row 2: must be an object, got text"]
    );
    let last =
        parse_list_page(&json!({"committeeMeetings": [], "pagination": {"count": 0}})).unwrap();
    assert_eq!((last.items.len(), last.has_next), (0, false));
    for wrong in [
        json!([]),
        json!("<html>"),
        json!({}),
        json!({"committeeMeetings": 3}),
    ] {
        let problem = parse_list_page(&wrong).unwrap_err();
        assert!(
            problem.starts_with("the answer is no list page"),
            "{problem}"
        );
    }
}

/// Arbitrary JSON whose keys are often those that the parser looks at.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[-A-Z0-9a-z:/. {}\"]{0,30}".prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "committeeMeeting",
        "committeeMeetings",
        "eventId",
        "congress",
        "chamber",
        "title",
        "type",
        "date",
        "meetingStatus",
        "updateDate",
        "location",
        "address",
        "room",
        "city",
        "videos",
        "url",
        "witnesses",
        "name",
        "position",
        "organization",
        "committees",
        "systemCode",
        "item",
        "witnessDocuments",
        "meetingDocuments",
        "documentType",
        "hearingTranscript",
        "jacketNumber",
        "relatedItems",
        "bills",
        "number",
        "history",
        "startDate",
        "parent",
        "isCurrent",
        "committee",
        "pagination",
        "count",
    ]);
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..12).prop_map(|fields| {
                Value::Object(
                    fields
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_json_never_panics(value in any_json()) {
        let _ = parse_meeting(&value);
        let _ = parse_list_page(&value);
        let _ = parse_list_item(&value);
        let _ = crate::domain::parse_committee(&value, None);
    }

    #[test]
    fn text_that_was_parsed_once_parses_to_itself(title: String, name: String) {
        let first = sound(&json!({"title": title, "witnesses": [{"name": name, "position": title}]}));
        let names: Vec<_> = first.witnesses.iter().map(|w| json!({"name": w.full_name, "position": w.position})).collect();
        let second = sound(&json!({"title": first.title, "witnesses": names}));
        prop_assert_eq!(&second, &first);
        for witness in &first.witnesses {
            prop_assert!(!name_key(&witness.full_name).is_empty());
        }
    }
}
