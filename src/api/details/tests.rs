use std::cell::Cell;
use std::collections::HashMap;

use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::api::fake::Fake;

fn wanted(id: &str, chamber: Option<Chamber>) -> Wanted {
    Wanted {
        event_id: id.to_owned(),
        congress: 119,
        chamber,
        update_date: None,
        url: None,
    }
}

fn many(count: usize) -> Vec<Wanted> {
    (0..count)
        .map(|i| wanted(&i.to_string(), Some(Chamber::House)))
        .collect()
}

/// The meeting that an endpoint names.
#[allow(clippy::unnecessary_wraps)] // as the API answers
fn meeting(endpoint: &str) -> Result<Value, ApiError> {
    let id = endpoint.rsplit('/').next().unwrap();
    Ok(
        json!({"committeeMeeting": {"eventId": id, "title": "T", "updateDate": "2025-09-09T18:00:00Z"}}),
    )
}

fn open() -> Result<Value, ApiError> {
    Err(ApiError::CircuitOpen {
        failures: 5,
        wait_seconds: 60.0,
    })
}

async fn fetch<G: Get>(
    api: &G,
    wanted: Vec<Wanted>,
) -> (
    Result<(), ApiError>,
    HashMap<String, Result<Value, ApiError>>,
) {
    let mut got = HashMap::new();
    let mut sink = |wanted: Wanted, result| {
        assert!(
            got.insert(wanted.event_id, result).is_none(),
            "handed over twice"
        );
    };
    let end = fetch_details(api, &mut wanted.into(), &Kept::default, &mut sink).await;
    (end, got)
}

#[tokio::test]
async fn every_meeting_comes_with_as_many_in_flight_as_allowed() {
    let api = Fake::new(|endpoint, _| meeting(endpoint));
    let (end, got) = fetch(&api, many(100)).await;
    end.unwrap();
    assert_eq!(got.len(), 100);
    assert_eq!(got["42"].as_ref().unwrap()["title"], "T");
    assert_eq!(api.most_in_flight.get(), 16);
}

#[tokio::test]
async fn an_unknown_chamber_is_looked_for() {
    let api = Fake::new(|endpoint, _| {
        if endpoint.contains("/nochamber/") {
            meeting(endpoint)
        } else {
            Err(ApiError::NotFound {
                endpoint: endpoint.to_owned(),
            })
        }
    });
    let (_, got) = fetch(&api, vec![wanted("7", None)]).await;
    assert!(got["7"].is_ok());
    assert_eq!(
        api.asked(),
        ["house", "senate", "nochamber"].map(|c| format!("committee-meeting/119/{c}/7"))
    );
    let (_, got) = fetch(&api, vec![wanted("8", Some(Chamber::Senate))]).await;
    assert!(matches!(got["8"], Err(ApiError::NotFound { .. })));
    let (_, got) = fetch(&api, vec![wanted("9", Some(Chamber::Joint))]).await;
    assert!(got["9"].is_ok());
}

#[tokio::test]
async fn one_broken_event_does_not_stop_the_others() {
    let api = Fake::new(|endpoint, _| {
        if endpoint.ends_with("/3") {
            let (endpoint, detail) = (endpoint.to_owned(), String::new());
            return Err(ApiError::Status {
                endpoint,
                status: 500,
                detail,
            });
        }
        meeting(endpoint)
    });
    let (end, got) = fetch(&api, many(40)).await;
    end.unwrap();
    assert_eq!(got.values().filter(|r| r.is_ok()).count(), 39);
    assert!(matches!(
        got["3"],
        Err(ApiError::Status { status: 500, .. })
    ));
}

