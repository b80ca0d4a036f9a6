//! The figures of runs and batches, as plain dicts.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::store::{BatchRecord, RunRecord};

pub fn run<'py>(py: Python<'py>, run: &RunRecord) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("run", run.run)?;
    dict.set_item("log_id", run.log_id)?;
    dict.set_item("started_at", &run.started_at)?;
    dict.set_item("ended_at", &run.ended_at)?;
    dict.set_item("duration_seconds", run.duration_seconds)?;
    dict.set_item("congress", run.congress)?;
    dict.set_item("mode", &run.mode)?;
    dict.set_item("trigger_source", &run.trigger_source)?;
    dict.set_item("success", run.success)?;
    dict.set_item("hearings_checked", run.hearings_checked)?;
    dict.set_item("hearings_updated", run.hearings_updated)?;
    dict.set_item("hearings_added", run.hearings_added)?;
    dict.set_item("committees_updated", run.committees_updated)?;
    dict.set_item("witnesses_updated", run.witnesses_updated)?;
    dict.set_item("api_requests", run.api_requests)?;
    dict.set_item("error_count", run.error_count)?;
    dict.set_item("errors", &run.errors)?;
    let counts = run.batches;
    dict.set_item("batches_applied", counts.map(|counts| counts.applied))?;
    dict.set_item("batches_failed", counts.map(|counts| counts.failed))?;
    dict.set_item("batches_skipped", counts.map(|counts| counts.skipped))?;
    dict.set_item("batches_undone", counts.map(|counts| counts.undone))?;
    Ok(dict)
}

pub fn batch<'py>(py: Python<'py>, batch: &BatchRecord) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("run", batch.run)?;
    dict.set_item("batch", batch.number)?;
    dict.set_item("id", batch.batch)?;
    dict.set_item("at", &batch.at)?;
    dict.set_item("kind", &batch.kind)?;
    dict.set_item("outcome", &batch.state)?;
    dict.set_item("size", batch.size)?;
    dict.set_item("records", batch.records)?;
    dict.set_item("entries", batch.entries)?;
    dict.set_item("validate_ms", batch.validate_ms)?;
    dict.set_item("apply_ms", batch.apply_ms)?;
    dict.set_item("commit_ms", batch.commit_ms)?;
    dict.set_item("error", &batch.error)?;
    dict.set_item("issues", &batch.issues)?;
    Ok(dict)
}
