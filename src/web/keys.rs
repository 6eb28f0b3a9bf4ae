//! `/keys`: keys that programs ask with. A new one is shown once and kept nowhere.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::errors::{Result, WebError};
use super::form::{Draft, Form};
use super::guard::SignedIn;
use super::page::{Choice, Chrome, Here, StateView, When};
use super::{App, fragment, urls};
use crate::item::{KeyId, clean_name};
use crate::store::{ApiKey, NewKey, SignIn};
use crate::vault::random;

/// What every key begins with, so that whoever finds one knows what it opens.
const PREFIX: &str = "tributary_";
const LONGEST_NAME: usize = 100;
const MOST_DAYS: i64 = 3_650;
/// Those that are offered, after how many days a key ends.
const DAYS: [(&str, &str); 4] = [
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "A year"),
    ("", "Never"),
];
const USUAL_DAYS: &str = "90";

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
    draft: Draft,
    days: Vec<Choice>,
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

const FIELDS: [&str; 3] = ["name", "scope", "expires_in_days"];

/// What the key's form holds.
#[derive(Debug)]
struct KeyForm {
    name: String,
    scopes: Vec<Scope>,
    days: Option<i64>,
}

impl KeyForm {
    /// One scope or both: each may be given several times, or several with blanks between.
    fn parse(sent: &Form) -> Result<Self> {
        let name = sent.one("name")?.and_then(clean_name).unwrap_or_default();
        let refused = |said: &str| Err(WebError::BadForm("name", said.into()));
        match name.chars().count() {
            0 => return refused("is missing: say what the key is for"),
            length if length > LONGEST_NAME => return refused("is longer than 100 characters"),
            _ => {}
        }
        Ok(Self {
            name,
            scopes: scopes(sent.all("scope").flat_map(str::split_whitespace))?,
            days: days(sent.one("expires_in_days")?.unwrap_or_default().trim())?,
        })
    }
}

fn scopes<'a>(words: impl Iterator<Item = &'a str>) -> Result<Vec<Scope>> {
    let wrong = |said: &str| WebError::BadForm("scope", said.into());
    let mut scopes = Vec::new();
    for word in words {
        let scope = Scope::parse(word).ok_or_else(|| wrong("must be read or import"))?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    match scopes.is_empty() {
        true => Err(wrong("is missing: choose read, import or both")),
        false => Ok(scopes),
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
    show(&app, &sign_in, None, Draft::default()).await
}

/// `POST /keys`
pub async fn keys_add(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    sent: Form,
) -> Result<HttpResponse> {
    let (fresh, draft) = match make(&app, &sign_in, &sent).await {
        Ok(fresh) => (Some(fresh), Draft::default()),
        Err(error) => (None, Draft::refused(sent, &FIELDS, error)?),
    };
    show(&app, &sign_in, fresh, draft).await
}

async fn make(app: &App, sign_in: &SignIn, sent: &Form) -> Result<Fresh> {
    let form = KeyForm::parse(sent)?;
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
    app.store.add_key(sign_in, &new).await?;
    let name = form.name;
    Ok(Fresh { name, key })
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

async fn show(
    app: &App,
    sign_in: &SignIn,
    fresh: Option<Fresh>,
    draft: Draft,
) -> Result<HttpResponse> {
    let now = Utc::now();
    let keys = app.store.keys(sign_in.workspace_id).await?;
    let page = KeysPage {
        chrome: Chrome::new("API keys", Here::Nowhere, Some(sign_in)),
        fresh,
        keys: keys.into_iter().map(|key| KeyRow::new(key, now)).collect(),
        days: draft.choices("expires_in_days", USUAL_DAYS, &DAYS),
        draft,
    };
    Ok(page.draft.answer(page.render()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_wants_a_name_and_something_that_it_is_good_for() {
        let form = |text: &str| KeyForm::parse(&Form::read(text.as_bytes()));
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
            "name=n&name=m&scope=read",
            "name=n&scope=read&expires_in_days=1&expires_in_days=2",
        ] {
            assert!(form(wrong).is_err(), "{wrong}");
        }
        assert!(form(&format!("scope=read&name={}", "x".repeat(101))).is_err());
    }
}
