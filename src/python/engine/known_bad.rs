//! Meetings that were refused before and would be again.

use std::collections::HashSet;

use tracing::warn;

use super::Engine;
use super::fetch::Fetched;
use crate::domain::{Chamber, Parsed};
use crate::store::DeferKind;

/// As many issues tell what is wrong with a record.
const SHOWN: usize = 3;

impl Engine {
    /// A meeting that an earlier run could not store, and that is still invalid, is set aside alone: run
    /// after run it would keep the rest of its batch out. `stored`: the known committees, where links
    /// to them are written.
    pub(super) fn without_known_bad(
        &self,
        fetched: Vec<Fetched>,
        stored: Option<&HashSet<String>>,
    ) -> Vec<Fetched> {
        let mut sound = Vec::with_capacity(fetched.len());
        for one in fetched {
            let meeting = &one.parsed.meeting;
            let was_refused = self.state().waiting.contains_key(&meeting.event_id);
            let reason = was_refused
                .then(|| self.why_bad(&one.parsed, stored))
                .flatten();
            let Some(reason) = reason else {
                sound.push(one);
                continue;
            };
            warn!(target: "updaters.update", "event {}: still invalid, set aside: {reason}", meeting.event_id);
            let chamber = meeting.chamber.map(Chamber::for_path);
            self.state()
                .fail(&meeting.event_id, chamber, DeferKind::Record, &reason);
        }
        sound
    }

    fn why_bad(&self, parsed: &Parsed, stored: Option<&HashSet<String>>) -> Option<String> {
        if !parsed.issues.is_empty() {
            let issues: Vec<&str> = parsed
                .issues
                .iter()
                .take(SHOWN)
                .map(|issue| issue.message.as_str())
                .collect();
            return Some(issues.join("; "));
        }
        let state = self.state();
        let is_known = |code: &str| {
            stored.is_none_or(|stored| stored.contains(code)) || state.resolved.contains_key(code)
        };
        let mut named = parsed.meeting.committees.iter();
        let unknown = named.find(|committee| !is_known(&committee.system_code))?;
        Some(format!(
            "Unknown committee code '{}': not in the database and not found at the API",
            unknown.system_code
        ))
    }
}
