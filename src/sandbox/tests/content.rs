//! The generated Congress, and what happens to it.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;

use super::*;
use crate::sandbox::DaysAgo;
use crate::sandbox::world::{list, seconds};

fn meetings(running: &Running) -> Vec<Value> {
    running
        .event_ids()
        .iter()
        .map(|id| running.meeting(id).unwrap())
        .collect()
}

fn text<'a>(meeting: &'a Value, field: &str) -> &'a str {
    meeting[field].as_str().unwrap_or_default()
}

#[test]
fn the_same_seed_makes_the_same_congress() {
    let (first, second) = (sandbox(60), sandbox(60));
    assert_eq!(meetings(&first), meetings(&second));
    let other = start(Options {
        seed: 2,
        ..options(60)
    })
    .unwrap();
    assert_ne!(meetings(&first), meetings(&other));
    // A meeting does not hang on how many there are.
    let larger = sandbox(90);
    assert!(
        first
            .event_ids()
            .iter()
            .all(|id| larger.meeting(id) == first.meeting(id))
    );
}

#[test]
fn everything_that_upstream_does_turns_up() {
    let all = meetings(&sandbox(1200));
    let has = |test: &dyn Fn(&Value) -> bool| all.iter().any(test);
    let values = |field: &str| -> BTreeSet<String> {
        all.iter()
            .map(|meeting| text(meeting, field).to_owned())
            .collect()
    };
    assert_eq!(
        values("chamber").into_iter().collect::<Vec<_>>(),
        ["House", "NoChamber", "Senate"]
    );
    assert_eq!(
        values("type").into_iter().collect::<Vec<_>>(),
        ["Hearing", "Markup", "Meeting"]
    );
    assert_eq!(
        values("meetingStatus").into_iter().collect::<Vec<_>>(),
        ["Canceled", "Postponed", "Rescheduled", "Scheduled"]
    );
    assert!(
        all.iter()
            .all(|m| m["chamber"] == "House" || m["type"] == "Meeting")
    );
    assert!(has(&|m| m["location"]["room"] == "WEBEX"));
    assert!(has(&|m| m["location"]["address"].is_string()));
    assert!(has(&|m| m["location"]["address"].is_object()));
    assert!(has(&|m| m["location"] == json!({})));
    assert!(has(&|m| list(m.get("committees")).len() > 1));
    assert!(has(&|m| list(m.get("committees"))
        .iter()
        .any(|c| c["name"].is_null())));
    assert!(has(
        &|m| m["witnesses"].is_null() && m.get("witnesses").is_some()
    ));
    assert!(has(&|m| m.get("witnesses").is_none()));
    assert!(has(&|m| m["witnesses"]["item"].is_array()));
    assert!(has(&|m| m["committees"]["item"].is_object()));
    assert!(has(&|m| m["eventId"].is_number()));
    assert!(has(&|m| text(m, "eventId").contains('a')));
    assert!(has(&|m| text(m, "updateDate").ends_with("+00:00")));
    assert!(has(&|m| text(m, "updateDate").ends_with('Z')));
    for piece in ["\t", "\r\n", "•", "“"] {
        assert!(has(&|m| text(m, "title").contains(piece)), "{piece:?}");
    }
    let videos: String = all.iter().map(|m| m["videos"].to_string()).collect();
    for piece in [
        "youtube.com/watch?v=",
        "youtu.be/",
        "senate.gov/isvp/",
        "congress.gov/event/119th-congress/",
    ] {
        assert!(videos.contains(piece), "{piece}");
    }
    assert!(has(&|m| !list(m.get("hearingTranscript")).is_empty()));
    assert!(has(&|m| !list(m["relatedItems"].get("bills")).is_empty()));
}

#[test]
fn the_updaters_own_parser_finds_nothing_wrong_with_it() {
    let running = sandbox(1200);
    for id in running.event_ids() {
        let parsed = crate::domain::parse_meeting(&running.meeting(&id).unwrap());
        assert_eq!(parsed.issues, [], "{id}");
        assert_eq!(parsed.notices, [], "{id}");
        assert_eq!(parsed.meeting.event_id, id);
        assert!(
            parsed.meeting.title.is_some() && parsed.meeting.date.is_some(),
            "{id}"
        );
    }
}

