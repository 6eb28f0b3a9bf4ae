//! An import brings everything, once, whatever happens meanwhile.

use std::collections::HashSet;

use reqwest::StatusCode;

use crate::support::app::{App, Start, Stores, until};
use crate::support::visitor::Visitor;

/// Every item's id at the provider, as it stands in the list's links.
async fn ids(visitor: &mut Visitor) -> Vec<String> {
    let mut ids = Vec::new();
    let mut next = Some("/items?limit=200".to_owned());
    while let Some(path) = next {
        let page = visitor.get(&path).await;
        ids.extend(
            page.attributes("table.list a.out", "href")
                .into_iter()
                .filter_map(|url| url.rsplit_once("/record/").map(|(_, id)| id.to_owned())),
        );
        next = page.attribute("a#more", "href");
    }
    ids
}

async fn brings_each_contact_once(stores: Stores, contacts: u32) {
    let (app, sandbox) = App::with_sandbox_of(&stores, |options| {
        options.contacts = Some(contacts);
        options.rate = Some(10_000);
    })
    .await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("10k").await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    let ids = ids(&mut ada).await;
    // The sandbox has a company for five contacts and a deal for ten.
    let kinds = [contacts, contacts / 5, contacts / 10];
    let all = kinds.iter().sum::<u32>() as usize;
    assert_eq!(ids.len(), all);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), all);
    // One call for each page, those that say whose account it is, and those that look for the first
    // company of who has very many.
    let pages = kinds.map(|kind| u64::from(kind.div_ceil(100).max(1)));
    let pages: u64 = pages.iter().sum();
    assert!(
        sandbox.calls() <= pages + 5,
        "{} calls for {pages} pages",
        sandbox.calls()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_brings_each_contact_once_at_every_size() {
    for contacts in [0, 1, 100, 101, 2_350] {
        brings_each_contact_once(Stores::embedded(), contacts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_and_redis_hold_each_contact_once_too() {
    brings_each_contact_once(Stores::scaled().await, 2_350).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_stopped_goes_on_at_the_next_start() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox_of(&stores, |options| {
        options.contacts = Some(20_000);
        options.rate = Some(10_000);
    })
    .await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("10k").await;
    until("some contacts are there", async || {
        ada.get(&connection).await.count_of(".sum b") > 0
    })
    .await;
    app.stop().await;

    let app = Start::on(&stores).hubspot_at(&sandbox.url()).go().await;
    let mut ada = ada.at(&app.url);
    let before = ada.get(&connection).await.count_of(".sum b");
    assert!(
        before < 26_000,
        "the import was over before it could be stopped"
    );
    let page = ada.imported(&connection).await;
    assert_eq!(page.count_of(".sum b"), 26_000);
    assert_eq!(
        page.texts(".figures dd")[0],
        "26,000",
        "added over both halves"
    );
    // Two hundred and sixty pages, whose account, the three pages that were on their way, and those that
    // look for the first company of who has very many.
    assert!(sandbox.calls() <= 260 + 8, "{} calls", sandbox.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_faults_is_read_whole() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("faults").await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    assert_eq!(page.count_of(".sum b"), 2_600);
    assert!(sandbox.calls() <= 60, "{} calls", sandbox.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_again_changes_nothing_that_has_not_changed() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let id = connection.rsplit_once('/').expect("an id").1.to_owned();
    let seen = ada
        .post("/integrations/hubspot/load", &[("connection", &id)])
        .await;
    assert_eq!(
        (seen.status, seen.location()),
        (StatusCode::SEE_OTHER, connection.as_str())
    );
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".figures dd")[..3], ["0", "0", "0"]);
    assert_eq!(page.count_of(".sum b"), 156);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_renewed_once_and_nobody_notices() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    sandbox.expire_access_tokens();
    ada.post("/integrations/hubspot/load", &[]).await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    assert_eq!(sandbox.token_requests(), 2, "one exchange and one refresh");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_ended_is_said_in_words_and_keeps_the_items() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    sandbox.revoke_all();
    ada.post("/integrations/hubspot/load", &[]).await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import failed"]);
    assert!(
        page.text().contains("HubSpot has ended this approval"),
        "{}",
        page.text()
    );
    assert!(page.texts("main button").contains(&"Reconnect".to_owned()));
    assert_eq!(page.count_of(".sum b"), 156);
    let dashboard = ada.get("/").await;
    assert!(
        dashboard
            .texts("main button")
            .contains(&"Reconnect".to_owned())
    );
    assert!(dashboard.text().contains("Import failed"));

    assert_eq!(
        ada.connect("small").await,
        connection,
        "the same connection works again"
    );
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    assert!(!page.texts("main button").contains(&"Reconnect".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_credentials_a_provider_is_still_shown() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    app.stop().await;
    let app = Start::on(&stores).go().await;
    let mut ada = ada.at(&app.url);
    assert_eq!(ada.all_names("/items").await.len(), 156);
    let page = ada.get(&connection).await;
    assert_eq!(page.count_of(".sum b"), 156);
    assert_eq!(
        page.texts("main button"),
        ["Save", "Disconnect"],
        "nothing can be imported"
    );
    assert!(ada.get("/").await.text().contains("Small Office"));
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_are_shown_as_text_and_by_the_next_best_rule() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let names = ada.all_names("/items").await;
    assert!(
        names
            .iter()
            .any(|name| name.contains("<script>alert(1)</script>")),
        "{names:?}"
    );
    assert!(names.iter().any(|name| name.contains("onerror=alert(1)")));
    assert!(
        names.iter().any(|name| name.starts_with("Contact 9")),
        "a contact with nothing has its id"
    );
    assert!(
        names
            .iter()
            .all(|name| !name.is_empty() && name.chars().count() <= 1_000)
    );
    let page = ada.get("/items?limit=200").await;
    assert_eq!(
        page.attributes("main script, main img", "src"),
        Vec::<String>::new()
    );
    let ids = ids(&mut ada).await;
    assert!(
        ids.iter().any(|id| id == "0-1/9007199254740993"),
        "an id beyond what a float holds"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_import_ends_keeps_what_it_has_and_can_be_begun_again() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox_of(&stores, |options| {
        options.contacts = Some(20_000);
        options.rate = Some(10_000);
    })
    .await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("10k").await;
    let mut cancel = None;
    until("some contacts are there", async || {
        let page = ada.get(&connection).await;
        cancel = page.attribute(".run-head form", "action");
        page.count_of(".sum b") > 0
    })
    .await;
    let seen = ada.post(&cancel.expect("a button"), &[]).await;
    let page = ada.get(seen.location()).await;
    assert_eq!(page.texts("h1"), ["Import cancelled"]);
    // Whoever drives it notices before long, and asks no more.
    let mut calls = sandbox.calls();
    until("nothing is asked any more", async || {
        let before = std::mem::replace(&mut calls, sandbox.calls());
        before == calls
    })
    .await;
    let kept = ada.get(&connection).await.count_of(".sum b");
    assert!(kept > 0 && kept < 26_000, "{kept}");
    let id = connection.rsplit('/').next().expect("an id").to_owned();
    ada.post(
        "/integrations/hubspot/load",
        &[("connection", &id), ("full", "1")],
    )
    .await;
    assert_eq!(ada.imported(&connection).await.count_of(".sum b"), 26_000);
}
