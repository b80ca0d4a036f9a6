//! Answers that are odd in their bytes, their content or their headers.

use std::collections::HashSet;

use super::*;
use crate::sandbox::{Kind, Shares};

const LIST: &str = "/committee-meeting/119?limit=20";

struct Odd {
    status: u16,
    headers: axum::http::HeaderMap,
    body: axum::body::Bytes,
}

impl Odd {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// The answer with the fault, as it comes (packed or not), and the one without.
async fn faulty(kind: Kind, path: impl Fn(&[Value]) -> String) -> (Odd, Value) {
    let running = sandbox(50);
    let client = Client::of(&running);
    let rows = client.all(250).await;
    let path = path(&rows);
    let (_, good) = client.get(&path).await;
    running.fail_next(kind, 1, None, None);
    let plain = reqwest::Client::builder()
        .no_proxy()
        .gzip(false)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let response = plain
        .get(format!("{}{path}", client.base))
        .header("X-Api-Key", "test")
        .send()
        .await
        .unwrap();
    assert_eq!(running.requests().last().unwrap().fault, Some(kind.name()));
    let odd = Odd {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await.unwrap(),
    };
    (odd, good)
}

fn detail(rows: &[Value]) -> String {
    detail_path(&rows[3])
}

fn list(_: &[Value]) -> String {
    LIST.to_owned()
}

#[tokio::test]
async fn a_bomb_is_small_on_the_way() {
    let (response, _) = faulty(Kind::GzipBomb, list).await;
    assert_eq!(response.header("content-encoding"), "gzip");
    let size = response.body.len();
    assert!((1_000_000..20_000_000).contains(&size), "{size}");
    // Its beginning unpacks, and to much more.
    let mut start = flate2::read::GzDecoder::new(&response.body[..size / 64]);
    let mut unpacked = vec![0; 20 * 1024 * 1024];
    std::io::Read::read_exact(&mut start, &mut unpacked).unwrap();
    assert!(unpacked.iter().all(|byte| *byte == b' '));
}

#[tokio::test]
async fn bytes_that_are_no_json_are_no_json() {
    for kind in [Kind::Deep, Kind::BadUtf8] {
        for path in [list, detail] {
            let (response, _) = faulty(kind, path).await;
            assert_eq!(response.status, 200);
            assert!(serde_json::from_slice::<Value>(&response.body).is_err());
            assert_eq!(
                std::str::from_utf8(&response.body).is_err(),
                kind == Kind::BadUtf8
            );
        }
    }
}

#[tokio::test]
async fn a_wrong_content_type_carries_the_right_answer() {
    let (response, good) = faulty(Kind::ContentType, detail).await;
    assert_ne!(response.header("content-type"), "application/json");
    assert_eq!(response.json(), good);
}

#[tokio::test]
async fn duplicates_say_nothing_new() {
    let (response, good) = faulty(Kind::Duplicates, list).await;
    let page: Value = response.json();
    let ids = |page: &Value| -> Vec<String> {
        page["committeeMeetings"]
            .as_array()
            .unwrap()
            .iter()
            .map(id_of)
            .collect()
    };
    assert_eq!(ids(&page).len(), 2 * ids(&good).len());
    assert_eq!(
        HashSet::<String>::from_iter(ids(&page)),
        HashSet::from_iter(ids(&good))
    );
    // Of a key that stands twice the last one holds.
    let (response, good) = faulty(Kind::Duplicates, detail).await;
    let text = std::str::from_utf8(&response.body).unwrap();
    assert!(text.matches("\"eventId\"").count() > good.to_string().matches("\"eventId\"").count());
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), good);
}

#[tokio::test]
async fn nul_huge_and_wrong_details_are_still_about_their_event() {
    let of = |answer: &Value| answer["committeeMeeting"].clone();
    let (response, good) = faulty(Kind::Nul, detail).await;
    let nul = of(&response.json());
    assert_eq!(
        nul["title"].as_str().unwrap().replace('\0', ""),
        of(&good)["title"]
    );
    assert!(nul["title"].as_str().unwrap().contains('\0'));
    let (response, good) = faulty(Kind::HugeTitle, detail).await;
    let huge = of(&response.json());
    assert!(huge["title"].as_str().unwrap().len() > 10 * 1024 * 1024);
    assert_eq!(huge["eventId"], of(&good)["eventId"]);
    let (response, good) = faulty(Kind::WrongTypes, detail).await;
    let wrong = of(&response.json());
    assert_ne!(wrong, of(&good));
    assert_eq!(wrong["eventId"], of(&good)["eventId"]);
    let (response, good) = faulty(Kind::WrongTypes, list).await;
    let page: Value = response.json();
    assert!(page["committeeMeetings"][0]["chamber"].is_array());
    assert_eq!(
        id_of(&page["committeeMeetings"][0]),
        id_of(&good["committeeMeetings"][0])
    );
}

#[tokio::test]
async fn a_loop_leads_back_and_a_foreign_next_leads_away() {
    let (response, _) = faulty(Kind::RedirectLoop, list).await;
    assert_eq!(response.status, 302);
    let location = response.header("location");
    assert!(
        location.starts_with("http://127.0.0.1:") && location.ends_with(LIST),
        "{location}"
    );
    let (response, good) = faulty(Kind::ForeignNext, list).await;
    let page: Value = response.json();
    let next = page["pagination"]["next"].as_str().unwrap();
    assert!(next.starts_with("http://localhost:"), "{next}");
    assert_eq!(page["committeeMeetings"], good["committeeMeetings"]);
}

#[tokio::test]
async fn odd_headers_come_with_good_answers_and_with_refusals() {
    let running = start(Options {
        faults: Shares::parse(&["odd-headers=1"]).unwrap(),
        ..options(3)
    })
    .unwrap();
    let client = Client::of(&running);
    let (mut dates, mut waits) = (HashSet::new(), HashSet::new());
    for number in 1..=24 {
        let response = client.request(LIST).send().await.unwrap();
        let expected = if number % 2 == 0 { 503 } else { 200 };
        assert_eq!(response.status().as_u16(), expected);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        dates.insert(header("date"));
        waits.insert(header("retry-after"));
    }
    assert_eq!((dates.len(), waits.len()), (4, 6));
}

#[tokio::test]
async fn a_share_hits_only_what_the_fault_fits() {
    let running = start(Options {
        faults: Shares::parse(&["huge-title=1", "foreign-next=1"]).unwrap(),
        ..options(3)
    })
    .unwrap();
    let client = Client::of(&running);
    let rows = client.all(250).await;
    client.get(&detail_path(&rows[0])).await;
    client.get("/committee/house").await;
    let met: Vec<_> = running.requests().iter().map(|r| r.fault).collect();
    assert_eq!(met, [Some("foreign-next"), Some("huge-title"), None]);
}
