//! What a name is searched and sorted by: the same whatever its case and accents, on either database.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// The longest sort key, in characters: names alike up to there are sorted by their id.
const LONGEST_KEY: usize = 64;

/// Marks of a class up to this one make another letter (nukta, virama, the voicing of kana); those above
/// it are accents.
const LETTERS: u8 = 9;

/// A name without case, accents, width or ligatures. Each character is folded for itself, so a part of a
/// name folds to a part of the folded name.
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let letters = name.nfkd().filter(|c| !is_passed_over(*c));
    // By way of the capitals, for some small letters have a capital in common: ß and ss, ς and σ.
    letters
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// The words of a search: each is to be found somewhere in a folded name.
pub fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace().flat_map(searched) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// An accent that stands for itself folds to a blank, and so is the end of a word. A word of nothing but
/// accents or what shows nothing stays as it is, and so is in no folded name: without it the search would
/// find everything.
fn searched(word: &str) -> Vec<String> {
    let folded = fold(word);
    let words: Vec<String> = folded.split_whitespace().map(str::to_owned).collect();
    match words.is_empty() {
        true => vec![word.to_owned()],
        false => words,
    }
}

/// The iota below a Greek letter is written beside it in capitals, and so is no accent.
const IOTA_BELOW: char = '\u{345}';

fn is_passed_over(c: char) -> bool {
    (canonical_combining_class(c) > LETTERS && c != IOTA_BELOW) || is_invisible(c)
}

/// Characters that show nothing: soft hyphens, joiners, marks of direction, selectors of a variant.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
    )
}

/// What a folded name is sorted by: all of it, or its beginning where it is long.
pub fn sort_key(folded: &str) -> &str {
    let cut = folded.char_indices().nth(LONGEST_KEY);
    &folded[..cut.map_or(folded.len(), |(at, _)| at)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_width_and_ligatures_do_not_matter() {
        let alike = [
            ["Straße", "STRASSE"],
            ["STRAẞE", "strasse"],
            ["İstanbul", "istanbul"],
            ["IŞIK", "ışık"],
            ["ΟΔΟΣ", "οδος"],
            ["οδός", "ΟΔΌΣ"],
            ["Émile Zola", "emile zola"],
            ["E\u{301}mile", "Émile"],
            ["Ｔｏｋｙｏ", "tokyo"],
            ["ﬁne", "FINE"],
            ["ｶﾞ", "ガ"],
            ["한", "\u{1112}\u{1161}\u{11ab}"],
            ["❤\u{fe0f}", "❤"],
            ["Ёлка", "елка"],
            ["co\u{ad}op", "coop"],
            ["שָׁלוֹם", "שלום"],
        ];
        for [one, other] in alike {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
    }

    #[test]
    fn other_letters_stay_others() {
        for [one, other] in [
            ["か", "が"],
            ["कि", "का"],
            ["王", "玉"],
            ["👩", "👨"],
            ["o", "0"],
        ] {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
    }

    #[test]
    fn every_character_folds_as_its_capital_and_its_small_letter_do_and_only_once() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let folded = fold(&c.to_string());
            assert_eq!(fold(&folded), folded, "{c:?}");
            assert_eq!(fold(&c.to_uppercase().to_string()), folded, "{c:?}");
            assert_eq!(fold(&c.to_lowercase().to_string()), folded, "{c:?}");
        }
    }

    #[test]
    fn words_are_found_where_they_are_and_accents_alone_nowhere() {
        assert_eq!(words(" Ada  ÁDA lov "), ["ada", "lov"]);
        assert_eq!(words("L´Oréal a´ ´b"), ["l", "oreal", "a", "b"]);
        assert!(words(" \t").is_empty());
        for alone in ["´", "\u{301}", "\u{200b}\u{ad}", "\u{fe0f}"] {
            let [word] = &words(alone)[..] else {
                panic!("{alone:?} is one word")
            };
            assert!(!fold(&format!("a{alone}b")).contains(word));
        }
    }

    #[test]
    fn a_sort_key_is_cut_between_characters() {
        assert_eq!(sort_key("short"), "short");
        assert_eq!(sort_key(&"é".repeat(70)), "é".repeat(64));
        assert_eq!(sort_key(&"王".repeat(64)), "王".repeat(64));
    }
}
