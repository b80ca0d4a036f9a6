//! The tolerant parser of the API's JSON.

use serde_json::Value;

use super::dates::parse_date_and_time;
use super::location::read_location;
use super::reader::{Object, Path, Reader, kind, shortened};
use super::related::{
    read_bills, read_committees, read_meeting_documents, read_transcripts, read_videos,
    read_witness_documents, read_witnesses,
};
use super::video::{best, classify};
use super::{
    Chamber, DateTime, ListItem, Meeting, MeetingStatus, MeetingType, Notice, Parsed, Video,
    VideoType, is_visible_line, on_one_line, parse_datetime,
};

/// Of an event id: none is near it, and it goes into an address.
const LONGEST_ID: usize = 200;

/// A list page, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListPage {
    pub items: Vec<ListItem>,
    /// `pagination.count`.
    pub count: Option<usize>,
    /// Whether `pagination.next` names a further page.
    pub has_next: bool,
    /// Rows that are no meetings ("row 3: no eventId"), to be reported.
    pub problems: Vec<String>,
}

/// A meeting, bare or wrapped in `committeeMeeting`. Never fails: what cannot be read is in `issues`.
pub fn parse_meeting(record: &Value) -> Parsed {
    let record = record
        .get("committeeMeeting")
        .filter(|inner| !inner.is_null())
        .unwrap_or(record);
    let mut reader = Reader::default();
    let meeting = match reader.object(record, Path::Root) {
        Some(object) => read_meeting(&mut reader, object),
        None => Meeting::default(),
    };
    Parsed {
        meeting,
        issues: reader.issues,
        notices: reader.notices,
    }
}

fn read_meeting(reader: &mut Reader, object: Object<'_>) -> Meeting {
    let event_id = read_event_id(reader, object).unwrap_or_default();
    let congress = read_congress(reader, object);
    let chamber = read_chamber(reader, object);
    let title = reader.text(object, "title");
    let meeting_type = read_type(reader, object);
    let status = read_status(reader, object);
    let (date, time) = read_date(reader, object).unzip();
    let location = object
        .get("location")
        .and_then(|value| read_location(reader, value, object.path.key("location")));
    let videos: Vec<Video> = read_videos(reader, object)
        .iter()
        .filter_map(|url| classify(url))
        .collect();
    let event_page = videos
        .iter()
        .find(|video| video.video_type == VideoType::EventPage)
        .map(|video| video.url.clone());
    let transcripts = read_transcripts(reader, object);
    Meeting {
        event_id,
        congress,
        chamber,
        title,
        meeting_type,
        status,
        date,
        time: time.flatten(),
        location,
        video: best(videos),
        jacket_number: transcripts
            .first()
            .map(|transcript| transcript.jacket_number.clone()),
        url: reader.text(object, "url"),
        event_page,
        update_date: read_update_date(reader, object),
        committees: read_committees(reader, object),
        witnesses: read_witnesses(reader, object),
        witness_documents: read_witness_documents(reader, object),
        meeting_documents: read_meeting_documents(reader, object),
        transcripts,
        bills: read_bills(reader, object, congress),
    }
}

/// Any visible text on one line is accepted as it is, and any whole number; empty text counts as absent.
/// What would have to be cleaned first is refused: it could turn into the id of another event.
fn read_event_id(reader: &mut Reader, object: Object<'_>) -> Option<String> {
    let value = object.get("eventId")?;
    match value {
        Value::String(text) => {
            let id = text.trim();
            let problem = if id.chars().count() > LONGEST_ID {
                "must not be longer than 200 characters"
            } else if is_visible_line(id) {
                return Some(id.to_owned()).filter(|id| !id.is_empty());
            } else {
                "must not hold line breaks or invisible characters"
            };
            let path = object.path.key("eventId");
            reader.issue(
                path,
                format!(
                    "{path} {problem}, got '{}'",
                    on_one_line(&id.chars().take(80).collect::<String>())
                ),
            );
            None
        }
        Value::Number(number) => match Reader::whole_number(value) {
            Ok(whole) => whole.map(|id| id.to_string()),
            Err(_) if number.is_u64() => Some(number.to_string()),
            Err(told) => {
                let path = object.path.key("eventId");
                reader.issue(
                    path,
                    format!("{path} must be text or a whole number, got {told}"),
                );
                None
            }
        },
        other => {
            reader.wrong_type(object.path.key("eventId"), "text or a whole number", other);
            None
        }
    }
}

