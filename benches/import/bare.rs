//! The least that can be called an import: fetch a page, parse it, insert it into the same tables with
//! the same indexes. One task, no retries, nothing looked up, nothing counted.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions};
use sqlx::{Connection, Sqlite, SqliteConnection};
use tempfile::TempDir;
use tributary::store::Store;
use url::Url;

use super::import::ACCOUNT;
use super::processes::{CLIENT_ID, CLIENT_SECRET, Pair, Process, alone, sqlite};
use super::visitor::{browser, consent};

/// The lists, as the program asks for them: with the properties that a name can come from.
const LISTS: [(&str, &str, &str); 3] = [
    (
        "contacts",
        "contact",
        "firstname,lastname,email,phone,mobilephone,company",
    ),
    ("companies", "company", "name,domain"),
    ("deals", "deal", "dealname"),
];

/// What a bare loop is started with.
pub struct Order {
    sandbox: String,
    redirect: String,
    pages: usize,
}

impl Order {
    pub fn read(arguments: &[String]) -> Option<Self> {
        let [word, sandbox, redirect, pages, ..] = arguments else {
            return None;
        };
        (word == "bare").then(|| Self {
            sandbox: sandbox.clone(),
            redirect: redirect.clone(),
            pages: pages.parse().expect("pages to a transaction"),
        })
    }
}

/// What a bare loop took.
pub struct Took {
    pub items: f64,
    pub seconds: f64,
    pub cpu: f64,
    pub peak: f64,
}

impl Took {
    pub fn rate(&self) -> f64 {
        self.items / self.seconds
    }
}

/// Has another process do it.
pub fn bare(pair: &Pair, pages: usize) -> Took {
    let this = std::env::current_exe().expect("a program");
    let process = Process::start(alone(this).args([
        "bare",
        &pair.sandbox_url,
        &pair.redirect,
        &pages.to_string(),
    ]));
    let said: Vec<f64> = process
        .said
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let [items, seconds] = said[..] else {
        panic!("{}", process.said)
    };
    Took {
        items,
        seconds,
        cpu: process.cpu(),
        peak: process.peak(),
    }
}

/// Does it, and says how many items in how many seconds; then waits to be looked at and ended.
pub async fn run(order: Order) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut database = database(&folder).await;
    let http = browser();
    let token = token(&http, &order).await;
    let start = Instant::now();
    let mut loader = Loader {
        next_id: 1,
        connection: &mut database,
    };
    for (list, kind, properties) in LISTS {
        let mut after = Some(String::new());
        while after.is_some() {
            loader.begin().await;
            for _ in 0..order.pages {
                let Some(from) = &after else { break };
                let page = fetch(&http, &order, &token, list, properties, from).await;
                loader.insert(kind, &page).await;
                after = page.after();
            }
            loader.commit().await;
        }
    }
    println!("{} {}", loader.next_id - 1, start.elapsed().as_secs_f64());
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// A database as the program makes it, with a connection that items can belong to.
async fn database(folder: &TempDir) -> SqliteConnection {
    let url = sqlite(folder);
    let store = Store::open(&url.parse().expect("a location"))
        .await
        .expect("a database");
    store.close().await;
    let path = url.trim_start_matches("sqlite:");
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .expect("a connection");
    sqlx::raw_sql(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = full;
         INSERT INTO workspaces (id, name, created_at) VALUES (1, '', 0);
         INSERT INTO connections (id, workspace_id, provider, account_key, account_id, account_name, person,
            notes, scopes, state, created_at) VALUES (1, 1, 'hubspot', '', '', '', '', '', '', '', 0)",
    )
    .execute(&mut connection)
    .await
    .expect("a connection to have items");
    connection
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
}

async fn token(http: &reqwest::Client, order: &Order) -> String {
    let scopes =
        "oauth crm.objects.contacts.read crm.objects.companies.read crm.objects.deals.read";
    let asked = [
        ("client_id", CLIENT_ID),
        ("redirect_uri", order.redirect.as_str()),
        ("scope", scopes),
    ];
    let page = format!("{}/oauth/authorize", order.sandbox);
    let page = Url::parse_with_params(&page, asked).expect("an address");
    let back = Url::parse(&consent(http, page.as_str(), ACCOUNT).await).expect("an address");
    let code = back
        .query_pairs()
        .find(|(name, _)| name == "code")
        .expect("a code");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("redirect_uri", &order.redirect),
        ("code", &code.1),
    ];
    let url = format!("{}/oauth/2026-09/token", order.sandbox);
    let answer = http.post(url).form(&form).send().await.expect("an answer");
    let tokens: Tokens =
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("tokens");
    tokens.access_token
}

