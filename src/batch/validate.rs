//! What keeps a batch from being applied.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::domain::{Parsed, parse_meeting};

/// What is known of a committee's system code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    Usable,
    /// Neither stored, nor found at the API.
    Unknown,
    /// Not stored, and why the API could not say.
    NotLookedUp(String),
}

/// Everything that is wrong with a batch, in the words that a person reads. Each record is an item's
/// API-shaped JSON, or why it could not be turned into JSON. Items count from 0, as in the log lines
/// people know. `known` says whether a committee's system code can be used.
pub fn validate(records: &[Result<Value, String>], known: &dyn Fn(&str) -> bool) -> Vec<String> {
    let parsed: Vec<Result<Parsed, String>> = records
        .iter()
        .map(|record| record.as_ref().map(parse_meeting).map_err(String::clone))
        .collect();
    validate_parsed(&parsed, &|code| {
        if known(code) {
            Code::Usable
        } else {
            Code::Unknown
        }
    })
}

/// As `validate`, of records that are parsed already.
pub fn validate_parsed<P: Borrow<Parsed>>(
    parsed: &[Result<P, String>],
    known: &dyn Fn(&str) -> Code,
) -> Vec<String> {
    let mut issues: Vec<String> = duplicates(parsed).into_iter().collect();
    let mut codes: HashMap<&str, Code> = HashMap::new();
    for (number, record) in parsed.iter().enumerate() {
        match record {
            Err(why) => issues.push(format!("Item {number}: {why}")),
            Ok(parsed) => judge(number, parsed.borrow(), &mut issues, |code| {
                codes.entry(code).or_insert_with(|| known(code)).clone()
            }),
        }
    }
    issues
}

/// The issues of one record.
fn judge<'a>(
    number: usize,
    parsed: &'a Parsed,
    issues: &mut Vec<String>,
    mut known: impl FnMut(&'a str) -> Code,
) {
    let meeting = &parsed.meeting;
    let report = |issues: &mut Vec<String>, message: &str| {
        issues.push(if meeting.event_id.is_empty() {
            format!("Item {number}: {message}")
        } else {
            format!("Item {number} ({}): {message}", meeting.event_id)
        });
    };
    // A record that is no object lacks every field: once is enough. So is it for a field that is there,
    // but cannot be read.
    let told = |field: &str| {
        parsed
            .issues
            .iter()
            .any(|issue| issue.field == field || issue.field.is_empty())
    };
    if meeting.event_id.is_empty() && !told("eventId") {
        report(issues, "Missing required field 'eventId'");
    }
    if meeting.chamber.is_none() && !told("chamber") {
        report(issues, "Missing required field 'chamber'");
    }
    for issue in &parsed.issues {
        report(issues, &issue.message);
    }
    for committee in &meeting.committees {
        let code = committee.system_code.as_str();
        let why = match known(code) {
            Code::Usable => continue,
            Code::Unknown => "not in the database and not found at the API".to_owned(),
            Code::NotLookedUp(why) => {
                format!("not in the database, and could not be looked up: {why}")
            }
        };
        report(issues, &format!("Unknown committee code '{code}': {why}"));
    }
}

