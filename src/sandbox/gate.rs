//! What every request passes: the log, the key check, the hourly limit, latency, faults, compression.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::asked::{Asked, Query, Route};
use super::bodies::{self, JSON, bare};
use super::cut::Scissors;
use super::draw::mix_text;
use super::faults::{Faults, Hit, Kind};
use super::log::{KeyPlace, Log};
use super::reply::Reply;
use super::routes::answer;
use super::spoilt::spoilt;
use super::world::World;

const HOUR: Duration = Duration::from_secs(3600);

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// Everything the server's tasks share with the one who runs it.
pub struct Shared {
    pub world: RwLock<World>,
    pub faults: Faults,
    pub log: Log,
    pub latency_micros: AtomicU64,
    pub slow_micros: AtomicU64,
    pub rate_limit: AtomicU64,
    pub api_key: Option<String>,
    /// Host and port, as in our address.
    pub home: String,
    /// The other name of this server, to which the fault `redirect` sends.
    pub elsewhere: String,
    pub seed: u64,
    pub window: Mutex<Window>,
    /// All requests since the start; the log's numbers start anew when it is cleared.
    pub number: AtomicU64,
}

/// The hour over which requests are counted.
pub struct Window {
    since: Instant,
    used: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            used: 0,
        }
    }
}

impl Window {
    /// Counts one request; what is left after it, or the seconds until there is something again.
    fn take(&mut self, limit: u64) -> Result<u64, u64> {
        if self.since.elapsed() >= HOUR {
            *self = Self::default();
        }
        if self.used >= limit {
            return Err(HOUR.saturating_sub(self.since.elapsed()).as_secs().max(1));
        }
        self.used += 1;
        Ok(limit - self.used)
    }
}

fn micros(value: &AtomicU64) -> Duration {
    Duration::from_micros(value.load(Ordering::Relaxed))
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Serves one request.
pub async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let path = request.uri().path();
    let query = Query::of(request.uri().query().unwrap_or_default());
    let headers = request.headers();
    let host = text(headers, header::HOST).unwrap_or_default();
    let (key, key_in) = match (text(headers, "x-api-key"), query.key.as_deref()) {
        (Some(key), _) => (Some(key), Some(KeyPlace::Header)),
        (None, Some(key)) => (Some(key), Some(KeyPlace::Query)),
        (None, None) => (None, None),
    };
    let shown = query.text();
    let target = if shown.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{shown}")
    };
    let method = request.method().as_str().to_owned();
    let mut visit = shared.log.arrive(method, target, host.to_owned(), key_in);
    let number = shared.number.fetch_add(1, Ordering::Relaxed) + 1;

    let latency = micros(&shared.latency_micros);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }

    let limit = shared.rate_limit.load(Ordering::Relaxed);
    let mut remaining = None;
    let route = Route::of(path);
    let mut hit = None;
    let refusal = refuse(&shared, request.method(), key, limit, &mut remaining);
    if refusal.is_none() {
        let home = host != shared.elsewhere;
        hit = shared
            .faults
            .hit(number, &visit.served.path, &route, query.filtered(), home);
    }
    visit.served.fault = hit.map(|hit| hit.kind.name());

    if let Some(Hit {
        kind: Kind::Slow, ..
    }) = hit
    {
        tokio::time::sleep(micros(&shared.slow_micros)).await;
    }
    let reply = refusal.or_else(|| hit.and_then(|hit| stand_in(hit, shared.seed, path, number)));
    let mut reply = reply.unwrap_or_else(|| {
        let asked = Asked {
            path,
            query: &query,
            home: host_or(host, &shared),
            faults: &shared.faults,
        };
        let world = shared.world.read().unwrap_or_else(PoisonError::into_inner);
        answer(&world, &route, &asked)
    });
    if reply.status == 500 && hit.is_none() && matches!(route, Route::Meetings { .. }) {
        visit.served.fault = Some(Kind::BadRow.name());
    }

    let wants_gzip =
        text(headers, header::ACCEPT_ENCODING).is_some_and(|value| value.contains("gzip"));
    let mut response = match hit.map(|hit| hit.kind) {
        Some(Kind::Reset) => {
            scissors.cut();
            visit.served.status = 0;
            return Response::new(Body::empty());
        }
        Some(Kind::Redirect) => bodies::redirect(&shared.elsewhere, &visit.served.path),
        Some(Kind::RedirectLoop) => bodies::redirect(host_or(host, &shared), &visit.served.path),
        Some(kind) => {
            spoil(kind, &mut reply, &shared, number);
            bodies::odd(kind, &reply.body, number).unwrap_or_else(|| plain(&mut reply, wants_gzip))
        }
        None => plain(&mut reply, wants_gzip),
    };
    if hit.is_some_and(|hit| hit.kind == Kind::OddHeaders) {
        bodies::odd_headers(&mut response, number);
        visit.served.status = response.status().as_u16();
        return response;
    }
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(limit));
    if let Some(remaining) = remaining {
        headers.insert(REMAINING, HeaderValue::from(remaining));
    }
    if let Some(seconds) = reply.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    visit.served.status = response.status().as_u16();
    response
}

