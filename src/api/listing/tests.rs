use std::cell::RefCell;

use serde_json::{Value, json};

use super::*;
use crate::api::fake::{Fake, number};
use crate::domain::parse_datetime;

const DAY: &str = "2025-09-09T18:00:00Z";

fn row(id: usize, updated: &str) -> Value {
    json!({"eventId": id.to_string(), "updateDate": updated, "congress": 119, "chamber": "House"})
}

fn rows(count: usize) -> Vec<Value> {
    (0..count).map(|id| row(id, DAY)).collect()
}

fn broken() -> Result<Value, ApiError> {
    let (endpoint, detail) = ("committee-meeting/119".to_owned(), String::new());
    Err(ApiError::Status {
        endpoint,
        status: 500,
        detail,
    })
}

fn window(params: &[(String, String)]) -> (usize, usize) {
    (
        number(params, "offset").unwrap(),
        number(params, "limit").unwrap(),
    )
}

fn page(rows: &[Value], params: &[(String, String)]) -> Value {
    let (offset, limit) = window(params);
    let end = (offset + limit).min(rows.len());
    let part = rows.get(offset..end).unwrap_or_default();
    let mut pagination = json!({"count": rows.len()});
    if end < rows.len() {
        pagination["next"] = json!("https://elsewhere.example/never-asked");
    }
    json!({"committeeMeetings": part, "pagination": pagination})
}

async fn list<G: Get>(api: &G, from: Option<&str>) -> Result<Listing, ApiError> {
    let from = from.map(|text| parse_datetime(text).unwrap());
    list_meetings(
        api,
        &ListQuery {
            congress: 119,
            from,
        },
        &mut |_, _| (),
    )
    .await
}

