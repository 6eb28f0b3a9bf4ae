//! The parameters of a query, by the rules that hold for all of them: empty ones count as absent, unknown
//! ones are ignored; a repeated or unreadable one is named.

use std::collections::HashMap;
use std::str::FromStr;

use url::form_urlencoded;

use super::errors::{Result, WebError};

pub const TWICE: &str = "is given twice";
/// No text that is kept holds it, and PostgreSQL refuses to look for it.
pub const NOTHING_HAS_IT: &str = "holds the character U+0000, which nothing has";

/// Those that are given.
pub struct Parameters(HashMap<&'static str, String>);

impl Parameters {
    pub fn parse(query: &str, known: &[&'static str]) -> Result<Self> {
        let mut given: HashMap<&'static str, String> = HashMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let known = known.iter().find(|known| name == **known);
            let Some(name) = known.filter(|_| !value.is_empty()) else {
                continue;
            };
            if value.contains('\0') {
                return Err(WebError::BadQuery(name, NOTHING_HAS_IT.into()));
            }
            if given.insert(name, value.into_owned()).is_some() {
                return Err(WebError::BadQuery(name, TWICE.into()));
            }
        }
        Ok(Self(given))
    }

    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// A number without a sign before it; `wrong` says what another value is not.
    pub fn number<T: FromStr>(&self, name: &'static str, wrong: &str) -> Result<Option<T>> {
        let number = |text: &String| match text.starts_with(|c: char| c.is_ascii_digit()) {
            true => text.parse().ok(),
            false => None,
        };
        let wrong = || WebError::BadQuery(name, wrong.into());
        let given = self.0.get(name);
        given.map(|text| number(text).ok_or_else(wrong)).transpose()
    }
}
