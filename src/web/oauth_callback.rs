//! `GET /integrations/{provider}/oauth2callback`: the browser comes back from the provider.

use std::sync::Arc;

use actix_session::Session;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use url::form_urlencoded;

use super::errors::{Result, WebError};
use super::guard::{Known, Who};
use super::session::SessionOf;
use super::{App, urls};
use crate::client::Failure;
use crate::client::FailureKind;
use crate::oauth::{self, Approved, Desk, Pending, Refusal, Signer};
use crate::providers::Configured;
use crate::store::Identity;

/// What a provider may say on the way back. Providers add fields of their own; they are ignored.
struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl CallbackQuery {
    /// A field that is given twice counts as not given: the standard allows none to be.
    fn parse(query: &str) -> Self {
        let given: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let once = |name: &str| {
            let mut values = given.iter().filter(|(given, _)| given == name);
            let value = values.next().map(|(_, value)| value.to_string());
            value.filter(|value| !value.is_empty() && values.next().is_none())
        };
        Self {
            state: once("state"),
            code: once("code"),
            error: once("error"),
            error_description: once("error_description"),
        }
    }
}

/// `GET /integrations/{provider}/oauth2callback`
pub async fn oauth_callback(
    req: HttpRequest,
    app: web::Data<App>,
    session: Session,
    who: Who,
    Known(provider): Known,
) -> Result<HttpResponse> {
    let query = CallbackQuery::parse(req.query_string());
    // The state before anything else: without it, nothing that the query says is worth reading.
    let state = query.state.as_deref().unwrap_or_default();
    let (slug, browser) = (provider.slug(), session.browser());
    let pending = oauth::claim(&app.ephemeral, &app.vault, slug, state, browser.as_ref()).await;
    let pending = pending.map_err(|error| WebError::not_pending(error, &provider))?;
    if let Some(error) = &query.error {
        let join = pending.purpose.join.as_deref();
        return turned_down(&provider, error, query.error_description.as_deref(), join);
    }
    let purpose = pending.purpose.clone();
    // Begun while signed in, it adds a connection there; it signs nobody in who has left since.
    let here = who.0.as_ref().map(|sign_in| sign_in.workspace_id);
    if purpose.workspace.is_some() && purpose.workspace != here {
        return Err(WebError::NotPending(provider.description().into()));
    }
    let nothing = || WebError::refusal(Refusal::Refused(String::new()), &provider);
    let code = query.code.ok_or_else(nothing)?;
    // A task of its own: once the code is spent, a browser that goes away changes nothing.
    let approval = tokio::spawn(approve(app.into_inner(), provider, pending, code, who));
    let broken = |error: tokio::task::JoinError| WebError::Broken(error.to_string());
    let approved = approval.await.map_err(broken)??;
    session.renew_with(approved.sign_in)?;
    let connection = approved.approval.connection;
    if let Some(token) = &purpose.join {
        return Ok(see(&urls::join(token)));
    }
    Ok(match purpose.reconnect {
        Some(wanted) if wanted != connection => {
            see(&urls::connection_instead_of(connection, wanted))
        }
        _ => see(&urls::connection(connection)),
    })
}

async fn approve(
    app: Arc<App>,
    provider: Configured,
    pending: Pending,
    code: String,
    who: Who,
) -> Result<Approved> {
    let oauth = provider.oauth(&app.client);
    let desk = Desk {
        store: &app.store,
        grants: &app.grants,
        client: &app.client,
        provider: &provider,
        oauth: &oauth,
    };
    let signer = match &who.0 {
        Some(sign_in) => Signer::SignedIn(sign_in.workspace_id, sign_in.user_id),
        None => Signer::Visitor,
    };
    let allowed = |who: &Identity| {
        let email = who.email.as_deref();
        app.allow.admits(who.provider, &who.account_id, email)
    };
    let approved = oauth::approve(desk, &pending, &code, signer, allowed).await;
    let approved = approved.map_err(|refusal| WebError::refusal(refusal, &provider))?;
    app.engine.wake();
    tracing::info!(
        connection.id = approved.approval.connection.0,
        connection.fresh = approved.approval.fresh,
        provider = provider.slug(),
        "connected"
    );
    Ok(approved)
}

fn turned_down(
    provider: &Configured,
    error: &str,
    described: Option<&str>,
    join: Option<&str>,
) -> Result<HttpResponse> {
    if error == "access_denied" {
        let back = join.map_or(urls::home().to_owned(), urls::join);
        return Ok(see(&urls::declined(&back, provider.slug())));
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
