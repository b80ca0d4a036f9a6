//! Answers, before they are HTTP.

use std::io::Write;

use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// Smaller ones gain nothing from it, larger ones are there to be large.
const WORTH_ZIPPING: std::ops::Range<usize> = 256..1024 * 1024;

/// An answer of the sandbox.
pub struct Reply {
    pub status: u16,
    pub body: Bytes,
    /// Where it is at hand already.
    pub zipped: Option<Bytes>,
    pub retry_after: Option<u64>,
}

impl Reply {
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            body: body.into(),
            zipped: None,
            retry_after: None,
        }
    }

    /// As the gateway puts it: a code and a message.
    pub fn refused(status: u16, code: &str, message: &str) -> Self {
        Self::json(
            status,
            json!({"error": {"code": code, "message": message}}).to_string(),
        )
    }

    /// As the application puts it: a text.
    pub fn failed(status: u16, message: &str) -> Self {
        Self::json(status, json!({"error": message}).to_string())
    }

    pub fn not_found(what: &str, request: &Value) -> Self {
        let message = format!("No {what} matches the given query.");
        Self::json(
            404,
            json!({"error": message, "request": request}).to_string(),
        )
    }

    /// The body compressed, where that is worth it.
    pub fn take_zipped(&mut self) -> Option<Bytes> {
        if !WORTH_ZIPPING.contains(&self.body.len()) {
            return None;
        }
        Some(self.zipped.take().unwrap_or_else(|| gzip(&self.body)))
    }
}

pub fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}
