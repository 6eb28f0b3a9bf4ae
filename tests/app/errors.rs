//! `docs/errors.md` and the program say the same.

use std::collections::BTreeSet;

use crate::support::app::{App, Stores};
use crate::support::visitor::Visitor;

const PAGE: &str = include_str!("../../docs/errors.md");

/// The headings of a part of the page.
fn listed(part: &str) -> BTreeSet<&'static str> {
    let rest = PAGE
        .split(&format!("## {part}\n"))
        .nth(1)
        .expect("the part");
    let end = rest.find("\n## ").unwrap_or(rest.len());
    rest[..end]
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect()
}

fn is_code(word: &&str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// The quoted words of a piece of source that look like codes.
fn codes(source: &'static str) -> BTreeSet<&'static str> {
    let quoted = source.split('"').skip(1).step_by(2);
    quoted.filter(is_code).collect()
}

fn between(source: &'static str, start: &str, end: &str) -> &'static str {
    let from = source.find(start).expect("the start");
    let length = source[from..].find(end).expect("the end");
    &source[from..from + length]
}

#[test]
fn every_code_of_an_import_is_listed_and_no_other() {
    let words = include_str!("../../src/import/words.rs");
    // A code stands on a line of its own, before its sentence.
    let alone = |line: &'static str| line.trim().strip_prefix('"')?.strip_suffix("\",");
    let known: BTreeSet<&str> = words.lines().filter_map(alone).filter(is_code).collect();
    assert_eq!(known, listed("Imports"));
}

#[test]
fn every_code_of_a_request_is_listed_and_no_other() {
    let errors = include_str!("../../src/web/errors.rs");
    let mut known = codes(between(errors, "fn code(", "fn parameter("));
    // Listed with the imports, and meant alike.
    known.retain(|code| !["broken", "refused"].contains(code));
    assert_eq!(known, listed("Requests"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_leads_to_its_place_in_the_list() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut nobody = Visitor::of(&app.url);
    let seen = nobody.get("/api/v1/connections").await;
    let problem: serde_json::Value = serde_json::from_str(&seen.body).expect("JSON");
    let link = problem["type"].as_str().expect("a link").to_owned();
    let (page, place) = link.split_once('#').expect("a place");
    let page = nobody.get(page).await;
    assert_eq!(page.texts(&format!("[id='{place}'] dt")), [place]);
}
