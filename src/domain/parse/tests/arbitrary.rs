//! Arbitrary JSON and text.

use super::*;

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
