//! Applying records in one transaction: all of them, or each on its own savepoint.

use std::time::Instant;

use super::engine::ms;
use crate::store::{BatchHead, BatchId, Handle, Patience, StoreError};

/// Why applying ended early. `Stop` is the caller's own way of ending the run.
#[derive(Debug)]
pub enum Ended<Stop> {
    /// One record could not be written; nothing of the transaction was kept.
    Failed(String),
    /// The file cannot be written any more (a full disk, damage): what comes next would fare no better.
    Broken(String),
    Stop(Stop),
}

impl<Stop> From<StoreError> for Ended<Stop> {
    fn from(err: StoreError) -> Self {
        // Another program's lock was waited for long enough: not once more for each batch.
        if err.is_of_the_file() || matches!(err, StoreError::Busy { .. }) {
            Self::Broken(err.to_string())
        } else {
            Self::Failed(err.to_string())
        }
    }
}

/// A transaction that was committed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Applied {
    /// The journal's batch, if anything was changed.
    pub batch: Option<BatchId>,
    pub commit_ms: f64,
}

/// Applies every item in one transaction, or none of them.
pub fn apply_each<I, Stop>(
    handle: &Handle,
    head: BatchHead,
    patience: &Patience<'_>,
    items: impl IntoIterator<Item = I>,
    mut write: impl FnMut(I) -> Result<(), Ended<Stop>>,
) -> Result<Applied, Ended<Stop>> {
    handle.begin(head, patience)?;
    for item in items {
        if let Err(ended) = write(item) {
            handle.roll_back();
            return Err(ended);
        }
        if !handle.in_transaction() {
            let statement = "a statement of an override".to_owned();
            return Err(StoreError::TransactionGone { statement }.into());
        }
    }
    commit(handle, patience)
}

fn commit<Stop>(handle: &Handle, patience: &Patience<'_>) -> Result<Applied, Ended<Stop>> {
    let started = Instant::now();
    match handle.commit(patience) {
        Ok(batch) => Ok(Applied {
            batch,
            commit_ms: ms(started),
        }),
        Err(err) => {
            handle.roll_back();
            Err(err.into())
        }
    }
}

/// One pass over all items in one transaction, a savepoint each: an item that fails is handed to
/// `failed` and undone alone, the rest commit.
pub fn apply_one_pass<I: Clone, Stop>(
    handle: &Handle,
    head: BatchHead,
    patience: &Patience<'_>,
    items: impl IntoIterator<Item = I>,
    mut write: impl FnMut(I) -> Result<(), Ended<Stop>>,
    mut failed: impl FnMut(I, String) -> Result<(), Stop>,
) -> Result<Applied, Ended<Stop>> {
    handle.begin(head, patience)?;
    if let Err(ended) = pass(handle, patience, items, &mut write, &mut failed) {
        handle.roll_back();
        return Err(ended);
    }
    commit(handle, patience)
}

fn pass<I: Clone, Stop>(
    handle: &Handle,
    patience: &Patience<'_>,
    items: impl IntoIterator<Item = I>,
    write: &mut impl FnMut(I) -> Result<(), Ended<Stop>>,
    failed: &mut impl FnMut(I, String) -> Result<(), Stop>,
) -> Result<(), Ended<Stop>> {
    for item in items {
        handle.with(patience, |store| store.savepoint())?;
        match write(item.clone()) {
            Ok(()) => handle.with(patience, |store| store.release_savepoint())?,
            Err(ended @ (Ended::Stop(_) | Ended::Broken(_))) => return Err(ended),
            // A statement that ended the whole transaction took the earlier records with it.
            Err(Ended::Failed(why)) if !handle.in_transaction() => return Err(Ended::Failed(why)),
            Err(Ended::Failed(why)) => {
                handle.with(patience, |store| store.roll_back_to_savepoint())?;
                failed(item, why).map_err(Ended::Stop)?;
            }
        }
    }
    Ok(())
}
