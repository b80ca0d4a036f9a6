//! The native half of a `DailyUpdater`: each method is one seam's default, called with the updater itself,
//! so that what an override changes is what the run goes through.

mod apply;
mod changes;
mod choose;
mod committees;
mod face;
mod failed_batch;
mod fetch;
mod full;
mod known_bad;
mod parsed;
mod progress;
mod records;
mod run;
mod state;
mod undo;
mod write;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

pub use face::Face;
pub use progress::{Progress, Snapshot};

use super::watch::Watch;
use super::{errors, interrupts, logs};
use crate::store::BatchId;
use face::hidden;
use parsed::Records;
use state::{Pending, State};

/// How long an interrupted run waits for another program's lock.
const HURRIED: Duration = Duration::from_millis(300);

/// What a run knows of itself, and the defaults of the seams.
#[pyclass(name = "Engine", module = "updaters._native", frozen)]
#[derive(Default)]
pub struct Engine {
    state: Mutex<State>,
    /// The checkpoint that is being filled.
    checkpoint: Mutex<Option<Py<PyAny>>>,
    cancelled: Arc<AtomicBool>,
    /// Someone is waiting for the run to end: another program's lock is not waited for long.
    hurried: AtomicBool,
    progress: Mutex<Option<Arc<Progress>>>,
    /// What is being applied, parsed.
    records: Mutex<Records>,
}

impl Engine {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waiting on behalf of the run: its progress callback hears that it is alive.
    fn watch(&self, face: &Face<'_>) -> PyResult<Watch> {
        let slot = self
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let progress = match slot {
            Some(progress) => Some((progress, face.opened()?.and_then(|db| db.get().opened()))),
            None => None,
        };
        let wait = if self.hurried.load(Ordering::Relaxed) {
            HURRIED
        } else {
            face.wait()?
        };
        Ok(Watch::new(Arc::clone(&self.cancelled), progress, wait))
    }

    /// Between two records: what goes on without waiting must hear of it too.
    fn stop_if_cancelled(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(stop) = interrupts::postponed() {
            return Err(stop);
        }
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(errors::cancelled(py));
        }
        Ok(())
    }

    fn set_progress(&self, progress: Option<Arc<Progress>>) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    fn checkpoint<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let slot = self
            .checkpoint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map(|checkpoint| checkpoint.bind(py).clone())
    }

    fn open_checkpoint(&self, checkpoint: Option<Py<PyAny>>) {
        let before = std::mem::replace(
            &mut *self
                .checkpoint
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
            checkpoint,
        );
        drop(before);
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_records(&self) {
        *self.records() = Records::default();
    }

    fn pending(&self) -> Pending {
        self.state().pending
    }

    /// A batch (or pass) begins: nothing counted, nothing committed yet.
    fn start_pending(&self, face: &Face<'_>) -> PyResult<()> {
        {
            let mut state = self.state();
            state.pending = Pending::default();
            state.processed = false;
        }
        self.discard_commits(face)
    }

    fn committed(&self, face: &Face<'_>) -> PyResult<Vec<BatchId>> {
        let handle = face.handle()?;
        self.watch(face)?.store(face.py(), |patience| {
            records::take_committed(&handle, patience)
        })
    }

    /// What was committed before is nobody's here.
    fn discard_commits(&self, face: &Face<'_>) -> PyResult<()> {
        self.committed(face).map(drop)
    }

    /// What was committed since belongs to this run, and to the checkpoint that is open.
    fn adopt_commits(&self, face: &Face<'_>) -> PyResult<Vec<BatchId>> {
        let batches = self.committed(face)?;
        if let Some(checkpoint) = self.checkpoint(face.py()) {
            note_batches(&checkpoint, &batches)?;
        }
        self.state().batches.extend(&batches);
        Ok(batches)
    }
}

