//! What happens to the content between two runs: meetings change, and new ones come.

use serde_json::{Value, json};

use super::SandboxError;
use super::draw::rng;
use super::world::{World, list, seconds, written};

const DAY: i64 = 86_400;

/// Generates the first content, with `updateDate`s spread over the days up to now.
pub fn fill(world: &mut World, count: usize, spread_days: u32) -> Result<(), SandboxError> {
    let now = world.now();
    let span = i64::from(spread_days) * DAY;
    let meetings = (0..count)
        .map(|_| {
            let number = take_number(world);
            let updated = now - rng(world.generator.seed, "updated", number).i64(0..span);
            world.generator.meeting(number, updated)
        })
        .collect();
    world.put(meetings)?;
    Ok(())
}

/// Skips numbers whose event id is taken (by a row of a database, or one that was set by hand).
fn take_number(world: &mut World) -> u64 {
    loop {
        let number = world.next;
        world.next += 1;
        if world.entry(&world.generator.event_id(number)).is_none() {
            return number;
        }
    }
}

/// A stretch of time before now, in days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DaysAgo {
    from: f64,
    to: f64,
}

impl DaysAgo {
    /// Either end may come first.
    pub fn new(one: f64, other: f64) -> Result<Self, SandboxError> {
        let (from, to) = (one.min(other), one.max(other));
        if !(0.0..=36_500.0).contains(&one) || !(0.0..=36_500.0).contains(&other) {
            return Err(SandboxError::Setting {
                what: "days_ago",
                rule: "two numbers from 0 to 36500",
                got: format!("({one}, {other})"),
            });
        }
        Ok(Self { from, to })
    }

    /// As many moments as wanted, evenly spread, none at an end, in an order that hangs on the seed.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // days, to the second
    fn moments(self, now: i64, count: usize, seed: u64) -> Vec<i64> {
        let step = (self.to - self.from) / count.max(1) as f64;
        let mut moments: Vec<i64> = (0..count)
            .map(|at| {
                let days = self.from + step * (at as f64 + 0.5);
                now - (days * DAY as f64).round() as i64
            })
            .collect();
        rng(seed, "days-ago", count as u64).shuffle(&mut moments);
        moments
    }
}

/// When each of so many is updated.
fn moments(world: &World, count: usize, seed: u64, days_ago: Option<DaysAgo>) -> Vec<i64> {
    let now = world.now();
    days_ago.map_or_else(
        || vec![now; count],
        |days_ago| days_ago.moments(now, count, seed),
    )
}

/// Adds new meetings.
pub fn add(
    world: &mut World,
    count: usize,
    days_ago: Option<DaysAgo>,
) -> Result<Vec<String>, SandboxError> {
    let seed = world.generator.seed ^ world.next;
    let meetings = moments(world, count, seed, days_ago)
        .into_iter()
        .map(|at| {
            let number = take_number(world);
            world.generator.meeting(number, at)
        })
        .collect();
    world.put(meetings)
}

/// Moves only the `updateDate`.
pub fn touch(world: &mut World, event_id: &str) -> Result<(), SandboxError> {
    let mut meeting = find(world, event_id)?;
    stamp(&mut meeting, world.now());
    world.put(vec![meeting])?;
    Ok(())
}

fn find(world: &World, event_id: &str) -> Result<Value, SandboxError> {
    world
        .entry(event_id)
        .map(|entry| entry.meeting())
        .filter(|meeting| !meeting.is_null())
        .ok_or_else(|| SandboxError::NoSuchMeeting {
            event_id: event_id.to_owned(),
        })
}

/// `updateDate` moves there, and in any case later than it was: else nobody would ask again.
fn stamp(meeting: &mut Value, at: i64) {
    let before = meeting
        .get("updateDate")
        .and_then(Value::as_str)
        .and_then(seconds);
    let at = before.map_or(at, |before| at.max(before + 1));
    meeting["updateDate"] = written(at, false).into();
}

