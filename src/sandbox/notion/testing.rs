//! A visitor who speaks Notion's dialect.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::sandbox::Options;
use crate::sandbox::testing::{
    Answer, CLIENT, REDIRECT, SECRET, Visit, encode, options, parameter, visit,
};

pub const VERSION: &str = "2026-03-11";

pub struct Visitor {
    pub visit: Visit,
}

pub fn notion(options: Options) -> Visitor {
    Visitor {
        visit: visit(options),
    }
}

/// A sandbox whose options are a little different.
pub fn notion_with(change: impl FnOnce(&mut Options)) -> Visitor {
    let mut options = options();
    change(&mut options);
    notion(options)
}

/// What an app sends a browser to; a name that stands in `more` is taken from there.
pub fn authorize_path(more: &[(&str, &str)]) -> String {
    let usual = [
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("owner", "user"),
        ("state", "s/1 &"),
    ];
    let kept = usual
        .iter()
        .filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    let pairs: Vec<(&str, &str)> = kept.chain(more).copied().collect();
    format!("/v1/oauth/authorize?{}", encode(&pairs))
}

impl Visitor {
    /// Approves, and gives the address the browser is sent to.
    pub async fn approve(&self, account: &str, more: &[(&str, &str)]) -> String {
        let form = [("account", account), ("decision", "approve")];
        let answer = self.visit.post(&authorize_path(more), &form).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        answer.header("location").to_owned()
    }

    pub async fn code(&self, account: &str) -> String {
        parameter(&self.approve(account, &[]).await, "code").unwrap()
    }

    pub async fn exchange(&self, code: &str, redirect: &str) -> Answer {
        let body = json!({
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect,
        });
        self.post("/v1/oauth/token", &body).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        let body = json!({ "grant_type": "refresh_token", "refresh_token": token });
        self.post("/v1/oauth/token", &body).await
    }

    pub async fn introspect(&self, token: &str) -> Value {
        let body = json!({ "token": token });
        self.post("/v1/oauth/introspect", &body).await.json()
    }

    /// What the token endpoint says about a new connection.
    pub async fn tokens(&self, account: &str, more: &[(&str, &str)]) -> Value {
        let code = parameter(&self.approve(account, more).await, "code").unwrap();
        self.exchange(&code, REDIRECT).await.json()
    }

    /// Access and refresh token of an account; without one of the latter it is empty.
    pub async fn connect(&self, account: &str) -> (String, String) {
        let tokens = self.tokens(account, &[]).await;
        let text = |name: &str| tokens[name].as_str().unwrap_or_default().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    /// Posts as the registered app.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(path, Some((CLIENT, SECRET)), &body.to_string())
            .await
    }

    pub async fn post_as(
        &self,
        path: &str,
        credentials: Option<(&str, &str)>,
        body: &str,
    ) -> Answer {
        let mut request = self.visit.request("POST", path).body(body.to_owned());
        if let Some((id, secret)) = credentials {
            request = request.basic_auth(id, Some(secret));
        }
        let request = request.header(CONTENT_TYPE, "application/json");
        self.visit.send(request).await.unwrap()
    }

    /// Reads the API.
    pub async fn read(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, None).await
    }

    /// Asks one of the questions that have a body.
    pub async fn ask(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.call("POST", path, token, Some(&body.to_string()))
            .await
    }

    pub async fn call(&self, method: &str, path: &str, token: &str, body: Option<&str>) -> Answer {
        self.try_call(method, path, token, body).await.unwrap()
    }

    pub async fn try_call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&str>,
    ) -> reqwest::Result<Answer> {
        let headers = [
            (AUTHORIZATION.as_str(), format!("Bearer {token}")),
            ("notion-version", VERSION.to_owned()),
        ];
        self.with_headers(method, path, &headers, body).await
    }

    pub async fn with_headers(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: Option<&str>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.visit.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_owned());
        }
        self.visit.send(request).await
    }

    /// Everything a listing gives, page by page.
    pub async fn walk(&self, path: &str, token: &str, body: &Value) -> Vec<Value> {
        let (mut all, mut body) = (Vec::new(), body.clone());
        loop {
            let page = self.ask(path, token, &body).await.json();
            let results = page["results"].as_array();
            all.extend(results.unwrap_or_else(|| panic!("{page}")).clone());
            match page["next_cursor"].as_str() {
                Some(cursor) => body["start_cursor"] = cursor.into(),
                None => return all,
            }
        }
    }
}
