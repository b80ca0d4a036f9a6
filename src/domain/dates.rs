/// A moment in UTC, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(jiff::civil::DateTime);

/// Both of the API's formats (`2025-09-09T18:00:00Z`, `2023-03-24 13:00:00+00:00`), the store's
/// (`2025-07-28 22:08:17`), offsets other than UTC, fractions, and bare dates (midnight).
pub fn parse_datetime(text: &str) -> Option<DateTime> {
    todo!("{text}")
}

impl DateTime {
    /// `2025-07-28 22:08:17`, as stored.
    pub fn stored(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `2025-07-28T22:08:17Z`, as the API's filters want it.
    pub fn for_api(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub fn from_civil(utc: jiff::civil::DateTime) -> Self {
        Self(utc)
    }

    pub fn civil(self) -> jiff::civil::DateTime {
        self.0
    }
}
