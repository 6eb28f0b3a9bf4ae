//! Who asks, found out once for each request, and the groups of pages that want somebody signed in.

use std::future::{Ready, ready};

use actix_session::SessionExt;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use chrono::Utc;

use super::errors::{Result, WebError};
use super::keys::{self, Scope};
use super::session::SessionOf;
use super::{App, api};
use crate::item::WorkspaceId;
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
    if let Some(key) = key_of(req.request()) {
        let caller = by_key(&app, &key).await;
        return match caller {
            Ok(caller) => {
                req.extensions_mut().insert(caller);
                Ok(next.call(req).await?.map_into_boxed_body())
            }
            Err(error) => Ok(req.error_response(error)),
        };
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

async fn who(app: &App, id: Option<crate::item::SignInId>) -> Result<Option<SignIn>> {
    let Some(id) = id else { return Ok(None) };
    let now = Utc::now();
    let Some(sign_in) = app.store.live_sign_in(id, now).await? else {
        return Ok(None);
    };
    if !app.allow.admits(
        &sign_in.provider,
        &sign_in.account_id,
        sign_in.email.as_deref(),
    ) {
        return Ok(None);
    }
    if let Err(error) = app.store.sign_in_seen(&sign_in, now).await {
        // Worth no error page: it is noted with the next request.
        tracing::debug!(%error, "a sign-in's use was not noted");
    }
    Ok(Some(sign_in))
}

/// Whether a program asks with a key: then no cookie counts.
pub fn brings_key(req: &HttpRequest) -> bool {
    key_of(req).is_some()
}

/// What stands in the header that a key comes in, whatever it is. Pages take no keys.
fn key_of(req: &HttpRequest) -> Option<String> {
    let sent = req.headers().get(AUTHORIZATION)?;
    api::is_below(req.path()).then(|| {
        let sent = sent.to_str().unwrap_or_default();
        let (scheme, key) = sent.split_once(' ').unwrap_or_default();
        match scheme.eq_ignore_ascii_case("bearer") {
            true => key.trim().to_owned(),
            false => String::new(),
        }
    })
}

async fn by_key(app: &App, key: &str) -> Result<Caller> {
    let now = Utc::now();
    let known = app.store.live_key(&keys::hash(key), now).await?;
    let known = known.ok_or(WebError::NoSuchKey)?;
    let ways_in = app.store.ways_in(known.user_id).await?;
    let admitted = ways_in.iter().any(|way| {
        let email = way.email.as_deref();
        app.allow.admits(&way.provider, &way.account_id, email)
    });
    if !admitted {
        return Err(WebError::NotAllowed);
    }
    app.api_rate.admit(known.id).map_err(WebError::TooOften)?;
    if let Err(error) = app.store.key_used(&known, now).await {
        tracing::debug!(%error, "a key's use was not noted");
    }
    Ok(Caller {
        workspace_id: known.workspace_id,
        scopes: Some(known.scopes),
    })
}

/// Who asks the API: somebody signed in, who may do anything there, or a key.
#[derive(Clone)]
pub struct Caller {
    pub workspace_id: WorkspaceId,
    scopes: Option<String>,
}

impl Caller {
    fn may(&self, scope: Scope) -> Result<()> {
        let granted = self.scopes.as_deref();
        match granted.is_none_or(|all| all.split(' ').any(|it| it == scope.as_str())) {
            true => Ok(()),
            false => Err(WebError::LacksScope(scope.as_str())),
        }
    }
}

impl FromRequest for Caller {
    type Error = WebError;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = req.extensions();
        let by_key = extensions.get::<Caller>().cloned();
        let signed_in = extensions.get::<Who>().and_then(|who| who.0.as_ref());
        let by_session = signed_in.map(|sign_in| Self {
            workspace_id: sign_in.workspace_id,
            scopes: None,
        });
        ready(by_key.or(by_session).ok_or(WebError::SignedOut))
    }
}

/// A caller who may read.
pub struct Reader(pub Caller);

impl FromRequest for Reader {
    type Error = WebError;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(req, payload).into_inner();
        ready(caller.and_then(|it| it.may(Scope::Read).map(|()| Self(it))))
    }
}

/// A caller who may start imports.
pub struct Importer(pub Caller);

impl FromRequest for Importer {
    type Error = WebError;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(req, payload).into_inner();
        ready(caller.and_then(|it| it.may(Scope::Import).map(|()| Self(it))))
    }
}

/// Turns away whoever is not signed in.
pub async fn signed_in(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> std::result::Result<ServiceResponse<BoxBody>, Error> {
    if is_known(&req) {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    Ok(req.error_response(WebError::SignedOut))
}

fn is_known(req: &ServiceRequest) -> bool {
    let extensions = req.extensions();
    let by_session = extensions.get::<Who>().is_some_and(|who| who.0.is_some());
    by_session || extensions.get::<Caller>().is_some()
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
