//! How far back a run looks.

use jiff::Zoned;
use jiff::civil;
use jiff::tz::TimeZone;

use crate::domain::DateTime;

const CLOCKS_DIFFER_MINUTES: i64 = 5;

/// The start of the window, and whether it reaches back to a missed day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookback {
    /// UTC.
    pub from: DateTime,
    /// Days looked back, where that is more than was asked for.
    pub caught_up_days: Option<i64>,
}

/// The window of a run that starts now. `last_success` is the naive local start of the last successful
/// run (`update_logs.start_time`), `hole` where an earlier run could not read its list whole; where one of
/// them is longer ago than `days`, the window starts there.
pub fn lookback(
    now: &Zoned,
    days: i64,
    last_success: Option<&str>,
    hole: Option<DateTime>,
) -> Option<Lookback> {
    let asked = now
        .checked_sub(jiff::Span::new().try_days(days).ok()?)
        .ok()?;
    let plain = Lookback {
        from: utc(&asked),
        caught_up_days: None,
    };
    let last = last_success.and_then(|text| local(text, now));
    let Some(from) = last.map(|last| utc(&last)).into_iter().chain(hole).min() else {
        return Some(plain);
    };
    if from >= utc(&asked) {
        return Some(plain);
    }
    let missed = utc(now).seconds_since(from).max(0);
    // A day begun counts: the figure is what a person would have to give as --lookback-days.
    Some(Lookback {
        from,
        caught_up_days: Some(missed.div_euclid(86_400) + 1),
    })
}

/// A naive local time a little ahead of `now`: a run that began later than that ran by a clock that was
/// wrong, and says nothing about what was seen.
pub fn not_after(now: &Zoned) -> String {
    let bound = now.saturating_add(jiff::Span::new().minutes(CLOCKS_DIFFER_MINUTES));
    bound.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Minutes since a naive local time; `None` where it cannot be read.
pub fn minutes_since(text: &str, now: &Zoned) -> Option<i64> {
    let then = local(text, now)?;
    Some((now.timestamp().as_second() - then.timestamp().as_second()).div_euclid(60))
}

fn utc(at: &Zoned) -> DateTime {
    DateTime::from_civil(at.with_time_zone(TimeZone::UTC).datetime())
}

fn local(text: &str, now: &Zoned) -> Option<Zoned> {
    let civil: civil::DateTime = text.trim().replacen(' ', "T", 1).parse().ok()?;
    civil.to_zoned(now.time_zone().clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2025-10-13T21:00:00-04:00[America/New_York]"
            .parse()
            .unwrap()
    }

    #[test]
    fn looks_back_the_days_asked_for_in_utc() {
        let window = lookback(&now(), 7, None, None).unwrap();
        assert_eq!(window.from.stored(), "2025-10-07 01:00:00");
        assert_eq!(window.caught_up_days, None);
    }

    #[test]
    fn a_recent_success_does_not_shorten_the_window() {
        let window = lookback(&now(), 7, Some("2025-10-12 02:00:00"), None).unwrap();
        assert_eq!(window.from.stored(), "2025-10-07 01:00:00");
        assert_eq!(window.caught_up_days, None);
    }

    #[test]
    fn missed_days_are_caught_up() {
        let window = lookback(&now(), 7, Some("2025-09-13 21:00:00"), None).unwrap();
        assert_eq!(window.from.stored(), "2025-09-14 01:00:00");
        assert_eq!(window.caught_up_days, Some(31));
    }

    #[test]
    fn a_list_that_was_not_read_whole_is_read_again() {
        let hole = DateTime::from_civil("2025-09-30T00:00:00".parse().unwrap());
        let window = lookback(&now(), 7, Some("2025-10-12 02:00:00"), Some(hole)).unwrap();
        assert_eq!(window.from, hole);
        assert_eq!(window.caught_up_days, Some(15));
        let window = lookback(&now(), 30, None, Some(hole)).unwrap();
        assert_eq!(window.caught_up_days, None);
        // The earlier of the two.
        let window = lookback(&now(), 7, Some("2025-09-13 21:00:00"), Some(hole)).unwrap();
        assert_eq!(window.from.stored(), "2025-09-14 01:00:00");
    }

    #[test]
    fn what_ran_in_the_future_is_told_from_what_ran_just_now() {
        assert_eq!(not_after(&now()), "2025-10-13 21:05:00");
    }

    #[test]
    fn an_unreadable_date_is_no_reason_to_look_further() {
        assert_eq!(
            lookback(&now(), 7, Some("yesterday"), None),
            lookback(&now(), 7, None, None)
        );
    }

    #[test]
    fn an_absurd_lookback_is_no_panic() {
        assert_eq!(lookback(&now(), i64::MAX, None, None), None);
    }
}
