//! `GET /items/{connection}/{type}/{id}`: one item, as a page of its own or beside the list.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};

use super::errors::{Result, WebError};
use super::fields::{Field, fields, names};
use super::guard::SignedIn;
use super::page::{Chrome, Here, ProviderView, When, capital, is_web_link};
use super::parameters::Parameters;
use super::raw::formatted;
use super::tree::{Branch, Level};
use super::{App, fragment, urls};
use crate::item::ConnectionId;
use crate::providers::Description;
use crate::store::{Connection, ItemKey, ListRow, Whole};

#[derive(Template)]
#[template(path = "items/show.html", blocks = ["item"])]
struct ItemPage {
    chrome: Chrome,
    provider: ProviderView,
    account: String,
    connection: ConnectionId,
    above: Vec<Crumb>,
    item: ItemView,
    /// The list of what stands in it.
    inside: String,
    level: Level,
}

/// What the item stands in.
struct Crumb {
    name: String,
    address: String,
}

struct ItemView {
    /// Its own page.
    address: String,
    name: String,
    kind: String,
    id: String,
    container: String,
    url: Option<String>,
    created: Option<When>,
    modified: Option<When>,
    seen: Option<When>,
    gone: Option<When>,
    fields: Vec<Field>,
    raw: String,
}

/// `GET /items/{connection}/{kind}/{item}`
pub async fn item_show(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse> {
    let (connection, kind, id) = path.into_inner();
    let connection = connection.parse().map_err(|_| WebError::NotFound)?;
    let mut given = Parameters::parse(req.query_string(), &["in", "tree"])?;
    let (container, is_tree) = (given.take("in"), given.take("tree").is_some());
    let key = ItemKey {
        connection,
        kind: &kind,
        id: &id,
        container: container.as_deref(),
    };
    let whole = app.store.item(sign_in.workspace_id, &key).await?;
    let whole = whole.ok_or(WebError::NotFound)?;
    let connection = app
        .store
        .connection(sign_in.workspace_id, connection)
        .await?;
    let connection = connection.ok_or(WebError::NotFound)?;
    let provider = app.providers.describe(&connection.provider);
    let provider = provider.ok_or(WebError::NotFound)?;
    let level = Level::below(&app, provider, &whole.row).await?;
    if is_tree && fragment::is_wanted(&req) {
        return Ok(fragment::html(Branch { level }.render()?));
    }
    let above = app.store.above(&whole.row).await?;
    let fields = fields_of(&app, provider, &whole, above.last()).await?;
    let page = ItemPage {
        chrome: Chrome::new(&whole.row.name, Here::Items, Some(&sign_in)),
        provider: provider.into(),
        above: above.iter().map(Crumb::new).collect(),
        inside: urls::items_in(&whole.row),
        item: ItemView::new(whole, fields, provider, Utc::now()),
        connection: connection.id,
        account: account(connection),
        level,
    };
    let html = match fragment::is_wanted(&req) {
        true => page.as_item().render()?,
        false => page.render()?,
    };
    Ok(fragment::html(html))
}

/// The fields of an item, called as what it stands in says.
async fn fields_of(
    app: &App,
    provider: &Description,
    whole: &Whole,
    above: Option<&ListRow>,
) -> Result<Vec<Field>> {
    let Some(kind) = provider.kind(&whole.row.kind) else {
        return Ok(Vec::new());
    };
    let called = match (kind.fields.named_above, above) {
        (Some(at), Some(above)) => {
            let above = app.store.raw(above).await?.unwrap_or_default();
            names(&String::from_utf8_lossy(&above), at)
        }
        _ => HashMap::new(),
    };
    let raw = String::from_utf8_lossy(&whole.raw);
    Ok(fields(&raw, &kind.fields, &called))
}

fn account(connection: Connection) -> String {
    connection.account_name
}

impl Crumb {
    fn new(row: &ListRow) -> Self {
        Self {
            name: row.name.clone(),
            address: urls::item(row),
        }
    }
}

impl ItemView {
    fn new(whole: Whole, fields: Vec<Field>, provider: &Description, now: DateTime<Utc>) -> Self {
        let Whole { row, raw, seen_at } = whole;
        let kind = provider.kind(&row.kind);
        let when = |time| When::new(time, now);
        let raw = String::from_utf8_lossy(&raw);
        Self {
            address: urls::item(&row),
            kind: capital(kind.map_or(row.kind.as_str(), |kind| kind.one)),
            name: row.name,
            id: row.provider_id,
            container: row.container,
            url: row.url.filter(|url| is_web_link(url)),
            created: row.created.map(when),
            modified: row.modified.map(when),
            seen: seen_at.map(when),
            gone: row.gone.map(when),
            fields,
            raw: formatted(&raw),
        }
    }
}
