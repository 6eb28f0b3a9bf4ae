//! A store that is away: a clear answer in time, and then all goes on.

use reqwest::StatusCode;

use crate::support::app::{App, Start, Stores, until};
use crate::support::services::{Forwarder, postgres_database};
use crate::support::visitor::{Seen, Visitor};

fn says_away(seen: &Seen) {
    assert_eq!(
        seen.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        seen.body
    );
    assert!(seen.header("retry-after").is_some());
    assert!(seen.header("content-security-policy").is_some());
    assert!(seen.body.contains("Try again"), "{}", seen.body);
}

async fn needs_no_store(visitor: &mut Visitor, stylesheet: &str) {
    for path in ["/healthz", stylesheet] {
        assert_eq!(visitor.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_pages_say_so_and_come_back_with_it() {
    let mut stores = Stores::scaled().await;
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let stylesheet = ada
        .get("/")
        .await
        .attribute("link[rel=stylesheet]", "href")
        .expect("a stylesheet");
    let redis = stores.redis.as_mut().expect("a Redis");

    redis.stop();
    says_away(&ada.get("/items").await);
    says_away(&ada.post("/integrations/hubspot/authorize", &[]).await);
    let ready = ada.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.body.trim()),
        (StatusCode::SERVICE_UNAVAILABLE, "away: ephemeral store")
    );
    needs_no_store(&mut ada, &stylesheet).await;

    redis.again().await;
    until("it is ready again", async || {
        ada.get("/readyz").await.status == StatusCode::OK
    })
    .await;
    // Redis has forgotten the session; signing in again finds everything as it was.
    assert_eq!(ada.get("/items").await.status, StatusCode::SEE_OTHER);
    assert_eq!(ada.connect("small").await, connection);
    assert_eq!(ada.all_names("/items").await.len(), 156);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_never_answers_is_away_and_not_waited_for() {
    let mut stores = Stores::scaled().await;
    let mut way = Forwarder::to(&postgres_database().await).await;
    stores.settings[0].1 = way.url().to_owned();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let stylesheet = ada
        .get("/")
        .await
        .attribute("link[rel=stylesheet]", "href")
        .expect("a stylesheet");

    way.hold();
    says_away(&ada.get("/items").await);
    let ready = ada.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.body.trim()),
        (StatusCode::SERVICE_UNAVAILABLE, "away: database")
    );
    needs_no_store(&mut ada, &stylesheet).await;

    way.let_through();
    until("it is ready again", async || {
        ada.get("/readyz").await.status == StatusCode::OK
    })
    .await;
    assert_eq!(ada.all_names("/items").await.len(), 156);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_when_its_database_is_back() {
    let mut stores = Stores::scaled().await;
    let mut way = Forwarder::to(&postgres_database().await).await;
    stores.settings[0].1 = way.url().to_owned();
    let (app, _sandbox) = App::with_sandbox_of(&stores, |options| {
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
    way.cut();
    until("it is ready again", async || {
        ada.get("/readyz").await.status == StatusCode::OK
    })
    .await;
    assert_eq!(ada.imported(&connection).await.count_of(".sum b"), 26_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_takes_over_what_the_first_leaves() {
    let stores = Stores::scaled().await;
    let (one, sandbox) = App::with_sandbox_of(&stores, |options| {
        options.contacts = Some(20_000);
        options.rate = Some(10_000);
    })
    .await;
    let two = Start::on(&stores)
        .beside(&one)
        .hubspot_at(&sandbox.url())
        .go()
        .await;
    let mut ada = Visitor::of(&one.url);
    let connection = ada.connect("10k").await;
    until("some contacts are there", async || {
        ada.get(&connection).await.count_of(".sum b") > 0
    })
    .await;
    one.stop().await;
    assert_eq!(
        ada.at(&two.url)
            .imported(&connection)
            .await
            .count_of(".sum b"),
        26_000
    );
    assert!(sandbox.calls() <= 260 + 8, "{} calls", sandbox.calls());
}
