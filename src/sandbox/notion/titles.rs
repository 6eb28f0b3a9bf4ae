use serde_json::{Value, json};

use super::cases;
use super::content::Content;
use super::workspace::workspace;
use crate::sandbox::people::{mix, person};

/// As long as one run can be; what is longer is split.
const LONGEST_RUN: usize = 2_000;

/// A piece of a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    Text(String),
    Bold(String),
    /// The person who connected.
    Mention,
    Equation(String),
}

const PAGES: [&str; 16] = [
    "Onboarding",
    "Meeting notes",
    "Road map",
    "How we work",
    "Offsite",
    "Reading list",
    "Hiring",
    "Retrospective",
    "Brand guide",
    "Travel policy",
    "Ideas",
    "Support handbook",
    "Office moves",
    "Style guide",
    "Glossary",
    "Archive",
];
const ROWS: [&str; 12] = [
    "Call",
    "Write to",
    "Invoice for",
    "Visit",
    "Offer for",
    "Contract with",
    "Follow up with",
    "Sample for",
    "Refund for",
    "Lunch with",
    "Review by",
    "Birthday of",
];
const SOURCES: [&str; 10] = [
    "Tasks",
    "Old tasks",
    "Projects",
    "Company wiki",
    "Decisions",
    "Vendors",
    "Équipements",
    "Meetings",
    "経費",
    "Bugs",
];

/// The title of a page.
pub fn page(content: &Content, number: u32) -> Vec<Run> {
    if let Some(added) = number.checked_sub(content.layout.pages) {
        return vec![Run::Text(format!("New page {}", added + 1))];
    }
    let mut runs = cases::title(content.account, number)
        .unwrap_or_else(|| usual(content.source_of(number).is_some(), number));
    if let Some(change) = content.change_of(number) {
        runs.push(Run::Text(format!(" (edit {})", change.times)));
    }
    runs
}

fn usual(is_row: bool, number: u32) -> Vec<Run> {
    let seed = mix(u64::from(number), 21);
    let who = person(seed);
    let text = if is_row {
        let verb = ROWS[(seed % ROWS.len() as u64) as usize];
        format!("{verb} {} {}", who.first.0, who.last.0)
    } else {
        let topic = PAGES[(seed % PAGES.len() as u64) as usize];
        match number % 3 {
            0 => format!("{topic}: {}", who.company.0),
            1 => format!("{topic} {number}"),
            _ => format!("{topic} ({})", who.first.0),
        }
    };
    vec![Run::Text(text)]
}

/// What a data source is called by itself, which may be nothing.
pub fn source(number: u32) -> Vec<Run> {
    match number {
        5 | 6 => Vec::new(),
        _ => vec![Run::Text(name_of_source(number))],
    }
}

/// What a data source is called in its database.
pub fn entry(number: u32) -> String {
    match number {
        6 => String::new(),
        _ => name_of_source(number),
    }
}

fn name_of_source(number: u32) -> String {
    let many = SOURCES.len() as u32;
    let name = SOURCES[(number % many) as usize];
    match number / many {
        0 => name.to_owned(),
        round => format!("{name} {}", round + 1),
    }
}

/// What a database is called.
pub fn database(content: &Content, number: u32) -> Vec<Run> {
    match content.layout.sources_of(number).next() {
        Some(6) => vec![Run::Text("Named only as a database".to_owned())],
        Some(source) => vec![Run::Text(name_of_source(source))],
        None => Vec::new(),
    }
}

/// A title in Notion's shape.
pub fn rich_text(content: &Content, runs: &[Run]) -> Value {
    let pieces = runs.iter().flat_map(|run| match run {
        Run::Text(text) => split(text, false),
        Run::Bold(text) => split(text, true),
        Run::Mention => vec![mention(content)],
        Run::Equation(text) => vec![piece(
            "equation",
            json!({ "expression": text }),
            text,
            false,
        )],
    });
    pieces.collect()
}

/// A title as plain text.
pub fn plain(content: &Content, runs: &[Run]) -> String {
    let pieces = rich_text(content, runs);
    let pieces = pieces.as_array().map(Vec::as_slice).unwrap_or_default();
    pieces
        .iter()
        .filter_map(|piece| piece["plain_text"].as_str())
        .collect()
}

fn split(text: &str, bold: bool) -> Vec<Value> {
    let letters: Vec<char> = text.chars().collect();
    letters
        .chunks(LONGEST_RUN)
        .map(|chunk| {
            let text: String = chunk.iter().collect();
            piece(
                "text",
                json!({ "content": text, "link": null }),
                &text,
                bold,
            )
        })
        .collect()
}

fn mention(content: &Content) -> Value {
    let workspace = workspace(content.account);
    let user = json!({ "type": "user", "user": workspace.editor() });
    let name = format!("@{}", content.account.profile().person);
    piece("mention", user, &name, false)
}

fn piece(kind: &str, value: Value, plain: &str, bold: bool) -> Value {
    json!({
        "type": kind,
        kind: value,
        "annotations": {
            "bold": bold, "italic": false, "strikethrough": false, "underline": false,
            "code": false, "color": "default",
        },
        "plain_text": plain,
        "href": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::overlay::Overlay;

    fn small() -> Content {
        Content::new(Account::Small, 120, Overlay::default())
    }

    #[test]
    fn a_long_title_comes_in_runs_of_two_thousand_letters() {
        let content = small();
        let runs = [Run::Text("ж".repeat(5_000))];
        let pieces = rich_text(&content, &runs);
        let lengths: Vec<usize> = pieces
            .as_array()
            .unwrap()
            .iter()
            .map(|piece| piece["plain_text"].as_str().unwrap().chars().count())
            .collect();
        assert_eq!(lengths, [2_000, 2_000, 1_000]);
        assert_eq!(plain(&content, &runs).chars().count(), 5_000);
    }

    #[test]
    fn mentions_and_equations_have_a_plain_text_too() {
        let runs = [Run::Mention, Run::Equation("e=mc^2".to_owned())];
        assert_eq!(plain(&small(), &runs), "@Mara Lindqviste=mc^2");
    }

    #[test]
    fn the_small_account_has_its_oddities_and_others_have_none() {
        let content = small();
        assert_eq!(page(&content, 1), []);
        let other = Content::new(Account::TenThousand, 10_000, Overlay::default());
        assert!((0..10_000).all(|number| !page(&other, number).is_empty()));
    }
}
