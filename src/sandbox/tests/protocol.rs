//! Shapes, paging, filters, keys, limits.

use serde_json::json;

use super::*;
use crate::sandbox::KeyPlace;

#[tokio::test]
async fn a_list_row_tells_only_what_the_api_tells() {
    let running = sandbox(30);
    let (status, page) = Client::of(&running)
        .get("/committee-meeting/119/house")
        .await;
    assert_eq!(status, 200);
    let rows = page["committeeMeetings"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let fields: Vec<&str> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            fields,
            ["chamber", "congress", "eventId", "updateDate", "url"]
        );
        assert_eq!(row["chamber"], "House");
    }
    assert_eq!(
        page["request"],
        json!({"chamber": "house", "congress": "119", "contentType": "application/json", "format": "json"})
    );
}

#[tokio::test]
async fn pages_hold_twenty_unless_asked_and_at_most_250() {
    let running = sandbox(300);
    let client = Client::of(&running);
    let (_, page) = client.get("/committee-meeting/119").await;
    assert_eq!(page["committeeMeetings"].as_array().unwrap().len(), 20);
    assert_eq!(page["pagination"]["count"], 300);
    let (_, page) = client.get("/committee-meeting/119?limit=999").await;
    assert_eq!(page["committeeMeetings"].as_array().unwrap().len(), 250);
}

#[tokio::test]
async fn next_leads_through_every_meeting_once_and_ends() {
    let running = sandbox(110);
    let client = Client::of(&running);
    let mut next = Some(format!(
        "{}/committee-meeting/119?limit=40&fromDateTime=2000-01-01T00:00:00Z",
        running.url()
    ));
    let mut ids = Vec::new();
    let mut pages = 0;
    while let Some(url) = next {
        let path = url.strip_prefix(running.url()).unwrap().to_owned();
        assert!(path.contains("fromDateTime=2000"), "{path}");
        let (_, page) = client.get(&path).await;
        ids.extend(
            page["committeeMeetings"]
                .as_array()
                .unwrap()
                .iter()
                .map(id_of),
        );
        next = page["pagination"]["next"].as_str().map(str::to_owned);
        pages += 1;
    }
    assert_eq!(pages, 3);
    ids.sort();
    assert_eq!(ids, running.event_ids());
}

