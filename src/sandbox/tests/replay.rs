//! Recorded answers served again.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use serde_json::json;

use super::*;
use crate::sandbox::SandboxError;

/// Recorded long before the sandbox's `NOW`.
const RECORDED: &str = "2025-04-01T08:00:05Z";

fn header() -> Value {
    json!({"format": "hearing-updater recording", "version": 1, "congress": 118,
           "recorded_at": RECORDED, "lookback_days": 90, "source": "api.congress.gov",
           "meetings": 4, "failed": 2, "committees": 1})
}

fn meeting(id: &str, chamber: &str, updated: &str, outcome: Value) -> Value {
    let mut line = json!({
        "path": format!("committee-meeting/118/{chamber}/{id}"),
        "row": {"chamber": chamber, "eventId": id, "updateDate": updated, "odd": [1.0, null]},
    });
    for (name, value) in outcome.as_object().unwrap() {
        line[name] = value.clone();
    }
    line
}

fn detail(id: &str) -> Value {
    json!({"answer": {"committeeMeeting": {
        "eventId": id, "title": "Ünter\u{2028}", "z": 1, "a": 1.50,
        "congress": 118, "chamber": "House", "updateDate": "2025-03-30T00:00:00Z",
    }, "request": {"x": 1}}})
}

fn lines() -> Vec<Value> {
    vec![
        header(),
        meeting("1", "house", "2025-03-31T00:00:00Z", detail("1")),
        // Within seconds of the edge of a week.
        meeting("2", "senate", "2025-03-25T08:00:06Z", detail("2")),
        meeting(
            "3",
            "house",
            "2025-03-25T08:00:04Z",
            json!({"status": 500, "error": "relation \"x\""}),
        ),
        meeting(
            "4",
            "nochamber",
            "2025-02-01T00:00:00Z",
            json!({"status": 404, "error": "not found"}),
        ),
        json!({"path": "committee/house/hsii24", "answer": {"committee": {
            "systemCode": "hsii24", "type": "Subcommittee", "isCurrent": true, "name": "Federal Lands",
        }}}),
        json!({"path": "committee/nochamber/hszz00", "status": 404, "error": "not found"}),
        json!({"path": "committee-meeting/118/house/5", "row": null,
               "answer": detail("5")["answer"]}),
    ]
}

fn packed(lines: &[Value], end: Option<Value>) -> Vec<u8> {
    let mut crc = Crc::new();
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    crc.update(text.as_bytes());
    let end = end.unwrap_or(json!({"end": lines.len(), "crc32": format!("{:08x}", crc.sum())}));
    text.push_str(&end.to_string());
    text.push('\n');
    zipped(text.as_bytes())
}

fn zipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn file(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("answers.rec");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn replay_at(path: PathBuf, now: &str) -> Result<Running, SandboxError> {
    start(Options {
        recording: Some(path),
        now: now.parse().ok(),
        ..options(0)
    })
}

fn replay(folder: &Path) -> Running {
    replay_at(file(folder, &packed(&lines(), None)), NOW).unwrap()
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    let (status, page) = client
        .get(&format!("/committee-meeting/118?limit=250&{query}"))
        .await;
    assert_eq!(status, 200, "{page}");
    let rows = page["committeeMeetings"].as_array().unwrap();
    rows.iter().map(id_of).collect()
}

#[tokio::test]
async fn answers_come_back_as_they_were_given() {
    let folder = tempfile::tempdir().unwrap();
    let running = replay(folder.path());
    let client = Client::of(&running);
    let (status, body) = client.get("/committee-meeting/118/house/1").await;
    assert_eq!((status, &body), (200, &detail("1")["answer"]));
    assert_eq!(body.to_string(), detail("1")["answer"].to_string());
    let (_, page) = client.get("/committee-meeting/118").await;
    assert_eq!(page["committeeMeetings"][0], lines()[1]["row"]);
    assert_eq!(client.get("/committee-meeting/118/senate/1").await.0, 404);
    let (status, body) = client.get("/committee-meeting/118/house/3").await;
    assert_eq!((status, &body["error"]), (500, &json!("relation \"x\"")));
    assert_eq!(
        client.get("/committee-meeting/118/nochamber/4").await.0,
        404
    );
    let (_, body) = client.get("/committee/house/hsii24").await;
    assert_eq!(body, lines()[5]["answer"]);
    assert_eq!(client.get("/committee/senate/hsii24").await.0, 404);
    for chamber in ["house", "nochamber"] {
        assert_eq!(
            client.get(&format!("/committee/{chamber}/hszz00")).await.0,
            404
        );
    }
}

#[tokio::test]
async fn a_window_holds_the_same_rows_whenever_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), &packed(&lines(), None));
    // In step with the recording, a minute later, across midnight, half a year later, an hour of summer.
    for (now, from) in [
        ("2025-04-01T08:00:05Z", "2025-03-25T08:00:05Z"),
        ("2025-04-01T08:01:05Z", "2025-03-25T08:00:59Z"),
        ("2025-04-02T00:00:03Z", "2025-03-25T23:59:58Z"),
        ("2025-10-13T12:00:00Z", "2025-10-06T11:59:59Z"),
        ("2025-10-13T12:00:00Z", "2025-10-06T13:00:00Z"),
    ] {
        let running = replay_at(path.clone(), now).unwrap();
        let client = Client::of(&running);
        let week = listed(&client, &format!("fromDateTime={from}")).await;
        assert_eq!(week, ["1", "2"], "{now}");
        let to = listed(&client, &format!("toDateTime={from}")).await;
        assert_eq!(to, ["3", "4"], "{now}");
    }
    let running = replay_at(path, NOW).unwrap();
    let client = Client::of(&running);
    assert_eq!(listed(&client, "").await, ["1", "2", "3", "4"]);
    // What was not listed is not listed now, but it is there.
    assert_eq!(client.get("/committee-meeting/118/house/5").await.0, 200);
    // 90 days: all of them.
    let all = listed(&client, "fromDateTime=2025-07-15T12:00:00Z").await;
    assert_eq!(all.len(), 4);
    // The moment of an earlier run is meant as it stands.
    let since = listed(&client, "fromDateTime=2025-03-25T08:00:06Z").await;
    assert_eq!(since, ["1", "2"]);
}

