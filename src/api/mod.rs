//! The Congress.gov API: one client, and the questions the updater asks it.

mod answer;
mod breaker;
mod client;
mod committee_list;
mod committees;
mod details;
mod endpoint;
#[cfg(test)]
mod fake;
mod limit;
mod listing;
mod patience;
mod raw;
mod redirect;
mod retry;
mod secret;
mod settings;

pub use breaker::{Breaker, BreakerState, BreakerStats};
pub use client::Client;
pub use committee_list::list_committees;
pub use committees::{
    REQUESTS_A_COMMITTEE, committee_endpoints, fetch_committee, fetch_committee_with_parents,
};
pub use details::{Kept, Wanted, fetch_details, meeting_endpoints, weight};
pub use endpoint::segment;
pub use listing::list_meetings;
pub use raw::{Raw, fetch_raw};
pub use retry::RetryStats;
pub use secret::{MASK, Secret, redact};
pub use settings::{BreakerSettings, ClientSettings, DEMO_KEY};

use std::future::Future;

use serde_json::Value;

use crate::domain::{DateTime, ListItem};

/// What can go wrong with a request. No variant ever holds the key.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    #[error(
        "the API refused the key ({code}): set CONGRESS_API_KEY to a valid key (free at api.congress.gov/sign-up)"
    )]
    Key { code: String },
    #[error("{endpoint}: not found (404)")]
    NotFound { endpoint: String },
    #[error("{endpoint}: answered {status}{detail}")]
    Status {
        endpoint: String,
        status: u16,
        detail: String,
    },
    #[error("{endpoint}: {detail}")]
    Transport { endpoint: String, detail: String },
    #[error("{endpoint}: no answer within {seconds} s")]
    Timeout { endpoint: String, seconds: f64 },
    #[error("{endpoint}: the answer is larger than {limit_mib} MiB")]
    TooLarge { endpoint: String, limit_mib: u64 },
    #[error("{endpoint}: {detail}")]
    Nonsense { endpoint: String, detail: String },
    /// Bytes that are no JSON, such as one bad row in a page makes them.
    #[error("{endpoint}: {detail}")]
    Garbled { endpoint: String, detail: String },
    /// The rest of a run's meetings, once those it holds are enough.
    #[error("left to the next run: this one holds {held_mib} MiB of meetings already")]
    Full { held_mib: u64 },
    #[error("{endpoint}: redirected to another host ({host}); not followed")]
    Redirected { endpoint: String, host: String },
    #[error("the hourly request limit is used up; it resets in about {minutes} min")]
    RateLimited { minutes: u64 },
    #[error(
        "the circuit breaker is open: the API failed {failures} times in a row; next try in {wait_seconds:.0} s"
    )]
    CircuitOpen { failures: u64, wait_seconds: f64 },
    #[error("interrupted")]
    Interrupted,
    /// Raised by a caller's replacement of the client.
    #[error("{0}")]
    Foreign(String),
    #[error("{0}")]
    Setting(String),
}

impl ApiError {
    /// Ends the run, rather than deferring one event.
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::Key { .. } | Self::CircuitOpen { .. } | Self::Interrupted | Self::Setting(_)
        )
    }

    /// Nobody's fault: it was not asked for, as the hour or the run had no room for it.
    pub fn is_for_want_of_room(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Full { .. })
    }

    /// What one bad row of a page can be the cause of: then a smaller page may do better.
    fn may_be_one_row(&self) -> bool {
        matches!(
            self,
            Self::Status { status: 500, .. } | Self::TooLarge { .. } | Self::Garbled { .. }
        )
    }

    /// What the circuit breaker counts: the API is not well, whatever was asked.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Transport { .. }
                | Self::Timeout { .. }
                | Self::Status {
                    status: 429 | 502 | 503 | 504,
                    ..
                }
        )
    }
}

/// The one joint to the API: the native client, or a caller's replacement of it.
pub trait Get {
    /// `endpoint` is relative to the base address ("committee-meeting/119/house/118296").
    fn get(
        &self,
        endpoint: &str,
        params: &[(String, String)],
    ) -> impl Future<Output = Result<Value, ApiError>>;

    /// As `get`, but without insisting where one row may be the cause: for pieces of a page that are
    /// going to be cut smaller anyway.
    fn probe(
        &self,
        endpoint: &str,
        params: &[(String, String)],
    ) -> impl Future<Output = Result<Value, ApiError>> {
        self.get(endpoint, params)
    }

    /// Why a request would not be sent now: the breaker is open.
    fn refusal(&self) -> Option<ApiError> {
        None
    }

    /// Requests left in this hour; `None` where nobody knows.
    fn left(&self) -> Option<u32> {
        None
    }

    /// By how many seconds our clock is ahead of the API's, as far as its answers tell; 0 where it is not.
    fn clock_ahead(&self) -> i64 {
        0
    }

    /// How many requests may be in flight at once.
    fn concurrency(&self) -> usize;

    /// Called with the time to wait when the breaker opens, and asked whether to wait it out: true at
    /// most once a run.
    fn wait_out_breaker(&self) -> bool;
}

/// Which meetings to list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    pub congress: i64,
    /// On `updateDate`; `None` lists all.
    pub from: Option<DateTime>,
}

/// Every meeting in the window, each event once with its newest `updateDate`.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    pub items: Vec<ListItem>,
    /// Rows are missing that nobody could read: their event ids are not known.
    pub has_holes: bool,
    /// Bad rows stepped over, filters that had to be done here: for the log and `metrics.errors`.
    pub problems: Vec<String>,
}
