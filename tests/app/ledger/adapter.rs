//! Ledger: accounts with entries. What an adapter cannot be shorter than.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tributary::client::{
    Answer, Api, Budget, Call, ClientAuth, Dialect, Encoding, Failure, FailureKind, Limit,
    OAuthClient, Stated, TokenAnswer, retry_after,
};
use tributary::item::{Item, clean_name};
use tributary::providers::{
    Description, Fields, Identity, Kind, Page, Person, Pkce, Provider, Read, Scope, Stream,
    TokensFrom, is_invalid_grant,
};

pub struct Ledger;

static DESCRIPTION: Description = Description {
    slug: "ledger",
    name: "Ledger",
    auth_url: "https://ledger.example",
    api_url: "https://api.ledger.example",
    authorize_path: "/authorize",
    token_path: "/token",
    tokens_from: TokensFrom::ApiUrl,
    revoke_path: None,
    introspect_path: None,
    authorize_with: &[("prompt", "consent")],
    client_auth: ClientAuth::Basic,
    encoding: Encoding::Form,
    api_version: "1",
    api_version_ends: None,
    scopes: &[Scope {
        name: "entries:read",
        optional: false,
        needed_for: "entries",
    }],
    pkce: Pkce::Always,
    limits: &[Limit {
        name: "general",
        budget: Budget {
            calls: 1_000,
            window: Duration::from_secs(1),
        },
    }],
    at_once: 1,
    overlap: Duration::from_secs(60),
    kinds: &[Kind {
        name: "entry",
        one: "entry",
        many: "entries",
        directory: false,
        fields: Fields::at(""),
    }],
    streams: &[Stream {
        name: "entries",
        one: "entry",
        many: "entries",
        root: true,
        exhaustive: true,
        since: true,
        lists: &["entry"],
    }],
    dialect: Dialect {
        read_failure,
        stated_limit,
        version_header: Some("Ledger-Version"),
    },
    ends_grant: is_invalid_grant,
    revokes_one_grant: true,
    allowance: None,
    every: Duration::from_secs(15 * 60),
    shares_nothing: None,
    approvals_url: None,
};

#[async_trait]
impl Provider for Ledger {
    fn description(&self) -> &'static Description {
        &DESCRIPTION
    }

    async fn identify(
        &self,
        api: &Api,
        _: &OAuthClient,
        token: &TokenAnswer,
    ) -> Result<Identity, Failure> {
        let me: Me = api.ask(Call::get("/me")).await?;
        Ok(Identity {
            account_id: me.book.clone(),
            account_key: me.book,
            account_name: me.title,
            person: Some(Person {
                id: me.keeper.clone(),
                name: me.keeper.clone(),
                email: Some(me.keeper),
            }),
            scopes: token.scopes.clone(),
            notes: String::new(),
        })
    }

    async fn page(&self, read: Read<'_>) -> Result<Page, Failure> {
        let since = read.since.map(|since| since.timestamp_millis().to_string());
        let call = Call::get("/entries")
            .query(read.cursor.map(|cursor| ("after", cursor)))
            .query(since.as_deref().map(|since| ("since", since)));
        let list: List = read.api.ask(call).await?;
        let mut page = Page {
            next: list.next,
            ..Page::default()
        };
        for raw in list.entries {
            match entry(raw) {
                Some(item) => page.items.push(item),
                None => page.skipped += 1,
            }
        }
        Ok(page)
    }
}

fn entry(raw: Box<RawValue>) -> Option<Item> {
    let entry: Value = serde_json::from_str(raw.get()).ok()?;
    let id = entry["id"].as_str()?.to_owned();
    let modified = entry["changed"].as_i64();
    Some(Item {
        container: String::new(),
        kind: "entry",
        name: entry["text"]
            .as_str()
            .and_then(clean_name)
            .unwrap_or_else(|| format!("Entry {id}")),
        created: None,
        modified: modified.and_then(DateTime::<Utc>::from_timestamp_millis),
        url: None,
        parent: None,
        substance: None,
        id,
        raw,
    })
}

#[derive(Deserialize)]
struct Me {
    book: String,
    title: String,
    keeper: String,
}

#[derive(Deserialize)]
struct List {
    entries: Vec<Box<RawValue>>,
    next: Option<String>,
}

fn read_failure(answer: &Answer) -> Failure {
    let kind = match answer.status.as_u16() {
        401 => FailureKind::Unauthorized,
        403 => FailureKind::Forbidden,
        404 => FailureKind::NotFound,
        429 => FailureKind::Limited,
        500.. => FailureKind::Passing,
        _ => FailureKind::Refused,
    };
    let said = format!("status {}", answer.status.as_u16());
    Failure::new(kind, &said).after(retry_after(&answer.headers))
}

fn stated_limit(_: &HeaderMap) -> Option<Stated> {
    None
}
