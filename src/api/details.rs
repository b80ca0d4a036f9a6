//! The details of many meetings, several at a time.

use std::collections::VecDeque;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use super::committees::REQUESTS_A_COMMITTEE;
use super::patience::Patience;
use super::{ApiError, Get, segment};
use crate::domain::{Chamber, DateTime, parse_datetime};

/// Where the API says that it is, whatever address it is reached by.
const PUBLIC: &str = "https://api.congress.gov/v3";
const MIB: usize = 1024 * 1024;
/// The largest meeting: with some 2,000 documents. Real ones take a tenth of it.
const LARGEST: usize = 2 * MIB;
/// As many meetings as take this much memory are held at once: the rest are left to a later run.
const MOST_HELD: usize = 64 * MIB;
/// What a value takes beside its text.
const VALUE: usize = 128;

/// What has come so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kept {
    /// Requests that it still calls for.
    pub requests: usize,
    /// About what it takes in memory ([`weight`]).
    pub bytes: usize,
}

/// A meeting whose details are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub event_id: String,
    pub congress: i64,
    /// `None`: not known, each is tried.
    pub chamber: Option<Chamber>,
    /// The list's.
    pub update_date: Option<DateTime>,
    /// The API's own address of the item, as the list tells it.
    pub url: Option<String>,
}

/// Hands each meeting to the sink as it comes: the inner `committeeMeeting`, its `updateDate` the newer
/// of list and detail, or what went wrong with this one. When the hourly limit is used up, the rest go
/// to the sink with that, unasked. `Err` ends it for all: what the sink has not seen is still wanted.
///
/// `kept` says what has come so far. As long as the requests that it calls for are not sure to be left, no
/// more details are asked for: those stay in the queue, for a later call. When it takes `MOST_HELD`, the
/// rest go to the sink as [`ApiError::Full`], unasked.
pub async fn fetch_details<G: Get>(
    get: &G,
    queue: &mut VecDeque<Wanted>,
    kept: &dyn Fn() -> Kept,
    sink: &mut dyn FnMut(Wanted, Result<Value, ApiError>),
) -> Result<(), ApiError> {
    let patience = &Patience::new(get);
    let at_once = get.concurrency().max(1);
    let fetch = |wanted: Wanted| async move {
        let result = fetch_one(patience, &wanted).await;
        (wanted, result)
    };
    let mut under_way = FuturesUnordered::new();
    let mut limited = None;
    loop {
        if limited.is_none() && kept().bytes >= MOST_HELD {
            limited = Some(ApiError::Full {
                held_mib: (MOST_HELD / MIB) as u64,
            });
        }
        while limited.is_none()
            && under_way.len() < at_once
            && is_room(get.left(), under_way.len(), kept().requests)
        {
            let Some(next) = queue.pop_front() else {
                break;
            };
            under_way.push(fetch(next));
        }
        let Some((wanted, result)) = under_way.next().await else {
            break;
        };
        match &result {
            Err(error) if error.is_fatal() => return Err(error.clone()),
            Err(error @ ApiError::RateLimited { .. }) => limited = Some(error.clone()),
            _ => {}
        }
        sink(wanted, result);
    }
    if let Some(error) = limited {
        for wanted in queue.drain(..) {
            sink(wanted, Err(error.clone()));
        }
    }
    Ok(())
}

/// Whether one more detail may be asked for. Of those under way each may not have been sent yet, and
/// may name a committee that has to be looked up. A lone one may always be: the limiter has the last
/// word.
fn is_room(left: Option<u32>, under_way: usize, kept: usize) -> bool {
    let spoken_for = (1 + REQUESTS_A_COMMITTEE) * under_way + kept;
    spoken_for == 0
        || left.is_none_or(|left| usize::try_from(left).is_ok_and(|left| left > spoken_for))
}

/// Where a meeting may be: one place, unless its chamber is not known.
pub fn meeting_endpoints(congress: i64, chamber: Option<Chamber>, event_id: &str) -> Vec<String> {
    let chambers = match chamber {
        Some(Chamber::House) => &["house"][..],
        Some(Chamber::Senate) => &["senate"],
        // Meetings of joint committees are filed under no chamber.
        Some(Chamber::Joint | Chamber::NoChamber) => &["nochamber"],
        None => &["house", "senate", "nochamber"],
    };
    let id = segment(event_id);
    chambers
        .iter()
        .map(|chamber| format!("committee-meeting/{congress}/{chamber}/{id}"))
        .collect()
}

async fn fetch_one<G: Get>(patience: &Patience<'_, G>, wanted: &Wanted) -> Result<Value, ApiError> {
    let mut missing = None;
    for endpoint in meeting_endpoints(wanted.congress, wanted.chamber, &wanted.event_id) {
        match patience.get(&endpoint, &[]).await {
            Ok(answer) => return meeting_of(answer, wanted, &endpoint),
            Err(error @ ApiError::NotFound { .. }) => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(missing.unwrap_or_else(|| ApiError::NotFound {
        endpoint: wanted.event_id.clone(),
    }))
}

/// About how many bytes a value takes.
pub fn weight(value: &Value) -> usize {
    VALUE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(list) => list.iter().map(weight).sum(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| key.len() + weight(value))
                .sum(),
            _ => 0,
        }
}

fn meeting_of(mut answer: Value, wanted: &Wanted, endpoint: &str) -> Result<Value, ApiError> {
    if weight(&answer) > LARGEST {
        return Err(ApiError::TooLarge {
            endpoint: endpoint.to_owned(),
            limit_mib: (LARGEST / MIB) as u64,
        });
    }
    let nonsense = |detail: String| ApiError::Nonsense {
        endpoint: endpoint.to_owned(),
        detail,
    };
    let inner = answer.get_mut("committeeMeeting").map(Value::take);
    let Some(Value::Object(mut meeting)) = inner else {
        return Err(nonsense("the answer holds no committeeMeeting".to_owned()));
    };
    let named = match meeting.get("eventId") {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        _ => {
            return Err(nonsense(
                "the answer's committeeMeeting names no eventId".to_owned(),
            ));
        }
    };
    if named != wanted.event_id.trim() {
        // Only what looks like an id is told: a server may have put there anything that was sent to it.
        let digits = named.len() <= 20 && named.bytes().all(|byte| byte.is_ascii_digit());
        let which = if digits {
            format!(" ({named})")
        } else {
            String::new()
        };
        return Err(nonsense(format!(
            "the answer is about another event{which}"
        )));
    }
    let own = meeting
        .get("updateDate")
        .and_then(Value::as_str)
        .and_then(parse_datetime);
    if let Some(listed) = wanted.update_date
        && own.is_none_or(|own| own < listed)
    {
        meeting.insert("updateDate".to_owned(), Value::String(listed.for_api()));
    }
    if !meeting.get("url").is_some_and(Value::is_string) {
        // One that was set aside may be on no list any more; the list's addresses all read like this.
        let url = wanted.url.clone();
        let url = url.unwrap_or_else(|| format!("{PUBLIC}/{endpoint}?format=json"));
        meeting.insert("url".to_owned(), Value::String(url));
    }
    Ok(Value::Object(meeting))
}

#[cfg(test)]
mod tests;
