//! Committees and the hearings' links to them.

use super::db::{Db, text, utc_now};
use super::hearings_read::links;
use crate::domain::{Committee, Meeting};
use crate::store::{CommitteeName, Related, StoreError, StoreResult, Written};

/// The row id of a committee by its system code, case aside.
pub(super) fn find(db: Db<'_>, system_code: &str) -> StoreResult<Option<i64>> {
    let code = system_code.trim().to_ascii_lowercase();
    // The index is case-sensitive; codes are lower case nearly always.
    let exact = db.one(
        "committees",
        "SELECT committee_id FROM committees WHERE system_code = ?1",
        [&code],
        |r| r.get(0),
    )?;
    if exact.is_some() {
        return Ok(exact);
    }
    db.one(
        "committees",
        "SELECT committee_id FROM committees WHERE lower(system_code) = ?1 ORDER BY committee_id",
        [&code],
        |r| r.get(0),
    )
}

/// Every committee's name, by system code.
pub(super) fn names(db: Db<'_>) -> StoreResult<Vec<CommitteeName>> {
    if !db.exists("committees")? {
        return Ok(Vec::new());
    }
    let list = db.select_list("committees", "c.", &["system_code", "name", "chamber"])?;
    let sql = format!(
        "SELECT {list}, p.system_code FROM committees c \
         LEFT JOIN committees p ON p.committee_id = c.parent_committee_id ORDER BY 1"
    );
    db.all("committees", &sql, [], |r| {
        Ok(CommitteeName {
            system_code: text(r, 0)?.unwrap_or_default(),
            name: text(r, 1)?.unwrap_or_default(),
            chamber: text(r, 2)?.unwrap_or_default(),
            parent: text(r, 3)?,
        })
    })
}

/// Brings a hearing's links in step with the committees that its meeting names.
pub(super) fn write_links(
    db: Db<'_>,
    meeting: &Meeting,
    how: Related,
    written: &mut Written,
) -> StoreResult<()> {
    let stored = if written.added {
        Vec::new()
    } else {
        links(db, written.hearing_id)?
    };
    if how == Related::FillGaps && !stored.is_empty() {
        return Ok(());
    }
    let mut named: Vec<i64> = Vec::with_capacity(meeting.committees.len());
    for committee in &meeting.committees {
        let id = find(db, &committee.system_code)?.ok_or_else(|| StoreError::BadRecord {
            what: format!("event {}", meeting.event_id),
            problem: format!(
                "committee '{}' is not in the database",
                committee.system_code
            ),
        })?;
        if !named.contains(&id) {
            named.push(id);
        }
    }
    for (at, id) in named.iter().enumerate() {
        if !stored.iter().any(|link| link.committee_id == *id) {
            add_link(db, written.hearing_id, *id, at == 0)?;
            written.committees_touched += 1;
            written.changed = true;
        }
    }
    for gone in stored
        .iter()
        .filter(|link| !named.contains(&link.committee_id))
    {
        db.exec(
            "hearing_committees",
            "DELETE FROM hearing_committees WHERE hearing_id = ?1 AND committee_id = ?2",
            [written.hearing_id, gone.committee_id],
        )?;
        written.committees_touched += 1;
        written.changed = true;
    }
    Ok(())
}

/// Links a committee; a link that exists is left as it is. -> whether it was added.
pub(super) fn link(
    db: Db<'_>,
    hearing_id: i64,
    committee_id: i64,
    primary: bool,
) -> StoreResult<bool> {
    let there = db.one(
        "hearing_committees",
        "SELECT 1 FROM hearing_committees WHERE hearing_id = ?1 AND committee_id = ?2",
        [hearing_id, committee_id],
        |_| Ok(()),
    )?;
    if there.is_some() {
        return Ok(false);
    }
    add_link(db, hearing_id, committee_id, primary)?;
    Ok(true)
}

fn add_link(db: Db<'_>, hearing_id: i64, committee_id: i64, primary: bool) -> StoreResult<()> {
    db.insert(
        "hearing_committees",
        &[
            ("hearing_id", &hearing_id),
            ("committee_id", &committee_id),
            ("is_primary", &primary),
            ("created_at", &utc_now()),
        ],
    )
    .map(|_| ())
}

/// Inserts a committee that is not there. -> its row id either way.
pub(super) fn write(db: Db<'_>, committee: &Committee, congress: i64) -> StoreResult<i64> {
    if let Some(id) = find(db, &committee.system_code)? {
        return Ok(id);
    }
    let parent = match &committee.parent {
        None => None,
        Some(parent) => {
            Some(
                find(db, &parent.system_code)?.ok_or_else(|| StoreError::BadRecord {
                    what: format!("committee '{}'", committee.system_code),
                    problem: format!("its parent '{}' is not in the database", parent.system_code),
                })?,
            )
        }
    };
    let now = utc_now();
    db.insert(
        "committees",
        &[
            ("system_code", &committee.system_code.to_ascii_lowercase()),
            ("name", &committee.name),
            ("chamber", &committee.chamber.for_committee()),
            ("type", &committee.committee_type),
            ("parent_committee_id", &parent),
            ("is_current", &committee.is_current),
            ("url", &committee.url),
            ("congress", &congress),
            ("created_at", &now),
            ("updated_at", &now),
        ],
    )
}
