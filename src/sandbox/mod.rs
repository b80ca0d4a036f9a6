//! A Congress.gov look-alike: the endpoints the updater uses, with content to choose and faults to order.
//!
//! Content is a generated Congress, or the rows of a hearings database. Everything that chance decides
//! hangs on the seed, so that a run can be had again.

mod asked;
mod bodies;
mod change;
mod cut;
mod draw;
mod faults;
mod from_recording;
mod from_store;
mod gate;
mod generate;
mod log;
mod reply;
mod routes;
mod running;
mod spoilt;
mod world;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

pub use change::DaysAgo;
pub use faults::{Kind, OrderedFault, Shares};
pub use log::{KeyPlace, Served};
pub use running::{Running, start};

/// Why a sandbox could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("unknown fault '{name}': choose from {}", Kind::names())]
    UnknownFault { name: String },
    #[error("fault '{text}': write it as KIND=SHARE, with a share from 0 to 1 (such as 500=0.05)")]
    BadShare { text: String },
    #[error("the sandbox cannot listen on {host}:{port}: {detail}")]
    Bind {
        host: String,
        port: u16,
        detail: String,
    },
    #[error("the sandbox cannot start: {detail}")]
    Start { detail: String },
    #[error("{what} is no meeting: {problem}")]
    BadMeeting { what: String, problem: String },
    #[error("no meeting with event id {event_id} in the sandbox")]
    NoSuchMeeting { event_id: String },
    #[error("{what} must be {rule}, got {got}")]
    Setting {
        what: &'static str,
        rule: &'static str,
        got: String,
    },
    #[error("{path}: {problem}")]
    Recording { path: String, problem: String },
    #[error("serve either a database or a recording, not both")]
    BothSources,
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// What a sandbox is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many meetings to generate; not used with `db`.
    pub meetings: usize,
    /// Decides the content, and which requests and events a share of faults hits.
    pub seed: u64,
    pub congress: i64,
    /// Serve the rows of this hearings database instead of a generated Congress.
    pub db: Option<PathBuf>,
    /// Serve these recorded answers, at whatever time, as if it were the time they were recorded.
    pub recording: Option<PathBuf>,
    /// Loopback unless told otherwise.
    pub host: String,
    /// 0 picks a free one.
    pub port: u16,
    /// Waited before each answer.
    pub latency: Duration,
    /// How long the fault `slow` holds an answer back.
    pub slow: Duration,
    pub faults: Shares,
    /// Requests an hour.
    pub rate_limit: u64,
    /// The one key that is let in; without it, any but `INVALID_KEY`.
    pub api_key: Option<String>,
    /// Over how many days up to `now` the generated `updateDate`s lie.
    pub spread_days: u32,
    /// The time the sandbox believes in; the clock's without it.
    pub now: Option<Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            meetings: 200,
            seed: 1,
            congress: 119,
            db: None,
            recording: None,
            host: "127.0.0.1".to_owned(),
            port: 0,
            latency: Duration::ZERO,
            slow: Duration::from_secs(2),
            faults: Shares::default(),
            rate_limit: 5000,
            api_key: None,
            spread_days: 30,
            now: None,
        }
    }
}

/// A time as text (`2025-10-13T12:00:00Z`; UTC where it names no offset).
pub fn parse_now(text: &str) -> Result<Timestamp, SandboxError> {
    world::seconds(text)
        .and_then(|at| Timestamp::from_second(at).ok())
        .ok_or_else(|| SandboxError::Setting {
            what: "now",
            rule: "a time such as 2025-10-13T12:00:00Z",
            got: format!("'{text}'"),
        })
}

impl Options {
    fn check(&self) -> Result<(), SandboxError> {
        if self.db.is_some() && self.recording.is_some() {
            return Err(SandboxError::BothSources);
        }
        if !(1..=200).contains(&self.congress) {
            return Err(SandboxError::Setting {
                what: "congress",
                rule: "from 1 to 200",
                got: self.congress.to_string(),
            });
        }
        if self.meetings > 1_000_000 {
            return Err(SandboxError::Setting {
                what: "meetings",
                rule: "at most 1,000,000",
                got: self.meetings.to_string(),
            });
        }
        if !(1..=3650).contains(&self.spread_days) {
            return Err(SandboxError::Setting {
                what: "spread_days",
                rule: "from 1 to 3650",
                got: self.spread_days.to_string(),
            });
        }
        Ok(())
    }
}
