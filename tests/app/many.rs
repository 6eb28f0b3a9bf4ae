//! Many connections at once, of which one is always slow and one always fails.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::web::{self, Data, Query};
use actix_web::{HttpRequest, HttpResponse, HttpServer};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::app::{Start, Stores, until};
use crate::support::visitor::Visitor;

const CONNECTIONS: usize = 200;
const SLOW: &str = "1";
const FAILING: &str = "2";

/// A HubSpot at which each approval is that of another account, counted from one.
struct Accounts {
    approved: AtomicUsize,
    /// Lists that were asked for, by account.
    asked: Mutex<HashMap<String, usize>>,
    /// Closed until the test has seen enough: the slow account answers nothing before.
    gate: Semaphore,
}

impl Accounts {
    fn start() -> (Arc<Self>, String) {
        let accounts = Arc::new(Self {
            approved: AtomicUsize::new(0),
            asked: Mutex::default(),
            gate: Semaphore::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a port"));
        let data = Data::from(Arc::clone(&accounts));
        let server = HttpServer::new(move || {
            actix_web::App::new()
                .app_data(data.clone())
                .route("/oauth/authorize", web::get().to(authorize))
                .route("/oauth/2026-09/token", web::post().to(token))
                .route("/crm/objects/2026-09/{list}", web::get().to(list))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("it listens");
        tokio::spawn(server.run());
        (accounts, url)
    }

    fn note(&self, account: &str) {
        let mut asked = self.asked.lock().expect("not poisoned");
        *asked.entry(account.to_owned()).or_default() += 1;
    }

    fn asked(&self, account: &str) -> usize {
        let asked = self.asked.lock().expect("not poisoned");
        asked.get(account).copied().unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Authorize {
    redirect_uri: String,
    state: String,
}

async fn authorize(query: Query<Authorize>, accounts: Data<Accounts>) -> HttpResponse {
    let account = accounts.approved.fetch_add(1, Ordering::SeqCst) + 1;
    let back = format!(
        "{}?code={account}&state={}",
        query.redirect_uri, query.state
    );
    HttpResponse::SeeOther()
        .insert_header(("Location", back))
        .finish()
}

/// The code is the account, and so is the token.
async fn token(form: web::Form<HashMap<String, String>>) -> HttpResponse {
    let account = &form["code"];
    HttpResponse::Ok().json(json!({
        "token_type": "bearer", "access_token": account, "refresh_token": account,
        "expires_in": 1800, "hub_id": account, "user_id": account,
        "scopes": "oauth crm.objects.contacts.read",
    }))
}

/// Two pages of contacts, and nothing else.
async fn list(req: HttpRequest, accounts: Data<Accounts>) -> HttpResponse {
    let bearer = req
        .headers()
        .get("authorization")
        .and_then(|it| it.to_str().ok());
    let account = bearer
        .and_then(|it| it.strip_prefix("Bearer "))
        .unwrap_or_default();
    accounts.note(account);
    match account {
        SLOW => accounts.gate.acquire().await.expect("open").forget(),
        FAILING => return HttpResponse::BadGateway().finish(),
        _ => {}
    }
    let contact = |id: u32| json!({"id": id, "properties": {"firstname": format!("Person {id}")}});
    let page: Value = match (req.match_info().query("list"), req.query_string()) {
        ("contacts", query) if query.contains("after=") => json!({"results": [contact(2)]}),
        ("contacts", _) => {
            json!({"results": [contact(1)], "paging": {"next": {"after": "2"}}})
        }
        _ => json!({"results": []}),
    };
    HttpResponse::Ok().json(page)
}

/// Approves, and the visitor with the page of the connection.
async fn connected(app: &str) -> (Visitor, String) {
    let mut visitor = Visitor::of(app);
    let consent = visitor.post("/integrations/hubspot/authorize", &[]).await;
    let back = visitor.get(consent.location()).await;
    let seen = visitor.get(back.location()).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.text());
    let connection = seen.location().to_owned();
    (visitor, connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_account_and_a_failing_one_hold_up_nobody() {
    let stores = Stores::embedded();
    let (accounts, url) = Accounts::start();
    let start = Start::on(&stores).with("CONNECT_RATE", "off");
    let _app = start.hubspot_at(&url).go().await;
    let mut slow = connected(&_app.url).await;
    let _failing = connected(&_app.url).await;
    let mut others = Vec::new();
    for _ in 2..CONNECTIONS {
        others.push(connected(&_app.url).await);
    }
    for (visitor, connection) in &mut others {
        let page = visitor.imported(connection).await;
        assert_eq!(page.texts(".run h2"), ["Import finished"]);
        assert_eq!(page.count_of(".sum b"), 2);
    }
    // The three lists of the slow one are still being asked for, for nobody has answered yet.
    assert!(accounts.asked(SLOW) >= 3);
    let page = slow.0.get(&slow.1).await;
    assert_ne!(page.texts(".run h2"), ["Import finished"]);
    assert!(accounts.asked(FAILING) > 0);
    // As if alone: nothing was asked for twice.
    for account in 3..=CONNECTIONS {
        assert_eq!(accounts.asked(&account.to_string()), 4, "{account}");
    }
    accounts.gate.add_permits(100);
    until("the slow one has finished too", async || {
        let page = slow.0.get(&slow.1).await;
        page.texts(".run h2") == ["Import finished"]
    })
    .await;
}
