//! What the client is told: where the API is, and how patient to be with it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::HeaderValue;
use url::{Host, Url};

use super::{ApiError, Secret};

/// The public key that everyone may use.
pub const DEMO_KEY: &str = "DEMO_KEY";

/// The longest time-out that makes sense.
const LONGEST: Duration = Duration::from_secs(3600);

/// When the circuit breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerSettings {
    /// Failed requests in a row that open it.
    pub threshold: u32,
    /// The recovery period.
    pub timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct ClientSettings {
    pub base_url: String,
    pub api_key: Secret,
    /// Requests an hour.
    pub rate_limit: u32,
    pub connect_timeout: Duration,
    /// The longest silence in the middle of an answer.
    pub read_timeout: Duration,
    /// A request from start to end.
    pub request_timeout: Duration,
    /// How often a request is sent at most, the first time included (0 counts as 1).
    pub retry_attempts: u32,
    /// How much longer each wait between two tries is than the one before. Below 1 it shortens the
    /// first wait instead; 0 means no waits.
    pub backoff_factor: f64,
    /// The first wait between two tries, before jitter (which adds up to as much again).
    pub first_backoff: Duration,
    pub breaker: Option<BreakerSettings>,
    /// Requests in flight at once.
    pub max_concurrency: usize,
    pub user_agent: String,
    /// Lets a real key go over plain http to another machine.
    pub allow_insecure: bool,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            base_url: "https://api.congress.gov/v3".to_owned(),
            api_key: Secret::new(DEMO_KEY),
            rate_limit: 5000,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(30),
            retry_attempts: 3,
            backoff_factor: 2.0,
            first_backoff: Duration::from_millis(500),
            breaker: Some(BreakerSettings {
                threshold: 5,
                timeout: Duration::from_secs(60),
            }),
            max_concurrency: 16,
            user_agent: concat!("hearing-updater/", env!("CARGO_PKG_VERSION")).to_owned(),
            allow_insecure: false,
        }
    }
}

/// Settings that passed: the parts that had to be parsed.
pub(super) struct Checked {
    pub base: Url,
    pub key: HeaderValue,
    /// The base address is this machine.
    pub loopback: bool,
}

impl ClientSettings {
    /// Every setting in its range; the error names the environment variable.
    pub fn validate(&self) -> Result<(), ApiError> {
        self.check().map(drop)
    }

    pub(super) fn check(&self) -> Result<Checked, ApiError> {
        let base = self.base()?;
        let loopback = is_loopback(&base);
        let key = self.key()?;
        if base.scheme() == "http"
            && !loopback
            && !self.allow_insecure
            && self.api_key.expose() != DEMO_KEY
        {
            return Err(setting(
                "API_BASE_URL: the key would go over the network in the clear; use https, or allow it \
                 with API_ALLOW_HTTP=true",
            ));
        }
        if self.rate_limit == 0 {
            return Err(setting(
                "RATE_LIMIT must be at least 1 request an hour, got 0",
            ));
        }
        for (name, value) in [
            ("CONNECT_TIMEOUT", self.connect_timeout),
            ("READ_TIMEOUT", self.read_timeout),
            ("REQUEST_TIMEOUT", self.request_timeout),
        ] {
            if value.is_zero() || value > LONGEST {
                return Err(out_of_range(
                    name,
                    "seconds above 0 and up to 3600",
                    value.as_secs_f64(),
                ));
            }
        }
        if self.retry_attempts > 20 {
            return Err(out_of_range(
                "RETRY_ATTEMPTS",
                "from 0 to 20",
                self.retry_attempts,
            ));
        }
        if !(0.0..=60.0).contains(&self.backoff_factor) {
            return Err(out_of_range(
                "RETRY_BACKOFF_FACTOR",
                "from 0 to 60",
                self.backoff_factor,
            ));
        }
        if let Some(breaker) = self.breaker {
            if breaker.threshold == 0 {
                return Err(out_of_range("CIRCUIT_BREAKER_THRESHOLD", "at least 1", 0));
            }
            if breaker.timeout.is_zero() || breaker.timeout > LONGEST {
                return Err(out_of_range(
                    "CIRCUIT_BREAKER_TIMEOUT",
                    "seconds above 0 and up to 3600",
                    breaker.timeout.as_secs_f64(),
                ));
            }
        }
        if !(1..=256).contains(&self.max_concurrency) {
            return Err(out_of_range(
                "MAX_CONCURRENCY",
                "from 1 to 256",
                self.max_concurrency,
            ));
        }
        if HeaderValue::from_str(&self.user_agent).is_err() {
            return Err(setting(
                "the user agent holds characters that a header cannot",
            ));
        }
        Ok(Checked {
            base,
            key,
            loopback,
        })
    }

