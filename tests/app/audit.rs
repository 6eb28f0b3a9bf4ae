//! Who did what is written down with what was done, and shown to the workspace it was done in.

use reqwest::StatusCode;

use crate::support::app::{App, Stores, until};
use crate::support::database::execute_at;
use crate::support::visitor::Visitor;

fn deeds(page: &crate::support::visitor::Seen) -> Vec<String> {
    let rows = page.texts("tbody tr:not(.more) .c-deed");
    rows.into_iter().rev().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_workspace_is_written_down_and_shown_to_it_alone() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    sandbox.revoke_all();
    let form = [("connection", connection.rsplit('/').next().expect("an id"))];
    ada.post("/integrations/hubspot/load", &form).await;
    until("the approval is lost", async || {
        ada.get(&connection)
            .await
            .text()
            .contains("has ended this approval")
    })
    .await;
    ada.reconnect(&form, "small").await;
    ada.post("/sign-out", &[]).await;
    ada.connect("small").await;
    ada.post(&format!("{connection}/disconnect"), &[]).await;

    let mut noor = Visitor::of(&app.url);
    noor.connect("empty").await;
    let page = ada.get("/audit").await;
    assert_eq!(
        deeds(&page),
        [
            "signed in",
            "connected HubSpot Small Office",
            "ended the approval of Small Office",
            "approved HubSpot Small Office again",
            "signed out",
            "signed in",
            "approved HubSpot Small Office again",
            "disconnected HubSpot Small Office",
        ]
    );
    assert!(page.text().contains("kept for a year"));
    assert_eq!(noor.get("/audit").await.count("tbody tr:not(.more)"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_trail_is_read_page_by_page_to_its_end() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("empty").await;
    let many = "INSERT INTO audit (workspace_id, at, deed)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 118)
        SELECT 1, 1, 'signed_out' FROM n";
    execute_at(&stores.settings[0].1, many).await;
    let (mut path, mut rows) = (Some("/audit".to_owned()), 0);
    while let Some(next) = path {
        let page = ada.get(&next).await;
        rows += page.count("tbody tr:not(.more)");
        path = page.attribute("a#more", "href");
    }
    assert_eq!(rows, 120);
    let bad = ada.get("/audit?before=soon").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
}
