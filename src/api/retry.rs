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

/// A `Retry-After` header: seconds, or an HTTP date. Such a date is one of the API's clock, which told
/// the time in `sent_at`; where that makes no sense, ours (`now`) has to do.
pub(super) fn retry_after(
    text: &str,
    sent_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let when = http_date(text)?;
    let until = |clock| Duration::try_from(when.duration_since(clock)).unwrap_or(Duration::ZERO);
    let theirs = sent_at
        .map(until)
        .filter(|wait| *wait <= LONGEST_RETRY_AFTER);
    Some(theirs.unwrap_or_else(|| until(now)))
}

/// A date as HTTP headers have it.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text.trim())
        .ok()
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
        assert_eq!(retry_after(" 7 ", None, now), seconds(7));
        assert_eq!(
            retry_after("1.5", None, now),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(
            retry_after("Tue, 09 Sep 2025 18:00:30 GMT", None, now),
            seconds(30)
        );
        assert_eq!(
            retry_after("Tue, 09 Sep 2025 17:00:00 GMT", None, now),
            seconds(0)
        );
        assert_eq!(
            retry_after("99999999999999999999999", None, now),
            seconds(u64::MAX)
        );
        for nonsense in ["", "soon", "-3", "NaN"] {
            assert_eq!(retry_after(nonsense, None, now), None, "{nonsense}");
        }
    }

    #[test]
    fn a_date_to_wait_for_is_one_of_the_clock_that_set_it() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let asked = "Tue, 09 Sep 2025 18:00:30 GMT";
        let there = Some(at("2025-09-09T18:00:00Z"));
        for here in [
            "2025-09-09T18:00:00Z",
            "2031-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
        ] {
            assert_eq!(
                retry_after(asked, there, at(here)),
                Some(Duration::from_secs(30)),
                "{here}"
            );
        }
        // A clock of theirs that is nonsense is not gone by.
        let there = Some(at("1970-01-01T00:00:00Z"));
        let waited = retry_after(asked, there, at("2025-09-09T18:00:10Z"));
        assert_eq!(waited, Some(Duration::from_secs(20)));
        let far = "Tue, 31 Dec 2999 23:59:59 GMT";
        assert!(retry_after(far, None, at("2025-09-09T18:00:00Z")) > Some(LONGEST_RETRY_AFTER));
    }
}
