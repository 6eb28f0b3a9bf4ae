//! `GET /integrations/{provider}/oauth2callback`: the browser comes back from the provider.

use actix_session::Session;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use url::form_urlencoded;

use super::errors::{Result, WebError};
use super::guard::Who;
use super::session::SessionOf;
use super::{App, urls};
use crate::client::Failure;
use crate::client::FailureKind;
use crate::oauth::{self, Desk, Refusal, Signer};
use crate::providers::Configured;

/// What a provider may say on the way back. Providers add fields of their own; they are ignored.
#[derive(Default)]
struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl CallbackQuery {
    fn parse(query: &str) -> Self {
        let mut it = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let field = match &*name {
                "state" => &mut it.state,
                "code" => &mut it.code,
                "error" => &mut it.error,
                "error_description" => &mut it.error_description,
                _ => continue,
            };
            *field = Some(value.into_owned()).filter(|value| !value.is_empty());
        }
        it
    }
}

/// `GET /integrations/{provider}/oauth2callback`
pub async fn oauth_callback(
    req: HttpRequest,
    app: web::Data<App>,
    session: Session,
    who: Who,
    slug: web::Path<String>,
) -> Result<HttpResponse> {
    let provider = app.providers.find(&slug).ok_or(WebError::NotFound)?;
    let query = CallbackQuery::parse(req.query_string());
    // The state before anything else: without it, nothing that the query says is worth reading.
    let state = query.state.as_deref().unwrap_or_default();
    let browser = session.browser();
    let pending = oauth::claim(
        &app.ephemeral,
        &app.vault,
        provider.slug(),
        state,
        browser.as_ref(),
    )
    .await;
    let pending = pending.map_err(|error| WebError::not_pending(error, provider))?;
    if let Some(error) = &query.error {
        return turned_down(provider, error, query.error_description.as_deref());
    }
    let refused = |refusal| WebError::refusal(refusal, provider);
    let code = query
        .code
        .ok_or_else(|| refused(Refusal::Refused(String::new())))?;
    let client = app.oauth(provider);
    let desk = Desk {
        store: &app.store,
        grants: &app.grants,
        client: &app.client,
        provider,
        oauth: &client,
    };
    let signer = who.0.map_or(Signer::Visitor, |sign_in| {
        Signer::SignedIn(sign_in.workspace_id)
    });
    let allowed = |who: &crate::store::Identity| {
        app.allow
            .admits(who.provider, &who.account_id, who.email.as_deref())
    };
    let approved = oauth::approve(desk, &pending, &code, signer, allowed)
        .await
        .map_err(refused)?;
    session.renew_with(approved.sign_in)?;
    app.engine.wake();
    tracing::info!(
        connection.id = approved.approval.connection.0,
        connection.fresh = approved.approval.fresh,
        provider = provider.slug(),
        "connected"
    );
    Ok(see(&urls::connection(approved.approval.connection)))
}

fn turned_down(
    provider: &Configured,
    error: &str,
    described: Option<&str>,
) -> Result<HttpResponse> {
    if error == "access_denied" {
        return Ok(see(&format!(
            "{}?declined={}",
            urls::home(),
            provider.slug()
        )));
    }
    let said = Failure::new(FailureKind::Refused, described.unwrap_or(error)).said;
    Err(WebError::ProviderRefused(
        provider.description().into(),
        said,
    ))
}

fn see(url: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, url))
        .finish()
}
