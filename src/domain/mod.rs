//! Domain types, parsed once from the API's JSON: tolerant in, strict out.

mod bill;
mod chamber;
mod committee;
mod components;
mod dates;
mod document;
mod location;
mod meeting;
mod parse;
mod person;
mod reader;
mod related;
mod text;
mod titles;
mod video;

pub use bill::BillRef;
pub use chamber::Chamber;
pub use committee::{Committee, CommitteeRef, parse_committee};
pub use components::{Component, Components, UnknownComponent};
pub use dates::{DateTime, moves_on, parse_datetime};
pub use document::{MeetingDocument, Slot, Transcript, WitnessDocument, match_slot, slot_of};
pub use meeting::{Issue, ListItem, Meeting, MeetingStatus, MeetingType, Notice, Parsed};
pub use parse::{ListPage, parse_list_item, parse_list_page, parse_meeting};
pub use person::{Witness, name_key, organization_key, split_name, without_courtesy};
pub use text::{is_visible_line, on_one_line, one_line};
pub use video::{Video, VideoType, pick_video};
