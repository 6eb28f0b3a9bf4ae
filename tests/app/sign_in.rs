//! Connecting is signing in: from the welcome page to the list, and every way in which it can end.

use reqwest::StatusCode;

use crate::support::app::{App, Start, Stores, sandbox_for};
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
    assert_eq!(page.texts(".sum b"), ["156"]);

    let dashboard = ada.get("/").await;
    assert!(
        dashboard
            .texts("h2")
            .contains(&"HubSpot connected".to_owned())
    );
    assert!(dashboard.text().contains("mara@smalloffice.example"));
    assert_eq!(ada.all_names("/items").await.len(), 156);
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

/// A callback that must store nothing: checks its status and that nobody came in by it.
async fn is_refused(
    visitor: &mut Visitor,
    callback: &str,
    status: StatusCode,
) -> crate::support::visitor::Seen {
    let seen = visitor.get(callback).await;
    assert_eq!(seen.status, status, "{}", seen.text());
    let home = visitor.get("/").await;
    assert!(
        home.texts("h1").iter().all(|h1| h1 != "Connections"),
        "somebody is signed in"
    );
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_is_sent_back_and_nothing_is_stored() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let callback = ada.consent("small", "decline").await;
    let seen = ada.get(&callback).await;
    assert_eq!(
        (seen.status, seen.location()),
        (StatusCode::SEE_OTHER, "/?declined=hubspot")
    );
    assert!(
        ada.get("/?declined=hubspot")
            .await
            .text()
            .contains("not connected: you declined")
    );
    assert_eq!(sandbox.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_works_once() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let callback = ada.consent("small", "approve").await;
    assert_eq!(ada.get(&callback).await.status, StatusCode::SEE_OTHER);
    let again = ada.get(&callback).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert_eq!(again.texts("main button"), ["Connect HubSpot"]);
    assert_eq!(sandbox.token_requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_works_in_no_other_browser() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let callback = Visitor::of(&app.url).consent("small", "approve").await;
    // Somebody without any session, and somebody who is connecting on their own account.
    let mut eve = Visitor::of(&app.url);
    is_refused(&mut eve, &callback, StatusCode::BAD_REQUEST).await;
    let mut bo = Visitor::of(&app.url);
    let ada = Visitor::of(&app.url).consent("small", "approve").await;
    bo.consent("10k", "approve").await;
    is_refused(&mut bo, &ada, StatusCode::BAD_REQUEST).await;
    assert_eq!(sandbox.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unasked_or_tampered_callback_stores_nothing() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let callback = ada.consent("small", "approve").await;
    let path = "/integrations/hubspot/oauth2callback";
    for query in [
        "",
        "?code=x",
        "?state=",
        "?state=x&code=x",
        "?error=access_denied",
        "?state=x&error=access_denied",
    ] {
        is_refused(&mut ada, &format!("{path}{query}"), StatusCode::BAD_REQUEST).await;
    }
    let (begin, end) = callback.split_at(callback.len() - 1);
    let tampered = format!("{begin}{}", if end == "A" { "B" } else { "A" });
    is_refused(&mut ada, &tampered, StatusCode::BAD_REQUEST).await;
    assert_eq!(sandbox.token_requests(), 0);
    // The real one is still good: nobody else's attempt has used it up.
    assert_eq!(ada.get(&callback).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_code_and_an_unreachable_provider_say_so() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let callback = ada.consent("small", "approve").await;
    let (before, rest) = callback.split_once("code=").expect("a code");
    let state = rest.split_once('&').expect("a state").1;
    let seen = is_refused(
        &mut ada,
        &format!("{before}code=na1-wrong&{state}"),
        StatusCode::BAD_GATEWAY,
    )
    .await;
    assert!(seen.text().contains("HubSpot said"), "{}", seen.text());
    assert_eq!(seen.texts("main button"), ["Connect HubSpot"]);

    let callback = ada.consent("small", "approve").await;
    sandbox.stop().await;
    let seen = is_refused(&mut ada, &callback, StatusCode::BAD_GATEWAY).await;
    assert!(seen.text().contains("cannot be reached"), "{}", seen.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_on_the_list_come_in_and_leaving_it_ends_their_stay() {
    let stores = Stores::embedded();
    let start =
        Start::on(&stores).with("SIGN_IN_ALLOW", "harbour.example, mara@smalloffice.example");
    let sandbox = sandbox_for(&[start.port()], |_| {});
    let app = start.hubspot_at(&sandbox.url()).go().await;
    let mut noor = Visitor::of(&app.url);
    let callback = noor.consent("empty", "approve").await;
    is_refused(&mut noor, &callback, StatusCode::FORBIDDEN).await;
    Visitor::of(&app.url).connect("10k").await;
    let mut mara = Visitor::of(&app.url);
    mara.connect("small").await;
    app.stop().await;

    let start = Start::on(&stores).with("SIGN_IN_ALLOW", "harbour.example");
    let app = start.hubspot_at(&sandbox.url()).go().await;
    assert_eq!(
        mara.at(&app.url).get("/items").await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_for_this_site_alone_and_out_of_reach_of_scripts() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let seen = Visitor::of(&app.url)
        .post("/integrations/hubspot/authorize", &[])
        .await;
    let cookie = seen.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("tributary="), "{cookie}");
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert!(
        !cookie.contains("Secure") && !cookie.contains("Domain"),
        "{cookie}"
    );

    let start = Start::on(&stores).with("PUBLIC_URL", "https://tributary.test");
    let sandbox = sandbox_for(&[], |_| {});
    let app = start.hubspot_at(&sandbox.url()).go().await;
    let seen = Visitor::of(&app.url)
        .post("/integrations/hubspot/authorize", &[])
        .await;
    let cookie = seen.header("set-cookie").expect("a cookie");
    assert!(
        cookie.starts_with("__Host-tributary=") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(seen.header("strict-transport-security").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_changes_the_session_and_signing_out_ends_it_everywhere() {
    for stores in [Stores::embedded(), Stores::scaled().await] {
        let (app, _sandbox) = App::with_sandbox(&stores).await;
        let mut ada = Visitor::of(&app.url);
        let callback = ada.consent("small", "approve").await;
        let fixed = ada.clone();
        ada.get(&callback).await;
        assert_ne!(fixed.cookie, ada.cookie);
        assert_eq!(
            fixed.clone().get("/items").await.status,
            StatusCode::SEE_OTHER
        );

        let mut thief = ada.clone();
        assert_eq!(thief.get("/items").await.status, StatusCode::OK);
        let out = ada.post("/sign-out", &[]).await;
        assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/"));
        assert!(ada.cookie.is_none());
        assert_eq!(thief.get("/items").await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_signs_nobody_out() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    app.stop().await;
    let app = Start::on(&stores).hubspot_at(&sandbox.url()).go().await;
    assert_eq!(ada.at(&app.url).get("/items").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_at_one_process_is_signed_in_at_the_other() {
    let stores = Stores::scaled().await;
    let (one, sandbox) = App::with_sandbox(&stores).await;
    let two = Start::on(&stores)
        .beside(&one)
        .hubspot_at(&sandbox.url())
        .go()
        .await;
    let mut ada = Visitor::of(&one.url);
    let connection = ada.connect("small").await;
    let mut there = ada.at(&two.url);
    assert_eq!(there.imported(&connection).await.texts(".sum b"), ["156"]);
    assert_eq!(there.all_names("/items").await.len(), 156);
    one.stop().await;
    assert_eq!(there.get("/items").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn approving_the_same_account_again_keeps_one_connection_and_one_person() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    assert_eq!(ada.connect("small").await, connection, "while signed in");
    assert_eq!(
        Visitor::of(&app.url).connect("small").await,
        connection,
        "from another browser"
    );
    let other = ada.connect("empty").await;
    assert_ne!(other, connection);
    assert_eq!(ada.get("/").await.texts(".connections li").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workspace_is_as_good_as_not_there() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let page = ada.get("/items?limit=10").await;
    let cursor = page.attribute("a#more", "href").expect("more");
    let mut noor = Visitor::of(&app.url);
    noor.connect("empty").await;
    assert_eq!(noor.get(&connection).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        noor.get("/connections/999").await.status,
        StatusCode::NOT_FOUND
    );
    let id = connection.rsplit_once('/').expect("an id").1.to_owned();
    let load = noor
        .post("/integrations/hubspot/load", &[("connection", &id)])
        .await;
    assert_eq!(load.status, StatusCode::NOT_FOUND);
    assert_eq!(
        noor.get(&format!("/items?connection={id}")).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(noor.get(&cursor).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(noor.all_names("/items").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_under_another_name_of_this_machine_first_leads_home() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url.replace("localhost", "127.0.0.1"));
    let seen = ada.post("/integrations/hubspot/authorize", &[]).await;
    assert_eq!(seen.location(), format!("{}/?connect=hubspot", app.url));
    assert!(ada.cookie.is_none());
    let home = Visitor::of(&app.url).get("/?connect=hubspot").await;
    assert!(home.text().contains("Press Connect HubSpot to go on"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_than_the_one_to_reconnect_becomes_its_own_connection_and_the_page_says_so()
{
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    sandbox.revoke_all();
    ada.post("/integrations/hubspot/load", &[]).await;
    ada.imported(&connection).await;
    let id = connection.rsplit_once('/').expect("an id").1.to_owned();
    let form = [("connection", id.as_str())];

    let other = ada.reconnect(&form, "empty").await;
    assert_ne!(other, connection);
    let page = ada.get(&other).await;
    assert!(
        page.text()
            .contains("Small Office still waits to be reconnected"),
        "{}",
        page.text()
    );
    let dashboard = ada.get("/").await;
    assert!(
        dashboard
            .texts("main button")
            .contains(&"Reconnect".to_owned())
    );

    assert_eq!(ada.reconnect(&form, "small").await, connection);
    assert_eq!(ada.imported(&connection).await.count_of(".sum b"), 156);
    assert!(
        !ada.get("/")
            .await
            .texts("main button")
            .contains(&"Reconnect".to_owned())
    );

    let mut noor = Visitor::of(&app.url);
    let path = "/integrations/hubspot/authorize";
    assert_eq!(noor.post(path, &form).await.location(), "/", "signed out");
    noor.connect("10k").await;
    assert_eq!(noor.post(path, &form).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_begun_by_somebody_who_has_left_signs_nobody_in() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("small").await;
    let callback = ada.consent("empty", "approve").await;
    let before = ada.clone();
    ada.post("/sign-out", &[]).await;
    let requests = sandbox.token_requests();
    let mut left = before;
    is_refused(&mut left, &callback, StatusCode::BAD_REQUEST).await;
    assert_eq!(sandbox.token_requests(), requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_everywhere_ends_every_sign_in_of_the_person_and_of_nobody_else() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let (mut desk, mut phone) = (Visitor::of(&app.url), Visitor::of(&app.url));
    let mut noor = Visitor::of(&app.url);
    desk.connect("small").await;
    phone.connect("small").await;
    noor.connect("empty").await;
    let page = desk.get("/sessions").await;
    assert_eq!(page.texts("table.list tbody tr").len(), 2);
    assert_eq!(page.text().matches("this browser").count(), 1);
    let out = desk.post("/sessions/end-all", &[]).await;
    assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(desk.get("/items").await.status, StatusCode::SEE_OTHER);
    assert_eq!(phone.get("/items").await.status, StatusCode::SEE_OTHER);
    assert_eq!(noor.get("/items").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_pkce_on_the_challenge_is_sent_and_its_verifier_answers_it() {
    let stores = Stores::embedded();
    let start = Start::on(&stores).with("HUBSPOT_PKCE", "on");
    let sandbox = sandbox_for(&[start.port()], |_| {});
    let app = start.hubspot_at(&sandbox.url()).go().await;
    let mut ada = Visitor::of(&app.url);
    let to = ada.post("/integrations/hubspot/authorize", &[]).await;
    assert!(
        to.location().contains("code_challenge_method=S256"),
        "{}",
        to.location()
    );
    let connection = ada.connect("small").await;
    assert_eq!(ada.imported(&connection).await.count_of(".sum b"), 156);
}
