//! Content from a hearings database, through the store.

use std::path::Path;

use serde_json::Value;

use super::SandboxError;
use super::world::Committee;

/// The committees, and the meetings of one congress as the API would show them.
pub fn read(path: &Path, congress: i64) -> Result<(Vec<Committee>, Vec<Value>), SandboxError> {
    let _ = (path, congress);
    Err(SandboxError::Start {
        detail: "serving a database is not there yet".to_owned(),
    })
}
