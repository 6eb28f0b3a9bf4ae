//! A record as it came, laid out to be read.

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
    use serde_json::Value;

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
}
