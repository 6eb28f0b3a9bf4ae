//! `GET /items`: the list.

use std::collections::HashMap;

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::Utc;
use url::Url;

use super::App;
use super::errors::Result;
use super::fragment;
use super::guard::SignedIn;
use super::items_view::{Chip, Column, Controls, KindLink, chips, columns, found, heading, kinds};
use super::list_parameters::{ListParameters, parent};
use super::page::{Chrome, Here, ItemRow, ProviderView};
use crate::export::Format;
use crate::item::ConnectionId;
use crate::store::{Connection, ConnectionState, ListRow, SignIn, Span};

#[derive(Template)]
#[template(path = "items/list.html", blocks = ["view", "results", "rows"])]
struct ItemsPage {
    chrome: Chrome,
    heading: String,
    controls: Controls,
    chips: Vec<Chip>,
    kinds: Vec<KindLink>,
    columns: Vec<Column>,
    /// Every format, with where all that the filters leave is to be had in it.
    exports: Vec<(String, String)>,
    /// How many there are, in words.
    found: String,
    rows: Vec<ItemRow>,
    more: Option<String>,
    /// Whether this is further on in the list, and where it begins.
    is_continued: bool,
    address: String,
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
    let view = ListParameters::parse(req.query_string())?;
    show(&req, &app, &sign_in, view).await
}

/// `GET /integrations/{provider}/items`: the same list with `provider` set.
pub async fn provider_items_list(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    provider: web::Path<String>,
) -> Result<HttpResponse> {
    let mut view = ListParameters::parse(req.query_string())?;
    view.provider = Some(provider.into_inner());
    show(&req, &app, &sign_in, view).await
}

async fn show(
    req: &HttpRequest,
    app: &App,
    sign_in: &SignIn,
    view: ListParameters,
) -> Result<HttpResponse> {
    let all = app.store.connections(sign_in.workspace_id).await?;
    let chosen = view.choose(&app.providers, &all)?;
    let filters = view.filters(&chosen);
    let query = view.query(&app.vault, sign_in.workspace_id, filters.clone())?;
    let (span, counts) = app.store.list_and_counts(&query).await?;
    let Span {
        rows: found_rows,
        next,
    } = span;
    let parent = parent(&app.store, &filters, found_rows.is_empty()).await?;
    let rows = rows(app, found_rows, &chosen).await?;
    let more = next.map(|mark| {
        view.address_behind(&view.write_cursor(&app.vault, sign_in.workspace_id, &mark))
    });
    let heading = heading(app, &chosen, &view);
    let page = ItemsPage {
        chrome: Chrome::new(&heading, Here::Items, Some(sign_in)),
        chips: chips(app, &chosen, &view, parent.or_else(|| stands_in(&rows))),
        kinds: kinds(app, &view, &counts),
        columns: columns(&view),
        exports: exports(&view),
        found: found(&view, &counts),
        controls: Controls::new(app, &all, &view),
        is_continued: view.cursor.is_some(),
        address: view.address(),
        heading,
        rows,
        more,
        ended: chosen
            .iter()
            .filter_map(|connection| Ended::new(app, connection))
            .collect(),
        connect: match all.is_empty() {
            true => app
                .providers
                .iter()
                .map(|provider| provider.description().into())
                .collect(),
            false => Vec::new(),
        },
    };
    draw(req, &page, &view)
}

fn exports(view: &ListParameters) -> Vec<(String, String)> {
    let address = |format: Format| (format.label(), view.address_of_export(format));
    Format::ALL.into_iter().map(address).collect()
}

/// The page, or the part of it that htmx puts in a place: further rows, what the form asks for, or with
/// the form as well where a link has changed what stands in it.
fn draw(req: &HttpRequest, page: &ItemsPage, view: &ListParameters) -> Result<HttpResponse> {
    if !fragment::is_wanted(req) {
        return Ok(fragment::html(page.render()?));
    }
    if view.cursor.is_some() {
        return Ok(fragment::html(page.as_rows().render()?));
    }
    let part = match fragment::target(req) {
        Some("view") => page.as_view().render()?,
        _ => page.as_results().render()?,
    };
    let (header, address) = history(req, view);
    let mut answer = fragment::html(part);
    if let Ok(address) = address.parse() {
        answer.headers_mut().insert(header, address);
    }
    Ok(answer)
}

/// The address bar holds the view. A search that is being typed is one step of the history, everything
/// else is a step of its own.
fn history(req: &HttpRequest, view: &ListParameters) -> (HeaderName, String) {
    let current = fragment::current_url(req).and_then(|url| Url::parse(url).ok());
    let before = current.and_then(|url| ListParameters::parse(url.query().unwrap_or("")).ok());
    let typed = |before: ListParameters| {
        let rest = ListParameters {
            q: view.q.clone(),
            cursor: None,
            ..before.clone()
        };
        let searches = before.q.is_some() && view.q.is_some();
        before == *view || (searches && rest == *view)
    };
    let name = match before.is_some_and(typed) {
        true => "hx-replace-url",
        false => "hx-push-url",
    };
    (HeaderName::from_static(name), view.address())
}

/// What the rows of one parent stand in.
fn stands_in(rows: &[ItemRow]) -> Option<String> {
    rows.first()?.parent.clone()
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
