//! Workspaces of several people: invitations, roles, and the way from one to another.

use reqwest::StatusCode;

use crate::support::app::{App, Stores};
use crate::support::visitor::Visitor;

/// An application, with somebody whose account is connected.
async fn with_ada(stores: &Stores) -> (App, tributary::sandbox::Sandbox, Visitor, String) {
    let (app, sandbox) = App::with_sandbox(stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    (app, sandbox, ada, connection)
}

/// The path of an invitation that is made by its button.
async fn invitation(owner: &mut Visitor, role: &str) -> String {
    let page = owner.post("/workspace/invites", &[("role", role)]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    let link = page.texts("[data-invitation]").remove(0);
    let at = link.find("/join/").expect("a link");
    link[at..].to_owned()
}

async fn joined(app: &App, owner: &mut Visitor, account: &str, role: &str) -> Visitor {
    let mut guest = Visitor::of(&app.url);
    guest.connect(account).await;
    let path = invitation(owner, role).await;
    assert_eq!(guest.post(&path, &[]).await.location(), "/");
    guest
}

/// Who of those that belong to a workspace came to Tributary last.
async fn last_member(owner: &mut Visitor) -> String {
    let page = owner.get("/workspace").await;
    let members = page.attributes("input[name=member]", "value");
    members.last().expect("a member").clone()
}

/// Changes what a member may do.
async fn change(owner: &mut Visitor, member: &str, role: &str) {
    let form = [("member", member), ("role", role)];
    let seen = owner.post("/workspace", &form).await;
    assert_eq!(seen.location(), "/workspace");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_for_one_person_and_once() {
    let stores = Stores::embedded();
    let (app, _sandbox, mut ada, connection) = with_ada(&stores).await;
    let path = invitation(&mut ada, "member").await;
    // Who is not signed in connects first, and comes back.
    let mut bob = Visitor::of(&app.url);
    let seen = bob.get(&path).await;
    let token = seen.attribute("input[name=join]", "value").expect("a form");
    let form = [("join", token.as_str())];
    let callback = bob.consent_with("hubspot", &form, "empty", "approve").await;
    assert_eq!(bob.get(&callback).await.location(), path);
    // To look at it is not to use it.
    for _ in 0..2 {
        assert_eq!(bob.get(&path).await.texts("main button"), ["Join"]);
    }
    assert_eq!(bob.get(&connection).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.post(&path, &[]).await.location(), "/");
    assert_eq!(bob.get(&connection).await.status, StatusCode::OK);
    let mut eve = Visitor::of(&app.url);
    eve.connect("10k").await;
    for seen in [eve.post(&path, &[]).await, eve.get(&path).await] {
        assert_eq!(seen.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(eve.get(&connection).await.status, StatusCode::NOT_FOUND);
    assert!(ada.get("/audit").await.text().contains("joined, as member"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends_with_what_its_maker_may_do() {
    let stores = Stores::embedded();
    let (app, _sandbox, mut ada, connection) = with_ada(&stores).await;
    let mut bob = joined(&app, &mut ada, "empty", "owner").await;
    let bob_id = last_member(&mut ada).await;
    let mut eve = Visitor::of(&app.url);
    eve.connect("10k").await;
    for left in ["member", "none"] {
        change(&mut ada, &bob_id, "owner").await;
        let path = invitation(&mut bob, "owner").await;
        assert_eq!(eve.get(&path).await.texts("main button"), ["Join"]);
        change(&mut ada, &bob_id, left).await;
        // Nobody is shown a button that would be refused.
        let ended = eve.get(&path).await;
        assert_eq!(ended.status, StatusCode::NOT_FOUND, "{left}");
        assert_eq!(ended.texts("h1"), ["This invitation has ended"]);
        let refused = eve.post(&path, &[]).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{left}");
        assert_eq!(eve.get(&connection).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(bob.get(&connection).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_does_not_come_back_by_an_invitation_of_their_own() {
    let stores = Stores::embedded();
    let (app, _sandbox, mut ada, connection) = with_ada(&stores).await;
    let mut bob = joined(&app, &mut ada, "empty", "owner").await;
    let path = invitation(&mut bob, "owner").await;
    let bob_id = last_member(&mut ada).await;
    change(&mut ada, &bob_id, "none").await;
    assert_eq!(bob.post(&path, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.get(&connection).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_on_the_way_to_a_workspace_is_back_at_the_invitation() {
    let stores = Stores::embedded();
    let (app, _sandbox, mut ada, _) = with_ada(&stores).await;
    let path = invitation(&mut ada, "member").await;
    let mut bob = Visitor::of(&app.url);
    let token = bob.get(&path).await;
    let token = token
        .attribute("input[name=join]", "value")
        .expect("a form");
    let form = [("join", token.as_str())];
    let callback = bob.consent_with("hubspot", &form, "empty", "decline").await;
    let back = bob.get(&callback).await.location().to_owned();
    assert_eq!(back, format!("{path}?declined=hubspot"));
    assert!(bob.get(&back).await.text().contains("you declined"));
    let odd = bob
        .post("/integrations/hubspot/authorize", &[("join", "../x")])
        .await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sees_everything_and_decides_nothing_about_others() {
    let stores = Stores::embedded();
    let (app, _sandbox, mut ada, _) = with_ada(&stores).await;
    let mut bob = joined(&app, &mut ada, "empty", "member").await;
    let members = ada
        .get("/workspace")
        .await
        .attributes("input[name=member]", "value");
    let [ada_id, bob_id] = &members[..] else {
        panic!("two members: {members:?}")
    };
    let refused = [
        bob.post("/workspace/invites", &[("role", "member")]).await,
        bob.post("/workspace", &[("name", "Mine")]).await,
        bob.post("/workspace", &[("member", bob_id), ("role", "owner")])
            .await,
        bob.post("/workspace", &[("member", ada_id), ("role", "none")])
            .await,
    ];
    assert!(
        refused
            .iter()
            .all(|seen| seen.status == StatusCode::FORBIDDEN)
    );
    // The last owner stays, whoever asks.
    let seen = ada
        .post("/workspace", &[("member", ada_id), ("role", "none")])
        .await;
    assert_eq!(seen.status, StatusCode::CONFLICT);
    let seen = ada
        .post("/workspace", &[("member", bob_id), ("role", "owner")])
        .await;
    assert_eq!(seen.location(), "/workspace");
    let seen = bob.post("/workspace", &[("name", " Our \n house ")]).await;
    assert_eq!(seen.location(), "/workspace");
    assert_eq!(ada.get("/workspace").await.texts("h1"), ["Our house"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_is_back_in_a_workspace_of_their_own_and_their_keys_have_ended() {
    let stores = Stores::embedded();
    let (app, _sandbox, mut ada, connection) = with_ada(&stores).await;
    let mut bob = joined(&app, &mut ada, "empty", "member").await;
    let made = bob
        .post("/keys", &[("name", "Report"), ("scope", "read")])
        .await;
    let bearer = format!("Bearer {}", made.texts("[data-api-key]")[0]);
    let headers = [("Authorization", bearer.as_str())];
    let mut program = Visitor::of(&app.url);
    let mut ask = async || {
        let seen = program.send(reqwest::Method::GET, "/api/v1/connections", &[], &headers);
        seen.await.status
    };
    assert_eq!(ask().await, StatusCode::OK);
    let bob_id = last_member(&mut ada).await;
    change(&mut ada, &bob_id, "none").await;
    assert_eq!(ask().await, StatusCode::UNAUTHORIZED);
    assert_eq!(bob.get(&connection).await.status, StatusCode::NOT_FOUND);
    let own = bob.get("/").await;
    assert_eq!(own.status, StatusCode::OK, "still signed in");
    assert_eq!(
        bob.get("/workspace")
            .await
            .attributes("input[name=member]", "value")
            .len(),
        1
    );
    // For good, even where they are asked in again.
    let path = invitation(&mut ada, "member").await;
    assert_eq!(bob.post(&path, &[]).await.location(), "/");
    assert_eq!(bob.get(&connection).await.status, StatusCode::OK);
    assert_eq!(ask().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_goes_from_one_workspace_to_another_of_theirs_and_no_further() {
    let stores = Stores::embedded();
    let (app, _sandbox, mut ada, connection) = with_ada(&stores).await;
    let mut bob = joined(&app, &mut ada, "empty", "owner").await;
    let other = bob
        .get("/workspace")
        .await
        .attribute("input[name=workspace]", "value");
    let other = other.expect("a workspace of their own");
    assert_eq!(
        bob.post("/workspace", &[("workspace", &other)])
            .await
            .location(),
        "/workspace"
    );
    assert_eq!(bob.get(&connection).await.status, StatusCode::NOT_FOUND);
    // Signing in again leads to where they were last.
    bob.post("/sign-out", &[]).await;
    bob.connect("empty").await;
    assert_eq!(bob.get(&connection).await.status, StatusCode::NOT_FOUND);
    let seen = ada.post("/workspace", &[("workspace", &other)]).await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
}
