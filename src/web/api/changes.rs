//! `GET /api/v1/changes`: what has become of items, for programs that keep a copy.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{json, time};
use crate::export::ItemJson;
use crate::item::WorkspaceId;
use crate::store::{Change, Connection};
use crate::vault::Owner;
use crate::web::errors::{Result, WebError};
use crate::web::guard::Reader;
use crate::web::list_parameters::{LIMIT, limit};
use crate::web::parameters::Parameters;
use crate::web::{App, cursor, urls};

#[derive(Serialize, ToSchema)]
#[schema(as = Changes)]
pub struct List {
    changes: Vec<ChangeJson>,
    /// Where to go on. It is always there: where no change came with it, there is none yet.
    next_cursor: String,
}

/// What became of an item, or of a connection with all that was in it.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
struct ChangeJson {
    seq: i64,
    #[schema(schema_with = super::openapi::change_kinds)]
    kind: &'static str,
    #[schema(format = DateTime)]
    at: String,
    /// The item as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<ItemJson>,
    /// Which connection was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    connection_id: Option<String>,
}

/// Which part of the changes is wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "says what is read by name")]
struct Asked {
    /// At most so many; 50 without it
    #[param(schema_with = super::openapi::limit)]
    limit: Option<i32>,
    /// Where to go on: `next_cursor` of the answer before. Without it: from the oldest that is kept
    cursor: Option<String>,
}

/// Changes in the order in which they were made
#[utoipa::path(get, path = urls::API_CHANGES, params(Asked), responses((status = 200, body = List),
    (status = 410, description = "The cursor is older than what is kept", body = super::problem::Problem,
        content_type = "application/problem+json")))]
pub async fn changes_list(
    req: HttpRequest,
    app: web::Data<App>,
    Reader(caller): Reader,
) -> Result<HttpResponse> {
    let mut given = Parameters::parse(req.query_string(), &["cursor", "limit"])?;
    let limit = limit(&given)?.unwrap_or(LIMIT);
    let feed = feed(caller.workspace_id);
    let after = match given.take("cursor") {
        Some(text) => Some(read(&app, &feed, &text)?),
        None => None,
    };
    let changes = app.store.changes(caller.workspace_id, after, limit).await?;
    let changes = changes.ok_or(WebError::CursorTooOld)?;
    Ok(json(&List {
        next_cursor: cursor::write_number(&app.vault, &feed, changes.last),
        changes: told(&app, caller.workspace_id, changes.changes).await?,
    }))
}

fn feed(workspace: WorkspaceId) -> Owner {
    Owner::new("changes", workspace.to_string())
}

fn read(app: &App, feed: &Owner, text: &str) -> Result<i64> {
    let seq = cursor::read_number(&app.vault, feed, text);
    seq.ok_or_else(|| WebError::BadQuery("cursor", "does not belong to these changes".into()))
}

async fn told(app: &App, workspace: WorkspaceId, changes: Vec<Change>) -> Result<Vec<ChangeJson>> {
    let all = app.store.connections(workspace).await?;
    // One may have been removed since the changes were read.
    let changes: Vec<Change> = changes
        .into_iter()
        .filter(|change| change.item.is_none() || is_among(&all, change))
        .collect();
    let rows = changes.iter().filter_map(|change| change.item.clone());
    let items = ItemJson::all(&app.store, &app.providers, &all, rows.collect()).await?;
    let mut items = items.into_iter();
    let told = |change: Change| ChangeJson {
        seq: change.seq,
        kind: change.kind.as_str(),
        at: time(change.at),
        connection_id: match change.item {
            None => Some(change.connection.to_string()),
            Some(_) => None,
        },
        item: change.item.and_then(|_| items.next()),
    };
    Ok(changes.into_iter().map(told).collect())
}

fn is_among(all: &[Connection], change: &Change) -> bool {
    all.iter().any(|it| it.id == change.connection)
}
