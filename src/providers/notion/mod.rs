//! Notion: pages, databases and data sources. Search finds most of them; the rows of data sources and the
//! blocks of pages lead to what it leaves out.

mod answers;
mod listings;
mod records;
mod whose;

use std::time::Duration;

use async_trait::async_trait;

use super::{
    Description, Fields, Identity, Kind, Page, Pkce, Provider, Read, Stream, TokensFrom,
    is_invalid_grant,
};
use crate::client::{
    Api, Budget, Call, ClientAuth, Dialect, Encoding, Failure, FailureKind, Limit, OAuthClient,
    TokenAnswer,
};
use crate::item::Parent;
use records::{DATA_SOURCE, DATABASE, PAGE};
use whose::Whose;

pub struct Notion;

static DESCRIPTION: Description = Description {
    slug: "notion",
    name: "Notion",
    auth_url: "https://api.notion.com",
    api_url: "https://api.notion.com",
    authorize_path: "/v1/oauth/authorize",
    token_path: "/v1/oauth/token",
    tokens_from: TokensFrom::ApiUrl,
    revoke_path: Some("/v1/oauth/revoke"),
    introspect_path: Some("/v1/oauth/introspect"),
    authorize_with: &[("owner", "user")],
    client_auth: ClientAuth::Basic,
    encoding: Encoding::Json,
    api_version: "2026-03-11",
    // Notion has named no day for any of its versions.
    api_version_ends: None,
    // What a connection may do is fixed where it is registered.
    scopes: &[],
    pkce: Pkce::Off,
    limits: &[Limit {
        name: "general",
        // What the smaller plans have; a refusal in the larger ones is as far away again.
        budget: Budget {
            calls: 180,
            window: answers::WINDOW,
        },
    }],
    at_once: 3,
    // Times are cut to the minute, and search takes some more to hear of a change.
    overlap: Duration::from_secs(10 * 60),
    kinds: &[
        kind(PAGE, "page", "pages"),
        kind(DATABASE, "database", "databases"),
        kind(DATA_SOURCE, "data source", "data sources"),
    ],
    // What others lead to is read in the order of the names: blocks in blocks at once, so that few of
    // them wait, the rows before the many pages, and what only blocks have told of when most of it has
    // been met elsewhere. Rows are walked through late, for they seldom hold pages.
    streams: &[
        found(
            BLOCKS,
            "block with others in it",
            "blocks with others in them",
        ),
        Stream {
            root: true,
            exhaustive: false,
            ..found(DATA_SOURCES, "data source", "data sources")
        },
        found(DATABASES, "database", "databases"),
        Stream {
            root: true,
            exhaustive: false,
            since: true,
            // Whatever it has is in one container.
            lists: &[PAGE, DATABASE, DATA_SOURCE],
            ..found(PAGES, "page", "pages")
        },
        Stream {
            since: true,
            ..found(ROWS, "row of a data source", "rows of data sources")
        },
        found(SUBPAGES, "subpage", "subpages"),
        found(UNLISTED, "page search left out", "pages search left out"),
        found(WITHIN_ROWS, "subpage of a row", "subpages of rows"),
        found(
            WITHIN_UNKNOWN,
            "page in a block of its own",
            "pages in blocks of their own",
        ),
    ],
    dialect: Dialect {
        read_failure: answers::read_failure,
        stated_limit: |_| None,
        version_header: Some("Notion-Version"),
    },
    // A refused client is our own fault, and all other refusals may pass.
    ends_grant: is_invalid_grant,
    // An approval is one bot of Notion's, however many tokens it has been given.
    revokes_one_grant: false,
    allowance: None,
    every: Duration::from_secs(15 * 60),
    shares_nothing: Some(
        "Nothing was shared with Tributary in Notion’s picker. Approve again and choose pages there; \
         what stands in them comes along.",
    ),
    approvals_url: None,
};

const BLOCKS: &str = "blocks";
const DATA_SOURCES: &str = "data_sources";
const DATABASES: &str = "databases";
const PAGES: &str = "pages";
const ROWS: &str = "rows";
const SUBPAGES: &str = "subpages";
const UNLISTED: &str = "unlisted";
const WITHIN_ROWS: &str = "within_rows";
const WITHIN_UNKNOWN: &str = "within_unknown";

const fn kind(name: &'static str, one: &'static str, many: &'static str) -> Kind {
    Kind {
        name,
        one,
        many,
        directory: true,
        fields: Fields::at("/properties"),
    }
}

/// A stream of listings that others lead to. What they list they list whole.
const fn found(name: &'static str, one: &'static str, many: &'static str) -> Stream {
    Stream {
        name,
        one,
        many,
        root: false,
        exhaustive: true,
        since: false,
        lists: &[],
    }
}

#[async_trait]
impl Provider for Notion {
    fn description(&self) -> &'static Description {
        &DESCRIPTION
    }

    async fn identify(
        &self,
        api: &Api,
        _: &OAuthClient,
        token: &TokenAnswer,
    ) -> Result<Identity, Failure> {
        let answered = Whose::of_token(&token.extra);
        if answered.says_all() {
            return answered.identity();
        }
        match api.ask(Call::get("/v1/users/me")).await {
            Ok(me) => answered.or(Whose::of_bot(&me)).identity(),
            Err(failure) if failure.kind == FailureKind::Unauthorized => Err(failure),
            // What is lacking may be no more than a name.
            Err(failure) => answered.identity().map_err(|_| failure),
        }
    }

    async fn page(&self, read: Read<'_>) -> Result<Page, Failure> {
        match read.source.stream {
            PAGES => listings::search(&read, PAGE).await,
            DATA_SOURCES => listings::search(&read, DATA_SOURCE).await,
            DATABASES => listings::database(&read).await,
            ROWS => listings::rows(&read).await,
            BLOCKS | SUBPAGES | WITHIN_ROWS => listings::blocks(&read).await,
            UNLISTED | WITHIN_UNKNOWN => listings::by_id(&read).await,
            other => {
                let said = format!("there is no list of {other}");
                Err(Failure::new(FailureKind::Refused, &said))
            }
        }
    }

    async fn is_there(&self, api: &Api, item: &Parent) -> Result<bool, Failure> {
        listings::is_there(api, item).await
    }
}
