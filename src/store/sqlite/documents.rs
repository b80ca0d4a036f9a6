//! The meeting's own documents and printed transcripts (component `documents`).

use super::db::{Db, Pair, utc_now};
use super::hearings_read::{supporting, transcripts};
use crate::domain::{Meeting, MeetingDocument};
use crate::store::{Related, StoreResult, StoredDocument, Written};

/// Brings the supporting documents in step: one is the same by its address, else by its title.
pub(super) fn write_supporting(
    db: Db<'_>,
    meeting: &Meeting,
    how: Related,
    written: &mut Written,
) -> StoreResult<()> {
    let hearing_id = written.hearing_id;
    if meeting.meeting_documents.is_empty() || !db.exists("supporting_documents")? {
        return Ok(());
    }
    let stored = if written.added {
        Vec::new()
    } else {
        supporting(db, hearing_id)?
    };
    if how == Related::FillGaps && !stored.is_empty() {
        return Ok(());
    }
    let mut kept: Vec<i64> = Vec::with_capacity(stored.len());
    let mut new: Vec<&MeetingDocument> = Vec::new();
    for document in &meeting.meeting_documents {
        if let Some(there) = stored.iter().find(|s| same(s, document)) {
            if !kept.contains(&there.document_id) {
                kept.push(there.document_id);
                written.changed |= refresh(db, there, document)?;
            }
        } else if !new.iter().any(|n| same_given(n, document)) {
            new.push(document);
        }
    }
    let now = utc_now();
    for document in new {
        db.insert(
            "supporting_documents",
            &[
                ("hearing_id", &hearing_id),
                ("document_type", &document.document_type),
                ("title", &document.name),
                ("description", &document.description),
                ("document_url", &document.url),
                ("format_type", &document.format),
                ("created_at", &now),
                ("updated_at", &now),
            ],
        )?;
        written.changed = true;
    }
    for gone in stored.iter().filter(|s| !kept.contains(&s.document_id)) {
        // A second row of what is listed is history.
        if !meeting.meeting_documents.iter().any(|d| same(gone, d)) {
            db.exec(
                "supporting_documents",
                "DELETE FROM supporting_documents WHERE document_id = ?1",
                [gone.document_id],
            )?;
            written.changed = true;
        }
    }
    Ok(())
}

fn same(stored: &StoredDocument, document: &MeetingDocument) -> bool {
    match (&stored.url, &document.url) {
        (Some(a), Some(b)) => a == b,
        (None, None) => stored.title == document.name,
        _ => false,
    }
}

fn same_given(a: &MeetingDocument, b: &MeetingDocument) -> bool {
    match (&a.url, &b.url) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.name == b.name,
        _ => false,
    }
}

fn refresh(db: Db<'_>, there: &StoredDocument, document: &MeetingDocument) -> StoreResult<bool> {
    let mut pairs: Vec<Pair<'_>> = Vec::with_capacity(5);
    if there.document_type != document.document_type {
        pairs.push(("document_type", &document.document_type));
    }
    for (column, old, new) in [
        ("title", &there.title, &document.name),
        ("description", &there.description, &document.description),
        ("format_type", &there.format, &document.format),
    ] {
        if new.is_some() && new != old {
            pairs.push((column, new));
        }
    }
    if pairs.is_empty() {
        return Ok(false);
    }
    let now = utc_now();
    pairs.push(("updated_at", &now));
    Ok(db.update(
        "supporting_documents",
        "document_id",
        there.document_id,
        &pairs,
    )? > 0)
}

/// Brings the transcripts in step: one is the same by its address, else by its jacket number.
pub(super) fn write_transcripts(
    db: Db<'_>,
    meeting: &Meeting,
    how: Related,
    written: &mut Written,
) -> StoreResult<()> {
    let hearing_id = written.hearing_id;
    if meeting.transcripts.is_empty() || !db.exists("hearing_transcripts")? {
        return Ok(());
    }
    let stored = if written.added {
        Vec::new()
    } else {
        transcripts(db, hearing_id)?
    };
    if how == Related::FillGaps && !stored.is_empty() {
        return Ok(());
    }
    let mut kept: Vec<i64> = Vec::with_capacity(stored.len());
    let mut seen = Vec::with_capacity(meeting.transcripts.len());
    for transcript in &meeting.transcripts {
        if seen.contains(&transcript) {
            continue;
        }
        seen.push(transcript);
        let jacket = Some(transcript.jacket_number.as_str());
        let by_url =
            |s: &&crate::store::StoredTranscript| s.url.is_some() && s.url == transcript.url;
        let by_jacket = |s: &&crate::store::StoredTranscript| s.jacket_number.as_deref() == jacket;
        let mut free = stored.iter().filter(|s| !kept.contains(&s.transcript_id));
        let now = utc_now();
        if let Some(there) = free.clone().find(by_url).or_else(|| free.find(by_jacket)) {
            let mut pairs: Vec<Pair<'_>> = Vec::with_capacity(3);
            if !by_jacket(&there) {
                pairs.push(("jacket_number", &transcript.jacket_number));
            }
            if transcript.url.is_some() && there.url != transcript.url {
                pairs.push(("document_url", &transcript.url));
            }
            kept.push(there.transcript_id);
            if !pairs.is_empty() {
                pairs.push(("updated_at", &now));
                db.update(
                    "hearing_transcripts",
                    "transcript_id",
                    there.transcript_id,
                    &pairs,
                )?;
                written.changed = true;
            }
        } else {
            db.insert(
                "hearing_transcripts",
                &[
                    ("hearing_id", &hearing_id),
                    ("jacket_number", &transcript.jacket_number),
                    ("document_url", &transcript.url),
                    ("created_at", &now),
                    ("updated_at", &now),
                ],
            )?;
            written.changed = true;
        }
    }
    for gone in stored.iter().filter(|s| !kept.contains(&s.transcript_id)) {
        db.exec(
            "hearing_transcripts",
            "DELETE FROM hearing_transcripts WHERE transcript_id = ?1",
            [gone.transcript_id],
        )?;
        written.changed = true;
    }
    Ok(())
}
