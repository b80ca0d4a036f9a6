//! `_rollback_checkpoint` and `_rollback_database`.

use std::collections::{HashMap, HashSet};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet};
use tracing::{error, info, warn};

use super::Engine;
use super::face::Face;
use super::fetch::deferred_dict;
use crate::faults::{Point, reach};
use crate::python::convert::to_sql;
use crate::store::{
    BatchId, DeferKind, Deferred, HandMade, Handle, Patience, RunId, Store, StoreResult,
    UndoPolicy, UndoReport,
};

/// What a checkpoint says, as far as its journal does not already know it.
#[derive(Clone)]
struct Told {
    journal: Vec<i64>,
    by_hand: HandMade,
    /// Ids that the native writer tracked: the journal, or the transaction that never was, covers them.
    native_events: HashSet<String>,
    native_witnesses: HashSet<i64>,
    native_documents: HashSet<i64>,
}

pub(super) fn ids(checkpoint: &Bound<'_, PyAny>, list: &str) -> PyResult<Vec<String>> {
    let ids = checkpoint.getattr(list)?;
    ids.try_iter()?
        .map(|id| Ok(id?.str()?.to_string()))
        .collect()
}

fn numbers(checkpoint: &Bound<'_, PyAny>, list: &str) -> PyResult<Vec<i64>> {
    let ids = checkpoint.getattr(list)?;
    ids.try_iter()?.map(|id| id?.extract()).collect()
}

fn told(checkpoint: &Bound<'_, PyAny>) -> PyResult<Told> {
    // A checkpoint of the caller's own class knows nothing of a journal.
    let journal = checkpoint
        .getattr("journal_batches")
        .and_then(|j| j.extract());
    let mut originals = Vec::new();
    let data = checkpoint.getattr("original_hearing_data")?;
    for (event_id, columns) in data.cast::<PyDict>()?.iter() {
        let mut values = Vec::new();
        for (column, value) in columns.cast::<PyDict>()?.iter() {
            values.push((column.extract::<String>()?, to_sql(&value)?));
        }
        originals.push((event_id.str()?.to_string(), values));
    }
    let mut told = Told {
        journal: journal.unwrap_or_default(),
        by_hand: HandMade {
            originals,
            updated: ids(checkpoint, "hearings_to_update")?,
            added: ids(checkpoint, "hearings_to_add")?,
            witnesses_added: numbers(checkpoint, "witnesses_to_add")?,
            documents_added: numbers(checkpoint, "documents_to_add")?,
        },
        native_events: HashSet::new(),
        native_witnesses: HashSet::new(),
        native_documents: HashSet::new(),
    };
    if let Ok(tracked) = checkpoint.getattr("tracked_natively")
        && let Ok(tracked) = tracked.cast::<PySet>()
    {
        for entry in tracked.iter() {
            let kind: String = entry.get_item(0)?.extract()?;
            match kind.as_str() {
                "hearing" => drop(told.native_events.insert(entry.get_item(1)?.extract()?)),
                "witness" => drop(told.native_witnesses.insert(entry.get_item(1)?.extract()?)),
                _ => drop(told.native_documents.insert(entry.get_item(1)?.extract()?)),
            }
        }
    }
    Ok(told)
}

