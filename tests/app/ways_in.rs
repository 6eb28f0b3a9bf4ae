//! One person, several ways in: a connected account becomes one when its person says so, a link from the
//! host is one for once, and no way in ever moves from one person to another.

use reqwest::StatusCode;

use crate::support::app::{App, CLIENT_ID, CLIENT_SECRET, Start, Stores, sandbox_for};
use crate::support::program::Host;
use crate::support::visitor::Visitor;

/// The name in the footer.
async fn signed_in_as(visitor: &mut Visitor) -> Option<String> {
    visitor.get("/").await.texts(".foot a").into_iter().next()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connected_account_signs_its_person_in_once_they_say_so_and_no_sooner() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("small").await;
    let me = signed_in_as(&mut ada).await;
    let second = ada.connect("empty").await;

    let way_in = format!("{second}/way-in");
    let page = ada.get(&second).await;
    assert_eq!(
        page.attribute("details.confirm form", "action"),
        Some(way_in.clone())
    );
    assert_eq!(ada.post(&way_in, &[]).await.location(), "/sessions");
    assert_eq!(ada.get("/sessions").await.count(".ways li"), 2);
    assert!(
        ada.get(&second)
            .await
            .text()
            .contains("This account signs you in")
    );

    let mut elsewhere = Visitor::of(&app.url);
    elsewhere.connect("empty").await;
    assert_eq!(signed_in_as(&mut elsewhere).await, me);

    let remove = ada.get("/sessions").await;
    let remove = remove
        .attribute(".ways li:last-child form", "action")
        .expect("a button");
    ada.post(&remove, &[]).await;
    assert_eq!(
        signed_in_as(&mut elsewhere).await,
        None,
        "what it signed in is over"
    );
    let page = ada.get("/sessions").await;
    assert_eq!((page.count(".ways li"), page.count(".ways form")), (1, 0));
    assert_eq!(ada.post(&remove, &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_in_of_somebody_else_is_never_taken() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut noor = Visitor::of(&app.url);
    noor.connect("empty").await;
    let her = signed_in_as(&mut noor).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("small").await;
    let hers = ada.connect("empty").await;
    assert!(
        ada.get(&hers)
            .await
            .text()
            .contains("signs another person in")
    );
    let refused = ada.post(&format!("{hers}/way-in"), &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let mut again = Visitor::of(&app.url);
    again.connect("empty").await;
    assert_eq!(signed_in_as(&mut again).await, her);
    assert_eq!(ada.get("/sessions").await.count(".ways li"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_way_in_stays() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("small").await;
    let refused = ada.post("/sessions/ways-in/1/remove", &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(signed_in_as(&mut ada).await.is_some());
}

/// A host with a running application beside its commands.
async fn hosted() -> (Stores, App, Host) {
    let stores = Stores::embedded();
    let start = Start::on(&stores);
    let sandbox = sandbox_for(&[start.port()], |_| {});
    let app = start.hubspot_at(&sandbox.url()).go().await;
    let host = Host::new()
        .with("DATABASE_URL", &stores.settings[0].1)
        .with("PUBLIC_URL", &app.url)
        .with("HUBSPOT_CLIENT_ID", CLIENT_ID)
        .with("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET);
    let mut mara = Visitor::of(&app.url);
    mara.connect("small").await;
    (stores, app, host)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_from_the_host_signs_in_once_and_not_by_being_looked_at() {
    let (_stores, app, host) = hosted().await;
    for name in ["mara@smalloffice.example", "MARA@smalloffice.example", "1"] {
        let made = host.run(&["sign-in-link", name]).await;
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let [link] = made.stdout.as_slice() else {
            panic!("{:?}", made.stdout)
        };
        let path = link.strip_prefix(&app.url).expect("our address").to_owned();
        let mut elsewhere = Visitor::of(&app.url);
        for _ in 0..2 {
            let page = elsewhere.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        }
        assert!(signed_in_as(&mut elsewhere).await.is_none());
        assert_eq!(elsewhere.post(&path, &[]).await.location(), "/");
        assert!(signed_in_as(&mut elsewhere).await.is_some());
        let list = elsewhere.get("/sessions").await;
        assert!(
            list.text().contains("Link from the host"),
            "{}",
            list.text()
        );
        let mut late = Visitor::of(&app.url);
        for seen in [late.get(&path).await, late.post(&path, &[]).await] {
            assert_eq!(seen.status, StatusCode::NOT_FOUND);
        }
        assert!(signed_in_as(&mut late).await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_made_for_nobody_unknown_and_for_nobody_who_is_not_let_in() {
    let (_stores, _app, host) = hosted().await;
    let nobody = host.run(&["sign-in-link", "eve@x.test"]).await;
    assert_eq!((nobody.code, nobody.stdout.len()), (Some(2), 0));
    assert!(nobody.stderr.contains("eve@x.test"), "{}", nobody.stderr);
    let host = host.with("SIGN_IN_ALLOW", "other.test");
    let kept_out = host
        .run(&["sign-in-link", "mara@smalloffice.example"])
        .await;
    assert_eq!((kept_out.code, kept_out.stdout.len()), (Some(2), 0));
    assert!(
        kept_out.stderr.contains("SIGN_IN_ALLOW"),
        "{}",
        kept_out.stderr
    );
}
