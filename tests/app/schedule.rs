//! Imports that run by themselves.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::app::{App, Start, Stores, sandbox_for, until};
use crate::support::visitor::Visitor;

async fn json(visitor: &mut Visitor, path: &str) -> Value {
    let seen = visitor.get(path).await;
    serde_json::from_str(&seen.body).unwrap_or_else(|error| panic!("{error}: {}", seen.body))
}

async fn next_import(visitor: &mut Visitor) -> Value {
    json(visitor, "/api/v1/connections").await["connections"][0]["next_import_at"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_connected_is_imported_from_again_by_itself() {
    let stores = Stores::embedded();
    let start = Start::on(&stores).with("IMPORT_EVERY", "10s");
    let sandbox = sandbox_for(&[start.port()], |_| {});
    let app = start.hubspot_at(&sandbox.url()).go().await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    until("the schedule has imported", async || {
        let imports = json(&mut ada, "/api/v1/imports").await;
        let newest = &imports["imports"][0];
        newest["cause"] == "schedule" && newest["state"] == "done" && newest["full"] == false
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_often_is_the_persons_to_say() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    until("the next one is planned", async || {
        next_import(&mut ada).await.is_string()
    })
    .await;
    let path = format!("{connection}/schedule");
    let say = async |ada: &mut Visitor, every: &str| ada.post(&path, &[("every", every)]).await;

    assert_eq!(say(&mut ada, "off").await.location(), connection);
    until("there is none", async || {
        next_import(&mut ada).await.is_null()
    })
    .await;
    assert!(!ada.get(&connection).await.text().contains("Next import"));
    for wrong in ["5s", "often", "-1m"] {
        let refused = say(&mut ada, wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(refused.text().contains("every"), "{}", refused.text());
    }
    say(&mut ada, "1d").await;
    until("it is planned anew", async || {
        let chosen = ada
            .get(&connection)
            .await
            .attribute("option[selected]", "value");
        chosen.as_deref() == Some("1d") && next_import(&mut ada).await.is_string()
    })
    .await;
    assert!(ada.get(&connection).await.text().contains("Next import in"));
}
