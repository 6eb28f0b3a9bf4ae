//! How long a page of the list takes at a million items, under every filter, order and search.
//!
//!     cargo bench --bench list                      # SQLite, and PostgreSQL where TEST_POSTGRES_URL says one
//!     ITEMS=100000 cargo bench --bench list
//!     ONLY=q=ad cargo bench --bench list            # the cases whose names have this in them
//!     KEEP=folder cargo bench --bench list          # fills the SQLite files there once, and uses them again,
//!                                                   # as it does PostgreSQL's databases
//!
//! Prints the 95th percentile of each case and ends with 1 where one misses its bar: 50 ms for a single
//! filter, order or search, 250 ms for any combination, and for the plain page 1.5 times what it takes at
//! a thousand items. Counting, which every page does beside its rows, is timed with them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::value::RawValue;
use sqlx::{Connection, PgConnection};
use tributary::item::{ConnectionId, Item, Parent, UserId, WorkspaceId, words};
use tributary::store::{
    Above, Approver, Cause, Filters, Identity, ItemKey, ListQuery, Location, NewConnection,
    NewPerson, Sort, SortBy, Store,
};

const SINGLE: Duration = Duration::from_millis(50);
const COMBINED: Duration = Duration::from_millis(250);
const ROUNDS: usize = 20;
const PAGE: usize = 1_000;

#[tokio::main]
async fn main() {
    let items: usize = setting("ITEMS").unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let mut missed = false;
    let folder = setting::<PathBuf>("KEEP").unwrap_or_else(|| folder.path().into());
    let path = |n: usize| Location::Sqlite(folder.join(format!("{n}.db")));
    if setting::<u8>("SKIP_SQLITE").is_none() {
        missed |= compare("SQLite", path(1_000), path(items), items).await;
    }
    if let Some(server) = setting::<String>("TEST_POSTGRES_URL") {
        let small = postgres(&server, "list_1000").await;
        let large = postgres(&server, &format!("list_{items}")).await;
        missed |= compare("PostgreSQL", small, large, items).await;
    }
    std::process::exit(i32::from(missed));
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

async fn postgres(server: &str, name: &str) -> Location {
    let mut connection = PgConnection::connect(server).await.expect("PostgreSQL");
    let is_kept = setting::<PathBuf>("KEEP").is_some() && {
        let known = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(name);
        let known = known.fetch_optional(&mut connection).await;
        known.expect("an answer").is_some()
    };
    let anew = [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ];
    for sql in anew.into_iter().filter(|_| !is_kept) {
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut connection)
            .await;
        done.expect("a database");
    }
    let (address, _) = server.rsplit_once('/').expect("an address with a database");
    format!("{address}/{name}").parse().expect("an address")
}

/// Whether a bar was missed.
async fn compare(name: &str, small: Location, large: Location, items: usize) -> bool {
    println!("{name}");
    let small = World::fill(&small, 1_000).await;
    let large = World::fill(&large, items).await;
    let plain = small.p95(&small.query()).await;
    let mut missed = false;
    let only: String = setting("ONLY").unwrap_or_default();
    let mut cases = large.cases(plain);
    cases.retain(|(case, ..)| case.contains(&only));
    for (case, query, bar) in cases {
        let (rows, p95) = (large.rows(&query).await, large.p95(&query).await);
        missed |= misses(&format!("{case} ({rows} rows)"), p95, bar);
    }
    let item = large.p95_of_an_item().await;
    missed | misses("an item by its id", item, SINGLE)
}

/// Prints a case, and says whether it missed its bar.
fn misses(case: &str, p95: Duration, bar: Duration) -> bool {
    let over = p95 > bar;
    println!(
        "{:>9.2} ms of {:>6.2}  {} {case}",
        p95.as_secs_f64() * 1e3,
        bar.as_secs_f64() * 1e3,
        if over { "MISSED" } else { "      " },
    );
    over
}

struct World {
    store: Store,
    connections: Vec<ConnectionId>,
    items: usize,
}

const FIRST: [&str; 40] = [
    "Ada",
    "Alan",
    "Barbara",
    "Claude",
    "Dennis",
    "Edsger",
    "Frances",
    "Grace",
    "Hedy",
    "Ivan",
    "Jean",
    "Katherine",
    "Linus",
    "Margaret",
    "Niklaus",
    "Olga",
    "Peter",
    "Radia",
    "Sophie",
    "Tim",
    "Ursula",
    "Vint",
    "Whitfield",
    "Xia",
    "Yukihiro",
    "Zoë",
    "Øyvind",
    "Émile",
    "Łukasz",
    "Σοφία",
    "Иван",
    "王",
    "李",
    "김",
    "Ahmed",
    "Priya",
    "Chidi",
    "Aiko",
    "Mehmet",
    "José",
];
const LAST: [&str; 50] = [
    "Lovelace",
    "Turing",
    "Liskov",
    "Shannon",
    "Ritchie",
    "Dijkstra",
    "Allen",
    "Hopper",
    "Lamarr",
    "Sutherland",
    "Bartik",
    "Johnson",
    "Torvalds",
    "Hamilton",
    "Wirth",
    "Ladyzhenskaya",
    "Naur",
    "Perlman",
    "Wilson",
    "Lee",
    "Franklin",
    "Cerf",
    "Diffie",
    "Zhang",
    "Matsumoto",
    "Müller",
    "Nygaard",
    "Straße",
    "Kowalski",
    "Kovalevskaya",
    "小明",
    "伟",
    "민준",
    "Hassan",
    "Sharma",
    "Okafor",
    "Tanaka",
    "Yılmaz",
    "García",
    "O’Neill",
    "van Rossum",
    "de Morgan",
    "Smith",
    "Brown",
    "Jones",
    "Miller",
    "Davis",
    "Lopez",
    "Moore",
    "Clark",
];

