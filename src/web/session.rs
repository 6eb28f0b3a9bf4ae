//! What a session holds: which sign-in it is, and what the browser is known by while it connects.

use actix_session::config::{CookieContentSecurity, PersistentSession};
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::{Key, SameSite, time};

use super::errors::{Result, WebError};
use crate::ephemeral::Sessions;
use crate::item::SignInId;
use crate::oauth::Browser;
use crate::store::LONGEST_SIGN_IN;

const SIGN_IN: &str = "sign_in";
const BROWSER: &str = "browser";

/// The words a session is asked in.
pub trait SessionOf {
    fn sign_in(&self) -> Option<SignInId>;
    fn browser(&self) -> Option<Browser>;

    /// Remembers what this browser is known by; visitors have no session before.
    fn keep_browser(&self, browser: &Browser) -> Result<()>;

    /// Gives the session a new id, so that one fixed before is worth nothing, and a sign-in where
    /// there is a new one.
    fn renew_with(&self, sign_in: Option<SignInId>) -> Result<()>;
}

fn broken(error: actix_session::SessionInsertError) -> WebError {
    WebError::Broken(error.to_string())
}

impl SessionOf for Session {
    fn sign_in(&self) -> Option<SignInId> {
        self.get(SIGN_IN).ok().flatten()
    }

    fn browser(&self) -> Option<Browser> {
        self.get(BROWSER).ok().flatten().map(Browser::from_text)
    }

    fn keep_browser(&self, browser: &Browser) -> Result<()> {
        self.insert(BROWSER, browser.expose()).map_err(broken)
    }

    fn renew_with(&self, sign_in: Option<SignInId>) -> Result<()> {
        if let Some(id) = sign_in {
            self.insert(SIGN_IN, id).map_err(broken)?;
        }
        self.renew();
        Ok(())
    }
}

/// The prefix makes browsers refuse the cookie from anywhere but this very host.
pub fn cookie_name(https: bool) -> &'static str {
    if https {
        "__Host-tributary"
    } else {
        "tributary"
    }
}

/// The middleware around every page. How long somebody stays signed in is the sign-in's to decide;
/// the session merely lasts as long as any sign-in can.
pub fn middleware(sessions: Sessions, key: Key, https: bool) -> SessionMiddleware<Sessions> {
    let longest = time::Duration::try_from(LONGEST_SIGN_IN).expect("thirty days");
    SessionMiddleware::builder(sessions, key)
        .cookie_name(cookie_name(https).into())
        .cookie_secure(https)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_path("/".into())
        .cookie_content_security(CookieContentSecurity::Private)
        .session_lifecycle(PersistentSession::default().session_ttl(longest))
        .build()
}