#[derive(Deserialize)]
struct Page {
    results: Vec<Box<RawValue>>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: String,
}

impl Page {
    fn after(&self) -> Option<String> {
        Some(self.paging.as_ref()?.next.as_ref()?.after.clone())
    }
}

async fn fetch(
    http: &reqwest::Client,
    order: &Order,
    token: &str,
    list: &str,
    properties: &str,
    after: &str,
) -> Page {
    let mut query = vec![
        ("limit", "100"),
        ("properties", properties),
        ("archived", "false"),
    ];
    if list != "companies" {
        query.push(("associations", "companies"));
    }
    if !after.is_empty() {
        query.push(("after", after));
    }
    let url = format!("{}/crm/objects/2026-09/{list}", order.sandbox);
    let url = Url::parse_with_params(&url, query).expect("an address");
    let answer = http
        .get(url)
        .bearer_auth(token)
        .send()
        .await
        .expect("an answer");
    serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("a page")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: String,
    created_at: String,
    updated_at: String,
    url: Option<String>,
    properties: Properties,
    associations: Option<Associations>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Properties {
    firstname: Option<String>,
    lastname: Option<String>,
    email: Option<String>,
    name: Option<String>,
    dealname: Option<String>,
}

#[derive(Deserialize)]
struct Associations {
    companies: Option<Associated>,
}

#[derive(Deserialize)]
struct Associated {
    results: Vec<Company>,
}

#[derive(Deserialize)]
struct Company {
    id: String,
}

impl Record {
    fn name(&self) -> String {
        let it = &self.properties;
        let whole = it.name.as_deref().or(it.dealname.as_deref());
        let parts = [it.firstname.as_deref(), it.lastname.as_deref()];
        let parts: Vec<&str> = match whole {
            Some(name) => vec![name],
            None => parts.into_iter().flatten().collect(),
        };
        match parts[..] {
            [] => it.email.clone().unwrap_or_default(),
            _ => parts.join(" "),
        }
    }

    fn company(&self) -> Option<&str> {
        let companies = self.associations.as_ref()?.companies.as_ref()?;
        Some(companies.results.first()?.id.as_str())
    }
}

struct Loader<'a> {
    next_id: i64,
    connection: &'a mut SqliteConnection,
}

impl Loader<'_> {
    async fn begin(&mut self) {
        self.execute(sqlx::query("BEGIN IMMEDIATE")).await;
    }

    async fn commit(&mut self) {
        self.execute(sqlx::query("COMMIT")).await;
    }

    async fn execute(&mut self, query: Query<'_, Sqlite, SqliteArguments>) {
        query.execute(&mut *self.connection).await.expect("a row");
    }

    /// A page in two statements, each of them prepared once for pages of that size.
    async fn insert(&mut self, kind: &str, page: &Page) {
        if page.results.is_empty() {
            return;
        }
        let rows = |row: &str| vec![row; page.results.len()].join(", ");
        let items = format!(
            "INSERT INTO items (id, connection_id, container, type, provider_id, name, created_at, modified_at,
                url, fingerprint, seen_run, parent_container, parent_kind, parent_id, sort_name) VALUES {}",
            rows("(?, 1, '', ?, ?, ?, ?, ?, ?, x'00', 1, '', 'company', ?, ?)")
        );
        let raws = format!(
            "INSERT INTO item_raws (item_id, raw) VALUES {}",
            rows("(?, ?)")
        );
        let mut insert_items = sqlx::query(sqlx::AssertSqlSafe(items));
        let mut insert_raws = sqlx::query(sqlx::AssertSqlSafe(raws));
        for raw in &page.results {
            let record: Record = serde_json::from_str(raw.get()).expect("a record");
            insert_items = insert_items
                .bind(self.next_id)
                .bind(kind)
                .bind(record.id.clone())
                .bind(record.name())
                .bind(ms(&record.created_at))
                .bind(ms(&record.updated_at))
                .bind(record.url.clone())
                .bind(record.company().map(str::to_owned))
                .bind(record.name().to_lowercase());
            insert_raws = insert_raws.bind(self.next_id).bind(raw.get().as_bytes());
            self.next_id += 1;
        }
        self.execute(insert_items).await;
        self.execute(insert_raws).await;
    }
}

fn ms(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time)
        .expect("a time")
        .timestamp_millis()
}
