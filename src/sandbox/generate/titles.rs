//! Titles, as untidy as the real ones: tabs, bullets, CR LF, typographic quotes.

use std::fmt::Write as _;

use super::parts::Bill;
use super::words::{LAST, LONG_TITLES, POSTS, STATES, TOPICS};
use super::{Body, Frame, Purpose};

fn pick(list: &[&'static str], rng: &mut fastrand::Rng) -> &'static str {
    rng.choice(list).copied().unwrap_or_default()
}

pub fn title(frame: &Frame, bills: &[Bill], committee: &str, rng: &mut fastrand::Rng) -> String {
    // Upstream does that now and then.
    if rng.u32(0..100) == 0 {
        return committee.to_owned();
    }
    match (frame.house, frame.purpose) {
        (_, Purpose::Legislative) => legislative(bills, rng),
        (_, Purpose::Markup) => markup(bills, rng),
        (_, Purpose::Nomination) => nomination(rng),
        (Body::House, Purpose::Business) => match rng.u32(0..4) {
            0 => "Committee Organizational Meeting".to_owned(),
            1 => "Members’ Day".to_owned(),
            2 => "Business Meeting: Consideration of the Committee’s Oversight Plan\r\n".to_owned(),
            _ => format!("Closed Briefing on {}", pick(TOPICS, rng)),
        },
        (_, Purpose::Business) => match rng.u32(0..3) {
            0 => format!("Closed hearings to examine {}.", lower(pick(TOPICS, rng))),
            1 => format!("Business meeting to consider {}.", list_bills(bills)),
            _ => "Organizational business meeting to consider committee rules.".to_owned(),
        },
        (Body::House, Purpose::Hearing) => house_hearing(rng),
        (Body::Senate, Purpose::Hearing) => {
            format!("Hearings to examine {}.", lower(pick(TOPICS, rng)))
        }
        (Body::Joint, Purpose::Hearing) => {
            format!("Joint hearings to examine {}.", lower(pick(TOPICS, rng)))
        }
    }
}

fn lower(topic: &str) -> String {
    let mut letters = topic.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

fn house_hearing(rng: &mut fastrand::Rng) -> String {
    let topic = pick(TOPICS, rng);
    match rng.u32(0..6) {
        0 => format!("Oversight hearing titled “{topic}.”"),
        1 => format!("“{topic}”"),
        2 => format!("\"{topic}\""),
        3 => format!("  {topic}\t"),
        4 => format!("{topic}\r\n\r\nPanel I: Members\r\nPanel II: Witnesses"),
        _ => topic.to_owned(),
    }
}

fn legislative(bills: &[Bill], rng: &mut fastrand::Rng) -> String {
    let mut text = "Legislative hearing on: ".to_owned();
    let last = bills.len().saturating_sub(1);
    for (at, bill) in bills.iter().enumerate() {
        let end = match at {
            at if at == last => ".",
            at if at + 1 == last => "; and\r\n",
            _ => ";\r\n",
        };
        let sponsor = pick(LAST, rng);
        let what = if rng.bool() {
            format!("“{}”", bill.act)
        } else {
            pick(LONG_TITLES, rng).to_owned()
        };
        let _ = write!(text, "•\t{} (Rep. {sponsor}), {what}{end}", bill.cited());
    }
    text
}

fn markup(bills: &[Bill], rng: &mut fastrand::Rng) -> String {
    if rng.bool() {
        return format!("Markup of {}", list_bills(bills));
    }
    let mut text = "the Full Committee to consider the following: \r\n".to_owned();
    for (at, bill) in bills.iter().enumerate() {
        let _ = write!(
            text,
            "\r\n{}) {}, the {};\r\n",
            at + 1,
            bill.cited(),
            bill.act
        );
    }
    text.push_str(" \r\nSeveral postal naming measures.");
    text
}

fn list_bills(bills: &[Bill]) -> String {
    if bills.is_empty() {
        return "pending calendar business".to_owned();
    }
    let all: Vec<String> = bills
        .iter()
        .map(|bill| format!("{}, {}", bill.cited(), bill.act))
        .collect();
    all.join("; ")
}

fn nomination(rng: &mut fastrand::Rng) -> String {
    format!(
        "Hearings to examine the nomination of {} {}, of {}, to be {}.",
        pick(super::words::FIRST, rng),
        pick(LAST, rng),
        pick(STATES, rng),
        pick(POSTS, rng),
    )
}
