//! Documents that witnesses handed in. The API does not say whose they are: the file name does, and
//! where it fits no single witness the document waits in `updater_unmatched_documents`.

use super::db::{Db, Pair, text, utc_now};
use super::hearings_read::unmatched;
use crate::domain::{Meeting, Slot, match_slot, slot_of};
use crate::store::{Related, StoreResult, Written};

/// A stored document of one of the hearing's appearances.
struct Stored {
    id: i64,
    appearance_id: i64,
    url: Option<String>,
    document_type: Option<String>,
    format: Option<String>,
}

/// What is to be stored of a document.
struct Wanted<'a> {
    url: &'a str,
    document_type: &'a str,
    format: Option<&'a str>,
}

/// Appearances of the hearing, in order, with the names that slots are matched to.
struct Panel(Vec<(i64, String)>);

impl Panel {
    fn read(db: Db<'_>, hearing_id: i64) -> StoreResult<Self> {
        let order = db.select_list("witness_appearances", "a.", &["appearance_order"])?;
        let sql = format!(
            "SELECT a.appearance_id, w.full_name FROM witness_appearances a \
             JOIN witnesses w ON w.witness_id = a.witness_id \
             WHERE a.hearing_id = ?1 ORDER BY {order}, a.appearance_id"
        );
        let rows = db.all("witness_appearances", &sql, [hearing_id], |r| {
            Ok((r.get(0)?, text(r, 1)?.unwrap_or_default()))
        })?;
        Ok(Self(rows))
    }

    /// The one appearance that a slot means.
    fn whose(&self, slot: Option<&Slot>) -> Option<i64> {
        let names: Vec<&str> = self.0.iter().map(|(_, name)| name.as_str()).collect();
        self.0.get(match_slot(slot?, &names)?).map(|(id, _)| *id)
    }
}

/// Brings the documents in step with the meeting's. Where it names none, those that waited are tried
/// again if the witnesses changed (`moved`).
pub(super) fn write(
    db: Db<'_>,
    meeting: &Meeting,
    how: Related,
    moved: bool,
    written: &mut Written,
) -> StoreResult<()> {
    if !db.exists("witness_documents")? || !db.exists("witness_appearances")? {
        return Ok(());
    }
    if meeting.witness_documents.is_empty() {
        return if moved && !written.added {
            retry(db, written)
        } else {
            Ok(())
        };
    }
    let hearing_id = written.hearing_id;
    let stored = if written.added {
        Vec::new()
    } else {
        stored(db, hearing_id)?
    };
    let waiting = if written.added {
        Vec::new()
    } else {
        unmatched(db, hearing_id)?
    };
    if how == Related::FillGaps && !(stored.is_empty() && waiting.is_empty()) {
        return Ok(());
    }
    let panel = Panel::read(db, hearing_id)?;
    let mut seen: Vec<&str> = Vec::with_capacity(meeting.witness_documents.len());
    for document in &meeting.witness_documents {
        let wanted = Wanted {
            url: &document.url,
            document_type: document.document_type,
            format: document.format.as_deref(),
        };
        if seen.contains(&wanted.url) {
            continue;
        }
        seen.push(wanted.url);
        let waits = waiting.iter().any(|w| w.url.as_deref() == Some(wanted.url));
        let owner = panel.whose(document.slot.as_ref());
        let mut there = stored
            .iter()
            .filter(|s| s.url.as_deref() == Some(wanted.url));
        let exact = there.clone().find(|s| Some(s.appearance_id) == owner);
        match (exact.or_else(|| there.next()), owner) {
            (Some(there), owner) => {
                written.changed |= refresh(db, there, owner, &wanted)?;
                if waits {
                    forget(db, hearing_id, wanted.url)?;
                }
            }
            (None, Some(owner)) => {
                written.documents_added.push(insert(db, owner, &wanted)?);
                written.changed = true;
                if waits {
                    forget(db, hearing_id, wanted.url)?;
                }
            }
            (None, None) if !waits => {
                keep_waiting(db, hearing_id, &wanted)?;
                written.changed = true;
            }
            (None, None) => {}
        }
    }
    let listed = |url: &Option<String>| url.as_deref().is_some_and(|url| seen.contains(&url));
    for gone in stored.iter().filter(|s| !listed(&s.url)) {
        db.exec(
            "witness_documents",
            "DELETE FROM witness_documents WHERE document_id = ?1",
            [gone.id],
        )?;
        written.changed = true;
    }
    for gone in waiting.iter().filter(|w| !listed(&w.url)) {
        forget(db, hearing_id, gone.url.as_deref().unwrap_or_default())?;
        written.changed = true;
    }
    Ok(())
}

