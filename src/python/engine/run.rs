//! The run's own steps: sanity, backup, verification, settling what was deferred, the record.

use std::path::{Path, PathBuf};

use jiff::Zoned;
use pyo3::prelude::*;
use tracing::{info, warn};

use super::Engine;
use super::face::Face;
use super::fetch::deferred_dict;
use super::state::Failed;
use crate::python::convert::{from_json, type_name};
use crate::python::database::{in_transaction, in_transaction_of};
use crate::store::{self, BatchKind, DeferKind, Deferred, PastRun, Store, StoreResult, UpdateLog};
use crate::update::{
    HISTORY_DAYS, LookBack, after_run, before_run, compare, days_ago, minutes_since, not_after,
    note_full_run, remember_hole, remember_size,
};

/// Runs that an event may be answered 404 before it is dropped from the deferred ones.
const NOT_FOUND_RUNS: i64 = 5;
/// A successful run less than this ago is warned about.
const RECENT_MINUTES: i64 = 60;

impl Engine {
    /// `_run_pre_update_sanity_checks`: false, with the reasons in `metrics.errors`, ends the run.
    pub(super) fn sanity_checks(&self, face: &Face<'_>) -> PyResult<bool> {
        let py = face.py();
        let handle = face.handle()?;
        let now = Zoned::now();
        let (report, before) = self.watch(face)?.store(py, |patience| {
            handle.with_retry(patience, |store| {
                let recent = store
                    .last_success(Some(&not_after(&now)))?
                    .and_then(|last| minutes_since(&last, &now))
                    .filter(|minutes| (0..RECENT_MINUTES).contains(minutes));
                before_run(store, recent)
            })
        })?;
        for warning in &report.warnings {
            warn!(target: "updaters.daily_updater", "Sanity check: {warning}");
        }
        for issue in &report.issues {
            face.append("errors", format!("Sanity check failed: {issue}"))?;
        }
        self.state().before = Some(before);
        crate::python::logs::drain(py)?;
        Ok(report.issues.is_empty())
    }

    /// Opens the run in the journal; from here on the database is written.
    pub(super) fn start_run(&self, face: &Face<'_>) -> PyResult<()> {
        if self.state().run.is_some() {
            return Ok(());
        }
        let py = face.py();
        let congress = face.congress()?;
        let mode: String = face.0.getattr("update_mode")?.extract()?;
        let trigger: String = face.trigger_source()?;
        let handle = face.handle()?;
        let run = self.watch(face)?.store(py, |patience| {
            handle.with_retry(patience, |store| {
                store.bring_up()?;
                let run = store.start_run(congress, &mode, &trigger)?;
                remember_size(store)?;
                Ok(run)
            })
        })?;
        self.state().run = Some(run);
        Ok(())
    }

    pub(super) fn back_up(&self, face: &Face<'_>) -> PyResult<PathBuf> {
        let handle = face.handle()?;
        let watch = self.watch(face)?;
        watch.store(face.py(), |patience| {
            handle.with_retry(patience, |store| {
                let folder = backups_of(store.path());
                store.back_up(&folder, patience.interrupted)
            })
        })
    }

    pub(super) fn clean_backups(&self, face: &Face<'_>, days: i64) -> PyResult<Vec<PathBuf>> {
        let handle = face.handle()?;
        self.watch(face)?.store(face.py(), |patience| {
            let folder = handle.with(patience, |store| Ok(backups_of(store.path())))?;
            store::sqlite::prune_backups(&folder, days)
        })
    }

    /// `_run_post_update_validation`: only what this run broke counts.
    pub(super) fn verify(&self, face: &Face<'_>) -> PyResult<()> {
        let py = face.py();
        let handle = face.handle()?;
        let (before, run) = {
            let state = self.state();
            (state.before.clone(), state.run)
        };
        let (report, now) = self.watch(face)?.store(py, |patience| {
            handle.with_retry(patience, |store| {
                if let Some(run) = run {
                    store.expect_run(run)?;
                }
                // Called alone there is nothing to compare with: then what is there is old.
                let before = match &before {
                    Some(before) => before.clone(),
                    None => store.soundness()?,
                };
                after_run(store, &before)
            })
        })?;
        let metrics = face.metrics()?;
        for warning in report.warnings {
            face.append("validation_warnings", warning)?;
        }
        metrics.setattr("validation_passed", report.issues.is_empty())?;
        for issue in report.issues {
            warn!(target: "updaters.daily_updater", "Validation: {issue}");
            face.append("validation_issues", issue)?;
        }
        self.state().before = Some(now);
        crate::python::logs::drain(py)
    }

