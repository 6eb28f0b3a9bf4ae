//! Another HubSpot than the sandbox: it keeps to what the documentation leaves open, and to what no
//! documentation says.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data, Json, Query};
use actix_web::{HttpRequest, HttpResponse, HttpServer};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::app::{App, Start, Stores};
use crate::support::visitor::{Seen, Visitor};

/// What it issues, known by heart so that it can be looked for.
pub const CODE: &str = "planted-code-5f1d0c";
pub const FIRST: &str = "planted-access-first-77aa01";
pub const SECOND: &str = "planted-access-second-88bb02";
pub const REFRESH: &str = "planted-refresh-99cc03";

/// How this HubSpot differs.
#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    /// Numbers for ids and cursors, a path below the host, odd fields.
    Different,
    /// A record without an id among good ones.
    Nameless,
    /// Its cursors come round again.
    Circling,
    /// It names no lifetime for its tokens.
    Timeless,
    /// It refuses the first access token in the middle of a read.
    Refusing,
    /// It allows contacts to nobody.
    Closed,
    /// It answers with two hundred and half a page, then whole.
    Half,
    /// Its searches name no next page, whatever there is.
    Pageless,
    /// Its searches count more than they give.
    Withholding,
    /// It tells nobody whose companies are whose.
    Discreet,
}

struct Stand {
    way: Way,
    reads: AtomicU32,
    refreshes: AtomicU32,
}

pub struct StandIn {
    pub url: String,
    stand: Arc<Stand>,
    server: ServerHandle,
}

