//! `GET /docs/errors`: what each error code means; every problem links to its place there.

use actix_web::HttpResponse;
use askama::Template;

use super::errors::Result;
use super::fragment;
use super::page::{Chrome, Here};

const ERRORS: &str = include_str!("../../docs/errors.md");

#[derive(Template)]
#[template(path = "docs/errors.html")]
struct ErrorsPage {
    chrome: Chrome,
    title: &'static str,
    lead: Words,
    parts: Vec<Part>,
}

/// Codes that belong together.
struct Part {
    name: &'static str,
    codes: Vec<Code>,
}

struct Code {
    name: &'static str,
    meaning: Words,
}

/// A paragraph: what stands between backquotes, every second piece, is spelled just so.
struct Words(Vec<&'static str>);

/// `GET /docs/errors`
pub async fn errors_show() -> Result<HttpResponse> {
    let (head, parts) = ERRORS.split_once("\n## ").unwrap_or((ERRORS, ""));
    let (title, lead) = headed(head.trim_start_matches("# "));
    let page = ErrorsPage {
        chrome: Chrome::new(title, Here::Nowhere, None),
        title,
        lead: Words::new(lead),
        parts: parts.split("\n## ").map(Part::new).collect(),
    };
    Ok(fragment::html(page.render()?))
}

/// A heading, and what stands below it.
fn headed(text: &'static str) -> (&'static str, &'static str) {
    let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
    (head.trim(), rest.trim())
}

impl Part {
    fn new(text: &'static str) -> Self {
        let (name, codes) = headed(text);
        let codes = codes.split("### ").filter(|code| !code.is_empty());
        Self {
            name,
            codes: codes.map(Code::new).collect(),
        }
    }
}

impl Code {
    fn new(text: &'static str) -> Self {
        let (name, meaning) = headed(text);
        Self {
            name,
            meaning: Words::new(meaning),
        }
    }
}

impl Words {
    fn new(text: &'static str) -> Self {
        Self(text.split('`').collect())
    }
}
