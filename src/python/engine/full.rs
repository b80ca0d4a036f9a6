//! What a full run does beside: it goes on where an interrupted one was, tells how long the hourly limit
//! makes it, and brings the committees in before the meetings.

use std::collections::HashMap;

use jiff::Timestamp;
use pyo3::prelude::*;
use tracing::{info, warn};

use super::Engine;
use super::face::Face;
use crate::api::{ApiError, Get, Wanted, list_committees};
use crate::python::client::Source;
use crate::python::database::in_transaction_of;
use crate::python::errors;
use crate::python::watch::Watch;
use crate::store::BatchKind;
use crate::update::full_run;

impl Engine {
    /// The list is in hand: leaves out what an interrupted full run has brought in already.
    pub(super) fn begin_full(
        &self,
        face: &Face<'_>,
        source: &Source,
        watch: &Watch,
        wanted: &mut Vec<Wanted>,
        stored: &HashMap<String, Option<String>>,
    ) -> PyResult<()> {
        let py = face.py();
        let congress = face.congress()?;
        let components = face.components()?;
        let handle = face.handle()?;
        let names = components.to_string();
        let now = Timestamp::now();
        let run = watch.store(py, |patience| {
            handle.with_retry(patience, |store| full_run(store, congress, &names, now))
        })?;
        let listed = wanted.len();
        let done = run.leave_out_done(wanted, stored);
        if done > 0 {
            info!(target: "updaters.daily_updater",
                "Going on with the full run of {}: {done} of {listed} meetings are in already", run.started);
        }
        self.state().full = Some(run);
        if components.committees {
            self.list_committees(face, source, watch, congress)?;
        }
        let limit: u32 = face.setting("rate_limit")?;
        if let Some(told) = estimate(wanted.len(), source.left(), limit) {
            info!(target: "updaters.daily_updater", "{told}");
        }
        Ok(())
    }

    /// Every committee of the Congress, in a few requests. Where they are not to be had, those that
    /// meetings name are looked up one by one.
    fn list_committees(
        &self,
        face: &Face<'_>,
        source: &Source,
        watch: &Watch,
        congress: i64,
    ) -> PyResult<()> {
        let py = face.py();
        let found = watch.block_on(py, || list_committees(source, congress))?;
        match found {
            Ok(committees) => {
                let mut state = self.state();
                for committee in &committees {
                    let mut chain = vec![committee.clone()];
                    while let Some(parent) = chain.last().and_then(|c| c.parent.as_ref()) {
                        let above = committees
                            .iter()
                            .find(|other| other.system_code == parent.system_code);
                        let Some(above) = above else { break };
                        chain.push(above.clone());
                    }
                    chain.reverse();
                    state.resolved.insert(committee.system_code.clone(), chain);
                }
                state.listed_committees = committees;
                Ok(())
            }
            Err(error @ ApiError::Interrupted) => Err(errors::api(py, &error)),
            Err(error) if error.is_fatal() => Err(errors::api(py, &error)),
            Err(error) => {
                warn!(target: "updaters.update",
                    "The committees could not be listed ({error}): they are looked up one by one");
                Ok(())
            }
        }
    }

    /// Those that the database lacks, in a transaction of their own, journaled.
    pub(super) fn write_listed_committees(&self, face: &Face<'_>) -> PyResult<()> {
        let committees = std::mem::take(&mut self.state().listed_committees);
        if committees.is_empty() {
            return Ok(());
        }
        let py = face.py();
        let congress = face.congress()?;
        let run = self.state().run;
        let handle = face.handle()?;
        let added = self.watch(face)?.store(py, |patience| {
            in_transaction_of(run, &handle, BatchKind::Committees, patience, |store| {
                let known = store.committee_codes()?;
                let mut added = 0;
                for committee in &committees {
                    if !known.contains(&committee.system_code) {
                        store.write_committee(committee, congress)?;
                        added += 1;
                    }
                }
                Ok(added)
            })
        })?;
        self.adopt_commits(face)?;
        if added > 0 {
            info!(target: "updaters.daily_updater", "{added} of {} committees added", committees.len());
            face.count("committees_updated", added)?;
        }
        crate::python::logs::drain(py)
    }
}

/// How long the hourly limit makes a run of so many meetings; `None` where nobody counts requests.
fn estimate(meetings: usize, left: Option<u32>, limit: u32) -> Option<String> {
    let left = usize::try_from(left?).ok()?;
    let limit = usize::try_from(limit).ok()?.max(1);
    if meetings <= left {
        return Some(format!(
            "{meetings} meetings to ask for; of {limit} requests an hour {left} are left: enough"
        ));
    }
    let minutes = ((meetings - left) * 60).div_ceil(limit);
    let time = match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    };
    Some(format!(
        "{meetings} meetings to ask for; of {limit} requests an hour {left} are left: the key needs about \
         {time} more for all of them. This run takes what it can, the next ones the rest"
    ))
}

#[cfg(test)]
mod tests {
    use super::estimate;

    #[test]
    fn the_estimate_goes_by_what_is_left_and_by_the_limit() {
        let told = estimate(1168, Some(5000), 5000).unwrap();
        assert!(told.ends_with("5000 are left: enough"), "{told}");
        let told = estimate(1168, Some(28), 30).unwrap();
        assert!(told.contains("about 38 h 00 min more"), "{told}");
        let told = estimate(31, Some(30), 30).unwrap();
        assert!(told.contains("about 2 min more"), "{told}");
        assert_eq!(estimate(1, None, 30), None);
    }
}
