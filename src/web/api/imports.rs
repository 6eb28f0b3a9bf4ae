//! `/api/v1/imports`, `/imports/{id}` and `/connections/{id}/import`: runs, of one how much of every list
//! it has, and a way to ask for one.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{json, time};
use crate::item::{ConnectionId, RunId, WorkspaceId};
use crate::store::{Cause, Covered, Run, StreamProgress};
use crate::vault::Owner;
use crate::web::errors::{Result, WebError};
use crate::web::guard::{Caller, Importer};
use crate::web::parameters::Parameters;
use crate::web::{App, cursor, urls};

/// Imports on one page.
const PAGE: usize = 50;
/// Lists of one import that are told by themselves, the incomplete ones first.
const LISTS: i64 = 10_000;

#[derive(Serialize, ToSchema)]
#[schema(as = Imports)]
pub struct List {
    imports: Vec<ImportJson>,
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// One import of one connection.
#[derive(Serialize, ToSchema)]
#[schema(as = Import)]
pub struct ImportJson {
    id: String,
    connection_id: String,
    #[schema(schema_with = super::openapi::import_states)]
    state: &'static str,
    /// `connect`, `hand` or `schedule`.
    cause: String,
    full: bool,
    #[schema(format = DateTime, required = true)]
    started_at: Option<String>,
    #[schema(format = DateTime, required = true)]
    finished_at: Option<String>,
    added: i64,
    changed: i64,
    unchanged: i64,
    removed: i64,
    skipped: i64,
    calls: i64,
    waited_ms: i64,
    #[schema(format = DateTime, required = true)]
    waiting_until: Option<String>,
    streams: Vec<StreamJson>,
    #[schema(required = true)]
    error: Option<ErrorJson>,
}

/// How much it has of one of its lists.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportStream)]
struct StreamJson {
    name: String,
    fetched: i64,
    #[schema(required = true)]
    total: Option<i64>,
    /// `complete`, `partial` or `unknown`; null while it is being read.
    #[schema(required = true)]
    coverage: Option<&'static str>,
    #[schema(required = true)]
    reason: Option<String>,
    held: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ImportError)]
struct ErrorJson {
    code: String,
    message: String,
}

/// Which imports are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "says what is read by name")]
struct Asked {
    /// Those of this connection
    connection: Option<String>,
    /// Where to go on: `next_cursor` of the answer before, with the same `connection`
    cursor: Option<String>,
}

/// Imports, the newest first
#[utoipa::path(get, path = urls::API_IMPORTS, params(Asked), responses((status = 200, body = List)))]
pub async fn imports_list(
    req: HttpRequest,
    app: web::Data<App>,
    caller: Caller,
) -> Result<HttpResponse> {
    let mut given = Parameters::parse(req.query_string(), &["connection", "cursor"])?;
    let workspace = caller.workspace_id;
    let connection = chosen(&app, workspace, &given).await?;
    let list = list(workspace, connection);
    let before = given.take("cursor");
    let before = before.map(|text| read(&app, &list, &text)).transpose()?;
    let runs = app.store.runs(workspace, connection, before, PAGE + 1);
    let mut runs = runs.await?;
    let more = runs.len() > PAGE;
    runs.truncate(PAGE);
    let last = runs.last().filter(|_| more);
    Ok(json(&List {
        next_cursor: last.map(|run| cursor::write_number(&app.vault, &list, run.id.0)),
        imports: runs.iter().map(ImportJson::new).collect(),
    }))
}

/// The connection whose imports are wanted, where one is named.
async fn chosen(
    app: &App,
    workspace: WorkspaceId,
    given: &Parameters,
) -> Result<Option<ConnectionId>> {
    let wrong = "names no connection";
    let Some(id) = given.number("connection", wrong)? else {
        return Ok(None);
    };
    match app.store.connection(workspace, id).await? {
        Some(_) => Ok(Some(id)),
        None => Err(WebError::BadQuery("connection", wrong.into())),
    }
}

fn list(workspace: WorkspaceId, connection: Option<ConnectionId>) -> Owner {
    let connection = connection.map(|id| id.to_string()).unwrap_or_default();
    Owner::new("imports", format!("{workspace}/{connection}"))
}

fn read(app: &App, list: &Owner, text: &str) -> Result<i64> {
    let before = cursor::read_number(&app.vault, list, text);
    before.ok_or_else(|| WebError::BadQuery("cursor", "does not belong to this list".into()))
}

/// One import, with how much it has of each list
#[utoipa::path(get, path = urls::API_IMPORT,
    params(("run" = String, Path, description = "The id of an import")),
    responses((status = 200, body = ImportJson)))]
pub async fn import_show(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let id: RunId = id.parse().map_err(|_| WebError::NotFound)?;
    let run = app.store.run(caller.workspace_id, id).await?;
    let run = run.ok_or(WebError::NotFound)?;
    let lists = app.store.coverage(id, LISTS).await?;
    Ok(json(&ImportJson {
        streams: lists.into_iter().map(StreamJson::of_list).collect(),
        ..ImportJson::new(&run)
    }))
}

