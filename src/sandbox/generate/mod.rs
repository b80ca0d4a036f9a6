//! A generated Congress: the same for the same seed, meeting by meeting.

mod committees;
mod parts;
mod people;
mod titles;
mod words;

use serde_json::{Map, Value};

use self::people::Person;
use super::draw::rng;
use super::world::{Committee, written};

pub use committees::committees;
pub use people::slot;

/// Where generated event ids start, above all that real databases of today hold.
const HOUSE_FROM: u64 = 121_001;
const SENATE_FROM: u64 = 351_001;
/// How many persons testify before the whole Congress; they come again and again.
const PERSONS: usize = 400;

/// Makes meetings by number; each hangs on the seed and its number alone.
pub struct Generator {
    pub seed: u64,
    pub congress: i64,
    committees: Vec<Committee>,
    people: Vec<Person>,
}

/// Which house meets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Body {
    House,
    Senate,
    /// Joint committees.
    Joint,
}

impl Body {
    /// As the API writes it.
    pub fn chamber(self) -> &'static str {
        match self {
            Self::House => "House",
            Self::Senate => "Senate",
            Self::Joint => "NoChamber",
        }
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::House => "house",
            Self::Senate => "senate",
            Self::Joint => "nochamber",
        }
    }
}

/// What a meeting is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Hearing,
    Legislative,
    Nomination,
    Markup,
    Business,
}

/// What the parts of a meeting need to know of it.
pub struct Frame {
    pub event_id: String,
    pub congress: i64,
    pub house: Body,
    pub purpose: Purpose,
    /// When it is held, in seconds since 1970.
    pub held: i64,
}

impl Frame {
    /// `20250929`, as file names have it.
    pub fn day(&self) -> String {
        written(self.held, false)
            .chars()
            .filter(char::is_ascii_digit)
            .take(8)
            .collect()
    }
}

impl Generator {
    /// New meetings are held by the committees of `own`, or by generated ones of a house that has none.
    pub fn new(seed: u64, congress: i64, own: &[Committee]) -> Self {
        let mut pool: Vec<Committee> = own.iter().filter(|own| own.current).cloned().collect();
        for chamber in ["House", "Senate"] {
            if !pool.iter().any(|committee| committee.chamber == chamber) {
                let generated = committees().into_iter();
                pool.extend(generated.filter(|committee| committee.chamber == chamber));
            }
        }
        Self {
            seed,
            congress,
            committees: pool,
            people: people::cast(&mut rng(seed, "people", 0), PERSONS),
        }
    }

    fn house(&self, number: u64) -> Body {
        match rng(self.seed, "house", number).u32(0..100) {
            0..55 => Body::House,
            55..94 => Body::Senate,
            _ => Body::Joint,
        }
    }

    pub fn event_id(&self, number: u64) -> String {
        // Upstream has had such ids; they are text, whatever people expect.
        if number % 500 == 97 {
            return format!("634847912c87197a{:08x}", number + 0xac1f_9800);
        }
        let from = if self.house(number) == Body::House {
            HOUSE_FROM
        } else {
            SENATE_FROM
        };
        (from + number).to_string()
    }

