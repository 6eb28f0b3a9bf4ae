//! `POST /integrations/{provider}/load`: imports now.

use actix_web::{HttpRequest, HttpResponse, web};

use super::errors::{Result, WebError};
use super::form::Form;
use super::guard::{Known, SignedIn};
use super::{App, fragment, urls};
use crate::item::ConnectionId;
use crate::store::{Cause, Connection};

/// `POST /integrations/{provider}/load`: from one of several connections where the form names it, and
/// everything again where it says so.
pub async fn load(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    Known(provider): Known,
    form: Form,
) -> Result<HttpResponse> {
    let mut connections = app.store.connections(sign_in.workspace_id).await?;
    connections.retain(|connection| connection.provider == provider.slug());
    let connections = chosen(connections, form.filled("connection")?)?;
    let full = form.one("full")? == Some("1");
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
    let Some(wanted) = wanted else {
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
