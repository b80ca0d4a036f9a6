//! Those who testify: a cast that comes again, not always under the same spelling.

use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

use super::words::{COMMANDS, FIRST, LAST, OFFICES};

/// Someone who testifies.
pub struct Person {
    pub first: &'static str,
    pub last: String,
    rank: Option<&'static str>,
    suffix: Option<&'static str>,
    courtesy: Option<&'static str>,
    position: Option<&'static str>,
    organization: Option<&'static str>,
}

/// A cast without two of the same first and last name.
pub fn cast(rng: &mut fastrand::Rng, size: usize) -> Vec<Person> {
    let mut names: Vec<(&'static str, &'static str)> = FIRST
        .iter()
        .flat_map(|first| LAST.iter().map(|last| (*first, *last)))
        .collect();
    rng.shuffle(&mut names);
    names.truncate(size);
    names
        .into_iter()
        .map(|(first, last)| person(first, last, rng))
        .collect()
}

fn person(first: &'static str, last: &'static str, rng: &mut fastrand::Rng) -> Person {
    let last = last.to_owned();
    if rng.u32(0..100) < 12
        && let Some((rank, position, organization)) = rng.choice(COMMANDS)
    {
        return Person {
            first,
            last,
            rank: Some(rank),
            suffix: None,
            courtesy: None,
            position: Some(position),
            organization: Some(organization),
        };
    }
    let (position, organization) = rng.choice(OFFICES).copied().unwrap_or_default();
    let suffix = match rng.u32(0..100) {
        0..4 => Some(", Jr."),
        4..6 => Some(" III"),
        6..10 => Some(", PhD"),
        10..13 => Some(", M.D."),
        _ => None,
    };
    let courtesy = match rng.u32(0..100) {
        0..30 => Some("The Honorable"),
        30..50 => Some("Mr."),
        50..70 => Some("Ms."),
        70..78 => Some("Dr."),
        78..82 => Some("Hon."),
        _ => None,
    };
    Person {
        first,
        last,
        rank: None,
        suffix,
        courtesy,
        position,
        organization,
    }
}

impl Person {
    /// As a meeting names them; the courtesy title comes and goes.
    pub fn testifying(&self, rng: &mut fastrand::Rng) -> Value {
        let mut name = String::new();
        if let Some(title) = self.rank.or(self.courtesy.filter(|_| rng.u32(0..3) > 0)) {
            name.push_str(title);
            name.push(' ');
        }
        name.push_str(self.first);
        name.push(' ');
        name.push_str(&self.last);
        name.push_str(self.suffix.unwrap_or_default());
        let mut witness = Map::new();
        witness.insert("name".into(), name.into());
        if let Some(organization) = self.organization {
            witness.insert("organization".into(), organization.into());
        }
        if let Some(position) = self.position {
            witness.insert("position".into(), position.into());
        }
        witness.into()
    }

    /// As file names of documents have them.
    pub fn slot(&self) -> String {
        let initial = self
            .first
            .chars()
            .next()
            .map(String::from)
            .unwrap_or_default();
        letters(&self.last) + &letters(&initial)
    }
}

/// Up to five persons, most often two to four.
pub fn panel<'a>(people: &'a [Person], rng: &mut fastrand::Rng) -> Vec<&'a Person> {
    let size = match rng.u32(0..100) {
        0..8 => 0,
        8..20 => 1,
        20..45 => 2,
        45..72 => 3,
        72..92 => 4,
        _ => 5,
    };
    rng.choose_multiple(people, size)
}

/// Plain letters only, without accents.
fn letters(text: &str) -> String {
    let folded: String = text.replace('ø', "o").replace('Ø', "O").nfd().collect();
    folded.chars().filter(char::is_ascii_alphabetic).collect()
}

/// The slot of a file name for a full name: last name and initial.
pub fn slot(name: &str) -> String {
    const TITLES: [&str; 17] = [
        "The",
        "Honorable",
        "Hon.",
        "Mr.",
        "Ms.",
        "Mrs.",
        "Dr.",
        "General",
        "Gen.",
        "Admiral",
        "Lieutenant",
        "Lt.",
        "Rear",
        "Vice",
        "Colonel",
        "Commander",
        "Major",
    ];
    let name = name.split(',').next().unwrap_or_default();
    let words: Vec<&str> = name
        .split_whitespace()
        .skip_while(|word| TITLES.contains(word))
        .filter(|word| !matches!(*word, "Jr." | "Sr." | "II" | "III" | "IV" | "PhD"))
        .collect();
    let first = words
        .first()
        .and_then(|word| word.chars().next())
        .map(String::from);
    // Name particles belong to the last name.
    let from = words
        .iter()
        .skip(1)
        .position(|word| matches!(*word, "de" | "la" | "Van" | "von"))
        .map_or(words.len().saturating_sub(1), |at| at + 1);
    letters(&words.iter().skip(from).copied().collect::<String>())
        + &letters(&first.unwrap_or_default())
}
