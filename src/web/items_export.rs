//! `GET /items.csv`, `/items.ndjson`, `/items.json`: all that the filters leave, as a file.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::App;
use super::errors::{Result, WebError};
use super::guard::SignedIn;
use super::list_parameters::{ListParameters, parent};
use crate::export::{Export, Format};
use crate::item::{UserId, WorkspaceId};
use crate::providers::Providers;
use crate::store::{Deed, Note, Store};

/// Whose items are exported, and by whom; by nobody where the host does it on the command line.
#[derive(Clone, Copy)]
pub struct Asked {
    pub workspace: WorkspaceId,
    pub user: Option<UserId>,
}

/// An export that is about to begin, and the name of its file.
pub struct Prepared {
    pub export: Export,
    pub name: String,
}

/// `GET /items.{format}`
pub async fn items_export(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    format: web::Path<String>,
) -> Result<HttpResponse> {
    let format: Format = format.parse().map_err(|_| WebError::NotFound)?;
    let asked = Asked {
        workspace: sign_in.workspace_id,
        user: Some(sign_in.user_id),
    };
    let query = req.query_string();
    let prepared = prepare(&app.store, &app.providers, asked, query, format).await?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, format.content_type()));
    let disposition = format!("attachment; filename=\"{}\"", prepared.name);
    answer.insert_header((CONTENT_DISPOSITION, disposition));
    if req.method() == Method::HEAD {
        return Ok(answer.finish());
    }
    // While nothing is sent an error is still an answer. Later it can only break off the transfer.
    let mut chunks = Box::pin(prepared.export.chunks());
    let first = chunks.try_next().await?;
    note(&app.store, asked, &prepared.name).await?;
    let rest = chunks.inspect_err(|error| tracing::warn!(%error, "an export was broken off"));
    Ok(answer.streaming(stream::iter(first.map(Ok)).chain(rest)))
}

/// Reads what is wanted, by the same parameters as the list, and looks whether it can be had.
pub async fn prepare(
    store: &Arc<Store>,
    providers: &Providers,
    asked: Asked,
    query: &str,
    format: Format,
) -> Result<Prepared> {
    let view = ListParameters::parse_whole(query)?;
    let all = store.connections(asked.workspace).await?;
    let filters = view.filters(&view.choose(providers, &all)?);
    let wanted = filters.clone();
    let export = Export::begin(store, providers, all, wanted, view.sort, format).await?;
    parent(store, &filters, export.is_empty()).await?;
    Ok(Prepared {
        export,
        name: name(&view, format, Utc::now()),
    })
}

/// Notes who took what away.
pub async fn note(store: &Store, asked: Asked, name: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    tx.note(Note {
        workspace: asked.workspace,
        user: asked.user,
        deed: Deed::Exported,
        subject: Some(name),
        provider: None,
    })
    .await?;
    Ok(tx.commit().await?)
}

/// What the file is called: what is in it, and from when that is.
fn name(view: &ListParameters, format: Format, now: DateTime<Utc>) -> String {
    let is_part = view.connection.is_some()
        || view.q.is_some()
        || view.parent.is_some()
        || view.modified_since.is_some();
    let words = [
        Some("tributary"),
        view.provider.as_deref(),
        Some(view.kind.as_deref().unwrap_or("items")),
        is_part.then_some("filtered"),
        view.gone.then_some("with-removed"),
    ];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    let at = now.format("%Y-%m-%dT%H-%M-%SZ");
    format!("{}-{at}.{}", words.join("-"), format.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_by_what_is_in_it_and_from_when_that_is() {
        let name = |query: &str, format| {
            let view = ListParameters::parse_whole(query).unwrap();
            name(&view, format, DateTime::UNIX_EPOCH)
        };
        assert_eq!(
            name("", Format::Csv),
            "tributary-items-1970-01-01T00-00-00Z.csv"
        );
        assert_eq!(
            name("provider=p&type=contact&q=%22%0d%0a&gone=1", Format::Ndjson),
            "tributary-p-contact-filtered-with-removed-1970-01-01T00-00-00Z.ndjson"
        );
    }
}
