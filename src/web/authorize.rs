//! `POST /integrations/{provider}/authorize`: sends the browser to the provider, the whole page.

use actix_session::Session;
use actix_web::http::header::HOST;
use actix_web::{HttpRequest, HttpResponse, web};

use super::errors::{Result, WebError};
use super::form::Form;
use super::guard::{Known, Who};
use super::session::SessionOf;
use super::{App, fragment, join, urls};
use crate::item::ConnectionId;
use crate::oauth::{self, Purpose};

/// `POST /integrations/{provider}/authorize`
pub async fn authorize(
    req: HttpRequest,
    app: web::Data<App>,
    session: Session,
    who: Who,
    Known(provider): Known,
    form: Form,
) -> Result<HttpResponse> {
    if is_elsewhere(&req, &app) {
        let home = format!("{}{}", app.origin(), urls::home_connect(provider.slug()));
        return Ok(fragment::redirect(&req, &home));
    }
    let purpose = purpose(&app, &who, provider.slug(), &form).await?;
    let known = session.browser();
    let browser = known.clone().unwrap_or_default();
    let oauth = provider.oauth(&app.client);
    let url = oauth::begin(
        &app.ephemeral,
        &app.vault,
        &provider,
        &oauth,
        &browser,
        purpose,
    )
    .await?;
    if known.is_none() {
        session.keep_browser(&browser)?;
    }
    Ok(fragment::redirect(&req, url.as_str()))
}

/// The invitation that is come back to.
fn invitation(form: &Form) -> Result<Option<String>> {
    let token = form.filled("join")?;
    match token.is_none_or(join::is_token) {
        true => Ok(token.map(str::to_owned)),
        false => Err(WebError::BadForm("join", "is no invitation".into())),
    }
}

/// What the approval is for: the form may name a connection that is to be approved again.
async fn purpose(app: &App, who: &Who, slug: &str, form: &Form) -> Result<Purpose> {
    let workspace = who.0.as_ref().map(|sign_in| sign_in.workspace_id);
    let join = invitation(form)?;
    let Some(wanted) = form.filled("connection")? else {
        return Ok(Purpose {
            workspace,
            reconnect: None,
            join,
        });
    };
    let workspace = workspace.ok_or(WebError::SignedOut)?;
    let id: ConnectionId = wanted.parse().map_err(|_| WebError::NotFound)?;
    let connection = app.store.connection(workspace, id).await?;
    let known = connection.filter(|connection| connection.provider == slug);
    let reconnect = Some(known.ok_or(WebError::NotFound)?.id);
    Ok(Purpose {
        workspace: Some(workspace),
        reconnect,
        join,
    })
}

/// Whether the browser used another of this machine's names than our own address: the provider will
/// send it to that one, and its cookie has to be there.
fn is_elsewhere(req: &HttpRequest, app: &App) -> bool {
    // The header itself: what a proxy says of it counts only from proxies that are trusted.
    let host = req.headers().get(HOST).and_then(|host| host.to_str().ok());
    let asked = format!("http://{}", host.unwrap_or_default());
    url::Url::parse(&asked).is_ok_and(|asked| {
        let another = asked.host_str() != app.public_url.host_str();
        another && is_loopback(&asked) && is_loopback(&app.public_url)
    })
}

/// Whether an address leads to this very machine.
pub fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
