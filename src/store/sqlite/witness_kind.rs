//! What kind of witness an organization sends, as existing databases tell them apart.

use crate::domain::Witness;

const GOVERNMENT: [&str; 20] = [
    "department",
    "u.s.",
    "united states",
    "federal",
    "bureau",
    "agency",
    "administration",
    "government",
    "congressional",
    "army",
    "navy",
    "air force",
    "marine corps",
    "coast guard",
    "national guard",
    "police",
    "sheriff",
    "state of",
    "county of",
    "city of",
];
const ACADEMIC: [&str; 6] = [
    "university",
    "college",
    "institute",
    "school",
    "academy",
    "research center",
];
const NONPROFIT: [&str; 9] = [
    "foundation",
    "association",
    "coalition",
    "alliance",
    "society",
    "council",
    "center for",
    "federation",
    "union",
];

/// A modest guess by words of the organization; `Private` where none fits.
pub(super) fn witness_kind(witness: &Witness) -> &'static str {
    let Some(organization) = &witness.organization else {
        return "Private";
    };
    let organization = organization.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| organization.contains(word));
    if says(&ACADEMIC) {
        "Academic"
    } else if says(&NONPROFIT) {
        "Nonprofit"
    } else if says(&GOVERNMENT) {
        "Government"
    } else {
        "Private"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organizations_tell_the_kind_of_witness() {
        for (organization, kind) in [
            (Some("Oregon State University"), "Academic"),
            (Some("American Bankers Association"), "Nonprofit"),
            (Some("U.S. Department of Energy"), "Government"),
            (Some("Edwards Lifesciences"), "Private"),
            (None, "Private"),
        ] {
            let witness = Witness {
                full_name: "Jane Roe".to_owned(),
                first_name: None,
                last_name: None,
                position: None,
                organization: organization.map(str::to_owned),
            };
            assert_eq!(witness_kind(&witness), kind, "{organization:?}");
        }
    }
}
