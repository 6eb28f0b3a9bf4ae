//! Exports: exactly what the filters leave, in every format, whole or visibly not.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use reqwest::StatusCode;
use reqwest::header::{COOKIE, HeaderMap};
use serde_json::Value;
use tributary::export::{Export, Format};
use tributary::item::Item;
use tributary::providers::{self, Providers};
use tributary::sandbox::Sandbox;
use tributary::store::{Filters, Sort, Store};

use crate::list::Dice;
use crate::store::{contact, importing, save};
use crate::support::app::{App, Start, Stores, sandbox_for};
use crate::support::database::{Database, execute, execute_at, number_at, on_both_databases};
use crate::support::program::Host;
use crate::support::visitor::Visitor;

on_both_databases! {
    who_stops_reading_holds_no_connection_to_the_database,
    a_failure_in_the_middle_is_an_error_and_no_end,
}

/// Somebody with an account of every provider, imported.
async fn somebody(stores: &Stores) -> (App, Sandbox, Visitor) {
    let mut start = Start::on(stores);
    let sandbox = sandbox_for(&[start.port()], |options| options.rate = Some(10_000));
    for slug in ["hubspot", "notion", "airtable"] {
        start = start.provider_at(slug, &sandbox.url());
    }
    let app = start.go().await;
    let mut ada = Visitor::of(&app.url);
    for slug in ["hubspot", "notion", "airtable"] {
        let connection = ada.connect_to(slug, "small").await;
        ada.imported(&connection).await;
    }
    (app, sandbox, ada)
}

/// What a download gave, and the bytes where it did not break off.
struct Download {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Option<Vec<u8>>,
}

impl Download {
    fn whole(self) -> Vec<u8> {
        assert_eq!(self.status, StatusCode::OK);
        self.bytes.expect("it did not break off")
    }
}

async fn download(who: &Visitor, path: &str) -> Download {
    let http = reqwest::Client::builder().no_proxy().build();
    let request = http.expect("a client").get(format!("{}{path}", who.app));
    let cookie = who.cookie.as_deref().unwrap_or_default();
    let answer = request.header(COOKIE, cookie).send().await;
    let answer = answer.expect("an answer");
    let (status, headers) = (answer.status(), answer.headers().clone());
    Download {
        status,
        headers,
        bytes: answer.bytes().await.ok().map(|bytes| bytes.to_vec()),
    }
}

/// The rows of a table as RFC 4180 writes them, behind the mark of its encoding.
fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let text = text.strip_prefix('\u{feff}').expect("it says its encoding");
    assert!(text.ends_with("\r\n"));
    let (mut rows, mut row, mut cell, mut quoted) = (vec![], vec![], String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, quoted) {
            ('"', true) if rest.peek() == Some(&'"') => cell.extend(rest.next()),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {
                assert_eq!(rest.next(), Some('\n'));
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (c, _) => cell.push(c),
        }
    }
    rows
}

/// An item as a table has it.
fn cells(item: &Value, columns: &[String]) -> Vec<String> {
    let cell = |name: &String| match &item[name] {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
            format!("'{text}")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    columns.iter().map(cell).collect()
}

/// The list to its end by cursor, as programs walk it.
async fn walk(ada: &mut Visitor, query: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/items?{query}&limit={limit}&cursor={cursor}");
        let seen = ada.get(&path).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}: {}", seen.body);
        let mut page = seen.json();
        items.append(page["items"].as_array_mut().expect("items"));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return items,
        }
    }
}

