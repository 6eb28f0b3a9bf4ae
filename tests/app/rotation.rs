//! Keys are rotated without losing anything, and never past a process that would lose everything.

use reqwest::StatusCode;
use tributary::vault::Key;

use crate::support::app::{App, Start, Stores, sandbox_for};
use crate::support::program::Host;
use crate::support::visitor::Visitor;

/// The program beside the application, on the same database.
fn program(stores: &Stores, keys: &str) -> Host {
    let mut host = Host::on_a_free_port();
    for (name, value) in &stores.settings {
        host = host.with(name, value);
    }
    host.with("TRIBUTARY_KEYS", keys)
}

async fn start(stores: &Stores, keys: &str, sandbox: &str) -> App {
    Start::on(stores)
        .with("TRIBUTARY_KEYS", keys)
        .hubspot_at(sandbox)
        .go()
        .await
}

async fn nothing_is_lost(stores: Stores) {
    let (old, new) = (
        Key::random().to_text().to_string(),
        Key::random().to_text().to_string(),
    );
    let first = Start::on(&stores).with("TRIBUTARY_KEYS", &old);
    let sandbox = sandbox_for(&[first.port()], |_| {});
    let app = first.hubspot_at(&sandbox.url()).go().await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;

    let both = format!("{new},{old}");
    let refused = program(&stores, &both).run(&["keys", "rotate"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("1 running Tributary"),
        "{}",
        refused.stderr
    );
    app.stop().await;

    let done = program(&stores, &both).run(&["keys", "rotate"]).await;
    assert_eq!(
        (done.code, done.stdout.concat().as_str()),
        (
            Some(0),
            "2 sealed anew, 0 were under the newest key already"
        )
    );
    let again = program(&stores, &both).run(&["keys", "rotate"]).await;
    assert_eq!(
        (again.code, again.stdout.concat().as_str()),
        (
            Some(0),
            "0 sealed anew, 2 were under the newest key already"
        )
    );

    // With the newest key alone: nobody is signed out, and the grant still renews.
    let app = start(&stores, &new, &sandbox.url()).await;
    let mut ada = ada.at(&app.url);
    assert_eq!(ada.get("/items").await.status, StatusCode::OK);
    ada.post("/integrations/hubspot/load", &[]).await;
    assert_eq!(
        ada.imported(&connection).await.texts(".run h2"),
        ["Import finished"]
    );
    app.stop().await;

    let lost = program(&stores, &old).run(&["keys", "rotate"]).await;
    assert_eq!(lost.code, Some(1), "the old key opens nothing any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_and_nothing_is_lost() {
    nothing_is_lost(Stores::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_on_postgres_and_nothing_is_lost() {
    nothing_is_lost(Stores::scaled().await).await;
}
