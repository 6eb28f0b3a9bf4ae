//! Too much and too often are refused in words, and cost nobody else anything.

use reqwest::{Method, StatusCode};

use crate::support::app::{App, Start, Stores, sandbox_for};
use crate::support::visitor::{Seen, Visitor};

const CONNECT: &str = "/integrations/hubspot/authorize";

async fn presses_connect(app: &App, forwarded: &str) -> Seen {
    let headers = [
        ("Sec-Fetch-Site", "same-origin"),
        ("X-Forwarded-For", forwarded),
    ];
    let mut visitor = Visitor::of(&app.url);
    visitor.send(Method::POST, CONNECT, &[], &headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_presses_connect_too_often_is_told_when_to_come_back() {
    let stores = Stores::embedded();
    let start = Start::on(&stores).with("CONNECT_RATE", "3/h");
    let sandbox = sandbox_for(&[start.port()], |_| {});
    let app = start.hubspot_at(&sandbox.url()).go().await;
    for _ in 0..3 {
        let seen = presses_connect(&app, "192.0.2.1").await;
        assert_eq!(seen.status, StatusCode::SEE_OTHER);
    }
    // Whatever a header says that nobody trusts.
    let refused = presses_connect(&app, "192.0.2.2").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u32 = refused
        .header("retry-after")
        .expect("a wait")
        .parse()
        .expect("seconds");
    assert!((1_000..=1_200).contains(&wait), "{wait}");
    assert!(
        refused.text().contains("Try again in"),
        "{}",
        refused.text()
    );
    let mut visitor = Visitor::of(&app.url);
    assert_eq!(
        visitor.get("/").await.status,
        StatusCode::OK,
        "pages are not counted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_client_has_its_own_count() {
    let stores = Stores::embedded();
    let start = Start::on(&stores)
        .with("CONNECT_RATE", "1/h")
        .with("TRUSTED_PROXIES", "127.0.0.0/8, ::1");
    let sandbox = sandbox_for(&[start.port()], |_| {});
    let app = start.hubspot_at(&sandbox.url()).go().await;
    for (forwarded, status) in [
        ("192.0.2.1", StatusCode::SEE_OTHER),
        ("192.0.2.2", StatusCode::SEE_OTHER),
        // The client wrote the first one itself.
        ("192.0.2.9, 192.0.2.1", StatusCode::TOO_MANY_REQUESTS),
    ] {
        assert_eq!(
            presses_connect(&app, forwarded).await.status,
            status,
            "{forwarded}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_a_header_or_a_form_that_is_too_long_is_a_page_that_says_so() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let long = "x".repeat(20_000);
    let address = ada.get(&format!("/items?q={long}")).await;
    let header = ada.send(Method::GET, "/", &[], &[("X-Long", &long)]).await;
    let form = ada.post(CONNECT, &[("connection", &long)]).await;
    for (seen, status) in [(address, 414), (header, 431), (form, 413)] {
        assert_eq!(seen.status.as_u16(), status, "{}", seen.text());
        assert!(seen.header("content-security-policy").is_some());
        assert_eq!(seen.count("h1"), 1);
    }
}