impl StandIn {
    pub fn start(way: Way) -> Self {
        let stand = Arc::new(Stand {
            way,
            reads: AtomicU32::new(0),
            refreshes: AtomicU32::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!(
            "http://{}/below/a/path",
            listener.local_addr().expect("a port")
        );
        let data = Data::from(Arc::clone(&stand));
        let server = HttpServer::new(move || {
            actix_web::App::new().app_data(data.clone()).service(
                web::scope("/below/a/path")
                    .route("/oauth/authorize", web::get().to(authorize))
                    .route("/oauth/2026-09/token", web::post().to(token))
                    .route("/account-info/2026-09/details", web::get().to(details))
                    .route(
                        "/oauth/2026-09/token/introspect",
                        web::post().to(introspect),
                    )
                    .route("/crm/objects/2026-09/contacts", web::get().to(contacts))
                    .route("/crm/objects/2026-09/{others}", web::get().to(none))
                    .route(
                        "/crm/associations/2026-09/{from}/{to}/batch/read",
                        web::post().to(details),
                    )
                    .route(
                        "/crm/objects/2026-09/contacts/search",
                        web::post().to(search),
                    )
                    .route("/crm/objects/2026-09/{others}/search", web::post().to(none)),
            )
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("it listens")
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            url,
            stand,
            server: handle,
        }
    }
}

#[derive(Deserialize)]
struct Authorize {
    redirect_uri: String,
    state: String,
}

/// Approves at once, without asking anybody.
async fn authorize(query: Query<Authorize>) -> HttpResponse {
    let back = format!("{}?code={CODE}&state={}", query.redirect_uri, query.state);
    HttpResponse::SeeOther()
        .insert_header(("Location", back))
        .finish()
}

async fn token(form: String, stand: Data<Stand>) -> Json<Value> {
    let refreshed = form.contains("grant_type=refresh_token");
    if refreshed {
        stand.refreshes.fetch_add(1, Ordering::SeqCst);
    }
    let mut answer = json!({
        "token_type": "Bearer ", "access_token": if refreshed { SECOND } else { FIRST },
        "refresh_token": format!("{REFRESH}{}", "r".repeat(500)), "expires_in": 1800, "hub_id": "7", "user_id": 9,
        "scopes": "oauth crm.objects.contacts.read", "unexpected": [{"deep": true}],
    });
    if stand.way == Way::Discreet {
        answer["scopes"] = json!("oauth crm.objects.contacts.read crm.objects.companies.read");
    }
    if stand.way == Way::Timeless {
        answer
            .as_object_mut()
            .expect("an object")
            .remove("expires_in");
    }
    Json(answer)
}

async fn introspect() -> HttpResponse {
    HttpResponse::NotFound().body("<html>none here</html>")
}

/// Neither what an account is called nor which company a record belongs to.
async fn details() -> HttpResponse {
    HttpResponse::Forbidden().json(json!({"category": "MISSING_SCOPES"}))
}

async fn contacts(req: HttpRequest, stand: Data<Stand>) -> HttpResponse {
    let reads = stand.reads.fetch_add(1, Ordering::SeqCst);
    let token = req
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let after: u64 = req
        .query_string()
        .split("after=")
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let refused =
        || HttpResponse::Unauthorized().json(json!({"category": "EXPIRED_AUTHENTICATION"}));
    match stand.way {
        Way::Refusing if after == 2 && token == Some(format!("Bearer {FIRST}").as_str()) => {
            return refused();
        }
        Way::Closed => {
            let context =
                json!([{"context": {"requiredGranularScopes": ["crm.objects.contacts.read"]}}]);
            return HttpResponse::Forbidden()
                .json(json!({"message": "no rights", "errors": context}));
        }
        Way::Half if reads == 1 => return HttpResponse::Ok().body("{\"results\":[{\"id\":3"),
        _ => {}
    }
    let next = match (stand.way, after) {
        (Way::Circling, 2) => Some(1),
        (_, 0..4) => Some(after + 1),
        _ => None,
    };
    let first = after * 2 + 1;
    let mut results: Vec<Value> = (first..first + 2).map(record).collect();
    if stand.way == Way::Nameless && after == 3 {
        results.push(json!({"properties": {"firstname": "Nobody"}}));
    }
    let mut page = json!({"results": results});
    if let Some(next) = next {
        page["paging"] = json!({"next": {"after": next}});
    }
    HttpResponse::Ok().json(page)
}

/// It has no companies and no deals.
async fn none(stand: Data<Stand>) -> HttpResponse {
    match stand.way {
        Way::Closed => HttpResponse::Forbidden().json(json!({"message": "no rights"})),
        _ => HttpResponse::Ok().json(json!({"results": []})),
    }
}

/// Everybody has changed, by two at a time from the id that is asked for; less is said of them than in
/// the list.
async fn search(asked: Json<Value>, stand: Data<Stand>) -> Json<Value> {
    let from = asked["filterGroups"][0]["filters"][1]["value"].as_str();
    let from: u64 = from.and_then(|id| id.parse().ok()).unwrap_or(1);
    let changed = |n| json!({"id": n, "properties": {"firstname": format!("Changed {n}")}});
    let results: Vec<Value> = (from..from + 2)
        .take_while(|n| *n <= 10)
        .map(changed)
        .collect();
    let withheld = u64::from(stand.way == Way::Withholding);
    Json(json!({"results": results, "total": 11 - from + withheld}))
}

fn record(n: u64) -> Value {
    json!({
        "id": n, "properties": {"firstname": format!("Person {n}"), "lastname": null, "age": 41},
        "createdAt": "2026-02-03T09:12:44+00:00", "updatedAt": if n == 1 { json!(null) } else { json!("2026-09-30T18:00:01Z") },
        "url": match n {
            2 => json!("javascript:alert(1)"),
            3 => json!("https://crm.test/3"),
            _ => json!(null),
        },
        "extra": {},
    })
}

/// Connects to this HubSpot and waits for its import.
async fn imported_from(way: Way) -> (Visitor, Seen, StandIn, App, Stores) {
    let stores = Stores::embedded();
    let hubspot = StandIn::start(way);
    let app = Start::on(&stores).hubspot_at(&hubspot.url).go().await;
    let mut ada = Visitor::of(&app.url);
    let to = ada
        .post("/integrations/hubspot/authorize", &[])
        .await
        .location()
        .to_owned();
    let back = ada.get(&to).await.location().to_owned();
    let seen = ada.get(&back).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.text());
    let connection = seen.location().to_owned();
    let page = ada.imported(&connection).await;
    (ada, page, hubspot, app, stores)
}

async fn brings_ten(way: Way) -> StandIn {
    let (mut ada, page, hubspot, app, _stores) = imported_from(way).await;
    assert_eq!(
        page.texts(".run h2"),
        ["Import finished"],
        "{}",
        page.text()
    );
    let mut names = ada.all_names("/items").await;
    names.sort();
    let mut expected: Vec<String> = (1..=10).map(|n| format!("Person {n}")).collect();
    expected.sort();
    assert_eq!(names, expected);
    app.stop().await;
    hubspot
}

#[tokio::test(flavor = "multi_thread")]
async fn another_hubspot_with_other_forms_is_read_whole() {
    brings_ten(Way::Different).await.server.stop(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_a_script_is_no_link() {
    let (mut ada, _, _hubspot, _app, _stores) = imported_from(Way::Different).await;
    let list = ada.get("/items").await;
    assert!(!list.body.contains("javascript:"), "{}", list.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_lifetime_is_used_until_it_is_refused() {
    let hubspot = brings_ten(Way::Timeless).await;
    assert_eq!(hubspot.stand.refreshes.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_refused_in_the_middle_is_renewed_and_the_call_made_again() {
    let hubspot = brings_ten(Way::Refusing).await;
    assert_eq!(hubspot.stand.refreshes.load(Ordering::SeqCst), 1);
    assert_eq!(
        hubspot.stand.reads.load(Ordering::SeqCst),
        6,
        "five pages and one of them twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_short_is_asked_for_again() {
    let hubspot = brings_ten(Way::Half).await;
    assert_eq!(hubspot.stand.reads.load(Ordering::SeqCst), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_left_something_out_says_so() {
    let (mut ada, page, _hubspot, _app, _stores) = imported_from(Way::Nameless).await;
    assert_eq!(page.texts(".run h2"), ["Import incomplete"]);
    assert!(
        page.text().contains("1 record could not be understood"),
        "{}",
        page.text()
    );
    assert_eq!(ada.all_names("/items").await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_a_circle_end_the_import_and_are_named() {
    let (_ada, page, hubspot, _app, _stores) = imported_from(Way::Circling).await;
    assert_eq!(page.texts(".run h2"), ["Import incomplete"]);
    assert!(page.text().contains("over and over"), "{}", page.text());
    assert!(hubspot.stand.reads.load(Ordering::SeqCst) < 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_allows_nothing_is_told_in_words() {
    let (_ada, page, hubspot, _app, _stores) = imported_from(Way::Closed).await;
    assert_eq!(page.texts(".run h2"), ["Import failed"]);
    assert!(
        page.text()
            .contains("does not let Tributary read companies"),
        "{}",
        page.text()
    );
    assert_eq!(
        hubspot.stand.reads.load(Ordering::SeqCst),
        1,
        "trying again would not help"
    );
}

/// The page of a connection that was imported, and then imported again for what has changed.
async fn imported_twice_from(way: Way) -> (Visitor, Seen, StandIn, App, Stores) {
    let (mut ada, _, hubspot, app, stores) = imported_from(way).await;
    let again = ada.post("/integrations/hubspot/load", &[]).await;
    let connection = again.location().to_owned();
    let page = ada.imported(&connection).await;
    (ada, page, hubspot, app, stores)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_names_no_next_page_is_read_as_far_as_it_counts() {
    let (mut ada, page, _hubspot, _app, _stores) = imported_twice_from(Way::Pageless).await;
    assert_eq!(
        page.texts(".run h2")[0],
        "Import finished",
        "{}",
        page.text()
    );
    let names = ada.all_names("/items").await;
    assert!(
        names.iter().all(|name| name.starts_with("Changed ")),
        "{names:?}"
    );
    assert_eq!(names.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_counts_more_than_it_gives_is_not_called_whole() {
    let (_ada, page, _hubspot, _app, _stores) = imported_twice_from(Way::Withholding).await;
    assert_eq!(page.texts(".run h2")[0], "Import incomplete");
    assert!(
        page.text().contains("counts more than it gives"),
        "{}",
        page.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_whose_companies_are_refused_are_left_as_they_are() {
    let (mut ada, page, _hubspot, _app, _stores) = imported_twice_from(Way::Discreet).await;
    assert_eq!(page.texts(".run h2")[0], "Import incomplete");
    let names = ada.all_names("/items").await;
    assert!(
        names.iter().all(|name| name.starts_with("Person ")),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_keeps_its_link_when_an_answer_names_none() {
    let (mut ada, _, _hubspot, _app, _stores) = imported_twice_from(Way::Pageless).await;
    let list = ada.get("/items").await;
    assert!(list.body.contains("https://crm.test/3"), "{}", list.body);
}
