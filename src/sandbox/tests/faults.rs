//! Each fault, ordered and by share.

use super::*;
use crate::sandbox::{Kind, Shares};

fn shares(pieces: &[&str]) -> Shares {
    Shares::parse(pieces).unwrap()
}

const LIST: &str = "/committee-meeting/119?limit=250";

#[test]
fn an_unknown_kind_is_answered_with_the_known_ones() {
    let error = Shares::parse(&["flood=0.1"]).unwrap_err().to_string();
    assert!(
        error.contains("'flood'") && error.contains("bad-row"),
        "{error}"
    );
    for bad in ["500", "500=x", "500=1.5", "500=-1", "500=NaN"] {
        let error = Shares::parse(&[bad]).unwrap_err().to_string();
        assert!(error.contains("KIND=SHARE"), "{bad}: {error}");
    }
    assert!(
        Kind::ALL
            .iter()
            .all(|kind| Kind::parse(kind.name()).unwrap() == *kind)
    );
}

#[tokio::test]
async fn statuses_are_answered_as_ordered_and_then_no_more() {
    let running = sandbox(5);
    let client = Client::of(&running);
    for (kind, status) in [
        (Kind::ServerError, 500),
        (Kind::BadGateway, 502),
        (Kind::Unavailable, 503),
        (Kind::GatewayTimeout, 504),
        (Kind::TooMany, 429),
    ] {
        running.fail_next(kind, 2, None, None);
        assert_eq!(client.get(LIST).await.0, status);
        assert_eq!(client.get(LIST).await.0, status);
        assert_eq!(client.get(LIST).await.0, 200);
        assert_eq!(
            running
                .requests()
                .iter()
                .filter(|r| r.fault == Some(kind.name()))
                .count(),
            2
        );
    }
    running.fail_next(Kind::TooMany, 1, None, Some(7));
    let response = client.request(LIST).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "7");
}

#[tokio::test]
async fn an_order_for_a_path_waits_for_that_path() {
    let running = sandbox(5);
    let client = Client::of(&running);
    let row = client.all(250).await.remove(2);
    running.fail_next(Kind::ServerError, 1, Some(id_of(&row)), None);
    assert_eq!(client.get(LIST).await.0, 200);
    assert_eq!(client.get(&detail_path(&row)).await.0, 500);
    assert_eq!(client.get(&detail_path(&row)).await.0, 200);
}

#[tokio::test]
async fn reset_cuts_the_connection_without_an_answer() {
    let running = sandbox(5);
    let client = Client::of(&running);
    running.fail_next(Kind::Reset, 1, None, None);
    let error = client.request(LIST).send().await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    let text = format!("{error:?}");
    assert!(
        text.contains("ConnectionReset") || text.contains("reset"),
        "{text}"
    );
    assert_eq!(running.requests()[0].status, 0);
    assert_eq!(client.get(LIST).await.0, 200);
}

#[tokio::test]
async fn truncated_sends_less_than_it_promised() {
    let running = sandbox(50);
    let client = Client::of(&running);
    running.fail_next(Kind::Truncated, 1, None, None);
    let mut response = client.request(LIST).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let promised = response.content_length().unwrap();
    let mut got = 0;
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => got += chunk.len() as u64,
            Ok(None) => panic!("the body came whole"),
            Err(error) => break error,
        }
    };
    assert!(error.is_decode() || error.is_body(), "{error:?}");
    assert_eq!(got, promised / 2);
}

#[tokio::test]
async fn html_oversize_and_drip_come_with_status_200() {
    let running = sandbox(1);
    let client = Client::of(&running);
    running.fail_next(Kind::Html, 1, None, None);
    let (status, body) = client.get(LIST).await;
    assert_eq!(status, 200);
    assert!(body.as_str().unwrap().starts_with("<!DOCTYPE html>"));

    running.fail_next(Kind::Oversize, 1, None, None);
    let response = client.request(LIST).send().await.unwrap();
    assert_eq!(response.content_length(), None);
    assert!(response.bytes().await.unwrap().len() > 16 * 1024 * 1024);

    running.fail_next(Kind::Drip, 1, None, None);
    let mut response = client.request(LIST).send().await.unwrap();
    let mut pieces = 0;
    while response.chunk().await.unwrap().is_some() {
        pieces += 1;
    }
    assert!(pieces > 2, "{pieces}");
}

