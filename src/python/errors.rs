//! Native errors as the exceptions of `updaters.errors`.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::api::ApiError;
use crate::store::StoreError;

fn exception<'py, A: pyo3::call::PyCallArgs<'py>>(py: Python<'py>, name: &str, args: A) -> PyErr {
    let made = py
        .import("updaters.errors")
        .and_then(|module| module.getattr(name))
        .and_then(|class| class.call1(args));
    match made {
        Ok(instance) => PyErr::from_value(instance),
        Err(err) => err,
    }
}

fn store_class(err: &StoreError) -> &'static str {
    match err {
        StoreError::Busy { .. } => "DatabaseBusyError",
        StoreError::Running { .. } => "AlreadyRunningError",
        StoreError::Constraint { .. } => "IntegrityError",
        StoreError::Corrupt { .. } | StoreError::NotADatabase { .. } => "DamagedDatabaseError",
        _ if err.is_of_the_file() => "DatabaseFileError",
        _ => "DatabaseError",
    }
}

pub fn store(py: Python<'_>, err: &StoreError) -> PyErr {
    exception(py, store_class(err), (err.to_string(),))
}

pub fn api(py: Python<'_>, err: &ApiError) -> PyErr {
    let message = err.to_string();
    match err {
        ApiError::Key { .. } => exception(py, "ApiKeyError", (message, 403)),
        ApiError::CircuitOpen { .. } => exception(py, "CircuitBreakerOpenError", (message,)),
        ApiError::RateLimited { .. } => exception(py, "RateLimitError", (message, 429)),
        ApiError::Setting(_) => exception(py, "ConfigurationError", (message,)),
        ApiError::NotFound { .. } => exception(py, "ApiError", (message, 404)),
        ApiError::Status { status, .. } => exception(py, "ApiError", (message, *status)),
        _ => exception(py, "ApiError", (message,)),
    }
}

pub fn database(py: Python<'_>, message: String) -> PyErr {
    exception(py, "DatabaseError", (message,))
}

pub fn configuration(py: Python<'_>, message: String) -> PyErr {
    exception(py, "ConfigurationError", (message,))
}

/// Whether a store error put into an exception lies with the file or its disk.
pub fn is_of_the_file(py: Python<'_>, err: &PyErr) -> bool {
    py.import("updaters.errors")
        .and_then(|module| module.getattr("DatabaseFileError"))
        .and_then(|class| err.value(py).is_instance(&class))
        .unwrap_or(false)
}

/// The awaiting task was cancelled: the run winds down.
pub fn cancelled(py: Python<'_>) -> PyErr {
    exception(py, "RunCancelled", ("cancelled",))
}

pub fn internal(message: impl Into<String>) -> PyErr {
    PyRuntimeError::new_err(message.into())
}
