//! What the store reports, as plain dicts.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::convert::from_sql;
use crate::store::{
    Comparison, Deferred, FieldChange, HearingChange, Held, RunInfo, Soundness, UndoReport,
};

pub fn undo<'py>(
    py: Python<'py>,
    undo: &UndoReport,
    held: &[String],
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("undone", undo.undone)?;
    dict.set_item("rows_restored", undo.rows_restored)?;
    dict.set_item("conflicts", &undo.conflicts)?;
    dict.set_item("kept", &undo.kept)?;
    dict.set_item("warnings", &undo.warnings)?;
    dict.set_item("held", held)?;
    Ok(dict)
}

pub fn field_change<'py>(py: Python<'py>, change: &FieldChange) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    // Interned, as there may be very many of these.
    let word = |text: &str| PyString::intern(py, text);
    dict.set_item(intern!(py, "at"), word(&change.at))?;
    dict.set_item(intern!(py, "run"), change.run)?;
    dict.set_item(intern!(py, "batch"), change.batch)?;
    dict.set_item(intern!(py, "kind"), word(&change.kind))?;
    dict.set_item(intern!(py, "table"), word(&change.table))?;
    dict.set_item(intern!(py, "action"), word(change.action))?;
    dict.set_item(intern!(py, "row"), &change.row)?;
    dict.set_item(intern!(py, "field"), word(&change.field))?;
    dict.set_item(intern!(py, "before"), from_sql(py, &change.before)?)?;
    dict.set_item(intern!(py, "after"), from_sql(py, &change.after)?)?;
    Ok(dict)
}

pub fn hearing_change<'py>(
    py: Python<'py>,
    change: &HearingChange,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = field_change(py, &change.change)?;
    let word = |text: &Option<String>| text.as_deref().map(|text| PyString::intern(py, text));
    dict.set_item(intern!(py, "hearing_id"), change.hearing_id)?;
    dict.set_item(intern!(py, "event_id"), word(&change.event_id))?;
    dict.set_item(intern!(py, "title"), word(&change.title))?;
    dict.set_item(intern!(py, "row_id"), change.row_id)?;
    Ok(dict)
}

pub fn deferred<'py>(py: Python<'py>, event: &Deferred) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("event_id", &event.event_id)?;
    dict.set_item("congress", event.congress)?;
    dict.set_item("chamber", &event.chamber)?;
    dict.set_item("reason", &event.reason)?;
    dict.set_item("kind", event.kind.as_str())?;
    dict.set_item("tries", event.tries)?;
    dict.set_item("first_seen", &event.first_seen)?;
    dict.set_item("last_tried", &event.last_tried)?;
    Ok(dict)
}

pub fn held<'py>(py: Python<'py>, event: &Held) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("event_id", &event.event_id)?;
    dict.set_item("update_date", &event.update_date)?;
    dict.set_item("held_at", &event.held_at)?;
    dict.set_item("run", event.run)?;
    Ok(dict)
}

pub fn run<'py>(py: Python<'py>, run: &RunInfo) -> PyResult<Bound<'py, PyDict>> {
    let batches = PyList::empty(py);
    for batch in &run.batches {
        let dict = PyDict::new(py);
        dict.set_item("batch", batch.number)?;
        dict.set_item("id", batch.batch)?;
        dict.set_item("kind", &batch.kind)?;
        dict.set_item("state", &batch.state)?;
        dict.set_item("entries", batch.entries)?;
        batches.append(dict)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("run", run.run)?;
    dict.set_item("started_at", &run.started_at)?;
    dict.set_item("ended_at", &run.ended_at)?;
    dict.set_item("congress", run.congress)?;
    dict.set_item("mode", &run.mode)?;
    dict.set_item("success", run.success)?;
    dict.set_item("batches", batches)?;
    Ok(dict)
}

pub fn soundness<'py>(py: Python<'py>, found: &Soundness) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("integrity", &found.integrity)?;
    dict.set_item("foreign_keys", &found.foreign_keys)?;
    dict.set_item("duplicates", &found.duplicates)?;
    dict.set_item("invalid_values", &found.invalid_values)?;
    dict.set_item("orphans", &found.orphans)?;
    dict.set_item("hearings", found.hearings)?;
    dict.set_item("committees", found.committees)?;
    dict.set_item("witnesses", found.witnesses)?;
    dict.set_item("appearances", found.appearances)?;
    dict.set_item("links", found.links)?;
    Ok(dict)
}

pub fn comparison<'py>(py: Python<'py>, found: &Comparison) -> PyResult<Bound<'py, PyDict>> {
    let differences = PyList::empty(py);
    for difference in &found.differences {
        let dict = PyDict::new(py);
        dict.set_item("table", &difference.table)?;
        dict.set_item("row", &difference.row)?;
        dict.set_item("what", difference.what)?;
        dict.set_item("columns", &difference.columns)?;
        differences.append(dict)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("tables", found.tables)?;
    dict.set_item("rows", found.rows)?;
    dict.set_item("differences", differences)?;
    Ok(dict)
}