/// Undoes the journal's part exactly, and what was tracked by hand beyond it; both or nothing.
fn undo(store: &mut dyn Store, mut told: Told) -> StoreResult<UndoReport> {
    let touched = store.touched(&told.journal)?;
    let known: HashSet<&String> = touched
        .added
        .iter()
        .chain(&touched.updated)
        .chain(&told.native_events)
        .collect();
    let mine = &mut told.by_hand;
    mine.originals
        .retain(|(event_id, _)| !known.contains(event_id));
    mine.updated.retain(|event_id| !known.contains(event_id));
    mine.added.retain(|event_id| !known.contains(event_id));
    mine.witnesses_added
        .retain(|id| !touched.witnesses_added.contains(id) && !told.native_witnesses.contains(id));
    mine.documents_added
        .retain(|id| !touched.documents_added.contains(id) && !told.native_documents.contains(id));
    let mut report = UndoReport {
        undone: true,
        ..UndoReport::default()
    };
    if told.journal.is_empty() && told.by_hand == HandMade::default() {
        return Ok(report);
    }
    store.undo_together(&mut |store| {
        if !told.journal.is_empty() {
            report = store.undo(&told.journal, UndoPolicy::AllOrNothing)?;
        }
        if report.undone && told.by_hand != HandMade::default() {
            let by_hand = store.undo_by_hand(&told.by_hand)?;
            report.undone = by_hand.undone;
            report.rows_restored += by_hand.rows_restored;
            report.conflicts.extend(by_hand.conflicts);
            report.kept.extend(by_hand.kept);
            report.warnings.extend(by_hand.warnings);
        }
        Ok(report.undone)
    })?;
    Ok(report)
}

fn log(report: &UndoReport) {
    for kept in &report.kept {
        warn!(target: "updaters.daily_updater", "rollback: stays: {kept}");
    }
    for warning in &report.warnings {
        warn!(target: "updaters.daily_updater", "rollback: {warning}");
    }
    for conflict in &report.conflicts {
        error!(target: "updaters.daily_updater", "rollback: {conflict}");
    }
}

impl Engine {
    /// False: it could not be undone, and nothing was.
    pub(super) fn rollback_checkpoint(
        &self,
        face: &Face<'_>,
        checkpoint: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = face.py();
        let told = match told(checkpoint) {
            Ok(told) => told,
            Err(err) => {
                error!(target: "updaters.daily_updater", "rollback: the checkpoint cannot be read: {err}");
                crate::python::logs::drain(py)?;
                return Ok(false);
            }
        };
        let number = || {
            checkpoint
                .getattr("batch_number")
                .map_or_else(|_| String::new(), |number| number.to_string())
        };
        if let Err(ordered) = reach(Point::RollBack, number) {
            error!(target: "updaters.daily_updater", "rollback: {ordered}");
            crate::python::logs::drain(py)?;
            return Ok(false);
        }
        if told.journal.is_empty() && only_native(&told) {
            return Ok(true);
        }
        let handle = face.handle()?;
        let watch = self.watch(face)?;
        let undone = watch.quietly(py, |patience| {
            handle.with_retry(patience, |store| undo(store, told.clone()))
        });
        let result = match undone {
            Ok(report) => {
                log(&report);
                self.forget_undone(&report);
                Ok(report.undone)
            }
            Err(err) => {
                if let Some(raised) = watch.take_raised() {
                    return Err(raised);
                }
                error!(target: "updaters.daily_updater", "rollback: {err}");
                Ok(false)
            }
        };
        crate::python::logs::drain(py)?;
        result
    }

    fn forget_undone(&self, report: &UndoReport) {
        let mut state = self.state();
        if report.undone {
            state
                .batches
                .retain(|batch| !report.batches.contains(batch));
        }
    }