/// Also of a bill; there the message says where it stands.
pub(super) fn read_congress(reader: &mut Reader, object: Object<'_>) -> Option<i64> {
    let path = object.path.key("congress");
    let place = match object.path {
        Path::Root => String::new(),
        nested => format!("{nested}: "),
    };
    match Reader::whole_number(object.get("congress")?) {
        Ok(Some(congress)) if !(1..=200).contains(&congress) => {
            let message = format!("{place}Congress must be between 1 and 200, got {congress}");
            reader.issue(path, message);
            None
        }
        Ok(congress) => congress,
        Err(told) => {
            reader.issue(
                path,
                format!("{place}Congress must be a number, got {told}"),
            );
            None
        }
    }
}

fn read_chamber(reader: &mut Reader, object: Object<'_>) -> Option<Chamber> {
    let text = reader.raw_text(object, "chamber")?;
    let chamber = Chamber::parse(text);
    if chamber.is_none() {
        let message = format!(
            "Invalid chamber '{}': must be house, senate, joint or nochamber",
            shortened(text)
        );
        reader.issue(object.path.key("chamber"), message);
    }
    chamber
}

fn read_type(reader: &mut Reader, object: Object<'_>) -> Option<MeetingType> {
    let value = reader.text(object, "type")?;
    let told = value.to_lowercase().replace(['-', '_'], " ");
    let stored = match told.as_str() {
        "hearing"
        | "hearings"
        | "field hearing"
        | "joint hearing"
        | "open hearing"
        | "closed hearing"
        | "public hearing"
        | "oversight hearing"
        | "legislative hearing"
        | "subcommittee hearing"
        | "committee hearing"
        | "full committee hearing"
        | "nomination hearing"
        | "confirmation hearing"
        | "budget hearing" => return Some(MeetingType::Hearing),
        "meeting"
        | "meetings"
        | "business meeting"
        | "executive business meeting"
        | "committee meeting"
        | "full committee meeting"
        | "subcommittee meeting"
        | "executive session"
        | "organizational meeting"
        | "closed meeting"
        | "open meeting"
        | "briefing"
        | "closed briefing"
        | "roundtable"
        | "conference" => {
            return Some(MeetingType::Meeting);
        }
        "markup"
        | "markups"
        | "mark up"
        | "committee markup"
        | "full committee markup"
        | "subcommittee markup"
        | "markup session" => return Some(MeetingType::Markup),
        other => match (
            other.find("hearing"),
            other.find("markup").or(other.find("mark up")),
        ) {
            (Some(hearing), Some(markup)) if markup < hearing => MeetingType::Markup,
            (Some(_), _) => MeetingType::Hearing,
            (None, Some(_)) => MeetingType::Markup,
            (None, None) => MeetingType::Meeting,
        },
    };
    reader.notices.push(Notice::UnknownType { value, stored });
    Some(stored)
}