    /// `_run_historical_validation`: the figures that are far from those of the last 90 days.
    pub(super) fn historical<'py>(
        &self,
        face: &Face<'py>,
    ) -> PyResult<(Vec<Bound<'py, PyAny>>, bool)> {
        let py = face.py();
        let log = update_log(face, true)?;
        let min_days: usize = face.setting("historical_min_days")?;
        let threshold: f64 = face.setting("historical_z_threshold")?;
        let since = days_ago(&Zoned::now(), HISTORY_DAYS);
        let handle = face.handle()?;
        let past = self.watch(face)?.store(py, |patience| {
            handle.with_retry(patience, |store| store.past_runs(&since))
        })?;
        let found = compare(&figures_of(&log), &past, min_days, threshold);
        if let Some(problem) = found.problem() {
            info!(target: "updaters.daily_updater", "Historical validation: {problem}");
        }
        let mut anomalies = Vec::new();
        for anomaly in &found.anomalies {
            warn!(target: "updaters.daily_updater",
                "Historical validation: {} is {:.1}, {:.1} standard deviations from the usual {:.1}",
                anomaly.metric, anomaly.value, anomaly.z_score, anomaly.mean);
            anomalies.push(from_json(py, &anomaly.to_json())?);
        }
        if found.alert {
            let names: Vec<_> = found
                .anomalies
                .iter()
                .map(|anomaly| anomaly.metric)
                .collect();
            warn!(target: "updaters.daily_updater",
                "Historical validation: ALERT, this run is unlike the ones before it: {}",
                names.join(", "));
        }
        crate::python::logs::drain(py)?;
        Ok((anomalies, found.alert))
    }

    /// What to compare with after the run, where the sanity checks (a replacement's) did not note it.
    pub(super) fn note_before(&self, face: &Face<'_>) -> PyResult<()> {
        if self.state().before.is_some() {
            return Ok(());
        }
        let handle = face.handle()?;
        let before = self.watch(face)?.store(face.py(), |patience| {
            handle.with_retry(patience, |store| store.soundness())
        })?;
        self.state().before = Some(before);
        Ok(())
    }

    /// After a window was applied: remembers what did not make it in, forgets what did, moves dates.
    pub(super) fn settle(&self, face: &Face<'_>, events: &[String], write: bool) -> PyResult<()> {
        let py = face.py();
        let (look_back, failed, dates, waiting, held) = {
            let mut state = self.state();
            // Only when all that the list showed is in, or remembered.
            let look_back = if state.windows.is_empty() {
                std::mem::take(&mut state.look_back)
            } else {
                LookBack::AsBefore
            };
            (
                look_back,
                std::mem::take(&mut state.failed),
                std::mem::take(&mut state.dates),
                state.waiting.clone(),
                state.held.clone(),
            )
        };
        // What a person asked for by id is theirs to ask for again.
        let asked: Vec<String> = face.0.getattr("event_ids")?.extract()?;
        let (by_hand, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|event| {
            asked.contains(&event.event_id) && !waiting.contains_key(&event.event_id)
        });
        for event in &by_hand {
            let text = format!("event {}: {}", event.event_id, event.reason);
            if event.kind != DeferKind::Record {
                face.append("errors", text)?;
            }
        }
        for event in &failed {
            face.append(
                "deferred",
                deferred_dict(py, &event.event_id, &event.reason)?,
            )?;
        }
        if !write {
            return Ok(());
        }
        let came_in: Vec<String> = events
            .iter()
            .filter(|id| {
                !failed
                    .iter()
                    .chain(&by_hand)
                    .any(|event| &event.event_id == *id)
            })
            .cloned()
            .collect();
        let cleared: Vec<&str> = came_in
            .iter()
            .filter(|id| waiting.contains_key(*id))
            .map(String::as_str)
            .collect();
        let released: Vec<&String> = came_in.iter().filter(|id| held.contains(*id)).collect();
        let congress = face.congress()?;
        let (run, came_to) = {
            let state = self.state();
            (state.run, state.came_to())
        };
        let handle = face.handle()?;
        self.watch(face)?.store(py, |patience| {
            if !dates.is_empty() {
                in_transaction_of(run, &handle, BatchKind::Dates, patience, |store| {
                    for (event_id, date) in &dates {
                        store.write_update_date(event_id, date)?;
                    }
                    Ok(())
                })?;
            }
            handle.with(patience, |store| remember_hole(store, congress, look_back))?;
            if failed.is_empty() && cleared.is_empty() && released.is_empty() && came_to.is_none() {
                return Ok(());
            }
            in_transaction(&handle, BatchKind::Bookkeeping, patience, |store| {
                for event in &failed {
                    remember(store, event, congress, waiting.get(&event.event_id))?;
                }
                store.undefer(&cleared)?;
                for event_id in &released {
                    store.release(event_id)?;
                }
                if let Some((full, last)) = &came_to {
                    note_full_run(store, congress, (!last).then_some(full))?;
                }
                Ok(())
            })
        })?;
        self.adopt_commits(face).map(drop)
    }

    /// `_record_update_metrics`: closes the run and writes its `update_logs` row.
    pub(super) fn record(&self, face: &Face<'_>, success: bool) -> PyResult<Option<i64>> {
        let py = face.py();
        let log = update_log(face, success)?;
        let (run, figures) = {
            let mut state = self.state();
            (state.run.take(), std::mem::take(&mut state.figures))
        };
        let keep: i64 = face.setting("journal_retention_days")?;
        let handle = face.handle()?;
        self.watch(face)?.store(py, |patience| {
            let id = handle
                .with_retry(patience, |store| store.finish_run(run, &log, &figures))?;
            // Retention and the WAL are housekeeping: they never make a run fail.
            let pruned = handle.with_retry(patience, |store| {
                remember_size(store)?;
                store.prune_journal(keep)
            });
            match pruned {
                Ok(0) => {}
                Ok(batches) => {
                    info!(target: "updaters.update", "journal: {batches} batches older than {keep} days removed");
                }
                Err(err) => warn!(target: "updaters.update", "journal not pruned: {err}"),
            }
            if let Err(err) = handle.with(patience, |store| store.checkpoint_wal()) {
                warn!(target: "updaters.store", "the WAL stays: {err}");
            }
            Ok(id)
        })
    }
}

