//! What the tests of the sandbox share: a running one, and a client that plays browser and app.

use std::net::TcpListener;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::{Options, Sandbox, start};

pub const CLIENT: &str = "client-1";
pub const SECRET: &str = "secret-1";
pub const REDIRECT: &str = "http://localhost:9/oauth/hubspot/callback?from=sandbox";
pub const SCOPES: &str = "oauth crm.objects.contacts.read";

/// A sandbox and whoever talks to it.
pub struct Visit {
    pub sandbox: Sandbox,
    http: reqwest::Client,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// Options on a port of the system's choice.
pub fn options() -> Options {
    Options {
        listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.to_owned(),
        redirect_uris: vec![REDIRECT.to_owned()],
        token_life: None,
        rate: Some(10_000),
        window: None,
        contacts: None,
    }
}

pub fn visit(options: Options) -> Visit {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none());
    Visit {
        sandbox: start(options).unwrap(),
        http: http.build().unwrap(),
    }
}

pub fn encode(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What an app sends a browser to, with `more` added; a name that stands in both is taken from
/// `more`.
pub fn authorize_path(more: &[(&str, &str)]) -> String {
    let usual = [
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPES),
        ("state", "s/1 &"),
    ];
    let kept = usual
        .iter()
        .filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    let pairs: Vec<(&str, &str)> = kept.chain(more).copied().collect();
    format!("/oauth/authorize?{}", encode(&pairs))
}

/// A parameter of an address.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

impl Visit {
    pub async fn get(&self, path: &str) -> Answer {
        send(self.http.get(self.at(path))).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.http.delete(self.at(path))).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.http.post(self.at(path));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        send(request.body(encode(fields))).await
    }

    /// Posts as a browser does from a page of the same or of another site.
    pub async fn post_from(&self, site: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.http.post(self.at(path)).header("sec-fetch-site", site);
        send(request.body(encode(fields))).await
    }

    /// Posts with the app's credentials beside the fields.
    pub async fn post_as_app(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let credentials = [("client_id", CLIENT), ("client_secret", SECRET)];
        self.post(path, &[&credentials, fields].concat()).await
    }

    /// Posts with an id and a secret in the header.
    pub async fn post_with_basic(
        &self,
        path: &str,
        [id, secret]: [&str; 2],
        fields: &[(&str, &str)],
    ) -> Answer {
        let request = self.http.post(self.at(path)).basic_auth(id, Some(secret));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        send(request.body(encode(fields))).await
    }

    /// Reads the API.
    pub async fn read(&self, path: &str, token: &str) -> Answer {
        send(self.http.get(self.at(path)).bearer_auth(token)).await
    }

    pub async fn try_read(&self, path: &str, token: &str) -> reqwest::Result<Answer> {
        try_send(self.http.get(self.at(path)).bearer_auth(token)).await
    }

    pub async fn uninstall(&self, path: &str, token: &str) -> Answer {
        send(self.http.delete(self.at(path)).bearer_auth(token)).await
    }

    pub async fn read_batch(&self, path: &str, token: &str, body: &Value) -> Answer {
        send(
            self.http
                .post(self.at(path))
                .bearer_auth(token)
                .body(body.to_string()),
        )
        .await
    }

    /// Approves, and gives the address the browser is sent to.
    pub async fn approve(&self, account: &str, more: &[(&str, &str)]) -> String {
        let form = [("account", account), ("decision", "approve")];
        let answer = self.post(&authorize_path(more), &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        answer.headers[LOCATION].to_str().unwrap().to_owned()
    }

    pub async fn code(&self, account: &str) -> String {
        parameter(&self.approve(account, &[]).await, "code").unwrap()
    }

    pub async fn exchange(&self, code: &str, more: &[(&str, &str)]) -> Answer {
        let fields = [("grant_type", "authorization_code"), ("code", code)];
        let redirect = [("redirect_uri", REDIRECT)];
        let redirect = if more.iter().any(|(name, _)| *name == "redirect_uri") {
            &[][..]
        } else {
            &redirect[..]
        };
        self.post_as_app(
            "/oauth/2026-09/token",
            &[&fields[..], redirect, more].concat(),
        )
        .await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        self.post_as_app("/oauth/2026-09/token", &fields).await
    }

    /// Access and refresh token of an account.
    pub async fn connect(&self, account: &str) -> (String, String) {
        self.tokens(&self.code(account).await).await
    }

    /// The same for an app that asks for everything HubSpot has for it.
    pub async fn connect_all(&self, account: &str) -> (String, String) {
        let scopes = "crm.objects.companies.read crm.objects.deals.read";
        let back = self.approve(account, &[("optional_scope", scopes)]).await;
        self.tokens(&parameter(&back, "code").unwrap()).await
    }

    async fn tokens(&self, code: &str) -> (String, String) {
        let tokens = self.exchange(code, &[]).await.json();
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    /// A request that is not made yet, for what needs headers of its own.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, self.at(path))
    }

    pub async fn send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        try_send(request).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.url())
    }
}

async fn send(request: RequestBuilder) -> Answer {
    try_send(request).await.unwrap()
}

async fn try_send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    Ok(Answer {
        status: response.status(),
        headers: response.headers().clone(),
        text: response.text().await?,
    })
}
