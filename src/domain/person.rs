//! Witnesses, and when two spellings are one person.

use super::text::{folded, folded_words};
use super::titles::{COURTESY, courtesy_words, is_suffix, is_suffix_after_comma, rank_words};

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
    let key = name_words(full_name).join(" ");
    if !key.is_empty() {
        return key;
    }
    // Nothing of it is a letter or a digit; still, two such names are not one.
    full_name.trim().to_lowercase()
}

/// The key under which two spellings are one organization (case, accents, punctuation, spacing aside);
/// empty for none.
pub fn organization_key(organization: Option<&str>) -> String {
    let Some(organization) = organization else {
        return String::new();
    };
    if organization.contains('&') {
        return folded(&organization.replace('&', " and "));
    }
    folded(organization)
}

/// First and last name, as existing databases split them (at the first space).
pub fn split_name(full_name: &str) -> (Option<String>, Option<String>) {
    let name = full_name.trim();
    let (first, last) = name.split_once(char::is_whitespace).unwrap_or((name, ""));
    let some = |part: &str| Some(part.trim().to_owned()).filter(|part| !part.is_empty());
    (some(first), some(last))
}

/// A name without its courtesy titles; never without anything.
pub fn without_courtesy(name: &str) -> &str {
    let mut rest = name.trim();
    while let Some((title, after)) = split_courtesy(rest) {
        // "Hon" without a full stop is a given name, unless a given name follows it.
        if title.eq_ignore_ascii_case("hon") && !after.contains(char::is_whitespace) {
            break;
        }
        rest = after;
    }
    rest
}

/// The courtesy title in front, and what comes after it.
fn split_courtesy(name: &str) -> Option<(&str, &str)> {
    let (first, after) = name.split_once(char::is_whitespace)?;
    let after = after.trim_start();
    if first.eq_ignore_ascii_case("the") {
        let (second, after) = after.split_once(char::is_whitespace)?;
        let honorable = ["honorable", "honourable", "hon"]
            .into_iter()
            .any(|t| is_title(second, t));
        return honorable.then(|| (first, after.trim_start()));
    }
    COURTESY
        .into_iter()
        .any(|title| is_title(first, title))
        .then_some((first, after))
}

/// With or without a full stop, in any case.
fn is_title(word: &str, title: &str) -> bool {
    word.strip_suffix('.')
        .unwrap_or(word)
        .eq_ignore_ascii_case(title)
}

/// The words of the name proper, folded; empty only where the text has no letter and no digit.
pub(super) fn name_words(full_name: &str) -> Vec<String> {
    let plain = without_remarks(full_name);
    let mut segments = plain.split(',');
    let head = segments.next().unwrap_or_default();
    let mut words = folded_words(head);
    let head_words = words.len();
    for segment in segments {
        let added = folded_words(segment);
        let credentials = head_words > 0
            && (merged_initials(added.clone())
                .iter()
                .all(|word| is_suffix_after_comma(word))
                || (head_words > 1 && looks_like_credentials(head, segment)));
        if !credentials {
            words.extend(added);
        }
    }
    if words.is_empty() {
        return folded_words(full_name);
    }
    let mut words = merged_initials(words);
    while words.len() > 1 && words.last().is_some_and(|word| is_suffix(word)) {
        words.pop();
    }
    if words.len() > 2 && words.ends_with(&["ph".to_owned(), "d".to_owned()]) {
        words.truncate(words.len() - 2);
    }
    loop {
        let courtesy = courtesy_words(&words);
        if courtesy > 0 && courtesy < words.len() {
            words.drain(..courtesy);
            continue;
        }
        // Before a surname alone a rank may be a given name (Judge Glock, Major Garrett).
        let rank = rank_words(&words);
        if rank == 0 || rank + 1 >= words.len() {
            return words;
        }
        words.drain(..rank);
    }
}

/// Without "(Ret.)", "(Did Not Testify)" and the like; the text itself where nothing else is in it.
fn without_remarks(name: &str) -> String {
    if !name.contains(['(', '[']) {
        return name.to_owned();
    }
    let mut plain = String::with_capacity(name.len());
    let mut depth = 0_u32;
    for c in name.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => {
                depth = depth.saturating_sub(1);
                plain.push(' ');
            }
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    if plain.chars().any(char::is_alphanumeric) {
        plain
    } else {
        name.to_owned()
    }
}

/// Letters in a row are initials: "A. C." is what "A.C." is.
fn merged_initials(words: Vec<String>) -> Vec<String> {
    let mut merged: Vec<String> = Vec::with_capacity(words.len());
    let mut after_initial = false;
    for word in words {
        let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
        match merged.last_mut() {
            Some(last) if initial && after_initial => last.push_str(&word),
            _ => merged.push(word),
        }
        after_initial = initial;
    }
    merged
}

