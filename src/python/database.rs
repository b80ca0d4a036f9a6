//! `Database`: one database file, as Python sees it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::connection::Connection;
use super::convert::{to_json, to_params};
use super::row::{Cursor, Row};
use super::watch::Watch;
use super::{agenda, errors, figures, report};
use crate::domain::{Components, parse_meeting};
use crate::store::{self, Access, BatchHead, BatchKind, Handle, RunId, StoreResult, UndoPolicy};
use crate::update::undo_on_purpose;

/// One database file. Opened at the first use; creates nothing.
#[pyclass(name = "Database", module = "updaters._native", frozen)]
pub struct Database {
    path: PathBuf,
    access: Access,
    wait: Duration,
    handle: Mutex<Option<Handle>>,
}

impl Database {
    /// The handle; opens the file at the first use.
    pub fn handle(&self, py: Python<'_>) -> PyResult<Handle> {
        // The mutex is never held while the interpreter is let go: a child that is forked meanwhile would
        // find it locked for ever.
        if let Some(handle) = self.opened() {
            return Ok(handle);
        }
        let handle = py
            .detach(|| store::open(&self.path, self.access))
            .map_err(|err| errors::store(py, &err))?;
        // Another thread may have been quicker.
        let mut slot = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(slot.get_or_insert(handle).clone())
    }

    /// The handle, where the file is open.
    pub fn opened(&self) -> Option<Handle> {
        self.handle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How long another program's lock is waited for.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    pub fn watch(&self) -> Watch {
        Watch::plain(self.wait)
    }

    /// Reads, or does what can be done again where another program's lock was in its way.
    pub fn with<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnMut(&mut dyn store::Store) -> StoreResult<R> + Send,
    ) -> PyResult<R> {
        let handle = self.handle(py)?;
        self.watch()
            .store(py, |patience| handle.with_retry(patience, work))
    }

    /// Writes inside this thread's open transaction, or in one of its own.
    fn write<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut dyn store::Store) -> StoreResult<R> + Send,
    ) -> PyResult<R> {
        let handle = self.handle(py)?;
        self.watch().store(py, |patience| {
            in_transaction(&handle, BatchKind::Manual, patience, work)
        })
    }
}

/// Runs `work` in this thread's open transaction, or in one of its own of this kind.
pub fn in_transaction<R>(
    handle: &Handle,
    kind: BatchKind,
    patience: &store::Patience<'_>,
    work: impl FnOnce(&mut dyn store::Store) -> StoreResult<R>,
) -> StoreResult<R> {
    in_transaction_of(None, handle, kind, patience, work)
}

/// The same, as a part of a run.
pub fn in_transaction_of<R>(
    run: Option<RunId>,
    handle: &Handle,
    kind: BatchKind,
    patience: &store::Patience<'_>,
    work: impl FnOnce(&mut dyn store::Store) -> StoreResult<R>,
) -> StoreResult<R> {
    if handle.in_transaction() {
        return handle.with(patience, work);
    }
    handle.begin(
        BatchHead {
            run,
            number: 0,
            kind,
        },
        patience,
    )?;
    match handle.with(patience, work) {
        Ok(value) => handle.commit(patience).map(|_| value),
        Err(err) => {
            handle.roll_back();
            Err(err)
        }
    }
}

#[pymethods]
impl Database {
    #[new]
    #[pyo3(signature = (path, *, read_only = false, wait_seconds = 30.0))]
    fn new(path: PathBuf, read_only: bool, wait_seconds: f64) -> PyResult<Self> {
        let wait = Duration::try_from_secs_f64(wait_seconds)
            .map_err(|_| errors::internal("wait_seconds must be a number of seconds"))?;
        let access = if read_only {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        };
        Ok(Self {
            path,
            access,
            wait,
            handle: Mutex::new(None),
        })
    }

    #[getter]
    fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// Opens the file now, rather than at the first use.
    fn open(&self, py: Python<'_>) -> PyResult<()> {
        self.handle(py).map(drop)
    }