fn ids(listing: &Listing) -> Vec<usize> {
    let mut ids: Vec<usize> = listing
        .items
        .iter()
        .map(|i| i.event_id.parse().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn pages_are_read_to_the_end_with_the_window_as_filter() {
    let all = rows(1100);
    let asked = RefCell::new(Vec::new());
    let api = Fake::new(|_, params| {
        asked.borrow_mut().push(params.to_vec());
        Ok(page(&all, params))
    });
    let mut steps = Vec::new();
    let query = ListQuery {
        congress: 119,
        from: parse_datetime(DAY),
    };
    let listing = list_meetings(&api, &query, &mut |n, of| steps.push((n, of)))
        .await
        .unwrap();
    assert_eq!(ids(&listing), (0..1100).collect::<Vec<_>>());
    assert!(listing.problems.is_empty());
    assert_eq!(api.asked(), ["committee-meeting/119"; 5]);
    let own = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    let expected = [
        own("limit", "250"),
        own("offset", "250"),
        own("fromDateTime", DAY),
    ];
    assert_eq!(asked.borrow()[1], expected);
    assert_eq!(steps.last(), Some(&(1100, Some(1100))));
    assert_eq!((steps.len(), api.most_in_flight.get()), (5, 4));
}

#[tokio::test]
async fn an_empty_list_is_fine() {
    let api = Fake::new(|_, params| Ok(page(&[], params)));
    let listing = list(&api, Some(DAY)).await.unwrap();
    assert!(listing.items.is_empty() && listing.problems.is_empty());
    assert_eq!(api.asked().len(), 1);
}

#[tokio::test]
async fn each_event_comes_once_with_its_newest_date() {
    // Between two pages, event 3 changed and moved to the end: row 250 slipped to the page before.
    let first = rows(600);
    let mut later = first.clone();
    later.remove(3);
    later.push(row(3, "2025-09-10T08:00:00Z"));
    let asked = Cell::new(0);
    let api = Fake::new(|_, params| {
        asked.set(asked.get() + 1);
        Ok(page(if asked.get() == 1 { &first } else { &later }, params))
    });
    let listing = list(&api, None).await.unwrap();
    assert_eq!(ids(&listing), (0..600).collect::<Vec<_>>());
    let moved = listing.items.iter().find(|i| i.event_id == "3").unwrap();
    assert_eq!(moved.update_date, parse_datetime("2025-09-10T08:00:00Z"));
    assert_eq!(asked.get(), 6, "read again, once");
}

#[tokio::test]
async fn a_meeting_of_another_congress_is_skipped() {
    let mut all = rows(3);
    all[1]["congress"] = json!(118);
    let api = Fake::new(|_, params| Ok(page(&all, params)));
    assert_eq!(ids(&list(&api, None).await.unwrap()), [0, 2]);
}

#[tokio::test]
async fn a_bad_row_is_found_by_halving_stepped_over_and_reported() {
    let all = rows(2100);
    for bad in [
        vec![1750],
        vec![0],
        vec![250, 251],
        vec![2099],
        vec![7, 300, 999],
    ] {
        let api = Fake::new(|_, params| {
            let (offset, limit) = window(params);
            if bad.iter().any(|b| (offset..offset + limit).contains(b)) {
                return broken();
            }
            Ok(page(&all, params))
        });
        let listing = list(&api, Some(DAY)).await.unwrap();
        let expected: Vec<usize> = (0..2100).filter(|i| !bad.contains(i)).collect();
        assert_eq!(ids(&listing), expected, "{bad:?}");
        assert_eq!(listing.problems.len(), bad.len(), "{:?}", listing.problems);
        for b in &bad {
            let named = listing
                .problems
                .iter()
                .any(|p| p.contains(&format!("offset {b} ")));
            assert!(named, "{:?}", listing.problems);
        }
        assert!(
            api.asked().len() <= 9 + 18 * bad.len(),
            "{}",
            api.asked().len()
        );
    }
}

#[tokio::test]
async fn a_list_of_which_half_cannot_be_had_is_read_all_the_same() {
    // Every second row, whole stretches, the first two: the filter is not to blame.
    let every_second: Vec<usize> = (0..500).filter(|at| at % 2 == 0).collect();
    let stretches: Vec<usize> = (0..500).filter(|at| at % 20 < 10).collect();
    let first: Vec<usize> = vec![0, 1, 2, 3];
    for bad in [every_second, stretches, first] {
        for garbled in [false, true] {
            let all = rows(500);
            let api = Fake::new(|_, params| {
                let (offset, limit) = window(params);
                match bad.iter().any(|b| (offset..offset + limit).contains(b)) {
                    true if garbled => Err(ApiError::Garbled {
                        endpoint: String::new(),
                        detail: "no JSON".to_owned(),
                    }),
                    true => broken(),
                    false => Ok(page(&all, params)),
                }
            });
            let listing = list(&api, Some(DAY)).await.unwrap();
            let expected: Vec<usize> = (0..500).filter(|i| !bad.contains(i)).collect();
            assert_eq!(ids(&listing), expected);
            assert!(listing.has_holes && listing.problems.len() == bad.len());
            assert!(api.asked().len() <= 750, "{}", api.asked().len());
        }
    }
}

#[tokio::test]
async fn a_page_that_comes_twice_does_not_end_the_list() {
    // The second page is the first one again, out of somebody's cache.
    let all = rows(1000);
    let api = Fake::new(|_, params| {
        let (offset, limit) = window(params);
        let from = if offset == 250 { 0 } else { offset };
        let mut answer = page(&all, params);
        answer["committeeMeetings"] = json!(&all[from..(from + limit).min(all.len())]);
        Ok(answer)
    });
    let listing = list(&api, None).await.unwrap();
    let expected: Vec<usize> = (0..250).chain(500..1000).collect();
    assert_eq!(ids(&listing), expected);
}

#[tokio::test]
async fn a_broken_filter_is_done_here() {
    let mut all = rows(400);
    for old in all.iter_mut().take(390) {
        old["updateDate"] = json!("2024-01-01 00:00:00+00:00");
    }
    let api = Fake::new(|_, params| {
        let filtered = params.iter().any(|(name, _)| name == "fromDateTime");
        if filtered {
            broken()
        } else {
            Ok(page(&all, params))
        }
    });
    let listing = list(&api, Some("2025-09-01T00:00:00Z")).await.unwrap();
    assert_eq!(ids(&listing), (390..400).collect::<Vec<_>>());
    assert!(
        listing.problems[0].contains("filter"),
        "{:?}",
        listing.problems
    );
    assert_eq!(api.asked().len(), 3 + FURTHER.len() + 2);
}

#[tokio::test]
async fn a_first_page_that_cannot_be_had_is_an_error() {
    let api = Fake::new(|_, _| broken());
    assert!(matches!(
        list(&api, Some(DAY)).await,
        Err(ApiError::Status { status: 500, .. })
    ));
    assert_eq!(api.asked().len(), 2 * (3 + FURTHER.len()));
    let api = Fake::new(|_, _| Ok(json!({"error": "nothing like a list"})));
    assert!(matches!(
        list(&api, None).await,
        Err(ApiError::Nonsense { .. })
    ));
    assert_eq!(api.asked().len(), 1);
}

#[tokio::test]
async fn a_later_page_that_cannot_be_had_is_an_error_too() {
    // A list with a hole would pass for complete, and the hole for unchanged.
    let all = rows(600);
    let api = Fake::new(|_, params| {
        if window(params).0 >= 250 {
            let (endpoint, detail) = (String::new(), String::new());
            return Err(ApiError::Status {
                endpoint,
                status: 503,
                detail,
            });
        }
        Ok(page(&all, params))
    });
    assert!(matches!(
        list(&api, None).await,
        Err(ApiError::Status { status: 503, .. })
    ));
}

#[tokio::test]
async fn a_server_that_only_fails_from_some_row_on_is_given_up() {
    let all = rows(1000);
    let api = Fake::new(|_, params| {
        if window(params).0 + window(params).1 > 300 {
            broken()
        } else {
            Ok(page(&all, params))
        }
    });
    assert!(matches!(
        list(&api, None).await,
        Err(ApiError::Status { status: 500, .. })
    ));
    assert!(api.asked().len() < 120, "{}", api.asked().len());
}

#[tokio::test]
async fn a_list_that_always_says_next_ends() {
    // An empty page is the end, whatever it says.
    let all = rows(300);
    let api = Fake::new(|_, params| {
        let mut page = page(&all, params);
        page["pagination"] = json!({"count": 1_000_000, "next": "more"});
        Ok(page)
    });
    assert_eq!(list(&api, None).await.unwrap().items.len(), 300);
    assert!(api.asked().len() < 20);
    // So is a page that shows nothing new.
    let api = Fake::new(|_, _| {
        Ok(json!({"committeeMeetings": rows(20), "pagination": {"next": "more"}}))
    });
    assert_eq!(list(&api, None).await.unwrap().items.len(), 20);
    assert!(api.asked().len() < 40);
    // And one that makes up new rows for ever is nonsense.
    let api = Fake::new(|_, params| {
        let from = window(params).0;
        let made_up: Vec<Value> = (from..from + 5).map(|id| row(id, DAY)).collect();
        Ok(json!({"committeeMeetings": made_up, "pagination": {"next": "more"}}))
    });
    assert!(matches!(
        list(&api, None).await,
        Err(ApiError::Nonsense { .. })
    ));
}

#[tokio::test]
async fn a_count_that_is_too_low_does_not_end_it() {
    let all = rows(600);
    let api = Fake::new(|_, params| {
        let mut page = page(&all, params);
        page["pagination"]["count"] = json!(10);
        Ok(page)
    });
    assert_eq!(list(&api, None).await.unwrap().items.len(), 600);
}

#[tokio::test]
async fn smaller_pages_than_asked_for_leave_no_gap() {
    let all = rows(700);
    let api = Fake::new(|_, params| {
        let (offset, limit) = window(params);
        let small = [
            ("offset".to_owned(), offset.to_string()),
            ("limit".to_owned(), limit.min(100).to_string()),
        ];
        Ok(page(&all, &small))
    });
    assert_eq!(
        ids(&list(&api, None).await.unwrap()),
        (0..700).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn rows_that_are_no_meetings_are_reported() {
    let mut all = rows(3);
    all[1] = json!({"title": "no event id"});
    let api = Fake::new(|_, params| Ok(page(&all, params)));
    let listing = list(&api, None).await.unwrap();
    assert_eq!((ids(&listing), listing.problems.len()), (vec![0, 2], 1));
    assert!(listing.has_holes);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_waited_out_by_all_pages_together() {
    let started = tokio::time::Instant::now();
    let all = rows(1500);
    let api = Fake::new(|_, params| {
        if window(params).0 > 0 && started.elapsed().as_secs() < 60 {
            return Err(ApiError::CircuitOpen {
                failures: 5,
                wait_seconds: 60.0,
            });
        }
        Ok(page(&all, params))
    });
    api.may_wait.set(true);
    assert_eq!(list(&api, None).await.unwrap().items.len(), 1500);
    assert!(list(&api, None).await.is_ok());
}