/// Event ids that stand in the batch more than once, in the order of their second appearance.
fn duplicates<P: Borrow<Parsed>>(parsed: &[Result<P, String>]) -> Option<String> {
    let mut seen = HashSet::with_capacity(parsed.len());
    let mut twice: Vec<&str> = Vec::new();
    for record in parsed.iter().flatten() {
        let id = record.borrow().meeting.event_id.as_str();
        if !id.is_empty() && !seen.insert(id) && !twice.contains(&id) {
            twice.push(id);
        }
    }
    (!twice.is_empty()).then(|| format!("Duplicate hearing IDs within batch: {}", twice.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    fn issues(records: Vec<Value>) -> Vec<String> {
        let records: Vec<_> = records.into_iter().map(Ok).collect();
        validate(&records, &|code| code.starts_with('h'))
    }

    #[test]
    fn sound_records_have_no_issues() {
        let records = vec![
            json!({"eventId": "TEST-119-001", "chamber": "House", "title": "x", "congress": 119}),
            json!({"eventId": 2, "chamber": "joint", "date": "2025-09-09T18:00:00Z"}),
            json!({"eventId": "3", "chamber": "NOCHAMBER", "title": "", "date": "2023-03-24 13:00:00+00:00"}),
            json!({"eventId": "4", "chamber": "senate", "committees": [{"systemCode": "hsii24"}]}),
        ];
        assert_eq!(issues(records), [""; 0]);
        assert_eq!(issues(vec![]), [""; 0]);
    }

    #[test]
    fn missing_fields_name_the_item_counted_from_zero() {
        let records = vec![
            json!({"eventId": "TEST-119-001", "chamber": "House"}),
            json!({"chamber": "Senate"}),
            json!({"eventId": "3"}),
            json!({}),
        ];
        assert_eq!(
            issues(records),
            [
                "Item 1: Missing required field 'eventId'",
                "Item 2 (3): Missing required field 'chamber'",
                "Item 3: Missing required field 'eventId'",
                "Item 3: Missing required field 'chamber'",
            ]
        );
    }

    #[test]
    fn duplicates_are_named_once_and_first() {
        let item = |id: Value| json!({"eventId": id, "chamber": "House"});
        let records = vec![
            item(json!("118296")),
            item(json!(118_296)),
            item(json!("118300")),
            item(json!(" 118300 ")),
            item(json!("118300")),
            json!({"chamber": "House"}),
            json!({"chamber": "House"}),
        ];
        let found = issues(records);
        assert_eq!(
            found[0],
            "Duplicate hearing IDs within batch: 118296, 118300"
        );
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn unreadable_values_name_the_record_and_the_rule() {
        let with = |field: &str, value: Value| {
            let mut record = json!({"eventId": "9", "chamber": "House"});
            record[field] = value;
            issues(vec![record]).remove(0)
        };
        assert_eq!(
            with("date", json!("soon")),
            "Item 0 (9): Invalid date format: 'soon'"
        );
        assert_eq!(
            with("congress", json!("abc")),
            "Item 0 (9): Congress must be a number, got 'abc'"
        );
        assert_eq!(
            with("congress", json!(0)),
            "Item 0 (9): Congress must be between 1 and 200, got 0"
        );
        assert_eq!(
            with("chamber", json!("Lords")),
            "Item 0 (9): Invalid chamber 'Lords': must be house, senate, joint or nochamber"
        );
        assert_eq!(
            with("witnesses", json!([{"name": ["x"]}])),
            "Item 0 (9): witnesses[0].name must be text, got a list"
        );
    }

    #[test]
    fn a_field_of_the_wrong_type_is_not_missing_as_well() {
        let found = issues(vec![
            json!({"eventId": ["1"], "chamber": 7}),
            json!("no record"),
        ]);
        assert_eq!(
            found,
            [
                "Item 0: eventId must be text or a whole number, got a list",
                "Item 0: chamber must be text, got a number",
                "Item 1: the record must be an object, got text",
            ]
        );
    }

    #[test]
    fn items_that_are_no_json_become_issues() {
        let records = [Err("a datetime cannot be written as JSON".to_owned())];
        let found = validate(&records, &|_| true);
        assert_eq!(found, ["Item 0: a datetime cannot be written as JSON"]);
    }

    #[test]
    fn committee_codes_are_asked_for_once_each() {
        let asked = Cell::new(0);
        let record = |id: &str| {
            Ok(json!({"eventId": id, "chamber": "House",
                "committees": [{"systemCode": "HSII24"}, {"systemCode": "zzzz00"}]}))
        };
        let found = validate(&[record("1"), record("2")], &|code| {
            asked.set(asked.get() + 1);
            code == "hsii24"
        });
        let rule = "Unknown committee code 'zzzz00': not in the database and not found at the API";
        assert_eq!(
            found,
            [format!("Item 0 (1): {rule}"), format!("Item 1 (2): {rule}")]
        );
        assert_eq!(asked.get(), 2);
    }
    #[test]
    fn a_committee_that_nobody_could_ask_for_is_not_said_to_be_unknown_at_the_api() {
        let record = Ok::<_, String>(parse_meeting(&json!({"eventId": "1", "chamber": "House",
            "committees": [{"systemCode": "hsfa05"}]})));
        let found = validate_parsed(&[record], &|_| Code::NotLookedUp("no requests left".into()));
        assert_eq!(
            found,
            [
                "Item 0 (1): Unknown committee code 'hsfa05': not in the database, and could not be \
              looked up: no requests left"
            ]
        );
    }
}
