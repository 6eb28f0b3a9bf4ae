//! Keys that programs ask with.

use reqwest::{Method, StatusCode};

use crate::support::app::{App, Start, Stores, sandbox_for};
use crate::support::visitor::{Seen, Visitor};

/// Somebody signed in, with an account that was imported.
async fn somebody() -> (Stores, tributary::sandbox::Sandbox, App, Visitor, String) {
    let stores = Stores::embedded();
    let start = Start::on(&stores).with("API_RATE", "1000/s");
    let sandbox = sandbox_for(&[start.port()], |options| options.rate = Some(10_000));
    let app = start.provider_at("hubspot", &sandbox.url()).go().await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    (stores, sandbox, app, ada, connection)
}

/// Makes a key as its form does, and answers with it.
async fn make(ada: &mut Visitor, scope: &str, days: &str) -> String {
    let form = [
        ("name", "Nightly <b>report</b>"),
        ("scope", scope),
        ("expires_in_days", days),
    ];
    let page = ada.post("/keys", &form).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    let shown = page.texts("[data-api-key]");
    assert_eq!(shown.len(), 1, "it is shown once");
    shown[0].clone()
}

/// Asks as a program does: with a key and no cookie.
async fn ask(app: &App, key: &str, method: Method, path: &str) -> Seen {
    let bearer = format!("Bearer {key}");
    let headers = [("Authorization", bearer.as_str())];
    Visitor::of(&app.url)
        .send(method, path, &[], &headers)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_what_it_is_good_for_and_is_shown_once() {
    let (_stores, _sandbox, app, mut ada, connection) = somebody().await;
    let id = connection.rsplit('/').next().expect("an id").to_owned();
    let import = format!("/api/v1{connection}/import");
    let read = make(&mut ada, "read", "30").await;
    assert!(
        !ada.get("/keys").await.text().contains(&read),
        "it is shown once"
    );
    let seen = ask(&app, &read, Method::GET, "/api/v1/connections").await;
    assert_eq!(seen.json()["connections"][0]["id"], id.as_str());
    let seen = ask(&app, &read, Method::POST, &import).await;
    assert_eq!(
        (seen.status, seen.json()["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("lacks_scope"))
    );

    let only_import = make(&mut ada, "import", "").await;
    let seen = ask(&app, &only_import, Method::POST, &import).await;
    assert_eq!(seen.status, StatusCode::ACCEPTED, "{}", seen.body);
    let run = format!(
        "/api/v1/imports/{}",
        seen.json()["id"].as_str().expect("an id")
    );
    assert_eq!(
        ask(&app, &only_import, Method::GET, &run).await.status,
        StatusCode::OK
    );
    let seen = ask(&app, &only_import, Method::GET, "/api/v1/connections").await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    // Pages take no keys.
    let seen = ask(&app, &read, Method::GET, "/items").await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_and_one_that_never_was_open_nothing() {
    let (_stores, _sandbox, app, mut ada, _) = somebody().await;
    let key = make(&mut ada, "read", "1").await;
    let path = "/api/v1/connections";
    assert_eq!(
        ask(&app, &key, Method::GET, path).await.status,
        StatusCode::OK
    );
    let forms = ada
        .get("/keys")
        .await
        .attributes("form[action$='/revoke']", "action");
    // Nobody else can revoke it.
    let mut bob = Visitor::of(&app.url);
    bob.connect("10k").await;
    assert_eq!(bob.post(&forms[0], &[]).await.status, StatusCode::NOT_FOUND);
    assert!(!bob.get("/keys").await.text().contains("Nightly"));
    assert_eq!(ada.post(&forms[0], &[]).await.location(), "/keys");
    let never = format!("{}x", &key[..key.len() - 1]);
    for wrong in [key.as_str(), never.as_str(), "", "tributary_"] {
        // Not even beside a good cookie.
        let bearer = format!("Bearer {wrong}");
        let seen = ada
            .send(Method::GET, path, &[], &[("Authorization", &bearer)])
            .await;
        assert_eq!(
            (seen.status, seen.json()["code"].as_str()),
            (StatusCode::UNAUTHORIZED, Some("no_such_key"))
        );
        assert_eq!(seen.header("www-authenticate"), Some("Bearer"));
    }
    assert!(ada.get("/keys").await.text().contains("Revoked"));
    let audit = ada.get("/audit").await.text();
    assert!(
        audit.contains("made the API key Nightly <b>report</b>")
            && audit.contains("revoked the API key")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let stores = Stores::embedded();
    let start = Start::on(&stores).with("API_RATE", "2/h");
    let sandbox = sandbox_for(&[start.port()], |options| options.rate = Some(10_000));
    let app = start.provider_at("hubspot", &sandbox.url()).go().await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("empty").await;
    let (one, two) = (
        make(&mut ada, "read", "1").await,
        make(&mut ada, "read", "1").await,
    );
    let mut statuses = Vec::new();
    for key in [&one, &one, &one, &two] {
        let seen = ask(&app, key, Method::GET, "/api/v1/connections").await;
        statuses.push(seen.status.as_u16());
        assert_eq!(
            seen.header("retry-after").is_some(),
            seen.status == StatusCode::TOO_MANY_REQUESTS
        );
    }
    assert_eq!(statuses, [200, 200, 429, 200], "each key has its own");
    drop((app, sandbox, stores));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_kept_as_nothing_but_its_hash() {
    let (stores, _sandbox, _app, mut ada, _) = somebody().await;
    let key = make(&mut ada, "read", "1").await;
    let secret = key
        .strip_prefix("tributary_")
        .expect("it says what it opens");
    for file in std::fs::read_dir(stores.folder()).expect("a folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("a file");
        let holds = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!holds);
    }
}