#[tokio::test]
async fn an_answer_about_something_else_is_nonsense() {
    for answer in [
        json!([]),
        json!({"committeeMeeting": []}),
        json!({"committeeMeeting": {"title": "no id"}}),
        json!({"committeeMeeting": {"eventId": "8"}}),
        json!({"error": "x"}),
    ] {
        let api = Fake::new(|_, _| Ok(answer.clone()));
        let (_, got) = fetch(&api, vec![wanted("7", Some(Chamber::House))]).await;
        assert!(
            matches!(got["7"], Err(ApiError::Nonsense { .. })),
            "{answer}"
        );
    }
    let api = Fake::new(|_, _| Ok(json!({"committeeMeeting": {"eventId": 7}})));
    let (_, got) = fetch(&api, vec![wanted("7", Some(Chamber::House))]).await;
    assert!(got["7"].is_ok());
}

#[tokio::test]
async fn an_event_id_is_one_segment_of_the_path() {
    let api = Fake::new(|_, _| Ok(json!({"committeeMeeting": {"eventId": "a/../'b"}})));
    let (_, got) = fetch(&api, vec![wanted("a/../'b", Some(Chamber::House))]).await;
    assert!(got["a/../'b"].is_ok());
    assert_eq!(api.asked(), ["committee-meeting/119/house/a%2F..%2F%27b"]);
}

#[tokio::test]
async fn the_newer_update_date_of_list_and_detail_holds() {
    for (listed, expected) in [
        ("2025-09-10T00:00:00Z", "2025-09-10T00:00:00Z"),
        ("2025-09-01T00:00:00Z", "2025-09-09T18:00:00Z"),
    ] {
        let api = Fake::new(|endpoint, _| meeting(endpoint));
        let update_date = parse_datetime(listed);
        let one = Wanted {
            update_date,
            ..wanted("7", Some(Chamber::House))
        };
        let (_, got) = fetch(&api, vec![one]).await;
        assert_eq!(got["7"].as_ref().unwrap()["updateDate"], expected);
    }
}

#[tokio::test]
async fn the_lists_address_comes_along_where_the_detail_tells_none() {
    let api = Fake::new(|endpoint, _| meeting(endpoint));
    let one = Wanted {
        url: Some("https://api.test/7".to_owned()),
        ..wanted("7", Some(Chamber::House))
    };
    let (_, got) = fetch(&api, vec![one]).await;
    assert_eq!(got["7"].as_ref().unwrap()["url"], "https://api.test/7");
    // One that was set aside is on no list any more.
    let (_, got) = fetch(&api, vec![wanted("7", None)]).await;
    assert_eq!(
        got["7"].as_ref().unwrap()["url"],
        "https://api.congress.gov/v3/committee-meeting/119/house/7?format=json"
    );
}

#[tokio::test]
async fn a_refused_key_ends_it() {
    let api = Fake::new(|_, _| {
        Err(ApiError::Key {
            code: "API_KEY_INVALID".to_owned(),
        })
    });
    let (end, got) = fetch(&api, many(100)).await;
    assert!(matches!(end, Err(ApiError::Key { .. })));
    assert!(got.is_empty() && api.asked().len() <= 16);
}

