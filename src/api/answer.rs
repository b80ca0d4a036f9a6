//! Reading an answer: its size bounded, its status understood, its JSON checked.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use super::ApiError;
use super::retry::{http_date, retry_after};

const MIB: usize = 1024 * 1024;
/// The largest answer, unpacked: many are read at once, and real ones take a tenth of it.
const LIMIT: usize = 4 * MIB;
/// The most values in one answer: each takes many times the two bytes it may have as text.
const MAX_VALUES: usize = 50_000;
/// As much as is read of an answer that is an error.
const ERROR_LIMIT: usize = 64 * 1024;

/// One try that failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub error: ApiError,
    /// Worth another try.
    pub transient: bool,
    pub retry_after: Option<Duration>,
    /// The API said that nothing is left of the hourly limit.
    pub used_up: bool,
}

impl Fault {
    pub(super) fn transient(error: ApiError) -> Self {
        Self {
            error,
            transient: true,
            retry_after: None,
            used_up: false,
        }
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self {
            error,
            transient: false,
            retry_after: None,
            used_up: false,
        }
    }
}

/// Seconds that the server's clock (`Date`) is ahead of ours.
pub(super) fn server_ahead(response: &Response) -> Option<i64> {
    Some(sent_at(response)?.as_second() - Timestamp::now().as_second())
}

/// `X-RateLimit-Remaining`.
pub(super) fn remaining(response: &Response) -> Option<u32> {
    let text = response
        .headers()
        .get("x-ratelimit-remaining")?
        .to_str()
        .ok()?
        .trim();
    // Below nothing is nothing.
    text.parse::<i64>()
        .ok()
        .map(|left| u32::try_from(left.max(0)).unwrap_or(u32::MAX))
}

/// The JSON of a good answer.
pub(super) async fn json(
    response: Response,
    endpoint: &str,
    started: Instant,
) -> Result<Value, Fault> {
    let body = match read(response, LIMIT).await {
        Ok(body) => body,
        Err(Cut::TooLarge(_)) => {
            let limit_mib = (LIMIT / MIB) as u64;
            return Err(ApiError::TooLarge {
                endpoint: endpoint.to_owned(),
                limit_mib,
            }
            .into());
        }
        Err(Cut::Broken(error)) => return Err(broken(&error, endpoint, started)),
    };
    let endpoint = endpoint.to_owned();
    parse(&body).map_err(|unread| match unread {
        Unread::Foreign(detail) => Fault::transient(ApiError::Nonsense { endpoint, detail }),
        Unread::Garbled(detail) => Fault::transient(ApiError::Garbled { endpoint, detail }),
        Unread::TooMany => {
            let detail = format!("the answer holds more than {MAX_VALUES} values");
            ApiError::Garbled { endpoint, detail }.into()
        }
    })
}

/// What an answer other than 2xx means.
pub(super) async fn refusal(
    response: Response,
    endpoint: &str,
    redact: impl Fn(&str) -> String,
) -> Fault {
    let status = response.status();
    let asked = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|v| v.to_str().ok());
    let retry_after =
        asked.and_then(|text| retry_after(text, sent_at(&response), Timestamp::now()));
    let used_up = status == StatusCode::TOO_MANY_REQUESTS && remaining(&response) == Some(0);
    let body = match read(response, ERROR_LIMIT).await {
        Ok(body) | Err(Cut::TooLarge(body)) => body,
        Err(Cut::Broken(_)) => Vec::new(),
    };
    let text = String::from_utf8_lossy(&body);
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        && let Some(code) = key_code(&text)
    {
        return ApiError::Key { code }.into();
    }
    let endpoint = endpoint.to_owned();
    if status == StatusCode::NOT_FOUND {
        return ApiError::NotFound { endpoint }.into();
    }
    let detail = detail(&text).map_or_else(String::new, |d| format!(": {}", redact(&d)));
    Fault {
        transient: status.is_server_error()
            || matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
            ),
        error: ApiError::Status {
            endpoint,
            status: status.as_u16(),
            detail,
        },
        retry_after,
        used_up,
    }
}

/// An answer that stopped in the middle.
fn broken(error: &reqwest::Error, endpoint: &str, started: Instant) -> Fault {
    let endpoint = endpoint.to_owned();
    Fault::transient(if error.is_timeout() {
        let seconds = (started.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        ApiError::Timeout { endpoint, seconds }
    } else {
        let detail = format!("the answer broke off: {}", root_cause(error));
        ApiError::Transport { endpoint, detail }
    })
}

/// The innermost cause: the one that says something (and never holds the address).
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut outermost = true;
    while let Some(inner) = cause.source() {
        cause = inner;
        outermost = false;
    }
    // reqwest's own message names the whole address; a cause does not.
    if outermost {
        "the request failed".to_owned()
    } else {
        cause.to_string()
    }
}

