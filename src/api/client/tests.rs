//! The client against a small server on this machine.

use std::sync::Mutex;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request as Asked};
use axum::http::{HeaderMap, Response as Answer};
use futures::future::join_all;
use tokio::net::TcpListener;

use super::*;
use crate::api::Secret;

mod bounds;
mod endurance;

const KEY: &str = "a-real-key";

/// Status, headers, body.
type Scripted<'a> = (u16, &'a [(&'a str, &'a str)], &'a str);
type Kept = (u16, Vec<(String, String)>, String);

/// What the server saw of a request.
#[derive(Clone)]
struct Seen {
    uri: String,
    headers: HeaderMap,
    peer: std::net::SocketAddr,
}

/// A server whose n-th answer (from 0) is what `answer` makes of n and the request.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(usize, Asked) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer<Body>> + Send,
    {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let app = axum::Router::new().fallback(
            move |ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>, asked: Asked| {
                let number = {
                    let mut log = log.lock().unwrap();
                    let (uri, headers) = (asked.uri().to_string(), asked.headers().clone());
                    log.push(Seen { uri, headers, peer });
                    log.len() - 1
                };
                answer(number, asked)
            },
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v3", listener.local_addr().unwrap());
        let service = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { url, seen }
    }

    /// Each answer in its turn, the last one for ever.
    async fn script(answers: &[Scripted<'_>]) -> Self {
        let answers: Vec<Kept> = answers
            .iter()
            .map(|(status, headers, body)| {
                let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
                (
                    *status,
                    headers.iter().map(own).collect(),
                    (*body).to_owned(),
                )
            })
            .collect();
        let answers = Arc::new(answers);
        Self::start(move |n, _| {
            let answers = Arc::clone(&answers);
            async move {
                let (status, headers, body) = &answers[n.min(answers.len() - 1)];
                reply(*status, headers, body.clone())
            }
        })
        .await
    }

    fn settings(&self) -> ClientSettings {
        ClientSettings {
            base_url: self.url.clone(),
            api_key: Secret::new(KEY),
            first_backoff: Duration::from_millis(1),
            ..ClientSettings::default()
        }
    }

    fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn reply(status: u16, headers: &[(String, String)], body: impl Into<Body>) -> Answer<Body> {
    let mut answer = Answer::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(name, value);
    }
    answer.body(body.into()).unwrap()
}

fn ok() -> Answer<Body> {
    reply(200, &[], "{}")
}

async fn ask(client: &Client) -> Result<Value, ApiError> {
    client.get_json("committee-meeting/119", &[]).await
}

#[tokio::test]
async fn asks_for_json_with_the_key_in_the_header_only() {
    let server = Server::script(&[(200, &[], r#"{"a": 1}"#)]).await;
    let params = [
        ("offset".to_owned(), "250".to_owned()),
        ("api_key".to_owned(), KEY.to_owned()),
    ];
    let value = server
        .client()
        .get_json("committee-meeting/119", &params)
        .await
        .unwrap();
    assert_eq!(value["a"], 1);
    let seen = &server.seen()[0];
    assert_eq!(seen.uri, "/v3/committee-meeting/119?format=json&offset=250");
    assert_eq!(seen.headers["x-api-key"], KEY);
    assert!(
        seen.headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("hearing-updater/")
    );
    assert_eq!(seen.headers["accept-encoding"], "gzip");
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let html = "<html><body>Maintenance</body></html>";
    for (status, body) in [
        (500, "{}"),
        (502, ""),
        (503, html),
        (504, ""),
        (429, "{}"),
        (200, html),
        (200, "{\"a\": "),
    ] {
        let server = Server::script(&[(status, &[], body), (200, &[], "{}")]).await;
        let client = server.client();
        ask(&client).await.unwrap();
        assert_eq!(
            (client.requests(), client.retry_stats().total_retries),
            (2, 1),
            "{status}"
        );
        assert!(client.retry_stats().last_retry_time.is_some());
    }
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_after_the_set_number_of_tries() {
    let body = r#"{"error": {"message": "relation \"meeting_video\" does not exist"}}"#;
    let server = Server::script(&[(500, &[], body)]).await;
    let client = server.client();
    let error = ask(&client).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "committee-meeting/119: answered 500: relation \"meeting_video\" does not exist"
    );
    assert_eq!(server.seen().len(), 3);
    let client = Client::new(ClientSettings {
        retry_attempts: 1,
        ..server.settings()
    })
    .unwrap();
    ask(&client).await.unwrap_err();
    assert_eq!(
        (server.seen().len(), client.retry_stats().total_retries),
        (4, 0)
    );
}

#[tokio::test]
async fn a_probe_does_not_insist_on_a_500_but_does_on_the_rest() {
    let server = Server::script(&[(503, &[], ""), (500, &[], ""), (200, &[], "{}")]).await;
    let client = server.client();
    let error = client
        .probe("committee-meeting/119", &[])
        .await
        .unwrap_err();
    assert!(
        matches!(error, ApiError::Status { status: 500, .. }),
        "{error}"
    );
    assert_eq!(client.requests(), 2);
}

#[tokio::test]
async fn a_refused_key_fails_at_once_without_showing_it() {
    let body = format!(r#"{{"error": {{"code": "API_KEY_INVALID", "message": "{KEY}"}}}}"#);
    let server = Server::script(&[(403, &[], &body)]).await;
    let client = server.client();
    let error = ask(&client).await.unwrap_err();
    assert!(
        matches!(&error, ApiError::Key { code } if code == "API_KEY_INVALID"),
        "{error}"
    );
    assert!(error.to_string().contains("CONGRESS_API_KEY"));
    assert_eq!(server.seen().len(), 1);
    let stats = client.breaker_stats().unwrap();
    assert_eq!((stats.total_failures, stats.failure_count), (0, 0));
}

#[tokio::test]
async fn no_error_and_no_repr_shows_the_key() {
    let body = format!(r#"{{"error": "cannot serve {KEY}"}}"#);
    let server = Server::script(&[(400, &[], &body)]).await;
    let client = server.client();
    let error = client
        .get_json(&format!("committee/{KEY}"), &[])
        .await
        .unwrap_err();
    assert!(
        !format!("{error} {error:?} {client:?}").contains(KEY),
        "{error}"
    );
    assert!(error.to_string().contains("cannot serve ***"));
    let error = client
        .get_json(&format!("x?api_key={KEY}"), &[])
        .await
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains(KEY), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_404_is_an_answer() {
    let server = Server::script(&[(404, &[], "{}")]).await;
    let client = server.client();
    assert!(matches!(ask(&client).await, Err(ApiError::NotFound { .. })));
    assert_eq!(client.requests(), 1);
    assert_eq!(client.breaker_stats().unwrap().total_successes, 1);
}

#[tokio::test]
async fn retry_after_is_honoured() {
    for as_date in [false, true] {
        let after = if as_date {
            // Whole seconds only: more than one and a half are left of it.
            let when = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(2500);
            jiff::fmt::rfc2822::DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&when)
                .unwrap()
        } else {
            "1".to_owned()
        };
        let server =
            Server::script(&[(503, &[("Retry-After", &after)], ""), (200, &[], "{}")]).await;
        let started = Instant::now();
        ask(&server.client()).await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(1), "{after}");
    }
}

#[tokio::test]
async fn a_long_retry_after_ends_it_for_all() {
    let server = Server::script(&[(429, &[("Retry-After", "1800")], "{}")]).await;
    let client = server.client();
    assert!(matches!(
        ask(&client).await,
        Err(ApiError::RateLimited { minutes: 30 })
    ));
    assert!(matches!(
        ask(&client).await,
        Err(ApiError::RateLimited { minutes: 30 })
    ));
    assert_eq!((client.requests(), client.check_rate_limit().0), (1, 0));
}

#[tokio::test]
async fn the_headers_say_what_is_left() {
    let answers: &[Scripted<'_>] = &[
        (
            200,
            &[
                ("X-RateLimit-Limit", "5000"),
                ("X-RateLimit-Remaining", "41"),
            ],
            "{}",
        ),
        (200, &[("X-RateLimit-Remaining", "0")], "{}"),
    ];
    let server = Server::script(answers).await;
    let client = server.client();
    assert_eq!(client.check_rate_limit().0, 5000);
    ask(&client).await.unwrap();
    assert_eq!(client.check_rate_limit().0, 41);
    ask(&client).await.unwrap();
    assert!(matches!(
        ask(&client).await,
        Err(ApiError::RateLimited { .. })
    ));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_used_up_limit_is_not_tried_again() {
    let body = r#"{"error": {"code": "OVER_RATE_LIMIT"}}"#;
    let server = Server::script(&[(429, &[("X-RateLimit-Remaining", "0")], body)]).await;
    let client = server.client();
    assert!(matches!(
        ask(&client).await,
        Err(ApiError::RateLimited { minutes: 55..=60 })
    ));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_key_never_goes_to_another_host() {
    let other = Server::script(&[(200, &[], "{}")]).await;
    // The same machine at another port is another place, too.
    let there = other.url.replace("http://", "");
    let places = [
        format!("{}/x", other.url),
        format!("//{there}/x"),
        format!("http://me:pw@{there}/x"),
        format!("https://{there}/x"),
        "ftp://127.0.0.1/x".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    for status in [301, 302, 303, 307, 308] {
        for place in &places {
            let server = Server::script(&[(status, &[("Location", place)], "")]).await;
            let client = server.client();
            let error = ask(&client).await.unwrap_err();
            assert!(
                matches!(error, ApiError::Redirected { .. }),
                "{place}: {error}"
            );
            assert!(!error.to_string().contains("pw"), "{error}");
            assert_eq!(server.seen().len(), 1, "{place}");
        }
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_second_redirect_is_looked_at_as_the_first() {
    let other = Server::script(&[(200, &[], "{}")]).await;
    let elsewhere = format!("{}/x", other.url);
    let server = Server::script(&[
        (307, &[("Location", "/v3/y")], ""),
        (308, &[("Location", &elsewhere)], ""),
    ])
    .await;
    assert!(matches!(
        ask(&server.client()).await,
        Err(ApiError::Redirected { .. })
    ));
    assert_eq!((server.seen().len(), other.seen().len()), (2, 0));
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed_but_not_for_ever() {
    let server = Server::script(&[
        (301, &[("Location", "/v3/y?format=json")], ""),
        (200, &[], "{}"),
    ])
    .await;
    let client = server.client();
    ask(&client).await.unwrap();
    assert_eq!(client.requests(), 2);
    let seen = server.seen();
    assert_eq!(
        (seen[1].uri.as_str(), &seen[1].headers["x-api-key"]),
        ("/v3/y?format=json", &seen[0].headers["x-api-key"])
    );

    let server = Server::script(&[(307, &[("Location", "/v3/z")], "")]).await;
    assert!(matches!(
        ask(&server.client()).await,
        Err(ApiError::Nonsense { .. })
    ));
    assert_eq!(server.seen().len(), MAX_REDIRECTS + 1);
}
