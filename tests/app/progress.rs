//! Whoever watches an import sees it go on, and nobody else does.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use scraper::Html;
use tributary::sandbox::{Account, Edit, Provider, Sandbox, Turn};

use crate::support::app::{App, Start, Stores, until};
use crate::support::database::execute_at;
use crate::support::visitor::{Seen, Visitor, WATCHED};

/// Far longer than anything is waited for here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Enough for an import to be seen several times on its way.
const A_LITTLE: Duration = Duration::from_millis(30);

/// What a browser hears.
struct Events {
    answer: Response,
    heard: String,
}

#[derive(Debug)]
struct Event {
    name: Option<String>,
    data: String,
    /// Whether the browser is told when to come back.
    come_back: bool,
}

impl Events {
    async fn of(visitor: &mut Visitor, path: &str) -> Self {
        let answer = visitor.open(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        Self {
            answer,
            heard: String::new(),
        }
    }

    fn header(&self, name: &str) -> &str {
        let value = self.answer.headers().get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The next event; `None` once the answer has ended.
    async fn next(&mut self) -> Option<Event> {
        let event = tokio::time::timeout(PATIENCE, self.hear());
        event.await.expect("an event or the end")
    }

    async fn hear(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.heard.split_once("\n\n") {
                let event = event.to_owned();
                self.heard = rest.to_owned();
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(name));
                    lines.map(str::trim_start).collect::<Vec<_>>().join("\n")
                };
                let name = Some(field("event:")).filter(|name| !name.is_empty());
                let data = field("data:");
                if !data.is_empty() {
                    let come_back = !field("retry:").is_empty();
                    return Some(Event {
                        name,
                        data,
                        come_back,
                    });
                }
                continue;
            }
            let chunk = self.answer.chunk().await.ok()??;
            self.heard
                .push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    /// Everything until the end.
    async fn rest(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

/// The texts of all elements that `css` selects in a fragment.
fn texts(fragment: &str, css: &str) -> Vec<String> {
    let page = Html::parse_document(fragment);
    let selector = scraper::Selector::parse(css).expect("a selector");
    let text = |it: scraper::ElementRef<'_>| it.text().collect::<String>().trim().to_owned();
    page.select(&selector).map(text).collect()
}

/// An account that is read for a while.
async fn with_much(stores: &Stores) -> (App, Sandbox) {
    App::with_sandbox_of(stores, |options| {
        options.contacts = Some(20_000);
        options.rate = Some(10_000);
    })
    .await
}

/// Has every answer of that account come so much later.
fn slow_down(sandbox: &Sandbox, by: Duration) {
    sandbox.dial(Provider::HubSpot, Account::TenThousand, Turn::Slow(by));
}

/// Connects it, and holds its import still before its end.
async fn held_up(ada: &mut Visitor, sandbox: &Sandbox) -> (String, String) {
    let connection = ada.connect("10k").await;
    slow_down(sandbox, Duration::from_secs(30));
    let import = import_of(ada, &connection).await;
    (connection, import)
}

/// The address of the import that is on.
async fn import_of(visitor: &mut Visitor, connection: &str) -> String {
    let mut address = None;
    until("an import is on", async || {
        let page = visitor.get(connection).await;
        address = page.attribute(".run-head a", "href");
        page.count(WATCHED) == 1 && address.is_some()
    })
    .await;
    address.expect("an address")
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_ends_with_how_the_import_ended() {
    let stores = Stores::embedded();
    let (app, sandbox) = with_much(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("10k").await;
    slow_down(&sandbox, A_LITTLE);
    let import = import_of(&mut ada, &connection).await;

    let events = Events::of(&mut ada, &format!("{import}/events")).await;
    assert!(
        events
            .header("content-type")
            .starts_with("text/event-stream")
    );
    assert_eq!(events.header("cache-control"), "no-store");
    assert_eq!(events.header("x-accel-buffering"), "no");
    let heard = events.rest().await;
    let (done, shown) = heard.split_last().expect("some events");
    assert_eq!(done.name.as_deref(), Some("done"));
    assert!(shown.len() > 1 && shown.iter().all(|event| event.name.is_none()));
    assert!(
        shown.windows(2).all(|two| two[0].data != two[1].data),
        "only what has changed"
    );
    let headline = |event: &Event| texts(&event.data, "h1");
    assert_eq!(
        headline(&shown[0]),
        ["Importing from HubSpot"],
        "the first has the whole state"
    );
    assert_eq!(headline(&shown[shown.len() - 1]), ["Import finished"]);
    assert_eq!(texts(&shown[shown.len() - 1].data, "dd")[0], "26,000");

    // One that is over is told in one message; so is it on the connection's page.
    let heard = Events::of(&mut ada, &format!("{import}/events"))
        .await
        .rest()
        .await;
    assert_eq!(heard.len(), 2, "{heard:?}");
    let heard = Events::of(&mut ada, &format!("{connection}/events"))
        .await
        .rest()
        .await;
    assert!(
        heard[0].data.contains("26,000") && heard.len() == 2,
        "{heard:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_tells_of_every_card_and_only_of_what_changes() {
    let stores = Stores::embedded();
    let (app, sandbox) = with_much(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let still = ada.connect("small").await;
    ada.imported(&still).await;
    let connection = ada.connect("10k").await;
    slow_down(&sandbox, A_LITTLE);
    import_of(&mut ada, &connection).await;
    let dashboard = ada.get("/").await;
    assert_eq!(
        dashboard.attributes(WATCHED, "hx-sse:connect"),
        ["/imports/events"]
    );
    assert!(
        dashboard
            .texts("main button")
            .contains(&"Cancel".to_owned())
    );

    let heard = Events::of(&mut ada, "/imports/events").await.rest().await;
    let (first, later) = heard.split_first().expect("an event");
    assert_eq!(texts(&first.data, "#cards .connections li").len(), 2);
    let (done, later) = later.split_last().expect("a last event");
    assert_eq!(done.name.as_deref(), Some("done"));
    let id = connection.rsplit('/').next().expect("an id");
    let target = format!("hx-target=\"#connection-{id}\"");
    assert!(later.iter().any(|event| event.data.contains(&target)));
    // What is said of a time ago changes by itself, so the other card may come too, but none comes as it was.
    let mut shown: HashMap<&str, &str> = HashMap::new();
    for part in later
        .iter()
        .flat_map(|event| event.data.split("<hx-partial ").skip(1))
    {
        let (target, line) = part.split_once('>').unwrap_or_default();
        assert_ne!(shown.insert(target, line), Some(line), "{target}");
    }
    let last = &later.last().expect("what came last").data;
    assert!(
        last.contains("26,000") && last.contains("Import now"),
        "{last}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_tells_of_it_too() {
    let stores = Stores::scaled().await;
    let (app, sandbox) = with_much(&stores).await;
    let other = Start::on(&stores).beside(&app).go().await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("10k").await;
    slow_down(&sandbox, A_LITTLE);
    let import = import_of(&mut ada, &connection).await;
    let heard = Events::of(&mut ada.at(&other.url), &format!("{import}/events")).await;
    let heard = heard.rest().await;
    assert!(heard.len() > 2, "{heard:?}");
    assert_eq!(
        heard.last().and_then(|event| event.name.as_deref()),
        Some("done")
    );
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_hears_nothing_and_a_visitor_is_sent_away() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    let import = import_of(&mut ada, &connection).await;
    let mut eve = Visitor::of(&app.url);
    eve.connect("empty").await;
    for address in [&import, &connection] {
        let events = format!("{address}/events");
        assert_eq!(eve.get(&events).await.status, StatusCode::NOT_FOUND);
        let seen = Visitor::of(&app.url).get(&events).await;
        assert_eq!((seen.status, seen.location()), (StatusCode::SEE_OTHER, "/"));
    }
    assert_eq!(
        eve.get("/imports/9999/events").await.status,
        StatusCode::NOT_FOUND
    );
    let seen = Visitor::of(&app.url).get("/imports/events").await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_hears_no_more() {
    let stores = Stores::embedded();
    let (app, sandbox) = with_much(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let (connection, import) = held_up(&mut ada, &sandbox).await;
    let mut tabs = Vec::new();
    for address in [import, connection, "/imports".into()] {
        let mut tab = Events::of(&mut ada, &format!("{address}/events")).await;
        assert_eq!(tab.next().await.expect("the whole state").name, None);
        tabs.push(tab);
    }
    ada.clone().post("/sessions/end-all", &[]).await;
    for tab in tabs {
        let heard = tab.rest().await;
        let (done, told) = heard.split_last().expect("a last event");
        assert_eq!(done.name.as_deref(), Some("done"));
        let told = &told.last().expect("a word about it").data;
        assert!(
            told.contains("#alerts") && told.contains("signed in"),
            "{told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_keeps_nobody_and_has_them_come_back() {
    let stores = Stores::embedded();
    let (app, sandbox) = with_much(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let (_connection, import) = held_up(&mut ada, &sandbox).await;
    let mut tab = Events::of(&mut ada, &format!("{import}/events")).await;
    tab.next().await.expect("the whole state");
    let begun = Instant::now();
    let (heard, ()) = tokio::join!(tab.rest(), app.stop());
    assert!(heard.iter().all(|event| event.name.is_none()), "{heard:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_very_many_streams_gets_what_there_is_and_comes_back() {
    let stores = Stores::embedded();
    let (app, sandbox) = with_much(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let (_connection, import) = held_up(&mut ada, &sandbox).await;
    let events = format!("{import}/events");
    let mut open = Vec::new();
    for _ in 0..12 {
        let mut tab = Events::of(&mut ada, &events).await;
        tab.next().await.expect("the whole state");
        open.push(tab);
    }
    let further = ada.get(&events).await;
    assert!(
        further.body.starts_with("retry: 5000\ndata:"),
        "{}",
        further.body
    );
    assert!(!further.body.contains("event: done"));
    // Whoever leaves makes room, though nothing new has been said to them.
    open.clear();
    until("there is room again", async || {
        let mut tab = Events::of(&mut ada, &events).await;
        !tab.next().await.expect("the whole state").come_back
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_off_a_page_asks_again_while_an_import_is_on_and_only_then() {
    let stores = Stores::embedded();
    let (app, sandbox) = with_much(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let (connection, import) = held_up(&mut ada, &sandbox).await;
    let refreshes = async |ada: &mut Visitor, path: &str| {
        let page = ada.get(path).await.body;
        let head = page.split("</head>").next().expect("a head");
        head.contains("<noscript><meta http-equiv=\"refresh\"")
    };
    for path in [&import, &connection, "/"] {
        assert!(refreshes(&mut ada, path).await, "{path}");
        assert_eq!(ada.get(path).await.count(WATCHED), 1, "{path}");
    }
    ada.post(&format!("{import}/cancel"), &[]).await;
    for path in [&import, &connection, "/"] {
        assert!(!refreshes(&mut ada, path).await, "{path}");
        assert_eq!(ada.get(path).await.count(WATCHED), 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_of_the_rate_is_shown_while_an_import_is_on() {
    let stores = Stores::embedded();
    let (app, sandbox) = with_much(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let (_connection, import) = held_up(&mut ada, &sandbox).await;
    for path in [&import, "/"] {
        until("it says what is used", async || {
            let text = ada.get(path).await.text();
            text.contains(" calls in 10 seconds")
        })
        .await;
    }
    ada.post(&format!("{import}/cancel"), &[]).await;
    let page = ada.get(&import).await;
    assert!(!page.texts("dt").contains(&"Rate used".to_owned()));
}

/// The numbers of the history's rows, by the words of its head.
fn column(page: &Seen, name: &str) -> Vec<String> {
    page.texts(&format!(".history [data-name={name}]"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_says_of_every_import_what_it_brought() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let edit = Turn::Records("contacts", Edit::Change(3));
    sandbox.dial(Provider::HubSpot, Account::Small, edit);
    let id = connection.rsplit('/').next().expect("an id").to_owned();
    let again = [("connection", id.as_str()), ("full", "1")];
    ada.post("/integrations/hubspot/load", &again).await;
    let page = ada.imported(&connection).await;
    assert_eq!(column(&page, "added"), ["0", "156"]);
    assert_eq!(column(&page, "changed"), ["3", "0"]);
    assert_eq!(column(&page, "unchanged"), ["153", "0"]);
    for nothing in ["removed", "skipped"] {
        assert_eq!(column(&page, nothing), ["0", "0"]);
    }
    assert!(column(&page, "calls").iter().all(|calls| calls != "0"));
    assert_eq!(column(&page, "coverage"), ["Complete", "Complete"]);
    assert_eq!(
        page.texts(".history .c-cause"),
        ["By hand, everything", "Connected"]
    );
    let report = page
        .attribute(".history .c-name a", "href")
        .expect("a link");
    assert_eq!(ada.get(&report).await.texts("h1"), ["Import finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_goes_back_page_by_page() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 44)
        INSERT INTO runs (connection_id, cause, \"full\", state, created_at, started_at, finished_at)
        SELECT 1, 'schedule', FALSE, 'done', i, i, i + 1 FROM n";
    execute_at(&stores.settings[0].1, many).await;
    let page = ada.get(&connection).await;
    assert_eq!(page.count(".history .c-name"), 20);
    let mut seen = page.attributes(".history .c-name a", "href");
    let mut next = page.attribute("a#more", "href");
    while let Some(path) = next {
        let (page, part) = (ada.get(&path).await, ada.fragment(&path).await);
        assert!(page.body.contains("<!doctype html>") && !part.body.contains("<!doctype html>"));
        seen.extend(page.attributes(".history .c-name a", "href"));
        next = page.attribute("a#more", "href");
    }
    let mut newest_first = seen.clone();
    newest_first.sort_by_key(|path| {
        std::cmp::Reverse(
            path.rsplit('/')
                .next()
                .and_then(|id| id.parse::<i64>().ok()),
        )
    });
    newest_first.dedup();
    assert_eq!((seen.len(), seen), (45, newest_first));
    let bad = ada.get(&format!("{connection}/imports?before=x")).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
}
