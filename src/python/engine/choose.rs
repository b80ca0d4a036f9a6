//! Which meetings a run asks for: the list, read as far back as it has to be, and what is known of it.

use std::collections::HashMap;

use jiff::Zoned;
use pyo3::prelude::*;
use tracing::{info, warn};

use super::face::Face;
use super::progress::Progress;
use super::{Engine, errors};
use crate::api::{Get, ListQuery, Listing, Wanted, list_meetings};
use crate::domain::{Chamber, DateTime};
use crate::python::client::Source;
use crate::python::watch::Watch;
use crate::store::{Deferred, Held, Store, StoreResult};
use crate::update::{CLOCKS_DIFFER, Mode, hole, look_back_to, lookback, not_after, select};

/// Meetings of one window of a full run: fetched, applied and committed before the next.
const WINDOW: usize = 250;

/// What the choice of meetings needs to know of the database.
struct Known {
    dates: HashMap<String, Option<String>>,
    deferred: Vec<Deferred>,
    held: Vec<Held>,
    last_success: Option<String>,
    hole: Option<DateTime>,
}

fn known(store: &mut dyn Store, congress: i64) -> StoreResult<Known> {
    Ok(Known {
        dates: store.update_dates(congress)?,
        deferred: store.deferred()?,
        held: store.held()?,
        last_success: store.last_success(Some(&not_after(&Zoned::now())))?,
        hole: hole(store, congress)?,
    })
}

impl Engine {
    /// Lists the window and chooses what to ask for; a full run keeps later windows for later calls.
    pub(super) fn choose(
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
        let mut query = ListQuery { congress, from };
        let mut listing = self.list(face, source, watch, progress, &query)?;
        let ahead = source.clock_ahead();
        if let Some(from) = from.filter(|_| ahead > CLOCKS_DIFFER) {
            warn!(target: "updaters.daily_updater",
                "This computer's clock is {} minutes ahead of the API's: the window starts so much earlier",
                ahead / 60);
            query.from = Some(from.plus_seconds(-ahead));
            listing = self.list(face, source, watch, progress, &query)?;
        }
        let Listing {
            items,
            has_holes,
            problems,
        } = listing;
        let look_back = look_back_to(query.from, known.hole, has_holes, DateTime::now(), ahead);
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
        state.look_back = look_back;
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

    fn list(
        &self,
        face: &Face<'_>,
        source: &Source,
        watch: &Watch,
        progress: &Progress,
        query: &ListQuery,
    ) -> PyResult<Listing> {
        let py = face.py();
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
            list_meetings(source, query, &mut tell).await
        })?;
        listing.map_err(|err| errors::api(py, &err))
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

    fn window(face: &Face<'_>, known: &Known) -> PyResult<DateTime> {
        let days: i64 = face.0.getattr("lookback_days")?.extract()?;
        let catch_up: bool = face.setting("catch_up")?;
        let last = known.last_success.as_deref().filter(|_| catch_up);
        let hole = known.hole.filter(|_| catch_up);
        let window = lookback(&Zoned::now(), days, last, hole).ok_or_else(|| {
            errors::configuration(
                face.py(),
                format!("lookback_days: {days} days are too many"),
            )
        })?;
        if let Some(missed) = window.caught_up_days {
            if hole == Some(window.from) {
                info!(target: "updaters.daily_updater",
                    "The list was last read whole {missed} days ago: looking back that far instead of {days} days");
            } else {
                info!(target: "updaters.daily_updater",
                    "The last successful run was {} ({missed} days ago): looking back that far instead of {days} days",
                    last.unwrap_or("unknown"));
            }
        }
        Ok(window.from)
    }
}

fn waiting(deferred: Vec<Deferred>) -> HashMap<String, Deferred> {
    deferred
        .into_iter()
        .map(|event| (event.event_id.clone(), event))
        .collect()
}
