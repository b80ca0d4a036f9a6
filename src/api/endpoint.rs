//! From an endpoint's name to an address on the API's own host, and nowhere else.

use std::fmt::Write as _;

use url::Url;

use super::ApiError;

/// One path segment, percent-encoded: event ids can hold slashes and quotes.
pub fn segment(text: &str) -> String {
    encode(text, false)
}

/// `endpoint` under `base`. Refuses whatever could lead elsewhere: a whole address, `..`, a query.
pub(super) fn address(base: &Url, endpoint: &str) -> Result<Url, ApiError> {
    let path = endpoint.strip_prefix('/').unwrap_or(endpoint);
    if let Some(reason) = refusal(path) {
        return Err(ApiError::Nonsense {
            endpoint: shown(endpoint),
            detail: format!(
                "no endpoint of the API ({reason}); give a path such as committee/house/hsii00"
            ),
        });
    }
    let encoded: Vec<String> = path.split('/').map(|part| encode(part, true)).collect();
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}/{}", encoded.join("/")));
    Ok(url)
}

/// The endpoint as logs and errors show it: one short line, never with a query (it might hold a key).
pub(super) fn shown(endpoint: &str) -> String {
    let path = endpoint.split(['?', '#']).next().unwrap_or_default();
    let path = path.rsplit_once('@').map_or(path, |(_, after)| after);
    path.chars()
        .take(200)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

fn refusal(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("empty");
    }
    if path.contains("://") || path.starts_with('/') {
        return Some("a whole address");
    }
    if path.contains(['?', '#']) {
        return Some("a query: use params");
    }
    if path.contains('\\') || path.chars().any(char::is_control) {
        return Some("control characters");
    }
    for part in path.split('/') {
        // A URL parser takes %2e for a dot as well.
        match part.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." | ".." => return Some("dots for a folder"),
            "" => return Some("an empty part"),
            _ => {}
        }
    }
    None
}

fn encode(text: &str, keep_encoded: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    for (i, &byte) in bytes.iter().enumerate() {
        let already = keep_encoded
            && byte == b'%'
            && bytes
                .get(i + 1..i + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'.') || already {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    // A lone dot segment would be taken for a folder, even encoded; no record is called that.
    if !keep_encoded && matches!(out.as_str(), "." | "..") {
        "%20".to_owned()
    } else {
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(endpoint: &str) -> Result<String, String> {
        let base = Url::parse("http://localhost:9/v3/").unwrap();
        address(&base, endpoint)
            .map(|u| u.to_string())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn an_endpoint_lies_under_the_base() {
        let meeting = "http://localhost:9/v3/committee-meeting/119/house/1";
        assert_eq!(path("committee-meeting/119/house/1").unwrap(), meeting);
        assert_eq!(path("/committee-meeting/119/house/1").unwrap(), meeting);
    }

    #[test]
    fn a_segment_stays_one_segment() {
        assert_eq!(segment("a/b'c?d#é%2e"), "a%2Fb%27c%3Fd%23%C3%A9%252e");
        let url = path(&format!("x/{}", segment("a/../b"))).unwrap();
        assert_eq!(url, "http://localhost:9/v3/x/a%2F..%2Fb");
        assert_ne!(segment(".."), "..");
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for bad in [
            "",
            "/",
            "https://evil.example/x",
            "//evil.example/x",
            "committee/../../x",
            "committee/%2e%2E/x",
            "committee/./x",
            "a//b",
            "a?b=1",
            "a#b",
            "a\\b",
            "a\nb",
        ] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_refused_endpoint_does_not_show_its_query() {
        let message = path("https://me:pw@h/x?api_key=abc").unwrap_err();
        assert!(
            !message.contains("abc") && !message.contains("pw"),
            "{message}"
        );
    }
}