/// Puts batches of the journal into a checkpoint: it can undo them.
fn note_batches(checkpoint: &Bound<'_, PyAny>, batches: &[BatchId]) -> PyResult<()> {
    let none = PyList::empty(checkpoint.py()).into_any();
    let journal = hidden(checkpoint, "journal_batches", none)?;
    for batch in batches {
        journal.call_method1("append", (*batch,))?;
    }
    Ok(())
}

#[pymethods]
impl Engine {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Forgets the last run.
    fn begin_run(&self, py: Python<'_>) -> PyResult<()> {
        self.hurried.store(false, Ordering::Relaxed);
        // Of a run that is over.
        drop(interrupts::postponed());
        self.state().begin_run();
        self.forget_records();
        self.set_progress(None);
        self.open_checkpoint(None);
        logs::refresh_threshold(py)
    }

    /// Asks the run to wind down: the next wait, or the next record, raises `RunCancelled`. False takes
    /// it back, which is for the end of a run.
    #[pyo3(signature = (wanted = true))]
    fn cancel(&self, wanted: bool) {
        self.cancelled.store(wanted, Ordering::Relaxed);
    }

    /// The run was interrupted: what is left to do of it must be done within a second.
    fn hurry(&self) {
        self.hurried.store(true, Ordering::Relaxed);
    }

    /// Raises what asks the run to stop, if anything does.
    fn check(&self, updater: Bound<'_, PyAny>) -> PyResult<()> {
        let py = updater.py();
        let watch = self.watch(&Face(updater))?;
        if watch.interrupted() {
            return Err(watch
                .take_raised()
                .unwrap_or_else(|| errors::internal("interrupted")));
        }
        logs::drain(py)
    }

    /// Where the run stands, as the progress callback has just been told.
    fn told_progress(
        &self,
        phase: String,
        message: String,
        checked: usize,
        found: usize,
        percent: f64,
    ) {
        let slot = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = slot.as_ref() {
            progress.told(Snapshot {
                phase,
                message,
                checked,
                total: checked,
                found,
                percent,
            });
        }
    }

    /// The list's first page was in hand.
    #[getter]
    fn listed(&self) -> bool {
        self.state().listed
    }

    #[setter]
    fn set_listed(&self, listed: bool) {
        self.state().listed = listed;
    }

    /// Windows of a full run still to come.
    #[getter]
    fn windows_left(&self) -> usize {
        self.state().windows.len()
    }

    /// Where a window's share of the run's progress lies: so many per cent before it, and it makes so
    /// many of them.
    #[getter]
    fn window_share(&self) -> (f64, f64) {
        self.state().window_share()
    }

    /// The committees that a full run listed and the database lacks.
    fn store_committees(&self, updater: Bound<'_, PyAny>) -> PyResult<()> {
        self.write_listed_committees(&Face(updater))
    }

    /// Meetings that this run could not ask for, as the hourly limit is used up.
    #[getter]
    fn over_limit(&self) -> usize {
        self.state().over_limit
    }

    /// What of this run could not be undone, in words.
    #[getter]
    fn not_undone(&self) -> Option<String> {
        self.state().not_undone.clone()
    }

    /// Details that could not be had, of how many that were asked for, and why the first could not.
    /// Those that the hourly limit left no request for are none of them.
    #[getter]
    fn unfetched(&self) -> (usize, usize, Option<String>) {
        let state = self.state();
        let first = state.first_failure.clone();
        (state.details_failed, state.details_asked, first)
    }

    #[getter]
    fn run(&self) -> Option<i64> {
        self.state().run
    }