#[tokio::test]
async fn the_list_is_newest_first_and_filters_on_update_date() {
    let running = sandbox(200);
    let client = Client::of(&running);
    let seconds =
        |row: &Value| crate::sandbox::world::seconds(row["updateDate"].as_str().unwrap()).unwrap();
    let rows = client.all(250).await;
    assert!(
        rows.windows(2)
            .all(|pair| seconds(&pair[0]) >= seconds(&pair[1]))
    );
    let (from, to) = ("2025-10-01T00:00:00Z", "2025-10-06T00:00:00Z");
    let path = format!("/committee-meeting/119?limit=250&fromDateTime={from}&toDateTime={to}");
    let (_, page) = client.get(&path).await;
    let (from, to): (jiff::Timestamp, jiff::Timestamp) =
        (from.parse().unwrap(), to.parse().unwrap());
    let expected: Vec<String> = rows
        .iter()
        .filter(|row| (from.as_second()..=to.as_second()).contains(&seconds(row)))
        .map(id_of)
        .collect();
    assert!(
        expected.len() > 5 && expected.len() < 100,
        "{}",
        expected.len()
    );
    let got: Vec<String> = page["committeeMeetings"]
        .as_array()
        .unwrap()
        .iter()
        .map(id_of)
        .collect();
    assert_eq!(got, expected);
    assert_eq!(page["pagination"]["count"], expected.len());
    let (status, _) = client.get("/committee-meeting/119?fromDateTime=soon").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_detail_is_wrapped_and_repeats_the_request() {
    let running = sandbox(20);
    let client = Client::of(&running);
    for row in client.all(250).await {
        let (status, body) = client.get(&detail_path(&row)).await;
        assert_eq!(status, 200);
        assert_eq!(body["committeeMeeting"]["eventId"], row["eventId"]);
        assert_eq!(body["committeeMeeting"]["updateDate"], row["updateDate"]);
        assert_eq!(body["request"]["eventId"], id_of(&row));
        assert_eq!(
            running.meeting(&id_of(&row)),
            Some(body["committeeMeeting"].clone())
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let running = sandbox(20);
    let client = Client::of(&running);
    let row = client
        .all(250)
        .await
        .into_iter()
        .find(|row| row["chamber"] == "House")
        .unwrap();
    let id = id_of(&row);
    for path in [
        format!("/committee-meeting/119/senate/{id}"),
        format!("/committee-meeting/118/house/{id}"),
        format!("/committee-meeting/119/House/{id}"),
        "/committee-meeting/119/house/1".to_owned(),
        "/committee/house/hszz00".to_owned(),
        "/committee/senate/hsii00".to_owned(),
        "/hearing/119/house/99999".to_owned(),
        "/nonsense".to_owned(),
    ] {
        let (status, body) = client.get(&path).await;
        assert_eq!(status, 404, "{path}");
        assert!(body["error"].is_string(), "{path}: {body}");
    }
}

#[tokio::test]
async fn committees_are_served_with_their_parents_and_subcommittees() {
    let running = sandbox(1);
    let client = Client::of(&running);
    let (_, body) = client.get("/committee/house/hsii24").await;
    let item = &body["committee"];
    assert_eq!(item["systemCode"], "hsii24");
    assert_eq!(item["type"], "Subcommittee");
    assert_eq!(item["parent"]["systemCode"], "hsii00");
    assert_eq!(
        item["history"][0]["libraryOfCongressName"],
        "Indian and Insular Affairs"
    );
    let (status, body) = client.get("/committee/senate/jsec03").await;
    assert_eq!(
        (status, body["committee"]["parent"]["systemCode"].as_str()),
        (200, Some("jsec00"))
    );
    let (_, page) = client.get("/committee/119/house?limit=250").await;
    let rows = page["committees"].as_array().unwrap();
    assert_eq!(page["pagination"]["count"], rows.len());
    let parent = rows
        .iter()
        .find(|row| row["systemCode"] == "hsii00")
        .unwrap();
    assert!(
        parent["subcommittees"]
            .as_array()
            .unwrap()
            .iter()
            .any(|sub| sub["systemCode"] == "hsii24")
    );
    let sub = rows
        .iter()
        .find(|row| row["systemCode"] == "hsii24")
        .unwrap();
    assert_eq!(sub["parent"]["systemCode"], "hsii00");
}

#[tokio::test]
async fn a_transcript_is_found_by_its_jacket_number() {
    let running = sandbox(0);
    running
        .set_meeting(json!({
            "eventId": "7", "chamber": "House", "congress": 119, "title": "On printing",
            "date": "2025-02-11T15:00:00Z", "hearingTranscript": [{"jacketNumber": 4365}],
        }))
        .unwrap();
    let (status, body) = Client::of(&running).get("/hearing/119/house/04365").await;
    assert_eq!(status, 200);
    assert_eq!(body["hearing"]["jacketNumber"], 4365);
    assert_eq!(body["hearing"]["associatedMeeting"]["eventId"], "7");
    assert_eq!(body["hearing"]["dates"], json!([{"date": "2025-02-11"}]));
    assert_eq!(body["hearing"]["formats"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_key_is_checked_and_never_logged() {
    let running = start(Options {
        api_key: Some("the-key".into()),
        ..options(3)
    })
    .unwrap();
    let client = Client::of(&running);
    let url = format!("{}/committee-meeting/119", running.url());
    let ask = |url: String, key: Option<&'static str>| {
        let mut request = client.http.get(url);
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            (status, body["error"]["code"].as_str().map(str::to_owned))
        }
    };
    assert_eq!(
        ask(url.clone(), None).await,
        (403, Some("API_KEY_MISSING".into()))
    );
    assert_eq!(
        ask(url.clone(), Some("other")).await,
        (403, Some("API_KEY_INVALID".into()))
    );
    assert_eq!(
        ask(url.clone(), Some("INVALID_KEY")).await,
        (403, Some("API_KEY_INVALID".into()))
    );
    assert_eq!(ask(url.clone(), Some("the-key")).await, (200, None));
    assert_eq!(
        ask(format!("{url}?api_key=the-key&limit=5"), None).await,
        (200, None)
    );
    let log = running.requests();
    assert_eq!(
        log.iter().map(|served| served.status).collect::<Vec<_>>(),
        [403, 403, 403, 200, 200]
    );
    assert_eq!(log[0].key_in, None);
    assert_eq!(log[3].key_in, Some(KeyPlace::Header));
    assert_eq!(log[4].key_in, Some(KeyPlace::Query));
    assert_eq!(log[4].path, "/v3/committee-meeting/119?limit=5");
    assert!(!format!("{log:?}").contains("the-key"));
}

#[tokio::test]
async fn the_hourly_limit_counts_down_and_then_refuses() {
    let running = start(Options {
        rate_limit: 2,
        ..options(3)
    })
    .unwrap();
    let client = Client::of(&running);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let response = client
            .request("/committee-meeting/119")
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["x-ratelimit-limit"], "2");
        let remaining = response.headers()["x-ratelimit-remaining"]
            .to_str()
            .unwrap()
            .to_owned();
        seen.push((response.status().as_u16(), remaining));
    }
    assert_eq!(
        seen,
        [(200, "1".into()), (200, "0".into()), (429, "0".into())]
    );
    let (_, body) = client.get("/committee-meeting/119").await;
    assert_eq!(body["error"]["code"], "OVER_RATE_LIMIT");
    running.set_rate_limit(10);
    assert_eq!(client.get("/committee-meeting/119").await.0, 200);
}

#[tokio::test]
async fn gzip_is_sent_only_to_those_who_ask() {
    let running = sandbox(50);
    let client = Client::of(&running);
    let raw = Client {
        http: reqwest::Client::builder()
            .no_gzip()
            .no_proxy()
            .build()
            .unwrap(),
        ..client
    };
    let path = "/committee-meeting/119?limit=50";
    let plain = raw.request(path).send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    let plain = plain.text().await.unwrap();
    let zipped = raw
        .request(path)
        .header("Accept-Encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    assert!(zipped.content_length().unwrap() < plain.len() as u64 / 2);
}

#[tokio::test]
async fn requests_in_flight_are_counted() {
    let running = start(Options {
        latency: Duration::from_millis(50),
        ..options(3)
    })
    .unwrap();
    let client = Client::of(&running);
    futures::future::join_all((0..4).map(|_| client.get("/committee-meeting/119"))).await;
    assert_eq!(running.max_in_flight(), 4);
    assert_eq!(running.request_count(), 4);
    running.clear_requests();
    assert_eq!(
        (
            running.requests().len(),
            running.request_count(),
            running.max_in_flight()
        ),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn a_stopped_sandbox_answers_no_more() {
    let running = sandbox(3);
    let client = Client::of(&running);
    assert_eq!(client.get("/committee-meeting/119").await.0, 200);
    running.stop();
    assert!(
        client
            .request("/committee-meeting/119")
            .send()
            .await
            .is_err()
    );
}

#[test]
fn a_port_in_use_is_said_plainly() {
    let first = sandbox(1);
    let Err(error) = start(Options {
        port: first.port(),
        ..options(1)
    }) else {
        panic!("two sandboxes on one port")
    };
    assert!(
        error
            .to_string()
            .contains(&format!("127.0.0.1:{}", first.port())),
        "{error}"
    );
}