enum Cut {
    /// With as much as was read.
    TooLarge(Vec<u8>),
    Broken(reqwest::Error),
}

/// Chunk by chunk, so that a small packed answer cannot fill the memory.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, Cut> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Cut::Broken)? {
        if body.len() + chunk.len() > limit {
            return Err(Cut::TooLarge(body));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The API's clock when it answered, by the `Date` header.
fn sent_at(response: &Response) -> Option<Timestamp> {
    http_date(response.headers().get(DATE)?.to_str().ok()?)
}

/// Why a body is no answer.
#[derive(Debug)]
enum Unread {
    /// Something else altogether, or only a part.
    Foreign(String),
    /// Bytes that make no JSON.
    Garbled(String),
    TooMany,
}

/// Whether there are more values than anybody needs, by what stands between them.
fn has_too_many(body: &[u8]) -> bool {
    let (mut values, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in body {
        if quoted {
            quoted = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
        } else {
            quoted = *byte == b'"';
            values += usize::from(matches!(byte, b',' | b'[' | b'{' | b':'));
        }
    }
    values > MAX_VALUES
}

fn parse(body: &[u8]) -> Result<Value, Unread> {
    let foreign = |text: &str| Err(Unread::Foreign(text.to_owned()));
    let body = body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .trim_ascii();
    match body.first() {
        None => return foreign("an empty answer"),
        Some(b'<') => return foreign("a web page instead of JSON (maintenance?)"),
        Some(_) => {}
    }
    if has_too_many(body) {
        return Err(Unread::TooMany);
    }
    serde_json::from_slice(body).map_err(|e| {
        if e.is_eof() {
            Unread::Foreign(format!("the JSON is cut short ({e})"))
        } else {
            Unread::Garbled(format!("no JSON ({e})"))
        }
    })
}

/// `API_KEY_INVALID` and its kin, wherever the answer has it.
fn key_code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("API_KEY_")?;
    let end = rest
        .find(|c: char| !c.is_ascii_uppercase() && c != '_')
        .unwrap_or(rest.len());
    Some(format!(
        "API_KEY_{}",
        rest.get(..end)?.chars().take(40).collect::<String>()
    ))
}

/// The message of a JSON error, on one line.
fn detail(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let error = value.get("error").unwrap_or(&value);
    let message = ["message", "detail", "code"]
        .iter()
        .find_map(|name| error.get(name)?.as_str());
    let message = message.or_else(|| error.as_str())?;
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| line.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_what_only_looks_like_it() {
        assert!(parse(b"\xef\xbb\xbf {\"a\": 1}\n").is_ok());
        for (body, says) in [
            (&b" \n<!DOCTYPE html>"[..], "web page"),
            (b"{\"a\": [1, 2", "cut short"),
            (b"", "empty"),
        ] {
            let found = parse(body).unwrap_err();
            assert!(
                matches!(&found, Unread::Foreign(why) if why.contains(says)),
                "{found:?}"
            );
        }
        let deep = "[".repeat(200);
        for garbled in [
            &b"{\"a\": \"\xff\"}"[..],
            deep.as_bytes(),
            b"{\"a\": \"\\ud800\"}",
            b"[1e999]",
            b"{'a': 1}",
        ] {
            assert!(
                matches!(parse(garbled), Err(Unread::Garbled(_))),
                "{garbled:?}"
            );
        }
        let doubled = parse(b"{\"a\": 1, \"a\": 2}").unwrap();
        assert_eq!(doubled["a"], 2, "the last one holds");
    }

    #[test]
    fn values_are_counted_before_they_take_memory() {
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert!(matches!(parse(many.as_bytes()), Err(Unread::TooMany)));
        // What stands in a text is no value.
        let text = format!("[\"\\\"{}\", \"\\\\\"]", ",[{:".repeat(MAX_VALUES));
        assert!(parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn a_refused_key_is_recognised_by_its_code() {
        let invalid = r#"{"error": {"code": "API_KEY_INVALID", "message": "get one"}}"#;
        assert_eq!(key_code(invalid).unwrap(), "API_KEY_INVALID");
        assert_eq!(
            key_code("<code>API_KEY_MISSING</code>").unwrap(),
            "API_KEY_MISSING"
        );
        assert_eq!(key_code("forbidden"), None);
    }

    #[test]
    fn the_detail_is_one_short_line() {
        let line = detail(r#"{"error": {"message": "relation\n \"x\" does not exist"}}"#);
        assert_eq!(line.unwrap(), "relation \"x\" does not exist");
        assert_eq!(
            detail(r#"{"error": "Not\tserializable"}"#).unwrap(),
            "Not serializable"
        );
        assert_eq!(detail("<html>"), None);
        let long = format!(r#"{{"error": "{}"}}"#, "x".repeat(5000));
        assert_eq!(detail(&long).unwrap().len(), 200);
    }
}
