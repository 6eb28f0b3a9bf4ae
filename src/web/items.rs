//! `GET /items`: the list.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use url::form_urlencoded;

use super::App;
use super::errors::{Result, WebError};
use super::fragment;
use super::guard::SignedIn;
use super::page::{Chrome, Here, ItemRow, ProviderView, grouped};
use super::parameters::Parameters;
use crate::item::{ConnectionId, WorkspaceId};
use crate::providers::Description;
use crate::store::{Connection, ConnectionState, ListQuery, ListRow, Mark, SignIn};
use crate::vault::{Owner, Vault};

const LIMIT: usize = 50;
const LARGEST_LIMIT: usize = 200;

/// The parameters of the list, as far as they are given.
#[derive(Clone, Debug, Default, PartialEq)]
struct ListParameters {
    provider: Option<String>,
    connection: Option<ConnectionId>,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl ListParameters {
    fn parse(query: &str) -> Result<Self> {
        let known = ["provider", "connection", "limit", "cursor"];
        let mut given = Parameters::parse(query, &known)?;
        Ok(Self {
            provider: given.take("provider"),
            connection: given
                .take("connection")
                .map(|text| parse_connection(&text))
                .transpose()?,
            limit: given
                .take("limit")
                .map(|text| parse_limit(&text))
                .transpose()?,
            cursor: given.take("cursor"),
        })
    }

    /// What a cursor belongs to: it goes on with this list and with no other.
    fn list(&self, workspace: WorkspaceId) -> Owner {
        let connection = self.connection.map(|id| id.to_string());
        let which =
            [self.provider.as_deref(), connection.as_deref()].map(Option::unwrap_or_default);
        Owner::new("list", format!("{workspace}/{}", which.join("/")))
    }

    fn next_address(&self, cursor: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let connection = self.connection.map(|id| id.to_string());
        let limit = self.limit.map(|limit| limit.to_string());
        let given = [
            ("provider", &self.provider),
            ("connection", &connection),
            ("limit", &limit),
        ];
        for (name, value) in given {
            query.extend_pairs(value.iter().map(|value| (name, value)));
        }
        format!(
            "{}?{}",
            super::urls::items(),
            query.append_pair("cursor", cursor).finish()
        )
    }
}

fn parse_connection(text: &str) -> Result<ConnectionId> {
    text.parse()
        .map_err(|_| WebError::BadQuery("connection", "names no connection".into()))
}

fn parse_limit(text: &str) -> Result<usize> {
    let limit = text
        .parse()
        .ok()
        .filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        WebError::BadQuery(
            "limit",
            format!("is not a number from 1 to {LARGEST_LIMIT}"),
        )
    })
}

fn write_cursor(vault: &Vault, list: &Owner, mark: Mark) -> String {
    let plain = serde_json::to_vec(&mark).expect("two numbers are JSON");
    URL_SAFE_NO_PAD.encode(vault.seal(list, &plain))
}

fn read_cursor(vault: &Vault, list: &Owner, text: &str) -> Result<Mark> {
    let foreign = || WebError::BadQuery("cursor", "does not belong to this list".into());
    let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign())?;
    let plain = vault.open(list, &sealed).map_err(|_| foreign())?;
    serde_json::from_slice(&plain).map_err(|_| foreign())
}

#[derive(Template)]
#[template(path = "items/list.html", blocks = ["rows"])]
struct ItemsPage {
    chrome: Chrome,
    heading: String,
    total: String,
    rows: Vec<ItemRow>,
    more: Option<String>,
    /// The connections among them that bring nothing new until they are approved again.
    ended: Vec<Ended>,
    /// Offered where nothing is connected.
    connect: Vec<ProviderView>,
}

struct Ended {
    id: ConnectionId,
    provider: ProviderView,
    /// Whether the provider has credentials here.
    on: bool,
    what: String,
}

impl Ended {
    fn new(app: &App, connection: &Connection) -> Option<Self> {
        let provider = app.providers.describe(&connection.provider)?;
        (connection.state == ConnectionState::Reconnect).then(|| Self {
            id: connection.id,
            provider: provider.into(),
            on: app.providers.find(provider.slug).is_some(),
            what: format!(
                "{} has ended the approval of {}. {}Its items stay, and are not kept fresh.",
                provider.name,
                connection.account_name,
                connection
                    .reason
                    .as_deref()
                    .map(|said| format!("It said: “{said}”. "))
                    .unwrap_or_default(),
            ),
        })
    }
}

/// `GET /items`
pub async fn items_list(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
) -> Result<HttpResponse> {
    let parameters = ListParameters::parse(req.query_string())?;
    show(&req, &app, &sign_in, parameters).await
}

/// `GET /integrations/{provider}/items`: the same list with `provider` set.
pub async fn provider_items_list(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    provider: web::Path<String>,
) -> Result<HttpResponse> {
    let mut parameters = ListParameters::parse(req.query_string())?;
    parameters.provider = Some(provider.into_inner());
    show(&req, &app, &sign_in, parameters).await
}

