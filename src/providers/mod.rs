//! The providers: one file or folder each, listed once in [`ALL`].

mod airtable;
mod hubspot;
mod notion;
mod renewal;

pub use renewal::Renewal;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use url::Url;

use crate::client::{
    Answer, Api, Bearer, Client, ClientAuth, Credentials, Dialect, Encoding, Endpoints, Failure,
    Limit, OAuthClient, Paces, Pacing, Rate, TokenAnswer, TokenErrorBody, below,
};
use crate::item::{Item, Parent};

/// Every provider there is, in the order people see them.
pub static ALL: &[&dyn Provider] = &[&hubspot::HubSpot, &notion::Notion, &airtable::Airtable];

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
    /// Which of the two addresses tokens come from: the one where people approve, or the API's.
    pub tokens_from: TokensFrom,
    pub revoke_path: Option<&'static str>,
    pub introspect_path: Option<&'static str>,
    /// What is asked at authorize beside the standard's parameters.
    pub authorize_with: &'static [(&'static str, &'static str)],
    pub client_auth: ClientAuth,
    pub encoding: Encoding,
    pub api_version: &'static str,
    /// The day the provider stops answering this version, where it has named one.
    pub api_version_ends: Option<NaiveDate>,
    pub scopes: &'static [Scope],
    pub pkce: Pkce,
    /// The limits that it sets, the general one first.
    pub limits: &'static [Limit],
    /// Listings that are read at once.
    pub at_once: usize,
    /// How far behind its lists may be when they are asked for what has changed.
    pub overlap: Duration,
    pub kinds: &'static [Kind],
    pub streams: &'static [Stream],
    pub dialect: Dialect,
    /// Whether a token endpoint's refusal of a refresh token is final. Whatever is not may be our own
    /// fault, or pass.
    pub ends_grant: fn(&Answer) -> bool,
    /// Whether revoking one token leaves the account's other grants alone.
    pub revokes_one_grant: bool,
    /// What a plan there allows for a longer while, in words that "are used up" can follow; `None`
    /// where calls cost nothing.
    pub allowance: Option<&'static str>,
    /// How often it is imported from, where nobody says otherwise.
    pub every: Duration,
    /// Why an account may hold nothing though it was approved, where its person chooses what to share.
    pub shares_nothing: Option<&'static str>,
    /// Where a person ends an approval at the provider, where we cannot do it for them.
    pub approvals_url: Option<&'static str>,
}

/// Where a provider's token endpoints are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokensFrom {
    AuthUrl,
    ApiUrl,
}

/// Whether a challenge of RFC 7636 goes with an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// The provider refuses without.
    Always,
    On,
    /// The provider documents none.
    Off,
}

/// A right that an account can grant.
pub struct Scope {
    pub name: &'static str,
    /// Whether an account may do without it.
    pub optional: bool,
    /// What it is needed for, in words that follow "needed for".
    pub needed_for: &'static str,
}

/// A type of item.
pub struct Kind {
    /// As programs see it.
    pub name: &'static str,
    /// The words for one and for several, as the provider says them.
    pub one: &'static str,
    pub many: &'static str,
    /// Whether others stand in it.
    pub directory: bool,
    pub fields: Fields,
}

/// Where in a record of a type its fields are. Places are JSON pointers.
pub struct Fields {
    /// The object whose members they are; empty for the record itself.
    pub at: &'static str,
    /// Where the record that it stands in says what they are called that are named by ids.
    pub named_above: Option<&'static str>,
}

impl Fields {
    pub const fn at(at: &'static str) -> Self {
        Self {
            at,
            named_above: None,
        }
    }
}

/// A sort of listing that is read to its end by itself.
pub struct Stream {
    pub name: &'static str,
    /// What it lists, one and several, as the provider says it.
    pub one: &'static str,
    pub many: &'static str,
    /// Whether every run begins with it; others are opened by what is found.
    pub root: bool,
    /// Whether having reached its end proves that there is nothing else.
    pub exhaustive: bool,
    /// Whether it can be asked for what has changed since a moment. Otherwise it is read whole.
    pub since: bool,
    /// The types of which it names all that stand in the container that its key is: what it does not name,
    /// once it was read whole, is there no more. Where its end proves nothing, that is asked of each.
    pub lists: &'static [&'static str],
}

/// One listing of a run: a stream, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub stream: &'static str,
    /// Tells several listings of one stream apart; empty for a root's.
    pub key: String,
    /// What a person calls it; empty where its stream says all.
    pub label: String,
    /// What the adapter wants to know when it reads it. Nobody else does; but once it is another, what
    /// has not changed may read otherwise, and the listing is read whole.
    pub about: String,
}

impl Source {
    /// The one listing of a root stream.
    pub fn root(stream: &'static str) -> Self {
        Self {
            stream,
            key: String::new(),
            label: String::new(),
            about: String::new(),
        }
    }
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

    /// The type of item of that name.
    pub fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// Whether the provider has stopped answering this API version.
    pub fn ends_before(&self, now: DateTime<Utc>) -> bool {
        self.api_version_ends
            .is_some_and(|end| end < now.date_naive())
    }

    fn is_optional(&self, scope: &str) -> bool {
        let known = self.scopes.iter().find(|known| known.name == scope);
        known.is_some_and(|known| known.optional)
    }
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

/// What a page is asked for with.
pub struct Read<'a> {
    pub api: &'a Api,
    /// The account's id, and what [`Identity::notes`] said of it.
    pub account: &'a str,
    pub notes: &'a str,
    pub source: &'a Source,
    /// What the page before gave, or nothing for the first one.
    pub cursor: Option<&'a str>,
    /// Only what has changed since then is wanted, where the stream can tell.
    pub since: Option<DateTime<Utc>>,
    /// What this run has learnt and may forget.
    pub memory: &'a Memory,
}

