//! What an answer may take: memory, requests, time.

use std::io::Write;
use std::sync::atomic::AtomicUsize;

use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The error of a server whose one answer is packed so.
async fn packed(encoding: &'static str, status: u16, body: Vec<u8>) -> (ApiError, usize) {
    let body = Bytes::from(body);
    let server = Server::start(move |_, _| {
        let body = body.clone();
        async move {
            let headers = [("Content-Encoding".to_owned(), encoding.to_owned())];
            reply(status, &headers, body)
        }
    })
    .await;
    let error = ask(&server.client()).await.unwrap_err();
    (error, server.seen().len())
}

#[tokio::test]
async fn bombs_of_every_make_are_cut_off() {
    const MEMBER: usize = 2 * 1024 * 1024;
    let member = gzip(&vec![b' '; MEMBER]);
    // 1 GiB in members of 2 MiB; in one member; in a packed answer that is packed once more.
    let members = member.repeat(512);
    let mut whole = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..16 {
        whole.write_all(&vec![b' '; MEMBER]).unwrap();
    }
    let whole = whole.finish().unwrap();
    let (error, asked) = packed("gzip", 200, whole).await;
    assert!(
        matches!(error, ApiError::TooLarge { limit_mib: 4, .. }),
        "{error}"
    );
    assert_eq!(asked, 1, "not tried again");
    // A second member is taken for a fault of the line.
    let (error, asked) = packed("gzip", 200, members.clone()).await;
    assert!(matches!(error, ApiError::Transport { .. }), "{error}");
    assert_eq!(asked, 3);
    let twice = gzip(&members);
    assert!(twice.len() < 100_000, "{}", twice.len());
    let (error, _) = packed("gzip", 200, twice.clone()).await;
    assert!(
        matches!(error, ApiError::Garbled { .. } | ApiError::TooLarge { .. }),
        "{error}"
    );
    let (error, _) = packed("gzip, gzip", 200, twice).await;
    assert!(
        matches!(error, ApiError::Garbled { .. } | ApiError::TooLarge { .. }),
        "{error}"
    );
    // An error's own text is read for its first words only.
    let (error, _) = packed("gzip", 400, members).await;
    assert!(
        matches!(error, ApiError::Status { status: 400, .. }),
        "{error}"
    );
    // What only says that it is packed.
    let (error, asked) = packed("gzip", 200, b"{}".to_vec()).await;
    assert!(matches!(error, ApiError::Transport { .. }), "{error}");
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn a_redirected_request_takes_six_at_most_for_each_try() {
    // The sixth of each try fails in a way that is worth another one.
    let server = Server::start(|n, _| async move {
        if n % (MAX_REDIRECTS + 1) == MAX_REDIRECTS {
            reply(500, &[], "{}")
        } else {
            reply(302, &[("Location".to_owned(), "/v3/y".to_owned())], "")
        }
    })
    .await;
    let client = server.client();
    ask(&client).await.unwrap_err();
    assert_eq!(server.seen().len(), 3 * (MAX_REDIRECTS + 1));
    assert_eq!(client.requests(), 3 * (MAX_REDIRECTS as u64 + 1));
}

#[tokio::test]
async fn headers_that_make_no_sense_are_not_gone_by() {
    for (name, value) in [
        ("Retry-After", "-5"),
        ("Retry-After", "soon"),
        ("Retry-After", "1e400"),
        ("Retry-After", "NaN"),
        ("Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("X-RateLimit-Remaining", "many"),
        ("X-RateLimit-Remaining", "99999999999999999999"),
        ("X-RateLimit-Limit", "-1"),
        ("Date", "yesterday"),
        ("Date", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        let odd = [(name, value)];
        let server = Server::script(&[(503, &odd, ""), (200, &odd, "{}")]).await;
        let client = server.client();
        ask(&client).await.unwrap();
        assert_eq!(server.seen().len(), 2, "{name}: {value}");
        assert!(client.check_rate_limit().0 > 4000, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_wait_beyond_all_patience_is_not_waited_for() {
    for value in [
        "86400",
        "99999999999999999999",
        "Tue, 31 Dec 2999 23:59:59 GMT",
    ] {
        let server = Server::script(&[(503, &[("Retry-After", value)], "")]).await;
        let error = ask(&server.client()).await.unwrap_err();
        assert!(
            matches!(error, ApiError::Status { status: 503, .. }),
            "{error}"
        );
        assert_eq!(server.seen().len(), 1, "{value}");
    }
}

#[tokio::test]
async fn a_clock_that_is_ahead_is_noticed_and_one_odd_answer_is_not_believed() {
    let at = |seconds: i64| {
        let when = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
        jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&when)
            .unwrap()
    };
    let (past, near) = (at(400 * 86_400), at(7200));
    let server = Server::script(&[
        (200, &[("Date", &past)], "{}"),
        (200, &[("Date", &near)], "{}"),
        (200, &[("Date", "yesterday")], "{}"),
    ])
    .await;
    let client = server.client();
    assert_eq!(client.clock_ahead(), 0);
    for _ in 0..3 {
        ask(&client).await.unwrap();
    }
    assert!(
        (7200..7300).contains(&client.clock_ahead()),
        "{}",
        client.clock_ahead()
    );
    client.begin_run();
    assert_eq!(client.clock_ahead(), 0);
    let behind = at(-7200);
    let server = Server::script(&[(200, &[("Date", &behind)], "{}")]).await;
    let client = server.client();
    ask(&client).await.unwrap();
    assert_eq!(client.clock_ahead(), 0);
}

#[tokio::test]
async fn what_the_answer_is_called_does_not_matter() {
    for told in [
        "text/html",
        "application/octet-stream",
        "application/json; charset=utf-16",
        "",
        "nonsense",
    ] {
        let server = Server::script(&[(200, &[("Content-Type", told)], "{\"a\": 1}")]).await;
        assert_eq!(ask(&server.client()).await.unwrap()["a"], 1, "{told}");
    }
}

/// JSON of `mib` MiB, which packs to almost nothing.
fn hollow(mib: usize) -> Bytes {
    Bytes::from(format!("{{\"a\": \"{}\"}}", "x".repeat(mib * 1024 * 1024)))
}

#[tokio::test]
async fn a_small_packed_answer_cannot_fill_the_memory() {
    let seen = Arc::new(AtomicUsize::new(0));
    let app = axum::Router::new()
        .fallback({
            let seen = Arc::clone(&seen);
            move |asked: Asked| {
                seen.fetch_add(1, Ordering::Relaxed);
                let mib = if asked.uri().path().ends_with("big") {
                    5
                } else {
                    3
                };
                async move { Answer::new(Body::from(hollow(mib))) }
            }
        })
        .layer(tower_http::compression::CompressionLayer::new().gzip(true));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v3", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new(ClientSettings {
        base_url,
        ..ClientSettings::default()
    })
    .unwrap();
    let value = client.get_json("small", &[]).await.unwrap();
    assert_eq!(value["a"].as_str().unwrap().len(), 3 * 1024 * 1024);
    let error = client.get_json("big", &[]).await.unwrap_err();
    assert!(
        matches!(error, ApiError::TooLarge { limit_mib: 4, .. }),
        "{error}"
    );
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}
