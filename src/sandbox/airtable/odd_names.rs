use serde_json::{Value, json};

use super::ids::id;

/// How many cells there are below.
pub const ODD_NAMES: u32 = 50;

/// Longer than any column, card or log line is made for.
const LONG: usize = 100_000;

/// The cell that a record of the odd table is named by: everything a primary field can hold, and
/// what it should not hold but does. Beside it, in words, what it is.
pub fn odd_name(index: u32) -> (&'static str, Option<Value>) {
    let (what, cell) = match index {
        0 => ("nothing", Value::Null),
        1 => ("a formula that failed", json!({ "error": "#ERROR!" })),
        2 => ("not a number", json!({ "specialValue": "NaN" })),
        3 => ("infinite", json!({ "specialValue": "Infinity" })),
        4 => ("minus infinite", json!({ "specialValue": "-Infinity" })),
        5..=12 => number(index),
        13..=30 => text(index),
        31..=41 => array(index),
        _ => object(index),
    };
    (what, Some(cell).filter(|cell| !cell.is_null()))
}

fn number(index: u32) -> (&'static str, Value) {
    match index {
        5 => ("zero", json!(0)),
        6 => ("minus zero", json!(-0.0)),
        7 => ("beyond a double", json!(9_007_199_254_740_993_u64)),
        8 => ("a large number", json!(1e21)),
        9 => ("a fraction", json!(0.1 + 0.2)),
        10 => ("a price", json!(1299.5)),
        11 => ("a duration in seconds", json!(3661)),
        _ => ("a checkbox", json!(true)),
    }
}

fn text(index: u32) -> (&'static str, Value) {
    match index {
        13 => ("the digit zero", json!("0")),
        14 => ("leading blanks", json!("   led by blanks")),
        15 => ("only blanks", json!(" \u{a0}\t ")),
        16 => ("a date", json!("2026-01-31")),
        17 => ("a moment", json!("2026-01-31T23:59:59.000Z")),
        18 => ("an e-mail address", json!("zoë@xn--exmple-cua.example")),
        19 => (
            "an address",
            json!("https://orchardstreet.example/?q=a&b=<c>"),
        ),
        20 => (
            "Markdown",
            json!("**Bold** and [a link](https://lumenoptik.example)\n\n- one\n- two\n"),
        ),
        21 => ("a long text", json!(long_text())),
        22 => ("emoji", json!("👩🏽‍🚀 to the 🌻")),
        23 => ("Arabic", json!("ليلى الحسن")),
        24 => ("Hebrew and Latin", json!("יעל בן־דוד (Office)")),
        25 => ("Chinese", json!("王小明")),
        26 => (
            "combining marks",
            json!("Zoe\u{308} A\u{30a}ngstro\u{308}m"),
        ),
        27 => ("markup", json!("<script>alert(1)</script>")),
        28 => (
            "a formula of a spreadsheet",
            json!("=HYPERLINK(\"http://example.test\")"),
        ),
        29 => ("control characters", json!("Ti\u{7}na\u{1b}[31m\nLine")),
        _ => ("a turn of the reading order", json!("Rolf \u{202e}evol")),
    }
}

fn array(index: u32) -> (&'static str, Value) {
    match index {
        31 => ("several choices", json!(["Red", "Blau", "Öl"])),
        32 => (
            "a lookup with gaps",
            json!(["Ada", null, { "error": "#ERROR!" }, "Grace"]),
        ),
        33 => (
            "a lookup of numbers",
            json!([1, 2.5, { "specialValue": "NaN" }]),
        ),
        34 => ("a linked record", json!([id("rec", 34)])),
        35 => (
            "attachments",
            json!([attachment(1, "Plan (final).pdf"), attachment(2, "été.png")]),
        ),
        36 => (
            "collaborators",
            json!([collaborator("Mara Lindqvist"), collaborator("Noor Haddad")]),
        ),
        37 => ("a lookup of nothing", json!([null, null])),
        38 => ("a lookup of failures", json!([{ "error": "#ERROR!" }])),
        39 => (
            "a lookup of labels",
            json!([{ "label": "Open", "url": null }, { "text": "4006381333931" }]),
        ),
        40 => ("a lookup of checkboxes", json!([true, null, true])),
        _ => ("a lookup of dates", json!(["2026-01-31", "2026-02-01"])),
    }
}

fn object(index: u32) -> (&'static str, Value) {
    match index {
        42 => ("a collaborator", collaborator("Mara Lindqvist")),
        43 => (
            "a collaborator without a name",
            json!({ "id": id("usr", 43), "email": "old@smalloffice.example" }),
        ),
        44 => (
            "a barcode",
            json!({ "text": "4006381333931", "type": "upce" }),
        ),
        45 => (
            "a button",
            json!({ "label": "Open", "url": "https://kestrel.example/open" }),
        ),
        46 => (
            "a text by AI",
            json!({ "state": "generated", "value": "A short summary", "isStale": true }),
        ),
        47 => (
            "a text by AI that is on its way",
            json!({ "state": "loading", "value": null, "isStale": true }),
        ),
        48 => (
            "a text by AI that failed",
            json!({ "state": "error", "errorType": "emptyDependency", "value": null, "isStale": false }),
        ),
        _ => (
            "something newer than this sandbox",
            json!({ "depth": { "near": 1, "far": 2 } }),
        ),
    }
}

fn collaborator(name: &str) -> Value {
    let first = name.split(' ').next().unwrap_or_default().to_lowercase();
    json!({
        "id": id("usr", first.len() as u64),
        "email": format!("{first}@smalloffice.example"),
        "name": name,
    })
}

fn attachment(number: u64, filename: &str) -> Value {
    json!({
        "id": id("att", number),
        "url": format!("https://files.papercrane.example/{number}"),
        "filename": filename,
        "size": 10_240 * number,
        "type": "application/octet-stream",
    })
}

fn long_text() -> String {
    "A very long story, told **slowly**. "
        .chars()
        .cycle()
        .take(LONG)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_odd_name_is_another_one_and_only_the_first_is_missing() {
        let all: Vec<_> = (0..ODD_NAMES).map(odd_name).collect();
        let words: HashSet<&str> = all.iter().map(|(what, _)| *what).collect();
        assert_eq!(words.len(), all.len());
        assert_eq!(all.iter().filter(|(_, cell)| cell.is_none()).count(), 1);
    }

    #[test]
    fn numbers_are_written_as_they_are() {
        let written = |index| odd_name(index).1.unwrap().to_string();
        assert_eq!(written(7), "9007199254740993");
        assert_eq!(written(6), "-0.0");
        assert_eq!(written(8), "1e+21");
    }
}
