//! What the diff compares of a hearing besides its own row. Works on every older shape: what is not
//! there reads as nothing.

use super::db::{Db, integer, text};
use crate::store::{
    StoreResult, StoredBill, StoredCommitteeLink, StoredDocument, StoredMeeting, StoredTranscript,
    StoredWitness, StoredWitnessDocument,
};

/// Reads all related rows.
pub(super) fn related(db: Db<'_>, meeting: &mut StoredMeeting) -> StoreResult<()> {
    let id = meeting.hearing_id;
    meeting.committees = links(db, id)?;
    meeting.witnesses = appearances(db, id)?;
    meeting.witness_documents = witness_documents(db, id)?;
    meeting.unmatched_documents = unmatched(db, id)?;
    meeting.supporting_documents = supporting(db, id)?;
    meeting.transcripts = transcripts(db, id)?;
    meeting.bills = bills(db, id)?;
    Ok(())
}

pub(super) fn links(db: Db<'_>, hearing_id: i64) -> StoreResult<Vec<StoredCommitteeLink>> {
    if !db.exists("hearing_committees")? || !db.exists("committees")? {
        return Ok(Vec::new());
    }
    let primary = db.select_list("hearing_committees", "l.", &["is_primary"])?;
    db.all(
        "hearing_committees",
        &format!(
            "SELECT l.committee_id, c.system_code, {primary} \
             FROM hearing_committees l JOIN committees c ON c.committee_id = l.committee_id \
             WHERE l.hearing_id = ?1 ORDER BY 3 DESC, l.committee_id"
        ),
        [hearing_id],
        |r| {
            Ok(StoredCommitteeLink {
                committee_id: r.get(0)?,
                system_code: text(r, 1)?.unwrap_or_default(),
                is_primary: integer(r, 2)?.unwrap_or(1) != 0,
            })
        },
    )
}

fn appearances(db: Db<'_>, hearing_id: i64) -> StoreResult<Vec<StoredWitness>> {
    if !db.exists("witness_appearances")? || !db.exists("witnesses")? {
        return Ok(Vec::new());
    }
    let of_appearance = db.select_list(
        "witness_appearances",
        "a.",
        &["position", "appearance_order"],
    )?;
    let organization = db.select_list("witnesses", "w.", &["organization"])?;
    db.all(
        "witness_appearances",
        &format!(
            "SELECT a.appearance_id, w.witness_id, w.full_name, {organization}, {of_appearance} \
             FROM witness_appearances a JOIN witnesses w ON w.witness_id = a.witness_id \
             WHERE a.hearing_id = ?1 ORDER BY 6, a.appearance_id"
        ),
        [hearing_id],
        |r| {
            Ok(StoredWitness {
                appearance_id: r.get(0)?,
                witness_id: r.get(1)?,
                full_name: text(r, 2)?.unwrap_or_default(),
                organization: text(r, 3)?,
                position: text(r, 4)?,
                order: integer(r, 5)?,
            })
        },
    )
}

fn witness_documents(db: Db<'_>, hearing_id: i64) -> StoreResult<Vec<StoredWitnessDocument>> {
    if !db.exists("witness_documents")? || !db.exists("witness_appearances")? {
        return Ok(Vec::new());
    }
    let list = db.select_list(
        "witness_documents",
        "d.",
        &["document_type", "format_type", "document_url"],
    )?;
    db.all(
        "witness_documents",
        &format!(
            "SELECT d.appearance_id, {list} FROM witness_appearances a \
             JOIN witness_documents d ON d.appearance_id = a.appearance_id \
             WHERE a.hearing_id = ?1 ORDER BY d.document_id"
        ),
        [hearing_id],
        |r| {
            Ok(StoredWitnessDocument {
                appearance_id: Some(r.get(0)?),
                document_type: text(r, 1)?.unwrap_or_default(),
                format: text(r, 2)?,
                url: text(r, 3)?,
            })
        },
    )
}

pub(super) fn unmatched(db: Db<'_>, hearing_id: i64) -> StoreResult<Vec<StoredWitnessDocument>> {
    if !db.exists("updater_unmatched_documents")? {
        return Ok(Vec::new());
    }
    db.all(
        "updater_unmatched_documents",
        "SELECT document_type, format_type, document_url FROM updater_unmatched_documents \
         WHERE hearing_id = ?1 ORDER BY document_id",
        [hearing_id],
        |r| {
            Ok(StoredWitnessDocument {
                appearance_id: None,
                document_type: text(r, 0)?.unwrap_or_default(),
                format: text(r, 1)?,
                url: text(r, 2)?,
            })
        },
    )
}

pub(super) fn supporting(db: Db<'_>, hearing_id: i64) -> StoreResult<Vec<StoredDocument>> {
    if !db.exists("supporting_documents")? {
        return Ok(Vec::new());
    }
    let list = db.select_list(
        "supporting_documents",
        "",
        &[
            "document_id",
            "document_type",
            "title",
            "description",
            "format_type",
            "document_url",
        ],
    )?;
    db.all(
        "supporting_documents",
        &format!("SELECT {list} FROM supporting_documents WHERE hearing_id = ?1 ORDER BY 1"),
        [hearing_id],
        |r| {
            Ok(StoredDocument {
                document_id: r.get(0)?,
                document_type: text(r, 1)?.unwrap_or_default(),
                title: text(r, 2)?,
                description: text(r, 3)?,
                format: text(r, 4)?,
                url: text(r, 5)?,
            })
        },
    )
}

pub(super) fn transcripts(db: Db<'_>, hearing_id: i64) -> StoreResult<Vec<StoredTranscript>> {
    if !db.exists("hearing_transcripts")? {
        return Ok(Vec::new());
    }
    let list = db.select_list(
        "hearing_transcripts",
        "",
        &["transcript_id", "jacket_number", "document_url"],
    )?;
    db.all(
        "hearing_transcripts",
        &format!("SELECT {list} FROM hearing_transcripts WHERE hearing_id = ?1 ORDER BY 1"),
        [hearing_id],
        |r| {
            Ok(StoredTranscript {
                transcript_id: r.get(0)?,
                jacket_number: text(r, 1)?,
                url: text(r, 2)?,
            })
        },
    )
}

fn bills(db: Db<'_>, hearing_id: i64) -> StoreResult<Vec<StoredBill>> {
    if !db.exists("hearing_bills")? || !db.exists("bills")? {
        return Ok(Vec::new());
    }
    db.all(
        "hearing_bills",
        "SELECT b.congress, b.bill_type, b.bill_number FROM hearing_bills h \
         JOIN bills b ON b.bill_id = h.bill_id WHERE h.hearing_id = ?1 ORDER BY b.bill_id",
        [hearing_id],
        |r| {
            Ok(StoredBill {
                congress: integer(r, 0)?.unwrap_or_default(),
                bill_type: text(r, 1)?.unwrap_or_default(),
                number: integer(r, 2)?.unwrap_or_default(),
            })
        },
    )
}
