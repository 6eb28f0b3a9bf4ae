//! `/keys`: keys that programs ask with. A new one is shown once and kept nowhere.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::errors::{Result, WebError};
use super::guard::SignedIn;
use super::page::{Chrome, Here, StateView, When};
use super::{App, fragment, urls};
use crate::item::{KeyId, clean_name};
use crate::store::{ApiKey, NewKey, SignIn};
use crate::vault::random;

/// What every key begins with, so that whoever finds one knows what it opens.
const PREFIX: &str = "tributary_";
const LONGEST_NAME: usize = 100;
const MOST_DAYS: i64 = 3_650;

/// What a key can be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Read,
    Import,
}

impl Scope {
    const ALL: [Self; 2] = [Self::Read, Self::Import];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Import => "import",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

#[derive(Template)]
#[template(path = "keys/list.html")]
struct KeysPage {
    chrome: Chrome,
    /// A key that was made just now.
    fresh: Option<Fresh>,
    keys: Vec<KeyRow>,
}

struct Fresh {
    name: String,
    key: String,
}

struct KeyRow {
    id: KeyId,
    name: String,
    person: String,
    scopes: String,
    state: StateView,
    is_good: bool,
    created: When,
    used: Option<When>,
    expires: Option<When>,
}

impl KeyRow {
    fn new(key: ApiKey, now: DateTime<Utc>) -> Self {
        let has_expired = key.expires_at.is_some_and(|at| at <= now);
        let (class, word) = match (key.revoked_at, has_expired) {
            (Some(_), _) => ("cancelled", "Revoked"),
            (None, true) => ("cancelled", "Expired"),
            (None, false) => ("connected", "Good"),
        };
        let when = |time| When::new(time, now);
        Self {
            id: key.id,
            name: key.name,
            person: key.person,
            scopes: key.scopes.replace(' ', ", "),
            state: StateView { class, word },
            is_good: key.revoked_at.is_none() && !has_expired,
            created: when(key.created_at),
            used: key.used_at.map(when),
            expires: key.expires_at.map(when),
        }
    }
}

/// What the key's form holds.
#[derive(Debug, Default)]
struct KeyForm {
    name: String,
    scopes: Vec<Scope>,
    days: Option<i64>,
}

impl KeyForm {
    /// A scope may be given several times, or several with blanks between.
    fn parse(body: &[u8]) -> Result<Self> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                "name" => form.name = clean_name(&value).unwrap_or_default(),
                "scope" => form.take_scopes(&value)?,
                "expires_in_days" => form.days = days(value.trim())?,
                _ => {}
            }
        }
        let length = form.name.chars().count();
        let refused = |name, said: &str| Err(WebError::BadForm(name, said.into()));
        match (length, form.scopes.as_slice()) {
            (0, _) => refused("name", "is missing: say what the key is for"),
            (length, _) if length > LONGEST_NAME => {
                refused("name", "is longer than 100 characters")
            }
            (_, []) => refused("scope", "is missing: choose read, import or both"),
            _ => Ok(form),
        }
    }

    fn take_scopes(&mut self, text: &str) -> Result<()> {
        for word in text.split_whitespace() {
            let wrong = || WebError::BadForm("scope", "must be read or import".into());
            let scope = Scope::parse(word).ok_or_else(wrong)?;
            if !self.scopes.contains(&scope) {
                self.scopes.push(scope);
            }
        }
        Ok(())
    }
}

/// After how many days a key ends; it need not.
fn days(text: &str) -> Result<Option<i64>> {
    let wrong = || {
        let said = format!("must be a number of days from 1 to {MOST_DAYS}, or empty");
        WebError::BadForm("expires_in_days", said)
    };
    if text.is_empty() {
        return Ok(None);
    }
    let days = text.parse().ok();
    days.filter(|days| (1..=MOST_DAYS).contains(days))
        .map(Some)
        .ok_or_else(wrong)
}

/// What is kept of a key.
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// `GET /keys`
pub async fn keys_list(app: web::Data<App>, SignedIn(sign_in): SignedIn) -> Result<HttpResponse> {
    show(&app, &sign_in, None).await
}

/// `POST /keys`
pub async fn keys_add(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    body: web::Bytes,
) -> Result<HttpResponse> {
    let form = KeyForm::parse(&body)?;
    let key = format!(
        "{PREFIX}{}",
        URL_SAFE_NO_PAD.encode(random::<32>().as_slice())
    );
    let scopes: Vec<&str> = form.scopes.iter().map(|scope| scope.as_str()).collect();
    let new = NewKey {
        name: &form.name,
        hash: &hash(&key),
        scopes: &scopes.join(" "),
        expires_at: form.days.map(|days| Utc::now() + TimeDelta::days(days)),
    };
    app.store.add_key(&sign_in, &new).await?;
    let name = form.name;
    show(&app, &sign_in, Some(Fresh { name, key })).await
}

/// `POST /keys/{key}/revoke`
pub async fn key_revoke(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let id: KeyId = id.parse().map_err(|_| WebError::NotFound)?;
    match app.store.revoke_key(&sign_in, id).await? {
        true => Ok(fragment::redirect(&req, urls::keys())),
        false => Err(WebError::NotFound),
    }
}

async fn show(app: &App, sign_in: &SignIn, fresh: Option<Fresh>) -> Result<HttpResponse> {
    let now = Utc::now();
    let keys = app.store.keys(sign_in.workspace_id).await?;
    let page = KeysPage {
        chrome: Chrome::new("API keys", Here::Nowhere, Some(sign_in)),
        fresh,
        keys: keys.into_iter().map(|key| KeyRow::new(key, now)).collect(),
    };
    Ok(fragment::html(page.render()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_wants_a_name_and_something_that_it_is_good_for() {
        let form = |text: &str| KeyForm::parse(text.as_bytes());
        let read = form("name=Nightly+report&scope=read&expires_in_days=90").unwrap();
        assert_eq!(
            (read.scopes.as_slice(), read.days),
            (&[Scope::Read][..], Some(90))
        );
        let both = form("name=n&scope=read&scope=import&scope=read").unwrap();
        assert_eq!((both.scopes.len(), both.days), (2, None));
        assert_eq!(form("name=n&scope=read+import").unwrap().scopes.len(), 2);
        for wrong in [
            "scope=read",
            "name=+&scope=read",
            "name=n",
            "name=n&scope=write",
            "name=n&scope=read&expires_in_days=0",
            "name=n&scope=read&expires_in_days=soon",
            "name=n&scope=read&expires_in_days=99999",
        ] {
            assert!(form(wrong).is_err(), "{wrong}");
        }
        assert!(form(&format!("scope=read&name={}", "x".repeat(101))).is_err());
    }
}
