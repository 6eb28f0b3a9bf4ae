//! `GET /sessions`: one's own sign-ins, and the end of them all.

use actix_session::Session;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::Utc;

use super::errors::Result;
use super::guard::SignedIn;
use super::page::{Chrome, Here, When};
use super::{App, fragment, urls};
use crate::providers;

#[derive(Template)]
#[template(path = "sessions/list.html")]
struct SessionsPage {
    chrome: Chrome,
    sign_ins: Vec<SignInRow>,
}

struct SignInRow {
    /// The provider it was made by.
    by: String,
    workspace: String,
    since: When,
    used: When,
    is_this: bool,
}

/// `GET /sessions`
pub async fn sessions_list(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
) -> Result<HttpResponse> {
    let now = Utc::now();
    let own = app.store.own_sign_ins(sign_in.user_id, now).await?;
    let row = |own: crate::store::OwnSignIn| SignInRow {
        by: providers::describe(&own.provider).map_or(own.provider.clone(), |it| it.name.into()),
        workspace: own.workspace,
        since: When::new(own.created_at, now),
        used: When::new(own.seen_at, now),
        is_this: own.id == sign_in.id,
    };
    let page = SessionsPage {
        chrome: Chrome::new("Sign-ins", Here::Nowhere, Some(&sign_in)),
        sign_ins: own.into_iter().map(row).collect(),
    };
    Ok(fragment::html(page.render()?))
}

/// `POST /sessions/end-all`: signs out everywhere, here too.
pub async fn sessions_end_all(
    req: HttpRequest,
    app: web::Data<App>,
    session: Session,
    SignedIn(sign_in): SignedIn,
) -> Result<HttpResponse> {
    app.store.end_all_sign_ins(sign_in.user_id).await?;
    session.purge();
    Ok(fragment::redirect(&req, urls::home()))
}
