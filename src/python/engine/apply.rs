//! `_apply_updates_with_batches`: the batch loop with the updater's own methods as its steps, so that
//! overrides are honoured.

use std::collections::HashSet;
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::PyList;
use tracing::{error, info, warn};

use super::Engine;
use super::changes::event_id_of;
use super::face::Face;
use super::records::{as_list, count, utc_now};
use super::undo::ids;
use super::write::payload;
use crate::batch::{Numbering, Outcome, Report, Steps, Verdict, run_batches};
use crate::python::errors;
use crate::python::interrupts::ends_the_run;
use crate::store::{BatchFigures, BatchHead, BatchKind, BatchOutcome};

/// The updater's methods as the steps of a batch.
struct Seams<'e, 'py> {
    engine: &'e Engine,
    face: Face<'py>,
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
        self.engine.stop_if_cancelled(py)?;
        self.engine.stop_if_broken(py)?;
        let checkpoint = py
            .import("updaters.values")?
            .getattr("Checkpoint")?
            .call1((number,))?;
        self.engine
            .open_checkpoint(Some(checkpoint.clone().unbind()));
        let mut state = self.engine.state();
        state.looked_into.clear();
        state.commit_ms = None;
        Ok(checkpoint)
    }

    fn validate(&mut self, batch: &Self::Batch) -> PyResult<Verdict> {
        let said = self
            .face
            .0
            .call_method1("_validate_batch", (batch,))
            .and_then(|answer| {
                let valid = answer.get_item(0)?.is_truthy()?;
                let issues = answer.get_item(1)?.try_iter()?;
                let issues: PyResult<Vec<String>> = issues
                    .map(|issue| Ok(self.face.masked(&issue?.str()?.to_string())))
                    .collect();
                Ok((valid, issues?))
            });
        Ok(match self.face.caught(said)? {
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
        let answer = self
            .face
            .0
            .call_method1("_process_batch", (batch, number, checkpoint));
        // An override may have left its transaction open.
        let handle = self.face.handle()?;
        if handle.in_transaction() {
            py.detach(|| handle.roll_back());
        }
        let adopted = self.engine.adopt_commits(&self.face);
        let stopped = answer
            .as_ref()
            .err()
            .into_iter()
            .chain(adopted.as_ref().err())
            .any(|err| ends_the_run(py, err));
        if stopped {
            // Ctrl-C may land between the commit and here: what is in was done.
            self.engine.count_committed(&self.face, checkpoint)?;
        }
        let answer = adopted.and(answer).and_then(|result| {
            Ok(Outcome {
                success: result.getattr("success")?.is_truthy()?,
                records: result.getattr("records")?.extract().unwrap_or(batch.len()),
                error: text(&result.getattr("error")?)?.map(|why| self.face.masked(&why)),
                issues: texts(&result.getattr("issues")?)?
                    .iter()
                    .map(|issue| self.face.masked(issue))
                    .collect(),
            })
        });
        let broken = matches!(&answer, Err(err) if errors::is_of_the_file(py, err));
        Ok(match self.face.caught(answer)? {
            Ok(outcome) => outcome,
            Err(why) if broken => {
                self.engine.state().broken = Some(why.clone());
                Outcome {
                    success: false,
                    error: Some(why),
                    ..Outcome::default()
                }
            }
            Err(why) => Outcome {
                success: false,
                error: Some(why),
                ..Outcome::default()
            },
        })
    }

    fn roll_back(&mut self, checkpoint: &Self::Checkpoint) -> PyResult<bool> {
        let answer = self
            .face
            .0
            .call_method1("_rollback_checkpoint", (checkpoint,))
            .and_then(|answer| answer.is_truthy());
        match self.face.caught(answer)? {
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
        self.engine
            .batch_finished(&self.face, report, batch, checkpoint)
    }
}

fn text(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if value.is_none() {
        Ok(None)
    } else {
        Ok(Some(value.str()?.to_string()))
    }
}

fn texts(value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if value.is_none() {
        return Ok(Vec::new());
    }
    value
        .try_iter()?
        .map(|one| Ok(one?.str()?.to_string()))
        .collect()
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
        let batches = face.0.call_method1("_divide_into_batches", (&items,))?;
        let batches: Vec<Bound<'_, PyList>> = batches
            .try_iter()?
            .map(|batch| as_list(&batch?))
            .collect::<PyResult<_>>()?;
        let size: usize = face.setting("batch_processing_size")?;
        info!(target: "updaters.daily_updater",
            "Divided into {} batches of up to {size} changes each", batches.len());
        face.count("batch_count", batches.len())?;
        crate::python::logs::drain(face.py())?;
        let before = self.state().batches_so_far;
        let numbering = Numbering {
            before,
            count: batches.len(),
        };
        self.state().broken = None;
        let mut seams = Seams {
            engine: self,
            face: face.clone(),
        };
        let outcome = run_batches(&mut seams, batches, numbering);
        self.open_checkpoint(None);
        self.forget_records();
        self.state().batches_so_far = before + numbering.count;
        crate::python::logs::drain(face.py())?;
        outcome?;
        self.stop_if_broken(face.py())
    }

    /// A full disk is no batch's own fault: the run fails there.
    fn stop_if_broken(&self, py: Python<'_>) -> PyResult<()> {
        match self.state().broken.take() {
            Some(why) => Err(errors::database(py, why)),
            None => Ok(()),
        }
    }

    /// `BATCH_SALVAGE`: the valid records of a batch that failed, in a transaction of their own.
    fn salvage(
        &self,
        face: &Face<'_>,
        batch: &Bound<'_, PyList>,
        number: usize,
    ) -> PyResult<usize> {
        let py = face.py();
        if !face.setting::<bool>("batch_salvage")? {
            return Ok(0);
        }
        let valid = PyList::empty(py);
        let mut seen = HashSet::new();
        for item in batch.iter() {
            let one = PyList::new(py, [&item])?;
            let verdict = face.caught(face.0.call_method1("_validate_batch", (one,)))?;
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
        let head = BatchHead {
            run: self.state().run,
            number,
            kind: BatchKind::Salvage,
        };
        self.open_checkpoint(None);
        self.start_pending(face)?;
        let started = Instant::now();
        let pass = self.one_pass(face, head, &valid)?;
        self.state()
            .figures
            .push(pass.figures(head, valid.len(), started));
        self.adopt_commits(face)?;
        let pending = self.pending();
        count(face, pending)?;
        let applied = valid.len() - pass.failed.len();
        for (_, why) in pass.failed {
            warn!(target: "updaters.daily_updater", "Batch {number}: not salvaged: {why}");
        }
        info!(target: "updaters.daily_updater",
            "Batch {number}: salvaged {applied} of {} records", batch.len());
        Ok(applied)
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
                let named = |list: &str| -> PyResult<usize> {
                    Ok(ids(checkpoint, list)?
                        .into_iter()
                        .collect::<HashSet<_>>()
                        .len())
                };
                pending.updated = named("hearings_to_update")?;
                pending.added = named("hearings_to_add")?;
            }
            count(face, pending)?;
        } else {
            face.count("batches_failed", 1)?;
            self.report_failure(face, report, batch)?;
        }
        let journal: Vec<i64> = checkpoint
            .getattr("journal_batches")?
            .extract()
            .unwrap_or_default();
        let mut state = self.state();
        let commit_ms = state.commit_ms.take();
        state.figures.push(BatchFigures {
            number: i64::try_from(report.number).unwrap_or(0),
            kind: BatchKind::Batch,
            batch: journal.last().copied().filter(|_| report.success),
            size: i64::try_from(report.size).unwrap_or(0),
            records: i64::try_from(report.records).unwrap_or(0),
            outcome: outcome_of(report),
            at: utc_now(),
            error: report.error.clone(),
            issues: report.issues.clone(),
            validate_ms: Some(report.validate_ms),
            apply_ms: report
                .apply_ms
                .map(|ms| (ms - commit_ms.unwrap_or(0.0)).max(0.0)),
            commit_ms,
        });
        drop(state);
        crate::python::logs::drain(py)?;
        face.0.call_method1("_report_batch", (report.number,))?;
        Ok(())
    }

    /// Counts a batch that was committed when the run was told to stop.
    fn count_committed(&self, face: &Face<'_>, checkpoint: &Bound<'_, PyAny>) -> PyResult<()> {
        let committed = checkpoint.getattr("journal_batches")?.len()? > 0;
        let (pending, native) = {
            let state = self.state();
            (state.pending, state.processed)
        };
        if committed && native {
            face.count("batches_succeeded", 1)?;
            count(face, pending)?;
        }
        Ok(())
    }
}

fn outcome_of(report: &Report) -> BatchOutcome {
    match (report.success, report.skipped) {
        (true, _) => BatchOutcome::Applied,
        (false, true) => BatchOutcome::Skipped,
        (false, false) => BatchOutcome::Failed,
    }
}