/// What follows a comma in capitals, where the name itself is not in capitals ("DACVPM", "P.E.").
fn looks_like_credentials(head: &str, segment: &str) -> bool {
    let capitals = segment.chars().filter(|c| c.is_uppercase()).count();
    head.chars().any(char::is_lowercase) && capitals > 1 && !segment.chars().any(char::is_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn courtesy_titles_leave_the_stored_name_and_ranks_stay() {
        for (given, kept) in [
            ("The Honorable Bryan Newland", "Bryan Newland"),
            ("Hon. Bryan Newland", "Bryan Newland"),
            ("The Hon. Dr. Jane Roe, Ph.D.", "Jane Roe, Ph.D."),
            ("Mr. John Smith, Jr.", "John Smith, Jr."),
            ("MS JANE ROE", "JANE ROE"),
            ("General William Graham, Jr.", "General William Graham, Jr."),
            ("Rev. Walter Copan", "Rev. Walter Copan"),
            ("Dr. Smith", "Smith"),
            ("Dr.", "Dr."),
            ("Hon Lee", "Hon Lee"),
            ("Missy Elliott", "Missy Elliott"),
            ("The Honorable", "The Honorable"),
            ("The Edge", "The Edge"),
        ] {
            assert_eq!(without_courtesy(given), kept);
        }
    }

    #[test]
    fn spellings_of_one_person_share_a_key() {
        for (key, spellings) in [
            (
                "william graham",
                &[
                    "General William Graham, Jr.",
                    "Lt. Gen. William Graham Jr",
                    "LTG William GRAHAM",
                    "The Honorable William Graham",
                    "William  Graham, USA (Ret.)",
                    "Lieutenant General William Graham III",
                    "Dr. William Graham, M.D., Ph.D.",
                    "William Graham Ph. D.",
                ][..],
            ),
            (
                "paul spedero",
                &[
                    "Rear Admiral Lower Half Paul Spedero, Jr.",
                    "RDML Paul Spedero",
                    "Paul Spedero",
                    "Rear Admiral (Lower Half) Paul Spedero",
                ][..],
            ),
            (
                "cris young",
                &["Cris Young, DVM, MPH, DACVPM, COL USA (Ret.)", "Cris Young"][..],
            ),
            (
                "lorcan price",
                &[
                    "Lorcán Price",
                    "LORCAN PRICE",
                    "Lorca\u{301}n Price (Did Not Testify)",
                ][..],
            ),
            ("obrien smith", &["O’Brien-Smith", "O'Brien Smith"][..]),
            (
                "ac locklear",
                &["A.C. Locklear", "A. C. Locklear", "AC Locklear"][..],
            ),
            (
                "kevin hicks",
                &[
                    "Kevin Hicks, P.E.",
                    "Chief Master Sergeant Kevin Hicks",
                    "Rev. Kevin Hicks",
                ][..],
            ),
            ("amy st eve", &["Judge Amy St. Eve", "Amy St. Eve"][..]),
            ("anna ma", &["Anna Ma", "Anna Ma, MA"][..]),
        ] {
            for spelling in spellings {
                assert_eq!(name_key(spelling), key, "{spelling}");
            }
        }
    }

    #[test]
    fn no_name_is_reduced_to_nothing() {
        for (name, key) in [
            ("Judge Glock, Ph.D.", "judge glock"),
            ("Major Garrett", "major garrett"),
            ("General Smith", "general smith"),
            ("Dr.", "dr"),
            ("Jr.", "jr"),
            ("(Bob)", "bob"),
            ("Esq., PhD", "esq"),
            ("SMITH, JOHN", "smith john"),
            ("Aaron Zelin,", "aaron zelin"),
            ("李明", "李明"),
            ("***", "***"),
        ] {
            assert_eq!(name_key(name), key, "{name}");
        }
    }

    #[test]
    fn different_people_keep_different_keys() {
        assert_ne!(name_key("John Smith"), name_key("Jon Smith"));
        assert_ne!(name_key("DOE, JOHN"), name_key("DOE, JANE"));
        assert_ne!(name_key("Anh Do"), name_key("Anh"));
    }

    #[test]
    fn organizations_match_whatever_their_punctuation() {
        let key = organization_key(Some("U.S. Department of Health & Human Services"));
        assert_eq!(
            key,
            organization_key(Some("US Department of Health  and Human Services"))
        );
        assert_eq!(organization_key(Some("  ")), "");
        assert_eq!(organization_key(None), "");
    }

    #[test]
    fn names_split_at_the_first_space() {
        let split = |name| {
            let (first, last) = split_name(name);
            (first.unwrap_or_default(), last.unwrap_or_default())
        };
        assert_eq!(
            split("Emily de La Bruyère"),
            ("Emily".into(), "de La Bruyère".into())
        );
        assert_eq!(
            split("General William Graham, Jr."),
            ("General".into(), "William Graham, Jr.".into())
        );
        assert_eq!(split_name("Madonna"), (Some("Madonna".into()), None));
        assert_eq!(split_name(" "), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn keys_are_never_empty_for_a_name_and_stable(name in "\\PC{1,40}") {
            proptest::prop_assume!(!name.trim().is_empty());
            let key = name_key(&name);
            proptest::prop_assert!(!key.is_empty());
            let cleaned = without_courtesy(&name);
            proptest::prop_assert!(!cleaned.is_empty());
            proptest::prop_assert_eq!(without_courtesy(cleaned), cleaned);
        }
    }
}
