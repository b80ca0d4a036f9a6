//! A batch that did not go in: told of, and its events remembered, each with its own reason.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::Engine;
use super::changes::event_id_of;
use super::face::Face;
use super::records::chamber_of;
use super::write::payload;
use crate::batch::Report;
use crate::store::DeferKind;

impl Engine {
    pub(super) fn report_failure(
        &self,
        face: &Face<'_>,
        report: &Report,
        batch: &Bound<'_, PyList>,
    ) -> PyResult<()> {
        let py = face.py();
        let entry = PyDict::new(py);
        entry.set_item("batch", report.number)?;
        entry.set_item("error", report.error.as_deref().unwrap_or("failed"))?;
        if !report.issues.is_empty() {
            entry.set_item("issues", &report.issues)?;
        }
        face.append("batch_errors", entry)?;
        if report.rollback_failed {
            let text = format!(
                "Batch {} failed and could not be rolled back: {}",
                report.number,
                report.error.as_deref().unwrap_or("no reason given")
            );
            face.append("errors", text)?;
        }
        for item in batch.iter() {
            let record = payload(&item);
            let Some(event_id) = event_id_of(&record) else {
                continue;
            };
            let mut state = self.state();
            if report.salvaged > 0 && state.written.contains(&event_id) {
                continue;
            }
            state.written.remove(&event_id);
            let own = report
                .issues
                .iter()
                .find(|issue| is_about(issue, &event_id));
            let why = own
                .or(report.error.as_ref())
                .map_or("failed", String::as_str);
            let reason = format!("batch {}: {why}", report.number);
            state.fail(
                &event_id,
                chamber_of(&record).as_deref(),
                DeferKind::Batch,
                &reason,
            );
        }
        Ok(())
    }
}

/// Whether an issue names the event: as validation does ("Item 3 (118296): ..."), or as a word anywhere.
fn is_about(issue: &str, event_id: &str) -> bool {
    if let Some((item, _)) = issue
        .strip_prefix("Item ")
        .and_then(|rest| rest.split_once(": "))
    {
        return item.ends_with(&format!("({event_id})"));
    }
    issue.match_indices(event_id).any(|(at, _)| {
        let before = issue.get(..at).and_then(|text| text.chars().next_back());
        let after = issue
            .get(at + event_id.len()..)
            .and_then(|text| text.chars().next());
        ![before, after]
            .into_iter()
            .flatten()
            .any(char::is_alphanumeric)
    })
}
