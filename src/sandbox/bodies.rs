//! Answers that are odd as HTTP: cut, slow, huge, packed, sent elsewhere.

use std::convert::Infallible;
use std::sync::OnceLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use flate2::{Compress, Compression, Crc, FlushCompress};
use futures::{StreamExt, stream};

use super::faults::Kind;

/// More than a client that caps answers at 4 MiB takes.
const OVERSIZE_PIECES: usize = 320;
const OVERSIZE_PIECE: usize = 64 * 1024;
/// Two gigabytes, in blocks of 16 MiB.
const BOMB_BLOCKS: usize = 128;
const BOMB_BLOCK: usize = 16 * 1024 * 1024;
/// Deeper than any parser should follow.
const DEPTH: usize = 20_000;
const DRIP_PIECE: usize = 64;
const DRIP_PAUSE: Duration = Duration::from_millis(100);

pub const JSON: &str = "application/json";

/// What the fault answers, whatever was asked; `None` where it is no fault of the body's form.
pub fn odd(kind: Kind, body: &Bytes, number: u64) -> Option<Response> {
    Some(match kind {
        Kind::Truncated => truncated(body),
        Kind::Drip => drip(body),
        Kind::Oversize => oversize(),
        Kind::Html => html(),
        Kind::GzipBomb => bomb(),
        Kind::Deep => deep(),
        Kind::ContentType => mislabelled(body, number),
        _ => return None,
    })
}

pub fn bare(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Promises the whole body and ends half-way.
fn truncated(body: &Bytes) -> Response {
    let half = body.slice(..body.len() / 2);
    let pieces = stream::unfold(Some(half), |half| async move {
        let Some(half) = half else {
            // The half has to be on its way before the connection is given up.
            tokio::time::sleep(Duration::from_millis(5)).await;
            return None;
        };
        Some((Ok::<_, Infallible>(half), None))
    });
    let mut response = bare(StatusCode::OK, JSON, Body::from_stream(pieces));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

/// The whole body, a few bytes at a time.
fn drip(body: &Bytes) -> Response {
    let pieces = stream::unfold(body.clone(), |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(DRIP_PAUSE).await;
        let piece = left.split_to(DRIP_PIECE.min(left.len()));
        Some((Ok::<_, Infallible>(piece), left))
    });
    let mut response = bare(StatusCode::OK, JSON, Body::from_stream(pieces));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

/// Twenty megabytes, unannounced.
fn oversize() -> Response {
    static SPACES: [u8; OVERSIZE_PIECE] = [b' '; OVERSIZE_PIECE];
    let pieces = stream::iter(0..=OVERSIZE_PIECES).map(|at| {
        Ok::<_, Infallible>(match at {
            OVERSIZE_PIECES => Bytes::from_static(b"{}"),
            _ => Bytes::from_static(&SPACES),
        })
    });
    bare(StatusCode::OK, JSON, Body::from_stream(pieces))
}

fn html() -> Response {
    const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Congress.gov | Maintenance</title></head>\
        <body><h1>Congress.gov is temporarily unavailable</h1>\
        <p>We are performing scheduled maintenance. Please try again later.</p></body></html>\n";
    bare(StatusCode::OK, "text/html; charset=utf-8", Body::from(PAGE))
}

/// To a name of the same server: the log shows who followed, and with what.
pub fn redirect(elsewhere: &str, target: &str) -> Response {
    let location = format!("http://{elsewhere}{target}");
    let mut response = bare(StatusCode::FOUND, "text/html; charset=utf-8", Body::empty());
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Small on the way, gigabytes when unpacked.
fn bomb() -> Response {
    static PARTS: OnceLock<[Bytes; 3]> = OnceLock::new();
    let [head, block, tail] = PARTS.get_or_init(bomb_parts).clone();
    let blocks = stream::repeat(block).take(BOMB_BLOCKS);
    let pieces = stream::iter([head])
        .chain(blocks)
        .chain(stream::iter([tail]))
        .map(Ok::<_, Infallible>);
    let mut response = bare(StatusCode::OK, JSON, Body::from_stream(pieces));
    response
        .headers_mut()
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

/// The beginning of a gzip body, a block to repeat, and the end.
fn bomb_parts() -> [Bytes; 3] {
    let spaces = vec![b' '; BOMB_BLOCK];
    let mut block = Vec::with_capacity(BOMB_BLOCK / 64);
    // Flushed in full, it needs nothing of what came before it.
    let _ = Compress::new(Compression::fast(), false).compress_vec(
        &spaces,
        &mut block,
        FlushCompress::Full,
    );
    let (mut one, mut sum) = (Crc::new(), Crc::new());
    one.update(&spaces);
    for _ in 0..BOMB_BLOCKS {
        sum.combine(&one);
    }
    let mut tail = vec![3, 0];
    tail.extend(sum.sum().to_le_bytes());
    tail.extend(sum.amount().to_le_bytes());
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    [Bytes::copy_from_slice(&head), block.into(), tail.into()]
}

fn deep() -> Response {
    let body = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    bare(StatusCode::OK, JSON, Body::from(body))
}

/// The right body under a wrong name, or none.
fn mislabelled(body: &Bytes, number: u64) -> Response {
    let types = [
        Some("text/html; charset=utf-8"),
        Some("application/octet-stream"),
        Some("application/json; charset=utf-16"),
        None,
    ];
    let mut response = Response::new(Body::from(body.clone()));
    if let Some(told) = one_of(&types, number).copied().flatten() {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(told));
    }
    response
}

/// Clocks and counts that make no sense.
pub fn odd_headers(response: &mut Response, number: u64) {
    const DATES: [&str; 4] = [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Tue, 31 Dec 2999 23:59:59 GMT",
        "yesterday",
        "Mon, 31 Feb 2025 25:61:61 GMT",
    ];
    const WAITS: [&str; 6] = [
        "-5",
        "soon",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Tue, 31 Dec 2999 23:59:59 GMT",
        "1e400",
        "99999999999999999999",
    ];
    const COUNTS: [&str; 4] = ["99999999999999999999", "many", "", "NaN"];
    let mut set = |name: HeaderName, values: &[&'static str], at: u64| {
        if let Some(value) = one_of(values, at) {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
    };
    // Each turns at a pace of its own, so that they meet in all ways.
    set(header::DATE, &DATES, number);
    set(header::RETRY_AFTER, &WAITS, number / 2);
    let count = |name| HeaderName::from_static(name);
    set(count("x-ratelimit-remaining"), &COUNTS, number / 3);
    set(count("x-ratelimit-limit"), &COUNTS, number / 5);
}

fn one_of<T>(all: &[T], number: u64) -> Option<&T> {
    let places = u64::try_from(all.len()).ok()?;
    all.get(usize::try_from(number % places).ok()?)
}