fn question(dice: &mut Dice, parents: &[String]) -> String {
    let mut query = Vec::new();
    let mut maybe = |dice: &mut Dice, name: &str, values: &[&str]| {
        if dice.roll(3) == 0 {
            query.push(format!("{name}={}", dice.pick(values)));
        }
    };
    maybe(dice, "provider", &["hubspot", "notion", "airtable"]);
    maybe(dice, "connection", &["1", "2", "3"]);
    maybe(
        dice,
        "type",
        &["contact", "company", "page", "table", "record"],
    );
    maybe(dice, "q", &["a", "e", "an", "o+r", "zzz"]);
    maybe(
        dice,
        "modified_since",
        &["2020-01-01", "2025-06-01T00:00:00Z"],
    );
    maybe(dice, "gone", &["1"]);
    maybe(
        dice,
        "sort",
        &["name", "-name", "created", "-created", "modified"],
    );
    if dice.roll(4) == 0 {
        query = vec![format!("parent={}", dice.pick(parents))];
    }
    query.join("&")
}

/// Random views of the list, each by cursor and in every format.
async fn every_format_agrees_with_the_walk(ada: &mut Visitor, questions: usize) {
    let all = walk(ada, "", 200).await;
    assert!(all.len() > 30, "{} items", all.len());
    let parents = all.iter().filter_map(|item| item["parent_id"].as_str());
    let parents: Vec<String> = parents.map(str::to_owned).collect();
    let mut dice = Dice(11);
    for _ in 0..questions {
        let query = question(&mut dice, &parents);
        let items = walk(ada, &query, *dice.pick(&[7, 50, 200])).await;
        let export = async |format: &str| {
            // Which part of the list is not asked, and not even looked at.
            let path = format!("/items.{format}?{query}&limit=none&cursor=x");
            download(ada, &path).await.whole()
        };
        let json: Value = serde_json::from_slice(&export("json").await).expect("JSON");
        assert_eq!(json["items"].as_array(), Some(&items), "{query}");
        assert_eq!(json["next_cursor"], Value::Null);
        let lines = String::from_utf8(export("ndjson").await).expect("UTF-8");
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines, items, "{query}");
        let table = rows(&export("csv").await);
        let (columns, table) = table.split_first().expect("a head");
        let expected: Vec<_> = items.iter().map(|item| cells(item, columns)).collect();
        assert_eq!(table, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_what_the_walk_gives_on_sqlite() {
    let stores = Stores::embedded();
    let (_app, _sandbox, mut ada) = somebody(&stores).await;
    every_format_agrees_with_the_walk(&mut ada, 25).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_what_the_walk_gives_on_postgresql() {
    let stores = Stores::scaled().await;
    let (_app, _sandbox, mut ada) = somebody(&stores).await;
    every_format_agrees_with_the_walk(&mut ada, 25).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_says_what_it_is_keeps_formulas_from_firing_and_is_noted() {
    let stores = Stores::embedded();
    let (_app, _sandbox, mut ada) = somebody(&stores).await;
    let database = &stores.settings[0].1;
    execute_at(
        database,
        "UPDATE items SET name = '=HYPERLINK(\"http://x\",\"y\")' WHERE id = (SELECT MIN(id) FROM items)",
    )
    .await;
    for (format, kind) in [
        ("csv", "text/csv; charset=utf-8"),
        ("ndjson", "application/x-ndjson"),
        ("json", "application/json"),
    ] {
        let file = download(
            &ada,
            &format!("/items.{format}?provider=hubspot&type=contact"),
        )
        .await;
        let header = |name: &str| file.headers[name].to_str().expect("ASCII").to_owned();
        assert_eq!(header("content-type"), kind);
        let named = header("content-disposition");
        assert!(
            named.starts_with("attachment; filename=\"tributary-hubspot-contact-20"),
            "{named}"
        );
        assert!(named.ends_with(&format!(".{format}\"")), "{named}");
    }
    let table = rows(&download(&ada, "/items.csv").await.whole());
    let name = table[0]
        .iter()
        .position(|name| name == "name")
        .expect("names");
    assert!(
        table
            .iter()
            .any(|row| row[name] == "'=HYPERLINK(\"http://x\",\"y\")"),
        "a formula is text"
    );
    let starts = |row: &Vec<String>| {
        row.iter()
            .any(|cell| cell.starts_with(['=', '+', '-', '@']))
    };
    assert!(!table.iter().any(starts));
    let noted = ada.get("/audit").await.text();
    assert!(
        noted.contains("exported tributary-hubspot-contact-20"),
        "{noted}"
    );
    let head = ada
        .send(reqwest::Method::HEAD, "/items.csv", &[], &[])
        .await;
    assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
    // To look is not to take.
    let exports = ada.get("/audit").await.text().matches("exported").count();
    assert_eq!(exports, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_offers_its_exports_with_the_filters_that_are_on() {
    let stores = Stores::embedded();
    let (app, _sandbox, mut ada) = somebody(&stores).await;
    let page = ada.get("/items?type=contact&q=a&limit=5").await;
    let links = page.attributes(".exports a", "href");
    let wanted = ["csv", "ndjson", "json"].map(|it| format!("/items.{it}?type=contact&q=a"));
    assert_eq!(links, wanted);
    let mut nobody = Visitor::of(&app.url);
    assert_eq!(nobody.get("/items.csv").await.status, StatusCode::SEE_OTHER);
    for (path, status) in [
        ("/items.xml", StatusCode::NOT_FOUND),
        ("/items.csv?sort=size", StatusCode::BAD_REQUEST),
        ("/items.csv?parent=nobody", StatusCode::BAD_REQUEST),
        ("/items.csv?connection=4711", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(ada.get(path).await.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_cannot_be_finished_is_broken_off() {
    let stores = Stores::embedded();
    let (_app, _sandbox, ada) = somebody(&stores).await;
    let database = &stores.settings[0].1;
    // Far down the list stands something that cannot be read.
    execute_at(
        database,
        "INSERT INTO items (connection_id, container, type, provider_id, name, created_at, modified_at,
            fingerprint, seen_run, sort_name)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         SELECT 1, '', 'contact', 'x' || i, CASE i WHEN 3 THEN x'ff' ELSE 'Name ' || i END, i, i,
            x'00', 1, 'name ' || i FROM n;
         UPDATE item_counts SET n = n + 5000 WHERE connection_id = 1 AND type = 'contact'",
    )
    .await;
    for format in ["csv", "ndjson", "json"] {
        let file = download(&ada, &format!("/items.{format}")).await;
        assert_eq!(file.status, StatusCode::OK, "it began");
        assert!(file.bytes.is_none(), "{format} ended as if it were whole");
        let part = format!("/items.{format}?modified_since=2000-01-01");
        assert!(download(&ada, &part).await.bytes.is_some());
    }
}

/// Enough for several pages.
async fn exports(at: &Database) -> (Arc<Store>, impl AsyncFn() -> Export) {
    let store = Arc::new(at.open().await);
    let (connection, run) = importing(&store, "h/hubspot/1").await;
    let page: Vec<Item> = (0..3_500).map(contact).collect();
    save(&store, connection, run, &page).await;
    let begin = {
        let store = Arc::clone(&store);
        async move || {
            let providers = Providers::new(providers::ALL, Vec::new());
            let connection = store.any_connection(connection).await.expect("an answer");
            let all = vec![connection.expect("it is there")];
            let filters = Filters {
                connections: vec![all[0].id],
                ..Filters::default()
            };
            let sort = Sort::default();
            let export =
                Export::begin(&store, &providers, all, filters, sort, Format::Ndjson).await;
            export.expect("it begins")
        }
    };
    (store, begin)
}

async fn who_stops_reading_holds_no_connection_to_the_database(at: Database) {
    let (store, begin) = exports(&at).await;
    let mut stopped = Vec::new();
    // More than there are connections.
    for _ in 0..20 {
        let mut chunks = Box::pin(begin().await.chunks());
        chunks.next().await.expect("a chunk").expect("bytes");
        // Asks for the next page, and never again.
        assert!(chunks.next().now_or_never().is_none());
        stopped.push(chunks);
    }
    store.ping().await.expect("there is a connection left");
    // And whoever reads on has missed nothing.
    for mut chunks in stopped {
        let mut lines = 1_000;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.expect("bytes");
            lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        }
        assert_eq!(lines, 3_500);
    }
}

async fn a_failure_in_the_middle_is_an_error_and_no_end(at: Database) {
    let (store, begin) = exports(&at).await;
    let mut chunks = Box::pin(begin().await.chunks());
    chunks.next().await.expect("a chunk").expect("bytes");
    execute(
        store.writer(),
        "ALTER TABLE item_counts RENAME TO elsewhere",
    )
    .await;
    assert!(chunks.next().await.expect("not the end").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_writes_what_the_page_does() {
    let stores = Stores::embedded();
    let (_app, _sandbox, ada) = somebody(&stores).await;
    let host = Host::new().with("DATABASE_URL", &stores.settings[0].1);
    let export = async |arguments: &[&str]| {
        let all = [&["export"], arguments].concat();
        host.run(&all).await
    };
    for (query, flags) in [
        ("", &[][..]),
        (
            "type=contact&q=a&sort=-name",
            &["--type", "contact", "--q", "a", "--sort", "-name"],
        ),
        (
            "provider=notion&gone=1&modified_since=2020-01-01",
            &[
                "--provider",
                "notion",
                "--gone",
                "--modified-since",
                "2020-01-01",
            ],
        ),
    ] {
        let page = download(&ada, &format!("/items.ndjson?{query}"))
            .await
            .whole();
        let page = String::from_utf8(page).expect("UTF-8");
        let ended = export(&[&["--format", "ndjson"], flags].concat()).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stdout, page.lines().collect::<Vec<_>>(), "{query}");
        assert_eq!(ended.stderr, "", "silent in a pipe");
    }
    let ended = export(&["--format", "csv", "--output", "all.csv"]).await;
    assert_eq!(
        (ended.code, ended.stdout.len()),
        (Some(0), 0),
        "{}",
        ended.stderr
    );
    let file = std::fs::read(host.work().join("all.csv")).expect("a file");
    assert_eq!(
        rows(&file),
        rows(&download(&ada, "/items.csv").await.whole())
    );
    assert_eq!(host.files(), ["all.csv"]);
    let noted = number_at(
        &stores.settings[0].1,
        "SELECT COUNT(*) FROM audit WHERE deed = 'exported' AND user_id IS NULL",
    );
    assert_eq!(noted.await, 4);
    for (flags, said) in [
        (&["--sort", "size"][..], "sort"),
        (&["--workspace", "nobody's"], "--workspace"),
        (&["--parent", "nobody"], "parent"),
    ] {
        let ended = export(&[&["--format", "json"], flags].concat()).await;
        assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0));
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_asks_which_workspace_where_there_are_several_and_makes_no_database() {
    let host = Host::new();
    let ended = host.run(&["export", "--format", "csv"]).await;
    assert_eq!((ended.code, ended.stdout.len()), (Some(1), 0));
    assert!(ended.stderr.contains("DATABASE_URL"), "{}", ended.stderr);
    assert_eq!(host.files(), [""; 0]);

    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    for account in ["small", "empty"] {
        let mut visitor = Visitor::of(&app.url);
        let connection = visitor.connect(account).await;
        visitor.imported(&connection).await;
    }
    let host = Host::new().with("DATABASE_URL", &stores.settings[0].1);
    let ended = host.run(&["export", "--format", "ndjson"]).await;
    assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0));
    assert!(ended.stderr.contains("--workspace"), "{}", ended.stderr);
    let of = async |id: &str| {
        let arguments = ["export", "--format", "ndjson", "--workspace", id];
        let ended = host.run(&arguments).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout.len()
    };
    assert!(of("1").await > 0);
    assert_eq!(of("2").await, 0, "each has its own");
}
