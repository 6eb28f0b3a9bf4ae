//! The fields of a record, as a person would read them.

use std::collections::HashMap;

use chrono::DateTime;
use serde_json::Value;

use super::page::exact;
use crate::providers::Fields;

/// Fields shown by themselves; all of them stand in the record below.
const MOST: usize = 80;
const LONGEST: usize = 500;

/// The members by which an object inside a field is called: the first one that says something.
const CALLED_BY: [&str; 8] = [
    "plain_text",
    "name",
    "email",
    "filename",
    "text",
    "label",
    "value",
    "id",
];

/// One field of a record, and what is in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: String,
}

/// The fields of a record that say something.
pub fn fields(raw: &str, of: &Fields, names: &HashMap<String, String>) -> Vec<Field> {
    let record: Value = serde_json::from_str(raw).unwrap_or_default();
    let inside = record.pointer(of.at).filter(|it| it.is_object());
    let mut fields = Vec::new();
    for (name, value) in inside.unwrap_or(&record).as_object().into_iter().flatten() {
        let name = names.get(name).unwrap_or(name);
        match typed(value) {
            // With a name of its own it describes a field of others.
            Some((kind, _)) if value["name"].is_string() => {
                keep(name.clone(), kind.replace('_', " "), &mut fields);
            }
            Some((_, inside)) => gather(inside, name.clone(), &mut fields),
            None => gather(value, name.clone(), &mut fields),
        }
    }
    fields
}

/// What the fields are called that a record names by their ids, as the record that it stands in says.
pub fn names(above: &str, at: &str) -> HashMap<String, String> {
    let above: Value = serde_json::from_str(above).unwrap_or_default();
    let named = above.pointer(at).and_then(Value::as_array);
    let name = |field: &Value| {
        let text = |member: &str| Some(field[member].as_str()?.to_owned());
        Some((text("id")?, text("name")?))
    };
    named.into_iter().flatten().filter_map(name).collect()
}

/// A value that says of which type it is, and what it has of that type.
fn typed(value: &Value) -> Option<(&str, &Value)> {
    let kind = value["type"].as_str()?;
    Some((kind, value.get(kind)?))
}

/// A value in one line; `None` for one that has to be shown by its parts.
fn in_words(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.into()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(match DateTime::parse_from_rfc3339(text) {
            Ok(time) => exact(time.to_utc()),
            Err(_) => text.clone(),
        }),
        Value::Array(parts) => {
            let runs = parts.iter().map(|part| part["plain_text"].as_str());
            if let Some(runs) = runs.collect::<Option<Vec<_>>>() {
                return Some(runs.concat());
            }
            let parts = parts.iter().map(in_words).collect::<Option<Vec<_>>>()?;
            let said = parts.into_iter().filter(|part| !part.is_empty());
            Some(said.collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) if members.is_empty() => Some(String::new()),
        Value::Object(members) => span(value).or_else(|| {
            let mut called = CALLED_BY.iter().filter_map(|name| members.get(*name));
            let called = called
                .find(|it| it.is_number() || it.as_str().is_some_and(|text| !text.is_empty()));
            let typed = || in_words(typed(value)?.1);
            called.and_then(in_words).or_else(typed)
        }),
    }
}

/// From when until when.
fn span(value: &Value) -> Option<String> {
    let start = value["start"].as_str()?;
    let ends = [Some(start), value["end"].as_str()].into_iter().flatten();
    let ends = ends
        .map(|it| in_words(&it.into()))
        .collect::<Option<Vec<_>>>()?;
    Some(ends.join(" – "))
}

fn gather(value: &Value, name: String, fields: &mut Vec<Field>) {
    let below = |part: &str| format!("{name} › {part}");
    match (in_words(value), value) {
        (Some(text), _) => keep(name, text, fields),
        (None, Value::Object(members)) => {
            for (part, value) in members {
                gather(value, below(part), fields);
            }
        }
        (None, Value::Array(parts)) => {
            for (at, value) in (1..).zip(parts) {
                gather(value, below(&format!("{at}")), fields);
            }
        }
        _ => {}
    }
}

