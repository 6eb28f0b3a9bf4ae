//! `POST /integrations/{provider}/load`: imports now.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::errors::{Result, WebError};
use super::guard::{Known, SignedIn};
use super::{App, fragment, urls};
use crate::item::ConnectionId;
use crate::store::{Cause, Connection};

/// Which connection, where there are several, and whether everything is read again.
#[derive(Deserialize)]
pub struct LoadForm {
    connection: Option<String>,
    full: Option<String>,
}

/// `POST /integrations/{provider}/load`
pub async fn load(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    Known(provider): Known,
    form: web::Form<LoadForm>,
) -> Result<HttpResponse> {
    let mut connections = app.store.connections(sign_in.workspace_id).await?;
    connections.retain(|connection| connection.provider == provider.slug());
    let connections = chosen(connections, form.connection.as_deref())?;
    let full = form.full.as_deref() == Some("1");
    for connection in &connections {
        app.store
            .queue_run(connection.id, Cause::Hand, full)
            .await?;
    }
    app.engine.wake();
    match connections.as_slice() {
        [one] => Ok(fragment::redirect(&req, &urls::connection(one.id))),
        _ => Ok(fragment::redirect(&req, urls::home())),
    }
}

fn chosen(connections: Vec<Connection>, wanted: Option<&str>) -> Result<Vec<Connection>> {
    let Some(wanted) = wanted.filter(|text| !text.is_empty()) else {
        return if connections.is_empty() {
            Err(WebError::NotFound)
        } else {
            Ok(connections)
        };
    };
    let id: ConnectionId = wanted.parse().map_err(|_| WebError::NotFound)?;
    let one: Vec<Connection> = connections
        .into_iter()
        .filter(|connection| connection.id == id)
        .collect();
    if one.is_empty() {
        Err(WebError::NotFound)
    } else {
        Ok(one)
    }
}
