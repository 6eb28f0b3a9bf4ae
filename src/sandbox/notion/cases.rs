use serde_json::{Map, Value, json};

use super::titles::Run;
use crate::sandbox::accounts::Account;

/// The titles that integrations trip over. In the small account they stand between ordinary ones,
/// on the first pages and rows, where they are met soon.
pub fn title(account: Account, page: u32) -> Option<Vec<Run>> {
    if account != Account::Small {
        return None;
    }
    let text = |text: &str| vec![Run::Text(text.to_owned())];
    Some(match page {
        1 | 49 => Vec::new(),
        2 => vec![
            Run::Text("Plan for ".to_owned()),
            Run::Bold("Früh".to_owned()),
            Run::Text("stück 🥐".to_owned()),
        ],
        5 => vec![Run::Mention],
        6 => vec![Run::Equation("e^{i\\pi} + 1 = 0".to_owned())],
        7 => text("دليل الموظفين"),
        8 => text("תוכנית עבודה 2026"),
        9 => text("会議の議事録（第三四半期）"),
        10 => text("👩🏽‍🚀👨‍👩‍👧‍👦 Team"),
        12 => text("Line one\nline two\r\nand three"),
        14 => text(&long()),
        16 => text("<script>alert(1)</script>"),
        17 => text("   "),
        18 => text("=HYPERLINK(\"http://example.test\")"),
        // Turns the reading order round and does not turn it back.
        21 => text("Report \u{202e}fdp.exe\u{200b}"),
        22 => text("Bell\u{7} and colour\u{1b}[31m"),
        24 => text("Zoe\u{308} A\u{30a}ngstro\u{308}m"),
        50 => text("\"><img src=x onerror=alert(1)>"),
        51 => vec![Run::Text("Lunch with ".to_owned()), Run::Mention],
        52 => text("Z\u{334}\u{321}a\u{337}\u{30d}l\u{335}\u{34b}g\u{334}\u{35d}o"),
        _ => return None,
    })
}

/// Properties of one row each that are hard to read, or to hold.
pub fn properties(account: Account, page: u32) -> Map<String, Value> {
    match (account, page) {
        (Account::Small, 48) => numbers(),
        (Account::Small, 53) => unheard_of(),
        (Account::Faults, 810) => huge(),
        _ => Map::new(),
    }
}

/// Three runs full, and a little.
fn long() -> String {
    "Everything there is to know about the kitchen, the fridge and the coffee machine. "
        .chars()
        .cycle()
        .take(6_100)
        .collect()
}

/// Numbers that no double can hold, or only just, and dates of both kinds.
fn numbers() -> Map<String, Value> {
    let number = |id: &str, number: Value| json!({ "id": id, "type": "number", "number": number });
    let date = |id: &str, start: &str, zone: Value| {
        let date = json!({ "start": start, "end": null, "time_zone": zone });
        json!({ "id": id, "type": "date", "date": date })
    };
    Map::from_iter([
        (
            "Beyond".to_owned(),
            number("n%3D1", 9_007_199_254_740_993_u64.into()),
        ),
        ("Vast".to_owned(), number("n%3D2", 1e308.into())),
        ("Minus nothing".to_owned(), number("n%3D3", (-0.0).into())),
        ("Day".to_owned(), date("d%3D1", "2026-11-01", Value::Null)),
        (
            "Hour".to_owned(),
            date("d%3D2", "2026-11-01T09:30:00.000", "America/Bogota".into()),
        ),
    ])
}

/// A sort of property that came after whoever reads this.
fn unheard_of() -> Map<String, Value> {
    let value = json!({ "id": "h%3A0", "type": "hologram", "hologram": { "depth": 3 } });
    Map::from_iter([("Hologram".to_owned(), value)])
}

/// Three hundred properties that make a body of a megabyte.
fn huge() -> Map<String, Value> {
    let text = "x".repeat(1_700);
    let property = |number: u32| {
        let piece = json!({
            "type": "text", "text": { "content": text, "link": null }, "plain_text": text,
            "href": null,
        });
        let value = json!({
            "id": format!("hu{number}"), "type": "rich_text", "rich_text": [piece],
        });
        (format!("Column {number}"), value)
    };
    (0..300).map(property).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_huge_row_is_about_a_megabyte() {
        let size = Value::Object(huge()).to_string().len();
        assert!((1_000_000..1_500_000).contains(&size), "{size}");
    }

    #[test]
    fn numbers_are_written_as_they_are() {
        let written = Value::Object(numbers()).to_string();
        for number in ["9007199254740993", "1e+308", "-0.0"] {
            assert!(written.contains(number), "{number} in {written}");
        }
    }
}
