//! Documents of a meeting and of its witnesses.

use super::person::name_words;
use super::text::folded_letters;

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

/// The slot of a document's address, where its file name has one.
pub fn slot_of(url: &str) -> Option<Slot> {
    let end = url
        .bytes()
        .position(|byte| matches!(byte, b'?' | b'#'))
        .unwrap_or(url.len());
    let file = url.get(..end)?.rsplit('/').next()?;
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let after = stem.splitn(5, '-').nth(4)?;
    // A hyphenated surname takes more than one part: all of them up to the date.
    let is_date = |part: &str| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit());
    let mut end = 0;
    let dated = after.split('-').any(|part| {
        let found = is_date(part);
        end += if found { 0 } else { part.len() + 1 };
        found
    });
    let name = if dated {
        after.get(..end.checked_sub(1)?)?
    } else {
        after.split('-').next()?
    };
    let initial = name.chars().next_back().filter(|c| c.is_uppercase())?;
    let last_name = name.strip_suffix(initial)?;
    let named = last_name.chars().any(char::is_alphabetic);
    named.then(|| Slot {
        last_name: last_name.to_owned(),
        initial,
    })
}

/// Which of `names` (full names) a slot means: `None` when none or more than one fits (never a guess).
/// Two entries that are one person count as one.
pub fn match_slot(slot: &Slot, names: &[&str]) -> Option<usize> {
    let surname = folded_letters(&slot.last_name);
    let initial = folded_letters(slot.initial.encode_utf8(&mut [0; 4]))
        .chars()
        .next()?;
    if surname.is_empty() {
        return None;
    }
    let mut found: Option<(usize, Vec<String>)> = None;
    for (at, name) in names.iter().enumerate() {
        let words = name_words(name);
        if !fits(&words, &surname, initial) {
            continue;
        }
        match &found {
            Some((_, other)) if *other != words => return None,
            Some(_) => {}
            None => found = Some((at, words)),
        }
    }
    found.map(|(at, _)| at)
}

/// Whether some split of the name into given names and surname gives this surname and initial.
fn fits(words: &[String], surname: &str, initial: char) -> bool {
    let begins = words
        .first()
        .is_some_and(|given| given.starts_with(initial));
    begins
        && (1..words.len()).any(|at| {
            words
                .get(at..)
                .is_some_and(|rest| same_letters(rest, surname))
        })
}

fn same_letters(words: &[String], surname: &str) -> bool {
    words
        .iter()
        .flat_map(|word| word.chars())
        .filter(|c| c.is_alphabetic())
        .eq(surname.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "https://www.congress.gov/118/meeting/house/115538/witnesses/";

    fn slot(file: &str) -> Option<(String, char)> {
        slot_of(&format!("{FOLDER}{file}")).map(|slot| (slot.last_name, slot.initial))
    }

    fn matched<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
        let initial = written.chars().next_back()?;
        let last_name = written.strip_suffix(initial)?.to_owned();
        match_slot(&Slot { last_name, initial }, names).map(|at| names[at])
    }

    #[test]
    fn slot_five_is_read_with_and_without_a_trailing_part() {
        let expect = |name: &str, initial| Some((name.to_owned(), initial));
        assert_eq!(
            slot("HHRG-118-II24-Wstate-OsceolaM-20230324.pdf"),
            expect("Osceola", 'M')
        );
        assert_eq!(
            slot("HHRG-119-JU13-TTF-KingD-20250929-U15.pdf"),
            expect("King", 'D')
        );
        assert_eq!(
            slot("HHRG-119-JU13-Bio-KingD-20250929.pdf?x=1#y"),
            expect("King", 'D')
        );
        assert_eq!(
            slot("HHRG-119-JU13-Bio-Smith-JonesA-20250929.pdf"),
            expect("Smith-Jones", 'A')
        );
        assert_eq!(slot("HHRG-119-JU13-Bio-KingD.pdf"), expect("King", 'D'));
    }

    #[test]
    fn a_file_name_without_a_slot_has_none() {
        for file in [
            "HHRG-118-II24-20230324-SD001.pdf",
            "HHRG-118-II24-Wstate-20230324.pdf",
            "statement.pdf",
            "",
            "HHRG-118-II24-Wstate-osceolam-20230324.pdf",
            "HHRG-118-II24-Wstate-M-20230324.pdf",
        ] {
            assert_eq!(slot(file), None, "{file}");
        }
    }

    #[test]
    fn a_slot_finds_its_witness_whatever_the_titles() {
        let names = [
            "The Honorable Marcellus Osceola",
            "Rear Admiral Lower Half Paul Spedero, Jr.",
            "Félix Matos Rodríguez, PhD",
            "Jeff Vander Werff",
            "Siobhán O’Brien-Łuk",
            "Lt. Gen. Ann Graham",
            "Judge Glock, Ph.D.",
        ];
        assert_eq!(matched("OsceolaM", &names), Some(names[0]));
        assert_eq!(matched("SPEDEROP", &names), Some(names[1]));
        assert_eq!(matched("MatosRodriguezF", &names), Some(names[2]));
        assert_eq!(matched("RodriguezF", &names), Some(names[2]));
        assert_eq!(matched("VanderWerffJ", &names), Some(names[3]));
        assert_eq!(matched("OBrienLukS", &names), Some(names[4]));
        assert_eq!(matched("GrahamA", &names), Some(names[5]));
        assert_eq!(matched("GlockJ", &names), Some(names[6]));
    }

    #[test]
    fn compound_surnames_match_in_whole_and_in_part() {
        let names = ["Emily de La Bruyère"];
        for written in ["deLaBruyereE", "LaBruyereE", "BruyereE", "DeLaBruyèreE"] {
            assert_eq!(matched(written, &names), Some(names[0]), "{written}");
        }
    }

    #[test]
    fn it_never_guesses() {
        assert_eq!(matched("SmithJ", &["John Smith", "Jane Smith"]), None);
        assert_eq!(matched("SmithK", &["John Smith", "Jane Smith"]), None);
        assert_eq!(matched("WilliamsJ", &["John Williamson"]), None);
        assert_eq!(matched("SmithJ", &["Smith"]), None);
        assert_eq!(matched("SmithJ", &[]), None);
    }

    #[test]
    fn one_person_named_twice_is_one_match() {
        assert_eq!(
            matched("SmithJ", &["Ann Roe", "John Smith", "Dr. John Smith"]),
            Some("John Smith")
        );
    }

    proptest::proptest! {
        #[test]
        fn any_address_is_read_without_panic(url: String, name in "([-A-Za-zé0-9./?#]{0,12}-){0,7}[A-Za-zÉ]{0,9}") {
            let _ = slot_of(&url);
            if let Some(slot) = slot_of(&name) {
                proptest::prop_assert!(slot.initial.is_uppercase());
                let _ = match_slot(&slot, &[&url, &name]);
            }
        }
    }
}
