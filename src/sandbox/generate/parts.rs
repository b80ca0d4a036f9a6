//! The parts of a meeting, in the shapes that the API gives them.

use serde_json::{Map, Value, json};

use super::people::Person;
use super::words::{ACTS, FIELDS, HOUSE_ROOMS, SENATE_ROOMS};
use super::{Body, Frame, Purpose};
use crate::sandbox::world::{Committee, PUBLIC};

/// Puts a container in, in one of the shapes it comes in.
pub fn container(
    meeting: &mut Map<String, Value>,
    field: &str,
    mut items: Vec<Value>,
    rng: &mut fastrand::Rng,
) {
    let shape = rng.u32(0..100);
    let value = if items.is_empty() {
        match shape {
            0..60 => return,
            60..80 => Value::Array(Vec::new()),
            80..95 => Value::Null,
            _ => json!({}),
        }
    } else {
        match shape {
            0..4 if items.len() == 1 => json!({"item": items.remove(0)}),
            0..4 => json!({"item": items}),
            _ => Value::Array(items),
        }
    };
    meeting.insert(field.to_owned(), value);
}

/// A committee as meetings name it ("House Natural Resources Subcommittee on Federal Lands").
pub fn committee(
    committee: &Committee,
    parent: Option<&Committee>,
    rng: &mut fastrand::Rng,
) -> Value {
    let name = if rng.u32(0..30) == 0 {
        Value::Null
    } else if committee.chamber == "Joint" {
        committee.name.clone().into()
    } else if let (Some(subject), Some(parent)) =
        (committee.name.strip_suffix(" Subcommittee"), parent)
    {
        let parent = parent.name.trim_end_matches(" Committee");
        format!("{} {parent} Subcommittee on {subject}", committee.chamber).into()
    } else {
        format!("{} {}", committee.chamber, committee.name).into()
    };
    json!({"name": name, "systemCode": committee.code, "url": committee.url()})
}

/// A bill that a meeting is about.
pub struct Bill {
    kind: &'static str,
    number: u32,
    pub act: &'static str,
}

impl Bill {
    /// "H.R. 1246".
    pub fn cited(&self) -> String {
        let kind = match self.kind {
            "S" => "S.",
            "HRES" => "H.Res.",
            "SJRES" => "S.J. Res.",
            _ => "H.R.",
        };
        format!("{kind} {}", self.number)
    }
}

pub fn bills(frame: &Frame, rng: &mut fastrand::Rng) -> Vec<Bill> {
    let count = match frame.purpose {
        Purpose::Legislative | Purpose::Markup => rng.usize(1..5),
        Purpose::Business => rng.usize(0..3),
        Purpose::Hearing | Purpose::Nomination => 0,
    };
    (0..count)
        .map(|_| {
            let rare = rng.u32(0..6) == 0;
            let kind = match (frame.house, rare) {
                (Body::Senate, false) => "S",
                (Body::Senate, true) => "SJRES",
                (_, true) => "HRES",
                _ => "HR",
            };
            Bill {
                kind,
                number: rng.u32(1..9000),
                act: rng.choice(ACTS).copied().unwrap_or_default(),
            }
        })
        .collect()
}

/// `relatedItems`, with its containers.
pub fn related(
    meeting: &mut Map<String, Value>,
    frame: &Frame,
    bills: &[Bill],
    rng: &mut fastrand::Rng,
) {
    let mut items = Map::new();
    let congress = frame.congress;
    let bills = bills
        .iter()
        .map(|bill| {
            json!({
                "congress": congress,
                "number": bill.number.to_string(),
                "type": bill.kind,
                "url": format!(
                    "{PUBLIC}/bill/{congress}/{}/{}?format=json",
                    bill.kind.to_ascii_lowercase(),
                    bill.number
                ),
            })
        })
        .collect();
    container(&mut items, "bills", bills, rng);
    if frame.purpose == Purpose::Nomination {
        let number = rng.u32(1..900);
        let nomination = json!({
            "congress": congress,
            "number": number.to_string(),
            "part": "00",
            "url": format!("{PUBLIC}/nomination/{congress}/{number}?format=json"),
        });
        items.insert("nominations".into(), vec![nomination].into());
    }
    if !items.is_empty() || rng.u32(0..10) == 0 {
        meeting.insert("relatedItems".into(), items.into());
    }
}

