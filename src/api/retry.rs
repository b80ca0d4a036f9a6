//! How long to wait before a request is tried again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::ClientSettings;

/// A `Retry-After` beyond this is not waited for.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);
/// The longest wait of our own.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// How often requests were repeated.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RetryStats {
    pub total_retries: u64,
    /// Unix seconds.
    pub last_retry_time: Option<f64>,
}

/// The waits between the tries of one request: one fewer than there are tries.
pub(super) fn backoff(settings: &ClientSettings) -> ExponentialBackoff {
    let factor = settings.backoff_factor;
    #[allow(clippy::cast_possible_truncation)] // validated to be at most 60
    let growth = factor.max(1.0) as f32;
    let tries = usize::try_from(settings.retry_attempts.max(1)).unwrap_or(1);
    ExponentialBuilder::default()
        .with_min_delay(settings.first_backoff.mul_f64(factor.clamp(0.0, 1.0)))
        .with_factor(growth)
        .with_max_delay(LONGEST_BACKOFF)
        .with_max_times(tries - 1)
        .with_jitter()
        .build()
}

/// A `Retry-After` header: seconds, or an HTTP date.
pub(super) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let when = DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text)
        .ok()?;
    let wait = when.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(attempts: u32, factor: f64) -> Vec<Duration> {
        backoff(&ClientSettings {
            retry_attempts: attempts,
            backoff_factor: factor,
            first_backoff: Duration::from_millis(100),
            ..ClientSettings::default()
        })
        .collect()
    }

    #[test]
    fn waits_grow_with_jitter_and_are_one_fewer_than_the_tries() {
        let got = waits(3, 2.0);
        assert_eq!(got.len(), 2);
        assert!((100..200).contains(&got[0].as_millis()), "{got:?}");
        assert!((200..400).contains(&got[1].as_millis()), "{got:?}");
        assert!(waits(1, 2.0).is_empty() && waits(0, 2.0).is_empty());
    }

    #[test]
    fn a_small_factor_shortens_the_waits() {
        assert!(waits(3, 0.1).iter().all(|w| w.as_millis() < 20));
        assert!(waits(3, 0.0).iter().all(Duration::is_zero));
        assert!(waits(20, 60.0).iter().all(|w| *w <= LONGEST_BACKOFF * 2));
    }

    #[test]
    fn retry_after_comes_as_seconds_or_as_a_date() {
        let now: Timestamp = "2025-09-09T18:00:00Z".parse().unwrap();
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(retry_after(" 7 ", now), seconds(7));
        assert_eq!(retry_after("1.5", now), Some(Duration::from_millis(1500)));
        assert_eq!(
            retry_after("Tue, 09 Sep 2025 18:00:30 GMT", now),
            seconds(30)
        );
        assert_eq!(
            retry_after("Tue, 09 Sep 2025 17:00:00 GMT", now),
            seconds(0)
        );
        assert_eq!(
            retry_after("99999999999999999999999", now),
            seconds(u64::MAX)
        );
        for nonsense in ["", "soon", "-3", "NaN"] {
            assert_eq!(retry_after(nonsense, now), None, "{nonsense}");
        }
    }
}
