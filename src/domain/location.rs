//! Where a meeting takes place, as readable text.

use serde_json::{Map, Value};

use super::one_line;
use super::reader::{Object, Path, Reader};

/// A location of any shape the API has used; `None` where it says nothing.
pub(super) fn read_location(reader: &mut Reader, value: &Value, path: Path<'_>) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => match json_object(text) {
            Some(map) => from_object(reader, Object { map: &map, path }),
            None => meaningful(text),
        },
        Value::Object(map) => from_object(reader, Object { map, path }),
        other => {
            reader.wrong_type(path, "an object or text", other);
            None
        }
    }
}

fn from_object(reader: &mut Reader, object: Object<'_>) -> Option<String> {
    let room = match object.get("room") {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => reader.raw_text(object, "room").and_then(meaningful),
    };
    let building = reader.raw_text(object, "building").and_then(meaningful);
    let rooms = [room, building]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    let address = object
        .get("address")
        .and_then(|address| read_address(reader, address, object.path.key("address")));
    match (rooms.is_empty(), address) {
        (true, None) => None,
        (false, None) => Some(rooms),
        (true, Some(address)) => Some(format!("Field: {address}")),
        (false, Some(address)) => Some(format!("Field: {rooms}, {address}")),
    }
}

/// A field meeting's address: text, text that holds JSON, or an object.
fn read_address(reader: &mut Reader, value: &Value, path: Path<'_>) -> Option<String> {
    match value {
        Value::String(text) => match json_object(text) {
            Some(map) => address_parts(reader, Object { map: &map, path }),
            None => meaningful(text),
        },
        Value::Object(map) => address_parts(reader, Object { map, path }),
        other => {
            reader.wrong_type(path, "an object or text", other);
            None
        }
    }
}

fn address_parts(reader: &mut Reader, object: Object<'_>) -> Option<String> {
    const PARTS: [&[&str]; 4] = [
        &["building_name", "buildingName", "building"],
        &[
            "street-address",
            "street_address",
            "streetAddress",
            "street",
        ],
        &["city"],
        &["state"],
    ];
    let mut parts: Vec<String> = Vec::new();
    for spellings in PARTS {
        let part = spellings
            .iter()
            .find_map(|key| reader.raw_text(object, key).and_then(meaningful));
        parts.extend(part.filter(|part| !parts.contains(part)));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Text that holds a JSON object.
fn json_object(text: &str) -> Option<Map<String, Value>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// One line of text, unless it is only dashes, as where a remote meeting has no building.
fn meaningful(text: &str) -> Option<String> {
    one_line(text).filter(|line| line.chars().any(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn location(value: &Value) -> Option<String> {
        let mut reader = Reader::default();
        let text = read_location(&mut reader, value, Path::Root.key("location"));
        assert_eq!(reader.issues, [], "{value}");
        text
    }

    fn text_of(value: &Value) -> String {
        location(value).unwrap_or_default()
    }

    #[test]
    fn room_and_building_read_as_one_line() {
        let both = json!({"room": "1324", "building": "Longworth House Office Building"});
        assert_eq!(text_of(&both), "1324 Longworth House Office Building");
        assert_eq!(text_of(&json!({"building": "The Capitol"})), "The Capitol");
        assert_eq!(
            text_of(&json!({"room": 2123, "building": "Rayburn"})),
            "2123 Rayburn"
        );
        assert_eq!(
            text_of(&json!({"room": "SD-430", "building": null})),
            "SD-430"
        );
        assert_eq!(
            text_of(&json!(both.to_string())),
            "1324 Longworth House Office Building"
        );
        assert_eq!(text_of(&json!(" 2123  Rayburn ")), "2123 Rayburn");
    }

    #[test]
    fn dashes_are_no_place() {
        assert_eq!(
            text_of(&json!({"room": "WEBEX", "building": "----------"})),
            "WEBEX"
        );
        for nothing in [
            json!({}),
            json!(null),
            json!(""),
            json!("----------"),
            json!({"room": "--"}),
        ] {
            assert_eq!(location(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_field_meeting_reads_the_same_from_an_object_and_from_text() {
        let address = json!({
            "building_name": "", "street-address": "12 Main St", "city": "Billings", "state": "MT",
            "postal_code": "59101"
        });
        let expected = "Field: 12 Main St, Billings, MT";
        assert_eq!(text_of(&json!({"address": address})), expected);
        assert_eq!(text_of(&json!({"address": address.to_string()})), expected);
        assert_eq!(
            text_of(&json!(json!({"address": address}).to_string())),
            expected
        );
        assert_eq!(
            text_of(&json!({"address": "12 Main St, Billings, MT"})),
            expected
        );
        assert_eq!(location(&json!({"address": {}})), None);
    }

    #[test]
    fn the_building_of_a_field_meeting_comes_first() {
        let address = json!({"building_name": "City Hall", "city": "Billings", "state": "MT"});
        assert_eq!(
            text_of(&json!({"address": address})),
            "Field: City Hall, Billings, MT"
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_its_path() {
        let mut reader = Reader::default();
        let value = json!({"room": ["1324"], "building": "Longworth"});
        let text = read_location(&mut reader, &value, Path::Root.key("location"));
        assert_eq!(text.as_deref(), Some("Longworth"));
        assert_eq!(reader.issues[0].field, "location.room");
        assert_eq!(
            reader.issues[0].message,
            "location.room must be text, got a list"
        );
    }
}
