//! `_fetch_recent_hearings`: list, choose, ask for details.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Zoned;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde_json::Value;
use tracing::{info, warn};

use super::committees::named_in;
use super::face::Face;
use super::progress::Progress;
use super::{Engine, errors};
use crate::api::{
    ApiError, ListQuery, Listing, REQUESTS_A_COMMITTEE, Wanted, fetch_details, list_meetings,
};
use crate::domain::{Chamber, Parsed, parse_meeting};
use crate::python::client::Source;
use crate::python::convert::from_json;
use crate::python::watch::Watch;
use crate::store::{DeferKind, Deferred, Held, Store, StoreResult};
use crate::update::{Mode, lookback, select};

/// Meetings of one window of a full run: fetched, applied and committed before the next.
const WINDOW: usize = 250;

/// A meeting's record as the API gave it, and what the parser made of it.
pub(super) struct Fetched {
    /// Its place in what was asked for.
    at: usize,
    value: Value,
    pub(super) parsed: Arc<Parsed>,
}

/// A window's meetings on their way: what is still to be asked for, and how far it is.
struct Asking {
    queue: VecDeque<Wanted>,
    /// Event id -> its place in the list.
    order: HashMap<String, usize>,
    done: usize,
}

impl Asking {
    fn new(wanted: Vec<Wanted>) -> Self {
        let places = wanted.iter().enumerate();
        Self {
            order: places.map(|(at, w)| (w.event_id.clone(), at)).collect(),
            queue: wanted.into(),
            done: 0,
        }
    }
}

/// What the choice of meetings needs to know of the database.
struct Known {
    dates: HashMap<String, Option<String>>,
    deferred: Vec<Deferred>,
    held: Vec<Held>,
    last_success: Option<String>,
}

fn known(store: &mut dyn Store, congress: i64) -> StoreResult<Known> {
    Ok(Known {
        dates: store.update_dates(congress)?,
        deferred: store.deferred()?,
        held: store.held()?,
        last_success: store.last_success()?,
    })
}

