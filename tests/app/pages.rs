//! What every page keeps to, whoever asks and however.

use reqwest::{Method, StatusCode};

use crate::support::addresses::addresses;
use crate::support::app::{App, Stores};
use crate::support::visitor::Visitor;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_policy_and_signed_in_pages_are_kept_nowhere() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    for path in ["/", "/items", &connection, "/nowhere", "/healthz"] {
        let seen = ada.get(path).await;
        assert_eq!(
            seen.header("content-security-policy"),
            Some(POLICY),
            "{path}"
        );
        assert_eq!(
            seen.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(
            seen.header("referrer-policy"),
            Some("strict-origin"),
            "{path}"
        );
        assert_eq!(seen.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(
            seen.header("cross-origin-opener-policy"),
            Some("same-origin"),
            "{path}"
        );
    }
    let page = ada.get("/").await;
    assert!(page.attribute("[style]", "style").is_none() && !page.body.contains("<script>"));
    let script = page.attribute("script", "src").expect("htmx");
    let seen = ada.get(&script).await;
    assert_eq!(
        seen.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_is_sent_to_the_start() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut eve = Visitor::of(&app.url);
    for path in [
        "/items",
        "/connections/1",
        "/integrations/hubspot/items",
        "/sessions",
    ] {
        let seen = eve.get(path).await;
        assert_eq!(
            (seen.status, seen.location()),
            (StatusCode::SEE_OTHER, "/"),
            "{path}"
        );
        let part = eve.fragment(path).await;
        assert_eq!(
            (part.status, part.header("hx-redirect")),
            (StatusCode::UNAUTHORIZED, Some("/")),
            "{path}"
        );
    }
    for path in ["/sign-out", "/integrations/hubspot/load"] {
        assert_eq!(eve.post(path, &[]).await.location(), "/", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_provider_is_not_there_for_anybody() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut eve = Visitor::of(&app.url);
    for path in [
        "/integrations/salesforce/items",
        "/integrations/notion/oauth2callback?state=x",
    ] {
        assert_eq!(eve.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [
        "/integrations/salesforce/authorize",
        "/integrations/notion/load",
    ] {
        assert_eq!(
            eve.post(path, &[]).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let nowhere = eve.get("/nowhere").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert_eq!(nowhere.texts("h1"), ["There is nothing here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_another_origin_changes_nothing() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("small").await;
    for header in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "https://evil.test"),
        ("Origin", "null"),
    ] {
        for path in [
            "/sign-out",
            "/appearance",
            "/integrations/hubspot/load",
            "/integrations/hubspot/authorize",
            "/integrations/x/load",
        ] {
            let seen = ada.send(Method::POST, path, &[], &[header]).await;
            assert_eq!(seen.status, StatusCode::FORBIDDEN, "{path} {header:?}");
        }
    }
    assert_eq!(
        ada.get("/items").await.status,
        StatusCode::OK,
        "still signed in"
    );
    let origin = app.url.clone();
    let seen = ada
        .send(Method::POST, "/sign-out", &[], &[("Origin", &origin)])
        .await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_sends_htmx_by_header_and_everybody_else_by_redirect() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let path = "/integrations/hubspot/authorize";
    let plain = ada.post(path, &[]).await;
    assert_eq!(plain.status, StatusCode::SEE_OTHER);
    assert!(plain.location().starts_with(&sandbox.url()));
    let htmx = ada
        .send(
            Method::POST,
            path,
            &[],
            &[("HX-Request", "true"), ("HX-Request-Type", "partial")],
        )
        .await;
    assert_eq!(htmx.status, StatusCode::OK);
    assert!(
        htmx.header("hx-redirect")
            .is_some_and(|url| url.starts_with(&sandbox.url()))
    );
}

/// A deferred htmx begins before an extension that is on its way, and the page then never hears of anything.
#[tokio::test(flavor = "multi_thread")]
async fn htmx_begins_when_its_extensions_have_come() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    let page = ada.get(&connection).await;
    let script = |name: &str| {
        let line = page.body.lines().find(|line| line.contains(name));
        line.expect("a script").contains("defer")
    };
    assert!(!script("htmx.min"));
    assert!(script("hx-sse.min"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_serves_the_page_and_its_part() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    for (path, part) in [
        ("/items", "tr"),
        (connection.as_str(), "#progress"),
        ("/", "#cards"),
    ] {
        let page = ada.get(path).await;
        assert!(page.body.contains("<!doctype html>"), "{path}");
        let fragment = ada.fragment(path).await;
        assert!(
            !fragment.body.contains("<!doctype html>")
                && fragment.body.contains(part.trim_start_matches('#')),
            "{path}"
        );
        for seen in [&page, &fragment] {
            assert!(
                seen.header("vary")
                    .is_some_and(|vary| vary.to_lowercase().contains("hx-request-type")),
                "{path}"
            );
        }
    }
    let missing = ada.fragment("/connections/999").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(
        !missing.body.contains("<!doctype html>") && missing.body.contains("There is nothing here")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_parameter_is_named() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("empty").await;
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=1&limit=2", "limit"),
        ("provider=salesforce", "provider"),
        ("connection=x", "connection"),
        ("cursor=x", "cursor"),
        ("type=table%20top", "type"),
        ("sort=size", "sort"),
        ("gone=2", "gone"),
        ("modified_since=soon", "modified_since"),
        ("parent=nobody", "parent"),
        ("q=a&q=b", "q"),
    ] {
        let seen = ada.get(&format!("/items?{query}")).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(
            seen.text().contains(&format!("“{name}”")),
            "{query}: {}",
            seen.text()
        );
    }
    assert_eq!(
        ada.get("/items?limit=&cursor=&sort=&q=&type=&parent=&gone=&modified_since=&unknown=1")
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_framework_refuses_is_a_page_too() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("empty").await;
    let large = "x".repeat(100_000);
    let seen = ada
        .post("/integrations/hubspot/load", &[("connection", &large)])
        .await;
    assert_eq!(seen.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(!seen.texts("h1").is_empty(), "{}", seen.body);
}

/// As somebody signed out has them: what they are sent away from takes them all the same.
#[tokio::test(flavor = "multi_thread")]
async fn every_address_says_which_methods_it_takes_and_takes_those_alone() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut eve = Visitor::of(&app.url);
    for address in addresses() {
        let path = address.replace("{provider}", "hubspot");
        let path = path.replace(['{', '}'], "").replace([':', '*', '+'], "");
        let ours = [("Sec-Fetch-Site", "same-origin")];
        let refused = eve.send(Method::PATCH, &path, &[], &ours).await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = refused.header("allow").expect("what it takes").to_owned();
        let allowed: Vec<&str> = allowed.split(", ").collect();
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
            let asked = Method::from_bytes(method.as_bytes()).expect("a method");
            let seen = eve.send(asked, &path, &[], &ours).await;
            let taken = seen.status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(taken, allowed.contains(&method), "{method} {path}");
        }
        let is_told = match path.starts_with("/api/") {
            true => refused.json()["code"] == "wrong_method",
            false => !refused.texts("h1").is_empty(),
        };
        assert!(is_told, "{path}: {}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_its_body() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut eve = Visitor::of(&app.url);
    for path in ["/", "/healthz", "/readyz"] {
        let seen = eve.send(Method::HEAD, path, &[], &[]).await;
        assert_eq!(
            (seen.status, seen.body.as_str()),
            (StatusCode::OK, ""),
            "{path}"
        );
    }
}
