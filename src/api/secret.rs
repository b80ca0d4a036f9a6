//! What must not be seen, and how it is taken out of texts.

use std::fmt;
use std::fmt::Write as _;

use super::settings::DEMO_KEY;

/// What stands in a secret's place.
pub const MASK: &str = "****";

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the request header, nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the secret, should somebody have echoed it.
    pub fn redact(&self, text: &str) -> String {
        redact(text, &[&self.0], false)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// `text` without the secrets, as they are and in the forms that other programs give them (percent
/// signs, JSON's escapes, base64, backwards), and without the value of any `api_key=` in it.
///
/// A secret that could be a word or a number goes only where it is called a key: anywhere else it would
/// take innocent words along. `anywhere` takes such ones out, too.
pub fn redact(text: &str, secrets: &[&str], anywhere: bool) -> String {
    let mut text = text.to_owned();
    let mut secrets: Vec<&str> = secrets.to_vec();
    // A part of another one last.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        if secret.is_empty() || secret == DEMO_KEY {
            continue;
        }
        if !anywhere && is_a_word(secret) {
            text = without_named(&text, secret);
            continue;
        }
        for form in forms(secret) {
            if text.contains(&form) {
                text = text.replace(&form, MASK);
            }
        }
    }
    without_key_values(&text)
}

/// Of fewer characters, or of letters or digits alone and not many of them.
fn is_a_word(secret: &str) -> bool {
    const SHORT: usize = 6;
    const LONG: usize = 16;
    let alone = |is: fn(char) -> bool| secret.len() < LONG && secret.chars().all(is);
    secret.len() < SHORT || alone(char::is_alphabetic) || alone(|c| c.is_ascii_digit())
}

/// The secret as it is, and as it may turn up, longest first.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), secret.chars().rev().collect()];
    forms.extend([true, false].map(|upper| percent_coded(secret, upper)));
    if let Ok(json) = serde_json::to_string(secret) {
        let inner = json.trim_start_matches('"');
        let inner = inner.strip_suffix('"').unwrap_or(inner).to_owned();
        forms.push(inner.replace('/', "\\/"));
        forms.push(inner);
    }
    // What stands before it in the same text (a user name, "Bearer ") shifts it by so many bits.
    for shift in [0, 2, 4] {
        forms.push(base64(secret.as_bytes(), shift, *b"+/"));
        forms.push(base64(secret.as_bytes(), shift, *b"-_"));
    }
    forms.retain(|form| form.len() >= secret.len().min(6));
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

