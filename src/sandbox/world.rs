//! What there is to serve: meetings, ready to send, in the list's order, and committees.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::SandboxError;
use super::from_recording::{Recording, Replayed};
use super::generate::{self, Generator};
use super::reply::gzip;
use crate::domain::parse_datetime;

/// The API's own address: what answers name, whatever port the sandbox has, so that the same content
/// is the same on every run.
pub const PUBLIC: &str = "https://api.congress.gov/v3";

/// A committee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee {
    pub code: String,
    pub name: String,
    /// "House", "Senate" or "Joint".
    pub chamber: &'static str,
    /// "Standing", "Select", "Subcommittee", ...
    pub kind: String,
    pub parent: Option<String>,
    pub current: bool,
}

impl Committee {
    pub fn path_chamber(&self) -> String {
        self.chamber.to_ascii_lowercase()
    }

    pub fn url(&self) -> String {
        format!(
            "{PUBLIC}/committee/{}/{}?format=json",
            self.path_chamber(),
            self.code
        )
    }
}

/// A meeting, ready to send.
pub struct Entry {
    pub event_id: String,
    /// As a path segment.
    pub chamber: String,
    pub congress: i64,
    /// Seconds since 1970; `None` where `updateDate` cannot be read.
    pub updated: Option<i64>,
    /// The row of the list; empty where the list does not show it.
    pub row: String,
    /// The whole answer of the detail.
    pub body: Bytes,
    zipped: OnceLock<Bytes>,
    pub jackets: Vec<String>,
    /// The detail answered with this status and message when it was recorded; `body` is empty then.
    pub failed: Option<(u16, String)>,
}

impl Entry {
    /// As it was recorded: the list's row, and the detail's answer.
    pub fn recorded(
        place: Place,
        row: Option<&Value>,
        answer: Result<&Value, (u16, String)>,
    ) -> Self {
        let (body, failed) = match &answer {
            Ok(answer) => (answer.to_string(), None),
            Err(failed) => (String::new(), Some(failed.clone())),
        };
        let transcripts = answer
            .as_ref()
            .ok()
            .and_then(|answer| answer.get("committeeMeeting")?.get("hearingTranscript"));
        Self {
            event_id: place.event_id,
            chamber: place.chamber,
            congress: place.congress,
            updated: row
                .and_then(|row| row.get("updateDate")?.as_str())
                .and_then(seconds),
            row: row.map(Value::to_string).unwrap_or_default(),
            body: body.into(),
            zipped: OnceLock::new(),
            jackets: jackets(transcripts),
            failed,
        }
    }

    /// Compressed once, at the first request for it.
    pub fn zipped(&self) -> Bytes {
        self.zipped.get_or_init(|| gzip(&self.body)).clone()
    }

    pub fn meeting(&self) -> Value {
        serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|mut body| body.get_mut("committeeMeeting").map(Value::take))
            .unwrap_or(Value::Null)
    }
}

/// Where a meeting is filed.
pub struct Place {
    pub congress: i64,
    pub chamber: String,
    pub event_id: String,
}

