//! How many details a second the sandbox serves: it must never be what gets measured.
//!
//! `cargo bench --bench sandbox`

use std::time::{Duration, Instant};

use hearing_updater::sandbox::{Options, start};

const CLIENTS: usize = 16;
const SECONDS: u64 = 3;

/// Asks for details over one kept connection each, until the time is up. -> answers
async fn ask(client: reqwest::Client, urls: Vec<String>, first: usize, until: Instant) -> usize {
    let mut answers = 0;
    for url in urls.iter().cycle().skip(first) {
        if Instant::now() >= until {
            break;
        }
        let response = client.get(url).header("X-Api-Key", "bench").send().await;
        let response = response.and_then(reqwest::Response::error_for_status);
        let body = response.expect("an answer").bytes().await.expect("a body");
        assert!(!body.is_empty());
        answers += 1;
    }
    answers
}

async fn measure(gzip: bool, url: &str, paths: &[String]) -> f64 {
    let client = reqwest::Client::builder()
        .no_proxy()
        .gzip(gzip)
        .pool_max_idle_per_host(CLIENTS)
        .build()
        .expect("a client");
    let urls: Vec<String> = paths.iter().map(|path| format!("{url}{path}")).collect();
    let started = Instant::now();
    let until = started + Duration::from_secs(SECONDS);
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|at| tokio::spawn(ask(client.clone(), urls.clone(), at * 29, until)))
        .collect();
    let mut answers = 0;
    for task in tasks {
        answers += task.await.expect("a client that ran");
    }
    #[allow(clippy::cast_precision_loss)] // a few thousand
    let answers = answers as f64;
    answers / started.elapsed().as_secs_f64()
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = start(Options {
        meetings: 500,
        rate_limit: u64::MAX,
        ..Options::default()
    })
    .expect("a sandbox");
    let paths: Vec<String> = sandbox
        .event_ids()
        .iter()
        .filter_map(|id| {
            let meeting = sandbox.meeting(id)?;
            let chamber = meeting.get("chamber")?.as_str()?.to_ascii_lowercase();
            Some(format!("/committee-meeting/119/{chamber}/{id}"))
        })
        .collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (name, gzip) in [("plain", false), ("gzip", true)] {
        let rate = runtime.block_on(measure(gzip, sandbox.url(), &paths));
        println!("sandbox, {name}: {rate:.0} details a second ({CLIENTS} connections)");
    }
}
