//! A record as it came, made readable.

use serde_json::Value;

/// Fields shown by themselves; all of them stand in the record below.
const MOST: usize = 80;
const LONGEST: usize = 500;

/// One value of a record, and where it stands in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: String,
}

/// The values of a record that say something; the members of an object stand by name.
pub fn fields(raw: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Ok(record) = serde_json::from_str(raw) {
        gather(&record, String::new(), &mut fields);
    }
    fields
}

fn gather(value: &Value, name: String, fields: &mut Vec<Field>) {
    if fields.len() == MOST {
        return;
    }
    let below = |part: &str| match name.as_str() {
        "" => part.to_owned(),
        name => format!("{name} › {part}"),
    };
    match value {
        Value::Object(members) => {
            for (part, value) in members {
                gather(value, below(part), fields);
            }
        }
        Value::Array(parts) if parts.iter().all(is_plain) => {
            let parts: Vec<String> = parts.iter().filter_map(plain).collect();
            keep(name, Some(parts.join(", ")), fields);
        }
        Value::Array(parts) => {
            for (at, value) in (1..).zip(parts) {
                gather(value, below(&format!("{at}")), fields);
            }
        }
        value => keep(name, plain(value), fields),
    }
}

fn keep(name: String, value: Option<String>, fields: &mut Vec<Field>) {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return;
    };
    let value = match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    };
    fields.push(Field { name, value });
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

/// A value in words; nothing for one that is not there.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(true) => Some("yes".into()),
        Value::Bool(false) => Some("no".into()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The same record with a line for each member; numbers and the order of members stay as they came.
pub fn formatted(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut marks = raw.chars().peekable();
    while let Some(c) = marks.next() {
        if in_text {
            out.push(c);
            in_text = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                while marks.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                match marks.next_if(|next| matches!(next, '}' | ']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        break_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                in_text = true;
                out.push(c);
            }
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

fn break_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_laid_out_and_not_changed() {
        let raw = r#"{"b":1.0e3,"a":[ ],"t":"x\"{,:[\\","o":{"n":null,"l":[1,{"k":true}]}}"#;
        let laid_out = formatted(raw);
        let expected = "{\n  \"b\": 1.0e3,\n  \"a\": [],\n  \"t\": \"x\\\"{,:[\\\\\",\n  \"o\": {\n    \"n\": null,\n    \"l\": [\n      1,\n      {\n        \"k\": true\n      }\n    ]\n  }\n}";
        assert_eq!(laid_out, expected);
        let same = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(same(&laid_out), same(raw));
    }

    #[test]
    fn fields_are_named_by_where_they_stand_and_empty_ones_are_left_out() {
        let raw = r#"{"id":"7","p":{"email":"a@b.c","none":null,"":""},"tags":["x","y"],"l":[{"on":false}]}"#;
        let found = fields(raw);
        let found: Vec<(&str, &str)> = found.iter().map(|it| (&*it.name, &*it.value)).collect();
        let expected = [
            ("id", "7"),
            ("l › 1 › on", "no"),
            ("p › email", "a@b.c"),
            ("tags", "x, y"),
        ];
        assert_eq!(found, expected);
        assert_eq!(fields("no JSON"), []);
        let long = format!(r#"{{"a":"{}"}}"#, "é".repeat(900));
        assert_eq!(fields(&long)[0].value.chars().count(), LONGEST + 1);
    }
}