    /// None of the messages shows the address: it may hold a password.
    fn base(&self) -> Result<Url, ApiError> {
        let url = Url::parse(self.base_url.trim())
            .map_err(|e| setting(&format!("API_BASE_URL is no web address ({e})")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(setting(
                "API_BASE_URL must begin with https:// (or http://)",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(setting(
                "API_BASE_URL must not hold a user name or password",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(setting(
                "API_BASE_URL must not hold a query; the key belongs into CONGRESS_API_KEY",
            ));
        }
        Ok(url)
    }

    fn key(&self) -> Result<HeaderValue, ApiError> {
        let key = self.api_key.expose();
        if key.is_empty() {
            return Err(setting("CONGRESS_API_KEY is empty"));
        }
        let visible = key.bytes().all(|b| b.is_ascii_graphic());
        match HeaderValue::from_str(key) {
            Ok(mut value) if visible => {
                value.set_sensitive(true);
                Ok(value)
            }
            _ => Err(setting("CONGRESS_API_KEY holds characters that no key has")),
        }
    }
}

fn setting(message: &str) -> ApiError {
    ApiError::Setting(message.to_owned())
}

fn out_of_range(name: &str, range: &str, got: impl fmt::Display) -> ApiError {
    ApiError::Setting(format!("{name} must be {range}, got {got}"))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(change: impl FnOnce(&mut ClientSettings)) -> String {
        let mut settings = ClientSettings {
            api_key: Secret::new("s3cret-key"),
            ..ClientSettings::default()
        };
        change(&mut settings);
        match settings.validate() {
            Ok(()) => String::new(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn defaults_are_sound() {
        assert_eq!(complaint(|_| ()), "");
    }

    #[test]
    fn each_bad_value_names_its_variable() {
        assert!(complaint(|s| s.base_url = "ftp://x/".into()).contains("API_BASE_URL"));
        assert!(complaint(|s| s.base_url = "nowhere".into()).contains("API_BASE_URL"));
        assert!(
            complaint(|s| s.base_url = "https://h/v3?api_key=k".into()).contains("API_BASE_URL")
        );
        assert!(complaint(|s| s.rate_limit = 0).contains("RATE_LIMIT"));
        assert!(complaint(|s| s.connect_timeout = Duration::ZERO).contains("CONNECT_TIMEOUT"));
        assert!(complaint(|s| s.read_timeout = Duration::MAX).contains("READ_TIMEOUT"));
        assert!(complaint(|s| s.request_timeout = Duration::ZERO).contains("REQUEST_TIMEOUT"));
        assert!(complaint(|s| s.retry_attempts = 21).contains("RETRY_ATTEMPTS"));
        assert!(complaint(|s| s.backoff_factor = f64::NAN).contains("RETRY_BACKOFF_FACTOR"));
        assert!(complaint(|s| s.max_concurrency = 0).contains("MAX_CONCURRENCY"));
        let breaker = |threshold, timeout| Some(BreakerSettings { threshold, timeout });
        assert!(
            complaint(|s| s.breaker = breaker(0, LONGEST)).contains("CIRCUIT_BREAKER_THRESHOLD")
        );
        assert!(
            complaint(|s| s.breaker = breaker(1, Duration::ZERO))
                .contains("CIRCUIT_BREAKER_TIMEOUT")
        );
    }

    #[test]
    fn a_key_is_never_shown() {
        let settings = ClientSettings {
            api_key: Secret::new("s3cret-key"),
            ..ClientSettings::default()
        };
        assert!(!format!("{settings:?} {}", settings.api_key).contains("s3cret"));
        for bad in ["s3cret\n", "s3cret key", "s3crét"] {
            let message = complaint(|s| s.api_key = Secret::new(bad));
            assert!(
                message.contains("CONGRESS_API_KEY") && !message.contains("s3cr"),
                "{message}"
            );
        }
        let message = complaint(|s| s.base_url = "https://me:s3cret@h/v3".into());
        assert!(
            message.contains("API_BASE_URL") && !message.contains("s3cret"),
            "{message}"
        );
    }

    #[test]
    fn a_real_key_goes_in_the_clear_to_this_machine_only() {
        for local in [
            "http://127.0.0.9:8/v3",
            "http://[::1]:8/v3",
            "http://localhost:8/v3",
        ] {
            assert_eq!(complaint(|s| s.base_url = local.into()), "", "{local}");
        }
        let far = |s: &mut ClientSettings| s.base_url = "http://127.0.0.1.example.org/v3".into();
        assert!(complaint(far).contains("in the clear"));
        let demo = |s: &mut ClientSettings| {
            far(s);
            s.api_key = Secret::new(DEMO_KEY);
        };
        assert_eq!(complaint(demo), "");
        let allowed = |s: &mut ClientSettings| {
            far(s);
            s.allow_insecure = true;
        };
        assert_eq!(complaint(allowed), "");
    }
}
