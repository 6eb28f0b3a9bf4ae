//! Disconnecting: out of sight at once, forgotten, revoked where that harms nobody, and told.

use reqwest::StatusCode;

use crate::support::app::{App, Stores, until};
use crate::support::database::number_at;
use crate::support::visitor::{Seen, Visitor};

async fn disconnect(visitor: &mut Visitor, connection: &str) -> Seen {
    let receipt = visitor.post(&format!("{connection}/disconnect"), &[]).await;
    assert_eq!(receipt.status, StatusCode::OK, "{}", receipt.text());
    receipt
}

async fn leaves_nothing(stores: Stores) {
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let receipt = disconnect(&mut ada, &connection).await;
    assert!(
        receipt.text().contains("156 items removed"),
        "{}",
        receipt.text()
    );
    assert!(
        receipt.text().contains("confirms that it is good no more"),
        "{}",
        receipt.text()
    );

    assert_eq!(ada.get(&connection).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ada.all_names("/items").await.len(), 0);
    assert_eq!(ada.get("/").await.texts("main button"), ["Connect HubSpot"]);
    assert_eq!(
        ada.post(&format!("{connection}/disconnect"), &[])
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    for table in [
        "items",
        "item_raws",
        "item_counts",
        "item_weeks",
        "runs",
        "connections",
        "grants",
    ] {
        until("everything is erased", async || {
            number_at(
                &stores.settings[0].1,
                &format!("SELECT COUNT(*) FROM {table}"),
            )
            .await
                == 0
        })
        .await;
    }

    // Connecting again begins anew.
    let again = ada.connect("small").await;
    assert_ne!(again, connection);
    assert_eq!(ada.imported(&again).await.count_of(".sum b"), 156);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnected_account_leaves_nothing_behind() {
    leaves_nothing(Stores::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_and_redis_are_left_as_clean() {
    leaves_nothing(Stores::scaled().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_another_workspace_uses_is_not_revoked() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut noor = Visitor::of(&app.url);
    let theirs = noor.connect("empty").await;
    noor.connect("small").await;
    let mut mara = Visitor::of(&app.url);
    let hers = mara.connect("small").await;
    mara.imported(&hers).await;
    assert_ne!(theirs, hers);
    let receipt = disconnect(&mut mara, &hers).await;
    assert!(
        receipt
            .text()
            .contains("another connection here uses the same account"),
        "{}",
        receipt.text()
    );
    sandbox.expire_access_tokens();
    noor.post("/integrations/hubspot/load", &[]).await;
    let dashboard = noor.get("/").await;
    assert!(
        !dashboard
            .texts("main button")
            .contains(&"Reconnect".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_done_here_when_the_provider_is_down_and_says_what_was_not_confirmed() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    sandbox.stop().await;
    let receipt = disconnect(&mut ada, &connection).await;
    assert!(
        receipt.text().contains("did not confirm"),
        "{}",
        receipt.text()
    );
    assert_eq!(ada.get(&connection).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_ends_with_its_connection() {
    let stores = Stores::embedded();
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
    disconnect(&mut ada, &connection).await;
    let database = &stores.settings[0].1;
    until("everything is erased", async || {
        number_at(database, "SELECT COUNT(*) FROM connections").await == 0
    })
    .await;
    assert_eq!(number_at(database, "SELECT COUNT(*) FROM items").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_disconnects_what_is_not_theirs() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    let path = format!("{connection}/disconnect");
    let mut noor = Visitor::of(&app.url);
    assert_eq!(noor.post(&path, &[]).await.location(), "/", "signed out");
    noor.connect("empty").await;
    assert_eq!(noor.post(&path, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ada.get(&connection).await.status, StatusCode::OK);
}
