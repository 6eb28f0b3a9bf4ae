//! HubSpot: contacts, companies and deals, by the dated CRM API.

mod answers;
mod objects;
mod whose;

use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde_json::Value;

use super::{
    Description, Fields, Identity, Kind, Page, Pkce, Provider, Read, Scope, Stream, TokensFrom,
};
use crate::client::{
    Api, Budget, Call, ClientAuth, Dialect, Encoding, Failure, FailureKind, Limit, OAuthClient,
    TokenAnswer,
};
use answers::{ends_grant, read_failure, stated_limit};
use objects::OBJECTS;
use whose::{Details, Whose, identity};

pub struct HubSpot;

static DESCRIPTION: Description = Description {
    slug: "hubspot",
    name: "HubSpot",
    auth_url: "https://app.hubspot.com",
    api_url: "https://api.hubapi.com",
    authorize_path: "/oauth/authorize",
    token_path: "/oauth/{version}/token",
    tokens_from: TokensFrom::ApiUrl,
    revoke_path: Some("/oauth/{version}/token/revoke"),
    introspect_path: Some("/oauth/{version}/token/introspect"),
    authorize_with: &[],
    client_auth: ClientAuth::Body,
    encoding: Encoding::Form,
    api_version: "2026-09",
    // Eighteen months after its release.
    api_version_ends: NaiveDate::from_ymd_opt(2028, 3, 31),
    scopes: &[
        scope("oauth", false, "connecting at all"),
        scope("crm.objects.contacts.read", false, "contacts"),
        // An account whose plan lacks one of these could not approve at all if it were required.
        scope(
            COMPANIES_SCOPE,
            true,
            "companies, and whose contacts and deals are",
        ),
        scope("crm.objects.deals.read", true, "deals"),
    ],
    pkce: Pkce::Off,
    limits: &[
        // HubSpot grants a marketplace app 110 per installing account; one of them asks whose it is,
        // before there is a budget to count it against.
        limit("general", 109, 10),
        limit(SEARCH, 5, 1),
        limit(ASSOCIATIONS, 100, 10),
    ],
    at_once: 3,
    // HubSpot says that a change takes a few moments to be found.
    overlap: Duration::from_secs(10 * 60),
    kinds: &[
        kind("contact", "contact", "contacts"),
        kind("company", "company", "companies"),
        kind("deal", "deal", "deals"),
    ],
    streams: &[
        stream("contacts", "contact", &["contact"]),
        stream("companies", "company", &["company"]),
        stream("deals", "deal", &["deal"]),
    ],
    dialect: Dialect {
        read_failure,
        stated_limit,
        version_header: None,
    },
    ends_grant,
    // Revoking one token of an account ends all that it was granted.
    revokes_one_grant: false,
    allowance: None,
    every: Duration::from_secs(15 * 60),
    shares_nothing: None,
    approvals_url: None,
};

const COMPANIES_SCOPE: &str = "crm.objects.companies.read";
const SEARCH: &str = "search";
const ASSOCIATIONS: &str = "associations";

const fn scope(name: &'static str, optional: bool, needed_for: &'static str) -> Scope {
    Scope {
        name,
        optional,
        needed_for,
    }
}

const fn limit(name: &'static str, calls: usize, seconds: u64) -> Limit {
    let window = Duration::from_secs(seconds);
    let budget = Budget { calls, window };
    Limit { name, budget }
}

const fn kind(name: &'static str, one: &'static str, many: &'static str) -> Kind {
    Kind {
        name,
        one,
        many,
        directory: false,
        fields: Fields::at("/properties"),
    }
}

const fn stream(name: &'static str, one: &'static str, lists: &'static [&'static str]) -> Stream {
    Stream {
        name,
        one,
        many: name,
        root: true,
        exhaustive: true,
        since: true,
        lists,
    }
}

#[async_trait]
impl Provider for HubSpot {
    fn description(&self) -> &'static Description {
        &DESCRIPTION
    }

    async fn identify(
        &self,
        api: &Api,
        oauth: &OAuthClient,
        token: &TokenAnswer,
    ) -> Result<Identity, Failure> {
        let answered = Whose::from_token(token);
        // Introspection says more, the person's address among it; the token's answer will do where
        // there is none. A passing fault is not taken for "says nothing".
        let asked = match oauth.introspect::<Value>(&token.tokens.access).await {
            Ok(whose) => whose.as_ref().map(Whose::read).unwrap_or_default(),
            Err(failure) if failure.is_passing() => return Err(failure),
            Err(failure) => {
                tracing::warn!(failure.said, "HubSpot's introspection gave nothing");
                Whose::default()
            }
        };
        let path = format!("/account-info/{}/details", api.version());
        let details = match api.ask::<Value>(Call::get(&path)).await {
            Ok(details) => Details::read(&details),
            Err(failure) if failure.kind == FailureKind::Unauthorized => return Err(failure),
            // Without its details an account can still be read; only its links are missing.
            Err(failure) => {
                tracing::warn!(failure.said, "HubSpot's account details gave nothing");
                Details::default()
            }
        };
        identity(answered, asked, details)
    }

    async fn page(&self, read: Read<'_>) -> Result<Page, Failure> {
        let object = OBJECTS.iter().find(|it| it.stream == read.source.stream);
        let Some(object) = object else {
            let said = format!("there is no list of {}", read.source.stream);
            return Err(Failure::new(FailureKind::Refused, &said));
        };
        match read.since {
            None => object.list(&read).await,
            Some(since) => object.search(&read, since).await,
        }
    }
}

/// An id, which HubSpot writes as a number or as a string.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        _ => None,
    }
}
