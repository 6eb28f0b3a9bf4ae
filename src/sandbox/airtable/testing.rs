//! What the tests of Airtable's part share: an app that is connected as Airtable wants it.

use serde_json::Value;

use crate::sandbox::testing::{Answer, CLIENT, REDIRECT, SECRET, Visit, encode, parameter};

pub const TOKEN: &str = "/oauth2/v1/token";
pub const STATE: &str = "a-state.of_enough-characters";
pub const SCOPES: &str = "data.records:read schema.bases:read user.email:read";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; // RFC 7636, appendix B

/// What an app sends a browser to, with `more` in place of what it usually sends.
pub fn authorize_path(more: &[(&str, &str)]) -> String {
    let usual = [
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", SCOPES),
        ("state", STATE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    format!("/oauth2/v1/authorize?{}", encode(&replaced(&usual, more)))
}

/// Approves, and gives the address the browser is sent to.
pub async fn approve(visit: &Visit, account: &str, more: &[(&str, &str)]) -> String {
    let form = [("account", account), ("decision", "approve")];
    let form = [&form[..], more].concat();
    let answer = visit.post(&authorize_path(&[]), &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").to_owned()
}

pub async fn code(visit: &Visit, account: &str) -> String {
    parameter(&approve(visit, account, &[]).await, "code").unwrap()
}

/// Asks the token endpoint with the app's credentials.
pub async fn as_app(visit: &Visit, form: &[(&str, &str)]) -> Answer {
    visit.post_with_basic(TOKEN, [CLIENT, SECRET], form).await
}

pub async fn exchange(visit: &Visit, code: &str, more: &[(&str, &str)]) -> Answer {
    let usual = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    as_app(visit, &replaced(&usual, more)).await
}

pub async fn refresh(visit: &Visit, refresh_token: &str) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    as_app(visit, &form).await
}

/// Access and refresh token of an account.
pub async fn connect(visit: &Visit, account: &str) -> (String, String) {
    let code = code(visit, account).await;
    texts(&exchange(visit, &code, &[]).await.json())
}

/// An access token with some of the scopes that were asked for.
pub async fn connect_with(visit: &Visit, account: &str, scopes: &str) -> String {
    let back = approve(visit, account, &[("scope", scopes)]).await;
    let code = parameter(&back, "code").unwrap();
    texts(&exchange(visit, &code, &[]).await.json()).0
}

/// Access and refresh token of an answer.
pub fn texts(tokens: &Value) -> (String, String) {
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// The ids of the first base and of its first table.
pub async fn first_table(visit: &Visit, access: &str) -> (String, String) {
    let bases = visit.read("/v0/meta/bases", access).await.json();
    let base = bases["bases"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v0/meta/bases/{base}/tables");
    let tables = visit.read(&path, access).await.json();
    let table = tables["tables"][0]["id"].as_str().unwrap().to_owned();
    (base, table)
}

/// The ids of the first table of a name, and of its base.
pub async fn table_of(visit: &Visit, access: &str, name: &str) -> (String, String) {
    for base in all_bases(visit, access).await {
        let path = format!("/v0/meta/bases/{}/tables", base.0);
        let tables = visit.read(&path, access).await.json();
        let tables = tables["tables"].as_array().unwrap().clone();
        if let Some(table) = tables.iter().find(|table| table["name"] == name) {
            return (base.0, table["id"].as_str().unwrap().to_owned());
        }
    }
    panic!("there is no table {name}");
}

/// Ids and names of all bases, from every page of the list.
pub async fn all_bases(visit: &Visit, access: &str) -> Vec<(String, String)> {
    let (mut bases, mut path) = (Vec::new(), "/v0/meta/bases".to_owned());
    loop {
        let page = visit.read(&path, access).await.json();
        let text = |base: &Value, name: &str| base[name].as_str().unwrap().to_owned();
        let found = page["bases"].as_array().unwrap();
        bases.extend(
            found
                .iter()
                .map(|base| (text(base, "id"), text(base, "name"))),
        );
        match page["offset"].as_str() {
            Some(offset) => path = format!("/v0/meta/bases?{}", encode(&[("offset", offset)])),
            None => return bases,
        }
    }
}

/// Records of a list from page to page; ends at the first answer that is none, too.
pub async fn walk(visit: &Visit, access: &str, list: &str, ask: &[(&str, &str)]) -> Walk {
    let (mut pages, mut offset) = (Vec::new(), None::<String>);
    loop {
        let more = offset.as_deref().map(|offset| ("offset", offset));
        let query = encode(&[ask, more.as_slice()].concat());
        let answer = visit.read(&format!("{list}?{query}"), access).await;
        if answer.status != 200 {
            return Walk {
                pages,
                end: Some(answer),
            };
        }
        let page = answer.json();
        pages.push(page["records"].as_array().unwrap().clone());
        let next = page["offset"].as_str().map(str::to_owned);
        if next.is_none() || next == offset {
            return Walk { pages, end: None };
        }
        offset = next;
    }
}

/// The pages of a list, and the refusal at its end, if there was one.
pub struct Walk {
    pub pages: Vec<Vec<Value>>,
    pub end: Option<Answer>,
}

impl Walk {
    pub fn lens(&self) -> Vec<usize> {
        self.pages.iter().map(Vec::len).collect()
    }

    pub fn ids(&self) -> Vec<String> {
        let records = self.pages.iter().flatten();
        records
            .map(|record| record["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn replaced<'a>(
    usual: &[(&'a str, &'a str)],
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let kept = usual
        .iter()
        .filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    kept.chain(more).copied().collect()
}