    #[pyo3(signature = (updater, progress_callback = None))]
    fn fetch<'py>(
        &self,
        updater: Bound<'py, PyAny>,
        progress_callback: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.fetch_hearings(&Face(updater), progress_callback)
    }

    fn identify_changes<'py>(
        &self,
        updater: Bound<'py, PyAny>,
        hearings: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        self.identify(&Face(updater), hearings)
    }

    fn hearing_needs_update(
        &self,
        updater: Bound<'_, PyAny>,
        record: &Bound<'_, PyAny>,
        item: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        self.needs_update(&Face(updater), record, item)
    }

    fn extract_original_data<'py>(
        &self,
        updater: Bound<'py, PyAny>,
        record: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        self.extract_original(&Face(updater), record)
    }

    fn apply_updates(&self, updater: Bound<'_, PyAny>, changes: &Bound<'_, PyAny>) -> PyResult<()> {
        self.apply_plain(&Face(updater), changes)
    }

    fn apply_updates_with_batches(
        &self,
        updater: Bound<'_, PyAny>,
        changes: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.apply_batches(&Face(updater), changes)
    }

    fn validate_batch<'py>(
        &self,
        updater: Bound<'py, PyAny>,
        batch: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        self.validate(&Face(updater), batch)
    }

    #[pyo3(name = "process_batch")]
    fn py_process_batch<'py>(
        &self,
        updater: Bound<'py, PyAny>,
        batch: &Bound<'py, PyAny>,
        number: i64,
        checkpoint: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.process_batch(&Face(updater), batch, number, checkpoint)
    }

    #[pyo3(name = "rollback_checkpoint")]
    fn py_rollback_checkpoint(
        &self,
        updater: Bound<'_, PyAny>,
        checkpoint: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        self.rollback_checkpoint(&Face(updater), checkpoint)
    }

    fn update_hearing_record(
        &self,
        updater: Bound<'_, PyAny>,
        existing: &Bound<'_, PyAny>,
        new_data: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.update_hearing(&Face(updater), existing, new_data)
    }

    fn add_new_hearing(
        &self,
        updater: Bound<'_, PyAny>,
        record: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.add_hearing(&Face(updater), record)
    }

    fn update_related_data(
        &self,
        updater: Bound<'_, PyAny>,
        changes: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.update_related(&Face(updater), changes)
    }

    fn run_sanity_checks(&self, updater: Bound<'_, PyAny>) -> PyResult<bool> {
        self.sanity_checks(&Face(updater))
    }

    #[pyo3(name = "start_run")]
    fn py_start_run(&self, updater: Bound<'_, PyAny>) -> PyResult<()> {
        let face = Face(updater);
        self.note_before(&face)?;
        self.start_run(&face)
    }

    fn create_backup(&self, updater: Bound<'_, PyAny>) -> PyResult<PathBuf> {
        self.back_up(&Face(updater))
    }

    fn cleanup_backups(&self, updater: Bound<'_, PyAny>, days: i64) -> PyResult<Vec<PathBuf>> {
        self.clean_backups(&Face(updater), days)
    }

    fn run_validation(&self, updater: Bound<'_, PyAny>) -> PyResult<()> {
        self.verify(&Face(updater))
    }

    /// -> the anomalies, and whether they call for an alert.
    fn historical_anomalies<'py>(
        &self,
        updater: Bound<'py, PyAny>,
    ) -> PyResult<(Vec<Bound<'py, PyAny>>, bool)> {
        self.historical(&Face(updater))
    }

    #[pyo3(name = "settle")]
    fn py_settle(
        &self,
        updater: Bound<'_, PyAny>,
        hearings: &Bound<'_, PyAny>,
        write: bool,
    ) -> PyResult<()> {
        self.stop_if_cancelled(updater.py())?;
        let events: Vec<String> = hearings
            .try_iter()?
            .filter_map(|item| changes::event_id_of(&item.ok()?))
            .collect();
        self.settle(&Face(updater), &events, write)
    }

    #[pyo3(name = "record")]
    fn py_record(&self, updater: Bound<'_, PyAny>, success: bool) -> PyResult<Option<i64>> {
        self.record(&Face(updater), success)
    }

    #[pyo3(name = "rollback_database")]
    fn py_rollback_database(&self, updater: Bound<'_, PyAny>) -> PyResult<bool> {
        self.rollback_database(&Face(updater))
    }
}