/// Documents that waited for their witness.
fn retry(db: Db<'_>, written: &mut Written) -> StoreResult<()> {
    let waiting = unmatched(db, written.hearing_id)?;
    if waiting.is_empty() {
        return Ok(());
    }
    let panel = Panel::read(db, written.hearing_id)?;
    for document in &waiting {
        let Some(url) = document.url.as_deref() else {
            continue;
        };
        let Some(owner) = panel.whose(slot_of(url).as_ref()) else {
            continue;
        };
        let wanted = Wanted {
            url,
            document_type: &document.document_type,
            format: document.format.as_deref(),
        };
        written.documents_added.push(insert(db, owner, &wanted)?);
        forget(db, written.hearing_id, url)?;
        written.changed = true;
    }
    Ok(())
}

fn stored(db: Db<'_>, hearing_id: i64) -> StoreResult<Vec<Stored>> {
    let list = db.select_list(
        "witness_documents",
        "d.",
        &["document_url", "document_type", "format_type"],
    )?;
    db.all(
        "witness_documents",
        &format!(
            "SELECT d.document_id, d.appearance_id, {list} FROM witness_appearances a \
             JOIN witness_documents d ON d.appearance_id = a.appearance_id \
             WHERE a.hearing_id = ?1 ORDER BY d.document_id"
        ),
        [hearing_id],
        |r| {
            Ok(Stored {
                id: r.get(0)?,
                appearance_id: r.get(1)?,
                url: text(r, 2)?,
                document_type: text(r, 3)?,
                format: text(r, 4)?,
            })
        },
    )
}

fn insert(db: Db<'_>, appearance_id: i64, wanted: &Wanted<'_>) -> StoreResult<i64> {
    let now = utc_now();
    db.insert(
        "witness_documents",
        &[
            ("appearance_id", &appearance_id),
            ("document_type", &wanted.document_type),
            ("document_url", &wanted.url),
            ("format_type", &wanted.format),
            ("created_at", &now),
            ("updated_at", &now),
        ],
    )
}

/// A document that is seen again keeps its id; it moves where it was at the wrong witness.
fn refresh(
    db: Db<'_>,
    there: &Stored,
    owner: Option<i64>,
    wanted: &Wanted<'_>,
) -> StoreResult<bool> {
    let owner = owner.filter(|owner| *owner != there.appearance_id);
    let mut pairs: Vec<Pair<'_>> = Vec::with_capacity(4);
    if let Some(owner) = &owner {
        pairs.push(("appearance_id", owner));
    }
    if there.document_type.as_deref() != Some(wanted.document_type) {
        pairs.push(("document_type", &wanted.document_type));
    }
    if wanted.format.is_some() && there.format.as_deref() != wanted.format {
        pairs.push(("format_type", &wanted.format));
    }
    if pairs.is_empty() {
        return Ok(false);
    }
    let now = utc_now();
    pairs.push(("updated_at", &now));
    Ok(db.update("witness_documents", "document_id", there.id, &pairs)? > 0)
}

fn keep_waiting(db: Db<'_>, hearing_id: i64, wanted: &Wanted<'_>) -> StoreResult<()> {
    db.insert(
        "updater_unmatched_documents",
        &[
            ("hearing_id", &hearing_id),
            ("document_type", &wanted.document_type),
            ("document_url", &wanted.url),
            ("format_type", &wanted.format),
            ("created_at", &utc_now()),
        ],
    )
    .map(|_| ())
}

fn forget(db: Db<'_>, hearing_id: i64, url: &str) -> StoreResult<()> {
    db.exec(
        "updater_unmatched_documents",
        "DELETE FROM updater_unmatched_documents WHERE hearing_id = ?1 AND document_url = ?2",
        (hearing_id, url),
    )
    .map(|_| ())
}
