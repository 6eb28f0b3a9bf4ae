//! A cell as a name. A primary field can be of nearly every type there is, and of types that are yet
//! to come.

use serde_json::value::RawValue;

use super::members::{Members, list, text};
use crate::item::clean_name;

/// The members by which Airtable's objects are called: collaborators by name or else by address,
/// attachments, barcodes, buttons, and what was written by AI.
const CALLED_BY: [&str; 6] = ["name", "email", "filename", "text", "label", "value"];

/// What a record with this primary cell is called; `None` where the cell says nothing, be it a
/// formula that failed, a special number, or a type nobody knows.
pub fn name(cell: &RawValue) -> Option<String> {
    if !cell.get().starts_with('[') {
        return part(cell);
    }
    let parts = list(cell).into_iter().filter_map(part);
    // A link to a record gives the record's id, which tells nobody anything.
    let parts: Vec<String> = parts.filter(|part| !is_record_id(part)).collect();
    clean_name(&parts.join(", "))
}

fn part(cell: &RawValue) -> Option<String> {
    if !cell.get().starts_with('{') {
        return plain(cell);
    }
    let members = Members::of(cell);
    let called = CALLED_BY.iter().filter_map(|name| members.get(name));
    called.filter_map(plain).next()
}

fn plain(cell: &RawValue) -> Option<String> {
    let json = cell.get();
    match json.as_bytes().first()? {
        b'"' => text(cell).as_deref().and_then(clean_name),
        b't' | b'f' => Some(json.to_owned()),
        b'-' | b'0'..=b'9' => Some(number(json)),
        _ => None,
    }
}

/// A number by its own digits: no float holds every whole number that Airtable writes.
fn number(json: &str) -> String {
    let is_decimal = json.contains('.') && !json.contains(['e', 'E']);
    let digits = match is_decimal {
        true => json.trim_end_matches('0').trim_end_matches('.'),
        false => json,
    };
    match digits {
        "-0" => "0".to_owned(),
        digits => digits.to_owned(),
    }
}

fn is_record_id(text: &str) -> bool {
    let rest = text.strip_prefix("rec").unwrap_or_default();
    rest.len() == 14 && rest.bytes().all(|letter| letter.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(json: &str) -> Option<String> {
        let cell: &RawValue = serde_json::from_str(json).unwrap();
        name(cell)
    }

    fn assert_named(cells: &[(&str, &str)]) {
        for (json, name) in cells {
            assert_eq!(named(json).as_deref(), Some(*name), "{json}");
        }
    }

    #[test]
    fn texts_are_one_trimmed_line() {
        assert_named(&[
            (r#""   led by blanks""#, "led by blanks"),
            (r#""Call\nback\u0007.""#, "Call back ."),
            (r#""0""#, "0"),
            (r#""2026-01-31""#, "2026-01-31"),
            (r#""يعل 王小明 👩🏽‍🚀""#, "يعل 王小明 👩🏽‍🚀"),
            (
                r#""<script>alert(1)</script>""#,
                "<script>alert(1)</script>",
            ),
        ]);
        let long = format!("\"{}\"", "long ".repeat(20_000));
        assert_eq!(named(&long).unwrap().chars().count(), 1_000);
    }

    #[test]
    fn numbers_are_written_as_they_came_without_what_says_nothing() {
        assert_named(&[
            ("0", "0"),
            ("-0.0", "0"),
            ("-0", "0"),
            ("1299.50", "1299.5"),
            ("42.0", "42"),
            ("100", "100"),
            ("9007199254740993", "9007199254740993"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("1e+21", "1e+21"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("-3661", "-3661"),
            ("true", "true"),
        ]);
    }

    #[test]
    fn objects_are_called_by_the_member_that_people_see() {
        assert_named(&[
            (r#"{"id":"usr1","email":"m@x.test","name":"Mara"}"#, "Mara"),
            (r#"{"id":"usr1","email":"old@x.test"}"#, "old@x.test"),
            (
                r#"{"id":"usr1","email":"old@x.test","name":""}"#,
                "old@x.test",
            ),
            (r#"{"text":"4006381333931","type":"upce"}"#, "4006381333931"),
            (r#"{"label":"Open","url":"https://x.test"}"#, "Open"),
            (
                r#"{"state":"generated","value":"A summary","isStale":true}"#,
                "A summary",
            ),
        ]);
    }

    #[test]
    fn arrays_are_joined_and_what_says_nothing_is_left_out() {
        assert_named(&[
            (r#"["Red","Blau","Öl"]"#, "Red, Blau, Öl"),
            (
                r##"["Ada",null,{"error":"#ERROR!"},"Grace"]"##,
                "Ada, Grace",
            ),
            (r#"[1,2.50,{"specialValue":"NaN"}]"#, "1, 2.5"),
            (r#"[true,null,true]"#, "true, true"),
            (
                r#"[{"id":"att1","filename":"été.png"},{"name":"Noor"}]"#,
                "été.png, Noor",
            ),
            (r#"["Ada","recABCDEFGHIJ1234"]"#, "Ada"),
        ]);
    }

    #[test]
    fn what_says_nothing_names_nothing_and_no_object_is_ever_shown() {
        for json in [
            "null",
            r#""""#,
            r#"" \u00a0\t ""#,
            r##"{"error":"#ERROR!"}"##,
            r#"{"specialValue":"NaN"}"#,
            r#"{"specialValue":"-Infinity"}"#,
            r#"{"state":"loading","value":null,"isStale":true}"#,
            r#"{"state":"error","errorType":"emptyDependency","value":null}"#,
            r#"{"depth":{"near":1,"far":2}}"#,
            r#"{"name":{"first":"Ada"}}"#,
            "{}",
            "[]",
            "[null,null]",
            r##"[{"error":"#ERROR!"}]"##,
            r#"["recABCDEFGHIJ1234"]"#,
            r#"[["deep"]]"#,
        ] {
            assert_eq!(named(json), None, "{json}");
        }
    }
}