fn percent_coded(secret: &str, upper: bool) -> String {
    let mut coded = String::with_capacity(secret.len());
    for &byte in secret.as_bytes() {
        // Writing to a String cannot fail.
        let _ = match byte {
            b'-' | b'_' | b'.' | b'~' => coded.write_char(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => coded.write_char(char::from(byte)),
            _ if upper => write!(coded, "%{byte:02X}"),
            _ => write!(coded, "%{byte:02x}"),
        };
    }
    coded
}

/// The characters that hang on these bytes alone, from the bit `shift` on.
fn base64(bytes: &[u8], shift: usize, last: [u8; 2]) -> String {
    let bits = bytes.len() * 8;
    (shift..)
        .step_by(6)
        .take_while(|at| at + 6 <= bits)
        .map(|at| {
            let next = bytes.get(at / 8 + 1).copied().unwrap_or_default();
            let two = u16::from_be_bytes([bytes[at / 8], next]);
            match u8::try_from((two >> (10 - at % 8)) & 63).unwrap_or_default() {
                six @ 0..=25 => char::from(b'A' + six),
                six @ 26..=51 => char::from(b'a' + six - 26),
                six @ 52..=61 => char::from(b'0' + six - 52),
                62 => char::from(last[0]),
                _ => char::from(last[1]),
            }
        })
        .collect()
}

/// Where it stands alone, and what comes before calls it a key.
fn without_named(text: &str, secret: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for (at, found) in text.match_indices(secret) {
        let (before, after) = (&text[..at], &text[at + found.len()..]);
        let joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        if !joined(before.chars().next_back()) && !joined(after.chars().next()) && is_called(before)
        {
            clean.push_str(&text[done..at]);
            clean.push_str(MASK);
            done = at + found.len();
        }
    }
    clean + &text[done..]
}

/// "Invalid API key: ", "key=", "the key is ".
fn is_called(before: &str) -> bool {
    let words = before.trim_end_matches(|c: char| !c.is_alphanumeric());
    let words = words.strip_suffix(" is").unwrap_or(words);
    let from = words.len().saturating_sub(8);
    let tail = words.get(from..).unwrap_or_default().to_ascii_lowercase();
    ["key", "token", "secret", "password", "bearer"]
        .iter()
        .any(|name| tail.ends_with(name))
}

/// `api_key=x`, `X-Api-Key: x`, `"api_key": "x"`: whosever key it is.
fn without_key_values(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut clean = String::with_capacity(text.len());
    let (mut done, mut from) = (0, 0);
    while let Some(at) = lower[from..].find("api").map(|n| from + n) {
        from = at + 3;
        let name = &lower[from..];
        if !name.starts_with("_key") && !name.starts_with("-key") {
            continue;
        }
        let Some(start) = value_after(&lower, at, from + 4) else {
            continue;
        };
        let ends = |c: char| c == '&' || c == '\'' || c == '"' || c.is_whitespace();
        let end = lower[start..].find(ends).map_or(lower.len(), |n| start + n);
        if end > start {
            clean.push_str(&text[done..start]);
            clean.push_str(MASK);
            (done, from) = (end, end);
        }
    }
    clean + &text[done..]
}

/// Where the value begins of a name that stands at `at` to `end`.
fn value_after(lower: &str, at: usize, end: usize) -> Option<usize> {
    let rest = &lower[end..];
    let quoted = rest.starts_with(['"', '\'']);
    let header = lower[..at].ends_with("x-");
    let sign = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
    let value = if let Some(value) = sign.strip_prefix('=').or(sign.strip_prefix("%3d")) {
        value
    } else if quoted || header {
        sign.strip_prefix(':')?.trim_start_matches(' ')
    } else {
        return None;
    };
    let value = value.strip_prefix(['"', '\'']).unwrap_or(value);
    Some(lower.len() - value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "aB3/+x\"y&z=9-Q_w.";

    #[test]
    fn a_key_goes_in_all_its_forms_and_leaves_the_rest() {
        let mut all = forms(KEY);
        all.push("YUIzLyt4Inkmej05LVFfdy4".to_owned()); // base64, its end included
        for form in all {
            let clean = redact(&format!("before {form} after"), &[KEY], false);
            assert!(!clean.contains(&form), "{form}: {clean}");
            assert!(clean.starts_with("before ****"), "{form}: {clean}");
            assert!(clean.ends_with(" after"), "{form}: {clean}");
        }
        for shifted in [
            "dXNlcjphQjMvK3gieSZ6PTktUV93Lg==",
            "YTphQjMvK3gieSZ6PTktUV93Lg==",
        ] {
            let clean = redact(&format!("Basic {shifted}"), &[KEY], false);
            assert!(!clean.contains("QjMvK3gieSZ6PTktUV93"), "{clean}");
        }
    }

    #[test]
    fn what_could_be_a_word_goes_only_where_it_is_called_a_key() {
        for key in ["update", "abc", "119", "hearings", "x"] {
            let told = format!("Daily {key} of Congress 119: x, {key}s of abcdef {key}");
            assert_eq!(redact(&told, &[key], false), told);
            for named in ["Invalid API key: ", "key=", "the key is ", "Bearer "] {
                let clean = redact(&format!("{named}{key}, {key}"), &[key], false);
                assert_eq!(clean, format!("{named}****, {key}"));
            }
        }
        assert_eq!(redact("my sesame here", &["sesame"], true), "my **** here");
        assert_eq!(redact("é key: abc", &["abc"], false), "é key: ****");
    }

    #[test]
    fn the_value_of_a_key_goes_whosever_it_is() {
        for (text, clean) in [
            (
                "GET /v3?api_key=abcdef&limit=1",
                "GET /v3?api_key=****&limit=1",
            ),
            (
                "API_KEY='abc' and api_key=\"d e\"",
                "API_KEY='****' and api_key=\"**** e\"",
            ),
            (
                "X-Api-Key: abc\r\nx-api-key:b",
                "X-Api-Key: ****\r\nx-api-key:****",
            ),
            (
                r#"{"api_key": "abc", "a": 1}"#,
                r#"{"api_key": "****", "a": 1}"#,
            ),
            ("a%26api_key%3Dabc", "a%26api_key%3D****"),
            (
                "CONGRESS_API_KEY or API_KEY: a key is letters",
                "CONGRESS_API_KEY or API_KEY: a key is letters",
            ),
            ("api_key= and API_KEY", "api_key= and API_KEY"),
        ] {
            assert_eq!(redact(text, &[], false), clean);
        }
    }

    #[test]
    fn the_public_key_and_an_empty_one_are_no_secrets() {
        assert_eq!(redact("DEMO_KEY", &["DEMO_KEY", ""], true), "DEMO_KEY");
        assert_eq!(
            format!("{:?} {}", Secret::new(KEY), Secret::new(KEY)),
            "Secret(****) ****"
        );
    }
}
