//! Ledger itself: a consent form, tokens that rotate without grace, and a list of entries.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Form, Query};
use actix_web::{HttpRequest, HttpResponse, HttpServer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::app::{CLIENT_ID, CLIENT_SECRET};

/// Entries on a page.
const PAGE: usize = 7;

/// What it knows.
#[derive(Default)]
pub struct Book {
    /// Id, text, and when it was last changed.
    pub entries: Vec<(usize, String, i64)>,
    /// How often tokens were issued; the last ones count.
    issued: u32,
    pub refuses_access: bool,
    pub revoked: bool,
    /// The status of the next answers, in place of what was asked for.
    pub troubles: Vec<u16>,
    pub calls: u64,
    pub token_requests: u64,
}

#[derive(Clone)]
pub struct LedgerServer {
    pub url: String,
    book: Arc<Mutex<Book>>,
}

impl LedgerServer {
    pub fn start(entries: usize) -> Self {
        let book = Book {
            entries: (1..=entries)
                .map(|n| (n, format!("Entry No. {n}"), 0))
                .collect(),
            ..Book::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server = Self {
            url: format!("http://{}", listener.local_addr().expect("a port")),
            book: Arc::new(Mutex::new(book)),
        };
        let data = Data::new(server.clone());
        let running = HttpServer::new(move || {
            actix_web::App::new()
                .app_data(data.clone())
                .route("/authorize", web::post().to(decide))
                .route("/token", web::post().to(token))
                .route("/me", web::get().to(me))
                .route("/entries", web::get().to(entries_list))
        });
        let running = running.workers(1).disable_signals().listen(listener);
        tokio::spawn(running.expect("it listens").run());
        server
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panics")
    }
}

#[derive(Deserialize)]
struct Ask {
    redirect_uri: String,
    state: String,
}

#[derive(Deserialize)]
struct Decision {
    decision: String,
}

async fn decide(ask: Query<Ask>, form: Form<Decision>) -> HttpResponse {
    let answer = match form.decision.as_str() {
        "approve" => "code=once",
        _ => "error=access_denied",
    };
    let back = format!("{}?{answer}&state={}", ask.redirect_uri, ask.state);
    HttpResponse::SeeOther()
        .insert_header(("Location", back))
        .finish()
}

fn header<'a>(req: &'a HttpRequest, name: &str) -> Option<&'a str> {
    req.headers().get(name)?.to_str().ok()
}

async fn token(req: HttpRequest, form: Form<Value>, ledger: Data<LedgerServer>) -> HttpResponse {
    let mut book = ledger.book();
    book.token_requests += 1;
    let refused = |error| HttpResponse::BadRequest().json(json!({ "error": error }));
    let known = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    if header(&req, "authorization") != Some(&format!("Basic {known}")) {
        return HttpResponse::Unauthorized().json(json!({"error": "invalid_client"}));
    }
    if header(&req, "ledger-version") != Some("1") {
        return refused("no_version");
    }
    let refreshes = form["grant_type"] == "refresh_token";
    let current = format!("refresh-{}", book.issued);
    if refreshes && (book.revoked || form["refresh_token"] != current) {
        return refused("invalid_grant");
    }
    if !refreshes && (form["code"] != "once" || form["code_verifier"].is_null()) {
        return refused("invalid_grant");
    }
    book.issued += 1;
    book.refuses_access = false;
    if !refreshes {
        book.revoked = false;
    }
    let issued = book.issued;
    HttpResponse::Ok().json(json!({
        "access_token": format!("access-{issued}"), "refresh_token": format!("refresh-{issued}"),
        "token_type": "bearer", "expires_in": 3600, "scope": "entries:read",
    }))
}

/// Why a call is not answered, if it is not.
fn refusal(req: &HttpRequest, book: &mut Book) -> Option<HttpResponse> {
    book.calls += 1;
    let good = format!("Bearer access-{}", book.issued);
    if book.refuses_access || book.revoked || header(req, "authorization") != Some(&good) {
        return Some(HttpResponse::Unauthorized().finish());
    }
    if header(req, "ledger-version") != Some("1") {
        return Some(HttpResponse::BadRequest().finish());
    }
    let status = book.troubles.pop()?;
    let status = StatusCode::from_u16(status).expect("a status");
    Some(
        HttpResponse::build(status)
            .insert_header(("Retry-After", "0"))
            .finish(),
    )
}

async fn me(req: HttpRequest, ledger: Data<LedgerServer>) -> HttpResponse {
    if let Some(refusal) = refusal(&req, &mut ledger.book()) {
        return refusal;
    }
    HttpResponse::Ok().json(json!({"book": "b1", "title": "Big book", "keeper": "kim@ledger.test"}))
}

#[derive(Deserialize)]
struct Wanted {
    after: Option<usize>,
    since: Option<i64>,
}

async fn entries_list(
    req: HttpRequest,
    wanted: Query<Wanted>,
    ledger: Data<LedgerServer>,
) -> HttpResponse {
    let mut book = ledger.book();
    if let Some(refusal) = refusal(&req, &mut book) {
        return refusal;
    }
    let after = wanted.after.unwrap_or(0);
    let since = wanted.since.unwrap_or(i64::MIN);
    let left = book
        .entries
        .iter()
        .filter(|(id, _, changed)| *id > after && *changed >= since);
    let page: Vec<_> = left.take(PAGE).collect();
    let next = page
        .last()
        .filter(|_| page.len() == PAGE)
        .map(|(id, ..)| id.to_string());
    let entry = |(id, text, changed): &&(usize, String, i64)| json!({"id": id.to_string(), "text": text, "changed": changed});
    let entries: Vec<Value> = page.iter().map(entry).collect();
    HttpResponse::Ok().json(json!({ "entries": entries, "next": next }))
}

impl Book {
    /// Changes the first so many entries.
    pub fn change(&mut self, count: usize) {
        let now = Utc::now().timestamp_millis();
        for (_, text, changed) in self.entries.iter_mut().take(count) {
            text.push_str(" (changed)");
            *changed = now;
        }
    }

    /// Deletes the last so many.
    pub fn delete(&mut self, count: usize) {
        let left = self.entries.len().saturating_sub(count);
        self.entries.truncate(left);
    }

    /// Adds so many.
    pub fn add(&mut self, count: usize) {
        let now = Utc::now().timestamp_millis();
        for _ in 0..count {
            let id = self.entries.len() + 1;
            self.entries.push((id, format!("Entry No. {id}"), now));
        }
    }
}
