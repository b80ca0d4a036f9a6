//! `_apply_updates_with_batches`, `_apply_updates`, `_process_batch`, `_validate_batch`: the batch loop
//! with the updater's own methods as its steps, so that overrides are honoured.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use serde_json::Value;
use tracing::{error, info, warn};

use super::Engine;
use super::changes::event_id_of;
use super::face::{Face, describe, ends_the_run};
use super::state::Pending;
use super::write::{owned, payload};
use crate::batch::{
    Ended, Numbering, Outcome, Report, Steps, Verdict, apply_each, apply_one_pass, run_batches,
    validate,
};
use crate::python::convert::to_json;
use crate::python::database::Connection;
use crate::store::{BatchFigures, BatchHead, BatchKind, DeferKind, StoreResult};

/// The updater's methods as the steps of a batch.
struct Seams<'e, 'py> {
    engine: &'e Engine,
    face: Face<'py>,
}

/// Splits what a seam raised: what ends the run, and the text of what ends only the batch.
fn caught<T>(py: Python<'_>, result: PyResult<T>) -> PyResult<Result<T, String>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(err) if ends_the_run(py, &err) => Err(err),
        Err(err) => Ok(Err(describe(py, &err))),
    }
}

impl<'py> Steps for Seams<'_, 'py> {
    type Batch = Bound<'py, PyList>;
    type Checkpoint = Bound<'py, PyAny>;
    type Stop = PyErr;

    fn size(&self, batch: &Self::Batch) -> usize {
        batch.len()
    }

    fn checkpoint(&mut self, number: usize) -> PyResult<Self::Checkpoint> {
        let py = self.face.py();
        let checkpoint =
            py.import("updaters.values")?.getattr("Checkpoint")?.call1((number,))?;
        self.engine.open_checkpoint(Some(checkpoint.clone().unbind()));
        Ok(checkpoint)
    }

    fn validate(&mut self, batch: &Self::Batch) -> PyResult<Verdict> {
        let py = self.face.py();
        let said = self.face.0.call_method1("_validate_batch", (batch,)).and_then(|answer| {
            let valid = answer.get_item(0)?.is_truthy()?;
            let issues = answer.get_item(1)?.try_iter()?;
            let issues: PyResult<Vec<String>> =
                issues.map(|issue| Ok(issue?.str()?.to_string())).collect();
            Ok((valid, issues?))
        });
        Ok(match caught(py, said)? {
            Ok((true, _)) => Verdict::Valid,
            Ok((false, issues)) => Verdict::Invalid(issues),
            Err(why) => Verdict::Failed(why),
        })
    }

    fn process(
        &mut self,
        batch: &Self::Batch,
        number: usize,
        checkpoint: &Self::Checkpoint,
    ) -> PyResult<Outcome> {
        let py = self.face.py();
        self.engine.start_pending(&self.face)?;
        let answer =
            self.face.0.call_method1("_process_batch", (batch, number, checkpoint));
        // An override may have left its transaction open.
        let handle = self.face.handle()?;
        if handle.in_transaction() {
            py.detach(|| handle.roll_back());
        }
        self.engine.adopt_commits(&self.face)?;
        let answer = answer.and_then(|result| {
            Ok(Outcome {
                success: result.getattr("success")?.is_truthy()?,
                records: result.getattr("records")?.extract().unwrap_or(batch.len()),
                error: text(&result.getattr("error")?)?,
                issues: texts(&result.getattr("issues")?)?,
            })
        });
        Ok(match caught(py, answer)? {
            Ok(outcome) => outcome,
            Err(why) => Outcome { success: false, error: Some(why), ..Outcome::default() },
        })
    }

    fn roll_back(&mut self, checkpoint: &Self::Checkpoint) -> PyResult<bool> {
        let py = self.face.py();
        let answer = self
            .face
            .0
            .call_method1("_rollback_checkpoint", (checkpoint,))
            .and_then(|answer| answer.is_truthy());
        match caught(py, answer)? {
            Ok(undone) => Ok(undone),
            Err(why) => {
                error!(target: "updaters.daily_updater", "rollback raised: {why}");
                Ok(false)
            }
        }
    }

    fn salvage(&mut self, batch: &Self::Batch, number: usize) -> PyResult<usize> {
        self.engine.salvage(&self.face, batch, number)
    }

    fn finished(
        &mut self,
        report: &Report,
        batch: &Self::Batch,
        checkpoint: &Self::Checkpoint,
    ) -> PyResult<()> {
        self.engine.batch_finished(&self.face, report, batch, checkpoint)
    }
}

