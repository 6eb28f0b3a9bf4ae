//! What can go wrong with a call, in a short closed list. Nobody above looks at a provider's text.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;

use crate::item::clean_name;

/// What a `Retry-After` header asks: seconds, with or without a fraction, or a date.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = asked.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.ceil()).ok();
    }
    let until = DateTime::parse_from_rfc2822(asked).ok()?.to_utc();
    Some((until - Utc::now()).to_std().unwrap_or_default())
}

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The access token was not taken.
    Unauthorized,
    /// The account does not let us see this.
    Forbidden,
    /// It is not there.
    NotFound,
    /// Too many calls; trying again after a wait helps.
    Limited,
    /// All calls of a longer while, such as a month, are used up; nobody waits for that to pass.
    Spent,
    /// Trying again may help: a fault at the provider or on the way.
    Passing,
    /// The cursor is not good any more; the listing can be read from its beginning.
    CursorLost,
    /// The provider's pages lead in circles or nowhere.
    Endless,
    /// The answer is longer than any that is read; one to a smaller question may not be.
    TooLarge,
    /// The provider refused the request itself; trying again does not help.
    Refused,
    /// There is no approval left to call with.
    NoGrant,
    /// One of our own stores is away.
    StoreAway,
}

/// A failed call.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind:?}: {said}")]
pub struct Failure {
    pub kind: FailureKind,
    /// What the provider said of it, one line, or what happened on the way.
    pub said: String,
    /// How long the provider wants to be left alone.
    pub wait: Option<Duration>,
    /// The scopes that the provider says are lacking, where it names them.
    pub lacking: Vec<String>,
}

impl Failure {
    pub fn new(kind: FailureKind, said: &str) -> Self {
        let said = clean_name(said).unwrap_or_default();
        let said = said.chars().take(300).collect();
        Self {
            kind,
            said,
            wait: None,
            lacking: Vec::new(),
        }
    }

    pub fn lacking(self, lacking: Vec<String>) -> Self {
        Self { lacking, ..self }
    }

    pub fn after(self, wait: Option<Duration>) -> Self {
        Self { wait, ..self }
    }

    /// Whether the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, FailureKind::Limited | FailureKind::Passing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_in_seconds_in_fractions_and_as_a_date() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("0.2"), Some(Duration::from_secs(1)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let later = (Utc::now() + Duration::from_secs(100)).to_rfc2822();
        assert!(asked(&later).is_some_and(|wait| wait > Duration::from_secs(90)));
        assert_eq!(asked("soon"), None);
        assert_eq!(asked("-5"), None);
    }
}
