//! What the store tells of a database as a whole, for a person who wants to know whether it is sound.

/// Something that is looked for in the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    UnreadableDate,
    NoDate,
    OutsideCongress,
    FarAhead,
    DatesDisagree,
    UnreadableUpdateDate,
    FutureUpdateDate,
    NoTitle,
    NoLocation,
    NoCommittee,
    NoWitness,
    WitnessNowhere,
    /// One person with one organization as several witnesses; counted by person.
    AlikeWitnesses,
    RepeatedWitnessDocuments,
    RepeatedSupportingDocuments,
    RepeatedTranscripts,
}

impl About {
    /// The name of its figure.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableDate => "unreadable_dates",
            Self::NoDate => "hearings_without_date",
            Self::OutsideCongress => "dates_outside_congress",
            Self::FarAhead => "dates_far_ahead",
            Self::DatesDisagree => "dates_that_disagree",
            Self::UnreadableUpdateDate => "unreadable_update_dates",
            Self::FutureUpdateDate => "update_dates_in_the_future",
            Self::NoTitle => "hearings_without_title",
            Self::NoLocation => "hearings_without_location",
            Self::NoCommittee => "hearings_without_committee",
            Self::NoWitness => "hearings_without_witness",
            Self::WitnessNowhere => "witnesses_without_hearing",
            Self::AlikeWitnesses => "alike_witnesses",
            Self::RepeatedWitnessDocuments => "repeated_witness_documents",
            Self::RepeatedSupportingDocuments => "repeated_supporting_documents",
            Self::RepeatedTranscripts => "repeated_transcripts",
        }
    }
}

/// How often something was found, with a few examples for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub about: About,
    pub count: i64,
    pub examples: Vec<String>,
}

/// The newest row of `update_logs`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoggedRun {
    /// Naive local times.
    pub start_time: String,
    pub end_time: Option<String>,
    /// `None` where the table does not say.
    pub success: Option<bool>,
    /// JSON list, as stored.
    pub errors: Option<String>,
    pub trigger_source: Option<String>,
    /// Column -> number; `None` for NULL and for what is no number.
    pub figures: Vec<(&'static str, Option<f64>)>,
}

/// The figures of a database. What its shape lacks is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// Column of `hearings` -> its values (NULL as "NULL"), with the rows of each.
    pub groups: Vec<(&'static str, Vec<(String, i64)>)>,
    /// Of `hearing_date`.
    pub earliest: Option<String>,
    pub latest: Option<String>,
    /// The newest upstream `update_date`.
    pub newest_update_date: Option<String>,
    /// The newest `updated_at` of a hearing, UTC.
    pub last_written: Option<String>,
    pub findings: Vec<Finding>,
    /// There is a table `update_logs`.
    pub logs: bool,
    pub last_log: Option<LoggedRun>,
}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mended {
    /// A line for each row that was removed.
    pub removed: Vec<String>,
    /// Events of hearings that are still there and lost such a row: the next run asks for them again.
    pub asked_again: Vec<String>,
}
