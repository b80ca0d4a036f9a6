//! Whole files: making a database, putting a backup back, the lock of a run.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::watch::Watch;
use super::{errors, logs, report};
use crate::store::{self, RunLock as NativeLock, StoreError, StoreResult};

/// Makes a new, empty hearings database.
#[pyfunction]
pub fn init_database(py: Python<'_>, path: PathBuf) -> PyResult<()> {
    let made = py.detach(|| store::sqlite::init(&path));
    logs::drain(py)?;
    made.map_err(|err| errors::store(py, &err))
}

/// Puts a backup (the newest one by default) in the place of a database, after checking the backup.
#[pyfunction]
#[pyo3(signature = (path, backup = None))]
pub fn restore_database(
    py: Python<'_>,
    path: PathBuf,
    backup: Option<PathBuf>,
) -> PyResult<Bound<'_, PyDict>> {
    let restored = py.detach(|| store::sqlite::restore(&path, backup.as_deref()));
    logs::drain(py)?;
    let restored = restored.map_err(|err| errors::store(py, &err))?;
    let dict = PyDict::new(py);
    dict.set_item("backup", restored.backup.display().to_string())?;
    dict.set_item("hearings", restored.hearings)?;
    Ok(dict)
}

/// A copy of a database to work on, in the same journal mode; the original is only read.
#[pyfunction]
pub fn copy_database(py: Python<'_>, path: PathBuf, target: PathBuf) -> PyResult<()> {
    Watch::plain(Duration::ZERO).store(py, |patience| {
        store::sqlite::copy(&path, &target, patience.interrupted)
    })
}

/// Makes a database one of the oldest shape in use. For tests.
#[pyfunction]
pub fn make_legacy(py: Python<'_>, path: PathBuf) -> PyResult<()> {
    py.detach(|| store::sqlite::make_legacy(&path))
        .map_err(|err| errors::store(py, &err))
}

/// Two database files, row by row.
#[pyfunction]
#[pyo3(signature = (before, after, without = None))]
pub fn compare_databases(
    py: Python<'_>,
    before: PathBuf,
    after: PathBuf,
    without: Option<Vec<String>>,
) -> PyResult<Bound<'_, PyDict>> {
    let found = py.detach(|| store::sqlite::compare(&before, &after, &without.unwrap_or_default()));
    let found = found.map_err(|err| errors::store(py, &err))?;
    report::comparison(py, &found)
}

/// One run at a time on one database.
#[pyclass(name = "RunLock", module = "updaters._native", frozen)]
pub struct RunLock {
    path: PathBuf,
    what: String,
    wait: Duration,
    held: Mutex<Option<NativeLock>>,
}

fn acquire(
    path: &Path,
    what: &str,
    wait: Duration,
    interrupted: &dyn Fn() -> bool,
) -> StoreResult<NativeLock> {
    let started = Instant::now();
    loop {
        match NativeLock::acquire(path, what) {
            Err(StoreError::Running { .. }) if started.elapsed() < wait => {
                if interrupted() {
                    return Err(StoreError::Interrupted);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}

#[pymethods]
impl RunLock {
    #[new]
    #[pyo3(signature = (path, what, wait_seconds = 0.0))]
    fn new(path: PathBuf, what: String, wait_seconds: f64) -> PyResult<Self> {
        let wait = Duration::try_from_secs_f64(wait_seconds)
            .map_err(|_| errors::internal("wait_seconds must be a number of seconds"))?;
        Ok(Self {
            path,
            what,
            wait,
            held: Mutex::new(None),
        })
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        let watch = Watch::plain(this.wait);
        let (path, what, wait) = (&this.path, &this.what, this.wait);
        let lock = watch.store(this.py(), |patience| {
            acquire(path, what, wait, patience.interrupted)
        })?;
        *this.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
        Ok(this)
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, _exc: &Bound<'_, pyo3::types::PyTuple>) {
        drop(
            self.held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }
}
