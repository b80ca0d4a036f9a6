//! The progress callback: a fresh dict at each step, on the caller's thread, at least every ten seconds.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// How often counters that move are shown while native code waits.
const PACE: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    pub phase: String,
    pub message: String,
    pub checked: usize,
    pub total: usize,
    pub found: usize,
    pub percent: f64,
}

/// Where the run stands, and whom to tell.
pub struct Progress {
    callback: Option<Py<PyAny>>,
    now: Mutex<Snapshot>,
    told: Mutex<(Instant, Snapshot)>,
    /// Where what is told lies in the whole run: so many per cent before, and a share of so many.
    stretch: Mutex<(f64, f64)>,
}

impl Progress {
    pub fn new(callback: Option<Bound<'_, PyAny>>) -> Self {
        Self {
            callback: callback.filter(|c| !c.is_none()).map(Bound::unbind),
            now: Mutex::default(),
            told: Mutex::new((Instant::now(), Snapshot::default())),
            stretch: Mutex::new((0.0, 100.0)),
        }
    }

    /// What is told from here on is a part of the run.
    pub fn stretch(&self, part: (f64, f64)) {
        *self.stretch.lock().unwrap_or_else(PoisonError::into_inner) = part;
    }

    /// Notes where the run stands; told at the next tick.
    pub fn note(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What Python told the callback itself: from here on that is where the run stands.
    pub fn told(&self, told: Snapshot) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = told.clone();
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), told);
    }

    /// Tells at once.
    pub fn tell(&self, py: Python<'_>) -> PyResult<()> {
        let snapshot = self
            .now
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) =
            (Instant::now(), snapshot.clone());
        let Some(callback) = &self.callback else {
            return Ok(());
        };
        let dict = PyDict::new(py);
        dict.set_item("phase", snapshot.phase)?;
        dict.set_item("message", snapshot.message)?;
        dict.set_item("hearings_checked", snapshot.checked)?;
        dict.set_item("total_hearings", snapshot.total)?;
        dict.set_item("hearings_found", snapshot.found)?;
        let (before, share) = *self.stretch.lock().unwrap_or_else(PoisonError::into_inner);
        let percent = before + snapshot.percent * share / 100.0;
        dict.set_item("percent", (percent * 10.0).round() / 10.0)?;
        callback.call1(py, (dict,))?;
        Ok(())
    }

    /// Called while native code waits: tells what moved, and that the run is alive.
    pub fn tick(&self, py: Python<'_>) -> PyResult<()> {
        let (since, moved) = {
            let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            (told.0.elapsed(), told.1 != *now)
        };
        if since >= HEARTBEAT || (moved && since >= PACE) {
            self.tell(py)
        } else {
            Ok(())
        }
    }
}