#[tokio::test]
async fn faults_changes_and_the_log_work_on_a_replay_too() {
    let folder = tempfile::tempdir().unwrap();
    let running = replay(folder.path());
    let client = Client::of(&running);
    running.fail_next(crate::sandbox::Kind::Unavailable, 1, None, None);
    assert_eq!(client.get("/committee-meeting/118/house/1").await.0, 503);
    assert_eq!(running.requests()[0].fault, Some("503"));
    // Those that failed have nothing to change.
    assert_eq!(running.change(9, 1, None).unwrap(), ["1", "2", "5"]);
    assert!(running.meeting("3").is_none());
    assert!(running.touch("3").is_err());
    let (_, body) = client.get("/committee-meeting/118/house/1").await;
    assert_eq!(body["committeeMeeting"]["updateDate"], NOW);
    let added = running.add(30, None).unwrap();
    let named: Vec<Value> = added
        .iter()
        .flat_map(|id| crate::sandbox::world::list(running.meeting(id).unwrap().get("committees")))
        .collect();
    for committee in named {
        let code = committee["systemCode"].as_str().unwrap();
        if code.starts_with('h') {
            assert_eq!(code, "hsii24");
        }
        let path = committee["url"].as_str().unwrap();
        let path = path.strip_prefix("https://api.congress.gov/v3").unwrap();
        assert_eq!(client.get(path).await.0, 200, "{path}");
    }
}

#[track_caller]
fn refused(bytes: &[u8], says: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), bytes);
    let error = match replay_at(path.clone(), NOW) {
        Ok(_) => panic!("served: {says}"),
        Err(error) => error.to_string(),
    };
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    assert!(error.contains(says), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn what_is_no_recording_is_told_from_one_that_is_broken() {
    let (foreign, cut) = ("this is no recording", "cut short");
    refused(b"SQLite format 3\0 and more of a database", foreign);
    refused(&zipped(b"{\"format\": \"another\"}\n"), foreign);
    refused(&zipped(b"no JSON\n"), foreign);
    refused(b"short", foreign);
    refused(b"", cut);
    let mut newer = lines();
    newer[0]["version"] = 2.into();
    refused(&packed(&newer, None), "newer version (format 2");
    let good = packed(&lines(), None);
    refused(&good[..good.len() / 2], cut);
    refused(&good[..good.len() - 3], cut);
    // Without the end mark.
    let mut text = lines()[0].to_string();
    text.push('\n');
    refused(&zipped(text.as_bytes()), cut);
}

#[test]
fn damage_is_found_and_its_line_named() {
    let mut lost = lines();
    lost.remove(2);
    refused(&packed(&lost, None), "damaged at line 8");
    refused(
        &packed(&lines(), Some(json!({"end": 8, "crc32": "00000000"}))),
        "damaged at line 9",
    );
    refused(
        &packed(&lines(), Some(json!({"end": 6}))),
        "damaged at line 9",
    );
    let mut odd = lines();
    odd[3]["status"] = 200.into();
    refused(&packed(&odd, None), "damaged at line 4");
    let mut odd = lines();
    odd[1]["path"] = "somewhere/else".into();
    refused(&packed(&odd, None), "damaged at line 2");
    let mut odd = lines();
    odd[0]["congress"] = 0.into();
    refused(&packed(&odd, None), "damaged at line 1");
    let mut more = packed(&lines(), None);
    more.extend_from_slice(b"and more");
    // Behind the end mark lies another file: not ours, and no harm.
    let folder = tempfile::tempdir().unwrap();
    assert!(replay_at(file(folder.path(), &more), NOW).is_ok());
    // A flipped bit in the middle of the packed bytes.
    let good = packed(&lines(), None);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 0x10;
    let path = file(folder.path(), &flipped);
    assert!(replay_at(path, NOW).is_err());
}

#[test]
fn a_recording_and_a_database_cannot_both_be_served() {
    let both = start(Options {
        db: Some("a.db".into()),
        recording: Some("a.rec".into()),
        ..options(0)
    });
    assert!(matches!(both, Err(SandboxError::BothSources)));
    let nowhere = replay_at("/nowhere/at/all.rec".into(), NOW);
    let Err(error) = nowhere else {
        panic!("served a recording that is not there")
    };
    let error = error.to_string();
    assert!(
        error.starts_with("/nowhere/at/all.rec: cannot be read"),
        "{error}"
    );
}