    /// The meeting of this number, last updated at `updated`.
    pub fn meeting(&self, number: u64, updated: i64) -> Value {
        let mut rng = rng(self.seed, "meeting", number);
        let house = self.house(number);
        let purpose = purpose(house, &mut rng);
        let older = rng.u32(0..8) == 0;
        let frame = Frame {
            event_id: self.event_id(number),
            congress: self.congress,
            house,
            purpose,
            held: held(updated, &mut rng),
        };
        let committees = self.pick_committees(house, &mut rng);
        let panel = match purpose {
            Purpose::Markup | Purpose::Business => Vec::new(),
            _ => people::panel(&self.people, &mut rng),
        };
        let bills = parts::bills(&frame, &mut rng);

        let mut meeting = Map::new();
        meeting.insert("chamber".into(), house.chamber().into());
        let named = committees
            .iter()
            .map(|committee| parts::committee(committee, self.parent(committee), &mut rng))
            .collect();
        parts::container(&mut meeting, "committees", named, &mut rng);
        meeting.insert("congress".into(), self.congress.into());
        meeting.insert("date".into(), written(frame.held, older).into());
        let id = &frame.event_id;
        // Some answers give a number.
        let id = match id.parse::<u64>() {
            Ok(digits) if rng.u32(0..50) == 0 => digits.into(),
            _ => Value::from(id.as_str()),
        };
        meeting.insert("eventId".into(), id);
        parts::container(
            &mut meeting,
            "hearingTranscript",
            parts::transcript(&frame, number, &mut rng),
            &mut rng,
        );
        if rng.u32(0..20) == 0 {
            meeting.insert("isManuallyCurated".into(), "Y".into());
        }
        parts::location(&mut meeting, house, &mut rng);
        parts::container(
            &mut meeting,
            "meetingDocuments",
            parts::meeting_documents(&frame, &committees, &bills, &mut rng),
            &mut rng,
        );
        let status = match rng.u32(0..100) {
            0..82 => "Scheduled",
            82..88 => "Postponed",
            88..94 => "Canceled",
            _ => "Rescheduled",
        };
        meeting.insert("meetingStatus".into(), status.into());
        parts::related(&mut meeting, &frame, &bills, &mut rng);
        let lead = committees
            .first()
            .map(|committee| committee.name.as_str())
            .unwrap_or_default();
        meeting.insert(
            "title".into(),
            titles::title(&frame, &bills, lead, &mut rng).into(),
        );
        let kind = match (house, purpose) {
            (Body::House, Purpose::Markup) => "Markup",
            (Body::House, Purpose::Business) | (Body::Senate | Body::Joint, _) => "Meeting",
            (Body::House, _) => "Hearing",
        };
        meeting.insert("type".into(), kind.into());
        meeting.insert("updateDate".into(), written(updated, older).into());
        parts::container(
            &mut meeting,
            "videos",
            parts::videos(&frame, number, &committees, &mut rng),
            &mut rng,
        );
        parts::container(
            &mut meeting,
            "witnessDocuments",
            parts::witness_documents(&frame, &committees, &panel, &mut rng),
            &mut rng,
        );
        let witnesses = panel
            .iter()
            .map(|person| person.testifying(&mut rng))
            .collect();
        parts::container(&mut meeting, "witnesses", witnesses, &mut rng);
        meeting.into()
    }

    fn parent(&self, committee: &Committee) -> Option<&Committee> {
        let code = committee.parent.as_deref()?;
        self.committees.iter().find(|other| other.code == code)
    }

    /// Mostly one committee; some meetings are held by several.
    fn pick_committees<'a>(&'a self, house: Body, rng: &mut fastrand::Rng) -> Vec<&'a Committee> {
        let of = |chamber: &str| -> Vec<&'a Committee> {
            self.committees
                .iter()
                .filter(|committee| committee.chamber == chamber)
                .collect()
        };
        let together = rng.u32(0..20) == 0;
        let (pool, count) = match house {
            Body::House => (of("House"), if together { 2 } else { 1 }),
            Body::Senate => (of("Senate"), if together { 2 } else { 1 }),
            Body::Joint => {
                // A joint committee, or a committee of each chamber.
                let joint = of("Joint");
                if (together || rng.bool()) && !joint.is_empty() {
                    (joint, 1)
                } else {
                    return [rng.choice(of("House")), rng.choice(of("Senate"))]
                        .into_iter()
                        .flatten()
                        .collect();
                }
            }
        };
        rng.choose_multiple(pool, count)
    }

    /// A witness who is none of those named.
    pub fn witness_besides(&self, names: &[&str], pick: u64) -> Option<Value> {
        let mut rng = rng(self.seed, "besides", pick);
        let taken = |person: &Person| names.iter().any(|name| name.contains(person.last.as_str()));
        (0..100).find_map(|_| {
            let person = rng.choice(&self.people).filter(|person| !taken(person))?;
            Some(person.testifying(&mut fastrand::Rng::with_seed(pick)))
        })
    }
}

fn purpose(house: Body, rng: &mut fastrand::Rng) -> Purpose {
    let draw = rng.u32(0..100);
    match house {
        Body::House => match draw {
            0..55 => Purpose::Hearing,
            55..75 => Purpose::Legislative,
            75..92 => Purpose::Markup,
            _ => Purpose::Business,
        },
        Body::Senate => match draw {
            0..60 => Purpose::Hearing,
            60..80 => Purpose::Nomination,
            _ => Purpose::Business,
        },
        Body::Joint => Purpose::Hearing,
    }
}

/// Some weeks around the day of the last update, on a working day, at one of the usual hours (UTC).
fn held(updated: i64, rng: &mut fastrand::Rng) -> i64 {
    const DAY: i64 = 86_400;
    const HOURS: [i64; 8] = [
        13 * 60,
        14 * 60,
        14 * 60,
        14 * 60 + 15,
        14 * 60 + 30,
        15 * 60,
        18 * 60,
        19 * 60 + 30,
    ];
    let day = updated.div_euclid(DAY) + rng.i64(-25..25);
    // 1970 began on a Thursday.
    let back = match (day + 3).rem_euclid(7) {
        5 => 1,
        6 => 2,
        _ => 0,
    };
    (day - back) * DAY + rng.choice(HOURS).unwrap_or(14 * 60) * 60
}
