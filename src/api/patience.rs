//! Waiting out the circuit breaker: once a run, and then everybody together.

use std::cell::Cell;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{ApiError, Get};

/// Asks on behalf of one station. When the breaker opens, all requests of the station wait for the
/// same end of its recovery period, and are sent again; should it open once more, that is an error.
pub(super) struct Patience<'a, G> {
    get: &'a G,
    until: Cell<Option<Instant>>,
}

impl<'a, G: Get> Patience<'a, G> {
    pub(super) fn new(get: &'a G) -> Self {
        Self {
            get,
            until: Cell::new(None),
        }
    }

    pub(super) async fn get(
        &self,
        endpoint: &str,
        params: &[(String, String)],
    ) -> Result<Value, ApiError> {
        self.ask(endpoint, params, false).await
    }

    /// [`Get::probe`] where `probing`, else [`Get::get`].
    pub(super) async fn ask(
        &self,
        endpoint: &str,
        params: &[(String, String)],
        probing: bool,
    ) -> Result<Value, ApiError> {
        loop {
            let answer = if probing {
                self.get.probe(endpoint, params).await
            } else {
                self.get.get(endpoint, params).await
            };
            let answer = match answer {
                // The very request that opened it is one of those that wait.
                Err(error) if error.is_outage() => Err(self.get.refusal().unwrap_or(error)),
                answer => answer,
            };
            let Err(ApiError::CircuitOpen { wait_seconds, .. }) = answer else {
                return answer;
            };
            let Some(until) = self.wait_until(wait_seconds) else {
                return answer;
            };
            tokio::time::sleep_until(until).await;
        }
    }

    /// `None`: the one wait is over, or not ours to take.
    fn wait_until(&self, wait_seconds: f64) -> Option<Instant> {
        if let Some(until) = self.until.get() {
            return (Instant::now() < until).then_some(until);
        }
        if !self.get.wait_out_breaker() {
            return None;
        }
        tracing::warn!(
            target: "updaters.api",
            "The circuit breaker is open: waiting {wait_seconds:.0} s, once, before the next try"
        );
        self.until
            .set(Some(Instant::now() + as_duration(wait_seconds)));
        self.until.get()
    }
}

/// A little more than was asked for, so that rounding never makes us come too early.
fn as_duration(seconds: f64) -> Duration {
    let asked = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    asked.min(Duration::from_secs(3600)) + Duration::from_millis(5)
}