pub fn location(meeting: &mut Map<String, Value>, house: Body, rng: &mut fastrand::Rng) {
    let rooms = if house == Body::House {
        HOUSE_ROOMS
    } else {
        SENATE_ROOMS
    };
    let (room, building) = rng.choice(rooms).copied().unwrap_or_default();
    let place = match rng.u32(0..100) {
        0..76 => json!({"building": building, "room": room}),
        76..82 => json!({"building": "----------", "room": "WEBEX"}),
        82..89 => field_meeting(rng),
        89..91 => json!({"building": building}),
        91..93 => json!({"room": room}),
        93..95 => json!({}),
        95..97 => Value::Null,
        _ => return,
    };
    meeting.insert("location".into(), place);
}

/// Recorded answers have the address as a text that holds JSON; the documentation has an object.
fn field_meeting(rng: &mut fastrand::Rng) -> Value {
    let (building, street, city, state, code) = rng.choice(FIELDS).copied().unwrap_or_default();
    let mut address = Map::new();
    if !building.is_empty() {
        address.insert("building_name".into(), building.into());
    }
    for (field, value) in [
        ("street-address", street),
        ("city", city),
        ("state", state),
        ("postal_code", code),
    ] {
        address.insert(field.into(), value.into());
    }
    let address = Value::from(address);
    if rng.u32(0..4) == 0 {
        json!({"address": address})
    } else {
        json!({"address": address.to_string()})
    }
}

/// Printed long after, so few have one.
pub fn transcript(frame: &Frame, number: u64, rng: &mut fastrand::Rng) -> Vec<Value> {
    if rng.u32(0..100) >= 8 {
        return Vec::new();
    }
    // Some have four digits, which are stored as five.
    let jacket = if rng.u32(0..8) == 0 {
        4000 + number % 5000
    } else {
        50_000 + number % 50_000
    };
    let (congress, chamber) = (frame.congress, frame.house.path());
    vec![json!({
        "jacketNumber": jacket,
        "url": format!("{PUBLIC}/hearing/{congress}/{chamber}/{jacket}?format=json"),
    })]
}

