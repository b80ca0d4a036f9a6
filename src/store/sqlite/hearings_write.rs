//! Writing a hearing by the contract's value rules: absent never overwrites, empty never deletes, what
//! did not change is not rewritten.

use rusqlite::ToSql;

use super::db::{Db, Pair, utc_now};
use super::hearings::{Key, read_hearing};
use super::{bills, committees, documents, witness_documents, witnesses};
use crate::domain::{Chamber, Components, Meeting, MeetingStatus, MeetingType, one_line};
use crate::faults::{Point, pass};
use crate::store::{Related, StoreError, StoreResult, StoredMeeting, Written};

pub(super) fn write_meeting(
    db: Db<'_>,
    meeting: &Meeting,
    hearing_id: Option<i64>,
    components: Components,
) -> StoreResult<Written> {
    let mut stored = match hearing_id {
        Some(id) => read_hearing(db, Key::Id(id))?,
        None => None,
    };
    if stored.is_none() {
        if meeting.event_id.is_empty() {
            return Err(StoreError::BadRecord {
                what: "hearing".to_owned(),
                problem: "it has no eventId and cannot be stored".to_owned(),
            });
        }
        stored = read_hearing(db, Key::Event(&meeting.event_id))?;
    }
    let mut written = Written::default();
    if let Some(stored) = stored {
        written.hearing_id = stored.hearing_id;
        write_related(db, meeting, components, Related::Replace, &mut written)?;
        pass(Point::Hearing, || meeting.event_id.clone());
        update(db, &stored, meeting, &mut written)?;
    } else {
        written.hearing_id = insert(db, meeting)?;
        written.added = true;
        pass(Point::Hearing, || meeting.event_id.clone());
        write_related(db, meeting, components, Related::Replace, &mut written)?;
        written.changed = false;
    }
    Ok(written)
}

/// The related rows of a hearing that is stored (`written.hearing_id`).
pub(super) fn write_related(
    db: Db<'_>,
    meeting: &Meeting,
    components: Components,
    how: Related,
    written: &mut Written,
) -> StoreResult<()> {
    if components.committees && !meeting.committees.is_empty() {
        committees::write_links(db, meeting, how, written)?;
    }
    if components.witnesses {
        let moved = witnesses::write(db, meeting, how, written)?;
        witness_documents::write(db, meeting, how, moved, written)?;
    }
    if components.documents {
        documents::write_supporting(db, meeting, how, written)?;
        documents::write_transcripts(db, meeting, how, written)?;
    }
    if components.bills {
        bills::write(db, meeting, how, written)?;
    }
    Ok(())
}

/// Moves `updated_at`: something of the hearing changed.
pub(super) fn touch(db: Db<'_>, hearing_id: i64) -> StoreResult<()> {
    db.update(
        "hearings",
        "hearing_id",
        hearing_id,
        &[("updated_at", &utc_now())],
    )
    .map(|_| ())
}

fn insert(db: Db<'_>, meeting: &Meeting) -> StoreResult<i64> {
    let now = utc_now();
    let congress = match meeting.congress {
        Some(congress) => congress,
        None => db
            .one("hearings", "SELECT max(congress) FROM hearings", [], |r| {
                r.get(0)
            })?
            .flatten()
            .ok_or_else(|| StoreError::BadRecord {
                what: format!("event {}", meeting.event_id),
                problem: "it names no congress, and none is known".to_owned(),
            })?,
    };
    let chamber = meeting.chamber.unwrap_or(Chamber::NoChamber).for_hearing();
    let kind = meeting
        .meeting_type
        .unwrap_or(MeetingType::Hearing)
        .as_str();
    let status = meeting.status.unwrap_or(MeetingStatus::Scheduled).as_str();
    let title = meeting.title.as_deref().unwrap_or_default();
    let page = if meeting.congress.is_some() {
        meeting.congress_gov_url()
    } else {
        Meeting {
            congress: Some(congress),
            ..named(meeting)
        }
        .congress_gov_url()
    };
    let video = meeting.video.as_ref();
    let update_date = meeting.update_date.map(crate::domain::DateTime::stored);
    db.insert(
        "hearings",
        &[
            ("event_id", &meeting.event_id),
            ("congress", &congress),
            ("chamber", &chamber),
            ("title", &title),
            ("hearing_type", &kind),
            ("status", &status),
            ("hearing_date", &meeting.date),
            ("hearing_date_only", &meeting.date),
            ("hearing_time", &meeting.time),
            ("location", &meeting.location),
            ("jacket_number", &meeting.jacket_number),
            ("url", &meeting.url),
            ("congress_gov_url", &page),
            ("video_url", &video.map(|v| v.url.as_str())),
            (
                "youtube_video_id",
                &video.and_then(|v| v.youtube_id.as_deref()),
            ),
            ("video_type", &video.map(|v| v.video_type.as_str())),
            ("update_date", &update_date),
            ("created_at", &now),
            ("updated_at", &now),
        ],
    )
}

