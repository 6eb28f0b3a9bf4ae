//! The JSON API: what pages show, for programs.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::app::{App, Stores};
use crate::support::visitor::{Seen, Visitor};

fn json(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).unwrap_or_else(|error| panic!("{error}: {}", seen.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_and_its_import_are_told_to_programs() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("empty").await;
    ada.imported(&connection).await;
    let id = connection.rsplit('/').next().expect("an id");

    let all = json(&ada.get("/api/v1/connections").await);
    let one = &all["connections"][0];
    assert_eq!(
        (&one["id"], &one["provider"]),
        (&id.into(), &"hubspot".into())
    );
    assert_eq!(one["account"]["id"], "147900121");
    assert_eq!(
        (&one["state"], &one["items"]),
        (&"connected".into(), &0.into())
    );
    assert_eq!(
        one["missing_scopes"],
        serde_json::json!(["crm.objects.deals.read"])
    );
    assert!(
        one["created_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
    assert!(one.get("lapses_at").is_some() && one.get("next_import_at").is_some());

    let imports = json(&ada.get(&format!("/api/v1/imports?connection={id}")).await);
    assert_eq!(imports["next_cursor"], Value::Null);
    let run = &imports["imports"][0];
    assert_eq!(
        (&run["state"], &run["cause"]),
        (&"partial".into(), &"connect".into())
    );
    assert_eq!(run["error"]["code"], "not_allowed");
    let path = format!("/api/v1/imports/{}", run["id"].as_str().expect("an id"));
    let report = json(&ada.get(&path).await);
    let of = |name: &str| {
        let lists = report["streams"].as_array().expect("lists");
        let list = lists.iter().find(|list| list["name"] == name);
        list.unwrap_or_else(|| panic!("{name} in {lists:?}"))
            .clone()
    };
    assert_eq!(of("contacts")["coverage"], "complete");
    assert_eq!(of("deals")["coverage"], "partial");
    assert!(
        of("deals")["reason"]
            .as_str()
            .is_some_and(|why| why.contains("deals.read"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_as_a_problem() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut nobody = Visitor::of(&app.url);
    let problem = async |visitor: &mut Visitor, path: &str, status: StatusCode| {
        let seen = visitor.get(path).await;
        assert_eq!(seen.status, status, "{}", seen.body);
        assert_eq!(
            seen.header("content-type"),
            Some("application/problem+json")
        );
        let problem = json(&seen);
        assert_eq!(problem["status"], status.as_u16());
        problem
    };
    for path in [
        "/api/v1/connections",
        "/api/v1/imports",
        "/api/v1/imports/1",
    ] {
        let told = problem(&mut nobody, path, StatusCode::UNAUTHORIZED).await;
        assert_eq!(told["code"], "signed_out");
    }
    let mut ada = Visitor::of(&app.url);
    ada.connect("empty").await;
    let missing = problem(&mut ada, "/api/v1/imports/4711", StatusCode::NOT_FOUND).await;
    assert_eq!(missing["code"], "not_found");
    problem(&mut ada, "/api/v1/nothing", StatusCode::NOT_FOUND).await;
    let path = "/api/v1/imports?connection=x";
    let bad = problem(&mut ada, path, StatusCode::BAD_REQUEST).await;
    assert_eq!(
        (&bad["code"], &bad["parameter"]),
        (&"bad_parameter".into(), &"connection".into())
    );
}