#[tokio::test]
async fn a_used_up_limit_defers_the_rest_unasked() {
    let api = Fake::new(|endpoint, _| {
        if endpoint.ends_with("/5") {
            return Err(ApiError::RateLimited { minutes: 12 });
        }
        meeting(endpoint)
    });
    let (end, got) = fetch(&api, many(100)).await;
    end.unwrap();
    assert_eq!(got.len(), 100);
    assert!(api.asked().len() < 30);
    assert!(matches!(
        got["99"],
        Err(ApiError::RateLimited { minutes: 12 })
    ));
    assert!(got["0"].is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_waited_out_once_and_nothing_is_lost() {
    let started = Instant::now();
    let api = Fake::new(|endpoint, _| {
        let number: usize = endpoint.rsplit('/').next().unwrap().parse().unwrap();
        if number >= 20 && started.elapsed().as_secs() < 60 {
            open()
        } else {
            meeting(endpoint)
        }
    });
    api.may_wait.set(true);
    let (end, got) = fetch(&api, many(100)).await;
    end.unwrap();
    assert_eq!(got.values().filter(|r| r.is_ok()).count(), 100);
    assert_eq!(started.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_again_ends_it() {
    let started = Instant::now();
    let api = Fake::new(|_, _| open());
    api.may_wait.set(true);
    let (end, got) = fetch(&api, many(100)).await;
    assert!(matches!(end, Err(ApiError::CircuitOpen { .. })));
    assert!(got.is_empty());
    assert_eq!(started.elapsed().as_secs(), 60);
    let again = Cell::new(0);
    let api = Fake::new(|_, _| {
        again.set(again.get() + 1);
        open()
    });
    assert!(fetch(&api, many(1)).await.0.is_err());
    assert_eq!(again.get(), 1, "no wait is left in this run");
}

#[tokio::test]
async fn requests_that_what_came_calls_for_are_kept_back() {
    let api = Fake::new(|endpoint, _| meeting(endpoint));
    api.allow(29);
    let mut queue = many(40).into();
    let came = Cell::new(0);
    let mut sink = |_, result: Result<Value, ApiError>| {
        result.unwrap();
        came.set(came.get() + 1);
    };
    // Each calls for two more.
    let kept = || Kept {
        requests: 2 * came.get(),
        bytes: 0,
    };
    fetch_details(&api, &mut queue, &kept, &mut sink)
        .await
        .unwrap();
    let left = api.left().unwrap() as usize;
    assert_eq!(queue.len(), 40 - came.get());
    assert_eq!(left, 29 - came.get());
    // As many as may be; the last ones were under way when the first came.
    assert!((8..=10).contains(&came.get()), "{}", came.get());
    let asked = api.asked().len();
    // Once they are had, it goes on, and a lone one is always asked for.
    api.allow(1);
    fetch_details(&api, &mut queue, &Kept::default, &mut sink)
        .await
        .unwrap();
    assert!(api.asked().len() > asked);
}

#[tokio::test]
async fn a_meeting_beyond_all_bounds_is_refused_alone() {
    let api = Fake::new(|endpoint, _| {
        let mut answer = meeting(endpoint)?;
        let inner = &mut answer["committeeMeeting"];
        match endpoint.rsplit('/').next() {
            Some("1") => inner["title"] = json!("x".repeat(LARGEST)),
            Some("2") => inner["odd"] = json!(vec![0; 20_000]),
            // As large as a markup can get.
            _ => {
                let (kind, url) = ("Bills and Resolutions", "https://docs.house.gov/".repeat(5));
                let document = json!({"name": "Amendment", "documentType": kind, "format": "PDF",
                                      "description": kind.repeat(3), "url": url});
                inner["meetingDocuments"] = json!(vec![document; 1500]);
            }
        }
        Ok(answer)
    });
    let (end, got) = fetch(&api, many(4)).await;
    end.unwrap();
    for large in ["1", "2"] {
        assert!(matches!(
            got[large],
            Err(ApiError::TooLarge { limit_mib: 2, .. })
        ));
    }
    assert!(got["0"].is_ok() && got["3"].is_ok());
}

#[tokio::test]
async fn no_more_is_asked_for_once_enough_is_held() {
    let api = Fake::new(|endpoint, _| {
        let mut answer = meeting(endpoint)?;
        answer["committeeMeeting"]["title"] = json!("x".repeat(2 * MIB - 4096));
        Ok(answer)
    });
    let held = Cell::new(0);
    let kept = || Kept {
        requests: 0,
        bytes: held.get(),
    };
    let (mut came, mut left) = (0, 0);
    let mut sink = |_: Wanted, result: Result<Value, ApiError>| match result {
        Ok(value) => {
            came += 1;
            held.set(held.get() + weight(&value));
        }
        Err(ApiError::Full { held_mib: 64 }) => left += 1,
        Err(error) => panic!("{error}"),
    };
    let mut queue = many(100).into();
    fetch_details(&api, &mut queue, &kept, &mut sink)
        .await
        .unwrap();
    // Those under way are taken in.
    assert!((33..=33 + 16).contains(&came), "{came}");
    assert_eq!((came + left, api.asked().len()), (100, came));
}
