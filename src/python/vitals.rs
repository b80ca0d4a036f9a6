//! What a health check asks for.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::convert::from_sql;
use super::database::Database;
use super::errors;
use crate::store::{LastRun, LockState, RunLock};

/// What SQLite complains about in the file; empty where it is sound.
#[pyfunction]
pub fn integrity(py: Python<'_>, database: &Database, full: bool) -> PyResult<Vec<String>> {
    database.with(py, |store| store.integrity(full))
}

/// Table -> every row of it, as dicts; our own tables only with `ours`.
#[pyfunction]
pub fn dump<'py>(py: Python<'py>, database: &Database, ours: bool) -> PyResult<Bound<'py, PyDict>> {
    let tables = database.with(py, |store| store.dump(ours))?;
    let dict = PyDict::new(py);
    for (table, rows) in &tables {
        let list = PyList::empty(py);
        for row in rows {
            let one = PyDict::new(py);
            for (column, value) in row.columns.iter().zip(&row.values) {
                one.set_item(column, from_sql(py, value)?)?;
            }
            list.append(one)?;
        }
        dict.set_item(table, list)?;
    }
    Ok(dict)
}

/// What the first write would add to an older database, by name.
#[pyfunction]
pub fn to_be_added(py: Python<'_>, database: &Database) -> PyResult<Vec<String>> {
    database.with(py, |store| store.to_add())
}

/// The newest runs, newest first, and what else tells how the updates go.
#[pyfunction]
pub fn last_runs<'py>(
    py: Python<'py>,
    database: &Database,
    newest: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let (runs, last_success, highest) = database.with(py, |store| {
        Ok((
            store.last_runs(newest)?,
            store.last_success(None)?,
            store.highest_hearing_id()?,
        ))
    })?;
    let list = PyList::empty(py);
    for one in &runs {
        list.append(run(py, one)?)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("runs", list)?;
    dict.set_item("last_success", last_success)?;
    dict.set_item("highest_hearing_id", highest)?;
    Ok(dict)
}

fn run<'py>(py: Python<'py>, run: &LastRun) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("run", run.run)?;
    dict.set_item("started_at", &run.started_at)?;
    dict.set_item("ended_at", &run.ended_at)?;
    dict.set_item("success", run.success)?;
    dict.set_item("seconds", run.seconds)?;
    dict.set_item("errors", run.errors)?;
    dict.set_item("hearings_checked", run.hearings_checked)?;
    dict.set_item("hearings_updated", run.hearings_updated)?;
    dict.set_item("hearings_added", run.hearings_added)?;
    dict.set_item("batched", run.batched)?;
    dict.set_item("batches", run.batches)?;
    dict.set_item("batches_failed", run.batches_failed)?;
    Ok(dict)
}

/// The run lock of a database, whether or not the database is there; `None` where there is no lock.
#[pyfunction]
pub fn look_at_lock(py: Python<'_>, path: PathBuf) -> PyResult<Option<Bound<'_, PyDict>>> {
    let found = py
        .detach(|| RunLock::look(&path))
        .map_err(|err| errors::store(py, &err))?;
    let Some(state) = found else {
        return Ok(None);
    };
    let (held, holder) = match state {
        LockState::Held(holder) => (true, holder),
        LockState::Stale(holder) => (false, holder),
    };
    let dict = PyDict::new(py);
    dict.set_item("held", held)?;
    dict.set_item("pid", holder.pid)?;
    dict.set_item("host", holder.host)?;
    dict.set_item("since", holder.since)?;
    dict.set_item("what", holder.what)?;
    Ok(Some(dict))
}
