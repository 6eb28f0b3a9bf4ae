//! `POST /connections/{connection}/schedule`: how often it is imported from.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::errors::{Result, WebError};
use super::guard::SignedIn;
use super::{App, fragment, urls};
use crate::import::Every;
use crate::item::ConnectionId;

#[derive(Deserialize)]
pub struct ScheduleForm {
    /// Empty for as the installation has it.
    every: Option<String>,
}

/// `POST /connections/{connection}/schedule`
pub async fn connection_schedule(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
    form: web::Form<ScheduleForm>,
) -> Result<HttpResponse> {
    let id: ConnectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let known = app.store.connection(sign_in.workspace_id, id).await?;
    known.ok_or(WebError::NotFound)?;
    let missing = || WebError::BadForm("every", "is missing".into());
    let every = match form.every.as_deref().ok_or_else(missing)?.trim() {
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
