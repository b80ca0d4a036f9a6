//! Committees that the database lacks: looked up at the API, several at a time.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tracing::{info, warn};

use super::Engine;
use super::face::Face;
use super::fetch::Fetched;
use crate::api::{ApiError, Get, REQUESTS_A_COMMITTEE, fetch_committee_with_parents};
use crate::batch::Code;
use crate::domain::{Chamber, Parsed};
use crate::python::client::Source;
use crate::python::watch::Watch;
use crate::store::DeferKind;

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
        let mut known = Self::stored_codes(face, &watch)?;
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

    pub(super) fn stored_codes(face: &Face<'_>, watch: &Watch) -> PyResult<HashSet<String>> {
        let handle = face.handle()?;
        watch.store(face.py(), |patience| {
            handle.with_retry(patience, |s| s.committee_codes())
        })
    }

    pub(super) fn unknown(&self, stored: &HashSet<String>, named: HashSet<String>) -> Vec<String> {
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
        // Near the end of the allowance fewer at once, so that those that begin have their parents, too.
        let left = source
            .left()
            .and_then(|left| usize::try_from(left).ok())
            .unwrap_or(usize::MAX);
        let at_once = source.concurrency().min(left / REQUESTS_A_COMMITTEE).max(1);
        let found = watch.block_on(py, || async {
            futures::stream::iter(codes)
                .map(|code| async move {
                    let found = fetch_committee_with_parents(source, &code).await;
                    (code, found)
                })
                .buffer_unordered(at_once)
                .collect::<Vec<_>>()
                .await
        })?;
        if let Some(stop) = source.take_stop() {
            return Err(stop);
        }
        let resolved: Vec<&String> = found
            .iter()
            .filter(|(_, one)| one.is_ok())
            .map(|(code, _)| code)
            .collect();
        if !resolved.is_empty() {
            info!(target: "updaters.update",
                "{} committees are not in the database and were found at the API: {}",
                resolved.len(), first_ten(resolved.iter().copied()));
        }
        let mut over_limit = 0;
        for (code, found) in found {
            let mut state = self.state();
            match found {
                Ok(chain) => {
                    state.resolved.insert(code.clone(), chain);
                }
                Err(err) => {
                    if matches!(err, ApiError::RateLimited { .. }) {
                        over_limit += 1;
                    } else {
                        warn!(target: "updaters.update", "committee {code}: not in the database and not to be had at the API: {err}");
                    }
                    if !matches!(err, ApiError::NotFound { .. }) {
                        state.not_had.insert(code.clone(), err);
                    }
                }
            }
            state.looked_up.insert(code);
        }
        if over_limit > 0 {
            warn!(target: "updaters.daily_updater",
                "The hourly request limit is used up: {over_limit} committees could not be looked up");
        }
        Ok(())
    }

    /// Committees whose look-up failed may be asked for again.
    pub(super) fn forget_failed_look_ups(&self) {
        let mut state = self.state();
        for code in std::mem::take(&mut state.not_had).into_keys() {
            state.looked_up.remove(&code);
        }
    }

    /// Which committee of a meeting nobody could ask for, and why.
    fn not_looked_up(&self, parsed: &Parsed) -> Option<(String, ApiError)> {
        let state = self.state();
        let mut named = parsed.meeting.committees.iter();
        named.find_map(|committee| {
            let error = state.not_had.get(&committee.system_code)?;
            Some((committee.system_code.clone(), error.clone()))
        })
    }

    /// A meeting whose committee nobody could ask for is set aside alone: in a batch it would keep
    /// the others out.
    pub(super) fn without_unresolved(&self, fetched: Vec<Fetched>) -> Vec<Fetched> {
        let (mut complete, mut codes) = (Vec::with_capacity(fetched.len()), HashSet::new());
        let before = fetched.len();
        for one in fetched {
            let Some((code, error)) = self.not_looked_up(&one.parsed) else {
                complete.push(one);
                continue;
            };
            let meeting = &one.parsed.meeting;
            let chamber = meeting.chamber.map(Chamber::for_path);
            let reason = format!("committee {code} could not be looked up: {error}");
            self.note_failure(&error, &reason);
            if matches!(error, ApiError::RateLimited { .. }) {
                self.state().over_limit += 1;
            }
            self.state()
                .fail(&meeting.event_id, chamber, DeferKind::Fetch, &reason);
            codes.insert(code);
        }
        if !codes.is_empty() {
            warn!(target: "updaters.daily_updater",
                "{} meetings are set aside, as their committees could not be looked up: {}",
                before - complete.len(), first_ten(&codes));
        }
        complete
    }

    /// What validation has to know of a code that is not among the usable ones.
    pub(super) fn why_unknown(&self, code: &str) -> Code {
        match self.state().not_had.get(code) {
            Some(error) => Code::NotLookedUp(error.to_string()),
            None => Code::Unknown,
        }
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

/// More committees of one meeting are not looked up: real ones name a handful.
const MOST_NAMED: usize = 20;

/// Codes of the committees that records name, as far as they are looked up.
pub(super) fn named_in<'a>(records: impl Iterator<Item = &'a Arc<Parsed>>) -> HashSet<String> {
    records
        .flat_map(|parsed| parsed.meeting.committees.iter().take(MOST_NAMED))
        .map(|committee| committee.system_code.clone())
        .collect()
}

fn first_ten<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let mut names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    names.sort_unstable();
    let shown = names.get(..10).unwrap_or(&names).join(", ");
    match names.len().checked_sub(10) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
