//! How a list is written for other programs.

use std::str::FromStr;

use super::item::{COLUMNS, ItemJson};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Ndjson,
    Json,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Csv, Self::Ndjson, Self::Json];

    /// Its name, and how its files end.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
        }
    }

    /// Its name as people write it.
    pub fn label(self) -> String {
        self.as_str().to_uppercase()
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Json => "application/json",
        }
    }

    /// What stands before the first item.
    pub(super) fn begin(self, out: &mut String) {
        match self {
            Self::Csv => {
                // Without it spreadsheets take the text for another encoding.
                out.push('\u{feff}');
                push_line(COLUMNS, out);
            }
            Self::Ndjson => {}
            Self::Json => out.push_str("{\"items\":["),
        }
    }

    /// One item; `is_first` where none stands before it.
    pub(super) fn item(self, item: &ItemJson, is_first: bool, out: &mut String) {
        let json = || serde_json::to_string(item).expect("texts and truths are JSON");
        match self {
            Self::Csv => push_line(item.cells(), out),
            Self::Ndjson => {
                out.push_str(&json());
                out.push('\n');
            }
            Self::Json => {
                out.push_str(if is_first { "\n" } else { ",\n" });
                out.push_str(&json());
            }
        }
    }

    /// What stands behind the last item.
    pub(super) fn end(self, out: &mut String) {
        if self == Self::Json {
            out.push_str("\n],\"next_cursor\":null}\n");
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|it| it.as_str() == text);
        known.ok_or_else(|| "is not csv, ndjson or json".into())
    }
}

/// A line of RFC 4180.
fn push_line<'a>(cells: impl IntoIterator<Item = &'a str>, out: &mut String) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_cell(cell, out);
    }
    out.push_str("\r\n");
}

/// What a spreadsheet would take for a formula gets an apostrophe in front, and stays text.
fn push_cell(cell: &str, out: &mut String) {
    let disarm = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    out.push_str(&match cell.contains([',', '"', '\r', '\n']) {
        true => format!("\"{disarm}{}\"", cell.replace('"', "\"\"")),
        false => format!("{disarm}{cell}"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_a_spreadsheet_would_reckon_with_is_text() {
        let line = |cells: &[&str]| {
            let mut out = String::new();
            push_line(cells.iter().copied(), &mut out);
            out
        };
        assert_eq!(
            line(&["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]),
            "'=1+1,'+1,'-1,'@SUM(A1),'\tx,\"'\rx\"\r\n"
        );
        assert_eq!(
            line(&["=HYPERLINK(\"x\",1)", "a=b", "", "'=1"]),
            "\"'=HYPERLINK(\"\"x\"\",1)\",a=b,,'=1\r\n"
        );
    }

    #[test]
    fn a_cell_keeps_commas_quotes_and_line_ends() {
        let mut out = String::new();
        push_line(["a,b", "say \"hi\"", "two\nlines", " plain "], &mut out);
        assert_eq!(out, "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\", plain \r\n");
    }
}
