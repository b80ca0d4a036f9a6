//! Answers that are odd as JSON: the real one, altered.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::faults::Kind;

const HUGE: usize = 10 * 1024 * 1024;

/// The body with the fault in it; `None` where this fault leaves it alone.
pub fn spoilt(kind: Kind, body: &Bytes, elsewhere: &str, number: u64) -> Option<Bytes> {
    match kind {
        Kind::BadUtf8 => Some(put(body, b":\"", b"\xc3\x28")),
        // Control characters are no part of a title, nor of a name.
        Kind::Nul => {
            let titled = put_all(body, b"\"title\":\"", b"\\u0000");
            Some(put_all(&titled, b"\"name\":\"", b"\\u0000"))
        }
        Kind::HugeTitle => Some(put(body, b"\"title\":\"", &vec![b'x'; HUGE])),
        Kind::Duplicates => duplicated(body),
        Kind::WrongTypes => wrong(body, number),
        Kind::ForeignNext => {
            let mut page: Value = serde_json::from_slice(body).ok()?;
            let next = page.pointer_mut("/pagination/next")?;
            let path = next.as_str()?.splitn(4, '/').nth(3)?.to_owned();
            *next = format!("http://{elsewhere}/{path}").into();
            Some(page.to_string().into())
        }
        _ => None,
    }
}

/// Puts `what` behind the first place that reads `behind`.
fn put(body: &[u8], behind: &[u8], what: &[u8]) -> Bytes {
    match place(body, behind) {
        Some(at) => {
            let (before, after) = body.split_at(at + behind.len());
            [before, what, after].concat().into()
        }
        None => Bytes::copy_from_slice(body),
    }
}

fn put_all(body: &[u8], behind: &[u8], what: &[u8]) -> Bytes {
    let mut whole = Vec::with_capacity(body.len() + 1024);
    let mut left = body;
    while let Some(at) = place(left, behind) {
        let (before, after) = left.split_at(at + behind.len());
        whole.extend_from_slice(before);
        whole.extend_from_slice(what);
        left = after;
    }
    whole.extend_from_slice(left);
    whole.into()
}

fn place(body: &[u8], what: &[u8]) -> Option<usize> {
    body.windows(what.len()).position(|window| window == what)
}

/// A key twice in a meeting (the last one holds); each row of a page twice, in the order of a page that
/// was put together from two.
fn duplicated(body: &Bytes) -> Option<Bytes> {
    let key = b"\"committeeMeeting\":{";
    if place(body, key).is_some() {
        return Some(put(body, key, b"\"eventId\":\"0\",\"updateDate\":7,"));
    }
    let mut page: Value = serde_json::from_slice(body).ok()?;
    let rows = page.get_mut("committeeMeetings")?.as_array_mut()?;
    rows.extend(rows.clone());
    Some(page.to_string().into())
}

/// Numbers where text belongs, lists where numbers do. The event ids stay.
fn wrong(body: &Bytes, number: u64) -> Option<Bytes> {
    let mut answer: Value = serde_json::from_slice(body).ok()?;
    if let Some(rows) = answer.get_mut("committeeMeetings") {
        for row in rows.as_array_mut()? {
            row["chamber"] = json!(["House"]);
            row["updateDate"] = json!(20_251_013);
        }
    } else {
        let meeting = answer.get_mut("committeeMeeting")?.as_object_mut()?;
        let odd = [
            ("title", json!(7)),
            ("date", json!(["2025-10-13"])),
            ("committees", json!("hsii00")),
            ("witnesses", json!(12)),
            ("congress", json!({"number": 119})),
        ];
        // One of them at least, and others with it.
        for (at, (name, value)) in (0_u64..).zip(odd) {
            if number % 5 == at || (number / 5).is_multiple_of(at + 2) {
                meeting.insert(name.to_owned(), value);
            }
        }
    }
    Some(answer.to_string().into())
}
