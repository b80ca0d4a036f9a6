//! The endpoints: what is asked in, an answer out.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::asked::{Asked, Route};
use super::from_recording::Recorded;
use super::reply::Reply;
use super::world::{Committee, Entry, PUBLIC, World, list};

pub fn answer(world: &World, route: &Route<'_>, asked: &Asked<'_>) -> Reply {
    match *route {
        Route::Meetings { congress, chamber } => {
            meetings(world, congress, chamber, asked).unwrap_or_else(|refusal| refusal)
        }
        Route::Meeting {
            congress,
            chamber,
            event_id,
        } => meeting(world, congress, chamber, event_id),
        Route::Committees { congress, chamber } => committees(world, congress, chamber, asked),
        Route::Committee { chamber, code } => committee(world, chamber, code),
        Route::Hearing {
            congress,
            chamber,
            jacket,
        } => hearing(world, congress, chamber, jacket),
        Route::Unknown => {
            let what = asked.path.strip_prefix("/v3/").unwrap_or(asked.path);
            Reply::failed(404, &format!("Unknown resource: {what}"))
        }
    }
}

/// The `request` block, which repeats what was asked, in alphabetical order.
fn request(fields: &[(&str, Option<&str>)]) -> Value {
    let mut all: Vec<(&str, &str)> = vec![("contentType", "application/json"), ("format", "json")];
    all.extend(
        fields
            .iter()
            .filter_map(|(name, value)| Some((*name, (*value)?))),
    );
    all.sort_unstable();
    all.into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect::<Map<_, _>>()
        .into()
}

fn pagination(asked: &Asked<'_>, count: usize) -> Value {
    let mut block = json!({"count": count});
    let (offset, limit) = (asked.query.offset(), asked.query.limit());
    let next = offset.saturating_add(limit);
    if next < count {
        block["next"] = asked.query.next(asked.home, asked.path, next, limit).into();
    }
    block
}

fn meetings(
    world: &World,
    congress: Option<&str>,
    chamber: Option<&str>,
    asked: &Asked<'_>,
) -> Result<Reply, Reply> {
    let moment = |name: &str| Ok(asked.query.moment(name)?.map(|at| world.meant(at)));
    let from = moment("fromDateTime")?;
    let to = moment("toDateTime")?;
    let number: Option<i64> = congress.and_then(|text| text.parse().ok());
    let wanted = |entry: &Entry| {
        !entry.row.is_empty()
            && number.is_none_or(|number| entry.congress == number)
            && chamber.is_none_or(|chamber| entry.chamber == chamber)
            // An updateDate that cannot be read passes: somebody put it in to be seen.
            && entry.updated.is_none_or(|at| {
                from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to)
            })
    };
    let (offset, limit) = (asked.query.offset(), asked.query.limit());
    let bad = asked.faults.bad_rows();
    let mut count = 0_usize;
    let mut rows = String::new();
    for entry in world.meetings().iter().filter(|entry| wanted(entry)) {
        if count >= offset && count - offset < limit {
            if bad.as_ref().is_some_and(|bad| bad(&entry.event_id)) {
                return Ok(Reply::failed(
                    500,
                    "Object of type datetime is not JSON serializable",
                ));
            }
            if !rows.is_empty() {
                rows.push(',');
            }
            rows.push_str(&entry.row);
        }
        count += 1;
    }
    let mut body = String::with_capacity(rows.len() + 400);
    let _ = write!(
        body,
        "{{\"committeeMeetings\":[{rows}],\"pagination\":{},\"request\":{}}}",
        pagination(asked, count),
        request(&[("congress", congress), ("chamber", chamber)]),
    );
    Ok(Reply::json(200, body))
}

fn meeting(world: &World, congress: &str, chamber: &str, event_id: &str) -> Reply {
    let found = world.entry(event_id).filter(|entry| {
        entry.congress.to_string() == congress
            // "Joint" and whatever else a test puts in has no path of its own.
            && (entry.chamber == chamber
                || !matches!(entry.chamber.as_str(), "house" | "senate" | "nochamber"))
    });
    let failed = found.and_then(|entry| entry.failed.as_ref());
    match (found, failed) {
        (Some(_), Some((status, message))) if *status != 404 => Reply::failed(*status, message),
        (Some(entry), None) => Reply {
            zipped: Some(entry.zipped()),
            ..Reply::json(200, entry.body.clone())
        },
        _ => Reply::not_found(
            "CommitteeMeeting",
            &request(&[
                ("congress", Some(congress)),
                ("chamber", Some(chamber)),
                ("eventId", Some(event_id)),
            ]),
        ),
    }
}

/// A committee as others name it.
fn named(committee: &Committee) -> Value {
    json!({"name": committee.name, "systemCode": committee.code, "url": committee.url()})
}

