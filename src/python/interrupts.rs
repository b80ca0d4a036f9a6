//! Ctrl-C and its like: which exceptions end the run, and what becomes of one that was raised in a place
//! where an exception counts for nothing.

use std::cell::RefCell;

use pyo3::prelude::*;

/// Exceptions that end the run; anything else ends only its batch or record.
pub fn ends_the_run(py: Python<'_>, err: &PyErr) -> bool {
    !err.is_instance_of::<pyo3::exceptions::PyException>(py)
}

thread_local! {
    /// What ends the run but was raised where it could not be passed on. Raised at the next look, of the
    /// same thread: another one has a run of its own.
    static POSTPONED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Keeps what ends the run for `postponed`; anything else is forgotten.
pub fn postpone(py: Python<'_>, err: PyErr) {
    if ends_the_run(py, &err) {
        POSTPONED.set(Some(err));
    }
}

/// The value, where failing is nothing to fail on; Ctrl-C that happened to land there is postponed.
pub fn tolerated<T>(py: Python<'_>, result: PyResult<T>) -> Option<T> {
    result.map_err(|err| postpone(py, err)).ok()
}

/// What was postponed, once.
pub fn postponed() -> Option<PyErr> {
    POSTPONED.take()
}
