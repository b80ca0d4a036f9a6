//! Which of the listed meetings are worth a detail request.

use std::collections::{HashMap, HashSet};

use crate::api::Wanted;
use crate::domain::{Chamber, ListItem, parse_datetime};
use crate::store::{Deferred, Held};

use super::diff::newer;

/// `update_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only what is new, changed or deferred.
    Incremental,
    /// Everything.
    Full,
}

/// What to ask for, and what was passed over.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub wanted: Vec<Wanted>,
    /// Held back because a person undid them and upstream has not moved since.
    pub held: Vec<String>,
    /// Deferred events that have left the window.
    pub from_deferred: usize,
}

/// Chooses the meetings to ask for: each event once, in the list's order, then deferred ones that the
/// list does not show.
pub fn select(
    congress: i64,
    mode: Mode,
    listed: &[ListItem],
    stored: &HashMap<String, Option<String>>,
    deferred: &[Deferred],
    held: &[Held],
) -> Selection {
    let held: HashMap<&str, &Held> = held.iter().map(|h| (h.event_id.as_str(), h)).collect();
    let waiting: HashSet<&str> = deferred.iter().map(|d| d.event_id.as_str()).collect();
    let mut selection = Selection::default();
    let mut seen = HashSet::new();
    for item in listed {
        if !seen.insert(item.event_id.as_str()) {
            continue;
        }
        if held
            .get(item.event_id.as_str())
            .is_some_and(|hold| still_held(hold, item))
        {
            selection.held.push(item.event_id.clone());
            continue;
        }
        let worth_a_look = mode == Mode::Full
            || waiting.contains(item.event_id.as_str())
            || match stored.get(&item.event_id) {
                Some(known) => newer(known.as_deref(), item.update_date),
                None => true,
            };
        if worth_a_look {
            selection.wanted.push(Wanted {
                event_id: item.event_id.clone(),
                congress: item.congress.unwrap_or(congress),
                chamber: item.chamber,
                update_date: item.update_date,
                url: item.url.clone(),
            });
        }
    }
    for event in deferred {
        let ours = event.congress.is_none_or(|c| c == congress);
        if !ours
            || seen.contains(event.event_id.as_str())
            || held.contains_key(event.event_id.as_str())
        {
            continue;
        }
        selection.from_deferred += 1;
        selection.wanted.push(Wanted {
            event_id: event.event_id.clone(),
            congress: event.congress.unwrap_or(congress),
            chamber: event.chamber.as_deref().and_then(Chamber::parse),
            update_date: None,
            url: None,
        });
    }
    selection
}

/// A hold ends when upstream moves past the state that was undone; without a known date, only by hand.
fn still_held(hold: &Held, item: &ListItem) -> bool {
    match (
        hold.update_date.as_deref().and_then(parse_datetime),
        item.update_date,
    ) {
        (Some(undone), Some(upstream)) => upstream <= undone,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DeferKind;

    fn item(event_id: &str, update_date: &str) -> ListItem {
        ListItem {
            event_id: event_id.into(),
            congress: Some(119),
            chamber: Some(Chamber::House),
            update_date: parse_datetime(update_date),
            url: None,
        }
    }

    fn ids(selection: &Selection) -> Vec<&str> {
        selection
            .wanted
            .iter()
            .map(|w| w.event_id.as_str())
            .collect()
    }

    fn waiting(event_id: &str, congress: i64) -> Deferred {
        Deferred {
            event_id: event_id.into(),
            congress: Some(congress),
            chamber: Some("senate".into()),
            reason: "answered 500".into(),
            kind: DeferKind::Fetch,
            tries: 1,
            not_found: 0,
            first_seen: "2025-10-01 00:00:00".into(),
            last_tried: "2025-10-01 00:00:00".into(),
        }
    }

    fn hold(event_id: &str, update_date: Option<&str>) -> Held {
        Held {
            event_id: event_id.into(),
            update_date: update_date.map(str::to_owned),
            held_at: String::new(),
            run: None,
        }
    }

    #[test]
    fn only_new_and_changed_meetings_are_asked_for() {
        let listed = [
            item("1", "2025-10-02T00:00:00Z"),
            item("2", "2025-10-01T00:00:00Z"),
            item("3", "2025-10-01T00:00:00Z"),
        ];
        let stored = HashMap::from([
            ("1".to_owned(), Some("2025-10-01 00:00:00".to_owned())),
            ("2".to_owned(), Some("2025-10-01 00:00:00".to_owned())),
        ]);
        let selection = select(119, Mode::Incremental, &listed, &stored, &[], &[]);
        assert_eq!(ids(&selection), ["1", "3"]);
        let selection = select(119, Mode::Full, &listed, &stored, &[], &[]);
        assert_eq!(ids(&selection), ["1", "2", "3"]);
    }

    #[test]
    fn deferred_events_are_asked_for_again_also_outside_the_window() {
        let listed = [item("2", "2025-10-01T00:00:00Z")];
        let stored = HashMap::from([("2".to_owned(), Some("2025-10-01 00:00:00".to_owned()))]);
        let deferred = [waiting("2", 119), waiting("9", 119), waiting("8", 118)];
        let selection = select(119, Mode::Incremental, &listed, &stored, &deferred, &[]);
        assert_eq!(ids(&selection), ["2", "9"]);
        assert_eq!(selection.wanted[1].chamber, Some(Chamber::Senate));
    }

    #[test]
    fn a_held_event_waits_until_upstream_moves() {
        let listed = [
            item("1", "2025-10-01T00:00:00Z"),
            item("2", "2025-10-05T00:00:00Z"),
        ];
        let held = [
            hold("1", Some("2025-10-01 00:00:00")),
            hold("2", Some("2025-10-01 00:00:00")),
        ];
        let selection = select(119, Mode::Full, &listed, &HashMap::new(), &[], &held);
        assert_eq!(ids(&selection), ["2"]);
        assert_eq!(selection.held, ["1"]);
    }

    #[test]
    fn a_hold_without_a_date_ends_only_by_hand() {
        let listed = [item("1", "2025-10-05T00:00:00Z")];
        let selection = select(
            119,
            Mode::Full,
            &listed,
            &HashMap::new(),
            &[],
            &[hold("1", None)],
        );
        assert!(selection.wanted.is_empty());
    }
}
