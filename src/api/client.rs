//! The client: one request at a time is limited, tried, retried and judged here.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use super::answer::{self, Fault, root_cause};
use super::breaker::{Outcome, unix_now};
use super::endpoint::{address, shown};
use super::limit::Limiter;
use super::redirect::target;
use super::retry::{LONGEST_RETRY_AFTER, backoff};
use super::{ApiError, Breaker, BreakerStats, ClientSettings, Get, RetryStats};

const KEY_HEADER: &str = "X-Api-Key";
const MAX_REDIRECTS: usize = 5;

/// A client of the API. Cheap to clone: the clones share connections, limits and statistics.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    settings: ClientSettings,
    base: Url,
    key: HeaderValue,
    loopback: bool,
    /// Built at the first request, and again after a fork: connections do not survive one.
    http: Mutex<Option<(u32, reqwest::Client)>>,
    slots: Semaphore,
    limiter: Arc<Limiter>,
    breaker: Option<Arc<Breaker>>,
    requests: AtomicU64,
    retries: Mutex<RetryStats>,
    may_wait: AtomicBool,
    /// Seconds that the server's clock was ahead of ours since the run began, by the answer that put it
    /// the furthest ahead: one odd answer does not make ours wrong.
    ahead: Mutex<Option<i64>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

/// A request, ready to be sent as often as it takes.
struct Request {
    /// For logs and errors.
    endpoint: String,
    url: Url,
    /// Try again where one bad row may be the cause.
    insist: bool,
}

impl Client {
    /// Checks the settings; touches neither network nor disk.
    pub fn new(settings: ClientSettings) -> Result<Self, ApiError> {
        let checked = settings.check()?;
        Ok(Self {
            inner: Arc::new(Inner {
                base: checked.base,
                key: checked.key,
                loopback: checked.loopback,
                http: Mutex::new(None),
                slots: Semaphore::new(settings.max_concurrency),
                limiter: Arc::new(Limiter::new(settings.rate_limit)),
                breaker: settings.breaker.map(|b| Arc::new(Breaker::new(b))),
                requests: AtomicU64::new(0),
                retries: Mutex::new(RetryStats::default()),
                may_wait: AtomicBool::new(true),
                ahead: Mutex::new(None),
                settings,
            }),
        })
    }

    /// The answer to `GET {endpoint}`, as JSON. `endpoint` is a path below the base address; build it
    /// with [`super::segment`] where a part comes from data.
    pub async fn get_json(
        &self,
        endpoint: &str,
        params: &[(String, String)],
    ) -> Result<Value, ApiError> {
        self.ask(endpoint, params, true).await
    }

