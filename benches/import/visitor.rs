//! Somebody who connects an account and looks at pages.

use std::time::Duration;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response};
use serde_json::Value;

use super::processes::Served;

#[derive(Clone)]
pub struct Visitor {
    http: Client,
    app: String,
    cookie: String,
}

impl Visitor {
    pub fn of(served: &Served) -> Self {
        Self {
            http: browser(),
            app: served.url.clone(),
            cookie: String::new(),
        }
    }

    /// Asks the program for a page.
    pub async fn get(&mut self, path: &str) -> Response {
        let url = match path.strip_prefix('/') {
            Some(_) => format!("{}{path}", self.app),
            None => path.to_owned(),
        };
        self.send(Method::GET, &url).await
    }

    async fn send(&mut self, method: Method, url: &str) -> Response {
        let request = self.http.request(method, url).header(COOKIE, &self.cookie);
        let answer = request.send().await.expect("an answer");
        for set in answer.headers().get_all(SET_COOKIE) {
            let pair = set.to_str().expect("ASCII").split(';').next();
            self.cookie = pair.unwrap_or_default().to_owned();
        }
        answer
    }

    /// Presses Connect and approves; what is left is to come back to this address.
    pub async fn approve(&mut self, account: &str) -> String {
        let url = format!("{}/integrations/hubspot/authorize", self.app);
        let to_provider = self.send(Method::POST, &url).await;
        consent(&self.http, &location(&to_provider), account).await
    }

    /// Connects an account, and the id of its import.
    pub async fn connect(&mut self, account: &str) -> String {
        let callback = self.approve(account).await;
        let connection = location(&self.get(&callback).await);
        let id = connection.rsplit('/').next().unwrap_or_default().to_owned();
        let imports = self.json(&format!("/api/v1/imports?connection={id}")).await;
        imports["imports"][0]["id"]
            .as_str()
            .expect("an import")
            .to_owned()
    }

    pub async fn json(&mut self, path: &str) -> Value {
        let body = self.get(path).await.bytes().await.expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Waits for the end of an import, asking seldom, and what is said of it then.
    pub async fn imported(&mut self, import: &str) -> Value {
        loop {
            let told = self.json(&format!("/api/v1/imports/{import}")).await;
            if !told["finished_at"].is_null() {
                assert_eq!(told["state"], "done", "{told}");
                return told;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A client that keeps connections, follows nothing and asks nobody on the way.
pub fn browser() -> Client {
    let redirects = reqwest::redirect::Policy::none();
    Client::builder()
        .no_proxy()
        .redirect(redirects)
        .build()
        .expect("a client")
}

/// Approves on the consent page at this address, and where that leads.
pub async fn consent(http: &Client, page: &str, account: &str) -> String {
    let form = [("account", account), ("decision", "approve")];
    let answer = http.post(page).form(&form).send().await;
    location(&answer.expect("an answer"))
}

fn location(answer: &Response) -> String {
    let location = answer.headers().get(LOCATION);
    let location = location.unwrap_or_else(|| panic!("no redirect but {answer:?}"));
    location.to_str().expect("ASCII").to_owned()
}
