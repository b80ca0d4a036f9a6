//! A full run that was interrupted goes on where it was.
//!
//! Its meetings are taken in the order of their event ids; a small fact in the database says how far it
//! came. What lies before that and is stored as the list dates it need not be asked for again.

use std::cmp::Ordering;
use std::collections::HashMap;

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::diff::newer;
use crate::api::Wanted;
use crate::store::{Store, StoreResult};

/// An older one is begun anew.
const MAX_AGE_DAYS: i64 = 7;

/// How far a full run of a Congress came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullRun {
    /// When its first attempt began (UTC, ISO 8601).
    pub started: String,
    /// What it stores; another choice begins anew.
    pub components: String,
    /// The last event of the last window that was settled.
    pub through: Option<String>,
}

fn key(congress: i64) -> String {
    format!("full run of {congress}")
}

/// The full run to go on with, or a new one.
pub fn full_run(
    store: &mut dyn Store,
    congress: i64,
    components: &str,
    now: Timestamp,
) -> StoreResult<FullRun> {
    let known = store
        .fact(&key(congress))?
        .and_then(|text| serde_json::from_str::<FullRun>(&text).ok())
        .filter(|run| run.components == components)
        .filter(|run| {
            let oldest = now.checked_sub((MAX_AGE_DAYS * 24).hours());
            let started = run.started.parse::<Timestamp>();
            matches!((started, oldest), (Ok(started), Ok(oldest)) if started >= oldest)
        });
    Ok(known.unwrap_or_else(|| FullRun {
        started: now.to_string(),
        components: components.to_owned(),
        through: None,
    }))
}

/// Remembers how far it came; `None`: it is done.
pub fn note_full_run(
    store: &mut dyn Store,
    congress: i64,
    run: Option<&FullRun>,
) -> StoreResult<()> {
    let text = run.and_then(|run| serde_json::to_string(run).ok());
    match text {
        Some(text) => store.set_fact(&key(congress), &text),
        None => store.forget_fact(&key(congress)),
    }
}

impl FullRun {
    /// Puts the meetings in order and leaves out those that are in already. -> how many those are.
    pub fn leave_out_done(
        &self,
        wanted: &mut Vec<Wanted>,
        stored: &HashMap<String, Option<String>>,
    ) -> usize {
        wanted.sort_by(|a, b| by_number(&a.event_id, &b.event_id));
        let Some(through) = &self.through else {
            return 0;
        };
        let before = wanted.len();
        wanted.retain(|one| {
            let reached = by_number(&one.event_id, through) != Ordering::Greater;
            // What has no date came from the deferred ones.
            let as_listed = one.update_date.is_some()
                && stored
                    .get(&one.event_id)
                    .is_some_and(|date| !newer(date.as_deref(), one.update_date));
            !(reached && as_listed)
        });
        before - wanted.len()
    }
}

/// Event ids are numbers mostly: 99 comes before 100.
fn by_number(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::parse_datetime;

    fn wanted(event_id: &str, date: Option<&str>) -> Wanted {
        Wanted {
            event_id: event_id.to_owned(),
            congress: 119,
            chamber: None,
            update_date: date.and_then(parse_datetime),
            url: None,
        }
    }

    #[test]
    fn what_is_stored_as_listed_is_left_out_up_to_where_it_came() {
        let date = Some("2025-10-02T00:00:00Z");
        let mut all: Vec<_> = ["1000", "98", "99", "100", "97"]
            .map(|id| wanted(id, date))
            .into();
        all.push(wanted("96", None));
        let stored: HashMap<_, _> = [
            ("97", "2025-10-02 00:00:00"),
            ("99", "2025-10-01 00:00:00"),
            ("100", "2025-10-02 00:00:00"),
            ("96", "2025-10-02 00:00:00"),
        ]
        .into_iter()
        .map(|(id, at)| (id.to_owned(), Some(at.to_owned())))
        .collect();
        let mut run = FullRun {
            started: String::new(),
            components: String::new(),
            through: None,
        };
        assert_eq!(run.leave_out_done(&mut all, &stored), 0);
        let ids = |all: &[Wanted]| -> Vec<String> {
            all.iter().map(|one| one.event_id.clone()).collect()
        };
        assert_eq!(ids(&all), ["96", "97", "98", "99", "100", "1000"]);
        run.through = Some("99".to_owned());
        assert_eq!(run.leave_out_done(&mut all, &stored), 1);
        // Not dated by the list, not stored, changed since, not reached yet.
        assert_eq!(ids(&all), ["96", "98", "99", "100", "1000"]);
    }
}
