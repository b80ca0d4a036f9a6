//! Committees: as a meeting names them, and as the committee endpoint describes them.

use serde_json::Value;

use super::Chamber;
use super::reader::{Object, Path, Reader, kind};
use super::{DateTime, parse_datetime};

/// A committee as named by a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitteeRef {
    /// Lower case, such as `hsii24`.
    pub system_code: String,
    pub name: Option<String>,
    pub url: Option<String>,
}

/// A committee as the committee endpoint (or list) describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee {
    pub system_code: String,
    /// Never empty: the `name`, else the newest name in `history`, else the system code.
    pub name: String,
    pub chamber: Chamber,
    /// One of the values `committees.type` knows; unknown ones become `Other`.
    pub committee_type: &'static str,
    pub is_current: bool,
    pub parent: Option<CommitteeRef>,
    pub url: Option<String>,
}

/// What `committees.type` knows.
const TYPES: [&str; 8] = [
    "Standing",
    "Select",
    "Special",
    "Joint",
    "Task Force",
    "Other",
    "Subcommittee",
    "Commission or Caucus",
];

/// The committee endpoint's answer, bare or wrapped in `committee`, or a row of the committee list.
/// `url_chamber` is the chamber that was asked for (the item itself may not say). `Err` says what is missing.
pub fn parse_committee(record: &Value, url_chamber: Option<Chamber>) -> Result<Committee, String> {
    let record = record
        .get("committee")
        .filter(|wrapped| !wrapped.is_null())
        .unwrap_or(record);
    let Value::Object(map) = record else {
        return Err(format!(
            "a committee must be an object, got {}",
            kind(record)
        ));
    };
    let object = Object {
        map,
        path: Path::Root,
    };
    // Only the code is vital: whatever else cannot be read has something to stand in for it.
    let reader = &mut Reader::default();
    let Some(system_code) = read_code(reader, object) else {
        return Err(match reader.issues.first() {
            Some(issue) => format!("the committee's {}", issue.message),
            None => "the committee has no systemCode".to_owned(),
        });
    };
    let parent = object
        .get("parent")
        .and_then(|parent| reader.object(parent, Path::Root.key("parent")))
        .and_then(|parent| read_committee_ref(reader, parent))
        .filter(|parent| parent.system_code != system_code);
    let url = reader.text(object, "url");
    let name = reader
        .text(object, "name")
        .or_else(|| newest_name(reader, object))
        .unwrap_or_else(|| system_code.clone());
    let told = reader
        .text(object, "chamber")
        .and_then(|text| Chamber::parse(&text));
    let chamber = chamber_of(&system_code, told, url_chamber, url.as_deref());
    let told = reader
        .text(object, "type")
        .or_else(|| reader.text(object, "committeeTypeCode"));
    let committee_type = match told {
        Some(told) => TYPES
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(&told))
            .unwrap_or("Other"),
        None if parent.is_some() => "Subcommittee",
        None => "Other",
    };
    let is_current = match object.get("isCurrent") {
        Some(Value::Bool(current)) => *current,
        Some(Value::String(text)) => !matches!(
            text.trim().to_ascii_lowercase().as_str(),
            "false" | "n" | "no" | "0"
        ),
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        _ => true,
    };
    Ok(Committee {
        system_code,
        name,
        chamber,
        committee_type,
        is_current,
        parent,
        url,
    })
}

/// A committee named in another record; `None` where it has no code.
pub(super) fn read_committee_ref(reader: &mut Reader, object: Object<'_>) -> Option<CommitteeRef> {
    let system_code = read_code(reader, object);
    let name = reader.text(object, "name");
    let url = reader.text(object, "url");
    Some(CommitteeRef {
        system_code: system_code?,
        name,
        url,
    })
}

fn read_code(reader: &mut Reader, object: Object<'_>) -> Option<String> {
    reader
        .text(object, "systemCode")
        .map(|code| code.to_lowercase())
}

/// Joint committees are joint wherever they were asked for; the others say it, or their address does, or
/// their code.
fn chamber_of(
    code: &str,
    told: Option<Chamber>,
    asked: Option<Chamber>,
    url: Option<&str>,
) -> Chamber {
    let by_code = match code.chars().next() {
        Some('j') => return Chamber::Joint,
        Some('h') => Some(Chamber::House),
        Some('s') => Some(Chamber::Senate),
        _ => None,
    };
    let by_url = || {
        let (_, after) = url?.split_once("/committee/")?;
        after.split('/').find_map(Chamber::parse)
    };
    told.or(asked.filter(|chamber| *chamber != Chamber::NoChamber))
        .or_else(by_url)
        .or(by_code)
        .unwrap_or(Chamber::NoChamber)
}

