//! Somebody with a browser that keeps cookies and follows no redirects by itself.

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Method, StatusCode};
use scraper::{Html, Selector};

/// A visitor of one application.
#[derive(Clone)]
pub struct Visitor {
    pub app: String,
    pub cookie: Option<String>,
    http: reqwest::Client,
}

/// What the visitor got.
pub struct Seen {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    /// Where it sends the browser.
    pub fn location(&self) -> &str {
        let location = self.headers.get(LOCATION);
        location
            .unwrap_or_else(|| panic!("no redirect but {}: {}", self.status, self.body))
            .to_str()
            .expect("ASCII")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The texts of all elements that `css` selects, blanks folded.
    pub fn texts(&self, css: &str) -> Vec<String> {
        let page = Html::parse_document(&self.body);
        let selector = Selector::parse(css).expect("a selector");
        let text = |element: scraper::ElementRef<'_>| {
            element
                .text()
                .collect::<String>()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        page.select(&selector).map(text).collect()
    }

    /// An attribute of the first element that `css` selects.
    pub fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let page = Html::parse_document(&self.body);
        let element = page
            .select(&Selector::parse(css).expect("a selector"))
            .next();
        element.and_then(|element| element.attr(name).map(str::to_owned))
    }

    /// An attribute of every element that `css` selects.
    pub fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        let page = Html::parse_document(&self.body);
        let selector = Selector::parse(css).expect("a selector");
        page.select(&selector)
            .filter_map(|element| element.attr(name).map(str::to_owned))
            .collect()
    }

    /// How many elements `css` selects.
    pub fn count(&self, css: &str) -> usize {
        self.texts(css).len()
    }

    /// The number that the first element shows, its thousands apart; zero without one.
    pub fn count_of(&self, css: &str) -> u64 {
        let text = self.texts(css).into_iter().next().unwrap_or_default();
        text.replace(',', "").parse().unwrap_or(0)
    }

    /// All visible text of the page.
    pub fn text(&self) -> String {
        self.texts("main").join(" ")
    }
}

impl Visitor {
    pub fn of(app: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Self {
            app: app.to_owned(),
            cookie: None,
            http: http.build().expect("a client"),
        }
    }

    /// The same browser at another instance of the application.
    pub fn at(&self, app: &str) -> Self {
        Self {
            app: app.to_owned(),
            ..self.clone()
        }
    }

    pub async fn get(&mut self, path: &str) -> Seen {
        self.send(Method::GET, path, &[], &[]).await
    }

    /// As htmx asks for a part of a page.
    pub async fn fragment(&mut self, path: &str) -> Seen {
        self.send(
            Method::GET,
            path,
            &[],
            &[("HX-Request", "true"), ("HX-Request-Type", "partial")],
        )
        .await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Seen {
        self.send(
            Method::POST,
            path,
            form,
            &[("Sec-Fetch-Site", "same-origin")],
        )
        .await
    }

    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Seen {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.app)
        };
        let ours = url.starts_with(&self.app);
        let mut request = self.http.request(method.clone(), url);
        if method == Method::POST {
            request = request.form(form);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = self.cookie.as_ref().filter(|_| ours) {
            request = request.header(COOKIE, cookie);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        for set in headers.get_all(SET_COOKIE).iter().filter(|_| ours) {
            let set = set.to_str().expect("ASCII");
            let pair = set.split(';').next().expect("a cookie");
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        Seen {
            status,
            headers,
            body: response.text().await.expect("text"),
        }
    }

    /// Presses Connect and goes through the sandbox's consent page; returns the callback's address.
    pub async fn consent(&mut self, account: &str, decision: &str) -> String {
        self.consent_with("hubspot", &[], account, decision).await
    }

    pub async fn consent_with(
        &mut self,
        slug: &str,
        form: &[(&str, &str)],
        account: &str,
        decision: &str,
    ) -> String {
        let path = format!("/integrations/{slug}/authorize");
        let to_provider = self.post(&path, form).await;
        let consent = to_provider.location().to_owned();
        let form = [("account", account), ("decision", decision)];
        let back = self.send(Method::POST, &consent, &form, &[]).await;
        back.location().to_owned()
    }

    /// Presses Reconnect, approves this account, and returns the path of the page that follows.
    pub async fn reconnect(&mut self, form: &[(&str, &str)], account: &str) -> String {
        let callback = self.consent_with("hubspot", form, account, "approve").await;
        let seen = self.get(&callback).await;
        seen.location().to_owned()
    }

    /// Connects an account and returns the path of the connection's page.
    pub async fn connect(&mut self, account: &str) -> String {
        self.connect_to("hubspot", account).await
    }

    /// Connects an account of this provider.
    pub async fn connect_to(&mut self, slug: &str, account: &str) -> String {
        let callback = self.consent_with(slug, &[], account, "approve").await;
        let seen = self.get(&callback).await;
        assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.text());
        seen.location().to_owned()
    }

    /// Waits until the import of the connection at `path` has ended, and shows its page.
    pub async fn imported(&mut self, path: &str) -> Seen {
        let mut last = self.get(path).await;
        let long = std::time::Duration::from_secs(300);
        super::app::until_within(long, "the import has ended", async || {
            last = self.get(path).await;
            // A page with an import that is on asks again by itself.
            last.count(".run h2") > 0 && last.attribute("#progress", "hx-get").is_none()
        })
        .await;
        last
    }

    /// Every name in the list, page by page.
    pub async fn all_names(&mut self, path: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let page = self.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text());
            names.extend(page.texts("table.list .name:not(.c-account .name)"));
            next = page.attribute("a#more", "href");
        }
        names
    }
}
