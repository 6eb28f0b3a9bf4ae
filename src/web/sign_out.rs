//! `POST /sign-out`

use actix_session::Session;
use actix_web::{HttpRequest, HttpResponse, web};

use super::errors::Result;
use super::guard::SignedIn;
use super::{App, fragment, urls};

/// Ends the sign-in in SQL first: from then on no session that names it is worth anything, whatever a
/// request in flight still writes to the session store.
pub async fn sign_out(
    req: HttpRequest,
    app: web::Data<App>,
    session: Session,
    SignedIn(sign_in): SignedIn,
) -> Result<HttpResponse> {
    app.store.end_sign_in(&sign_in).await?;
    session.purge();
    Ok(fragment::redirect(&req, urls::home()))
}