    /// Undoes every batch of this run, by journal. False: something stays (`state.not_undone` says what).
    pub(super) fn rollback_database(&self, face: &Face<'_>) -> PyResult<bool> {
        let py = face.py();
        let batches = self.state().batches.clone();
        if batches.is_empty() {
            info!(target: "updaters.daily_updater", "Nothing of this run to roll back");
            crate::python::logs::drain(py)?;
            return Ok(true);
        }
        let handle = face.handle()?;
        let again = AskAgain {
            congress: face.congress()?,
            waiting: self.state().waiting.clone(),
        };
        let (whole, parts) = self.watch(face)?.store(py, |patience| {
            let whole = again.undo(&handle, patience, &batches)?;
            // Each batch whole, or not at all, so that what stays can still be undone later. The last
            // comes first.
            let parts = if whole.undone {
                Vec::new()
            } else {
                let alone = |batch: &BatchId| again.undo(&handle, patience, &[*batch]);
                batches
                    .iter()
                    .rev()
                    .map(alone)
                    .collect::<StoreResult<_>>()?
            };
            Ok((whole, parts))
        })?;
        log(&whole);
        for part in &parts {
            self.forget_undone(part);
        }
        self.forget_undone(&whole);
        let left = self.state().batches.len();
        let undone = std::iter::once(&whole)
            .chain(&parts)
            .filter(|report| report.undone);
        let (mut events, mut restored) = (Vec::new(), 0);
        for report in undone {
            events.extend(report.events.iter().map(|(event_id, _)| event_id.clone()));
            restored += report.rows_restored;
        }
        self.discard_commits(face)?;
        let mut seen = HashSet::new();
        for event_id in events {
            if seen.insert(event_id.clone()) {
                face.append("deferred", deferred_dict(py, &event_id, AskAgain::REASON)?)?;
            }
        }
        if whole.undone {
            info!(target: "updaters.daily_updater", "Rolled back {} batches of this run", batches.len());
        }
        let mut state = self.state();
        state.not_undone = None;
        if left == 0 {
            state.written.clear();
        } else {
            state.not_undone = Some(not_undone(&whole, restored, left, state.run));
        }
        drop(state);
        crate::python::logs::drain(py)?;
        Ok(left == 0)
    }
}

/// What was undone is asked for again, also when it has left the window by then.
struct AskAgain {
    congress: i64,
    waiting: HashMap<String, Deferred>,
}

impl AskAgain {
    const REASON: &str = "the run that stored it was undone";

    /// Undoes batches and notes what is to be asked for, in one transaction.
    fn undo(
        &self,
        handle: &Handle,
        patience: &Patience<'_>,
        batches: &[BatchId],
    ) -> StoreResult<UndoReport> {
        let mut report = UndoReport::default();
        handle.with_retry(patience, |store| {
            store.undo_together(&mut |store| {
                report = store.undo(batches, UndoPolicy::AllOrNothing)?;
                if report.undone {
                    self.note(store, &report)?;
                }
                Ok(report.undone)
            })
        })?;
        Ok(report)
    }

    fn note(&self, store: &mut dyn Store, report: &UndoReport) -> StoreResult<()> {
        for (event_id, _) in &report.events {
            let known = self.waiting.get(event_id);
            let congress = known.and_then(|event| event.congress);
            store.defer(
                event_id,
                Some(congress.unwrap_or(self.congress)),
                known.and_then(|event| event.chamber.as_deref()),
                DeferKind::Batch,
                Self::REASON,
            )?;
        }
        Ok(())
    }
}

fn not_undone(whole: &UndoReport, restored: usize, left: usize, run: Option<RunId>) -> String {
    let rows = |count| match count {
        1 => "1 row was".to_owned(),
        many => format!("{many} rows were"),
    };
    let changed = rows(whole.conflicts.len());
    let part = match restored {
        0 => String::new(),
        some => format!("; {} restored, batches that remain: {left}", rows(some)),
    };
    let how = run.map_or_else(String::new, |run| {
        format!(" (hearing-updater rollback --run {run} --force undoes the rest)")
    });
    format!("{changed} changed again by another program{part}{how}")
}

fn only_native(told: &Told) -> bool {
    let hand = &told.by_hand;
    hand.originals
        .iter()
        .all(|(event_id, _)| told.native_events.contains(event_id))
        && hand
            .updated
            .iter()
            .chain(&hand.added)
            .all(|id| told.native_events.contains(id))
        && hand
            .witnesses_added
            .iter()
            .all(|id| told.native_witnesses.contains(id))
        && hand
            .documents_added
            .iter()
            .all(|id| told.native_documents.contains(id))
}