    /// `insist`: try again where one bad row may be the cause.
    async fn ask(
        &self,
        endpoint: &str,
        params: &[(String, String)],
        insist: bool,
    ) -> Result<Value, ApiError> {
        let inner = &self.inner;
        let mut url = address(&inner.base, endpoint)?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("format", "json");
            // A key in the address would end up in logs; it goes in the header.
            let kept = params
                .iter()
                .filter(|(name, _)| name != "api_key" && name != "format");
            query.extend_pairs(kept);
        }
        let endpoint = inner.settings.api_key.redact(&shown(endpoint));
        let request = Request {
            endpoint,
            url,
            insist,
        };
        // Before the slot: those who wait for a probe must not keep it from being sent.
        let pass = match &inner.breaker {
            Some(breaker) => Some(breaker.enter().await?),
            None => None,
        };
        let result = inner.send_until_answered(&request).await;
        if let Some(pass) = pass {
            pass.finish(outcome(&result, &request.endpoint));
        }
        result
    }

    pub fn settings(&self) -> &ClientSettings {
        &self.inner.settings
    }

    /// Every request sent so far, retries and redirects included.
    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::Relaxed)
    }

    pub fn retry_stats(&self) -> RetryStats {
        *self
            .inner
            .retries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests are left in this hour, and (Unix seconds) when it is over.
    pub fn check_rate_limit(&self) -> (u32, f64) {
        self.inner.limiter.left()
    }

    /// Seconds that the server's clock was ahead of ours, by the `Date` of its answers.
    pub fn server_ahead(&self) -> Option<i64> {
        *self
            .inner
            .ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` when disabled.
    pub fn breaker(&self) -> Option<&Arc<Breaker>> {
        self.inner.breaker.as_ref()
    }

    /// `None` when disabled.
    pub fn breaker_stats(&self) -> Option<BreakerStats> {
        self.breaker().map(|b| b.stats())
    }

    /// A new run may wait out the breaker once again.
    pub fn begin_run(&self) {
        self.inner.may_wait.store(true, Ordering::Relaxed);
        *self
            .inner
            .ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Get for Client {
    async fn get(&self, endpoint: &str, params: &[(String, String)]) -> Result<Value, ApiError> {
        self.get_json(endpoint, params).await
    }

    async fn probe(&self, endpoint: &str, params: &[(String, String)]) -> Result<Value, ApiError> {
        self.ask(endpoint, params, false).await
    }

    fn refusal(&self) -> Option<ApiError> {
        self.breaker()?.check().err()
    }

    fn left(&self) -> Option<u32> {
        Some(self.inner.limiter.left().0)
    }

    fn clock_ahead(&self) -> i64 {
        self.server_ahead()
            .map_or(0, |ahead| ahead.saturating_neg().max(0))
    }

    fn concurrency(&self) -> usize {
        self.inner.settings.max_concurrency
    }

    fn wait_out_breaker(&self) -> bool {
        self.inner.may_wait.swap(false, Ordering::Relaxed)
    }
}

impl Inner {
    async fn send_until_answered(&self, request: &Request) -> Result<Value, ApiError> {
        let tries = self.settings.retry_attempts.max(1);
        let mut waits = backoff(&self.settings);
        let mut sent = 0;
        loop {
            sent += 1;
            let fault = match self.attempt(request).await {
                Ok(value) => return Ok(value),
                Err(fault) => self.weigh(fault)?,
            };
            if !request.insist && fault.error.may_be_one_row() {
                return Err(fault.error);
            }
            let Some(wait) = waits.next() else {
                return Err(fault.error);
            };
            let wait = wait.max(fault.retry_after.unwrap_or_default());
            tracing::warn!(
                target: "updaters.api",
                "{}; try {sent} of {tries}, the next in {:.1} s", fault.error, wait.as_secs_f64()
            );
            tokio::time::sleep(wait).await;
            if let Some(breaker) = &self.breaker {
                breaker.check()?;
            }
            let mut stats = self.retries.lock().unwrap_or_else(PoisonError::into_inner);
            stats.total_retries += 1;
            stats.last_retry_time = Some(unix_now());
        }
    }

    /// Whether another try is of use; `Err` is the request's end.
    fn weigh(&self, fault: Fault) -> Result<Fault, ApiError> {
        if !fault.transient {
            return Err(fault.error);
        }
        let limited = matches!(fault.error, ApiError::Status { status: 429, .. });
        match fault.retry_after {
            Some(wait) if wait > LONGEST_RETRY_AFTER => Err(if limited {
                self.limiter.block(wait)
            } else {
                fault.error
            }),
            Some(wait) if fault.used_up => {
                self.limiter.pause(wait);
                Ok(fault)
            }
            None if fault.used_up => Err(self.limiter.used_up()),
            _ => Ok(fault),
        }
    }

    /// One try, its redirects included.
    async fn attempt(&self, request: &Request) -> Result<Value, Fault> {
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(ApiError::Interrupted.into());
        };
        let http = self.http()?;
        let mut url = request.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let ticket = self.limiter.acquire().await?;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let started = Instant::now();
            let sent = http
                .get(url.clone())
                .header(KEY_HEADER, self.key.clone())
                .send()
                .await;
            let response = match sent {
                Ok(response) => response,
                Err(error) => return Err(self.unsent(request, &error, started)),
            };
            let status = response.status();
            if let Some(ahead) = answer::server_ahead(&response) {
                let mut known = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
                *known = (*known).max(Some(ahead));
            }
            if let Some(left) = answer::remaining(&response)
                && (status.as_u16() != 429 || left > 0)
            {
                ticket.report(left);
            }
            if let Some(next) = target(&self.base, &request.endpoint, &url, &response)? {
                url = next;
                continue;
            }
            let result = if status.is_success() {
                answer::json(response, &request.endpoint, started).await
            } else {
                let redact = |text: &str| self.settings.api_key.redact(text);
                Err(answer::refusal(response, &request.endpoint, redact).await)
            };
            tracing::debug!(
                target: "updaters.api",
                "GET {} -> {} in {} ms", request.endpoint, status.as_u16(),
                started.elapsed().as_millis()
            );
            return result;
        }
        Err(ApiError::Nonsense {
            endpoint: request.endpoint.clone(),
            detail: format!("more than {MAX_REDIRECTS} redirects"),
        }
        .into())
    }

    /// A request that got no answer.
    fn unsent(&self, request: &Request, error: &reqwest::Error, started: Instant) -> Fault {
        let endpoint = request.endpoint.clone();
        let host = self.base.host_str().unwrap_or_default();
        let fault = if error.is_timeout() {
            ApiError::Timeout {
                endpoint,
                seconds: self.patience(error, started).as_secs_f64(),
            }
        } else if error.is_connect() {
            let detail = format!("cannot connect to {host}: {}", root_cause(error));
            ApiError::Transport { endpoint, detail }
        } else {
            let detail = format!("no answer from {host}: {}", root_cause(error));
            ApiError::Transport { endpoint, detail }
        };
        tracing::debug!(
            target: "updaters.api",
            "GET {} -> nothing in {} ms ({fault})", request.endpoint, started.elapsed().as_millis()
        );
        Fault::transient(fault)
    }

    /// Which of the time-outs it was that ran out.
    fn patience(&self, error: &reqwest::Error, started: Instant) -> Duration {
        let s = &self.settings;
        if error.is_connect() {
            s.connect_timeout.min(s.request_timeout)
        } else if started.elapsed() >= s.request_timeout {
            s.request_timeout
        } else {
            s.read_timeout.min(s.request_timeout)
        }
    }

    fn http(&self) -> Result<reqwest::Client, ApiError> {
        let process = std::process::id();
        let mut kept = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((owner, client)) = kept.as_ref()
            && *owner == process
        {
            return Ok(client.clone());
        }
        let client = self.build()?;
        *kept = Some((process, client.clone()));
        Ok(client)
    }

    fn build(&self) -> Result<reqwest::Client, ApiError> {
        // An error means that one is installed already: that one will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = &self.settings;
        let mut builder = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            .timeout(settings.request_timeout)
            .redirect(Policy::none())
            .referer(false)
            .gzip(true);
        if self.base.scheme() == "https" {
            builder = builder.https_only(true);
        } else {
            // No certificate will ever be checked: do not ask the system for its own.
            builder = builder.tls_certs_only([]);
        }
        if self.loopback {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|e| {
            ApiError::Setting(format!(
                "cannot set up https ({}): install the system's CA certificates (package \
                 ca-certificates), or name a file of them in SSL_CERT_FILE",
                root_cause(&e)
            ))
        })
    }
}

/// What a request's end says about the API's health.
fn outcome<'a>(result: &Result<Value, ApiError>, endpoint: &'a str) -> Outcome<'a> {
    match result {
        Ok(_) | Err(ApiError::NotFound { .. }) => Outcome::Good,
        Err(error) if error.is_outage() => Outcome::Bad,
        Err(ApiError::Status { status: 500, .. }) => Outcome::Broken(endpoint),
        Err(_) => Outcome::Neutral,
    }
}

#[cfg(test)]
mod tests;