fn remember(
    store: &mut dyn Store,
    event: &Failed,
    congress: i64,
    before: Option<&Deferred>,
) -> StoreResult<()> {
    let gone = before.map_or(0, |known| known.not_found) + 1;
    if event.kind == DeferKind::NotFound && gone >= NOT_FOUND_RUNS {
        warn!(target: "updaters.daily_updater",
            "event {}: not found at the API in {NOT_FOUND_RUNS} runs: no longer asked for", event.event_id);
        return store.undefer(&[&event.event_id]).map(|_| ());
    }
    store.defer(
        &event.event_id,
        Some(before.and_then(|known| known.congress).unwrap_or(congress)),
        event.chamber.as_deref(),
        event.kind,
        &event.reason,
    )
}

#[allow(clippy::cast_precision_loss)] // counters of one run
fn figures_of(log: &UpdateLog) -> PastRun {
    PastRun {
        start_time: log.start_time.clone(),
        hearings_checked: log.hearings_checked as f64,
        hearings_updated: log.hearings_updated as f64,
        hearings_added: log.hearings_added as f64,
        error_count: log.errors.len() as f64,
        duration_seconds: log.duration_seconds,
    }
}

fn backups_of(database: &Path) -> PathBuf {
    database
        .parent()
        .unwrap_or_else(|| Path::new(""))
        .join("backups")
}

/// The metrics as a row of `update_logs`: naive local times, the start floored to the second.
fn update_log(face: &Face<'_>, success: bool) -> PyResult<UpdateLog> {
    let py = face.py();
    let metrics = face.metrics()?;
    let stamp = |name: &str| -> PyResult<String> {
        metrics
            .getattr(name)?
            .call_method1("strftime", ("%Y-%m-%d %H:%M:%S",))?
            .extract()
    };
    let int = |name: &str| -> PyResult<i64> { metrics.getattr(name)?.extract() };
    if metrics.getattr("end_time")?.is_none() {
        let now = py
            .import("datetime")?
            .getattr("datetime")?
            .call_method0("now")?;
        metrics.setattr("end_time", now)?;
    }
    let duration = metrics.call_method0("duration")?;
    let errors = metrics.getattr("errors")?;
    let errors: PyResult<Vec<String>> = errors
        .try_iter()?
        .map(|error| Ok(error?.str()?.to_string()))
        .collect();
    Ok(UpdateLog {
        start_time: stamp("start_time")?,
        end_time: stamp("end_time")?,
        duration_seconds: duration.call_method0("total_seconds")?.extract()?,
        hearings_checked: int("hearings_checked")?,
        hearings_updated: int("hearings_updated")?,
        hearings_added: int("hearings_added")?,
        committees_updated: int("committees_updated")?,
        witnesses_updated: int("witnesses_updated")?,
        api_requests: int("api_requests")?,
        errors: errors?,
        success,
        trigger_source: face.trigger_source()?,
        schedule_id: schedule_id(face)?,
    })
}

/// A number, also as text: endpoints inject what came with the request. Anything else is none.
fn schedule_id(face: &Face<'_>) -> PyResult<Option<i64>> {
    let given = face.0.getattr("schedule_id")?;
    if given.is_none() {
        return Ok(None);
    }
    let id = given.extract::<i64>().ok().or_else(|| {
        let text = given.extract::<String>().ok()?;
        text.trim().parse().ok()
    });
    if id.is_none() {
        warn!(target: "updaters.daily_updater", "schedule_id is no number ({}): recorded without it",
            type_name(&given));
    }
    Ok(id)
}