fn host_or<'a>(host: &'a str, shared: &'a Shared) -> &'a str {
    if host.is_empty() { &shared.home } else { host }
}

/// What the gateway in front of the API refuses.
fn refuse(
    shared: &Shared,
    method: &Method,
    key: Option<&str>,
    limit: u64,
    remaining: &mut Option<u64>,
) -> Option<Reply> {
    match key.map(str::trim) {
        None | Some("") => {
            return Some(Reply::refused(
                403,
                "API_KEY_MISSING",
                "No api_key was supplied. Get one at https://api.congress.gov:443",
            ));
        }
        Some(key)
            if key == "INVALID_KEY" || shared.api_key.as_ref().is_some_and(|own| own != key) =>
        {
            return Some(Reply::refused(
                403,
                "API_KEY_INVALID",
                "An invalid api_key was supplied. Get one at https://api.congress.gov:443",
            ));
        }
        Some(_) => {}
    }
    match shared
        .window
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take(limit)
    {
        Ok(left) => *remaining = Some(left),
        Err(wait) => {
            *remaining = Some(0);
            return Some(Reply {
                retry_after: Some(wait),
                ..over_limit()
            });
        }
    }
    (*method != Method::GET).then(|| Reply::failed(405, "Method not allowed."))
}

fn over_limit() -> Reply {
    Reply::refused(
        429,
        "OVER_RATE_LIMIT",
        "You have exceeded your rate limit. Try again later or contact us at \
         https://api.congress.gov:443/contact/ for assistance",
    )
}

/// The answer of a fault that takes the place of the real one.
fn stand_in(hit: Hit, seed: u64, path: &str, number: u64) -> Option<Reply> {
    let reply = match hit.kind {
        Kind::ServerError | Kind::Filter => Reply::failed(500, "Internal Server Error"),
        Kind::BadGateway => Reply::failed(502, "Bad Gateway"),
        Kind::Unavailable => Reply::failed(503, "Service Unavailable"),
        Kind::GatewayTimeout => Reply::failed(504, "Gateway Timeout"),
        Kind::TooMany => over_limit(),
        Kind::Poison => {
            // An event breaks in one way, not in three.
            let ways = [
                "relation \"meeting_video\" does not exist",
                "Object of type datetime is not JSON serializable",
                "local variable 'location' referenced before assignment",
            ];
            let way = mix_text(seed, "poison-way", path) % 3;
            Reply::failed(500, ways.get(usize::try_from(way).unwrap_or(0)).copied()?)
        }
        Kind::BadRow => Reply::failed(500, "Object of type datetime is not JSON serializable"),
        Kind::OddHeaders if number.is_multiple_of(2) => Reply::failed(503, "Service Unavailable"),
        Kind::Missing => Reply::failed(404, "No CommitteeMeeting matches the given query."),
        _ => return None,
    };
    Some(Reply {
        retry_after: hit.retry_after,
        ..reply
    })
}

/// Alters what would have been answered, where the fault is one of content.
fn spoil(kind: Kind, reply: &mut Reply, shared: &Shared, number: u64) {
    if reply.status == 200
        && let Some(body) = spoilt(kind, &reply.body, &shared.elsewhere, number)
    {
        *reply = Reply::json(200, body);
    }
}

fn plain(reply: &mut Reply, wants_gzip: bool) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let zipped = if wants_gzip {
        reply.take_zipped()
    } else {
        None
    };
    let is_zipped = zipped.is_some();
    let body = zipped.unwrap_or_else(|| reply.body.clone());
    let mut response = bare(status, JSON, Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if is_zipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