/// `meetingStatus`, or the `status` of older answers.
fn read_status(reader: &mut Reader, object: Object<'_>) -> Option<MeetingStatus> {
    let newer = reader.text(object, "meetingStatus");
    let older = reader.text(object, "status");
    let value = newer.or(older)?;
    Some(
        match value.to_lowercase().replace(['-', '_'], " ").as_str() {
            // A meeting stays scheduled after it has taken place.
            "scheduled" | "confirmed" | "held" | "completed" | "concluded" => {
                MeetingStatus::Scheduled
            }
            "canceled" | "cancelled" | "cancel" | "cancellation" => MeetingStatus::Canceled,
            "postponed" | "postpone" | "delayed" | "deferred" => MeetingStatus::Postponed,
            "rescheduled" | "re scheduled" | "reschedule" => MeetingStatus::Rescheduled,
            _ => {
                reader.notices.push(Notice::UnknownStatus { value });
                MeetingStatus::Scheduled
            }
        },
    )
}

fn read_date(reader: &mut Reader, object: Object<'_>) -> Option<(String, Option<String>)> {
    let text = date_text(reader, object, "date", "Invalid date format")?;
    let read = parse_date_and_time(text);
    if read.is_none() {
        let message = format!("Invalid date format: '{}'", shortened(text));
        reader.issue(object.path.key("date"), message);
    }
    read
}

fn read_update_date(reader: &mut Reader, object: Object<'_>) -> Option<DateTime> {
    let text = date_text(reader, object, "updateDate", "Invalid updateDate format")?;
    let read = parse_datetime(text);
    if read.is_none() {
        let message = format!("Invalid updateDate format: '{}'", shortened(text));
        reader.issue(object.path.key("updateDate"), message);
    }
    read
}

fn date_text<'a>(
    reader: &mut Reader,
    object: Object<'a>,
    key: &str,
    complaint: &str,
) -> Option<&'a str> {
    match object.get(key)? {
        Value::String(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
        other => {
            let message = format!("{complaint}: {key} must be text, got {}", kind(other));
            reader.issue(object.path.key(key), message);
            None
        }
    }
}

/// A row of a list page; `Err` says what is wrong with it. Only the event id is vital here: what else
/// cannot be read is left to the meeting's details.
pub fn parse_list_item(row: &Value) -> Result<ListItem, String> {
    let Value::Object(map) = row else {
        return Err(format!("must be an object, got {}", kind(row)));
    };
    let object = Object {
        map,
        path: Path::Root,
    };
    let reader = &mut Reader::default();
    let Some(event_id) = read_event_id(reader, object) else {
        let issue = reader.issues.pop().map(|issue| issue.message);
        return Err(issue.unwrap_or_else(|| "no eventId".to_owned()));
    };
    Ok(ListItem {
        event_id,
        congress: read_congress(reader, object),
        chamber: read_chamber(reader, object),
        update_date: read_update_date(reader, object),
        url: reader.text(object, "url"),
    })
}

/// A page of the list endpoint; `Err` where it is no list page at all.
pub fn parse_list_page(page: &Value) -> Result<ListPage, String> {
    let Value::Object(map) = page else {
        return Err(format!(
            "the answer is no list page: an object was expected, got {}",
            kind(page)
        ));
    };
    let Some(rows) = map.get("committeeMeetings") else {
        return Err("the answer is no list page: it has no committeeMeetings".to_owned());
    };
    let reader = &mut Reader::default();
    let rows = reader.elements(Some(rows), Path::Root.key("committeeMeetings"));
    if let Some(issue) = reader.issues.pop() {
        return Err(format!("the answer is no list page: {}", issue.message));
    }
    let mut list = ListPage::default();
    for (at, row) in rows {
        match parse_list_item(row) {
            Ok(item) => list.items.push(item),
            Err(problem) => list.problems.push(format!("row {at}: {problem}")),
        }
    }
    if let Some(pagination) = map.get("pagination") {
        list.count = pagination
            .get("count")
            .and_then(|count| Reader::whole_number(count).ok().flatten())
            .and_then(|count| usize::try_from(count).ok());
        list.has_next = pagination
            .get("next")
            .and_then(Value::as_str)
            .is_some_and(|next| !next.is_empty());
    }
    Ok(list)
}

#[cfg(test)]
mod tests;
