//! Each path is spelled here, once: as a pattern for the route table, and filled in for handlers and
//! templates.

use std::borrow::Borrow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::export::Format;
use crate::item::{ConnectionId, IdentityId, KeyId, RunId};
use crate::store::ListRow;

/// What is written otherwise in a part of an address.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub const HOME: &str = "/";
pub const AUTHORIZE: &str = "/integrations/{provider}/authorize";
pub const CALLBACK: &str = "/integrations/{provider}/oauth2callback";
pub const LOAD: &str = "/integrations/{provider}/load";
pub const PROVIDER_ITEMS: &str = "/integrations/{provider}/items";
pub const ITEMS: &str = "/items";
pub const ITEM: &str = "/items/{connection}/{kind}/{item:.+}";
pub const EXPORT: &str = "/items.{format}";
pub const CONNECTION: &str = "/connections/{connection}";
pub const CONNECTION_EVENTS: &str = "/connections/{connection}/events";
pub const CONNECTION_IMPORTS: &str = "/connections/{connection}/imports";
pub const SCHEDULE: &str = "/connections/{connection}/schedule";
pub const REMOVALS: &str = "/connections/{connection}/removals";
pub const DISCONNECT: &str = "/connections/{connection}/disconnect";
pub const IMPORTS_EVENTS: &str = "/imports/events";
pub const IMPORT: &str = "/imports/{run}";
pub const IMPORT_EVENTS: &str = "/imports/{run}/events";
pub const IMPORT_CANCEL: &str = "/imports/{run}/cancel";
pub const WAY_IN: &str = "/connections/{connection}/way-in";
pub const SESSIONS: &str = "/sessions";
pub const SESSIONS_END_ALL: &str = "/sessions/end-all";
pub const WAY_IN_REMOVE: &str = "/sessions/ways-in/{identity}/remove";
pub const SIGN_IN_LINK: &str = "/sign-in/{token}";
pub const SIGN_OUT: &str = "/sign-out";
pub const KEYS: &str = "/keys";
pub const KEY_REVOKE: &str = "/keys/{key}/revoke";
pub const WORKSPACE: &str = "/workspace";
pub const WORKSPACE_INVITES: &str = "/workspace/invites";
pub const JOIN: &str = "/join/{token}";
pub const AUDIT: &str = "/audit";
pub const API_ITEMS: &str = "/api/v1/items";
pub const API_ITEM: &str = "/api/v1/items/{connection}/{kind}/{item}";
pub const API_CHANGES: &str = "/api/v1/changes";
pub const API_CONNECTIONS: &str = "/api/v1/connections";
pub const API_CONNECTION_IMPORT: &str = "/api/v1/connections/{connection}/import";
pub const API_IMPORTS: &str = "/api/v1/imports";
pub const API_IMPORT: &str = "/api/v1/imports/{run}";
pub const API_OPENAPI: &str = "/api/v1/openapi.json";
pub const APPEARANCE: &str = "/appearance";
pub const DOCS_ERRORS: &str = "/docs/errors";
pub const ASSET: &str = "/static/{hash}/{name:.*}";
pub const HEALTHZ: &str = "/healthz";
pub const READYZ: &str = "/readyz";

pub fn home() -> &'static str {
    HOME
}

/// A page, saying that this provider was declined.
pub fn declined(page: &str, slug: &str) -> String {
    format!("{page}?declined={slug}")
}

/// The start, for somebody who pressed Connect under another of this machine's names.
pub fn home_connect(slug: &str) -> String {
    format!("{HOME}?connect={slug}")
}

pub fn items() -> &'static str {
    ITEMS
}

/// The whole list as a file.
pub fn export(format: Format) -> String {
    EXPORT.replace("{format}", format.as_str())
}

pub fn sessions() -> &'static str {
    SESSIONS
}

pub fn sessions_end_all() -> &'static str {
    SESSIONS_END_ALL
}

/// The place where an error of this code is explained.
pub fn error(code: &str) -> String {
    format!("{DOCS_ERRORS}#{code}")
}

/// Where a browser's colours are chosen.
pub fn appearance() -> &'static str {
    APPEARANCE
}

pub fn keys() -> &'static str {
    KEYS
}

pub fn key_revoke(id: impl Borrow<KeyId>) -> String {
    KEY_REVOKE.replace("{key}", &id.borrow().to_string())
}

pub fn workspace() -> &'static str {
    WORKSPACE
}

pub fn workspace_invites() -> &'static str {
    WORKSPACE_INVITES
}

pub fn join(token: &str) -> String {
    JOIN.replace("{token}", token)
}

pub fn audit() -> &'static str {
    AUDIT
}

