//! What can go wrong with a call, in a short closed list. Nobody above looks at a provider's text.

use std::time::Duration;

use crate::item::clean_name;

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
    /// Trying again may help: a fault at the provider or on the way.
    Passing,
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
}

impl Failure {
    pub fn new(kind: FailureKind, said: &str) -> Self {
        let said = clean_name(said).unwrap_or_default();
        let said = said.chars().take(300).collect();
        Self {
            kind,
            said,
            wait: None,
        }
    }

    pub fn after(self, wait: Option<Duration>) -> Self {
        Self { wait, ..self }
    }

    /// Whether the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, FailureKind::Limited | FailureKind::Passing)
    }
}
