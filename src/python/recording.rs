//! Answers and rows as a recording keeps them.

use serde_json::{Map, Value};

use crate::api::ApiError;
use crate::domain::ListItem;

/// A row of the list, as the API writes it.
pub fn row(congress: i64, item: &ListItem) -> String {
    let mut row = Map::new();
    if let Some(chamber) = item.chamber {
        row.insert("chamber".into(), chamber.for_committee().into());
    }
    row.insert("congress".into(), congress.into());
    row.insert("eventId".into(), item.event_id.as_str().into());
    if let Some(at) = item.update_date {
        row.insert("updateDate".into(), at.for_api().into());
    }
    if let Some(url) = &item.url {
        row.insert("url".into(), url.as_str().into());
    }
    Value::Object(row).to_string()
}

/// The status of a failure; an answer of no use is the server's fault, and `None` is no answer at all.
pub fn status_of(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::NotFound { .. } => Some(404),
        ApiError::Status { status, .. } => Some(*status),
        ApiError::Transport { .. } | ApiError::Timeout { .. } => None,
        _ => Some(500),
    }
}

/// What the API said was wrong, else what we say.
pub fn problem_of(error: ApiError) -> String {
    match error {
        ApiError::Status { detail, .. } => detail.strip_prefix(": ").unwrap_or(&detail).to_owned(),
        other => other.to_string(),
    }
}
