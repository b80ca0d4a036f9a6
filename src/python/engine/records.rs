//! `_validate_batch`, `_process_batch`, `_apply_updates`: records in one transaction, each through its
//! seam.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use tracing::error;

use super::changes::event_id_of;
use super::committees::named_in;
use super::face::Face;
use super::state::Pending;
use super::write::{owned, payload};
use super::{Engine, note_batches};
use crate::batch::{Applied, Code, Ended, apply_each, apply_one_pass, ms, validate_parsed};
use crate::faults::{Point, reach};
use crate::python::connection::Connection;
use crate::python::errors;
use crate::python::interrupts;
use crate::store::{
    BatchFigures, BatchHead, BatchKind, BatchOutcome, DeferKind, Handle, Patience, StoreResult,
};

impl Engine {
    /// `_validate_batch`, by the contract's rules.
    pub(super) fn validate<'py>(
        &self,
        face: &Face<'py>,
        batch: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let py = face.py();
        let mut records = Vec::new();
        let mut seen = HashSet::new();
        for item in batch.try_iter()? {
            let item = item?;
            seen.insert(item.as_ptr() as usize);
            records.push(self.parsed(&payload(&item)));
        }
        // Those that came by another way than fetching (a replaced fetch, a hand-made change) are
        // looked up here.
        let known = self.resolve(face, named_in(records.iter().flatten()))?;
        // Outside a run's loop nothing keeps the items until they are processed.
        if self.checkpoint(py).is_some() {
            self.state().looked_into = seen;
        }
        let linked = face.components()?.committees;
        let issues = validate_parsed(&records, &|code| {
            if !linked || known.contains(code) {
                Code::Usable
            } else {
                self.why_unknown(code)
            }
        });
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
        let seen = std::mem::take(&mut self.state().looked_into);
        if !items
            .iter()
            .all(|item| seen.contains(&(item.as_ptr() as usize)))
        {
            self.resolve_committees(face, &items)?;
        }
        let outer = self.checkpoint(py);
        // Called alone, earlier commits are none of this checkpoint's business.
        if outer.is_some() {
            self.adopt_commits(face)?;
        } else {
            self.discard_commits(face)?;
        }
        self.open_checkpoint(Some(checkpoint.clone().unbind()));
        let head = BatchHead {
            run: self.state().run,
            number,
            kind: BatchKind::Batch,
        };
        let started = self.pending();
        let applied = self.in_one_transaction(face, head, &items);
        self.state().processed = true;
        let adopted = self.adopt_commits(face)?;
        // An override may have given a checkpoint of its own; the batch's has to undo it all the same.
        if let Some(outer) = outer.as_ref().filter(|outer| !outer.is(checkpoint)) {
            note_batches(outer, &adopted)?;
        }
        self.open_checkpoint(outer.map(Bound::unbind));
        let result = py.import("updaters.values")?.getattr("BatchResult")?;
        let applied = applied?.and_then(|()| {
            reach(Point::Applied, || head.label()).map_err(|ordered| ordered.to_string())
        });
        match applied {
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
        let conn = Bound::new(py, Connection::new(handle.clone(), face.wait()?))?
            .into_any()
            .unbind();
        let updater = face.0.clone().unbind();
        let items = owned(items);
        let watch = self.watch(face)?;
        let ended = watch.quietly(py, |patience| {
            apply_each(&handle, head, patience, items, |item| {
                Python::attach(|py| {
                    let face = Face(updater.bind(py).clone());
                    self.one(&face, conn.bind(py), item.bind(py))
                })
            })
        });
        match ended {
            Ok(applied) => {
                self.state().commit_ms = Some(applied.commit_ms);
                watch.take_raised().map_or(Ok(Ok(())), Err)
            }
            Err(Ended::Stop(stop)) => Err(stop),
            Err(Ended::Failed(why)) => match watch.take_raised() {
                Some(raised) => Err(raised),
                None => Ok(Err(why)),
            },
            Err(Ended::Broken(why)) => {
                self.state().broken = Some(why.clone());
                Ok(Err(why))
            }
        }
    }

