//! Committees: as a meeting names them, and as the committee endpoint describes them.

use serde_json::Value;

use super::Chamber;

/// A committee as named by a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitteeRef {
    /// Lower case, such as `hsii24`.
    pub system_code: String,
    pub name: Option<String>,
    pub url: Option<String>,
}

/// A committee as the committee endpoint (or list) describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee {
    pub system_code: String,
    /// Never empty: the `name`, else the newest name in `history`, else the system code.
    pub name: String,
    pub chamber: Chamber,
    /// One of the values `committees.type` knows; unknown ones become `Other`.
    pub committee_type: &'static str,
    pub is_current: bool,
    pub parent: Option<CommitteeRef>,
    pub url: Option<String>,
}

/// The committee endpoint's answer, bare or wrapped in `committee`, or a row of the committee list.
/// `url_chamber` is the chamber that was asked for (the item itself may not say). `Err` says what is missing.
pub fn parse_committee(record: &Value, url_chamber: Option<Chamber>) -> Result<Committee, String> {
    todo!("{record} {url_chamber:?}")
}
