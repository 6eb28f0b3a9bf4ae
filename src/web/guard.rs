//! Who asks, found out once for each request, and the groups of pages that want somebody signed in.

use std::future::{Ready, ready};

use actix_session::SessionExt;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use chrono::Utc;

use super::App;
use super::errors::{Result, WebError};
use super::session::SessionOf;
use crate::item::SignInId;
use crate::providers::Configured;
use crate::store::SignIn;

/// The sign-in behind a request, if there is a live one.
#[derive(Clone)]
pub struct Who(pub Option<SignIn>);

/// Looks the sign-in up. SQL decides, not the session: a sign-in that has ended is over for whatever
/// session still names it.
pub async fn find_out(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> std::result::Result<ServiceResponse<BoxBody>, Error> {
    let app = req
        .app_data::<web::Data<App>>()
        .expect("the application is set up")
        .clone();
    if let Some(slug) = req.match_info().get("provider")
        && app.providers.find(slug).is_none()
    {
        return Ok(req.error_response(WebError::NotFound));
    }
    let session = req.get_session();
    match who(&app, session.sign_in()).await {
        Ok(sign_in) => {
            req.extensions_mut().insert(Who(sign_in));
            Ok(next.call(req).await?.map_into_boxed_body())
        }
        Err(error) => Ok(req.error_response(error)),
    }
}

async fn who(app: &App, id: Option<SignInId>) -> Result<Option<SignIn>> {
    let Some(id) = id else { return Ok(None) };
    let sign_in = live(app, id).await?;
    if let Some(sign_in) = &sign_in
        && let Err(error) = app.store.sign_in_seen(sign_in, Utc::now()).await
    {
        // Worth no error page: it is noted with the next request.
        tracing::debug!(%error, "a sign-in's use was not noted");
    }
    Ok(sign_in)
}

/// A sign-in that still holds.
pub async fn live(app: &App, id: SignInId) -> Result<Option<SignIn>> {
    let sign_in = app.store.live_sign_in(id, Utc::now()).await?;
    let admitted = |it: &SignIn| {
        let email = it.email.as_deref();
        app.allow.admits(&it.provider, &it.account_id, email)
    };
    Ok(sign_in.filter(admitted))
}

/// Turns away whoever is not signed in.
pub async fn signed_in(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> std::result::Result<ServiceResponse<BoxBody>, Error> {
    let known = req
        .extensions()
        .get::<Who>()
        .is_some_and(|who| who.0.is_some());
    if known {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    Ok(req.error_response(WebError::SignedOut))
}

impl FromRequest for Who {
    type Error = Error;
    type Future = Ready<std::result::Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(req
            .extensions()
            .get::<Who>()
            .cloned()
            .unwrap_or(Who(None))))
    }
}

/// Somebody signed in, for the pages behind [`signed_in`].
pub struct SignedIn(pub SignIn);

impl FromRequest for SignedIn {
    type Error = WebError;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let who = req.extensions().get::<Who>().and_then(|who| who.0.clone());
        ready(who.map(SignedIn).ok_or(WebError::SignedOut))
    }
}

/// The provider in the address, where it is one of ours.
pub struct Known(pub Configured);

impl FromRequest for Known {
    type Error = WebError;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = req.app_data::<web::Data<App>>();
        let slug = req.match_info().get("provider").unwrap_or_default();
        let known = app.and_then(|app| app.providers.find(slug)).cloned();
        ready(known.map(Known).ok_or(WebError::NotFound))
    }
}