#[test]
fn witnesses_come_again_with_and_without_their_courtesy_titles() {
    let all = meetings(&sandbox(400));
    let names: Vec<String> = all
        .iter()
        .flat_map(|meeting| list(meeting.get("witnesses")))
        .map(|witness| text(&witness, "name").to_owned())
        .collect();
    let distinct: HashSet<&String> = names.iter().collect();
    assert!(
        distinct.len() * 3 / 2 < names.len(),
        "{} of {}",
        distinct.len(),
        names.len()
    );
    assert!(distinct.iter().any(|name| {
        name.strip_prefix("The Honorable ")
            .is_some_and(|bare| distinct.contains(&bare.to_owned()))
    }));
}

#[test]
fn most_witness_documents_name_a_witness_and_some_name_nobody() {
    use crate::sandbox::generate::slot;
    let (mut matched, mut strange) = (0, 0);
    for meeting in meetings(&sandbox(400)) {
        let slots: HashSet<String> = list(meeting.get("witnesses"))
            .iter()
            .map(|witness| slot(text(witness, "name")))
            .collect();
        for document in list(meeting.get("witnessDocuments")) {
            let file = text(&document, "url")
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned();
            let owner = file.split('-').nth(4).unwrap();
            if slots.contains(owner) {
                matched += 1;
            } else {
                assert_eq!(owner, "SmithersQ", "{file} in {slots:?}");
                strange += 1;
            }
        }
    }
    assert!(matched > 400, "{matched}");
    assert!(strange > 3, "{strange}");
}

#[test]
fn update_dates_lie_in_the_days_up_to_now() {
    let now = seconds(NOW).unwrap();
    let running = start(Options {
        spread_days: 10,
        ..options(200)
    })
    .unwrap();
    let ages: Vec<i64> = meetings(&running)
        .iter()
        .map(|meeting| now - seconds(text(meeting, "updateDate")).unwrap())
        .collect();
    assert!(ages.iter().all(|age| (0..10 * 86_400).contains(age)));
    assert!(ages.iter().any(|age| *age < 86_400) && ages.iter().any(|age| *age > 9 * 86_400));
}

#[test]
fn change_alters_so_many_meetings_and_moves_their_update_date() {
    let running = sandbox(120);
    let before: Vec<Value> = meetings(&running);
    let changed = running.change(30, 5, None).unwrap();
    assert_eq!(changed.len(), 30);
    let mut kinds = HashSet::new();
    for (old, new) in before.iter().zip(meetings(&running)) {
        let id = id_of(old);
        if !changed.contains(&id) {
            assert_eq!(*old, new);
            continue;
        }
        assert!(seconds(text(&new, "updateDate")) > seconds(text(old, "updateDate")));
        let fields: Vec<&str> = [
            "title",
            "date",
            "meetingStatus",
            "witnesses",
            "witnessDocuments",
        ]
        .into_iter()
        .filter(|field| old.get(field) != new.get(field))
        .collect();
        assert!(!fields.is_empty(), "{id}: only its updateDate moved");
        kinds.extend(fields);
    }
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    let twin = sandbox(120);
    assert_eq!(twin.change(30, 5, None).unwrap(), changed);
    assert_eq!(meetings(&twin), meetings(&running));
}

#[test]
fn every_change_is_one_that_the_updater_stores() {
    let running = sandbox(300);
    let parsed = |id: &str| crate::domain::parse_meeting(&running.meeting(id).unwrap()).meeting;
    for seed in 0..4 {
        let before: Vec<_> = running.event_ids().iter().map(|id| parsed(id)).collect();
        let changed = running.change(60, seed, None).unwrap();
        for mut old in before {
            let new = parsed(&old.event_id);
            let moved = old.update_date != new.update_date;
            assert_eq!(moved, changed.contains(&old.event_id));
            old.update_date = new.update_date;
            assert_eq!(old != new, moved, "{}", old.event_id);
        }
    }
}

#[test]
fn changing_again_moves_the_update_date_again() {
    let running = sandbox(1);
    let id = running.event_ids().remove(0);
    let date = || seconds(text(&running.meeting(&id).unwrap(), "updateDate")).unwrap();
    let mut dates = vec![date()];
    for step in 0..3 {
        running.change(1, step, None).unwrap();
        dates.push(date());
    }
    running.touch(&id).unwrap();
    dates.push(date());
    assert!(dates.windows(2).all(|pair| pair[0] < pair[1]), "{dates:?}");
}

#[test]
fn touch_moves_only_the_update_date() {
    let running = sandbox(5);
    let id = running.event_ids().remove(0);
    let mut old = running.meeting(&id).unwrap();
    running.touch(&id).unwrap();
    let new = running.meeting(&id).unwrap();
    assert_ne!(old["updateDate"], new["updateDate"]);
    old["updateDate"] = new["updateDate"].clone();
    assert_eq!(old, new);
    let error = running.touch("none").unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}