fn text(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if value.is_none() { Ok(None) } else { Ok(Some(value.str()?.to_string())) }
}

fn texts(value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if value.is_none() {
        return Ok(Vec::new());
    }
    value.try_iter()?.map(|one| Ok(one?.str()?.to_string())).collect()
}

impl Engine {
    pub(super) fn apply_batches(
        &self,
        face: &Face<'_>,
        changes: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let metrics = face.metrics()?;
        metrics.setattr("batch_processing_enabled", true)?;
        let items = face.items(changes)?;
        self.resolve_committees(face, &items)?;
        let batches = face.0.call_method1("_divide_into_batches", (&items,))?;
        let batches: Vec<Bound<'_, PyList>> =
            batches.try_iter()?.map(|batch| as_list(&batch?)).collect::<PyResult<_>>()?;
        let size: usize = face.setting("batch_processing_size")?;
        info!(target: "updaters.daily_updater",
            "Divided into {} batches of up to {size} changes each", batches.len());
        face.count("batch_count", batches.len())?;
        crate::python::logs::drain(face.py())?;
        let before = self.state().batches_so_far;
        let numbering = Numbering { before, count: batches.len() };
        let mut seams = Seams { engine: self, face: face.clone() };
        let outcome = run_batches(&mut seams, batches, numbering);
        self.open_checkpoint(None);
        self.state().batches_so_far = before + numbering.count;
        crate::python::logs::drain(face.py())?;
        outcome.map(|_| ())
    }