    /// While a run is on, a file that comes in the place of this one is an error.
    fn keep_to_file(&self, keep: bool) {
        if let Some(handle) = self.opened() {
            handle.keep_to_file(keep);
        }
    }

    /// Whether this thread is inside an open transaction.
    #[getter]
    fn in_transaction(&self) -> bool {
        let slot = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().is_some_and(Handle::in_transaction)
    }

    /// Opens a transaction that this thread owns; journaled.
    fn begin(&self, py: Python<'_>) -> PyResult<Connection> {
        let handle = self.handle(py)?;
        let head = BatchHead {
            run: None,
            number: 0,
            kind: BatchKind::Manual,
        };
        self.watch()
            .store(py, |patience| handle.begin(head, patience))?;
        Ok(Connection::new(handle, self.wait))
    }

    /// A connection into the transaction that this thread has open.
    fn connection(&self, py: Python<'_>) -> PyResult<Connection> {
        Ok(Connection::new(self.handle(py)?, self.wait))
    }

    fn commit(&self, py: Python<'_>) -> PyResult<Option<i64>> {
        let handle = self.handle(py)?;
        self.watch().store(py, |patience| handle.commit(patience))
    }

    fn rollback(&self, py: Python<'_>) -> PyResult<()> {
        let handle = self.handle(py)?;
        py.detach(|| handle.roll_back());
        Ok(())
    }

    #[pyo3(signature = (sql, params = None))]
    fn execute(
        &self,
        py: Python<'_>,
        sql: &str,
        params: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Cursor> {
        let params = to_params(params)?;
        let handle = self.handle(py)?;
        let answer = self
            .watch()
            .store(py, |patience| handle.execute(sql, &params, patience))?;
        Ok(Cursor::new(answer))
    }

    /// Closes the file; the next use opens it again.
    fn close(&self, py: Python<'_>) {
        let taken = self
            .handle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(handle) = taken {
            py.detach(|| handle.close());
        }
    }

    fn bring_up(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, |store| store.bring_up())
    }

    fn hearing(&self, py: Python<'_>, event_id: &str) -> PyResult<Option<Row>> {
        Ok(self
            .with(py, |store| store.hearing_row(event_id))?
            .map(Row::new))
    }

    fn committee(&self, py: Python<'_>, system_code: &str) -> PyResult<Option<Row>> {
        Ok(self
            .with(py, |store| store.committee_row(system_code))?
            .map(Row::new))
    }

    /// Writes a hearing (without related rows) from a record in the API's shape; -> its row id.
    fn upsert_hearing(&self, py: Python<'_>, record: &Bound<'_, PyAny>) -> PyResult<i64> {
        let record = to_json(record).map_err(|why| errors::database(py, why))?;
        let parsed = parse_meeting(&record);
        if let Some(issue) = parsed.issues.first() {
            return Err(errors::database(
                py,
                format!("{}: {}", issue.field, issue.message),
            ));
        }
        let none = Components {
            witnesses: false,
            committees: false,
            documents: false,
            bills: false,
        };
        self.write(py, move |store| {
            store
                .write_meeting(&parsed.meeting, None, none)
                .map(|written| written.hearing_id)
        })
    }

    #[pyo3(signature = (full_name, organization = None, title = None))]
    fn get_or_create_witness(
        &self,
        py: Python<'_>,
        full_name: &str,
        organization: Option<&str>,
        title: Option<&str>,
    ) -> PyResult<i64> {
        self.write(py, |store| {
            store
                .get_or_create_witness(full_name, organization, title)
                .map(|(id, _)| id)
        })
    }

    #[pyo3(signature = (witness_id, hearing_id, position = None, witness_type = None, order = None))]
    fn create_witness_appearance(
        &self,
        py: Python<'_>,
        witness_id: i64,
        hearing_id: i64,
        position: Option<&str>,
        witness_type: Option<&str>,
        order: Option<i64>,
    ) -> PyResult<i64> {
        self.write(py, |store| {
            store
                .create_witness_appearance(witness_id, hearing_id, position, witness_type, order)
                .map(|(id, _)| id)
        })
    }

