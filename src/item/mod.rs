//! What is imported: one record of one provider, reduced to what a list needs.

mod fold;
mod ids;
mod name;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

pub use fold::{fold, sort_key, words};
pub use ids::{ConnectionId, IdentityId, KeyId, RunId, SignInId, UserId, WorkspaceId};
pub use name::clean_name;

/// A record as an adapter hands it over, before it is stored.
///
/// Its identity is the connection it came through together with `container`, `kind` and `id`: copies
/// of an Airtable base keep their record ids, so an id alone says nothing.
pub struct Item {
    pub container: String,
    /// The item's type as programs see it (`contact`, `page`, `record`).
    pub kind: &'static str,
    /// The provider's own id.
    pub id: String,
    /// One line, trimmed and cut, as [`clean_name`] leaves it.
    pub name: String,
    pub created: Option<DateTime<Utc>>,
    pub modified: Option<DateTime<Utc>>,
    /// Where a person opens it at the provider.
    pub url: Option<String>,
    /// What it stands in, which need not be there: it may come later, or never have been shared.
    pub parent: Option<Parent>,
    /// The provider's record as it came, byte for byte.
    pub raw: Box<RawValue>,
    /// What of the record tells whether it has changed, where that is not all of it: some providers
    /// write one record differently in one answer and in another.
    pub substance: Option<String>,
}

/// The item that another one stands in, in the same connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub container: String,
    pub kind: &'static str,
    pub id: String,
}