fn committees(
    world: &World,
    congress: Option<&str>,
    chamber: Option<&str>,
    asked: &Asked<'_>,
) -> Reply {
    let found: Vec<&Committee> = world
        .committees
        .iter()
        .filter(|committee| chamber.is_none_or(|chamber| committee.path_chamber() == chamber))
        .collect();
    let rows: Vec<Value> = found
        .iter()
        .skip(asked.query.offset())
        .take(asked.query.limit())
        .map(|committee| {
            let mut row = json!({
                "chamber": committee.chamber,
                "committeeTypeCode": committee.kind,
                "name": committee.name,
            });
            if let Some(parent) = committee
                .parent
                .as_deref()
                .and_then(|code| world.committee(code))
            {
                row["parent"] = named(parent);
            }
            let subcommittees: Vec<Value> = world
                .committees
                .iter()
                .filter(|other| other.parent.as_deref() == Some(committee.code.as_str()))
                .map(named)
                .collect();
            if !subcommittees.is_empty() {
                row["subcommittees"] = subcommittees.into();
            }
            row["systemCode"] = committee.code.clone().into();
            row["url"] = committee.url().into();
            row
        })
        .collect();
    let body = json!({
        "committees": rows,
        "pagination": pagination(asked, found.len()),
        "request": request(&[("congress", congress), ("chamber", chamber)]),
    });
    Reply::json(200, body.to_string())
}

fn committee(world: &World, chamber: &str, code: &str) -> Reply {
    let request = request(&[("chamber", Some(chamber)), ("systemCode", Some(code))]);
    if let Some(recorded) = world
        .replayed()
        .and_then(|all| all.committee(chamber, code))
    {
        return match recorded {
            Recorded::Answer(body) => Reply::json(200, body.clone()),
            Recorded::Failed(status, message) => Reply::failed(*status, message),
            Recorded::Elsewhere => Reply::not_found("Committee", &request),
        };
    }
    // The real one answers for joint committees under either chamber, too.
    let found = world
        .committee(code)
        .filter(|found| found.path_chamber() == chamber || found.chamber == "Joint");
    let Some(found) = found else {
        return Reply::not_found("Committee", &request);
    };
    let mut item = json!({
        "communications": {
            "count": 0,
            "url": format!(
                "{PUBLIC}/committee/{chamber}/{}/{chamber}-communication?format=json",
                found.code
            ),
        },
        "history": [{
            "libraryOfCongressName": found.name.trim_end_matches(" Subcommittee"),
            "startDate": "1981-01-01T05:00:00Z",
            "updateDate": "2019-11-15T20:44:00Z",
        }],
        "isCurrent": found.current,
    });
    // Newer answers have the name itself; half of ours are newer.
    if found
        .code
        .bytes()
        .map(usize::from)
        .sum::<usize>()
        .is_multiple_of(2)
    {
        item["name"] = found.name.clone().into();
    }
    if let Some(parent) = found
        .parent
        .as_deref()
        .and_then(|code| world.committee(code))
    {
        item["parent"] = named(parent);
    }
    item["systemCode"] = found.code.clone().into();
    item["type"] = found.kind.clone().into();
    item["updateDate"] = "2020-11-24T14:13:20Z".into();
    Reply::json(
        200,
        json!({"committee": item, "request": request}).to_string(),
    )
}

fn hearing(world: &World, congress: &str, chamber: &str, jacket: &str) -> Reply {
    let request = request(&[
        ("congress", Some(congress)),
        ("chamber", Some(chamber)),
        ("jacketNumber", Some(jacket)),
    ]);
    let wanted = jacket.trim_start_matches('0');
    let found = world.meetings().iter().find(|entry| {
        entry.congress.to_string() == congress
            && entry.chamber == chamber
            && entry
                .jackets
                .iter()
                .any(|own| own.trim_start_matches('0') == wanted)
    });
    let Some(entry) = found else {
        return Reply::not_found("Hearing", &request);
    };
    let meeting = entry.meeting();
    let letter = if chamber == "senate" { "s" } else { "h" };
    let folder = format!("CHRG-{congress}{letter}hrg{wanted}");
    let address = format!("https://congress.gov/{congress}/chrg/{folder}/{folder}");
    let date = meeting
        .get("date")
        .and_then(Value::as_str)
        .and_then(|date| date.get(..10));
    let body = json!({
        "hearing": {
            "associatedMeeting": {
                "eventId": entry.event_id,
                "url": super::world::meeting_url(entry.congress, chamber, &entry.event_id),
            },
            "chamber": meeting.get("chamber"),
            "citation": format!("{}.Hrg.{congress}", letter.to_uppercase()),
            "committees": list(meeting.get("committees")),
            "congress": entry.congress,
            "dates": date.map(|date| json!({"date": date})).into_iter().collect::<Vec<_>>(),
            "formats": [
                {"type": "Formatted Text", "url": format!("{address}.htm")},
                {"type": "PDF", "url": format!("{address}.pdf")},
            ],
            "jacketNumber": wanted.parse::<i64>().unwrap_or_default(),
            "libraryOfCongressIdentifier": format!("LC{wanted}"),
            "title": meeting.get("title"),
            "updateDate": meeting.get("updateDate"),
        },
        "request": request,
    });
    Reply::json(200, body.to_string())
}
