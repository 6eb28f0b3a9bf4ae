//! What browsers see. One file for each page or action; [`routes`] is the table of them all.

mod allow;
mod api;
mod appearance;
mod assets;
mod audit;
mod authorize;
mod bars;
mod connections;
mod cursor;
mod disconnect;
mod docs;
mod error_page;
mod error_words;
mod errors;
mod fields;
mod form;
mod fragment;
mod guard;
mod headers;
mod health;
mod history;
mod home;
mod imports;
mod item;
mod items;
pub mod items_export;
mod items_view;
mod join;
mod keys;
mod limits;
mod list_parameters;
mod live;
mod load;
mod log;
mod oauth_callback;
mod origin;
mod page;
mod parameters;
mod proxies;
mod raw;
mod removals;
mod routes;
mod run_view;
mod schedule;
mod session;
mod sessions;
pub mod sign_in_link;
mod sign_out;
mod tree;
pub mod urls;
mod way_in;
mod weeks;
mod workspace;

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::cookie::Key;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::client::Client;
use crate::ephemeral::{Sessions, SharedEphemeral};
use crate::grants::Grants;
use crate::import::Engine;
use crate::item::KeyId;
use crate::providers::Providers;
use crate::store::Store;
use crate::vault::Vault;

pub use allow::Allow;
pub use authorize::is_loopback;
pub use errors::WebError;
pub use limits::Rate;
pub use list_parameters::ListParameters;
pub use live::Streams;
pub use proxies::TrustedProxies;
pub use routes::site;

/// What handlers work with.
pub struct App {
    pub store: Arc<Store>,
    pub ephemeral: SharedEphemeral,
    pub sessions: Sessions,
    pub vault: Arc<Vault>,
    pub grants: Arc<Grants>,
    pub client: Client,
    pub providers: Providers,
    pub engine: Arc<Engine>,
    pub public_url: Url,
    pub allow: Allow,
    pub cookie_key: Key,
    pub connect_rate: Rate<IpAddr>,
    pub api_rate: Rate<KeyId>,
    pub proxies: TrustedProxies,
    /// Rung when there is something to erase.
    pub eraser: Arc<Notify>,
    /// Browsers that watch imports.
    pub streams: Arc<Streams>,
    /// Once it is cancelled, nobody is kept who waits for news.
    pub closing: CancellationToken,
}

impl App {
    pub fn is_https(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    /// What browsers call us in `Origin`.
    pub fn origin(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }
}
