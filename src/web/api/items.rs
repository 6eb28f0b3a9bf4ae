//! `/api/v1/items` and `/items/{connection}/{kind}/{item}`: the list, and one of it whole.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::json;
use crate::export::ItemJson;
use crate::item::ConnectionId;
use crate::store::{Child, ItemKey};
use crate::web::App;
use crate::web::errors::{Result, WebError};
use crate::web::guard::Reader;
use crate::web::list_parameters::{ListParameters, parent};
use crate::web::parameters::Parameters;
use crate::web::urls;

/// What stands in an item is told up to so many; the list has all, by `parent`.
const CHILDREN: usize = 200;

#[derive(Serialize, ToSchema)]
#[schema(as = Items)]
pub struct List {
    items: Vec<ItemJson>,
    /// Where the list goes on; null at its end.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// An item with all that is kept of it.
#[derive(Serialize, ToSchema)]
#[schema(as = WholeItem)]
pub struct WholeItem {
    #[serde(flatten)]
    item: ItemJson,
    /// The provider's record, as it came.
    #[schema(value_type = serde_json::Value)]
    raw: Box<RawValue>,
    /// What stands in it, at most 200, the latest changed first.
    #[schema(max_items = 200)]
    children: Vec<ChildJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Child)]
struct ChildJson {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

impl From<Child> for ChildJson {
    fn from(Child { kind, id }: Child) -> Self {
        Self { kind, id }
    }
}

/// Which items are wanted, in what order, and which part of them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "says what ListParameters reads")]
struct Asked {
    /// Of this provider
    provider: Option<String>,
    /// Of this connection
    connection: Option<String>,
    /// Of this type
    r#type: Option<String>,
    /// With each of these words somewhere in the name, whatever its case or accents
    q: Option<String>,
    /// What stands in the item with this id
    parent: Option<String>,
    /// The container of that item, where its id stands in several
    r#in: Option<String>,
    /// Modified at this date or RFC 3339 time or later; leaves out what has no time
    modified_since: Option<String>,
    /// `1`: with what its provider has no more
    gone: Option<String>,
    /// The order; `-modified` without it, ties by id, what has no time last
    sort: Option<String>,
    /// At most so many; 50 without it
    #[param(schema_with = super::openapi::limit)]
    limit: Option<i32>,
    /// Where to go on: `next_cursor` of the answer before, with the same filters and order
    cursor: Option<String>,
}

/// The list
#[utoipa::path(get, path = urls::API_ITEMS, params(Asked), responses((status = 200, body = List)))]
pub async fn items_list(
    req: HttpRequest,
    app: web::Data<App>,
    Reader(caller): Reader,
) -> Result<HttpResponse> {
    let workspace = caller.workspace_id;
    let view = ListParameters::parse(req.query_string())?;
    let all = app.store.connections(workspace).await?;
    let filters = view.filters(&view.choose(&app.providers, &all)?);
    let query = view.query(&app.vault, workspace, filters)?;
    let span = app.store.list(&query).await?;
    parent(&app.store, &query.filters, span.rows.is_empty()).await?;
    let next = span.next;
    Ok(json(&List {
        items: ItemJson::all(&app.store, &app.providers, &all, span.rows).await?,
        next_cursor: next.map(|mark| view.write_cursor(&app.vault, workspace, &mark)),
    }))
}

/// One item, with the provider's record and what stands in it
#[utoipa::path(get, path = urls::API_ITEM,
    params(
        ("connection" = String, Path, description = "The id of a connection"),
        ("kind" = String, Path, description = "The item's type"),
        ("item" = String, Path, description = "The provider's own id"),
        ("in" = Option<String>, Query, description = "The container, where the id stands in several"),
    ),
    responses((status = 200, body = WholeItem)))]
pub async fn item_show(
    req: HttpRequest,
    app: web::Data<App>,
    Reader(caller): Reader,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse> {
    let (connection, kind, id) = path.into_inner();
    let connection: ConnectionId = connection.parse().map_err(|_| WebError::NotFound)?;
    let container = Parameters::parse(req.query_string(), &["in"])?.take("in");
    let key = ItemKey {
        connection,
        kind: &kind,
        id: &id,
        container: container.as_deref(),
    };
    let whole = app.store.item(caller.workspace_id, &key).await?;
    let whole = whole.ok_or(WebError::NotFound)?;
    let children = app.store.children_of(&whole.row, CHILDREN).await?;
    let all = app.store.connections(caller.workspace_id).await?;
    let items = ItemJson::all(&app.store, &app.providers, &all, vec![whole.row]).await?;
    let item = items.into_iter().next().ok_or(WebError::NotFound)?;
    Ok(json(&WholeItem {
        item,
        raw: raw(whole.raw)?,
        children: children.into_iter().map(ChildJson::from).collect(),
    }))
}

/// The record goes out as it came in: it is looked over, not taken apart.
fn raw(bytes: Vec<u8>) -> Result<Box<RawValue>> {
    let text = String::from_utf8(bytes).map_err(|error| error.to_string());
    let raw = text.and_then(|text| RawValue::from_string(text).map_err(|error| error.to_string()));
    raw.map_err(WebError::Broken)
}
