//! The Python module `updaters._native`: thin bindings, one file a class.

mod agenda;
mod bridge;
mod client;
mod connection;
mod convert;
mod database;
mod engine;
mod errors;
mod faults;
mod figures;
mod files;
mod interpreter;
mod interrupts;
mod logs;
mod recording;
mod report;
mod row;
mod runtime;
mod sandbox;
mod verify;
mod vitals;
mod watch;

use pyo3::prelude::*;

/// Hands queued native log records to Python's loggers.
#[pyfunction]
fn drain_logs(py: Python<'_>) -> PyResult<()> {
    logs::drain(py)
}

/// `text` without the secrets, in whatever form they stand there.
#[pyfunction]
#[pyo3(signature = (text, secrets, anywhere = false))]
#[allow(clippy::needless_pass_by_value)] // as Python hands it over
fn redact(text: &str, secrets: Vec<String>, anywhere: bool) -> String {
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    crate::api::redact(text, &secrets, anywhere)
}

/// Runs a callable in a thread of its own, awaitable from asyncio. Cancelling the awaitable does not
/// stop the thread: whoever cancels asks it to wind down.
#[pyfunction]
fn in_thread(py: Python<'_>, callable: Py<PyAny>) -> PyResult<Bound<'_, PyAny>> {
    bridge::awaitable(py, async move {
        let work = tokio::task::spawn_blocking(move || Python::attach(|py| callable.call0(py)));
        work.await
            .map_err(|err| errors::internal(format!("the thread ended: {err}")))?
    })
}

#[pymodule]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    interpreter::only_one(m.py())?;
    logs::install();
    crate::store::forking::install(&[logs::hold, runtime::hold]);
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add_class::<client::Client>()?;
    m.add_class::<connection::Connection>()?;
    m.add_class::<database::Database>()?;
    m.add_class::<engine::Engine>()?;
    m.add_class::<files::RunLock>()?;
    m.add_class::<row::Cursor>()?;
    m.add_class::<row::Row>()?;
    m.add_function(wrap_pyfunction!(files::compare_databases, m)?)?;
    m.add_function(wrap_pyfunction!(files::copy_database, m)?)?;
    m.add_function(wrap_pyfunction!(files::init_database, m)?)?;
    m.add_function(wrap_pyfunction!(files::make_legacy, m)?)?;
    m.add_function(wrap_pyfunction!(files::restore_database, m)?)?;
    m.add_function(wrap_pyfunction!(vitals::dump, m)?)?;
    m.add_function(wrap_pyfunction!(vitals::integrity, m)?)?;
    m.add_function(wrap_pyfunction!(vitals::last_runs, m)?)?;
    m.add_function(wrap_pyfunction!(vitals::look_at_lock, m)?)?;
    m.add_function(wrap_pyfunction!(vitals::to_be_added, m)?)?;
    m.add_function(wrap_pyfunction!(drain_logs, m)?)?;
    m.add_function(wrap_pyfunction!(in_thread, m)?)?;
    m.add_function(wrap_pyfunction!(redact, m)?)?;
    faults::register(m)?;
    verify::register(m)?;
    sandbox::register(m)
}
