//! The circuit breaker: after an outage shows, nobody asks until a recovery period is over; then one
//! request goes ahead and the others wait for what it finds.
//!
//! It judges a request by its final outcome, after the request's own retries. A 500 counts as neither
//! good nor bad: one broken event upstream is no outage. Many different ones in a row are.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{ApiError, BreakerSettings};

/// So many different endpoints that answer 500, with nothing else answering in between, count as one
/// failure. With the usual threshold of 5 it takes more of them than are in flight at once (16), so
/// that a few broken events that come first do not look like an outage.
const BROKEN_FOR_ONE: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    Closed,
    Open,
    HalfOpen,
}

impl BreakerState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What a request says about the API's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// An answer: 2xx or 404.
    Good,
    /// Transport, time-out, 429, 502, 503, 504.
    Bad,
    /// A 500, of that endpoint.
    Broken(&'a str),
    /// Nothing either way.
    Neutral,
}

/// The breaker in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerStats {
    pub name: &'static str,
    pub state: BreakerState,
    /// Failures in a row.
    pub failure_count: u64,
    /// Good answers since the last failure.
    pub success_count: u64,
    /// Requests let through.
    pub total_calls: u64,
    pub total_failures: u64,
    pub total_successes: u64,
    pub times_opened: u64,
    /// Unix seconds.
    pub last_state_change: Option<f64>,
    /// Seconds until the next try; 0 unless open.
    pub recovery_time_remaining: f64,
    pub failure_rate_pct: f64,
}

#[derive(Debug)]
struct Inner {
    state: BreakerState,
    /// Grows with every change of state: what was sent in an earlier one no longer changes it.
    generation: u64,
    opened_at: Instant,
    /// Endpoints that answered 500 since the last good answer.
    broken: HashSet<String>,
    /// The one request that tries the API in the half-open state is under way.
    probing: bool,
    failures: u64,
    successes: u64,
    total_calls: u64,
    total_failures: u64,
    total_successes: u64,
    times_opened: u64,
    last_change: Option<f64>,
}

#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    inner: Mutex<Inner>,
    changed: Notify,
}

/// A request let through; dropped without a verdict (cancelled), it counts as neutral.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    generation: u64,
    probe: bool,
}

