//! The JSON API: what pages show, for programs.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::app::{App, Stores};
use crate::support::database::{execute_at, number_at, text_at};
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
    let mut bob = Visitor::of(&app.url);
    let another = bob.connect("small").await;
    let another = another.rsplit('/').next().expect("an id");
    for connection in ["x", "4711", another] {
        let path = format!("/api/v1/imports?connection={connection}");
        let bad = problem(&mut ada, &path, StatusCode::BAD_REQUEST).await;
        assert_eq!(
            (&bad["code"], &bad["parameter"]),
            (&"bad_parameter".into(), &"connection".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_imports_goes_on_with_its_own_list_and_with_no_other() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let (mut ada, mut bob) = (Visitor::of(&app.url), Visitor::of(&app.url));
    let connection = ada.connect("empty").await;
    ada.imported(&connection).await;
    bob.connect("small").await;
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
        INSERT INTO runs (connection_id, cause, \"full\", state, created_at, started_at, finished_at)
        SELECT 1, 'schedule', FALSE, 'done', i, 1780000000000, 1780000000000 FROM n";
    execute_at(&stores.settings[0].1, many).await;

    let id = connection.rsplit('/').next().expect("an id");
    let (all, one) = (
        "/api/v1/imports?",
        &format!("/api/v1/imports?connection={id}"),
    );
    let first = json(&ada.get(one).await);
    assert_eq!(first["imports"].as_array().map(Vec::len), Some(50));
    let cursor = first["next_cursor"].as_str().expect("there are more");
    let rest = json(&ada.get(&format!("{one}&cursor={cursor}")).await);
    assert_eq!(rest["imports"].as_array().map(Vec::len), Some(11));
    assert_eq!(rest["next_cursor"], Value::Null);
    let last = first["imports"][49]["id"].as_str().expect("an id");
    let wrong = [(one.as_str(), last), (all, cursor)];
    let mut refused = Vec::new();
    for (list, cursor) in wrong {
        refused.push(ada.get(&format!("{list}&cursor={cursor}")).await);
    }
    refused.push(bob.get(&format!("{all}cursor={cursor}")).await);
    for seen in refused {
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{}", seen.body);
        assert_eq!(json(&seen)["parameter"], "cursor");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_told_whole_with_its_record_as_it_came() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_provider("airtable", &stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to("airtable", "small").await;
    ada.imported(&connection).await;
    let all = json(&ada.get("/api/v1/items?limit=200").await);
    let of = |kind: &str| {
        let items = all["items"].as_array().expect("items");
        let item = items.iter().find(|item| item["type"] == kind);
        item.unwrap_or_else(|| panic!("a {kind}")).clone()
    };
    let path = |item: &Value| {
        let text = |name: &str| item[name].as_str().expect("a text").to_owned();
        format!(
            "/api/v1/items/{}/{}/{}?in={}",
            text("connection_id"),
            text("type"),
            text("id"),
            text("container")
        )
    };
    let record = of("record");
    assert_eq!(
        (&record["directory"], &record["visibility"]),
        (&false.into(), &true.into())
    );
    assert_eq!(record["mime_type"], Value::Null);
    let place = record["parent_path_or_name"].as_str().expect("a path");
    assert_eq!(place.split(" / ").count(), 2, "base and table: {place}");
    let whole = ada.get(&path(&record)).await;
    let raw = format!(
        "SELECT CAST(raw AS TEXT) FROM item_raws WHERE item_id =
            (SELECT id FROM items WHERE provider_id = '{}' AND container = '{}')",
        record["id"].as_str().expect("an id"),
        record["container"].as_str().expect("a container"),
    );
    let raw = text_at(&stores.settings[0].1, raw.leak()).await;
    assert!(
        whole
            .body
            .contains(&format!("\"raw\":{raw},\"children\":[]")),
        "{}",
        whole.body
    );
    for (name, value) in record.as_object().expect("an item") {
        assert_eq!(&json(&whole)[name], value);
    }

    let table = json(&ada.get(&path(&of("table"))).await);
    let children = table["children"].as_array().expect("children");
    assert!(!children.is_empty() && children.len() <= 200);
    assert!(
        children
            .iter()
            .all(|child| child["type"] == "record" && child["id"].is_string())
    );
    let id = connection.rsplit('/').next().expect("an id");
    for nothing in [
        "/api/v1/items/x/record/1".to_owned(),
        "/api/v1/items/99999999999999999999/record/1".to_owned(),
        format!("/api/v1/items/{id}/record/nothing"),
        format!("/api/v1/items/{id}/nothing/%00%2F..%2F"),
        format!("/api/v1/items/{id}/record"),
        path(&record).replace("in=", "in=another"),
    ] {
        let seen = ada.get(&nothing).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{nothing}");
        assert_eq!(json(&seen)["code"], "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_an_item_of_the_same_id_and_another_type_is_not_its_own() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    execute_at(
        &stores.settings[0].1,
        "UPDATE items SET parent_kind = 'company', parent_container = '', parent_id = '7' WHERE type = 'contact';
         INSERT INTO items (connection_id, container, type, provider_id, name, created_at, modified_at,
            fingerprint, seen_run) VALUES (1, '', 'company', '7', 'C', 1, 1, x'00', 1), (1, '', 'deal', '7', 'D', 1, 1, x'00', 1);
         INSERT INTO item_raws (item_id, raw) SELECT id, CAST('{}' AS BLOB) FROM items WHERE provider_id = '7'",
    )
    .await;
    let children = async |ada: &mut Visitor, kind: &str| {
        let whole = json(&ada.get(&format!("/api/v1/items/1/{kind}/7")).await);
        whole["children"].as_array().expect("children").len()
    };
    assert!(children(&mut ada, "company").await > 0);
    assert_eq!(children(&mut ada, "deal").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_are_good_for_their_own_workspace_and_list_alone() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let mut eve = Visitor::of(&app.url);
    eve.connect("empty").await;
    let list = json(&ada.get("/api/v1/items?limit=2").await);
    let list = list["next_cursor"]
        .as_str()
        .expect("there is more")
        .to_owned();
    let feed = json(&ada.get("/api/v1/changes?limit=2").await);
    let feed = feed["next_cursor"].as_str().expect("always").to_owned();
    let nonsense = "nonsense".to_owned();
    for (who, path, cursor) in [
        (&eve, "items", &list),
        (&eve, "changes", &feed),
        (&ada, "items", &feed),
        (&ada, "changes", &list),
        (&ada, "items?sort=name", &list),
        (&ada, "changes", &nonsense),
    ] {
        let sign = if path.contains('?') { '&' } else { '?' };
        let mut who = who.clone();
        let seen = who
            .get(&format!("/api/v1/{path}{sign}cursor={cursor}"))
            .await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(json(&seen)["parameter"], "cursor");
    }
    for (path, cursor) in [("items", &list), ("changes", &feed)] {
        let seen = ada.get(&format!("/api/v1/{path}?cursor={cursor}")).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_follows_the_changes_has_what_the_list_has() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let mut cursor = String::new();
    let mut copy = std::collections::BTreeMap::new();
    loop {
        let seen = ada
            .get(&format!("/api/v1/changes?limit=7&cursor={cursor}"))
            .await;
        let page = json(&seen);
        cursor = page["next_cursor"]
            .as_str()
            .expect("it is always there")
            .to_owned();
        let changes = page["changes"].as_array().expect("changes").clone();
        if changes.is_empty() {
            break;
        }
        for change in changes {
            assert_eq!(change["kind"], "added");
            assert!(change.get("connection_id").is_none() && change["seq"].is_i64());
            copy.insert(
                change["item"]["id"].to_string() + &change["item"]["type"].to_string(),
                change["item"].clone(),
            );
        }
    }
    let list = json(&ada.get("/api/v1/items?limit=200").await);
    let list = list["items"].as_array().expect("items");
    assert_eq!(copy.len(), list.len());
    assert!(
        list.iter()
            .all(|item| copy.values().any(|copied| copied == item))
    );

    ada.post(&format!("{connection}/disconnect"), &[]).await;
    let page = json(&ada.get(&format!("/api/v1/changes?cursor={cursor}")).await);
    let [removed] = page["changes"].as_array().expect("changes").as_slice() else {
        panic!("{page}");
    };
    assert_eq!(removed["kind"], "connection_removed");
    assert_eq!(
        removed["connection_id"],
        connection.rsplit('/').next().expect("an id")
    );
    assert!(removed.get("item").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_behind_which_changes_were_forgotten_is_gone() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let page = json(&ada.get("/api/v1/changes?limit=1").await);
    let path = format!(
        "/api/v1/changes?cursor={}",
        page["next_cursor"].as_str().expect("always")
    );
    assert_eq!(ada.get(&path).await.status, StatusCode::OK);
    let database = &stores.settings[0].1;
    // As the purge leaves it a month later.
    execute_at(
        database,
        "INSERT INTO changes_forgotten SELECT workspace_id, MAX(seq) - 1 FROM changes GROUP BY workspace_id;
         DELETE FROM changes WHERE seq < (SELECT MAX(seq) FROM changes)",
    )
    .await;
    assert_eq!(number_at(database, "SELECT COUNT(*) FROM changes").await, 1);
    let seen = ada.get(&path).await;
    assert_eq!(seen.status, StatusCode::GONE);
    assert_eq!(
        (&json(&seen)["code"], &json(&seen)["parameter"]),
        (&"cursor_too_old".into(), &"cursor".into())
    );
    let afresh = json(&ada.get("/api/v1/changes").await);
    assert_eq!(afresh["changes"].as_array().map(Vec::len), Some(1));
}
