//! `POST /integrations/{provider}/authorize`: sends the browser to the provider, the whole page.

use actix_session::Session;
use actix_web::{HttpRequest, HttpResponse, web};

use super::errors::{Result, WebError};
use super::session::SessionOf;
use super::{App, fragment, urls};
use crate::oauth;

/// `POST /integrations/{provider}/authorize`
pub async fn authorize(
    req: HttpRequest,
    app: web::Data<App>,
    session: Session,
    slug: web::Path<String>,
) -> Result<HttpResponse> {
    let provider = app.providers.find(&slug).ok_or(WebError::NotFound)?;
    if let Some(home) = elsewhere(&req, &app) {
        return Ok(fragment::redirect(
            &req,
            &format!("{home}?connect={}", provider.slug()),
        ));
    }
    let browser = session.browser_or_new()?;
    let oauth = app.oauth(provider);
    let url = oauth::begin(&app.ephemeral, &app.vault, provider, &oauth, &browser).await?;
    Ok(fragment::redirect(&req, url.as_str()))
}

/// Our own address, where the browser used another of this machine's names: the provider will send it
/// to that address, and its cookie has to be there.
fn elsewhere(req: &HttpRequest, app: &App) -> Option<String> {
    let asked = req.connection_info().host().to_owned();
    let asked = url::Url::parse(&format!("http://{asked}")).ok()?;
    let here = asked.host_str() != app.public_url.host_str();
    let both_loopback = is_loopback(&asked) && is_loopback(&app.public_url);
    (here && both_loopback).then(|| format!("{}{}", app.origin(), urls::home()))
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
