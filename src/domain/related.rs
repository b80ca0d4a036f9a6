//! The containers of a meeting: committees, witnesses, documents, transcripts, bills, videos.
//! What stands twice in one record is folded: the first wins.

use serde_json::Value;

use super::committee::read_committee_ref;
use super::document::slot_of;
use super::parse::read_congress;
use super::person::without_courtesy;
use super::reader::{Object, Path, Reader, kind, shortened};
use super::{
    BillRef, CommitteeRef, MeetingDocument, Transcript, Witness, WitnessDocument, name_key,
    one_line, organization_key, split_name,
};

/// Keeps the first of those that are the same. The lists are short, so a scan it is.
fn first_of_each<T>(items: Vec<T>, same: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let mut kept: Vec<T> = Vec::with_capacity(items.len());
    for item in items {
        if !kept.iter().any(|other| same(other, &item)) {
            kept.push(item);
        }
    }
    kept
}

pub(super) fn read_committees(reader: &mut Reader, meeting: Object<'_>) -> Vec<CommitteeRef> {
    let committees = reader.each(meeting, "committees", |reader, object| {
        let committee = read_committee_ref(reader, object);
        // A code of the wrong type has been reported already.
        let code = object.get("systemCode");
        if committee.is_none() && code.is_none_or(Value::is_string) {
            let message = format!("{} has no systemCode", object.path);
            reader.issue(object.path.key("systemCode"), message);
        }
        committee
    });
    first_of_each(committees, |a, b| a.system_code == b.system_code)
}

pub(super) fn read_witnesses(reader: &mut Reader, meeting: Object<'_>) -> Vec<Witness> {
    let witnesses = reader.each(meeting, "witnesses", |reader, object| {
        let name = reader.text(object, "name");
        let position = reader.text(object, "position");
        let organization = reader.text(object, "organization");
        // The table needs a name: a witness without one cannot be stored.
        let full_name = without_courtesy(&name?).to_owned();
        let (first_name, last_name) = split_name(&full_name);
        Some(Witness {
            full_name,
            first_name,
            last_name,
            position,
            organization,
        })
    });
    if witnesses.len() < 2 {
        return witnesses;
    }
    // The names are compared only within one organization.
    let keyed = witnesses
        .into_iter()
        .map(|witness| (organization_key(witness.organization.as_deref()), witness))
        .collect();
    let same_name = |a: &Witness, b: &Witness| name_key(&a.full_name) == name_key(&b.full_name);
    first_of_each(keyed, |a, b| a.0 == b.0 && same_name(&a.1, &b.1))
        .into_iter()
        .map(|(_, witness)| witness)
        .collect()
}

pub(super) fn read_witness_documents(
    reader: &mut Reader,
    meeting: Object<'_>,
) -> Vec<WitnessDocument> {
    let documents = reader.each(meeting, "witnessDocuments", |reader, object| {
        let document_type = witness_document_type(reader.text(object, "documentType").as_deref());
        let format = reader.text(object, "format");
        let url = reader.text(object, "url")?;
        let slot = slot_of(&url);
        Some(WitnessDocument {
            document_type,
            format,
            url,
            slot,
        })
    });
    first_of_each(documents, |a, b| a.url == b.url)
}

/// As `witness_documents.document_type` knows it.
fn witness_document_type(told: Option<&str>) -> &'static str {
    let told = told.unwrap_or_default().to_lowercase();
    let told = told.strip_prefix("witness ").unwrap_or(&told);
    match told {
        "statement" | "written statement" | "testimony" => "Statement",
        "biography" | "bio" => "Biography",
        "truth in testimony"
        | "truth statement"
        | "truth in testimony statement"
        | "truth in testimony form"
        | "truth-in-testimony" => "Truth Statement",
        "questions for record" | "questions for the record" | "qfr" => "Questions for Record",
        _ => "Supplemental",
    }
}

pub(super) fn read_meeting_documents(
    reader: &mut Reader,
    meeting: Object<'_>,
) -> Vec<MeetingDocument> {
    let documents = reader.each(meeting, "meetingDocuments", |reader, object| {
        let name = reader.text(object, "name");
        let description = reader.text(object, "description");
        let told = reader.text(object, "documentType");
        let format = reader.text(object, "format");
        let url = reader.text(object, "url");
        if name.is_none() && description.is_none() && url.is_none() {
            return None;
        }
        let document_type = told.unwrap_or_else(|| "Other".to_owned());
        Some(MeetingDocument {
            name,
            description,
            document_type,
            format,
            url,
        })
    });
    first_of_each(documents, |a, b| match (&a.url, &b.url) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.document_type == b.document_type && a.name == b.name,
        _ => false,
    })
}