#[test]
fn added_meetings_are_new_and_updated_now() {
    let running = sandbox(40);
    let before = running.event_ids();
    let added = running.add(25, None).unwrap();
    assert_eq!(added.len(), 25);
    assert_eq!(running.event_ids().len(), 65);
    for id in &added {
        assert!(!before.contains(id));
        let meeting = running.meeting(id).unwrap();
        assert_eq!(seconds(text(&meeting, "updateDate")), seconds(NOW));
    }
}

#[tokio::test]
async fn a_meeting_can_be_put_in_verbatim_and_taken_out() {
    let running = sandbox(3);
    let client = Client::of(&running);
    let meeting = json!({"eventId": 42, "chamber": "Joint", "title": ["not", "a", "text"], "congress": "119"});
    assert_eq!(
        running
            .set_meeting(json!({"committeeMeeting": meeting}))
            .unwrap(),
        "42"
    );
    assert_eq!(running.meeting("42"), Some(meeting.clone()));
    let (status, body) = client.get("/committee-meeting/119/nochamber/42").await;
    assert_eq!((status, &body["committeeMeeting"]), (200, &meeting));
    assert!(client.all(250).await.iter().any(|row| row["eventId"] == 42));
    assert!(running.remove("42"));
    assert!(!running.remove("42"));
    assert_eq!(
        client.get("/committee-meeting/119/nochamber/42").await.0,
        404
    );
    for bad in [
        json!([]),
        json!({}),
        json!({"eventId": ""}),
        json!({"eventId": "a/b"}),
    ] {
        assert!(running.set_meeting(bad).is_err());
    }
}

#[test]
fn options_out_of_range_are_refused() {
    for options in [
        Options {
            congress: 0,
            ..options(1)
        },
        Options {
            congress: 9999,
            ..options(1)
        },
        Options {
            spread_days: 0,
            ..options(1)
        },
    ] {
        assert!(start(options).is_err());
    }
}

#[test]
fn update_dates_can_be_spread_over_days_past() {
    let running = sandbox(0);
    let now = seconds(NOW).unwrap();
    let span = DaysAgo::new(0.0, 10.0).unwrap();
    let added = running.add(20, Some(span)).unwrap();
    let dates = |running: &Running| -> Vec<i64> {
        let mut dates: Vec<i64> = running
            .event_ids()
            .iter()
            .map(|id| seconds(text(&running.meeting(id).unwrap(), "updateDate")).unwrap())
            .collect();
        dates.sort_unstable();
        dates
    };
    // Half a day apart, the first a quarter of a day from either end.
    let wanted: Vec<i64> = (0..20)
        .map(|at| now - 10 * 86_400 + 21_600 + at * 43_200)
        .collect();
    assert_eq!(dates(&running), wanted);
    // Not in the order in which they are made.
    let by_number: Vec<i64> = added
        .iter()
        .map(|id| seconds(text(&running.meeting(id).unwrap(), "updateDate")).unwrap())
        .collect();
    assert!(!by_number.is_sorted() && !by_number.is_sorted_by(|a, b| a >= b));
    let twin = sandbox(0);
    twin.add(20, Some(span)).unwrap();
    assert_eq!(meetings(&twin), meetings(&running));
}

#[test]
fn changes_of_old_meetings_can_be_placed_in_time_but_never_before_what_they_were() {
    let running = sandbox(0);
    let ago = |from, to| Some(DaysAgo::new(from, to).unwrap());
    running.add(30, ago(400.0, 430.0)).unwrap();
    let changed = running.change(10, 4, ago(7.0, 2.0)).unwrap();
    let now = seconds(NOW).unwrap();
    let date = |id: &str| seconds(text(&running.meeting(id).unwrap(), "updateDate")).unwrap();
    let mut dates: Vec<i64> = changed.iter().map(|id| date(id)).collect();
    dates.sort_unstable();
    let wanted: Vec<i64> = (0..10)
        .map(|at| now - 7 * 86_400 + 21_600 + at * 43_200)
        .collect();
    assert_eq!(dates, wanted);
    let again = running.change(30, 4, ago(300.0, 301.0)).unwrap();
    assert!(again.iter().all(|id| {
        let late = date(id);
        changed.contains(id) == (late > now - 8 * 86_400) && late >= now - 301 * 86_400
    }));
    for (one, other) in [(-1.0, 2.0), (0.0, 40_000.0), (f64::NAN, 1.0)] {
        let error = DaysAgo::new(one, other).unwrap_err().to_string();
        assert!(error.contains("days_ago"), "{error}");
    }
}