/// The name that began last.
fn newest_name(reader: &mut Reader, object: Object<'_>) -> Option<String> {
    let names: Vec<(Option<DateTime>, String)> = reader.each(object, "history", |reader, entry| {
        let name = reader
            .text(entry, "libraryOfCongressName")
            .or_else(|| reader.text(entry, "officialName"))?;
        Some((
            reader.raw_text(entry, "startDate").and_then(parse_datetime),
            name,
        ))
    });
    let (_, name) = names
        .into_iter()
        .reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_joint_subcommittee_asked_for_under_senate_is_joint() {
        let answer = json!({"committee": {
            "history": [{"endDate": "1994-12-31T05:00:00Z",
                "libraryOfCongressName": "Economic Goals and Intergovernmental Policy",
                "startDate": "1981-01-01T05:00:00Z"}],
            "isCurrent": true,
            "parent": {"name": "Joint Economic Committee", "systemCode": "JSEC00 ",
                "url": "https://v3/committee/joint/jsec00?format=json"},
            "systemCode": "jsec03", "type": "Subcommittee"
        }, "request": {"chamber": "senate"}});
        let committee = parse_committee(&answer, Some(Chamber::Senate)).unwrap();
        assert_eq!(
            committee.name,
            "Economic Goals and Intergovernmental Policy"
        );
        assert_eq!(committee.chamber, Chamber::Joint);
        assert_eq!(
            (committee.committee_type, committee.is_current),
            ("Subcommittee", true)
        );
        let parent = committee.parent.unwrap();
        assert_eq!(
            (parent.system_code.as_str(), parent.name.as_deref()),
            ("jsec00", Some("Joint Economic Committee"))
        );
    }

    #[test]
    fn a_row_of_the_list_is_read_as_well() {
        let row = json!({"chamber": "House", "committeeTypeCode": "Select", "systemCode": "hlig00",
            "name": "Intelligence (Permanent Select) Committee", "subcommittees": [{"systemCode": "hlig03"}],
            "url": "https://v3/committee/house/hlig00?format=json"});
        let committee = parse_committee(&row, None).unwrap();
        assert_eq!(
            (committee.chamber, committee.committee_type),
            (Chamber::House, "Select")
        );
        assert_eq!(committee.parent, None);
    }

    #[test]
    fn the_newest_name_counts_and_the_code_stands_in_for_none() {
        let answer = json!({"systemCode": "ssfr00", "isCurrent": false, "history": {"item": [
            {"officialName": "Old", "startDate": "1900-01-01T05:00:00Z"},
            {"libraryOfCongressName": "New", "officialName": "N", "startDate": "1990-01-01T05:00:00Z"},
            {"libraryOfCongressName": "Middle", "startDate": "1950-01-01T05:00:00Z"}
        ]}});
        let committee = parse_committee(&answer, None).unwrap();
        assert_eq!(
            (committee.name.as_str(), committee.is_current),
            ("New", false)
        );
        assert_eq!(
            parse_committee(&json!({"systemCode": "ssfr00"}), None)
                .unwrap()
                .name,
            "ssfr00"
        );
    }

    #[test]
    fn the_chamber_is_found_wherever_it_is_told() {
        let chamber = |record: Value, asked| parse_committee(&record, asked).unwrap().chamber;
        let code = json!({"systemCode": "hsii00"});
        assert_eq!(chamber(code.clone(), None), Chamber::House);
        assert_eq!(chamber(code, Some(Chamber::NoChamber)), Chamber::House);
        let url = "https://v3/committee/senate/xyz00?format=json";
        assert_eq!(
            chamber(json!({"systemCode": "xyz00", "url": url}), None),
            Chamber::Senate
        );
        assert_eq!(
            chamber(json!({"systemCode": "xyz00"}), Some(Chamber::House)),
            Chamber::House
        );
        assert_eq!(
            chamber(json!({"systemCode": "xyz00"}), None),
            Chamber::NoChamber
        );
    }

    #[test]
    fn unknown_types_become_other_and_a_missing_code_is_named() {
        let kind = |record| parse_committee(&record, None).unwrap().committee_type;
        assert_eq!(
            kind(json!({"systemCode": "h1", "type": "commission or caucus"})),
            "Commission or Caucus"
        );
        assert_eq!(
            kind(json!({"systemCode": "h1", "type": "Advisory"})),
            "Other"
        );
        assert_eq!(
            kind(json!({"systemCode": "h1", "parent": {"systemCode": "h0"}})),
            "Subcommittee"
        );
        assert_eq!(
            parse_committee(&json!({}), None).unwrap_err(),
            "the committee has no systemCode"
        );
        assert!(
            parse_committee(&json!({"systemCode": 7}), None)
                .unwrap_err()
                .contains("must be text")
        );
        assert!(
            parse_committee(&json!([]), None)
                .unwrap_err()
                .contains("a list")
        );
    }
}