    #[pyo3(signature = (hearing_id, committee_id, is_primary = true))]
    fn link_hearing_committee(
        &self,
        py: Python<'_>,
        hearing_id: i64,
        committee_id: i64,
        is_primary: bool,
    ) -> PyResult<()> {
        self.write(py, |store| {
            store.link_committee(hearing_id, committee_id, is_primary)
        })
    }

    fn delete_hearing_committee_links(&self, py: Python<'_>, hearing_id: i64) -> PyResult<usize> {
        self.write(py, |store| store.unlink_committees(hearing_id))
    }

    fn table_counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.with(py, |store| store.table_counts())?;
        let dict = PyDict::new(py);
        for (table, rows) in counts {
            dict.set_item(table, rows)?;
        }
        Ok(dict)
    }

    fn soundness<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        report::soundness(py, &self.with(py, |store| store.soundness())?)
    }

    #[pyo3(signature = (run, batch, force))]
    fn undo_run<'py>(
        &self,
        py: Python<'py>,
        run: i64,
        batch: Option<i64>,
        force: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let policy = if force {
            UndoPolicy::Force
        } else {
            UndoPolicy::AllOrNothing
        };
        let handle = self.handle(py)?;
        let (undo, held) = self.watch().store(py, |patience| {
            undo_on_purpose(&handle, patience, run, batch, policy)
        })?;
        report::undo(py, &undo, &held)
    }

    fn release(&self, py: Python<'_>, event_id: &str) -> PyResult<bool> {
        self.with(py, |store| store.release(event_id))
    }

    fn hold(&self, py: Python<'_>, event_id: &str) -> PyResult<()> {
        self.with(py, |store| store.hold(&[(event_id.to_owned(), None)], None))
    }

    fn history<'py>(&self, py: Python<'py>, event_id: &str) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let changes = self.with(py, |store| store.history(event_id))?;
        changes
            .iter()
            .map(|change| report::field_change(py, change))
            .collect()
    }

    fn changes_since<'py>(
        &self,
        py: Python<'py>,
        since: &str,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let changes = self.with(py, |store| store.changes_since(since))?;
        changes
            .iter()
            .map(|change| report::hearing_change(py, change))
            .collect()
    }

    fn hearings_in_full<'py>(
        &self,
        py: Python<'py>,
        hearing_ids: Vec<i64>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let meetings = self.with(py, |store| store.stored_meetings(&hearing_ids))?;
        meetings.iter().map(|m| agenda::meeting(py, m)).collect()
    }

    fn committee_names<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let names = self.with(py, |store| store.committee_names())?;
        names
            .iter()
            .map(|name| agenda::committee(py, name))
            .collect()
    }

    fn journal_begins(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.with(py, |store| store.journal_begins())
    }

    fn deferred<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let deferred = self.with(py, |store| store.deferred())?;
        deferred
            .iter()
            .map(|event| report::deferred(py, event))
            .collect()
    }

    fn held<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let held = self.with(py, |store| store.held())?;
        held.iter().map(|event| report::held(py, event)).collect()
    }

    #[pyo3(signature = (newest = 20))]
    fn runs<'py>(&self, py: Python<'py>, newest: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let runs = self.with(py, |store| store.runs(newest))?;
        runs.iter().map(|run| report::run(py, run)).collect()
    }

    #[pyo3(signature = (since = None))]
    fn run_figures<'py>(
        &self,
        py: Python<'py>,
        since: Option<&str>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let runs = self.with(py, |store| store.run_records(since))?;
        runs.iter().map(|run| figures::run(py, run)).collect()
    }

    #[pyo3(signature = (since = None))]
    fn batch_figures<'py>(
        &self,
        py: Python<'py>,
        since: Option<&str>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let batches = self.with(py, |store| store.batch_records(since))?;
        batches
            .iter()
            .map(|batch| figures::batch(py, batch))
            .collect()
    }
}