fn keep(name: String, value: String, fields: &mut Vec<Field>) {
    if value.is_empty() || fields.len() == MOST {
        return;
    }
    let value = match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    };
    fields.push(Field { name, value });
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Fields = Fields::at("");
    const PROPERTIES: Fields = Fields::at("/properties");

    fn shown(raw: &str, of: &Fields) -> Vec<(String, String)> {
        let found = fields(raw, of, &HashMap::new());
        found.into_iter().map(|it| (it.name, it.value)).collect()
    }

    fn assert_shown(raw: &str, of: &Fields, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        assert_eq!(shown(raw, of), expected, "{raw}");
    }

    #[test]
    fn fields_are_named_by_where_they_stand_and_empty_ones_are_left_out() {
        let raw = r#"{"id":"7","p":{"email":"a@b.c","none":null,"":""},"d":{"x":{"y":1}},
            "tags":["x","y"],"l":[{"on":false}]}"#;
        let expected = [
            ("d › x › y", "1"),
            ("id", "7"),
            ("l › 1 › on", "no"),
            ("p", "a@b.c"),
            ("tags", "x, y"),
        ];
        assert_shown(raw, &ALL, &expected);
        assert_shown("no JSON", &ALL, &[]);
        let long = format!(r#"{{"a":"{}"}}"#, "é".repeat(900));
        assert_eq!(shown(&long, &ALL)[0].1.chars().count(), LONGEST + 1);
    }

    #[test]
    fn only_what_people_fill_in_is_shown_and_all_of_a_record_without() {
        let raw = r#"{"id":"7","properties":{"phone":"1","when":"2026-01-02T03:04:05.000Z"}}"#;
        assert_shown(
            raw,
            &PROPERTIES,
            &[("phone", "1"), ("when", "2 January 2026, 03:04 UTC")],
        );
        for odd in [
            r#"{"id":"7","properties":null}"#,
            r#"{"id":"7","properties":[]}"#,
        ] {
            assert_shown(odd, &PROPERTIES, &[("id", "7")]);
        }
    }

    #[test]
    fn a_value_of_a_type_is_what_that_type_holds() {
        let shows = |property: &str, value: &str| {
            let raw = format!(r#"{{"properties":{{"P":{property}}}}}"#);
            match value {
                "" => assert_shown(&raw, &PROPERTIES, &[]),
                value => assert_shown(&raw, &PROPERTIES, &[("P", value)]),
            }
        };
        shows(
            r#"{"id":"t","type":"title","title":[{"plain_text":"Tea ","annotations":{"bold":false}},
                {"plain_text":"time"}]}"#,
            "Tea time",
        );
        shows(
            r#"{"id":"s","type":"select","select":{"id":"1","name":"Open","color":"red"}}"#,
            "Open",
        );
        shows(r#"{"id":"s","type":"select","select":null}"#, "");
        shows(
            r#"{"id":"m","type":"multi_select","multi_select":[{"name":"A"},{"name":"B"}]}"#,
            "A, B",
        );
        shows(
            r#"{"id":"d","type":"date","date":{"start":"2026-01-02","end":null}}"#,
            "2026-01-02",
        );
        shows(
            r#"{"id":"d","type":"date","date":{"start":"2026-01-02","end":"2026-01-05"}}"#,
            "2026-01-02 – 2026-01-05",
        );
        shows(r#"{"id":"c","type":"checkbox","checkbox":false}"#, "no");
        shows(
            r#"{"id":"p","type":"people","people":[{"object":"user","id":"u","type":"person",
                "person":{"email":"m@x.test"},"name":"Mara"}]}"#,
            "Mara",
        );
        shows(
            r#"{"id":"f","type":"files","files":[{"name":"","type":"external","external":{"id":"x"}}]}"#,
            "x",
        );
        shows(
            r#"{"id":"f","type":"formula","formula":{"type":"number","number":4.5}}"#,
            "4.5",
        );
        shows(
            r#"{"id":"n","name":"P","type":"rich_text","rich_text":{}}"#,
            "rich text",
        );
        let unknown = r#"{"properties":{"P":{"id":"u","type":"unique_id","unique_id":{"prefix":"T","n":5}}}}"#;
        assert_shown(unknown, &PROPERTIES, &[("P › n", "5"), ("P › prefix", "T")]);
        shows(
            r#"{"id":"o","name":"P","type":"select","select":{"options":[{"name":"A"}]}}"#,
            "select",
        );
    }

    #[test]
    fn fields_named_by_ids_are_called_as_the_record_above_says() {
        let table = r#"{"fields":[{"id":"fld1","name":"Company"},{"id":"fld2"},7]}"#;
        let names = names(table, "/fields");
        let raw = r#"{"fields":{"fld1":"Zürcher Uhren","fld2":[{"id":"att","filename":"a.png"}]}}"#;
        let found = fields(raw, &Fields::at("/fields"), &names);
        let found: Vec<(&str, &str)> = found.iter().map(|it| (&*it.name, &*it.value)).collect();
        assert_eq!(found, [("Company", "Zürcher Uhren"), ("fld2", "a.png")]);
        for nothing in ["no JSON", "{}", r#"{"fields":{}}"#] {
            assert!(super::names(nothing, "/fields").is_empty());
        }
    }
}
