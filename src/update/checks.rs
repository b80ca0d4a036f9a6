//! The checks before and after a run.

use crate::store::{Soundness, Store, StoreError, StoreResult};

/// A database that has once held this many hearings and holds fewer now has lost some.
pub const MIN_HEARINGS: i64 = 100;

/// The fact that remembers it (`updater_facts`).
const HAS_HELD: &str = "has_held_100_hearings";

/// The fact that we have been here before: from then on `HAS_HELD` is all there is to know.
const REMEMBERS: &str = "remembers_hearing_count";

const YES: &str = "1";

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Reasons not to go on (before a run) or to undo it (after).
    pub issues: Vec<String>,
    pub warnings: Vec<String>,
}

/// The sanity checks before a run: tables present, the file writable, hearings not lost, integrity; a foreign key that was
/// broken before is a warning, as is a run that ended a short while ago. -> what is found, and the state
/// that `after_run` compares with.
pub fn before_run(
    store: &mut dyn Store,
    recent_minutes: Option<i64>,
) -> StoreResult<(CheckReport, Soundness)> {
    let mut report = CheckReport::default();
    let missing = store.missing_tables()?;
    if !missing.is_empty() {
        report.issues.push(format!(
            "missing table(s): {}; check DATABASE_PATH, or make a new database with \
                 'hearing-updater init'",
            missing.join(", ")
        ));
        return Ok((report, Soundness::default()));
    }
    // Before anything is fetched for it.
    if let Err(error) = store.expect_writable() {
        report.issues.push(error.to_string());
        return Ok((report, Soundness::default()));
    }
    let found = store.soundness()?;
    if !found.integrity.is_empty() {
        let damaged = StoreError::Corrupt {
            path: store.path().to_path_buf(),
            detail: shortened(&found.integrity),
        };
        report.issues.push(damaged.to_string());
    }
    if found.hearings < MIN_HEARINGS && has_held(store)? {
        report.issues.push(format!(
            "only {} hearings where there have been {MIN_HEARINGS} or more: rows were lost; \
             put a backup back with 'hearing-updater restore'",
            found.hearings
        ));
    }
    note(
        &mut report.warnings,
        "foreign key violation that was there before",
        &found.foreign_keys,
    );
    note(
        &mut report.warnings,
        "duplicate that was there before",
        &found.duplicates,
    );
    if let Some(minutes) = recent_minutes {
        report
            .warnings
            .push(format!("the last successful run was {minutes} min ago"));
    }
    Ok((report, found))
}

/// The first finding and the last; between them there may be a hundred of a kind.
fn shortened(found: &[String]) -> String {
    match found {
        [first, .., last] if found.len() > 2 => {
            format!("{first}; {} more; {last}", found.len() - 2)
        }
        few => few.join("; "),
    }
}

/// A database that we have not written yet has no memory of ours: there, the row ids that were given
/// out tell how many hearings there have been.
pub(super) fn has_held(store: &mut dyn Store) -> StoreResult<bool> {
    if let Some(held) = store.fact(HAS_HELD)? {
        return Ok(held == YES);
    }
    if store.fact(REMEMBERS)?.is_some() {
        return Ok(false);
    }
    Ok(store.highest_hearing_id()? >= MIN_HEARINGS)
}

/// Compares the state after a run with the one before: only what is new is an issue.
pub fn after_run(
    store: &mut dyn Store,
    before: &Soundness,
) -> StoreResult<(CheckReport, Soundness)> {
    let now = store.soundness()?;
    let mut report = CheckReport::default();
    for (what, was, is) in [
        ("integrity", &before.integrity, &now.integrity),
        (
            "foreign key violation",
            &before.foreign_keys,
            &now.foreign_keys,
        ),
        ("duplicate", &before.duplicates, &now.duplicates),
        ("invalid value", &before.invalid_values, &now.invalid_values),
        ("orphan", &before.orphans, &now.orphans),
    ] {
        let (old, new): (Vec<_>, Vec<_>) =
            is.iter().cloned().partition(|found| was.contains(found));
        report
            .issues
            .extend(new.into_iter().map(|found| format!("{what}: {found}")));
        note(
            &mut report.warnings,
            &format!("{what} that was there before"),
            &old,
        );
    }
    if now.hearings < before.hearings {
        report.issues.push(format!(
            "hearings went from {} to {}: an update never removes any",
            before.hearings, now.hearings
        ));
    }
    Ok((report, now))
}

/// Three examples and a count: a database may have thousands of old findings.
fn note(into: &mut Vec<String>, what: &str, found: &[String]) {
    into.extend(found.iter().take(3).map(|one| format!("{what}: {one}")));
    if found.len() > 3 {
        into.push(format!("{what}: {} more", found.len() - 3));
    }
}

/// Remembers how large the database has been, for the next run's checks.
pub fn remember_size(store: &mut dyn Store) -> StoreResult<()> {
    if store.fact(HAS_HELD)?.as_deref() != Some(YES) && store.hearing_count()? >= MIN_HEARINGS {
        store.set_fact(HAS_HELD, YES)?;
    }
    if store.fact(REMEMBERS)?.is_none() {
        store.set_fact(REMEMBERS, YES)?;
    }
    Ok(())
}

/// After a person undid runs on purpose: hearings that are gone by that were not lost.
pub fn forget_size(store: &mut dyn Store) -> StoreResult<()> {
    if store.hearing_count()? < MIN_HEARINGS {
        store.set_fact(HAS_HELD, "no")?;
    }
    Ok(())
}
