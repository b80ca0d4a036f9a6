//! Moments, as the API and the store write them.

use jiff::{Timestamp, civil, tz::Offset};

/// A moment in UTC, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(civil::DateTime);

/// Both of the API's formats (`2025-09-09T18:00:00Z`, `2023-03-24 13:00:00+00:00`), the store's
/// (`2025-07-28 22:08:17`), offsets other than UTC, fractions, and bare dates (midnight).
pub fn parse_datetime(text: &str) -> Option<DateTime> {
    read(text).map(|(moment, _)| moment)
}

/// Date and time as the store keeps them; no time where the text is a bare date.
pub(super) fn parse_date_and_time(text: &str) -> Option<(String, Option<String>)> {
    let (DateTime(moment), bare) = read(text)?;
    let time = (!bare).then(|| moment.time().strftime("%H:%M:%S").to_string());
    Some((moment.date().to_string(), time))
}

/// The moment, and whether the text was a bare date.
fn read(text: &str) -> Option<(DateTime, bool)> {
    let text = text.trim();
    // Every format in use begins with a date of ten characters; jiff alone would take more than those.
    let date = text.get(..10)?;
    let separators = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !separators {
        return None;
    }
    if text.len() == 10 {
        let midnight = date
            .parse::<civil::Date>()
            .ok()?
            .to_datetime(civil::Time::midnight());
        return in_range(midnight).map(|moment| (moment, true));
    }
    let civil = match text.parse::<Timestamp>() {
        Ok(timestamp) => Offset::UTC.to_datetime(timestamp),
        Err(_) => text.parse::<civil::DateTime>().ok()?,
    };
    in_range(civil.with().subsec_nanosecond(0).build().ok()?).map(|moment| (moment, false))
}

/// A meeting of the year 12 is a slip, and a year of more or fewer than four digits would not sort as text.
fn in_range(moment: civil::DateTime) -> Option<DateTime> {
    (1700..=9998)
        .contains(&moment.year())
        .then_some(DateTime(moment))
}

/// Whether an `updateDate` from upstream takes the place of the stored one: where it is later, and where
/// the stored one lies ahead of the clock by more than a day, as nothing real would ever be later.
pub fn moves_on(stored: Option<&str>, upstream: DateTime) -> bool {
    moves_on_at(stored, upstream, DateTime::now())
}

fn moves_on_at(stored: Option<&str>, upstream: DateTime, now: DateTime) -> bool {
    let Some(stored) = stored.and_then(parse_datetime) else {
        return true;
    };
    upstream > stored || (upstream < stored && stored > now.plus_seconds(86_400))
}

impl DateTime {
    pub const EPOCH: Self = Self(civil::datetime(1970, 1, 1, 0, 0, 0, 0));

    pub fn now() -> Self {
        Self(Offset::UTC.to_datetime(Timestamp::now()))
    }

    pub fn seconds_since(self, earlier: Self) -> i64 {
        self.0.duration_since(earlier.0).as_secs()
    }

    /// Later by so many seconds (or earlier); where the calendar ends, the last moment that it has.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        let span = jiff::SignedDuration::from_secs(seconds);
        Self(self.0.saturating_add(span))
    }

    /// `2025-07-28 22:08:17`, as stored.
    pub fn stored(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `2025-07-28T22:08:17Z`, as the API's filters want it.
    pub fn for_api(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub fn from_civil(utc: civil::DateTime) -> Self {
        Self(utc)
    }

    pub fn civil(self) -> civil::DateTime {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Option<String> {
        parse_datetime(text).map(DateTime::stored)
    }

    #[test]
    fn a_date_from_the_future_is_no_last_word() {
        let at = |text| parse_datetime(text).unwrap();
        let now = at("2025-10-13 12:00:00");
        let moves = |stored, upstream| moves_on_at(stored, at(upstream), now);
        assert!(moves(Some("2025-10-01 00:00:00"), "2025-10-02 00:00:00"));
        assert!(!moves(Some("2025-10-02 00:00:00"), "2025-10-01 00:00:00"));
        assert!(moves(Some("2099-01-01 00:00:00"), "2025-10-01 00:00:00"));
        assert!(!moves(Some("2099-01-01 00:00:00"), "2099-01-01 00:00:00"));
        // Clocks differ by a little.
        assert!(!moves(Some("2025-10-14 09:00:00"), "2025-10-13 00:00:00"));
        assert!(moves(None, "1970-01-01") && moves(Some("long ago"), "1970-01-01"));
        assert_eq!(
            at("9000-01-01").plus_seconds(i64::MAX).stored(),
            "9999-12-31 23:59:59"
        );
    }

    #[test]
    fn every_format_in_use_reads_as_the_same_moment() {
        for text in [
            "2025-09-09T18:00:00Z",
            "2025-09-09 18:00:00+00:00",
            "2025-09-09 18:00:00",
            "2025-09-09T18:00:00",
            "2025-09-09T18:00:00.987654Z",
            "2025-09-09T14:00:00-04:00",
            "2025-09-09T18:00Z",
            " 2025-09-09T18:00:00Z\n",
        ] {
            assert_eq!(
                stored(text).as_deref(),
                Some("2025-09-09 18:00:00"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_offset_can_move_the_date() {
        let read = parse_date_and_time("2025-12-31T21:30:00-05:00");
        assert_eq!(read, Some(("2026-01-01".into(), Some("02:30:00".into()))));
    }

    #[test]
    fn a_bare_date_has_no_time_and_counts_as_midnight() {
        assert_eq!(
            parse_date_and_time("2025-09-09"),
            Some(("2025-09-09".into(), None))
        );
        assert_eq!(stored("2025-09-09").as_deref(), Some("2025-09-09 00:00:00"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2025-13-01",
            "2025-02-30",
            "09/09/2025",
            "20250909",
            "2025-09-09 25:00:00",
            "0012-01-01",
            "-009999-01-01",
            "2025-09-09T18:00:00Zulu",
            "２０２５-09-09",
        ] {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
    }

    #[test]
    fn for_the_api_it_is_written_as_the_api_writes_it() {
        let moment = parse_datetime("2025-07-28 22:08:17").map(DateTime::for_api);
        assert_eq!(moment.as_deref(), Some("2025-07-28T22:08:17Z"));
    }
}
