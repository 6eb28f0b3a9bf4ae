//! `/sign-in/{token}`: a way in that the host gives to somebody who has lost theirs at the provider.
//! Opening it changes nothing, for mail programs open links too; the button on the page signs in, once.

use std::time::Duration;

use actix_session::Session;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::Url;

use super::errors::{Result, WebError};
use super::page::{Chrome, Here};
use super::session::SessionOf;
use super::{App, fragment, urls};
use crate::ephemeral::{Away, Ephemeral};
use crate::item::IdentityId;
use crate::store::Known;
use crate::vault::{Owner, Vault, random};

/// How long a link is good for.
pub const LIFE: Duration = Duration::from_secs(15 * 60);

#[derive(Template)]
#[template(path = "sign_in_link/show.html")]
struct LinkPage {
    chrome: Chrome,
    name: String,
    action: String,
}

/// Makes a link that signs in who is behind this identity.
pub async fn make(
    ephemeral: &dyn Ephemeral,
    vault: &Vault,
    public_url: &Url,
    identity: IdentityId,
) -> std::result::Result<Url, Away> {
    let token = URL_SAFE_NO_PAD.encode(random::<32>().as_slice());
    let name = entry_name(&token);
    let sealed = vault.seal(&owner(&name), &identity.0.to_be_bytes());
    ephemeral.put(&name, &sealed, LIFE).await?;
    let link = public_url.join(&urls::sign_in_link(&token));
    Ok(link.expect("our paths are valid"))
}

/// `GET /sign-in/{token}`
pub async fn sign_in_link_show(
    app: web::Data<App>,
    token: web::Path<String>,
) -> Result<HttpResponse> {
    let name = entry_name(&token);
    let (_, person) = opened(&app, &name, app.ephemeral.get(&name).await?).await?;
    let page = LinkPage {
        chrome: Chrome::new("Sign in", Here::Nowhere, None),
        name: person,
        action: urls::sign_in_link(&token),
    };
    Ok(fragment::html(page.render()?))
}

/// `POST /sign-in/{token}`
pub async fn sign_in_link_use(
    req: HttpRequest,
    app: web::Data<App>,
    session: Session,
    token: web::Path<String>,
) -> Result<HttpResponse> {
    let name = entry_name(&token);
    let (who, _) = opened(&app, &name, app.ephemeral.take(&name).await?).await?;
    let mut tx = app.store.begin().await?;
    let sign_in = tx.add_sign_in(who, true).await?;
    tx.commit().await?;
    session.renew_with(Some(sign_in))?;
    Ok(fragment::redirect(&req, urls::home()))
}

/// Who an entry signs in.
async fn opened(app: &App, name: &str, sealed: Option<Vec<u8>>) -> Result<(Known, String)> {
    let sealed = sealed.ok_or(WebError::LinkUsed)?;
    let plain = app.vault.open(&owner(name), &sealed);
    let plain = plain.map_err(|_| WebError::LinkUsed)?;
    let id = <[u8; 8]>::try_from(plain.as_slice()).map_err(|_| WebError::LinkUsed)?;
    let identity = IdentityId(i64::from_be_bytes(id));
    let known = app.store.known_by(identity).await?;
    known.ok_or(WebError::LinkUsed)
}

/// The token itself is kept nowhere.
fn entry_name(token: &str) -> String {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
    format!("sign-in-link:{hash}")
}

fn owner(name: &str) -> Owner {
    Owner::new("sign-in-link", name)
}