/// "119th".
fn ordinal(number: i64) -> String {
    let suffix = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// Two of each: the chamber's own, and the page at Congress.gov.
pub fn videos(
    frame: &Frame,
    number: u64,
    committees: &[&Committee],
    rng: &mut fastrand::Rng,
) -> Vec<Value> {
    const ID: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if rng.u32(0..100) >= 70 {
        return Vec::new();
    }
    let congress = frame.congress;
    let page = format!(
        "https://www.congress.gov/event/{}-congress/{}-event/{}",
        ordinal(congress),
        if frame.house == Body::Joint {
            "joint"
        } else {
            frame.house.path()
        },
        frame.event_id
    );
    let own = if frame.house == Body::House {
        let mut id: String = (0..11)
            .map(|_| char::from(rng.choice(ID).copied().unwrap_or(b'A')))
            .collect();
        if rng.u32(0..15) == 0 {
            // One hyphen too many, as upstream has it.
            id.insert(0, '-');
        }
        match rng.u32(0..3) {
            0 => format!("https://youtu.be/{id}"),
            1 => format!("https://www.youtube.com/live/{id}"),
            _ => format!("https://www.youtube.com/watch?v={id}"),
        }
    } else {
        let code = committees
            .first()
            .and_then(|committee| committee.code.get(2..4))
            .unwrap_or("xx");
        format!("https://www.senate.gov/isvp/?type=live&comm={code}&filename={code}{number:06}")
    };
    let mut videos = vec![
        json!({"name": "Committee video", "url": own}),
        json!({"name": "Congress.gov video", "url": page}),
    ];
    if rng.u32(0..12) == 0 {
        videos.remove(0);
    }
    videos
}

/// `HHRG-119-II24`: the committee's part of a code in capitals.
fn stem(frame: &Frame, committees: &[&Committee]) -> String {
    let code = committees
        .first()
        .and_then(|committee| committee.code.get(2..))
        .unwrap_or("xx00");
    format!("HHRG-{}-{}", frame.congress, code.to_ascii_uppercase())
}

fn folder(frame: &Frame) -> String {
    let (congress, chamber) = (frame.congress, frame.house.path());
    format!(
        "https://www.congress.gov/{congress}/meeting/{chamber}/{}",
        frame.event_id
    )
}

pub fn witness_documents(
    frame: &Frame,
    committees: &[&Committee],
    panel: &[&Person],
    rng: &mut fastrand::Rng,
) -> Vec<Value> {
    // The Senate's committees publish theirs elsewhere.
    if frame.house != Body::House {
        return Vec::new();
    }
    let (stem, day) = (stem(frame, committees), frame.day());
    let document = |kind: &str, file: String| {
        let url = format!("{}/witnesses/{file}.pdf", folder(frame));
        json!({"documentType": kind, "format": "PDF", "url": url})
    };
    let mut documents = Vec::new();
    for person in panel {
        let slot = person.slot();
        if rng.u32(0..100) < 85 {
            documents.push(document(
                "Witness Statement",
                format!("{stem}-Wstate-{slot}-{day}"),
            ));
        }
        if rng.u32(0..100) < 40 {
            documents.push(document(
                "Witness Biography",
                format!("{stem}-Bio-{slot}-{day}"),
            ));
        }
        if rng.u32(0..100) < 50 {
            let file = match rng.u32(0..4) {
                0 => format!("{stem}-TTF-{slot}-{day}-U{}", rng.u32(1..30)),
                _ => format!("{stem}-TTF-{slot}-{day}"),
            };
            documents.push(document("Witness Truth in Testimony", file));
        }
        if rng.u32(0..100) < 8 {
            let file = format!("{stem}-Wstate-{slot}-{day}-SD001");
            documents.push(document("Witness Supporting Document", file));
        }
    }
    // Somebody else's, whom the list of witnesses does not have.
    if !panel.is_empty() && rng.u32(0..12) == 0 {
        documents.push(document(
            "Witness Statement",
            format!("{stem}-Wstate-SmithersQ-{day}"),
        ));
    }
    documents
}

pub fn meeting_documents(
    frame: &Frame,
    committees: &[&Committee],
    bills: &[Bill],
    rng: &mut fastrand::Rng,
) -> Vec<Value> {
    if frame.house != Body::House || rng.u32(0..4) == 0 {
        return Vec::new();
    }
    let (stem, day, folder) = (stem(frame, committees), frame.day(), folder(frame));
    let mut documents = Vec::new();
    for (at, name) in ["Hearing Notice", "Hearing Memo", "Chair’s Submission FTR"]
        .iter()
        .enumerate()
    {
        if rng.u32(0..3) > 0 {
            documents.push(json!({
                "documentType": "Support Document",
                "format": "PDF",
                "name": name,
                "url": format!("{folder}/documents/{stem}-{day}-SD{:03}.pdf", at + 1),
            }));
        }
    }
    for bill in bills {
        let number = bill.number;
        let mut document = json!({
            "documentType": "Bills and Resolutions",
            "format": "PDF",
            "name": format!("{}, {}", bill.cited(), bill.act),
            "url": format!(
                "{folder}/documents/BILLS-{}{}{number}ih.pdf", frame.congress, bill.kind
            ),
        });
        if rng.u32(0..3) == 0 {
            document["description"] = "As introduced\r\n".into();
        }
        documents.push(document);
    }
    documents
}