/// The audit trail from the entry before this one on.
pub fn audit_before(id: i64) -> String {
    format!("{AUDIT}?before={id}")
}

pub fn sign_in_link(token: &str) -> String {
    SIGN_IN_LINK.replace("{token}", token)
}

pub fn import(id: impl Borrow<RunId>) -> String {
    IMPORT.replace("{run}", &id.borrow().to_string())
}

/// Progress of whatever is imported into the workspace.
pub fn imports_events() -> &'static str {
    IMPORTS_EVENTS
}

pub fn import_events(id: impl Borrow<RunId>) -> String {
    IMPORT_EVENTS.replace("{run}", &id.borrow().to_string())
}

pub fn import_cancel(id: impl Borrow<RunId>) -> String {
    IMPORT_CANCEL.replace("{run}", &id.borrow().to_string())
}

pub fn way_in(id: impl Borrow<ConnectionId>) -> String {
    WAY_IN.replace("{connection}", &id.borrow().to_string())
}

pub fn way_in_remove(id: impl Borrow<IdentityId>) -> String {
    WAY_IN_REMOVE.replace("{identity}", &id.borrow().to_string())
}

pub fn sign_out() -> &'static str {
    SIGN_OUT
}

pub fn connection(id: impl Borrow<ConnectionId>) -> String {
    CONNECTION.replace("{connection}", &id.borrow().to_string())
}

/// Progress of a connection's import, with the page around it.
pub fn connection_events(id: impl Borrow<ConnectionId>) -> String {
    CONNECTION_EVENTS.replace("{connection}", &id.borrow().to_string())
}

pub fn connection_imports(id: impl Borrow<ConnectionId>) -> String {
    CONNECTION_IMPORTS.replace("{connection}", &id.borrow().to_string())
}

/// A connection's imports from the one before this on.
pub fn connection_imports_before(id: ConnectionId, run: RunId) -> String {
    format!("{}?before={run}", connection_imports(id))
}

/// The page of a connection that was approved where another was to be approved again.
pub fn connection_instead_of(id: ConnectionId, wanted: ConnectionId) -> String {
    format!("{}?instead_of={wanted}", connection(id))
}

pub fn schedule(id: impl Borrow<ConnectionId>) -> String {
    SCHEDULE.replace("{connection}", &id.borrow().to_string())
}

pub fn removals(id: impl Borrow<ConnectionId>) -> String {
    REMOVALS.replace("{connection}", &id.borrow().to_string())
}

pub fn disconnect(id: impl Borrow<ConnectionId>) -> String {
    DISCONNECT.replace("{connection}", &id.borrow().to_string())
}

/// The page of an item.
pub fn item(row: impl Borrow<ListRow>) -> String {
    let row = row.borrow();
    let part = |text: &str| utf8_percent_encode(text, PART).to_string();
    let page = ITEM
        .replace("{connection}", &row.connection.to_string())
        .replace("{kind}", &part(&row.kind))
        .replace("{item:.+}", &part(&row.provider_id));
    match row.container.as_str() {
        "" => page,
        container => format!("{page}?in={}", part(container)),
    }
}

/// What stands in an item, as a level of a tree.
pub fn item_tree(row: &ListRow) -> String {
    let page = item(row);
    let sign = if page.contains('?') { '&' } else { '?' };
    format!("{page}{sign}tree=1")
}

/// The list of what stands in an item.
pub fn items_in(row: &ListRow) -> String {
    let part = |text: &str| utf8_percent_encode(text, PART).to_string();
    format!(
        "{ITEMS}?connection={}&parent={}&in={}",
        row.connection,
        part(&row.provider_id),
        part(&row.container)
    )
}

/// The list of one connection.
pub fn connection_items(id: impl Borrow<ConnectionId>) -> String {
    format!("{ITEMS}?connection={}", id.borrow())
}

/// What it holds of one type.
pub fn connection_kind(id: impl Borrow<ConnectionId>, kind: &str) -> String {
    let kind = utf8_percent_encode(kind, PART);
    format!("{}&type={kind}", connection_items(id))
}

pub fn authorize(slug: &str) -> String {
    AUTHORIZE.replace("{provider}", slug)
}

pub fn load(slug: &str) -> String {
    LOAD.replace("{provider}", slug)
}

/// Where a provider sends the browser back to; registered there word for word.
pub fn callback(slug: &str) -> String {
    CALLBACK.replace("{provider}", slug)
}

/// A file, by the hash of what is in it.
pub fn asset(hash: &str, name: &str) -> String {
    ASSET.replace("{hash}", hash).replace("{name:.*}", name)
}
