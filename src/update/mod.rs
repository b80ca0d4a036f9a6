//! The stations between the API and the store: which meetings to ask for, what changed, the checks
//! before and after a run.

mod checks;
mod diff;
mod full;
mod historical;
mod hole;
mod select;
mod undo;
mod verify;
mod window;

pub use checks::{CheckReport, MIN_HEARINGS, after_run, before_run, remember_size};
pub use diff::{FieldDiff, diff, newer};
pub use full::{FullRun, full_run, note_full_run};
pub use historical::{
    Anomaly, Comparison, HISTORY_DAYS, Statistics, calls_for_alert, compare, days_ago, statistics,
};
pub use hole::{CLOCKS_DIFFER, LookBack, hole, look_back_to, remember_hole};
pub use select::{Mode, Selection, select};
pub use undo::undo_on_purpose;
pub use verify::{Check, Verification, verify};
pub use window::{Lookback, lookback, minutes_since, not_after};