/// What is wanted of an import.
#[derive(Default, ToSchema)]
#[schema(as = WantedImport)]
pub struct Wanted {
    /// Everything again, not only what has changed
    #[schema(required = false)]
    full: bool,
}

/// Import now
///
/// An import that is on is kept, not doubled. Wants a key with the scope `import`.
#[utoipa::path(post, path = urls::API_CONNECTION_IMPORT,
    params(("connection" = String, Path, description = "The id of a connection")),
    request_body = Option<Wanted>,
    responses((status = 202, body = ImportJson)))]
pub async fn connection_import(
    app: web::Data<App>,
    Importer(caller): Importer,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse> {
    let id: ConnectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let connection = app.store.connection(caller.workspace_id, id).await?;
    let connection = connection.ok_or(WebError::NotFound)?;
    app.providers
        .find(&connection.provider)
        .ok_or(WebError::NotFound)?;
    let wanted = wanted(&body)?;
    let run = app.store.queue_run(id, Cause::Hand, wanted.full).await?;
    app.engine.wake();
    let run = app.store.run(caller.workspace_id, run).await?;
    let run = run.ok_or(WebError::NotFound)?;
    Ok(HttpResponse::Accepted().json(ImportJson::new(&run)))
}

/// No body asks for nothing in particular.
fn wanted(body: &[u8]) -> Result<Wanted> {
    let wrong = || WebError::BadForm("full", "must be true or false, in a JSON object".into());
    if body.is_empty() {
        return Ok(Wanted::default());
    }
    // Not at once into the struct: a list of its fields would do as well then.
    let given: Option<Map<String, Value>> = serde_json::from_slice(body).map_err(|_| wrong())?;
    match given.unwrap_or_default().remove("full") {
        None => Ok(Wanted::default()),
        Some(Value::Bool(full)) => Ok(Wanted { full }),
        Some(_) => Err(wrong()),
    }
}

impl ImportJson {
    fn new(run: &Run) -> Self {
        let sum = |count: fn(&StreamProgress) -> i64| run.streams.iter().map(count).sum();
        let waits = run.pulse.waiting_until.filter(|until| *until > Utc::now());
        let error = run.error_code.clone().zip(run.error_message.clone());
        Self {
            id: run.id.to_string(),
            connection_id: run.connection.to_string(),
            state: match waits {
                Some(_) if !run.state.is_finished() => "waiting",
                _ => run.state.as_str(),
            },
            cause: run.cause.clone(),
            full: run.full,
            started_at: run.started_at.map(time),
            finished_at: run.finished_at.map(time),
            added: sum(|stream| stream.added),
            changed: sum(|stream| stream.changed),
            unchanged: sum(|stream| stream.unchanged),
            removed: sum(|stream| stream.removed),
            skipped: sum(|stream| stream.skipped),
            calls: sum(|stream| stream.calls),
            waited_ms: sum(|stream| stream.waited_ms),
            waiting_until: waits.map(time),
            streams: run.streams.iter().map(StreamJson::of_stream).collect(),
            error: error.map(|(code, message)| ErrorJson { code, message }),
        }
    }
}

impl StreamJson {
    /// All lists of a stream together: as much as is known of the least known.
    fn of_stream(stream: &StreamProgress) -> Self {
        let coverage = match stream {
            StreamProgress { partial: 1.., .. } => Some("partial"),
            StreamProgress { done, sources, .. } if done < sources => None,
            StreamProgress { unknown: 1.., .. } => Some("unknown"),
            _ => Some("complete"),
        };
        Self {
            name: stream.name.clone(),
            fetched: stream.fetched,
            total: stream.total,
            coverage,
            reason: None,
            held: stream.held > 0,
        }
    }

    fn of_list(list: Covered) -> Self {
        Self {
            name: match list.label.as_str() {
                "" => list.stream,
                label => format!("{}: {label}", list.stream),
            },
            fetched: list.fetched,
            total: list.total,
            coverage: list.coverage.map(|coverage| coverage.as_str()),
            reason: list.reason,
            held: list.held > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_asked_for_by_an_object_or_by_nothing() {
        let full = |body: &str| wanted(body.as_bytes()).map(|wanted| wanted.full).ok();
        for nothing in ["", "null", "{}", r#"{"other": 1}"#, r#"{"full": false}"#] {
            assert_eq!(full(nothing), Some(false), "{nothing}");
        }
        assert_eq!(full(r#"{"full": true}"#), Some(true));
        for wrong in [
            "[]",
            "[true]",
            "true",
            "{",
            r#"{"full": 1}"#,
            r#"{"full": null}"#,
        ] {
            assert_eq!(full(wrong), None, "{wrong}");
        }
    }
}