/// Changes `count` meetings (all, where there are fewer), chosen by `seed`.
pub fn change(
    world: &mut World,
    count: usize,
    seed: u64,
    days_ago: Option<DaysAgo>,
) -> Result<Vec<String>, SandboxError> {
    let mut ids = world.event_ids();
    // What was recorded as failing has no content to change.
    ids.retain(|id| world.entry(id).is_some_and(|entry| entry.failed.is_none()));
    rng(seed, "change", 0).shuffle(&mut ids);
    ids.truncate(count);
    ids.sort_unstable();
    let mut changed = Vec::with_capacity(ids.len());
    let moments = moments(world, ids.len(), seed, days_ago);
    for ((at, event_id), moment) in (0_u64..).zip(&ids).zip(moments) {
        let mut meeting = find(world, event_id)?;
        change_one(world, &mut meeting, at, seed);
        stamp(&mut meeting, moment);
        changed.push(meeting);
    }
    world.put(changed)
}

fn change_one(world: &World, meeting: &mut Value, at: u64, seed: u64) {
    let mut rng = rng(seed, "one-change", at);
    // Each way in turn; where a way would change nothing, the title changes.
    let changed = match at % 6 {
        0 => reschedule(meeting, rng.i64(1..15)),
        1 => status(meeting, "Postponed"),
        2 => status(meeting, "Canceled"),
        4 => add_witness(world, meeting, rng.u64(..)),
        5 => add_document(meeting, &mut rng),
        _ => false,
    };
    if !changed {
        retitle(meeting, &mut rng);
    }
}

fn status(meeting: &mut Value, new: &str) -> bool {
    if meeting.get("meetingStatus").and_then(Value::as_str) == Some(new) {
        return false;
    }
    meeting["meetingStatus"] = new.into();
    true
}

fn reschedule(meeting: &mut Value, days: i64) -> bool {
    let Some(old) = meeting
        .get("date")
        .and_then(Value::as_str)
        .and_then(seconds)
    else {
        return false;
    };
    meeting["date"] = written(old + days * DAY, false).into();
    meeting["meetingStatus"] = "Rescheduled".into();
    true
}

fn retitle(meeting: &mut Value, rng: &mut fastrand::Rng) {
    let old = meeting
        .get("title")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .trim()
        .to_owned();
    let part = rng.u32(2..1000);
    meeting["title"] = format!("{} (Part {part})", old.trim_end_matches('.')).into();
}

fn add_witness(world: &World, meeting: &mut Value, pick: u64) -> bool {
    let mut witnesses = list(meeting.get("witnesses"));
    let names: Vec<&str> = witnesses
        .iter()
        .filter_map(|witness| witness.get("name")?.as_str())
        .collect();
    let Some(witness) = world.generator.witness_besides(&names, pick) else {
        return false;
    };
    witnesses.push(witness);
    meeting["witnesses"] = witnesses.into();
    true
}

/// Another statement of a witness who is there.
fn add_document(meeting: &mut Value, rng: &mut fastrand::Rng) -> bool {
    let witnesses = list(meeting.get("witnesses"));
    let Some(name) = rng
        .choice(&witnesses)
        .and_then(|witness| witness.get("name")?.as_str().map(super::generate::slot))
    else {
        return false;
    };
    let text = |field: &str| match meeting.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let congress = text("congress");
    let event_id = text("eventId");
    let chamber = text("chamber").to_ascii_lowercase();
    let day: String = text("date")
        .chars()
        .filter(char::is_ascii_digit)
        .take(8)
        .collect();
    let number = rng.u32(10..100);
    let mut documents = list(meeting.get("witnessDocuments"));
    documents.push(json!({
        "documentType": "Witness Supporting Document",
        "format": "PDF",
        "url": format!(
            "https://www.congress.gov/{congress}/meeting/{chamber}/{event_id}/witnesses/\
             HHRG-{congress}-XX00-Wstate-{name}-{day}-SD0{number}.pdf"
        ),
    }));
    meeting["witnessDocuments"] = documents.into();
    true
}
