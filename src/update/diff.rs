//! What of a stored meeting the API tells otherwise. What it leaves out is never a change.

use crate::domain::{
    BillRef, Components, DateTime, Meeting, MeetingDocument, MeetingStatus, MeetingType,
    Transcript, Video, Witness, name_key, one_line, organization_key, parse_datetime,
};
use crate::store::{StoredBill, StoredDocument, StoredMeeting, StoredTranscript, StoredWitness};

/// One field that differs, as readable text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDiff {
    pub field: &'static str,
    pub before: String,
    pub after: String,
}

/// Whether the upstream update date is newer than the one stored: an unreadable or absent stored one is
/// older than any, and what upstream does not date has to be looked at.
pub fn newer(stored: Option<&str>, upstream: Option<DateTime>) -> bool {
    match (stored.and_then(parse_datetime), upstream) {
        (Some(stored), Some(upstream)) => upstream > stored,
        _ => true,
    }
}

/// The fields that a write of this meeting would change; components that are off are not compared.
pub fn diff(stored: &StoredMeeting, meeting: &Meeting, components: Components) -> Vec<FieldDiff> {
    let mut found = Found::default();
    found.text("title", stored.title.as_deref(), meeting.title.as_deref());
    found.compare(
        "date",
        stored.date.as_deref(),
        meeting.date.as_deref(),
        same_date,
    );
    found.compare(
        "time",
        stored.time.as_deref(),
        meeting.time.as_deref(),
        same_time,
    );
    found.text(
        "status",
        stored.status.as_deref(),
        meeting.status.map(MeetingStatus::as_str),
    );
    found.text(
        "location",
        stored.location.as_deref(),
        meeting.location.as_deref(),
    );
    found.text(
        "type",
        stored.hearing_type.as_deref(),
        meeting.meeting_type.map(MeetingType::as_str),
    );
    if let Some(video) = &meeting.video {
        found.video(stored, video);
    }
    found.text(
        "jacket_number",
        stored.jacket_number.as_deref(),
        meeting.jacket_number.as_deref(),
    );
    if components.committees {
        let before: Vec<_> = stored
            .committees
            .iter()
            .map(|link| link.system_code.to_lowercase())
            .collect();
        let after: Vec<_> = meeting
            .committees
            .iter()
            .map(|c| c.system_code.clone())
            .collect();
        found.list(
            "committees",
            &before,
            &after,
            |a, b| a == b,
            Clone::clone,
            Clone::clone,
        );
    }
    if components.witnesses {
        found.witnesses(stored, meeting);
        found.witness_documents(stored, meeting);
    }
    if components.documents {
        found.documents(stored, meeting);
    }
    if components.bills {
        found.bills(stored, meeting);
    }
    found.0
}

#[derive(Default)]
struct Found(Vec<FieldDiff>);

impl Found {
    fn push(&mut self, field: &'static str, before: String, after: String) {
        self.0.push(FieldDiff {
            field,
            before,
            after,
        });
    }

    /// Irregular white space in what is stored is old history, not a change.
    fn text(&mut self, field: &'static str, before: Option<&str>, after: Option<&str>) {
        self.compare(field, before, after, |before, after| {
            before == after || one_line(before).as_deref() == Some(after)
        });
    }

    fn compare(
        &mut self,
        field: &'static str,
        before: Option<&str>,
        after: Option<&str>,
        same: impl Fn(&str, &str) -> bool,
    ) {
        let Some(after) = after.filter(|after| !after.is_empty()) else {
            return;
        };
        let before = before.unwrap_or_default();
        if !same(before, after) {
            self.push(field, before.to_owned(), after.to_owned());
        }
    }

    fn video(&mut self, stored: &StoredMeeting, video: &Video) {
        let same_url = stored.video_url.as_deref().map(str::trim) == Some(video.url.as_str());
        let same_type = stored.video_type.as_deref() == Some(video.video_type.as_str());
        let same_id = video.youtube_id.is_none() || stored.youtube_video_id == video.youtube_id;
        if !(same_url && same_type && same_id) {
            let before = shown_video(
                stored.video_url.as_deref(),
                stored.video_type.as_deref(),
                stored.youtube_video_id.as_deref(),
            );
            let kind = Some(video.video_type.as_str());
            self.push(
                "video",
                before,
                shown_video(Some(&video.url), kind, video.youtube_id.as_deref()),
            );
        }
    }

    /// Two lists are the same where each element of the one has its like in the other, in any order. An
    /// empty list upstream says nothing.
    fn list<B, A>(
        &mut self,
        field: &'static str,
        before: &[B],
        after: &[A],
        same: impl Fn(&B, &A) -> bool,
        show_before: impl Fn(&B) -> String,
        show_after: impl Fn(&A) -> String,
    ) {
        let kept = before.iter().all(|b| after.iter().any(|a| same(b, a)));
        let known = after.iter().all(|a| before.iter().any(|b| same(b, a)));
        if after.is_empty() || (kept && known) {
            return;
        }
        let before: Vec<String> = before.iter().map(show_before).collect();
        let after: Vec<String> = after.iter().map(show_after).collect();
        self.push(field, before.join("; "), after.join("; "));
    }

