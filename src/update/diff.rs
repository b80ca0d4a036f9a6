//! What of a stored meeting the API tells otherwise. What it leaves out is never a change.

use crate::domain::{
    BillRef, Components, DateTime, Meeting, MeetingDocument, MeetingStatus, MeetingType, Video,
    moves_on, name_key, one_line, organization_key,
};
use crate::store::{StoredBill, StoredDocument, StoredMeeting};

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
    upstream.is_none_or(|upstream| moves_on(stored, upstream))
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
        found.committees(stored, meeting);
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

    /// Two lists are the same where each element upstream is stored as it is, and nothing is stored that
    /// upstream does not list, in any order. A second row of what is listed is history, and stays. An empty
    /// list upstream says nothing.
    fn list<B, A>(
        &mut self,
        field: &'static str,
        before: (&[B], impl Fn(&B) -> String),
        after: (&[A], impl Fn(&A) -> String),
        listed: impl Fn(&B, &A) -> bool,
        alike: impl Fn(&B, &A) -> bool,
    ) {
        let (stored, show_stored) = before;
        let (upstream, show_upstream) = after;
        let kept = stored.iter().all(|b| upstream.iter().any(|a| listed(b, a)));
        let known = upstream
            .iter()
            .all(|a| stored.iter().any(|b| listed(b, a) && alike(b, a)));
        if upstream.is_empty() || (kept && known) {
            return;
        }
        let before: Vec<String> = stored.iter().map(show_stored).collect();
        let after: Vec<String> = upstream.iter().map(show_upstream).collect();
        self.push(field, before.join("; "), after.join("; "));
    }

    fn committees(&mut self, stored: &StoredMeeting, meeting: &Meeting) {
        self.list(
            "committees",
            (&stored.committees, |link| link.system_code.to_lowercase()),
            (&meeting.committees, |committee| {
                committee.system_code.clone()
            }),
            |link, committee| {
                link.system_code
                    .eq_ignore_ascii_case(&committee.system_code)
            },
            |_, _| true,
        );
    }

    fn witnesses(&mut self, stored: &StoredMeeting, meeting: &Meeting) {
        let keys = |name: &str, organization: Option<&str>| {
            (name_key(name), organization_key(organization))
        };
        let before: Vec<_> = stored
            .witnesses
            .iter()
            .map(|witness| {
                (
                    keys(&witness.full_name, witness.organization.as_deref()),
                    witness,
                )
            })
            .collect();
        let after: Vec<_> = meeting
            .witnesses
            .iter()
            .map(|witness| {
                (
                    keys(&witness.full_name, witness.organization.as_deref()),
                    witness,
                )
            })
            .collect();
        self.list(
            "witnesses",
            (&before, |(_, w)| {
                shown_witness(
                    &w.full_name,
                    w.position.as_deref(),
                    w.organization.as_deref(),
                )
            }),
            (&after, |(_, w)| {
                shown_witness(
                    &w.full_name,
                    w.position.as_deref(),
                    w.organization.as_deref(),
                )
            }),
            // Without an organization upstream, the name alone tells among those who appear here.
            |((name, organization), _), ((upstream_name, upstream_organization), _)| {
                name == upstream_name
                    && (upstream_organization.is_empty() || organization == upstream_organization)
            },
            |(_, stored), (_, witness)| {
                said_nothing_else(stored.position.as_deref(), witness.position.as_deref())
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
            (&before, show),
            (&after, show),
            |(_, stored), (_, url)| stored == url,
            |(stored, _), (kind, _)| stored == kind,
        );
    }

    fn documents(&mut self, stored: &StoredMeeting, meeting: &Meeting) {
        self.list(
            "meeting_documents",
            (&stored.supporting_documents, |document| {
                shown_document(
                    &document.document_type,
                    document.title.as_deref(),
                    document.url.as_deref(),
                )
            }),
            (&meeting.meeting_documents, |document| {
                shown_document(
                    &document.document_type,
                    document.name.as_deref(),
                    document.url.as_deref(),
                )
            }),
            listed_document,
            alike_document,
        );
        self.list(
            "transcripts",
            (&stored.transcripts, |transcript| {
                transcript.jacket_number.clone().unwrap_or_default()
            }),
            (&meeting.transcripts, |transcript| {
                transcript.jacket_number.clone()
            }),
            |stored, transcript| {
                stored.jacket_number.as_deref() == Some(transcript.jacket_number.as_str())
            },
            |stored, transcript| {
                said_nothing_else(stored.url.as_deref(), transcript.url.as_deref())
            },
        );
    }

    /// Links that other tools inferred stand among the stored ones: only what is missing is a change.
    fn bills(&mut self, stored: &StoredMeeting, meeting: &Meeting) {
        let is_stored = |bill: &BillRef| stored.bills.iter().any(|stored| same_bill(stored, bill));
        if meeting.bills.iter().all(is_stored) {
            return;
        }
        let shown =
            |kind: &str, number: i64, congress: i64| format!("{kind} {number} ({congress})");
        let before = stored
            .bills
            .iter()
            .map(|b| shown(&b.bill_type, b.number, b.congress));
        let after = meeting
            .bills
            .iter()
            .map(|b| shown(b.bill_type, b.number, b.congress));
        let (before, after): (Vec<_>, Vec<_>) = (before.collect(), after.collect());
        self.push("bills", before.join("; "), after.join("; "));
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

fn listed_document(stored: &StoredDocument, document: &MeetingDocument) -> bool {
    match (&stored.url, &document.url) {
        (Some(stored), Some(url)) => stored == url,
        (None, None) => stored.title == document.name,
        _ => false,
    }
}

fn alike_document(stored: &StoredDocument, document: &MeetingDocument) -> bool {
    one_line(&stored.document_type).as_deref() == Some(document.document_type.as_str())
        && said_nothing_else(stored.title.as_deref(), document.name.as_deref())
        && said_nothing_else(
            stored.description.as_deref(),
            document.description.as_deref(),
        )
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
