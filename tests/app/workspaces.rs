//! Nothing of one workspace is visible from another: every address that names something is walked, as it
//! stands in the table of addresses, so that a new one is covered without being listed here.

use reqwest::{Method, StatusCode};

use crate::support::addresses::addresses;
use crate::support::app::{App, Stores};
use crate::support::database::{number_at, text_at};
use crate::support::visitor::Visitor;

/// What stands between braces, and is not a file's name or a link that is its own secret.
fn names(address: &str) -> Vec<String> {
    let parts = address.split('{').skip(1);
    let name = |part: &str| part.split(['}', ':']).next().expect("a name").to_owned();
    let names = parts.map(name);
    names
        .filter(|name| !["provider", "hash", "name", "token", "format"].contains(&name.as_str()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_workspace_has_is_not_there_on_any_route() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    ada.post("/keys", &[("name", "Report"), ("scope", "read")])
        .await;
    let database = &stores.settings[0].1;
    let mut eve = Visitor::of(&app.url);
    eve.connect("empty").await;

    let mut walked = 0;
    for address in addresses() {
        let mut path = address
            .replace("{provider}", "hubspot")
            .replace(":.+}", "}");
        let named = names(&address);
        for name in &named {
            let table = match name.as_str() {
                "connection" => "connections",
                "identity" => "identities",
                "run" => "runs",
                "key" => "api_keys",
                "kind" | "item" => "items",
                other => panic!("{address}: say here whose ids {{{other}}} takes"),
            };
            // Ada came first.
            let column = match name.as_str() {
                "kind" => "type",
                "item" => "provider_id",
                _ => "id",
            };
            let first = format!(
                "SELECT CAST({column} AS TEXT) FROM {table} WHERE id = (SELECT MIN(id) FROM {table})"
            );
            let id = text_at(database, first.leak()).await;
            path = path.replace(&format!("{{{name}}}"), &id);
        }
        if named.is_empty() {
            continue;
        }
        walked += 1;
        let mut not_there = 0;
        for method in [Method::GET, Method::POST] {
            let seen = eve
                .send(
                    method.clone(),
                    &path,
                    &[],
                    &[("Sec-Fetch-Site", "same-origin")],
                )
                .await;
            let expected = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
            assert!(
                expected.contains(&seen.status),
                "{method} {path}: {}",
                seen.status
            );
            not_there += u32::from(seen.status == StatusCode::NOT_FOUND);
        }
        assert!(not_there > 0, "{path} takes neither GET nor POST");
    }
    assert!(walked >= 4, "the walk found the addresses");
    // Nor by parameters and forms.
    let id = connection.rsplit('/').next().expect("an id");
    let form = [("connection", id)];
    for path in [
        "/integrations/hubspot/load",
        "/integrations/hubspot/authorize",
    ] {
        assert_eq!(
            eve.post(path, &form).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let list = eve.get(&format!("/items?connection={id}")).await;
    assert_eq!(list.status, StatusCode::BAD_REQUEST);
    let further = ada.get("/items?limit=10").await;
    let further = further.attribute("a#more", "href").expect("a next page");
    let container = "SELECT CAST(MIN(parent_id) AS INTEGER) FROM items";
    let parent = number_at(database, container).await;
    for path in [further, format!("/items?parent={parent}")] {
        assert_eq!(ada.get(&path).await.status, StatusCode::OK, "{path}");
        let seen = eve.get(&path).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(eve.all_names("/items").await.len(), 0);
    assert_eq!(ada.get(&connection).await.status, StatusCode::OK);
}
