/// A witness as a meeting names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Clean text without courtesy titles ("The Honorable", "Mr.", "Dr."); ranks and suffixes stay, as
    /// existing databases have them.
    pub full_name: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub position: Option<String>,
    pub organization: Option<String>,
}

/// The key under which two spellings are one person: courtesy titles, ranks, suffixes, case, accents
/// and punctuation aside.
pub fn name_key(full_name: &str) -> String {
    todo!("{full_name}")
}

/// The key under which two spellings are one organization (case, accents, spacing aside); empty for none.
pub fn organization_key(organization: Option<&str>) -> String {
    todo!("{organization:?}")
}

/// First and last name, as existing databases split them (at the first space).
pub fn split_name(full_name: &str) -> (Option<String>, Option<String>) {
    todo!("{full_name}")
}
