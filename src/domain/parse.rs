//! The tolerant parser of the API's JSON.

use serde_json::Value;

use super::{ListItem, Parsed};

/// A list page, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListPage {
    pub items: Vec<ListItem>,
    /// `pagination.count`.
    pub count: Option<usize>,
    /// Whether `pagination.next` names a further page.
    pub has_next: bool,
    /// Rows that are no meetings ("row 3: no eventId"), to be reported.
    pub problems: Vec<String>,
}

/// A meeting, bare or wrapped in `committeeMeeting`. Never fails: what cannot be read is in `issues`.
pub fn parse_meeting(record: &Value) -> Parsed {
    todo!("{record}")
}

/// A row of a list page; `Err` says what is wrong with it.
pub fn parse_list_item(row: &Value) -> Result<ListItem, String> {
    todo!("{row}")
}

/// A page of the list endpoint; `Err` where it is no list page at all.
pub fn parse_list_page(page: &Value) -> Result<ListPage, String> {
    todo!("{page}")
}
