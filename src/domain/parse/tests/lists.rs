//! Pages of the list, and their rows.

use super::*;

#[test]
fn list_rows_need_only_an_event_id() {
    let item = parse_list_item(
        &json!({"eventId": 105_481, "chamber": "House", "congress": 115,
        "updateDate": "2019-01-17 16:03:53+00:00", "url": "https://v3/x"}),
    )
    .unwrap();
    assert_eq!(
        (item.event_id.as_str(), item.chamber),
        ("105481", Some(Chamber::House))
    );
    assert_eq!(item.update_date.unwrap().stored(), "2019-01-17 16:03:53");
    let odd = parse_list_item(&json!({"eventId": "1", "updateDate": "?", "chamber": 3})).unwrap();
    assert_eq!((odd.update_date, odd.chamber), (None, None));
    assert_eq!(
        parse_list_item(&json!({"chamber": "House"})).unwrap_err(),
        "no eventId"
    );
    assert!(
        parse_list_item(&json!({"eventId": []}))
            .unwrap_err()
            .contains("a list")
    );
}

#[test]
fn list_pages_report_rows_that_are_no_meetings() {
    let page = parse_list_page(&json!({
        "committeeMeetings": [{"eventId": "1"}, {"chamber": "House"}, "x", {"eventId": "2"}],
        "pagination": {"count": 1954, "next": "https://v3/committee-meeting?offset=20"}
    }))
    .unwrap();
    assert_eq!(page.items.len(), 2);
    assert_eq!((page.count, page.has_next), (Some(1954), true));
    assert_eq!(
        page.problems,
        ["row 1: no eventId", "row 2: must be an object, got text"]
    );
    let last =
        parse_list_page(&json!({"committeeMeetings": [], "pagination": {"count": 0}})).unwrap();
    assert_eq!((last.items.len(), last.has_next), (0, false));
    for wrong in [
        json!([]),
        json!("<html>"),
        json!({}),
        json!({"committeeMeetings": 3}),
    ] {
        let problem = parse_list_page(&wrong).unwrap_err();
        assert!(
            problem.starts_with("the answer is no list page"),
            "{problem}"
        );
    }
}
