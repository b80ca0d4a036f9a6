//! One interpreter a process: types and exceptions are made once, and belong to the interpreter that
//! loaded the module first. A second one would use the first one's objects.

use std::sync::OnceLock;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

/// The first interpreter's `sys`. Kept, so that no other object can come to lie where it does.
static FIRST: OnceLock<Py<PyModule>> = OnceLock::new();

/// An `ImportError` in any interpreter but the first.
pub fn only_one(py: Python<'_>) -> PyResult<()> {
    let here = py.import("sys")?;
    if FIRST.get_or_init(|| here.clone().unbind()).is(&here) {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "updaters is loaded in another interpreter of this process, and works in one only: use it \
         there, or in a process of its own",
    ))
}