async fn show(
    req: &HttpRequest,
    app: &App,
    sign_in: &SignIn,
    parameters: ListParameters,
) -> Result<HttpResponse> {
    let all = app.store.connections(sign_in.workspace_id).await?;
    let connections = chosen(app, &all, &parameters)?;
    let list = parameters.list(sign_in.workspace_id);
    let after = parameters
        .cursor
        .as_deref()
        .map(|text| read_cursor(&app.vault, &list, text))
        .transpose()?;
    let ids: Vec<ConnectionId> = connections.iter().map(|connection| connection.id).collect();
    let limit = parameters.limit.unwrap_or(LIMIT);
    let span = app
        .store
        .list(&ListQuery {
            connections: &ids,
            after,
            limit,
        })
        .await?;
    let next = span
        .next
        .map(|mark| parameters.next_address(&write_cursor(&app.vault, &list, mark)));
    let heading = heading(app, &connections, &parameters);
    let page = ItemsPage {
        chrome: Chrome::new(&heading, Here::Items, Some(sign_in)),
        heading,
        total: grouped(connections.iter().map(|connection| connection.items).sum()),
        rows: rows(app, span.rows, &connections).await?,
        more: next,
        ended: connections
            .iter()
            .filter_map(|connection| Ended::new(app, connection))
            .collect(),
        connect: if all.is_empty() {
            app.providers
                .iter()
                .map(|provider| provider.description().into())
                .collect()
        } else {
            Vec::new()
        },
    };
    let html = if fragment::is_wanted(req) {
        page.as_rows().render()?
    } else {
        page.render()?
    };
    Ok(fragment::html(html))
}

/// The connections that the parameters leave, in the order of the workspace.
fn chosen<'a>(
    app: &App,
    all: &'a [Connection],
    parameters: &ListParameters,
) -> Result<Vec<&'a Connection>> {
    if let Some(provider) = &parameters.provider
        && app.providers.describe(provider).is_none()
    {
        return Err(WebError::BadQuery("provider", "names no provider".into()));
    }
    if let Some(id) = parameters.connection
        && all.iter().all(|connection| connection.id != id)
    {
        return Err(WebError::BadQuery(
            "connection",
            "names no connection".into(),
        ));
    }
    let wanted = |connection: &&Connection| {
        parameters
            .provider
            .as_ref()
            .is_none_or(|slug| *slug == connection.provider)
            && parameters.connection.is_none_or(|id| id == connection.id)
    };
    Ok(all.iter().filter(wanted).collect())
}

/// The provider that the parameters name.
fn named(app: &App, parameters: &ListParameters) -> Option<&'static Description> {
    app.providers.describe(parameters.provider.as_deref()?)
}

fn heading(app: &App, connections: &[&Connection], parameters: &ListParameters) -> String {
    match (parameters.connection, connections) {
        (Some(_), [connection]) => format!("Items of {}", connection.account_name),
        _ => match named(app, parameters) {
            Some(provider) => format!("{} items", provider.name),
            None => "Items".into(),
        },
    }
}

/// Rows as they are drawn, with where each of them stands.
pub(super) async fn rows(
    app: &App,
    rows: Vec<ListRow>,
    connections: &[&Connection],
) -> Result<Vec<ItemRow>> {
    let now = Utc::now();
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut paths = app.store.paths(&ids).await?;
    let of: HashMap<ConnectionId, &Connection> = connections.iter().map(|&c| (c.id, c)).collect();
    let row = |row: ListRow| {
        let connection = of.get(&row.connection)?;
        let provider = app.providers.describe(&connection.provider)?;
        let path = paths.remove(&row.id);
        let account = &connection.account_name;
        Some(ItemRow::new(row, provider, account, path, now))
    };
    Ok(rows.into_iter().filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{Key, KeyRing};

    fn problem(query: &str) -> &'static str {
        match ListParameters::parse(query) {
            Err(WebError::BadQuery(name, _)) => name,
            other => panic!("{query} gave {other:?}"),
        }
    }

    #[test]
    fn an_empty_parameter_counts_as_absent_and_an_unknown_one_is_ignored() {
        let none = ListParameters::default();
        assert_eq!(
            ListParameters::parse("provider=&limit=&x=1&x=2").unwrap(),
            none
        );
        assert_eq!(ListParameters::parse("limit=200").unwrap().limit, Some(200));
    }

    #[test]
    fn a_parameter_that_cannot_be_used_is_named() {
        assert_eq!(problem("limit=0"), "limit");
        assert_eq!(problem("limit=201"), "limit");
        assert_eq!(problem("limit=ten"), "limit");
        assert_eq!(problem("connection=x"), "connection");
        assert_eq!(problem("limit=5&limit=5"), "limit");
    }

    #[test]
    fn a_cursor_goes_on_with_its_own_list_and_with_no_other() {
        let vault = Vault::new(KeyRing::new(vec![Key::random()]).unwrap());
        let all = ListParameters::default();
        let one = ListParameters {
            connection: Some(ConnectionId(1)),
            ..all.clone()
        };
        let mark: Mark = serde_json::from_str("[5,7]").unwrap();
        let cursor = write_cursor(&vault, &all.list(WorkspaceId(1)), mark);
        assert_eq!(
            read_cursor(&vault, &all.list(WorkspaceId(1)), &cursor).unwrap(),
            mark
        );
        assert!(read_cursor(&vault, &all.list(WorkspaceId(2)), &cursor).is_err());
        assert!(read_cursor(&vault, &one.list(WorkspaceId(1)), &cursor).is_err());
        assert!(read_cursor(&vault, &all.list(WorkspaceId(1)), "nonsense").is_err());
    }
}
