//! Bills that a hearing is about.

use super::db::{Db, utc_now};
use crate::domain::{BillRef, Meeting};
use crate::store::{Related, StoreResult, Written};

/// Adds the bills and links that a meeting names. Links that other tools made, by another relationship
/// or with notes of theirs, are never touched.
pub(super) fn write(
    db: Db<'_>,
    meeting: &Meeting,
    how: Related,
    written: &mut Written,
) -> StoreResult<()> {
    let hearing_id = written.hearing_id;
    if meeting.bills.is_empty() || !db.exists("bills")? || !db.exists("hearing_bills")? {
        return Ok(());
    }
    let notes = db.select_list("hearing_bills", "", &["notes"])?;
    let stored = db.all(
        "hearing_bills",
        &format!(
            "SELECT bill_id, relationship_type = 'related' AND {notes} IS NULL, hearing_bill_id \
             FROM hearing_bills WHERE hearing_id = ?1"
        ),
        [hearing_id],
        |r| {
            Ok((
                r.get::<_, i64>(0)?,
                r.get::<_, bool>(1)?,
                r.get::<_, i64>(2)?,
            ))
        },
    )?;
    if how == Related::FillGaps && !stored.is_empty() {
        return Ok(());
    }
    let mut named: Vec<i64> = Vec::with_capacity(meeting.bills.len());
    for bill in &meeting.bills {
        let id = get_or_create(db, bill)?;
        if named.contains(&id) {
            continue;
        }
        named.push(id);
        if stored.iter().any(|(stored, ..)| *stored == id) {
            continue;
        }
        db.insert(
            "hearing_bills",
            &[
                ("hearing_id", &hearing_id),
                ("bill_id", &id),
                ("relationship_type", &"related"),
                ("created_at", &utc_now()),
            ],
        )?;
        written.changed = true;
    }
    for (_, _, row) in stored
        .iter()
        .filter(|(id, ours, _)| *ours && !named.contains(id))
    {
        db.exec(
            "hearing_bills",
            "DELETE FROM hearing_bills WHERE hearing_bill_id = ?1",
            [row],
        )?;
        written.changed = true;
    }
    Ok(())
}

fn get_or_create(db: Db<'_>, bill: &BillRef) -> StoreResult<i64> {
    let found = db.one(
        "bills",
        "SELECT bill_id FROM bills WHERE congress = ?1 AND bill_type = ?2 AND bill_number = ?3",
        (bill.congress, bill.bill_type, bill.number),
        |r| r.get(0),
    )?;
    if let Some(id) = found {
        return Ok(id);
    }
    let now = utc_now();
    db.insert(
        "bills",
        &[
            ("congress", &bill.congress),
            ("bill_type", &bill.bill_type),
            ("bill_number", &bill.number),
            ("url", &bill.url),
            ("created_at", &now),
            ("updated_at", &now),
        ],
    )
}