    /// `_validate_batch`, by the contract's rules.
    pub(super) fn validate<'py>(
        &self,
        face: &Face<'py>,
        batch: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let py = face.py();
        let mut records = Vec::new();
        for item in batch.try_iter()? {
            records.push(to_json(&payload(&item?)));
        }
        let resolved: HashSet<String> = self.state().resolved.keys().cloned().collect();
        let components = face.components()?;
        let issues = if components.committees && names_committees(&records) {
            let handle = face.handle()?;
            let stored = self
                .watch(face)
                .store(py, |patience| handle.with(patience, |store| store.committee_codes()))?;
            validate(&records, &|code| stored.contains(code) || resolved.contains(code))
        } else {
            validate(&records, &|_| true)
        };
        PyTuple::new(
            py,
            [
                issues.is_empty().into_pyobject(py)?.to_owned().into_any(),
                issues.into_pyobject(py)?.into_any(),
            ],
        )
    }

    /// `_process_batch`: one transaction, every item through its seam. Does not validate.
    pub(super) fn process_batch<'py>(
        &self,
        face: &Face<'py>,
        batch: &Bound<'py, PyAny>,
        number: i64,
        checkpoint: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = face.py();
        let items = as_list(batch)?;
        let outer = self.checkpoint(py);
        // Called alone, earlier commits are none of this checkpoint's business.
        if outer.is_some() {
            self.adopt_commits(face)?;
        } else {
            self.discard_commits(face)?;
        }
        self.open_checkpoint(Some(checkpoint.clone().unbind()));
        let head = BatchHead { run: self.state().run, number, kind: BatchKind::Batch };
        let started = self.pending();
        let applied = self.in_one_transaction(face, head, &items);
        self.state().processed = true;
        self.adopt_commits(face)?;
        self.open_checkpoint(outer.map(Bound::unbind));
        let result = py.import("updaters.values")?.getattr("BatchResult")?;
        match applied? {
            Ok(()) => result.call1((true, items.len())),
            Err(why) => {
                self.state().pending = started;
                let fields = PyDict::new(py);
                fields.set_item("error", why)?;
                result.call((false, 0), Some(&fields))
            }
        }
    }

    fn in_one_transaction(
        &self,
        face: &Face<'_>,
        head: BatchHead,
        items: &Bound<'_, PyList>,
    ) -> PyResult<Result<(), String>> {
        let py = face.py();
        let handle = face.handle()?;
        let conn = Bound::new(py, Connection::new(handle.clone(), face.wait()))?.into_any().unbind();
        let updater = face.0.clone().unbind();
        let items = owned(items);
        let watch = self.watch(face);
        let ended = watch.quietly(py, |patience| {
            apply_each(&handle, head, patience, items, |item| {
                Python::attach(|py| {
                    let face = Face(updater.bind(py).clone());
                    self.one(&face, conn.bind(py), item.bind(py))
                })
            })
        });
        match ended {
            Ok(_) => Ok(Ok(())),
            Err(Ended::Stop(stop)) => Err(stop),
            Err(Ended::Failed(why)) => match watch.take_raised() {
                Some(raised) => Err(raised),
                None => Ok(Err(why)),
            },
        }
    }

    /// One item through its seam, its failure put into words that name it.
    fn one(
        &self,
        face: &Face<'_>,
        conn: &Bound<'_, PyAny>,
        item: &Bound<'_, PyAny>,
    ) -> Result<(), Ended<PyErr>> {
        match caught(face.py(), self.write_item(face, conn, item)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(Ended::Failed(match event_id_of(&payload(item)) {
                Some(event_id) if !why.contains(&event_id) => format!("event {event_id}: {why}"),
                _ => why,
            })),
            Err(stop) => Err(Ended::Stop(stop)),
        }
    }

    /// `_apply_updates`: one pass, a savepoint each; a record that fails is undone alone.
    pub(super) fn apply_plain(
        &self,
        face: &Face<'_>,
        changes: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = face.py();
        let items = face.items(changes)?;
        if items.is_empty() {
            return Ok(());
        }
        self.resolve_committees(face, &items)?;
        let head = BatchHead { run: self.state().run, number: 0, kind: BatchKind::Plain };
        self.start_pending(face)?;
        let before = Instant::now();
        let (failed, _) = self.one_pass(face, head, &items)?;
        self.adopt_commits(face)?;
        let pending = self.pending();
        self.count(face, pending)?;
        for (item, why) in &failed {
            let record = payload(item.bind(py));
            let event_id = event_id_of(&record).unwrap_or_default();
            error!(target: "updaters.daily_updater", "record failed and was undone alone: {why}");
            face.append("errors", why)?;
            self.state().fail(&event_id, chamber_of(&record).as_deref(), DeferKind::Record, why);
        }
        let mut state = self.state();
        let batch = state.batches.last().copied();
        state.figures.push(BatchFigures {
            number: 0,
            batch,
            size: i64::try_from(items.len()).unwrap_or(i64::MAX),
            records: i64::try_from(items.len() - failed.len()).unwrap_or(i64::MAX),
            outcome: "applied".into(),
            apply_ms: before.elapsed().as_secs_f64() * 1000.0,
            ..BatchFigures::default()
        });
        Ok(())
    }

    /// -> the items that failed, each with its reason, and how many went in.
    #[allow(clippy::type_complexity)]
    fn one_pass(
        &self,
        face: &Face<'_>,
        head: BatchHead,
        items: &Bound<'_, PyList>,
    ) -> PyResult<(Vec<(Py<PyAny>, String)>, usize)> {
        let py = face.py();
        let handle = face.handle()?;
        let conn = Bound::new(py, Connection::new(handle.clone(), face.wait()))?.into_any().unbind();
        let updater = face.0.clone().unbind();
        let watch = self.watch(face);
        let all = owned(items);
        let failed: Mutex<Vec<(usize, String)>> = Mutex::default();
        let done = Mutex::new(self.pending());
        let ended = watch.quietly(py, |patience| {
            apply_one_pass(
                &handle,
                head,
                patience,
                0..all.len(),
                |at| {
                    Python::attach(|py| {
                        let face = Face(updater.bind(py).clone());
                        self.one(&face, conn.bind(py), all[at].bind(py))
                    })?;
                    *done.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                        self.pending();
                    Ok(())
                },
                |at, why| {
                    // What the failed record counted goes with it.
                    self.state().pending =
                        *done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    let mut failed =
                        failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    failed.push((at, why));
                    Ok(())
                },
            )
        });
        match ended {
            Ok(_) => {}
            Err(Ended::Stop(stop)) => return Err(stop),
            Err(Ended::Failed(why)) => {
                return Err(watch
                    .take_raised()
                    .unwrap_or_else(|| crate::python::errors::database(py, why)));
            }
        }
        let failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let applied = all.len() - failed.len();
        let mut named = Vec::with_capacity(failed.len());
        for (at, why) in failed {
            self.state().written.remove(&event_id_of(&payload(all[at].bind(py))).unwrap_or_default());
            named.push((all[at].clone_ref(py), why));
        }
        Ok((named, applied))
    }

    /// `BATCH_SALVAGE`: the valid records of a batch that failed, in a transaction of their own.
    fn salvage(&self, face: &Face<'_>, batch: &Bound<'_, PyList>, number: usize) -> PyResult<usize> {
        let py = face.py();
        if !face.setting::<bool>("batch_salvage")? {
            return Ok(0);
        }
        let valid = PyList::empty(py);
        let mut seen = HashSet::new();
        for item in batch.iter() {
            let one = PyList::new(py, [&item])?;
            let verdict = caught(py, face.0.call_method1("_validate_batch", (one,)))?;
            let sound = match verdict {
                Ok(answer) => answer.get_item(0)?.is_truthy()?,
                Err(_) => false,
            };
            let first = event_id_of(&payload(&item)).is_some_and(|id| seen.insert(id));
            if sound && first {
                valid.append(item)?;
            }
        }
        if valid.is_empty() {
            return Ok(0);
        }
        let number = i64::try_from(number).unwrap_or(0);
        let head = BatchHead { run: self.state().run, number, kind: BatchKind::Salvage };
        self.open_checkpoint(None);
        self.start_pending(face)?;
        let (failed, applied) = self.one_pass(face, head, &valid)?;
        self.adopt_commits(face)?;
        let pending = self.pending();
        self.count(face, pending)?;
        for (_, why) in failed {
            warn!(target: "updaters.daily_updater", "Batch {number}: not salvaged: {why}");
        }
        info!(target: "updaters.daily_updater",
            "Batch {number}: salvaged {applied} of {} records", batch.len());
        Ok(applied)
    }

    fn count(&self, face: &Face<'_>, pending: Pending) -> PyResult<()> {
        face.count("hearings_updated", pending.updated)?;
        face.count("hearings_added", pending.added)?;
        face.count("witnesses_updated", pending.witnesses)?;
        face.count("committees_updated", pending.committees)
    }

    fn batch_finished(
        &self,
        face: &Face<'_>,
        report: &Report,
        batch: &Bound<'_, PyList>,
        checkpoint: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = face.py();
        if report.success {
            face.count("batches_succeeded", 1)?;
            let (mut pending, native) = {
                let state = self.state();
                (state.pending, state.processed)
            };
            if !native {
                // An override applied the batch in its own way; its checkpoint says what it did.
                pending.updated = checkpoint.getattr("hearings_to_update")?.len()?;
                pending.added = checkpoint.getattr("hearings_to_add")?.len()?;
            }
            self.count(face, pending)?;
        } else {
            face.count("batches_failed", 1)?;
            self.report_failure(face, report, batch)?;
        }
        let journal: Vec<i64> = checkpoint.getattr("journal_batches")?.extract().unwrap_or_default();
        let mut state = self.state();
        let commit_ms = std::mem::take(&mut state.commit_ms);
        state.figures.push(BatchFigures {
            number: i64::try_from(report.number).unwrap_or(0),
            batch: journal.last().copied().filter(|_| report.success),
            size: i64::try_from(report.size).unwrap_or(0),
            records: i64::try_from(report.records + report.salvaged).unwrap_or(0),
            outcome: outcome_of(report).into(),
            error: report.error.clone(),
            issues: report.issues.clone(),
            validate_ms: report.validate_ms,
            apply_ms: report.apply_ms,
            commit_ms,
        });
        drop(state);
        crate::python::logs::drain(py)?;
        face.0.call_method1("_report_batch", (report.number,))?;
        Ok(())
    }

    fn report_failure(
        &self,
        face: &Face<'_>,
        report: &Report,
        batch: &Bound<'_, PyList>,
    ) -> PyResult<()> {
        let py = face.py();
        let entry = PyDict::new(py);
        entry.set_item("batch", report.number)?;
        entry.set_item("error", report.error.as_deref().unwrap_or("failed"))?;
        if !report.issues.is_empty() {
            entry.set_item("issues", &report.issues)?;
        }
        face.append("batch_errors", entry)?;
        if report.rollback_failed {
            let text = format!(
                "Batch {} failed and could not be rolled back: {}",
                report.number,
                report.error.as_deref().unwrap_or("no reason given")
            );
            face.append("errors", text)?;
        }
        for item in batch.iter() {
            let record = payload(&item);
            let Some(event_id) = event_id_of(&record) else { continue };
            let mut state = self.state();
            if report.salvaged > 0 && state.written.contains(&event_id) {
                continue;
            }
            state.written.remove(&event_id);
            let own = report.issues.iter().find(|issue| issue.contains(&event_id));
            let why = own.or(report.error.as_ref()).map_or("failed", String::as_str);
            let reason = format!("batch {}: {why}", report.number);
            state.fail(&event_id, chamber_of(&record).as_deref(), DeferKind::Batch, &reason);
        }
        Ok(())
    }
}

