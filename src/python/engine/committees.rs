//! Committees that the database lacks: looked up at the API, several at a time.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tracing::{info, warn};

use super::Engine;
use super::face::Face;
use crate::api::{Get, fetch_committee_with_parents};
use crate::domain::Parsed;
use crate::python::client::Source;
use crate::python::watch::Watch;

impl Engine {
    /// Looks up, of the codes that records name, those that are neither stored nor looked up yet. ->
    /// every code that may be used now; none where links to committees are not written.
    pub(super) fn resolve(
        &self,
        face: &Face<'_>,
        named: HashSet<String>,
    ) -> PyResult<HashSet<String>> {
        if named.is_empty() || !face.components()?.committees {
            return Ok(HashSet::new());
        }
        let watch = self.watch(face)?;
        let handle = face.handle()?;
        let mut known = watch.store(face.py(), |patience| {
            handle.with(patience, |s| s.committee_codes())
        })?;
        let unknown = self.unknown(&known, named);
        if !unknown.is_empty() {
            let source = self.source(face)?;
            let done = self.look_up(face.py(), &source, &watch, unknown);
            self.note_requests(face, &source)?;
            done?;
        }
        known.extend(self.state().resolved.keys().cloned());
        Ok(known)
    }

    fn unknown(&self, stored: &HashSet<String>, named: HashSet<String>) -> Vec<String> {
        let state = self.state();
        let mut unknown: Vec<String> = named
            .into_iter()
            .filter(|code| {
                !stored.contains(code)
                    && !state.looked_up.contains(code)
                    && !state.resolved.contains_key(code)
            })
            .collect();
        unknown.sort();
        unknown
    }

    /// Resolves committees at the API. One that is not to be had is left to validation to name.
    fn look_up(
        &self,
        py: Python<'_>,
        source: &Source,
        watch: &Watch,
        codes: Vec<String>,
    ) -> PyResult<()> {
        let found = watch.block_on(py, || async {
            futures::stream::iter(codes)
                .map(|code| async move {
                    let found = fetch_committee_with_parents(source, &code).await;
                    (code, found)
                })
                .buffer_unordered(source.concurrency().max(1))
                .collect::<Vec<_>>()
                .await
        })?;
        if let Some(stop) = source.take_stop() {
            return Err(stop);
        }
        let resolved: Vec<&str> = found
            .iter()
            .filter(|(_, one)| one.is_ok())
            .map(|(code, _)| code.as_str())
            .collect();
        if !resolved.is_empty() {
            info!(target: "updaters.update",
                "{} committees are not in the database and were found at the API: {}",
                resolved.len(), first_ten(&resolved));
        }
        for (code, found) in found {
            let mut state = self.state();
            match found {
                Ok(chain) => {
                    state.resolved.insert(code.clone(), chain);
                }
                Err(err) => {
                    warn!(target: "updaters.update", "committee {code}: not in the database and not to be had at the API: {err}");
                }
            }
            state.looked_up.insert(code);
        }
        Ok(())
    }

    /// The same, for items of a batch.
    pub(super) fn resolve_committees(
        &self,
        face: &Face<'_>,
        items: &Bound<'_, PyList>,
    ) -> PyResult<()> {
        let records: Vec<_> = items
            .iter()
            .map(|item| self.parsed(&super::write::payload(&item)))
            .collect();
        self.resolve(face, named_in(records.iter().flatten()))
            .map(drop)
    }
}

/// Codes of the committees that records name.
pub(super) fn named_in<'a>(records: impl Iterator<Item = &'a Arc<Parsed>>) -> HashSet<String> {
    records
        .flat_map(|parsed| &parsed.meeting.committees)
        .map(|committee| committee.system_code.clone())
        .collect()
}

fn first_ten(names: &[&str]) -> String {
    let shown = names.get(..10).unwrap_or(names).join(", ");
    match names.len().checked_sub(10) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
