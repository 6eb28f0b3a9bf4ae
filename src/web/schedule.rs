//! `POST /connections/{connection}/schedule`: how often it is imported from; and when it is next.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};

use super::errors::{Result, WebError};
use super::form::Form;
use super::guard::SignedIn;
use super::page::length;
use super::{App, fragment, urls};
use crate::import::Every;
use crate::item::ConnectionId;
use crate::store::{Connection, ConnectionState};

/// `POST /connections/{connection}/schedule`; an empty `every` is for as the installation has it.
pub async fn connection_schedule(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
    form: Form,
) -> Result<HttpResponse> {
    let id: ConnectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let known = app.store.connection(sign_in.workspace_id, id).await?;
    known.ok_or(WebError::NotFound)?;
    let missing = || WebError::BadForm("every", "is missing".into());
    let every = match form.one("every")?.ok_or_else(missing)?.trim() {
        "" => None,
        text => Some(
            text.parse::<Every>()
                .map_err(|wrong| WebError::BadForm("every", wrong))?,
        ),
    };
    let ms = every.map(Every::to_ms);
    app.store.set_every(sign_in.workspace_id, id, ms).await?;
    app.engine.wake();
    Ok(fragment::redirect(&req, &urls::connection(id)))
}

/// When a connection that works is imported from next; `None` while that is not planned.
pub fn next_import(connection: &Connection, now: DateTime<Utc>) -> Option<String> {
    if connection.state != ConnectionState::Connected {
        return None;
    }
    if connection.by_hand {
        return Some("Imported by hand only".into());
    }
    Some(match (connection.next_import_at? - now).to_std() {
        Ok(wait) if wait > Duration::from_secs(60) => format!("Next import in {}", length(wait)),
        _ => "Next import any moment".into(),
    })
}
