//! Each path is spelled here, once, for handlers and templates alike.

use crate::item::ConnectionId;

pub fn home() -> &'static str {
    "/"
}

pub fn items() -> &'static str {
    "/items"
}

pub fn sign_out() -> &'static str {
    "/sign-out"
}

pub fn connection(id: impl std::borrow::Borrow<ConnectionId>) -> String {
    format!("/connections/{}", id.borrow())
}

/// The list of one connection.
pub fn connection_items(id: impl std::borrow::Borrow<ConnectionId>) -> String {
    format!("/items?connection={}", id.borrow())
}

pub fn provider_items(slug: &str) -> String {
    format!("/integrations/{slug}/items")
}

pub fn authorize(slug: &str) -> String {
    format!("/integrations/{slug}/authorize")
}

pub fn load(slug: &str) -> String {
    format!("/integrations/{slug}/load")
}

/// Where a provider sends the browser back to; registered there word for word.
pub fn callback(slug: &str) -> String {
    format!("/integrations/{slug}/oauth2callback")
}