pub(super) fn read_transcripts(reader: &mut Reader, meeting: Object<'_>) -> Vec<Transcript> {
    let transcripts = reader.each(meeting, "hearingTranscript", |reader, object| {
        let jacket_number = read_jacket(reader, object);
        let url = reader.text(object, "url");
        Some(Transcript {
            jacket_number: jacket_number?,
            url,
        })
    });
    first_of_each(transcripts, |a, b| a.jacket_number == b.jacket_number)
}

/// Five digits, zero-filled.
fn read_jacket(reader: &mut Reader, object: Object<'_>) -> Option<String> {
    let value = object.get("jacketNumber")?;
    let told = match value {
        Value::String(text) => one_line(text)?,
        Value::Number(number) => number.to_string(),
        other => kind(other).to_owned(),
    };
    if told.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("{:0>5}", told.trim_start_matches('0')));
    }
    let quoted = if value.is_string() {
        format!("'{}'", shortened(&told))
    } else {
        told
    };
    let path = object.path.key("jacketNumber");
    reader.issue(path, format!("{path} must be digits, got {quoted}"));
    None
}

/// `relatedItems.bills`; a bill of a type the table does not know is none of ours.
pub(super) fn read_bills(
    reader: &mut Reader,
    meeting: Object<'_>,
    meeting_congress: Option<i64>,
) -> Vec<BillRef> {
    let path = meeting.path.key("relatedItems");
    let related = match meeting.get("relatedItems") {
        None => return Vec::new(),
        // An empty list stands for an empty object in some answers.
        Some(Value::Array(list)) if list.is_empty() => return Vec::new(),
        Some(Value::String(text)) if text.trim().is_empty() => return Vec::new(),
        Some(value) => {
            let inner = value
                .get("item")
                .filter(|item| item.is_object())
                .unwrap_or(value);
            let Some(related) = reader.object(inner, path) else {
                return Vec::new();
            };
            related
        }
    };
    let bills = reader.each(related, "bills", |reader, object| {
        let bill_type = reader.text(object, "type");
        let number = read_bill_number(reader, object);
        let congress = read_congress(reader, object).or(meeting_congress);
        let url = reader.text(object, "url");
        Some(BillRef {
            congress: congress?,
            bill_type: known_bill_type(&bill_type?)?,
            number: number?,
            url,
        })
    });
    first_of_each(bills, |a, b| {
        (a.congress, a.bill_type, a.number) == (b.congress, b.bill_type, b.number)
    })
}

fn known_bill_type(told: &str) -> Option<&'static str> {
    const TYPES: [&str; 8] = [
        "HR", "S", "HJRES", "SJRES", "HCONRES", "SCONRES", "HRES", "SRES",
    ];
    let letters: String = told.chars().filter(char::is_ascii_alphabetic).collect();
    TYPES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(&letters))
}

fn read_bill_number(reader: &mut Reader, object: Object<'_>) -> Option<i64> {
    let path: Path<'_> = object.path.key("number");
    match Reader::whole_number(object.get("number")?) {
        Ok(Some(number)) if number < 1 => {
            reader.issue(path, format!("{path} must be above 0, got {number}"));
            None
        }
        Ok(number) => number,
        Err(told) => {
            reader.issue(path, format!("{path} must be a number, got {told}"));
            None
        }
    }
}

/// The addresses of the videos.
pub(super) fn read_videos(reader: &mut Reader, meeting: Object<'_>) -> Vec<String> {
    let path = meeting.path.key("videos");
    let mut urls = Vec::new();
    for (at, value) in reader.elements(meeting.get("videos"), path) {
        match value {
            Value::String(url) => urls.extend(one_line(url)),
            other => {
                if let Some(video) = reader.object(other, path.index(at)) {
                    reader.text(video, "name");
                    urls.extend(reader.text(video, "url"));
                }
            }
        }
    }
    urls
}