/// A page of a source.
#[derive(Default)]
pub struct Page {
    pub items: Vec<Item>,
    /// Records that could not be understood, with the reason logged.
    pub skipped: usize,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
    /// Items that are shown to be there no more, such as those merged into another.
    pub gone: Vec<Parent>,
    /// Sources that this page has shown there are.
    pub opens: Vec<Source>,
    /// How many items the source has in all, where the provider says so.
    pub total: Option<i64>,
    /// Why the source is not read whole though this is its end, in words that follow "because".
    pub cut_short: Option<String>,
}

/// What one process remembers for one run, such as the parents of blocks. It is bounded, and nothing
/// depends on it.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<String, String>>);

impl Memory {
    const MOST: usize = 50_000;

    pub fn get(&self, name: &str) -> Option<String> {
        self.known().get(name).cloned()
    }

    /// The same, for the last time.
    pub fn take(&self, name: &str) -> Option<String> {
        self.known().remove(name)
    }

    pub fn keep(&self, name: String, value: String) {
        let mut known = self.known();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(name, value);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
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
    ) -> Result<Identity, Failure>;

    /// The page of a source after a cursor, or its first. A cursor is whatever the page before gave,
    /// and holds across restarts; an empty page with a `next` is not the end.
    ///
    /// With `since`, whatever has changed after it is on some page; what has not may be too. A failure
    /// of the kind [`FailureKind::CursorLost`] has the source read from its beginning again.
    async fn page(&self, read: Read<'_>) -> Result<Page, Failure>;

    /// Whether an item is there though no listing named it. Only asked where the end of a listing proves
    /// nothing.
    async fn is_there(&self, _api: &Api, _item: &Parent) -> Result<bool, Failure> {
        Ok(true)
    }
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
    pub rate: Rate,
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
        self.token_url().host_str().unwrap_or_default()
    }

    fn token_url(&self) -> &Url {
        match self.description().tokens_from {
            TokensFrom::AuthUrl => &self.auth_url,
            TokensFrom::ApiUrl => &self.api_url,
        }
    }

    pub fn endpoints(&self) -> Endpoints {
        let it = self.description();
        let path =
            |base: &Url, path: &str| below(base, &path.replace("{version}", &self.api_version));
        let mut authorize_with: Vec<(&str, String)> = it
            .authorize_with
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let optional: Vec<&str> = self.asked(true).collect();
        if !optional.is_empty() {
            authorize_with.push(("optional_scope", optional.join(" ")));
        }
        Endpoints {
            authorize: path(&self.auth_url, it.authorize_path),
            authorize_with,
            token: path(self.token_url(), it.token_path),
            revoke: it.revoke_path.map(|p| path(self.token_url(), p)),
            introspect: it.introspect_path.map(|p| path(self.token_url(), p)),
            client_auth: it.client_auth,
            encoding: it.encoding,
            version: it
                .dialect
                .version_header
                .map(|name| (name, self.api_version.clone())),
        }
    }

    /// The scopes that are asked for, those an account may do without or the others.
    pub fn asked(&self, optional: bool) -> impl Iterator<Item = &str> {
        let it = self.description();
        let asked = self.scopes.iter().map(String::as_str);
        asked.filter(move |scope| it.is_optional(scope) == optional)
    }

    /// The scopes that were asked for and not granted; none where the provider does not say what it granted.
    pub fn missing<'a>(&'a self, granted: &'a [String]) -> impl Iterator<Item = &'a str> {
        let asked = self.scopes.iter().map(String::as_str);
        let lacks = |scope: &&str| !granted.iter().any(|given| given == scope);
        asked.filter(move |scope| !granted.is_empty() && lacks(scope))
    }

    /// Our OAuth client there.
    pub fn oauth(&self, client: &Client) -> OAuthClient {
        let read_failure = self.description().dialect.read_failure;
        OAuthClient::new(
            client,
            self.endpoints(),
            self.credentials.clone(),
            read_failure,
        )
    }

    /// The way to its API for one account.
    pub fn api(&self, client: &Client, bearer: Bearer) -> Api {
        let dialect = self.description().dialect;
        Api::new(client, &self.api_url, &self.api_version, bearer, dialect)
    }

    /// The budgets of one account, the same ones for everybody who asks.
    pub fn pacing(&self, paces: &Arc<Paces>, account: &str) -> Pacing {
        Pacing {
            paces: Arc::clone(paces),
            account: format!("{}/{account}", self.slug()),
            limits: self.description().limits,
            rate: self.rate,
        }
    }
}

/// The providers there are, and those of this installation.
#[derive(Clone)]
pub struct Providers {
    known: &'static [&'static dyn Provider],
    configured: Arc<[Configured]>,
}

impl Providers {
    pub fn new(known: &'static [&'static dyn Provider], configured: Vec<Configured>) -> Self {
        Self {
            known,
            configured: configured.into(),
        }
    }

    /// Those with credentials.
    pub fn iter(&self) -> impl Iterator<Item = &Configured> {
        self.configured.iter()
    }

    /// All there are, in the order people see them.
    pub fn descriptions(&self) -> impl Iterator<Item = &'static Description> {
        self.known.iter().map(|provider| provider.description())
    }

    /// What a provider is, whether or not this installation has credentials for it: what was imported
    /// from it once is still shown.
    pub fn describe(&self, slug: &str) -> Option<&'static Description> {
        self.descriptions().find(|it| it.slug == slug)
    }

    pub fn find(&self, slug: &str) -> Option<&Configured> {
        self.iter().find(|provider| provider.slug() == slug)
    }
}
