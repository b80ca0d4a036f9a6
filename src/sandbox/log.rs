//! What was asked of the sandbox, for tests to look at. Never holds a key.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Entries kept; the oldest go first.
const KEPT: usize = 100_000;

/// Where the key came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    Header,
    Query,
}

impl KeyPlace {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
        }
    }
}

/// One served request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Counts from 1, in the order of arrival.
    pub number: u64,
    pub method: String,
    /// With the query, without the key.
    pub path: String,
    /// As the client named it.
    pub host: String,
    /// 0 where no answer was sent (the connection was cut, or the client left).
    pub status: u16,
    /// The fault it met, by its name.
    pub fault: Option<&'static str>,
    pub key_in: Option<KeyPlace>,
}

#[derive(Default)]
pub struct Log {
    entries: Mutex<VecDeque<Served>>,
    /// Fault -> requests that met it, since the start: to clear the log does not clear this.
    met: Mutex<HashMap<&'static str, u64>>,
    total: AtomicU64,
    in_flight: AtomicUsize,
    max_in_flight: AtomicUsize,
}

impl Log {
    /// Counts a request in; its entry is written when the visit is dropped, also when the client left.
    pub fn arrive(
        &self,
        method: String,
        path: String,
        host: String,
        key_in: Option<KeyPlace>,
    ) -> Visit<'_> {
        let number = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.max_in_flight.fetch_max(now, Ordering::Relaxed);
        Visit {
            log: self,
            served: Served {
                number,
                method,
                path,
                host,
                status: 0,
                fault: None,
                key_in,
            },
        }
    }

    pub fn entries(&self) -> Vec<Served> {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Requests since the start, or since the log was cleared.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Requests that met this fault since the start.
    pub fn met(&self, fault: &str) -> u64 {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.get(fault).copied().unwrap_or(0)
    }

    pub fn max_in_flight(&self) -> usize {
        self.max_in_flight.load(Ordering::Relaxed)
    }

    pub fn clear(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.clear();
        self.total.store(0, Ordering::Relaxed);
        self.max_in_flight
            .store(self.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// A request that is being served.
pub struct Visit<'a> {
    log: &'a Log,
    pub served: Served,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.log.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(fault) = self.served.fault {
            let mut met = self.log.met.lock().unwrap_or_else(PoisonError::into_inner);
            *met.entry(fault).or_default() += 1;
        }
        let mut entries = self
            .log
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= KEPT {
            entries.pop_front();
        }
        let gone = Served {
            number: 0,
            method: String::new(),
            path: String::new(),
            host: String::new(),
            status: 0,
            fault: None,
            key_in: None,
        };
        entries.push_back(std::mem::replace(&mut self.served, gone));
    }
}
