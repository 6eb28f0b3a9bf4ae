//! Connecting is signing in: from the welcome page to the list, and every way in which it can end.

use reqwest::StatusCode;

use crate::support::app::{App, Stores};
use crate::support::visitor::Visitor;

async fn from_the_welcome_page_to_the_list(stores: Stores) {
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);

    let welcome = ada.get("/").await;
    assert_eq!(welcome.status, StatusCode::OK);
    assert_eq!(welcome.texts("main button"), ["Connect HubSpot"]);
    assert!(ada.cookie.is_none(), "a visitor has no session");

    let connection = ada.connect("small").await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    assert_eq!(page.texts(".sum b"), ["120"]);

    let dashboard = ada.get("/").await;
    assert!(
        dashboard
            .texts("h2")
            .contains(&"HubSpot connected".to_owned())
    );
    assert!(dashboard.text().contains("mara@smalloffice.example"));
    assert_eq!(ada.all_names("/items").await.len(), 120);
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_is_enough_from_the_welcome_page_to_the_list() {
    from_the_welcome_page_to_the_list(Stores::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_and_redis_do_the_same() {
    from_the_welcome_page_to_the_list(Stores::scaled().await).await;
}
