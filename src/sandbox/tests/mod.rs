//! The sandbox as its clients meet it: over HTTP.

mod content;
mod faults;
mod from_db;
mod odd;
mod protocol;
mod replay;

use std::time::Duration;

use serde_json::Value;

use super::{Options, Running, start};

/// A fixed time, so that nothing hangs on the clock.
const NOW: &str = "2025-10-13T12:00:00Z";

fn options(meetings: usize) -> Options {
    Options {
        meetings,
        now: NOW.parse().ok(),
        ..Options::default()
    }
}

fn sandbox(meetings: usize) -> Running {
    start(options(meetings)).unwrap()
}

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    fn of(running: &Running) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self {
            http,
            base: running.url().to_owned(),
        }
    }

    fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.http
            .get(format!("{}{path}", self.base))
            .header("X-Api-Key", "test")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.request(path).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// The pages of the whole list.
    async fn all(&self, limit: usize) -> Vec<Value> {
        let mut rows = Vec::new();
        loop {
            let path = format!("/committee-meeting/119?limit={limit}&offset={}", rows.len());
            let (status, page) = self.get(&path).await;
            assert_eq!(status, 200, "{page}");
            let more = page["committeeMeetings"].as_array().unwrap();
            rows.extend(more.iter().cloned());
            if page["pagination"]["next"].is_null() {
                return rows;
            }
        }
    }
}

/// Where the detail of a list row is.
fn detail_path(row: &Value) -> String {
    let url = row["url"].as_str().unwrap();
    url.strip_prefix("https://api.congress.gov/v3")
        .unwrap()
        .to_owned()
}

fn id_of(row: &Value) -> String {
    row["eventId"]
        .as_str()
        .map_or_else(|| row["eventId"].to_string(), str::to_owned)
}
