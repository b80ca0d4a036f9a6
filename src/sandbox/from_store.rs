//! Content from a hearings database, through the store: each stored hearing as the API would show it,
//! so that an updater of that very database finds nothing to do.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::SandboxError;
use super::world::{Committee, PUBLIC, seconds, written};
use crate::store::{
    self, Access, Patience, Row, SqlValue, Store, StoreResult, StoredMeeting, StoredWitnessDocument,
};

const WAIT: Duration = Duration::from_secs(10);

/// The committees, and the meetings of one congress.
pub fn read(path: &Path, congress: i64) -> Result<(Vec<Committee>, Vec<Value>), SandboxError> {
    let handle = store::open(path, Access::ReadOnly)?;
    let patience = Patience {
        limit: WAIT,
        interrupted: &|| false,
    };
    let content = handle.with(&patience, |store| {
        let committees = committees(store)?;
        let meetings = meetings(store, congress, &committees)?;
        Ok((committees, meetings))
    });
    // Whoever replaces the file next should not find us on it.
    handle.close();
    Ok(content?)
}

fn text(row: &Row, column: &str) -> Option<String> {
    match row.get(column)? {
        SqlValue::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn integer(row: &Row, column: &str) -> Option<i64> {
    match row.get(column)? {
        SqlValue::Integer(number) => Some(*number),
        _ => None,
    }
}

fn committees(store: &mut dyn Store) -> StoreResult<Vec<Committee>> {
    let mut codes: Vec<String> = store.committee_codes()?.into_iter().collect();
    codes.sort_unstable();
    let mut rows = Vec::with_capacity(codes.len());
    for code in codes {
        if let Some(row) = store.committee_row(&code)? {
            rows.push((code, row));
        }
    }
    let by_id: HashMap<i64, String> = rows
        .iter()
        .filter_map(|(code, row)| Some((integer(row, "committee_id")?, code.clone())))
        .collect();
    Ok(rows
        .into_iter()
        .map(|(code, row)| Committee {
            name: text(&row, "name").unwrap_or_else(|| code.clone()),
            chamber: match text(&row, "chamber").as_deref() {
                Some("House") => "House",
                Some("Senate") => "Senate",
                _ => "Joint",
            },
            kind: text(&row, "type").unwrap_or_else(|| "Other".to_owned()),
            parent: integer(&row, "parent_committee_id").and_then(|id| by_id.get(&id).cloned()),
            current: integer(&row, "is_current") != Some(0),
            code,
        })
        .collect())
}

fn meetings(
    store: &mut dyn Store,
    congress: i64,
    committees: &[Committee],
) -> StoreResult<Vec<Value>> {
    let by_code: HashMap<&str, &Committee> = committees
        .iter()
        .map(|committee| (committee.code.as_str(), committee))
        .collect();
    let mut ids: Vec<String> = store.update_dates(congress)?.into_keys().collect();
    ids.sort_unstable();
    let mut meetings = Vec::with_capacity(ids.len());
    for event_id in ids {
        if let Some(stored) = store.stored_meeting(&event_id)? {
            meetings.push(as_shown(&stored, congress, &by_code));
        }
    }
    Ok(meetings)
}

/// What there is of some fields.
fn some(fields: Vec<(&str, Option<Value>)>) -> Value {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<Map<_, _>>()
        .into()
}

fn value(text: Option<&String>) -> Option<Value> {
    text.filter(|text| !text.is_empty())
        .map(|text| text.as_str().into())
}

/// `None` for none, so that the field is left out.
fn container(items: Vec<Value>) -> Option<Value> {
    (!items.is_empty()).then(|| items.into())
}

fn as_shown(
    stored: &StoredMeeting,
    congress: i64,
    committees: &HashMap<&str, &Committee>,
) -> Value {
    let chamber = stored
        .chamber
        .clone()
        .unwrap_or_else(|| "NoChamber".to_owned());
    let path = chamber.to_ascii_lowercase();
    let named = stored
        .committees
        .iter()
        .map(|link| {
            let code = link.system_code.to_ascii_lowercase();
            let known = committees.get(code.as_str());
            some(vec![
                ("name", known.map(|known| known.name.as_str().into())),
                ("url", known.map(|known| known.url().into())),
                ("systemCode", Some(code.into())),
            ])
        })
        .collect();
    let witnesses = stored
        .witnesses
        .iter()
        .map(|witness| {
            some(vec![
                ("name", Some(witness.full_name.as_str().into())),
                ("organization", value(witness.organization.as_ref())),
                ("position", value(witness.position.as_ref())),
            ])
        })
        .collect();
    let witness_documents = stored
        .witness_documents
        .iter()
        .chain(&stored.unmatched_documents)
        .map(witness_document)
        .collect();
    let meeting_documents = stored
        .supporting_documents
        .iter()
        .map(|document| {
            some(vec![
                ("description", value(document.description.as_ref())),
                ("documentType", Some(document.document_type.as_str().into())),
                ("format", value(document.format.as_ref())),
                ("name", value(document.title.as_ref())),
                ("url", value(document.url.as_ref())),
            ])
        })
        .collect();
    some(vec![
        ("chamber", Some(chamber.into())),
        ("committees", container(named)),
        ("congress", Some(congress.into())),
        ("date", date(stored).map(Value::from)),
        ("eventId", Some(stored.event_id.as_str().into())),
        (
            "hearingTranscript",
            container(transcripts(stored, congress, &path)),
        ),
        ("location", stored.location.as_deref().and_then(location)),
        ("meetingDocuments", container(meeting_documents)),
        ("meetingStatus", value(stored.status.as_ref())),
        (
            "relatedItems",
            container(bills(stored)).map(|bills| json!({"bills": bills})),
        ),
        ("title", value(stored.title.as_ref())),
        ("type", value(stored.hearing_type.as_ref())),
        ("updateDate", stored.update_date.as_deref().map(update_date)),
        ("videos", container(videos(stored))),
        ("witnessDocuments", container(witness_documents)),
        ("witnesses", container(witnesses)),
    ])
}

/// With its time where one is stored; a bare date otherwise, as midnight would be a time.
fn date(stored: &StoredMeeting) -> Option<String> {
    let date = stored.date.as_ref()?;
    match stored.time.as_deref() {
        Some(time) if !time.is_empty() && date.len() == 10 => Some(format!("{date}T{time}Z")),
        _ => Some(date.clone()),
    }
}

fn update_date(stored: &str) -> Value {
    seconds(stored).map_or_else(|| stored.into(), |at| written(at, false).into())
}

/// The readable text taken apart again.
fn location(stored: &str) -> Option<Value> {
    let stored = stored.trim();
    if stored.is_empty() {
        return None;
    }
    if let Some(address) = stored.strip_prefix("Field: ") {
        return Some(json!({"address": address}));
    }
    if stored == "WEBEX" {
        return Some(json!({"building": "----------", "room": stored}));
    }
    let is_room = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    Some(match stored.split_once(' ') {
        Some((room, building)) if is_room(room) => json!({"building": building, "room": room}),
        None if is_room(stored) => json!({"room": stored}),
        _ => json!({"building": stored}),
    })
}

fn witness_document(document: &StoredWitnessDocument) -> Value {
    let kind = match document.document_type.as_str() {
        "Biography" => "Witness Biography",
        "Supplemental" => "Witness Supporting Document",
        "Statement" => "Witness Statement",
        "Truth Statement" => "Witness Truth in Testimony",
        other => other,
    };
    some(vec![
        ("documentType", Some(kind.into())),
        ("format", value(document.format.as_ref())),
        ("url", value(document.url.as_ref())),
    ])
}

fn transcripts(stored: &StoredMeeting, congress: i64, path: &str) -> Vec<Value> {
    let mut jackets: Vec<(String, Option<&String>)> = stored
        .transcripts
        .iter()
        .filter_map(|transcript| Some((transcript.jacket_number.clone()?, transcript.url.as_ref())))
        .collect();
    // The hearing's own comes first: the updater takes the first.
    if let Some(own) = stored.jacket_number.as_ref().filter(|own| !own.is_empty()) {
        jackets.sort_by_key(|(jacket, _)| jacket != own);
        if jackets.first().is_none_or(|(jacket, _)| jacket != own) {
            jackets.insert(0, (own.clone(), None));
        }
    }
    jackets
        .into_iter()
        .map(|(jacket, url)| {
            let short = jacket.trim_start_matches('0');
            let number = short
                .parse::<i64>()
                .map_or_else(|_| jacket.as_str().into(), Value::from);
            let url = url.cloned().unwrap_or_else(|| {
                format!("{PUBLIC}/hearing/{congress}/{path}/{short}?format=json")
            });
            json!({"jacketNumber": number, "url": url})
        })
        .collect()
}

fn bills(stored: &StoredMeeting) -> Vec<Value> {
    stored
        .bills
        .iter()
        .map(|bill| {
            json!({
                "congress": bill.congress,
                "number": bill.number.to_string(),
                "type": bill.bill_type,
                "url": format!(
                    "{PUBLIC}/bill/{}/{}/{}?format=json",
                    bill.congress,
                    bill.bill_type.to_ascii_lowercase(),
                    bill.number
                ),
            })
        })
        .collect()
}

/// The stored one, and the public page beside it, as upstream has them.
fn videos(stored: &StoredMeeting) -> Vec<Value> {
    let Some(own) = stored.video_url.as_ref().filter(|url| !url.is_empty()) else {
        return Vec::new();
    };
    let mut videos = vec![json!({"name": "Committee video", "url": own})];
    if let Some(page) = stored.congress_gov_url.as_ref().filter(|page| *page != own) {
        videos.push(json!({"name": "Congress.gov video", "url": page}));
    }
    videos
}
