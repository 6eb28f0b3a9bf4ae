//! What browsers see. One file for each page or action; [`routes`] is the table of them all.

mod assets;
mod authorize;
mod connections;
mod errors;
mod fragment;
mod guard;
mod headers;
mod health;
mod home;
mod items;
mod load;
mod log;
mod oauth_callback;
mod origin;
mod page;
mod routes;
mod session;
mod sign_out;
pub mod urls;

use std::sync::Arc;

use actix_web::cookie::Key;
use url::Url;

use crate::client::Client;
use crate::ephemeral::{Sessions, SharedEphemeral};
use crate::grants::Grants;
use crate::import::Engine;
use crate::providers::Providers;
use crate::store::Store;
use crate::vault::Vault;

pub use authorize::is_loopback;
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

/// Who may sign in: anyone, or those that the host named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(pub Option<Vec<Allowed>>);

/// One entry of `SIGN_IN_ALLOW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    Email(String),
    Domain(String),
    Account { provider: String, id: String },
}

impl Allow {
    /// Whether somebody of this account, or with this address, may be here.
    pub fn admits(&self, provider: &str, account: &str, email: Option<&str>) -> bool {
        let Some(allowed) = &self.0 else { return true };
        let email = email.map(str::to_lowercase);
        let domain = email
            .as_deref()
            .and_then(|email| email.rsplit_once('@'))
            .map(|(_, domain)| domain);
        allowed.iter().any(|entry| match entry {
            Allowed::Email(allowed) => email.as_deref() == Some(allowed),
            Allowed::Domain(allowed) => domain == Some(allowed),
            Allowed::Account {
                provider: allowed,
                id,
            } => allowed == provider && id == account,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_admits_by_address_domain_or_account_and_nothing_near_them() {
        let allow = Allow(Some(vec![
            Allowed::Email("ada@x.test".into()),
            Allowed::Domain("team.test".into()),
            Allowed::Account {
                provider: "hubspot".into(),
                id: "7".into(),
            },
        ]));
        assert!(allow.admits("hubspot", "1", Some("Ada@X.test")));
        assert!(allow.admits("hubspot", "1", Some("bo@team.test")));
        assert!(allow.admits("hubspot", "7", None));
        assert!(!allow.admits("notion", "7", None));
        assert!(!allow.admits("hubspot", "1", Some("bo@sub.team.test")));
        assert!(!allow.admits("hubspot", "1", Some("bo@notteam.test")));
        assert!(!allow.admits("hubspot", "77", None));
        assert!(Allow(None).admits("hubspot", "1", None));
    }
}