impl World {
    /// A workspace with three accounts: most of it contacts, some companies that they stand in, few deals.
    async fn fill(at: &Location, items: usize) -> Self {
        let store = Store::open(at).await.expect("a store");
        let begun = Instant::now();
        let kept = store.connections(WorkspaceId(1)).await.expect("an answer");
        if !kept.is_empty() {
            let connections = kept.iter().map(|connection| connection.id).collect();
            list_names(&store).await;
            return Self {
                store,
                connections,
                items,
            };
        }
        let connections = connect(&store).await;
        for (n, from) in (0..items).step_by(PAGE).enumerate() {
            let connection = connections[[0, 0, 0, 1, 2][n % 5]];
            let page: Vec<Item> = (from..items.min(from + PAGE))
                .map(|n| item(n, items))
                .collect();
            let mut tx = store.begin().await.expect("a transaction");
            let run = store
                .latest_run(connection)
                .await
                .expect("an answer")
                .expect("a run")
                .id;
            tx.save_items(connection, run, &page).await.expect("a page");
            tx.commit().await.expect("a commit");
        }
        println!(
            "{items} items stored in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        list_names(&store).await;
        Self {
            store,
            connections,
            items,
        }
    }

    fn query(&self) -> ListQuery {
        let filters = Filters {
            connections: self.connections.clone(),
            ..Filters::default()
        };
        ListQuery {
            filters,
            sort: Sort::default(),
            after: None,
            limit: 50,
        }
    }

    /// Every case with its bar.
    fn cases(&self, plain: Duration) -> Vec<(String, ListQuery, Duration)> {
        let mut cases = Vec::new();
        let mut case = |name: &str, bar, change: &dyn Fn(&mut ListQuery)| {
            let mut query = self.query();
            change(&mut query);
            cases.push((name.to_owned(), query, bar));
        };
        case(
            "plain page, at most 1.5 × that of 1,000",
            plain.mul_f64(1.5),
            &|_| {},
        );
        for (name, change) in self.singles() {
            case(&name, SINGLE, &*change);
        }
        let singles = self.singles();
        for (at, (one, change)) in singles.iter().enumerate() {
            for (other, further) in &singles[at + 1..] {
                case(&format!("{one} + {other}"), COMBINED, &|query| {
                    change(query);
                    further(query);
                });
            }
        }
        cases
    }

    #[allow(clippy::type_complexity)]
    fn singles(&self) -> Vec<(String, Box<dyn Fn(&mut ListQuery)>)> {
        let mut singles: Vec<(String, Box<dyn Fn(&mut ListQuery)>)> = Vec::new();
        for (name, by, descending) in [
            ("modified", SortBy::Modified, false),
            ("-created", SortBy::Created, true),
            ("created", SortBy::Created, false),
            ("name", SortBy::Name, false),
            ("-name", SortBy::Name, true),
        ] {
            let sort = Sort { by, descending };
            singles.push((
                format!("sort={name}"),
                Box::new(move |query| query.sort = sort),
            ));
        }
        let one = self.connections[1];
        singles.push((
            "connection".into(),
            Box::new(move |query| query.filters.connections = vec![one]),
        ));
        for kind in ["contact", "company", "deal"] {
            singles.push((
                format!("type={kind}"),
                Box::new(move |query| query.filters.kind = Some(kind.into())),
            ));
        }
        // A usual parent, one with a tenth of all, and one whose children are the oldest.
        for parent in ["17", "big", "old", "nobody"] {
            let above = Above {
                id: parent.into(),
                container: None,
            };
            singles.push((
                format!("parent={parent}"),
                Box::new(move |query| query.filters.parent = Some(above.clone())),
            ));
        }
        for percent in [0, 1, 50, 99] {
            let since = modified(self.items * percent / 100);
            singles.push((
                format!("modified_since {percent} %"),
                Box::new(move |query| query.filters.modified_since = since),
            ));
        }
        for q in [
            "a",
            "王",
            "zz",
            "ad",
            "ada",
            "lovelace",
            "grace hopper",
            "ovelac ra",
            "9999",
            "00042",
            "nowhere",
            "straße",
            "import of",
            "小明",
            "7",
            "contact 1",
        ] {
            singles.push((
                format!("q={q}"),
                Box::new(move |query| query.filters.words = words(q)),
            ));
        }
        singles.push(("gone=1".into(), Box::new(|query| query.filters.gone = true)));
        singles.push((
            "deep in the list".into(),
            Box::new(|query| {
                query.after =
                    serde_json::from_str(r#"{"at":1650000000000,"name":"margaret","id":500000}"#)
                        .ok();
            }),
        ));
        singles
    }

    async fn rows(&self, query: &ListQuery) -> usize {
        self.store.list(query).await.expect("a page").rows.len()
    }

    /// A page as the web makes it: its rows, the counts beside them, and what its parent is called.
    async fn p95(&self, query: &ListQuery) -> Duration {
        p95(async |_| {
            let (span, _) = self.store.list_and_counts(query).await.expect("a page");
            let ids: Vec<i64> = span.rows.iter().map(|row| row.id).collect();
            self.store.paths(&ids).await.expect("paths");
            if let Some(above) = &query.filters.parent {
                let name = self.store.name_above(&query.filters.connections, above);
                name.await.expect("a name or none");
            }
        })
        .await
    }

    async fn p95_of_an_item(&self) -> Duration {
        let workspace = self.store.any_connection(self.connections[0]).await;
        let workspace = workspace.expect("an answer").expect("a connection");
        p95(async |round| {
            let key = ItemKey {
                connection: self.connections[0],
                kind: "contact",
                id: &(round * 97).to_string(),
                container: None,
            };
            let item = self.store.item(workspace.workspace_id, &key).await;
            item.expect("an answer");
        })
        .await
    }
}

async fn p95(mut once: impl AsyncFnMut(usize)) -> Duration {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let begun = Instant::now();
        once(round).await;
        times.push(begun.elapsed());
    }
    times.sort();
    times[ROUNDS * 95 / 100 - 1]
}

/// Lists the names that are not listed yet.
async fn list_names(store: &Store) {
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    loop {
        let step = Instant::now();
        if store.list_some_names().await.expect("names") {
            longest = longest.max(step.elapsed());
        } else if store.names_left().await.expect("an answer") == 0 {
            break;
        } else {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    println!(
        "names listed in {:.1} s, longest step {longest:.0?}",
        begun.elapsed().as_secs_f64()
    );
}

async fn connect(store: &Store) -> Vec<ConnectionId> {
    let identity = Identity {
        subject: "bench".into(),
        provider: "hubspot",
        account_id: "1".into(),
        email: None,
    };
    let new = NewPerson {
        name: "Ada",
        identity: &identity,
    };
    let mut tx = store.begin().await.expect("a transaction");
    let known = tx.add_person(new).await.expect("a person");
    let mut connections = Vec::new();
    for key in ["one", "two", "three"] {
        let approver = Approver {
            user: UserId(1),
            subject: None,
            email: None,
            name: "Ada",
        };
        let new = NewConnection {
            workspace: known.workspace,
            provider: "hubspot",
            account_key: key,
            account_id: key,
            account_name: key,
            approver,
            notes: "",
            scopes: &[],
        };
        connections.push(tx.approve(&new).await.expect("an approval").connection);
    }
    tx.commit().await.expect("a commit");
    for connection in &connections {
        store
            .queue_run(*connection, Cause::Hand, true)
            .await
            .expect("a run");
    }
    connections
}

/// Made one after the other, changed about a year later, some at the same moment.
fn item(n: usize, of: usize) -> Item {
    let kind = match n % 100 {
        0 => "deal",
        1..=9 => "company",
        _ => "contact",
    };
    let mixed = n.wrapping_mul(2_654_435_761) >> 7;
    let name = match n {
        // The oldest came from one file, and have not been looked at since.
        _ if n * 20 < of => format!("Import of 2019, line {n:06}"),
        _ if mixed.is_multiple_of(7) => format!("Contact {n}"),
        _ => format!(
            "{} {} {}",
            FIRST[mixed % 40],
            LAST[mixed / 40 % 50],
            mixed % 1_000
        ),
    };
    let parent = match n {
        _ if n * 20 < of => "old".to_owned(),
        _ if mixed.is_multiple_of(10) => "big".to_owned(),
        _ => (mixed % 20_000).to_string(),
    };
    let parent = Parent {
        container: String::new(),
        kind: "company",
        id: parent,
    };
    Item {
        container: String::new(),
        kind,
        id: n.to_string(),
        name,
        created: modified(n).map(|time| time - TimeDelta::days(365)),
        modified: modified(n),
        url: Some(format!(
            "https://app.hubspot.test/contacts/1/record/0-1/{n}"
        )),
        parent: (kind == "contact").then_some(parent),
        raw: RawValue::from_string(format!(
            r#"{{"id":"{n}","properties":{{"email":"{n}@example.test","phone":null}}}}"#
        ))
        .expect("JSON"),
        substance: None,
    }
}

fn modified(n: usize) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(1_600_000_000_000 + (n / 3) as i64 * 300_000)
}
