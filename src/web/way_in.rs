//! Ways in: a connected account that signs its person in too, only when they say so.

use actix_web::{HttpRequest, HttpResponse, web};

use super::errors::{Result, WebError};
use super::guard::SignedIn;
use super::{App, fragment, urls};
use crate::item::{ConnectionId, IdentityId};
use crate::store::WayInState;

/// `POST /connections/{connection}/way-in`: makes who approved it a second way in of theirs.
pub async fn way_in_add(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let id: ConnectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let known = app.store.connection(sign_in.workspace_id, id).await?;
    known.ok_or(WebError::NotFound)?;
    if !app.store.add_way_in(&sign_in, id).await?
        && app.store.way_in_of(id, sign_in.user_id).await? != WayInState::Own
    {
        return Err(WebError::NotYours);
    }
    Ok(fragment::redirect(&req, urls::sessions()))
}

/// `POST /sessions/ways-in/{identity}/remove`: from then on that account signs nobody in.
pub async fn way_in_remove(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let id: IdentityId = id.parse().map_err(|_| WebError::NotFound)?;
    let own = app.store.ways_in(sign_in.user_id).await?;
    if own.iter().all(|way| way.id != id) {
        return Err(WebError::NotFound);
    }
    if !app.store.remove_way_in(&sign_in, id).await? {
        return Err(WebError::LastWayIn);
    }
    Ok(fragment::redirect(&req, urls::sessions()))
}
