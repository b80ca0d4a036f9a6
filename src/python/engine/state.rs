//! What a run knows of itself between the seams.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::api::{ApiError, Wanted};
use crate::domain::{Committee, Notice};
use crate::store::{BatchFigures, BatchId, DeferKind, Deferred, RunId, Soundness, Written};
use crate::update::{FullRun, LookBack};

/// An event that did not make it in, and why.
#[derive(Debug, Clone)]
pub struct Failed {
    pub event_id: String,
    pub chamber: Option<String>,
    pub kind: DeferKind,
    pub reason: String,
}

/// Counters of the batch (or pass) that is being applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    pub updated: usize,
    pub added: usize,
    pub witnesses: usize,
    pub committees: usize,
}

#[derive(Default)]
pub struct State {
    /// Committees that the database lacks, resolved at the API: code -> chain, parent first.
    pub resolved: HashMap<String, Vec<Committee>>,
    /// Codes that were looked up, found or not.
    pub looked_up: HashSet<String>,
    /// Of those, the ones that the API could not say anything about, and why.
    pub not_had: HashMap<String, ApiError>,
    /// Mapped values that were named already.
    pub notices: HashSet<Notice>,
    pub run: Option<RunId>,
    /// The list's first page is in hand: from here on the file may be written.
    pub listed: bool,
    /// How the list was read.
    pub look_back: LookBack,
    /// Windows of a full run still to come.
    pub windows: VecDeque<Vec<Wanted>>,
    /// How many windows there are in all; 0 until the list is in hand.
    pub windows_in_all: usize,
    /// A full run that can go on where it was, and the last event of the window under way.
    pub full: Option<FullRun>,
    pub window_end: Option<String>,
    /// Every committee of the Congress, parents first, until they are written.
    pub listed_committees: Vec<Committee>,
    /// Events that this run asked for, and deferred ones as they were before it.
    pub waiting: HashMap<String, Deferred>,
    pub held: HashSet<String>,
    pub failed: Vec<Failed>,
    /// So many were not asked for, as the hourly limit is used up.
    pub over_limit: usize,
    /// Events whose `updateDate` alone moved: event id -> stored form.
    pub dates: Vec<(String, String)>,
    /// Events written by this run, with everything that belongs to them.
    pub written: HashSet<String>,
    pub figures: Vec<BatchFigures>,
    pub batches: Vec<BatchId>,
    pub batches_so_far: usize,
    pub before: Option<Soundness>,
    pub pending: Pending,
    /// What the native writer made of the last record; `None` when an override did not call it.
    pub last: Option<Written>,
    /// Addresses of the current batch's items whose committees were looked up in its validation.
    pub looked_into: HashSet<usize>,
    /// The default `_process_batch` ran for the current batch.
    pub processed: bool,
    /// What the commit of the current batch took.
    pub commit_ms: Option<f64>,
    /// Why the file cannot be written any more: no further batch is tried.
    pub broken: Option<String>,
    /// What of this run could not be undone, in words.
    pub not_undone: Option<String>,
    /// Details that were asked for, how many of them could not be had, and why the first could not.
    pub details_asked: usize,
    pub details_failed: usize,
    pub first_failure: Option<String>,
    /// Requests counted before this run (the client outlives runs).
    pub requests_before: Option<u64>,
    /// Requests of this run so far.
    pub requests: u64,
}

impl State {
    /// Forgets the last run; what was learned about committees stays.
    pub fn begin_run(&mut self) {
        let resolved = std::mem::take(&mut self.resolved);
        *self = Self {
            resolved,
            ..Self::default()
        };
    }

    /// Where the window's share of the run's progress lies, in per cent.
    #[allow(clippy::cast_precision_loss)] // a percentage
    pub fn window_share(&self) -> (f64, f64) {
        let all = self.windows_in_all.max(1);
        let before = all.saturating_sub(self.windows.len() + 1);
        (100.0 * before as f64 / all as f64, 100.0 / all as f64)
    }

    /// The next window of a full run, if there is one.
    pub fn next_window(&mut self) -> Option<Vec<Wanted>> {
        let window = self.windows.pop_front()?;
        self.window_end = window.last().map(|last| last.event_id.clone());
        Some(window)
    }

    /// How far a full run is with the window that is being settled, and whether that is its last.
    pub fn came_to(&self) -> Option<(FullRun, bool)> {
        let mut full = self.full.clone()?;
        full.through.clone_from(&self.window_end);
        Some((full, self.windows.is_empty()))
    }

    pub fn fail(&mut self, event_id: &str, chamber: Option<&str>, kind: DeferKind, reason: &str) {
        let known = self.failed.iter().any(|f| f.event_id == event_id);
        if !known && !event_id.is_empty() {
            self.failed.push(Failed {
                event_id: event_id.to_owned(),
                chamber: chamber.map(str::to_owned),
                kind,
                reason: reason.to_owned(),
            });
        }
    }
}