fn jackets(transcripts: Option<&Value>) -> Vec<String> {
    list(transcripts)
        .iter()
        .filter_map(|transcript| match transcript.get("jacketNumber")? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect()
}

pub struct World {
    pub congress: i64,
    pub committees: Vec<Committee>,
    pub generator: Generator,
    /// The number of the next generated meeting.
    pub next: u64,
    now: Option<Timestamp>,
    replayed: Option<Replayed>,
    entries: HashMap<String, Arc<Entry>>,
    /// Newest `updateDate` first.
    order: Vec<Arc<Entry>>,
}

impl World {
    /// Without meetings. `own` committees come before generated ones.
    pub fn new(seed: u64, congress: i64, own: Vec<Committee>, now: Option<Timestamp>) -> Self {
        let mut committees = generate::committees();
        let generator = if own.is_empty() {
            Generator::new(seed, congress, &committees)
        } else {
            Generator::new(seed, congress, &own)
        };
        committees.retain(|committee| !own.iter().any(|other| other.code == committee.code));
        committees.splice(0..0, own);
        Self {
            congress,
            committees,
            generator,
            next: 0,
            now,
            replayed: None,
            entries: HashMap::new(),
            order: Vec::new(),
        }
    }

    /// Seconds since 1970, by the time the sandbox believes in.
    pub fn now(&self) -> i64 {
        self.now.unwrap_or_else(Timestamp::now).as_second()
    }

    /// Puts in what was recorded, verbatim.
    pub fn replay(&mut self, recording: Recording) {
        for entry in recording.entries {
            self.entries.insert(entry.event_id.clone(), Arc::new(entry));
        }
        self.sort();
        self.replayed = Some(recording.replayed);
    }

    pub fn replayed(&self) -> Option<&Replayed> {
        self.replayed.as_ref()
    }

    /// The moment that a filter means.
    pub fn meant(&self, asked: i64) -> i64 {
        self.replayed
            .as_ref()
            .map_or(asked, |replayed| replayed.meant(asked, self.now()))
    }

    /// Newest first.
    pub fn meetings(&self) -> &[Arc<Entry>] {
        &self.order
    }

    pub fn entry(&self, event_id: &str) -> Option<&Arc<Entry>> {
        self.entries.get(event_id)
    }

    pub fn committee(&self, code: &str) -> Option<&Committee> {
        self.committees
            .iter()
            .find(|committee| committee.code.eq_ignore_ascii_case(code))
    }

    /// Sorted, so that a seed picks the same ones on every run.
    pub fn event_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.entries.keys().cloned().collect();
        ids.sort_unstable();
        ids
    }

    /// Puts meetings in, replacing those with the same event id.
    pub fn put(&mut self, meetings: Vec<Value>) -> Result<Vec<String>, SandboxError> {
        let entries: Vec<Entry> = meetings
            .into_iter()
            .map(|meeting| self.prepare(meeting))
            .collect::<Result<_, _>>()?;
        let ids = entries.iter().map(|entry| entry.event_id.clone()).collect();
        for entry in entries {
            self.entries.insert(entry.event_id.clone(), Arc::new(entry));
        }
        self.sort();
        Ok(ids)
    }

    pub fn remove(&mut self, event_id: &str) -> bool {
        let there = self.entries.remove(event_id).is_some();
        if there {
            self.sort();
        }
        there
    }

    /// Event ids break ties, so that pages are the same on every run.
    fn sort(&mut self) {
        self.order = self.entries.values().cloned().collect();
        self.order.sort_unstable_by(|a, b| {
            b.updated
                .cmp(&a.updated)
                .then_with(|| a.event_id.cmp(&b.event_id))
        });
    }

    /// A meeting, bare or as the API wraps it, verbatim.
    fn prepare(&self, mut record: Value) -> Result<Entry, SandboxError> {
        let bad = |what: &str, problem: &str| SandboxError::BadMeeting {
            what: what.to_owned(),
            problem: problem.to_owned(),
        };
        if let Some(inner) = record.get_mut("committeeMeeting") {
            record = inner.take();
        }
        let Value::Object(meeting) = record else {
            return Err(bad("what was given", "it is not a JSON object"));
        };
        let event_id = match meeting.get("eventId") {
            Some(Value::String(text)) if !text.trim().is_empty() => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(bad("what was given", "it has no eventId")),
        };
        if event_id.contains(['/', '?', '#', '%']) {
            return Err(bad(
                &format!("event {event_id}"),
                "its eventId cannot stand in a path",
            ));
        }
        let chamber = meeting
            .get("chamber")
            .and_then(Value::as_str)
            .map_or_else(|| "nochamber".to_owned(), str::to_ascii_lowercase);
        let congress = meeting
            .get("congress")
            .and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()))
            .unwrap_or(self.congress);
        let updated = meeting
            .get("updateDate")
            .and_then(Value::as_str)
            .and_then(seconds);
        let jackets = jackets(meeting.get("hearingTranscript"));
        let mut row = Map::new();
        for field in ["chamber", "congress", "eventId", "updateDate"] {
            if let Some(value) = meeting.get(field) {
                row.insert(field.to_owned(), value.clone());
            }
        }
        row.insert(
            "url".to_owned(),
            meeting_url(congress, &chamber, &event_id).into(),
        );
        let body = json!({
            "committeeMeeting": meeting,
            "request": {
                "chamber": chamber,
                "congress": congress.to_string(),
                "contentType": "application/json",
                "eventId": event_id,
                "format": "json",
            },
        });
        Ok(Entry {
            row: Value::Object(row).to_string(),
            body: body.to_string().into(),
            zipped: OnceLock::new(),
            event_id,
            chamber,
            congress,
            updated,
            jackets,
            failed: None,
        })
    }
}

pub fn meeting_url(congress: i64, chamber: &str, event_id: &str) -> String {
    format!("{PUBLIC}/committee-meeting/{congress}/{chamber}/{event_id}?format=json")
}

/// A moment in any of the formats in use, in seconds since 1970.
pub fn seconds(text: &str) -> Option<i64> {
    let moment = parse_datetime(text)?.civil();
    Some(TimeZone::UTC.to_timestamp(moment).ok()?.as_second())
}

/// The API's two formats of a moment.
pub fn written(seconds: i64, older: bool) -> String {
    let moment = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    let format = if older {
        "%Y-%m-%d %H:%M:%S+00:00"
    } else {
        "%Y-%m-%dT%H:%M:%SZ"
    };
    moment.strftime(format).to_string()
}

/// What a container holds, in any of the shapes that the API gives it.
pub fn list(container: Option<&Value>) -> Vec<Value> {
    match container {
        Some(Value::Array(items)) => items.clone(),
        Some(Value::Object(map)) => match map.get("item") {
            Some(Value::Array(items)) => items.clone(),
            Some(item @ Value::Object(_)) => vec![item.clone()],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