impl Engine {
    pub(super) fn fetch_hearings<'py>(
        &self,
        face: &Face<'py>,
        callback: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = face.py();
        let source = self.source(face)?;
        let progress = Arc::new(Progress::new(callback));
        self.set_progress(Some(Arc::clone(&progress)));
        let watch = self.watch(face)?;
        let fetched = self.fetch_window(face, &source, &watch, &progress);
        self.note_requests(face, &source)?;
        if let Some(stop) = source.take_stop() {
            return Err(stop);
        }
        let fetched = fetched?;
        let list = PyList::empty(py);
        for Fetched { value, parsed, .. } in fetched {
            let record = from_json(py, &value)?;
            self.keep_parsed(&record, parsed);
            list.append(record)?;
        }
        Ok(list)
    }

    /// What this run asks; from its first use on, requests are counted as the run's.
    pub(super) fn source(&self, face: &Face<'_>) -> PyResult<Source> {
        let source = face.source()?;
        self.state().requests_before.get_or_insert_with(|| {
            source.begin_run();
            source.requests()
        });
        Ok(source)
    }

    /// `metrics.api_requests`: every request of the run so far.
    pub(super) fn note_requests(&self, face: &Face<'_>, source: &Source) -> PyResult<()> {
        let sent = {
            let mut state = self.state();
            match source {
                Source::Native(_) => {
                    let before = state.requests_before.unwrap_or_default();
                    state.requests = source.requests().saturating_sub(before);
                }
                // One is made for each use, and counts for itself.
                Source::Foreign(_) => state.requests += source.requests(),
            }
            state.requests
        };
        face.metrics()?.setattr("api_requests", sent)
    }

    fn fetch_window(
        &self,
        face: &Face<'_>,
        source: &Source,
        watch: &Watch,
        progress: &Progress,
    ) -> PyResult<Vec<Fetched>> {
        let next = self.state().next_window();
        progress.stretch(self.state().window_share());
        let wanted = match next {
            Some(window) => window,
            None => self.choose(face, source, watch, progress)?,
        };
        self.forget_failed_look_ups();
        let stored = if face.components()?.committees {
            Some(Self::stored_codes(face, watch)?)
        } else {
            None
        };
        let mut asking = Asking::new(wanted);
        let mut fetched = Vec::with_capacity(asking.queue.len());
        loop {
            let came = self.details(
                face.py(),
                source,
                watch,
                progress,
                &mut asking,
                stored.as_ref(),
            )?;
            // Before more details use up what is left of the hour.
            self.resolve(face, named_in(came.iter().map(|one| &one.parsed)))?;
            fetched.extend(came);
            if asking.queue.is_empty() {
                break;
            }
        }
        // Answers come in any order; batches are cut in the list's.
        fetched.sort_by_key(|one| one.at);
        Ok(self.without_unresolved(fetched))
    }

    /// Lists the window and chooses what to ask for; a full run keeps later windows for later calls.
    fn choose(
        &self,
        face: &Face<'_>,
        source: &Source,
        watch: &Watch,
        progress: &Progress,
    ) -> PyResult<Vec<Wanted>> {
        let py = face.py();
        let congress = face.congress()?;
        let full = face.0.getattr("update_mode")?.extract::<String>()? == "full";
        let mode = if full { Mode::Full } else { Mode::Incremental };
        let handle = face.handle()?;
        let known = watch.store(py, |patience| {
            handle.with_retry(patience, |s| known(s, congress))
        })?;
        let asked: Vec<String> = face.0.getattr("event_ids")?.extract()?;
        if !asked.is_empty() {
            return self.only(face, &asked, congress, known);
        }
        let from = if full {
            None
        } else {
            Some(Self::window(face, &known)?)
        };
        progress.note(|now| {
            now.phase = "fetching".into();
            now.message = "Listing meetings".into();
        });
        progress.tell(py)?;
        let query = ListQuery { congress, from };
        let listing = watch.block_on(py, || async {
            let mut tell = |listed: usize, total: Option<usize>| {
                self.state().listed = true;
                progress.note(|now| {
                    now.checked = listed;
                    now.total = total.unwrap_or(listed);
                    now.message = format!("Listing meetings: {listed}");
                    now.percent = 5.0;
                });
            };
            list_meetings(source, &query, &mut tell).await
        })?;
        let Listing { items, problems } = listing.map_err(|err| errors::api(py, &err))?;
        self.state().listed = true;
        for problem in problems {
            face.append("errors", problem)?;
        }
        face.count("hearings_checked", items.len())?;
        let mut chosen = select(
            congress,
            mode,
            &items,
            &known.dates,
            &known.deferred,
            &known.held,
        );
        info!(target: "updaters.update",
            "{} meetings listed, {} to ask for ({} of them set aside by earlier runs, {} held back)",
            items.len(), chosen.wanted.len(), chosen.from_deferred, chosen.held.len());
        if full {
            self.begin_full(face, source, watch, &mut chosen.wanted, &known.dates)?;
        }
        let mut state = self.state();
        state.held = known.held.into_iter().map(|hold| hold.event_id).collect();
        state.waiting = waiting(known.deferred);
        let mut windows: Vec<Vec<Wanted>> = if full {
            chosen
                .wanted
                .chunks(WINDOW)
                .map(<[Wanted]>::to_vec)
                .collect()
        } else {
            vec![chosen.wanted]
        };
        if windows.is_empty() {
            windows.push(Vec::new());
        }
        state.windows = windows.into();
        state.windows_in_all = state.windows.len();
        let first = state.next_window().unwrap_or_default();
        progress.stretch(state.window_share());
        Ok(first)
    }

    /// `--event`: just these, held or not.
    fn only(
        &self,
        face: &Face<'_>,
        asked: &[String],
        congress: i64,
        known: Known,
    ) -> PyResult<Vec<Wanted>> {
        face.count("hearings_checked", asked.len())?;
        let mut state = self.state();
        state.listed = true;
        state.held = known.held.into_iter().map(|hold| hold.event_id).collect();
        state.waiting = waiting(known.deferred);
        let wanted = asked.iter().map(|event_id| Wanted {
            event_id: event_id.clone(),
            congress,
            chamber: state
                .waiting
                .get(event_id)
                .and_then(|event| event.chamber.as_deref())
                .and_then(Chamber::parse),
            update_date: None,
            url: None,
        });
        Ok(wanted.collect())
    }

    fn window(face: &Face<'_>, known: &Known) -> PyResult<crate::domain::DateTime> {
        let days: i64 = face.0.getattr("lookback_days")?.extract()?;
        let catch_up: bool = face.setting("catch_up")?;
        let last = known.last_success.as_deref().filter(|_| catch_up);
        let window = lookback(&Zoned::now(), days, last).ok_or_else(|| {
            errors::configuration(
                face.py(),
                format!("lookback_days: {days} days are too many"),
            )
        })?;
        if let Some(missed) = window.caught_up_days {
            info!(target: "updaters.daily_updater",
                "The last successful run was {} ({} days ago): looking back that far instead of {} days",
                last.unwrap_or("unknown"), missed, days);
        }
        Ok(window.from)
    }

    /// Asks for the details; what cannot be had is remembered as failed.
    fn details(
        &self,
        py: Python<'_>,
        source: &Source,
        watch: &Watch,
        progress: &Progress,
        asking: &mut Asking,
        stored: Option<&HashSet<String>>,
    ) -> PyResult<Vec<Fetched>> {
        let Asking { queue, order, done } = asking;
        let total = order.len();
        if *done == 0 {
            progress.note(|now| {
                now.phase = "fetching".into();
                now.message = format!("Fetching {total} meetings");
                now.found = 0;
            });
            progress.tell(py)?;
        }
        let got: Mutex<Vec<Fetched>> = Mutex::default();
        let unknown: Mutex<HashSet<String>> = Mutex::default();
        let outcome = watch.block_on(py, || async {
            let mut over_limit = 0;
            let mut sink = |wanted: Wanted, result: Result<Value, ApiError>| {
                *done += 1;
                let done = *done;
                progress.note(|now| {
                    now.message = format!("Fetching meetings: {done} of {total}");
                    now.found = done;
                    now.percent = 5.0 + 55.0 * ratio(done, total);
                });
                if !matches!(result, Err(ApiError::RateLimited { .. })) {
                    self.state().details_asked += 1;
                }
                match result {
                    Ok(value) => {
                        let at = order.get(&wanted.event_id).copied().unwrap_or(usize::MAX);
                        // Here, where the network is waited for anyway.
                        let parsed = Arc::new(parse_meeting(&value));
                        if let Some(stored) = stored {
                            let named = named_in(std::iter::once(&parsed));
                            unknown
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .extend(self.unknown(stored, named));
                        }
                        got.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(Fetched { at, value, parsed });
                    }
                    Err(err) => {
                        over_limit += usize::from(matches!(err, ApiError::RateLimited { .. }));
                        self.could_not_fetch(&wanted, &err);
                    }
                }
            };
            let kept = || {
                let unknown = unknown.lock().unwrap_or_else(PoisonError::into_inner);
                REQUESTS_A_COMMITTEE * unknown.len()
            };
            let outcome = fetch_details(source, queue, &kept, &mut sink).await;
            self.state().over_limit += over_limit;
            if over_limit > 0 {
                warn!(target: "updaters.daily_updater",
                    "The hourly request limit is used up: {over_limit} meetings are left to the next runs");
            }
            outcome
        })?;
        outcome.map_err(|err| errors::api(py, &err))?;
        Ok(got.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts it, unless it is only that the hour has no request left.
    pub(super) fn note_failure(&self, err: &ApiError, reason: &str) {
        if !matches!(err, ApiError::RateLimited { .. }) {
            let mut state = self.state();
            state.details_failed += 1;
            state.first_failure.get_or_insert_with(|| reason.to_owned());
        }
    }

    fn could_not_fetch(&self, wanted: &Wanted, err: &ApiError) {
        let kind = match err {
            ApiError::NotFound { .. } => DeferKind::NotFound,
            _ => DeferKind::Fetch,
        };
        // Over the limit it is all that are left, in one line (see `details`).
        if !matches!(err, ApiError::RateLimited { .. }) {
            warn!(target: "updaters.update", "event {}: set aside: {err}", wanted.event_id);
        }
        let chamber = wanted.chamber.map(Chamber::for_path);
        self.note_failure(err, &err.to_string());
        self.state()
            .fail(&wanted.event_id, chamber, kind, &err.to_string());
    }
}

fn waiting(deferred: Vec<Deferred>) -> HashMap<String, Deferred> {
    deferred
        .into_iter()
        .map(|event| (event.event_id.clone(), event))
        .collect()
}

#[allow(clippy::cast_precision_loss)] // a percentage
pub(super) fn ratio(done: usize, total: usize) -> f64 {
    if total == 0 {
        1.0
    } else {
        done as f64 / total as f64
    }
}

/// A plain dict of the deferred events of this run, as `metrics.deferred` has them.
pub(super) fn deferred_dict<'py>(
    py: Python<'py>,
    event_id: &str,
    reason: &str,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("event_id", event_id)?;
    dict.set_item("reason", reason)?;
    Ok(dict)
}
