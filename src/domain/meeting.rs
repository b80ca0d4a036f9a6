//! A committee meeting, as the store wants it.

use super::{
    BillRef, Chamber, CommitteeRef, DateTime, MeetingDocument, Transcript, Video, Witness,
    WitnessDocument,
};

/// `hearings.hearing_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MeetingType {
    Hearing,
    Meeting,
    Markup,
}

impl MeetingType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hearing => "Hearing",
            Self::Meeting => "Meeting",
            Self::Markup => "Markup",
        }
    }
}

/// `hearings.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MeetingStatus {
    Scheduled,
    Canceled,
    Postponed,
    Rescheduled,
}

impl MeetingStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Canceled => "Canceled",
            Self::Postponed => "Postponed",
            Self::Rescheduled => "Rescheduled",
        }
    }
}

/// One committee meeting. `None` and an empty list both mean "the API said nothing":
/// neither ever overwrites or deletes what is stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Meeting {
    pub event_id: String,
    pub congress: Option<i64>,
    pub chamber: Option<Chamber>,
    /// One line of clean text.
    pub title: Option<String>,
    pub meeting_type: Option<MeetingType>,
    pub status: Option<MeetingStatus>,
    /// `YYYY-MM-DD`, UTC.
    pub date: Option<String>,
    /// `HH:MM:SS`, UTC; `None` where the API gave a bare date.
    pub time: Option<String>,
    /// Readable text, such as "1324 Longworth House Office Building".
    pub location: Option<String>,
    pub video: Option<Video>,
    /// Five digits, zero-filled (of the first transcript that has one).
    pub jacket_number: Option<String>,
    /// The API's own address of the item.
    pub url: Option<String>,
    /// The public congress.gov/event page, where a video names it.
    pub event_page: Option<String>,
    pub update_date: Option<DateTime>,
    pub committees: Vec<CommitteeRef>,
    pub witnesses: Vec<Witness>,
    pub witness_documents: Vec<WitnessDocument>,
    pub meeting_documents: Vec<MeetingDocument>,
    pub transcripts: Vec<Transcript>,
    pub bills: Vec<BillRef>,
}

impl Meeting {
    /// The public page: the one a video names, else built from congress, chamber and event id in the
    /// same form (`https://www.congress.gov/event/119th-congress/house-event/118296`).
    /// `None` where the event id would lead to another page.
    pub fn congress_gov_url(&self) -> Option<String> {
        if let Some(page) = &self.event_page {
            return Some(page.clone());
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !self.event_id.bytes().all(plain) {
            return None;
        }
        let congress = self.congress?;
        let chamber = match self.chamber? {
            Chamber::House => "house",
            Chamber::Senate => "senate",
            Chamber::Joint | Chamber::NoChamber => "joint",
        };
        let suffix = match (congress % 100, congress % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        Some(format!(
            "https://www.congress.gov/event/{congress}{suffix}-congress/{chamber}-event/{}",
            self.event_id
        ))
    }
}

/// A row of a list page: all that the list tells of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListItem {
    pub event_id: String,
    pub congress: Option<i64>,
    pub chamber: Option<Chamber>,
    pub update_date: Option<DateTime>,
    pub url: Option<String>,
}

/// Something in a record that cannot be stored as it is: a wrong type, an unreadable date, ...
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The API's name of the field, with a path where it is nested (`witnesses[2].name`).
    pub field: String,
    /// "Invalid date format: 'tomorrow'", "Congress must be a number, got 'abc'", ...
    pub message: String,
}

/// Something that was mapped rather than refused; reported once a run for each value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Notice {
    UnknownType { value: String, stored: MeetingType },
    UnknownStatus { value: String },
}

/// What the parser made of a record. `issues` empty means that `meeting` is sound; a missing event id
/// or chamber is no issue here (the validator requires them, the writer has defaults).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// `event_id` is empty where the record has none.
    pub meeting: Meeting,
    pub issues: Vec<Issue>,
    pub notices: Vec<Notice>,
}