    /// One item through its seam, its failure put into words that name it.
    fn one(
        &self,
        face: &Face<'_>,
        conn: &Bound<'_, PyAny>,
        item: &Bound<'_, PyAny>,
    ) -> Result<(), Ended<PyErr>> {
        let py = face.py();
        let written = self
            .stop_if_cancelled(py)
            .and_then(|()| self.write_item(face, conn, item));
        let broken = matches!(&written, Err(err) if errors::is_of_the_file(py, err));
        match face.caught(written) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) if broken => Err(Ended::Broken(why)),
            Ok(Err(why)) => Err(Ended::Failed(match event_id_of(&payload(item)) {
                Some(event_id) if !why.contains(&event_id) => format!("event {event_id}: {why}"),
                _ => why,
            })),
            Err(stop) => Err(Ended::Stop(stop)),
        }
    }

    /// `_apply_updates`: one pass, a savepoint each; a record that fails is undone alone.
    pub(super) fn apply_plain(&self, face: &Face<'_>, changes: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = face.py();
        let items = face.items(changes)?;
        if items.is_empty() {
            return Ok(());
        }
        self.resolve_committees(face, &items)?;
        let head = BatchHead {
            run: self.state().run,
            number: 0,
            kind: BatchKind::Plain,
        };
        self.start_pending(face)?;
        let started = Instant::now();
        let applied = self.one_pass(face, head, &items);
        self.forget_records();
        let pass = match applied {
            Ok(pass) => pass,
            Err(err) => {
                self.state().figures.push(BatchFigures {
                    kind: head.kind,
                    size: i64::try_from(items.len()).unwrap_or(i64::MAX),
                    outcome: BatchOutcome::Failed,
                    at: utc_now(),
                    error: Some(face.describe(&err)),
                    apply_ms: Some(ms(started)),
                    ..BatchFigures::default()
                });
                return Err(err);
            }
        };
        // Counted before anything that Ctrl-C may interrupt: the pass is committed.
        count(face, self.pending())?;
        let figures = pass.figures(head, items.len(), started);
        self.state().figures.push(figures);
        self.adopt_commits(face)?;
        for (item, why) in &pass.failed {
            let record = payload(item.bind(py));
            let event_id = event_id_of(&record).unwrap_or_default();
            error!(target: "updaters.daily_updater", "record failed and was undone alone: {why}");
            face.append("errors", why)?;
            self.state().fail(
                &event_id,
                chamber_of(&record).as_deref(),
                DeferKind::Record,
                why,
            );
        }
        Ok(())
    }

    pub(super) fn one_pass(
        &self,
        face: &Face<'_>,
        head: BatchHead,
        items: &Bound<'_, PyList>,
    ) -> PyResult<Pass> {
        let py = face.py();
        let handle = face.handle()?;
        let conn = Bound::new(py, Connection::new(handle.clone(), face.wait()?))?
            .into_any()
            .unbind();
        let updater = face.0.clone().unbind();
        let watch = self.watch(face)?;
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
                    *done.lock().unwrap_or_else(PoisonError::into_inner) = self.pending();
                    Ok(())
                },
                |at, why| {
                    // What the failed record counted goes with it.
                    self.state().pending = *done.lock().unwrap_or_else(PoisonError::into_inner);
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.push((at, why));
                    Ok(())
                },
            )
        });
        let applied = match ended {
            // What was raised meanwhile ends the run, once what was committed is counted.
            Ok(applied) => {
                if let Some(raised) = watch.take_raised() {
                    interrupts::postpone(py, raised);
                }
                applied
            }
            Err(Ended::Stop(stop)) => return Err(stop),
            Err(Ended::Failed(why) | Ended::Broken(why)) => {
                return Err(watch
                    .take_raised()
                    .unwrap_or_else(|| errors::database(py, why)));
            }
        };
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut named = Vec::with_capacity(failed.len());
        for (at, why) in failed {
            self.state()
                .written
                .remove(&event_id_of(&payload(all[at].bind(py))).unwrap_or_default());
            named.push((all[at].clone_ref(py), why));
        }
        Ok(Pass {
            applied,
            failed: named,
        })
    }
}

/// One pass that was committed.
pub(super) struct Pass {
    applied: Applied,
    /// The items that failed, each with its reason.
    pub failed: Vec<(Py<PyAny>, String)>,
}

impl Pass {
    pub fn figures(&self, head: BatchHead, size: usize, started: Instant) -> BatchFigures {
        let commit_ms = self.applied.commit_ms;
        let apply_ms = ms(started) - commit_ms;
        BatchFigures {
            number: head.number,
            kind: head.kind,
            batch: self.applied.batch,
            size: i64::try_from(size).unwrap_or(i64::MAX),
            records: i64::try_from(size - self.failed.len()).unwrap_or(i64::MAX),
            at: utc_now(),
            apply_ms: Some(apply_ms.max(0.0)),
            commit_ms: Some(commit_ms),
            ..BatchFigures::default()
        }
    }
}

/// Now, as the store writes it.
pub(super) fn utc_now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// Adds what a batch (or pass) counted to the metrics.
pub(super) fn count(face: &Face<'_>, pending: Pending) -> PyResult<()> {
    face.count("hearings_updated", pending.updated)?;
    face.count("hearings_added", pending.added)?;
    face.count("witnesses_updated", pending.witnesses)?;
    face.count("committees_updated", pending.committees)
}

pub(super) fn as_list<'py>(batch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    if let Ok(list) = batch.cast::<PyList>() {
        return Ok(list.clone());
    }
    let items: Vec<_> = batch.try_iter()?.collect::<PyResult<_>>()?;
    PyList::new(batch.py(), items)
}

pub(super) fn chamber_of(record: &Bound<'_, PyAny>) -> Option<String> {
    let chamber: String = record
        .cast::<PyDict>()
        .ok()?
        .get_item("chamber")
        .ok()??
        .extract()
        .ok()?;
    Some(chamber.to_ascii_lowercase())
}

/// The batches that this connection committed since it was last asked belong to whoever is applying.
pub(super) fn take_committed(handle: &Handle, patience: &Patience<'_>) -> StoreResult<Vec<i64>> {
    handle.with(patience, |store| Ok(store.take_committed()))
}
