//! Text: one clean line for the store, folded words for comparing.

use std::fmt::Write as _;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// One line of clean text: runs of white space become one space, invisible characters go, nothing else
/// is lost; `None` for nothing.
pub fn one_line(text: &str) -> Option<String> {
    if is_one_line(text) {
        return Some(text.to_owned());
    }
    let mut line = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = true;
        } else if !is_invisible(c) {
            if gap && !line.is_empty() {
                line.push(' ');
            }
            gap = false;
            line.push(c);
        }
    }
    (!line.is_empty()).then_some(line)
}

/// Whether there is plainly nothing to clean, as in most text: printable ASCII with single spaces inside.
fn is_one_line(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Without an early exit the pass takes many bytes at a time.
    let printable = bytes
        .iter()
        .fold(true, |all, byte| all & (b' '..=b'~').contains(byte));
    let inside = bytes.first().is_some_and(|byte| *byte != b' ') && bytes.last() != Some(&b' ');
    printable && inside && !text.contains("  ")
}

/// Control characters, zero-width characters, and marks that only steer the direction of writing.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether each character can be seen, but for single-width spaces: nothing that breaks the line, steers a
/// terminal, or hides.
pub fn is_visible_line(text: &str) -> bool {
    text.chars()
        .all(|c| c == ' ' || !(c.is_whitespace() || is_unseen(c)))
}

/// The text on one line, with escapes such as `\\n` and `\\u202e` for what cannot be seen.
pub fn on_one_line(text: &str) -> String {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        // Writing to a String cannot fail.
        let _ = match (c, u32::from(c)) {
            ('\n', _) => line.write_str("\\n"),
            ('\r', _) => line.write_str("\\r"),
            ('\t', _) => line.write_str("\\t"),
            (' ', _) => line.write_char(c),
            _ if !(c.is_whitespace() || is_unseen(c)) => line.write_char(c),
            (_, code @ ..=0xff) => write!(line, "\\x{code:02x}"),
            (_, code @ ..=0xffff) => write!(line, "\\u{code:04x}"),
            (_, code) => write!(line, "\\U{code:08x}"),
        };
    }
    line
}

/// Invisible, or a line's end in Unicode, or a character for nothing but hidden marks.
fn is_unseen(c: char) -> bool {
    is_invisible(c)
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{2028}' | '\u{2029}' | '\u{206a}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The words of a text without case, accents and punctuation, with single spaces between. Full stops and
/// apostrophes join what they stand between (`U.S.` is `us`, `O'Brien` is `obrien`); every other mark
/// parts it.
pub(super) fn folded(text: &str) -> String {
    if text.is_ascii() {
        fold_ascii(text)
    } else {
        fold(text.nfkd(), text.len())
    }
}

fn fold(characters: impl Iterator<Item = char>, length: usize) -> String {
    let mut line = String::with_capacity(length);
    let mut gap = false;
    for c in characters {
        if c.is_alphanumeric() {
            if gap && !line.is_empty() {
                line.push(' ');
            }
            gap = false;
            push_folded(&mut line, c);
        } else if parts(c) {
            gap = true;
        }
    }
    line
}

/// The same for most text, which needs no tables.
fn fold_ascii(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut gap = false;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            if gap && !line.is_empty() {
                line.push(' ');
            }
            gap = false;
            line.push(char::from(byte.to_ascii_lowercase()));
        } else if parts(char::from(byte)) {
            gap = true;
        }
    }
    line
}

pub(super) fn folded_words(text: &str) -> Vec<String> {
    folded(text)
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect()
}

/// The letters of a text, folded: what compound surnames are compared by.
pub(super) fn folded_letters(text: &str) -> String {
    let mut letters = folded(text);
    letters.retain(char::is_alphabetic);
    letters
}

/// Whether a character that is no letter and no digit ends a word.
fn parts(c: char) -> bool {
    c.is_whitespace() || !(joins(c) || is_invisible(c) || is_combining_mark(c))
}

fn joins(c: char) -> bool {
    matches!(
        c,
        '.' | '\'' | '\u{2018}' | '\u{2019}' | '\u{2bc}' | '`' | '\u{b4}'
    )
}

/// Lower case, with the letters that have no decomposition written out.
fn push_folded(word: &mut String, c: char) {
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
        return;
    }
    for lower in c.to_lowercase() {
        match lower {
            'ø' => word.push('o'),
            'ł' => word.push('l'),
            'đ' | 'ð' => word.push('d'),
            'ı' => word.push('i'),
            'ß' => word.push_str("ss"),
            'æ' => word.push_str("ae"),
            'œ' => word.push_str("oe"),
            'þ' => word.push_str("th"),
            other if is_combining_mark(other) => {}
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_of_every_kind_becomes_one_space() {
        let title = "on: \u{2022}\tH.R. 1246;\u{a0} and\r\n\u{2022}\tH.R. 1532\u{2028}end ";
        assert_eq!(
            one_line(title).as_deref(),
            Some("on: • H.R. 1246; and • H.R. 1532 end")
        );
    }

    #[test]
    fn invisible_characters_go_and_typographic_quotes_stay() {
        let title = "\u{feff}VA\u{2019}s\u{200b} \u{201c}Review\u{201d}\0 \u{2014} part\u{ad} 2";
        assert_eq!(one_line(title).as_deref(), Some("VA’s “Review” — part 2"));
    }

    #[test]
    fn nothing_but_space_is_nothing() {
        assert_eq!(one_line(" \t\r\n\u{200b}\0 "), None);
        assert_eq!(one_line(""), None);
    }

    #[test]
    fn folding_drops_case_accents_and_punctuation() {
        assert_eq!(
            folded_words("José  O’Brien-Łuk, U.S.\tÆsir"),
            ["jose", "obrien", "luk", "us", "aesir"]
        );
        assert_eq!(folded_letters("de La Bruyère 3rd"), "delabruyererd");
    }

    #[test]
    fn what_cannot_be_seen_is_told_by_escapes() {
        let text = "a\u{a0}\nb\r\t\0\x1b[31m\u{85}\u{200b}\u{202e}\u{2028}\u{e0041} \u{e9}";
        let told = r"a\xa0\nb\r\t\x00\x1b[31m\x85\u200b\u202e\u2028\U000e0041 é";
        assert_eq!(on_one_line(text), told);
        assert!(is_visible_line("１２３ е\u{301} a b"));
        for hidden in [
            "a\nb",
            "a\u{a0}b",
            "1\u{200d}2",
            "\u{202e}1",
            "\u{e0031}",
            "\x7f",
        ] {
            assert!(!is_visible_line(hidden), "{hidden:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_for_ascii_folds_as_the_long_one(text in "[\\x00-\\x7f]{0,60}") {
            proptest::prop_assert_eq!(fold_ascii(&text), fold(text.nfkd(), text.len()));
        }

        #[test]
        fn cleaning_twice_is_cleaning_once(text: String) {
            let once = one_line(&text);
            proptest::prop_assert_eq!(once.as_deref().and_then(one_line), once.clone());
        }
    }
}
