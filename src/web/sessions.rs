//! `GET /sessions`: one's own sign-ins, and the end of them all.

use actix_session::Session;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::Utc;

use super::errors::Result;
use super::guard::SignedIn;
use super::page::{Chrome, Here, When};
use super::{App, fragment, urls};
use crate::item::IdentityId;

#[derive(Template)]
#[template(path = "sessions/list.html")]
struct SessionsPage {
    chrome: Chrome,
    sign_ins: Vec<SignInRow>,
    ways_in: Vec<WayInRow>,
}

struct WayInRow {
    id: IdentityId,
    provider: String,
    whose: String,
    /// The last one stays.
    can_go: bool,
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
        by: if own.by_link {
            "Link from the host".into()
        } else {
            name(&app, &own.provider)
        },
        workspace: own.workspace,
        since: When::new(own.created_at, now),
        used: When::new(own.seen_at, now),
        is_this: own.id == sign_in.id,
    };
    let ways_in = app.store.ways_in(sign_in.user_id).await?;
    let can_go = ways_in.len() > 1;
    let way_in = |way: crate::store::WayIn| WayInRow {
        id: way.id,
        provider: name(&app, &way.provider),
        whose: way.email.unwrap_or(way.account_id),
        can_go,
    };
    let page = SessionsPage {
        chrome: Chrome::new("Sign-ins", Here::Nowhere, Some(&sign_in)),
        sign_ins: own.into_iter().map(row).collect(),
        ways_in: ways_in.into_iter().map(way_in).collect(),
    };
    Ok(fragment::html(page.render()?))
}

fn name(app: &App, slug: &str) -> String {
    app.providers
        .describe(slug)
        .map_or(slug, |it| it.name)
        .into()
}

/// `POST /sessions/end-all`: signs out everywhere, here too.
pub async fn sessions_end_all(
    req: HttpRequest,
    app: web::Data<App>,
    session: Session,
    SignedIn(sign_in): SignedIn,
) -> Result<HttpResponse> {
    app.store.end_all_sign_ins(&sign_in).await?;
    session.purge();
    Ok(fragment::redirect(&req, urls::home()))
}
