//! The document that the API gives of itself, held against its routes.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::app::{App, Stores};
use crate::support::visitor::Visitor;

const BELOW: &str = "/api/v1/";

/// The addresses of the API, as they stand in the table of addresses.
fn addresses() -> BTreeSet<String> {
    let table = include_str!("../../src/web/urls.rs");
    let spelled = table.lines().filter(|line| line.starts_with("pub const "));
    let address = |line: &str| line.split('"').nth(1).expect("an address").to_owned();
    spelled
        .map(address)
        .filter(|address| address.starts_with(BELOW))
        .collect()
}

async fn somebody() -> (Stores, tributary::sandbox::Sandbox, App, Visitor) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("empty").await;
    (stores, sandbox, app, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_the_api_is_in_the_document_and_no_other() {
    let (_stores, _sandbox, _app, mut ada) = somebody().await;
    let document = ada.get("/api/v1/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("paths");
    let told: BTreeSet<String> = paths.keys().cloned().collect();
    assert_eq!(told, addresses());
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("operations") {
            let answers = operation["responses"].as_object().expect("answers");
            for status in ["400", "401", "403", "429", "503"] {
                let problem = &answers[status]["content"]["application/problem+json"];
                assert!(problem.is_object(), "{method} {path}: {status}");
            }
            assert_eq!(answers.contains_key("404"), path.contains('{'), "{path}");
            assert_eq!(answers.contains_key("422"), method == "post", "{path}");
        }
    }
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    assert_eq!(schemes["cookie"]["name"], "tributary");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_in_the_document_is_told_which_are() {
    let (_stores, _sandbox, _app, mut ada) = somebody().await;
    let document = ada.get("/api/v1/openapi.json").await.json();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let path = path.replace(['{', '}'], "");
        let takes = |method: &str| operations.get(method).is_some_and(Value::is_object);
        for (method, name) in [
            (Method::GET, "get"),
            (Method::POST, "post"),
            (Method::PUT, "put"),
            (Method::DELETE, "delete"),
            (Method::PATCH, "patch"),
            (Method::OPTIONS, "options"),
        ] {
            let ours = [("Sec-Fetch-Site", "same-origin")];
            let seen = ada.send(method, &path, &[], &ours).await;
            let refused = seen.status == StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(refused, !takes(name), "{name} {path}: {}", seen.status);
            if refused {
                assert_eq!(seen.json()["code"], "wrong_method");
                let allowed = if takes("post") { "POST" } else { "GET, HEAD" };
                assert_eq!(seen.header("allow"), Some(allowed));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_for_whoever_may_ask_the_api() {
    let (_stores, _sandbox, app, _ada) = somebody().await;
    let seen = Visitor::of(&app.url).get("/api/v1/openapi.json").await;
    assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
}
