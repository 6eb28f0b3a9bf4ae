//! `/join/{token}`: an invitation to a workspace. Opening it changes nothing, for mail programs open links
//! too; the button on the page joins, once.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::errors::{Result, WebError};
use super::guard::{SignedIn, Who};
use super::home::HomeQuery;
use super::page::{Chrome, Here, ProviderView};
use super::{App, fragment, urls};
use crate::item::{UserId, WorkspaceId};
use crate::store::{Role, SignIn};
use crate::vault::{Owner, random};

/// Bytes of a token.
const TOKEN: usize = 32;
/// How long an invitation is good for.
const LIFE: Duration = Duration::from_secs(72 * 3_600);

#[derive(Template)]
#[template(path = "workspace/join.html")]
struct JoinPage {
    chrome: Chrome,
    workspace: String,
    /// Whether who looks is signed in, and can join at once.
    signed_in: bool,
    token: String,
    providers: Vec<ProviderView>,
}

/// What an invitation holds, sealed.
#[derive(Serialize, Deserialize)]
struct Entry {
    workspace: WorkspaceId,
    role: String,
    by: UserId,
}

/// Makes an invitation, and answers with its link.
pub async fn invite(app: &App, by: &SignIn, role: Role) -> Result<Url> {
    let token = URL_SAFE_NO_PAD.encode(random::<TOKEN>().as_slice());
    let name = entry_name(&token);
    let entry = Entry {
        workspace: by.workspace_id,
        role: role.as_str().to_owned(),
        by: by.user_id,
    };
    let plain = serde_json::to_vec(&entry).expect("plain fields are JSON");
    let sealed = app.vault.seal(&owner(&name), &plain);
    app.ephemeral.put(&name, &sealed, LIFE).await?;
    let link = app.public_url.join(&urls::join(&token));
    Ok(link.expect("our paths are valid"))
}

/// `GET /join/{token}`
pub async fn join_show(
    app: web::Data<App>,
    Who(sign_in): Who,
    token: web::Path<String>,
    query: web::Query<HomeQuery>,
) -> Result<HttpResponse> {
    let name = entry_name(&token);
    let (entry, _) = opened(&app, &name, app.ephemeral.get(&name).await?)?;
    // Whoever joins is asked the same again, in the transaction that lets them in.
    if app.store.role(entry.workspace, entry.by).await? != Some(Role::Owner) {
        return Err(WebError::InvitationUsed);
    }
    let workspace = app.store.workspace_name(entry.workspace).await?;
    let page = JoinPage {
        chrome: Chrome::new("Invitation", Here::Nowhere, sign_in.as_ref())
            .with_notice(query.declined(&app)),
        workspace: workspace.ok_or(WebError::InvitationUsed)?,
        signed_in: sign_in.is_some(),
        token: token.into_inner(),
        providers: app
            .providers
            .iter()
            .map(|it| it.description().into())
            .collect(),
    };
    Ok(fragment::html(page.render()?))
}

/// `POST /join/{token}`
pub async fn join_use(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    token: web::Path<String>,
) -> Result<HttpResponse> {
    let name = entry_name(&token);
    let (entry, role) = opened(&app, &name, app.ephemeral.take(&name).await?)?;
    let joined = app
        .store
        .join_workspace(&sign_in, entry.workspace, role, entry.by);
    match joined.await? {
        true => Ok(fragment::redirect(&req, urls::home())),
        false => Err(WebError::InvitationUsed),
    }
}

fn opened(app: &App, name: &str, sealed: Option<Vec<u8>>) -> Result<(Entry, Role)> {
    let sealed = sealed.ok_or(WebError::InvitationUsed)?;
    let plain = app.vault.open(&owner(name), &sealed);
    let plain = plain.map_err(|_| WebError::InvitationUsed)?;
    let entry: Entry = serde_json::from_slice(&plain).map_err(|_| WebError::InvitationUsed)?;
    let role = Role::parse(&entry.role).ok_or(WebError::InvitationUsed)?;
    Ok((entry, role))
}

/// Whether an invitation could have this token.
pub fn is_token(text: &str) -> bool {
    URL_SAFE_NO_PAD
        .decode(text)
        .is_ok_and(|bytes| bytes.len() == TOKEN)
}

/// The token itself is kept nowhere.
fn entry_name(token: &str) -> String {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
    format!("invitation:{hash}")
}

fn owner(name: &str) -> Owner {
    Owner::new("invitation", name)
}