impl Breaker {
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            inner: Mutex::new(Inner {
                state: BreakerState::Closed,
                generation: 0,
                opened_at: Instant::now(),
                broken: HashSet::new(),
                probing: false,
                failures: 0,
                successes: 0,
                total_calls: 0,
                total_failures: 0,
                total_successes: 0,
                times_opened: 0,
                last_change: None,
            }),
            changed: Notify::new(),
        }
    }

    /// Lets a request through, or says when to come again. While another request tries a recovering
    /// API, waits for its outcome.
    pub(super) async fn enter(self: &Arc<Self>) -> Result<Pass, ApiError> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(verdict) = self.try_enter() {
                return verdict;
            }
            changed.await;
        }
    }

    /// `None`: another request is trying the API.
    fn try_enter(self: &Arc<Self>) -> Option<Result<Pass, ApiError>> {
        let mut inner = self.lock();
        if inner.state == BreakerState::Open {
            if let Some(error) = self.refusal(&inner) {
                return Some(Err(error));
            }
            inner.change(BreakerState::HalfOpen);
        }
        let probe = inner.state == BreakerState::HalfOpen;
        if probe && inner.probing {
            return None;
        }
        inner.probing = probe;
        inner.total_calls += 1;
        Some(Ok(Pass {
            breaker: Arc::clone(self),
            generation: inner.generation,
            probe,
        }))
    }

    /// The error while the breaker is open and its recovery period is not over.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        self.refusal(&self.lock()).map_or(Ok(()), Err)
    }

    fn refusal(&self, inner: &Inner) -> Option<ApiError> {
        let wait = self.remaining(inner);
        (!wait.is_zero()).then_some(ApiError::CircuitOpen {
            failures: inner.failures,
            wait_seconds: wait.as_secs_f64(),
        })
    }

    fn remaining(&self, inner: &Inner) -> Duration {
        if inner.state == BreakerState::Open {
            self.settings
                .timeout
                .saturating_sub(inner.opened_at.elapsed())
        } else {
            Duration::ZERO
        }
    }

    pub fn state(&self) -> BreakerState {
        self.lock().state
    }

    /// Closes it by hand; the totals stay.
    pub fn reset(&self) {
        {
            let mut inner = self.lock();
            inner.change(BreakerState::Closed);
            inner.failures = 0;
            inner.successes = 0;
            inner.broken.clear();
        }
        self.changed.notify_waiters();
    }

    pub fn stats(&self) -> BreakerStats {
        let inner = self.lock();
        let judged = inner.total_failures + inner.total_successes;
        #[allow(clippy::cast_precision_loss)] // counts of requests stay far below 2^52
        let rate = if judged == 0 {
            0.0
        } else {
            (inner.total_failures as f64 * 10_000.0 / judged as f64).round() / 100.0
        };
        BreakerStats {
            name: "congress_api",
            state: inner.state,
            failure_count: inner.failures,
            success_count: inner.successes,
            total_calls: inner.total_calls,
            total_failures: inner.total_failures,
            total_successes: inner.total_successes,
            times_opened: inner.times_opened,
            last_state_change: inner.last_change,
            recovery_time_remaining: self.remaining(&inner).as_secs_f64(),
            failure_rate_pct: rate,
        }
    }

    /// A panic elsewhere leaves plain counters behind: they are still sound.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, generation: u64, probe: bool, outcome: Outcome<'_>) {
        {
            let mut inner = self.lock();
            match outcome {
                Outcome::Good => inner.total_successes += 1,
                Outcome::Bad => inner.total_failures += 1,
                Outcome::Broken(_) | Outcome::Neutral => {}
            }
            if generation == inner.generation {
                if probe {
                    inner.probing = false;
                }
                inner.apply(outcome, u64::from(self.settings.threshold));
            }
        }
        self.changed.notify_waiters();
    }
}

impl Inner {
    fn apply(&mut self, outcome: Outcome<'_>, threshold: u64) {
        match outcome {
            Outcome::Neutral => {}
            Outcome::Broken(endpoint) => {
                self.broken.insert(endpoint.to_owned());
                let different = u64::try_from(self.broken.len()).unwrap_or(u64::MAX);
                if different >= threshold.saturating_mul(BROKEN_FOR_ONE) {
                    self.successes = 0;
                    self.failures = self.failures.max(different);
                    self.open();
                }
            }
            Outcome::Good => {
                self.failures = 0;
                self.broken.clear();
                self.successes += 1;
                if self.state == BreakerState::HalfOpen {
                    tracing::info!(target: "updaters.api", "Circuit breaker closed: the API answers again");
                    self.change(BreakerState::Closed);
                }
            }
            Outcome::Bad => {
                self.successes = 0;
                self.failures += 1;
                if self.state == BreakerState::HalfOpen || self.failures >= threshold {
                    self.open();
                }
            }
        }
    }

    fn open(&mut self) {
        tracing::warn!(
            target: "updaters.api",
            "Circuit breaker opened after {} failures in a row", self.failures
        );
        self.change(BreakerState::Open);
        self.opened_at = Instant::now();
        self.times_opened += 1;
    }

    fn change(&mut self, state: BreakerState) {
        self.generation += 1;
        self.probing = false;
        if self.state != state {
            self.state = state;
            self.last_change = Some(unix_now());
        }
    }
}

impl Pass {
    pub(super) fn finish(mut self, outcome: Outcome<'_>) {
        self.breaker.judge(self.generation, self.probe, outcome);
        self.probe = false;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.judge(self.generation, true, Outcome::Neutral);
        }
    }
}

/// Seconds since 1970.
pub(super) fn unix_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

#[cfg(test)]
mod tests;