#[tokio::test]
async fn slow_answers_come_late() {
    let running = start(Options {
        slow: Duration::from_millis(300),
        ..options(1)
    })
    .unwrap();
    let client = Client::of(&running);
    running.fail_next(Kind::Slow, 1, None, None);
    let error = client
        .request(LIST)
        .timeout(Duration::from_millis(50))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    running.fail_next(Kind::Slow, 1, None, None);
    assert_eq!(client.get(LIST).await.0, 200);
}

#[tokio::test]
async fn redirect_leads_to_the_same_server_under_another_name() {
    let running = start(Options {
        faults: shares(&["redirect=1"]),
        ..options(1)
    })
    .unwrap();
    let client = Client::of(&running);
    let response = client.request(LIST).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 302);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        location.starts_with(&format!("http://localhost:{}/v3/", running.port())),
        "{location}"
    );
    // Whoever follows shows up in the log, with the host that was named.
    let url = location.replace("localhost", "127.0.0.1");
    let host = format!("localhost:{}", running.port());
    let followed = client
        .http
        .get(url)
        .header("Host", &host)
        .send()
        .await
        .unwrap();
    assert_eq!(followed.status().as_u16(), 403);
    let log = running.requests();
    assert_eq!((log[1].host.as_str(), log[1].key_in), (host.as_str(), None));
}

#[tokio::test]
async fn a_poisoned_event_fails_always_and_the_others_never() {
    let running = start(Options {
        faults: shares(&["poison=0.2"]),
        ..options(100)
    })
    .unwrap();
    let client = Client::of(&running);
    let mut poisoned = 0;
    for row in client.all(250).await {
        let first = client.get(&detail_path(&row)).await;
        let second = client.get(&detail_path(&row)).await;
        assert_eq!(first, second);
        poisoned += usize::from(first.0 == 500);
    }
    assert!((8..=35).contains(&poisoned), "{poisoned}");
}

#[tokio::test]
async fn a_listed_event_can_be_missing() {
    let running = start(Options {
        faults: shares(&["404=1"]),
        ..options(3)
    })
    .unwrap();
    let client = Client::of(&running);
    for row in client.all(250).await {
        assert_eq!(client.get(&detail_path(&row)).await.0, 404);
    }
}

#[tokio::test]
async fn a_bad_row_fails_its_page_until_it_is_alone() {
    let running = start(Options {
        faults: shares(&["bad-row=0.03"]),
        ..options(100)
    })
    .unwrap();
    let client = Client::of(&running);
    assert_eq!(client.get(LIST).await.0, 500);
    let mut bad = 0;
    for offset in 0..100 {
        let (status, _) = client
            .get(&format!("/committee-meeting/119?limit=1&offset={offset}"))
            .await;
        assert!(status == 200 || status == 500);
        bad += usize::from(status == 500);
    }
    assert!((1..=9).contains(&bad), "{bad}");
    assert_eq!(running.requests()[0].fault, Some("bad-row"));
}

#[tokio::test]
async fn the_filter_fault_spares_the_unfiltered_list() {
    let running = start(Options {
        faults: shares(&["filter=1"]),
        ..options(3)
    })
    .unwrap();
    let client = Client::of(&running);
    assert_eq!(
        client
            .get(&format!("{LIST}&fromDateTime=2025-10-01T00:00:00Z"))
            .await
            .0,
        500
    );
    assert_eq!(client.get(LIST).await.0, 200);
}

#[tokio::test]
async fn which_requests_a_share_hits_hangs_on_the_seed() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let faults = shares(&["500=0.2", "429=0.2"]);
        let running = start(Options {
            seed,
            faults,
            ..options(1)
        })
        .unwrap();
        let client = Client::of(&running);
        let mut statuses = Vec::new();
        for _ in 0..200 {
            statuses.push(client.get(LIST).await.0);
        }
        for status in [500, 429] {
            let hits = statuses.iter().filter(|got| **got == status).count();
            assert!((20..=60).contains(&hits), "{status}: {hits}");
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn faults_can_be_set_and_orders_forgotten_while_it_runs() {
    let running = sandbox(1);
    let client = Client::of(&running);
    running.set_faults(shares(&["503=1"]));
    assert_eq!(client.get(LIST).await.0, 503);
    running.set_faults(Shares::default());
    running.fail_next(Kind::ServerError, 5, None, None);
    running.forget_orders();
    assert_eq!(client.get(LIST).await.0, 200);
}
