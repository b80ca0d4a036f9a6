//! Documents of a meeting and of its witnesses.

/// A document that a witness handed in; the API does not say which witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessDocument {
    /// One of the values `witness_documents.document_type` knows.
    pub document_type: &'static str,
    pub format: Option<String>,
    pub url: String,
    /// From the file name, where it has one.
    pub slot: Option<Slot>,
}

/// Slot 5 of a document's file name: whose it is (`HHRG-118-II24-Wstate-OsceolaM-20230324.pdf`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// As written, such as `Osceola`.
    pub last_name: String,
    pub initial: char,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingDocument {
    pub name: Option<String>,
    pub description: Option<String>,
    /// As the API gives it; `Other` where absent (the column is NOT NULL).
    pub document_type: String,
    pub format: Option<String>,
    pub url: Option<String>,
}

/// A printed transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Five digits, zero-filled.
    pub jacket_number: String,
    pub url: Option<String>,
}

/// Which of `names` (full names) a slot means: `None` when none or more than one fits (never a guess).
pub fn match_slot(slot: &Slot, names: &[&str]) -> Option<usize> {
    todo!("{slot:?} {names:?}")
}