    fn documents(&mut self, stored: &StoredMeeting, meeting: &Meeting) {
        self.list(
            "meeting_documents",
            &stored.supporting_documents,
            &meeting.meeting_documents,
            same_document,
            |document| {
                shown_document(
                    &document.document_type,
                    document.title.as_deref(),
                    document.url.as_deref(),
                )
            },
            |document| {
                shown_document(
                    &document.document_type,
                    document.name.as_deref(),
                    document.url.as_deref(),
                )
            },
        );
        self.list(
            "transcripts",
            &stored.transcripts,
            &meeting.transcripts,
            same_transcript,
            |transcript| transcript.jacket_number.clone().unwrap_or_default(),
            |transcript| transcript.jacket_number.clone(),
        );
    }

    fn bills(&mut self, stored: &StoredMeeting, meeting: &Meeting) {
        self.list(
            "bills",
            &stored.bills,
            &meeting.bills,
            same_bill,
            |bill| format!("{} {} ({})", bill.bill_type, bill.number, bill.congress),
            |bill| format!("{} {} ({})", bill.bill_type, bill.number, bill.congress),
        );
    }

    fn witnesses(&mut self, stored: &StoredMeeting, meeting: &Meeting) {
        let key = |name: &str, organization: Option<&str>| {
            (name_key(name), organization_key(organization))
        };
        let before: Vec<_> = stored
            .witnesses
            .iter()
            .map(|witness| {
                (
                    key(&witness.full_name, witness.organization.as_deref()),
                    witness,
                )
            })
            .collect();
        let after: Vec<_> = meeting
            .witnesses
            .iter()
            .map(|witness| {
                (
                    key(&witness.full_name, witness.organization.as_deref()),
                    witness,
                )
            })
            .collect();
        self.list(
            "witnesses",
            &before,
            &after,
            |(before, stored), (after, witness)| before == after && same_position(stored, witness),
            |(_, witness)| {
                shown_witness(
                    &witness.full_name,
                    witness.position.as_deref(),
                    witness.organization.as_deref(),
                )
            },
            |(_, witness)| {
                shown_witness(
                    &witness.full_name,
                    witness.position.as_deref(),
                    witness.organization.as_deref(),
                )
            },
        );
    }

    /// A document counts as stored whether its witness was found or not. Rows without an address are of
    /// older making, and no document upstream can be their like.
    fn witness_documents(&mut self, stored: &StoredMeeting, meeting: &Meeting) {
        let before: Vec<(&str, &str)> = stored
            .witness_documents
            .iter()
            .chain(&stored.unmatched_documents)
            .filter_map(|document| {
                Some((document.document_type.as_str(), document.url.as_deref()?))
            })
            .collect();
        let after: Vec<(&str, &str)> = meeting
            .witness_documents
            .iter()
            .map(|document| (document.document_type, document.url.as_str()))
            .collect();
        let show = |(kind, url): &(&str, &str)| format!("{kind} {url}");
        self.list(
            "witness_documents",
            &before,
            &after,
            |a, b| a == b,
            show,
            show,
        );
    }
}

/// A stored date may carry a time that belongs to another column.
fn same_date(before: &str, after: &str) -> bool {
    before == after || before.get(..10) == Some(after)
}

/// `14:00` is what `14:00:00` is.
fn same_time(before: &str, after: &str) -> bool {
    before == after || (before.len() == 5 && after.strip_suffix(":00") == Some(before))
}

fn same_position(stored: &StoredWitness, witness: &Witness) -> bool {
    said_nothing_else(stored.position.as_deref(), witness.position.as_deref())
}

fn same_document(stored: &StoredDocument, document: &MeetingDocument) -> bool {
    stored.url.as_deref().unwrap_or_default() == document.url.as_deref().unwrap_or_default()
        && one_line(&stored.document_type).as_deref() == Some(document.document_type.as_str())
        && said_nothing_else(stored.title.as_deref(), document.name.as_deref())
        && said_nothing_else(
            stored.description.as_deref(),
            document.description.as_deref(),
        )
}

fn same_transcript(stored: &StoredTranscript, transcript: &Transcript) -> bool {
    stored.jacket_number.as_deref() == Some(transcript.jacket_number.as_str())
        && said_nothing_else(stored.url.as_deref(), transcript.url.as_deref())
}

fn same_bill(stored: &StoredBill, bill: &BillRef) -> bool {
    (stored.congress, stored.number) == (bill.congress, bill.number)
        && stored.bill_type.eq_ignore_ascii_case(bill.bill_type)
}

/// Upstream says nothing, or what is stored.
fn said_nothing_else(stored: Option<&str>, upstream: Option<&str>) -> bool {
    upstream.is_none() || stored.and_then(one_line).as_deref() == upstream
}

fn shown_video(url: Option<&str>, kind: Option<&str>, id: Option<&str>) -> String {
    let remarks: Vec<&str> = [kind, id].into_iter().flatten().collect();
    match (url, remarks.is_empty()) {
        (None, _) => remarks.join(" "),
        (Some(url), true) => url.to_owned(),
        (Some(url), false) => format!("{url} ({})", remarks.join(" ")),
    }
}

fn shown_document(kind: &str, name: Option<&str>, url: Option<&str>) -> String {
    match name.or(url) {
        Some(name) => format!("{kind}: {name}"),
        None => kind.to_owned(),
    }
}

fn shown_witness(name: &str, position: Option<&str>, organization: Option<&str>) -> String {
    let about: Vec<&str> = [position, organization].into_iter().flatten().collect();
    if about.is_empty() {
        name.to_owned()
    } else {
        format!("{name} ({})", about.join(", "))
    }
}

#[cfg(test)]
mod tests;