fn outcome_of(report: &Report) -> &'static str {
    match (report.success, report.salvaged > 0, report.skipped) {
        (true, _, _) => "applied",
        (false, true, _) => "salvaged",
        (false, false, true) => "skipped",
        (false, false, false) => "failed",
    }
}

fn as_list<'py>(batch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    match batch.cast::<PyList>() {
        Ok(list) => Ok(list.clone()),
        Err(_) => {
            let items: Vec<_> = batch.try_iter()?.collect::<PyResult<_>>()?;
            PyList::new(batch.py(), items)
        }
    }
}

fn names_committees(records: &[Result<Value, String>]) -> bool {
    records.iter().flatten().any(|record| {
        let record = record.get("committeeMeeting").unwrap_or(record);
        record.get("committees").is_some_and(|named| !named.is_null())
    })
}

pub(super) fn chamber_of(record: &Bound<'_, PyAny>) -> Option<String> {
    let chamber: String = record.cast::<PyDict>().ok()?.get_item("chamber").ok()??.extract().ok()?;
    Some(chamber.to_ascii_lowercase())
}

/// The batches that this connection committed since it was last asked belong to whoever is applying.
pub(super) fn take_committed(
    handle: &crate::store::Handle,
    patience: &crate::store::Patience<'_>,
) -> StoreResult<Vec<i64>> {
    handle.with(patience, |store| Ok(store.take_committed()))
}
