//! The providers: one file each, listed once in [`ALL`].

mod hubspot;
mod renewal;

pub use renewal::Renewal;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use url::Url;

use crate::client::{
    Answer, Api, Bearer, Budget, Client, ClientAuth, Credentials, Endpoints, Failure, OAuthClient,
    TokenAnswer, TokenErrorBody, below,
};
use crate::item::Item;

/// Every provider there is, in the order people see them.
pub const ALL: &[&dyn Provider] = &[&hubspot::HubSpot];

/// What a provider is, whether or not this installation has credentials for it: what was imported
/// from it once is still shown.
pub fn describe(slug: &str) -> Option<&'static Description> {
    let all = ALL.iter().map(|provider| provider.description());
    all.into_iter().find(|it| it.slug == slug)
}

/// The names that accounts are allowed by in settings, of this version or another.
pub const NAMES: &[&str] = &["hubspot", "notion", "airtable"];

/// What a provider is, as data.
pub struct Description {
    /// Its name in addresses, settings and JSON.
    pub slug: &'static str,
    pub name: &'static str,
    pub auth_url: &'static str,
    pub api_url: &'static str,
    /// Paths below those addresses; `{version}` stands for the API version.
    pub authorize_path: &'static str,
    pub token_path: &'static str,
    pub revoke_path: Option<&'static str>,
    pub introspect_path: Option<&'static str>,
    pub client_auth: ClientAuth,
    pub api_version: &'static str,
    /// The day the provider stops answering this version.
    pub api_version_ends: NaiveDate,
    pub scopes: &'static [&'static str],
    /// Whether the provider documents PKCE at authorize.
    pub pkce: bool,
    pub budget: Budget,
    pub streams: &'static [Stream],
    /// What kind of failure an answer is that is not a success.
    pub read_failure: fn(&Answer) -> Failure,
    /// Whether a token endpoint's refusal of a refresh token is final. Whatever is not may be our own
    /// fault, or pass.
    pub ends_grant: fn(&Answer) -> bool,
    /// Whether revoking one token leaves the account's other grants alone.
    pub revokes_one_grant: bool,
}

/// The standard's word for a refresh token that is no good any more.
pub fn is_invalid_grant(answer: &Answer) -> bool {
    TokenErrorBody::of(answer).error.as_deref() == Some("invalid_grant")
}

impl Description {
    /// The stream of that name.
    pub fn stream(&self, name: &str) -> Option<&'static Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// The stream that brings items of that type.
    pub fn kind(&self, kind: &str) -> Option<&'static Stream> {
        self.streams.iter().find(|stream| stream.kind == kind)
    }

    /// Whether the provider has stopped answering this API version.
    pub fn ends_before(&self, now: DateTime<Utc>) -> bool {
        self.api_version_ends < now.date_naive()
    }
}

/// One kind of thing that is read to its end by itself.
pub struct Stream {
    pub name: &'static str,
    /// The item type as programs see it.
    pub kind: &'static str,
    /// The words for one and for several, as the provider says them.
    pub one: &'static str,
    pub many: &'static str,
}

/// Whose account a token is for, and who approved.
pub struct Identity {
    pub account_id: String,
    /// What makes the account the same one when it is approved again.
    pub account_key: String,
    pub account_name: String,
    /// Absent where the provider names no person; such an approval cannot sign in.
    pub person: Option<Person>,
    pub scopes: Vec<String>,
    /// What the adapter wants to know about the account again. Nobody else reads it.
    pub notes: String,
}

/// Who approved.
pub struct Person {
    pub id: String,
    pub name: String,
    pub email: Option<String>,
}

/// The account that pages are read of.
pub struct Account<'a> {
    pub id: &'a str,
    pub notes: &'a str,
}

/// A page of a stream.
pub struct Page {
    pub items: Vec<Item>,
    /// Records that could not be understood, with the reason logged.
    pub skipped: usize,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// What Tributary asks of a provider. An adapter maps; sending, waiting, retrying and storing belong
/// to others.
#[async_trait]
pub trait Provider: Send + Sync {
    fn description(&self) -> &'static Description;

    /// Whose account and which person the token is for.
    async fn identify(
        &self,
        api: &Api,
        oauth: &OAuthClient,
        token: &TokenAnswer,
        version: &str,
    ) -> Result<Identity, Failure>;

    /// The page of `stream` after `cursor`, or its first. A cursor is whatever the page before gave,
    /// and holds across restarts; an empty page with a `next` is not the end.
    async fn page(
        &self,
        api: &Api,
        account: &Account<'_>,
        stream: &Stream,
        cursor: Option<&str>,
        version: &str,
    ) -> Result<Page, Failure>;
}

/// A provider that this installation has credentials for.
#[derive(Clone)]
pub struct Configured {
    pub provider: &'static dyn Provider,
    pub credentials: Credentials,
    pub auth_url: Url,
    pub api_url: Url,
    pub api_version: String,
    pub scopes: Vec<String>,
    pub pkce: bool,
    /// `None` leaves pacing to the provider's own answers.
    pub budget: Option<Budget>,
}

impl Configured {
    pub fn description(&self) -> &'static Description {
        self.provider.description()
    }

    pub fn slug(&self) -> &'static str {
        self.description().slug
    }

    /// The host that issues tokens: part of every identity that comes from there.
    pub fn token_host(&self) -> &str {
        self.api_url.host_str().unwrap_or_default()
    }

    pub fn endpoints(&self) -> Endpoints {
        let it = self.description();
        let path =
            |base: &Url, path: &str| below(base, &path.replace("{version}", &self.api_version));
        Endpoints {
            authorize: path(&self.auth_url, it.authorize_path),
            token: path(&self.api_url, it.token_path),
            revoke: it.revoke_path.map(|p| path(&self.api_url, p)),
            introspect: it.introspect_path.map(|p| path(&self.api_url, p)),
            client_auth: it.client_auth,
        }
    }

    /// Our OAuth client there.
    pub fn oauth(&self, client: &Client) -> OAuthClient {
        let read_failure = self.description().read_failure;
        OAuthClient::new(
            client,
            self.endpoints(),
            self.credentials.clone(),
            read_failure,
        )
    }

    /// The way to its API for one account.
    pub fn api(&self, client: &Client, bearer: Bearer) -> Api {
        Api::new(
            client,
            &self.api_url,
            bearer,
            self.description().read_failure,
        )
    }
}

/// The providers of this installation.
#[derive(Clone, Default)]
pub struct Providers(Arc<[Configured]>);

impl Providers {
    pub fn new(configured: Vec<Configured>) -> Self {
        Self(configured.into())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Configured> {
        self.0.iter()
    }

    pub fn find(&self, slug: &str) -> Option<&Configured> {
        self.iter().find(|provider| provider.slug() == slug)
    }
}