/// What the address of the public page is made of.
fn named(meeting: &Meeting) -> Meeting {
    Meeting {
        event_id: meeting.event_id.clone(),
        chamber: meeting.chamber,
        event_page: meeting.event_page.clone(),
        ..Meeting::default()
    }
}

/// `new`, where it is given and says something else than what is stored.
fn other<'a>(stored: Option<&str>, new: Option<&'a str>) -> Option<&'a str> {
    new.filter(|new| stored != Some(new))
}

/// As `other`, white space aside.
fn other_words<'a>(stored: Option<&str>, new: Option<&'a str>) -> Option<&'a str> {
    new.filter(|new| stored.and_then(one_line) != one_line(new))
}

fn update(
    db: Db<'_>,
    stored: &StoredMeeting,
    meeting: &Meeting,
    written: &mut Written,
) -> StoreResult<()> {
    // By the name of the column: what counts as content ...
    let chamber = meeting.chamber.map(Chamber::for_hearing);
    let kind = meeting.meeting_type.map(MeetingType::as_str);
    let status = meeting.status.map(MeetingStatus::as_str);
    let date = other(stored.date.as_deref(), meeting.date.as_deref());
    let page = new_page(stored, meeting);
    let texts = [
        ("chamber", other(stored.chamber.as_deref(), chamber)),
        (
            "title",
            other_words(stored.title.as_deref(), meeting.title.as_deref()),
        ),
        ("hearing_type", other(stored.hearing_type.as_deref(), kind)),
        ("status", other(stored.status.as_deref(), status)),
        ("hearing_date", date),
        ("hearing_date_only", date),
        (
            "hearing_time",
            other(stored.time.as_deref(), meeting.time.as_deref()),
        ),
        (
            "location",
            other_words(stored.location.as_deref(), meeting.location.as_deref()),
        ),
        (
            "jacket_number",
            other(
                stored.jacket_number.as_deref(),
                meeting.jacket_number.as_deref(),
            ),
        ),
        ("congress_gov_url", page.as_deref()),
    ];
    let congress = meeting.congress.filter(|c| stored.congress != Some(*c));
    let mut pairs: Vec<Pair<'_>> = Vec::with_capacity(20);
    for (column, value) in &texts {
        if let Some(value) = value {
            pairs.push((column, value as &dyn ToSql));
        }
    }
    if let Some(congress) = &congress {
        pairs.push(("congress", congress));
    }
    let video = new_video(stored, meeting);
    let video_type = video.map(|v| v.video_type.as_str());
    if let Some(video) = video {
        pairs.push(("video_url", &video.url));
        pairs.push(("youtube_video_id", &video.youtube_id));
        pairs.push(("video_type", &video_type));
    }
    written.changed |= !pairs.is_empty();
    // ... and what only follows.
    let now = utc_now();
    let url = other(stored.url.as_deref(), meeting.url.as_deref());
    if written.changed {
        if let Some(url) = &url {
            pairs.push(("url", url));
        }
        pairs.push(("updated_at", &now));
    }
    let update_date = newer(stored.update_date.as_deref(), meeting);
    if let Some(update_date) = &update_date {
        pairs.push(("update_date", update_date));
    }
    if !pairs.is_empty() {
        db.update("hearings", "hearing_id", stored.hearing_id, &pairs)?;
    }
    Ok(())
}

/// The public page: filled where there is none, replaced where a video names another one.
fn new_page(stored: &StoredMeeting, meeting: &Meeting) -> Option<String> {
    match (&stored.congress_gov_url, &meeting.event_page) {
        (Some(old), Some(named)) => (old != named).then(|| named.clone()),
        (Some(old), None) if !old.trim().is_empty() => None,
        _ => meeting.congress_gov_url(),
    }
}

/// The three video columns go together.
fn new_video<'a>(stored: &StoredMeeting, meeting: &'a Meeting) -> Option<&'a crate::domain::Video> {
    meeting.video.as_ref().filter(|video| {
        stored.video_url.as_deref() != Some(video.url.as_str())
            || stored.youtube_video_id != video.youtube_id
            || stored.video_type.as_deref() != Some(video.video_type.as_str())
    })
}

/// The update date follows upstream, forwards only (and back from the future).
fn newer(stored: Option<&str>, meeting: &Meeting) -> Option<String> {
    let new = meeting.update_date?;
    crate::domain::moves_on(stored, new).then(|| new.stored())
}
