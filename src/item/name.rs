//! The one rule for names, whatever provider they come from.

/// The longest name kept, in characters.
const LONGEST: usize = 1_000;

/// Makes a name one line, without control characters, trimmed and at most 1,000 characters long;
/// `None` where nothing is left to show.
pub fn clean_name(raw: &str) -> Option<String> {
    let mut name = String::with_capacity(raw.len().min(LONGEST * 4));
    let mut length = 0;
    // Runs of blanks become one, so a line break inside a name reads as a blank.
    let visible = raw.split(|c: char| c.is_whitespace() || c.is_control());
    for word in visible.filter(|word| !word.is_empty()) {
        let gap = if name.is_empty() { "" } else { " " };
        for c in gap.chars().chain(word.chars()) {
            if length == LONGEST {
                name.pop();
                name.push('…');
                return Some(name);
            }
            name.push(c);
            length += 1;
        }
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_trimmed_line_without_control_characters() {
        assert_eq!(
            clean_name("  Ada\r\n Lovelace\u{7} ").as_deref(),
            Some("Ada Lovelace")
        );
        assert_eq!(clean_name("\u{85}a\u{2028}b\t").as_deref(), Some("a b"));
        assert_eq!(clean_name(" \u{0}\n"), None);
    }

    #[test]
    fn a_long_name_is_cut_at_a_thousand_characters_and_says_so() {
        let long = clean_name(&"é".repeat(5_000)).unwrap();
        assert_eq!(long.chars().count(), 1_000);
        assert!(long.ends_with("é…"));
        let exact = "é".repeat(1_000);
        assert_eq!(clean_name(&exact), Some(exact));
    }
}
