//! The first way through the product, as a person goes it in Chromium.

use std::time::Duration;

use tributary::sandbox::{Account, Provider, Turn};

use crate::support::app::{App, PROVIDERS, Start, Stores, sandbox_for, until};
use crate::support::browser::{Browser, Look};
use crate::support::database::execute_at;
use crate::support::visitor::Visitor;

/// From the welcome page through the sandbox's consent to the list, in this browser.
async fn connects_and_sees_the_list(look: Look, name: &str) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let browser = Browser::open(look).await;

    browser.goto(&app.url).await;
    browser.screenshot(&format!("{name}-1-welcome")).await;
    browser.press("Connect HubSpot").await;
    browser.see("Sandbox").await;
    browser.screenshot(&format!("{name}-2-consent")).await;
    browser.choose("account", "small").await;
    browser.press("Approve").await;

    browser.see("Import finished").await;
    browser.see("156").await;
    browser.see("mara@smalloffice.example").await;
    browser.screenshot(&format!("{name}-3-connection")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());

    browser.goto(&app.url).await;
    browser.see("HubSpot connected").await;
    browser.screenshot(&format!("{name}-4-dashboard")).await;
    browser.press_in("nav", "Items").await;
    browser.see("156 in all").await;
    browser.screenshot(&format!("{name}-5-items")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    assert!(browser.count("table.list tbody th").await >= 50);

    // Names are text, whatever is in them.
    assert_eq!(browser.count("table.list script, table.list img").await, 0);
    assert_eq!(browser.console_errors().await, Vec::<String>::new());

    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_somebody_connects_and_sees_the_list() {
    connects_and_sees_the_list(Look::default(), "scripts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_somebody_connects_and_sees_the_list() {
    connects_and_sees_the_list(
        Look {
            scripts: false,
            ..Look::default()
        },
        "plain",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_in_the_dark_somebody_connects_and_sees_the_list() {
    let look = Look {
        width: 360,
        height: 740,
        dark: true,
        ..Look::default()
    };
    connects_and_sees_the_list(look, "phone-dark").await;
}

/// Connects the small account, and waits until it is imported.
async fn connect(browser: &Browser, app: &App) {
    browser.goto(&app.url).await;
    browser.press("Connect HubSpot").await;
    browser.press("Approve").await;
    browser.see("Import finished").await;
}

/// Every name once: by "Load more" in place with scripts, by its link without.
async fn loads_more_to_the_end(look: Look) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let scripts = look.scripts;
    let browser = Browser::open(look).await;
    connect(&browser, &app).await;
    browser.goto(&format!("{}/items", app.url)).await;

    browser.press("Load more").await;
    if scripts {
        browser.see_count("table.list tbody th", 100).await;
    } else {
        browser.see_count("table.list tbody th", 50).await;
    }
    browser.press("Load more").await;
    let so_far = if scripts { 150 } else { 50 };
    browser.see_count("table.list tbody th", so_far).await;
    browser.press("Load more").await;
    browser.see("That is everything.").await;
    let all = if scripts { 156 } else { 6 };
    browser.see_count("table.list tbody th", all).await;
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_the_list_grows_in_place() {
    loads_more_to_the_end(Look::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_the_next_page_is_a_page() {
    loads_more_to_the_end(Look {
        scripts: false,
        ..Look::default()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_is_back_where_they_were_and_told_so() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let browser = Browser::open(Look::default()).await;
    browser.goto(&app.url).await;
    browser.press("Connect HubSpot").await;
    browser.press("Decline").await;
    browser.see("not connected: you declined").await;
    browser.see("Connect HubSpot").await;
    browser.screenshot("declined").await;
    app.stop().await;
    sandbox.stop().await;
}

/// The pictures somebody looks at before they say that a page is done.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_seen_while_it_runs() {
    let stores = Stores::embedded();
    // A small budget, so that the import is still on when the page is looked at.
    let (app, sandbox) = App::with_sandbox_of(&stores, |options| options.rate = Some(4)).await;
    let browser = Browser::open(Look {
        dark: true,
        ..Look::default()
    })
    .await;
    browser.goto(&app.url).await;
    browser.press("Connect HubSpot").await;
    browser.choose("account", "10k").await;
    browser.press("Approve").await;
    browser.see("Importing from HubSpot").await;
    browser.see_at("table.list tbody th").await;
    browser.screenshot("running").await;
    app.stop().await;
    sandbox.stop().await;
}

/// A grant that was ended, its reconnection, one's sign-ins, and the way out.
async fn reconnects_and_disconnects(look: Look, name: &str) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let browser = Browser::open(look).await;
    connect(&browser, &app).await;
    sandbox.revoke_all();
    browser.press("Import now").await;
    browser.see("HubSpot has ended this approval").await;
    browser.screenshot(&format!("{name}-6-reconnect")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.goto(&app.url).await;
    browser.see("Import failed").await;
    browser.screenshot(&format!("{name}-6-dashboard")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.goto(&format!("{}/items", app.url)).await;
    browser.see("has ended the approval of Small Office").await;
    browser.screenshot(&format!("{name}-6-items")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.press("Reconnect").await;
    browser.press("Approve").await;
    browser.see("Import finished").await;

    browser.goto(&app.url).await;
    browser.press("Small Office").await;
    browser.open_details("Details of this connection").await;
    browser.screenshot(&format!("{name}-8-details")).await;
    browser.press("Disconnect").await;
    browser.see("156 items removed").await;
    browser.screenshot(&format!("{name}-9-receipt")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.press("Audit trail").await;
    browser.see("disconnected HubSpot Small Office").await;
    browser.screenshot(&format!("{name}-10-audit")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}

/// A second account becomes a second way in, and stops being one.
async fn keeps_their_ways_in(look: Look, name: &str) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let browser = Browser::open(look).await;
    connect(&browser, &app).await;
    browser.goto(&app.url).await;
    browser.press("Connect another account").await;
    browser.choose("account", "empty").await;
    browser.press("Approve").await;
    browser.see("noor@freshstart.example").await;
    // Its plan has no deals.
    browser.see("Import incomplete").await;
    browser.press("Report").await;
    browser.see("What was read").await;
    browser.screenshot(&format!("{name}-11-report")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.press("HubSpot account 147900121").await;
    browser.see("Details of this connection").await;
    browser.open_details("Details of this connection").await;
    browser.open_details("Use this account to sign in").await;
    browser.screenshot(&format!("{name}-11-way-in")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.press("Yes, make it a second way in").await;
    browser.see("this browser").await;
    browser.see_count(".ways li", 2).await;
    browser.screenshot(&format!("{name}-12-sessions")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.press_in(".ways li:last-child", "Remove").await;
    browser.see_count(".ways li", 1).await;
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_somebody_keeps_their_ways_in() {
    keeps_their_ways_in(Look::default(), "scripts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_on_a_phone_somebody_keeps_their_ways_in() {
    let look = Look {
        scripts: false,
        width: 360,
        height: 740,
        dark: true,
    };
    keeps_their_ways_in(look, "phone-plain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_somebody_reconnects_and_disconnects() {
    reconnects_and_disconnects(Look::default(), "scripts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_on_a_phone_somebody_reconnects_and_disconnects() {
    let look = Look {
        scripts: false,
        width: 360,
        height: 740,
        dark: true,
    };
    reconnects_and_disconnects(look, "phone-plain").await;
}

/// Every provider side by side, one connection after the other.
async fn connects_all_there_are(look: Look, name: &str) {
    let stores = Stores::embedded();
    let start = Start::on(&stores).with("NOTION_RATE", "off");
    let sandbox = sandbox_for(&[start.port()], |options| options.rate = Some(10_000));
    let at_sandbox = |start: Start, slug: &&str| start.provider_at(slug, &sandbox.url());
    let app = PROVIDERS.iter().fold(start, at_sandbox).go().await;
    let browser = Browser::open(look).await;
    for (at, provider) in ["HubSpot", "Notion", "Airtable"].into_iter().enumerate() {
        browser.goto(&app.url).await;
        browser.press(&format!("Connect {provider}")).await;
        browser.see("Sandbox").await;
        browser.press("Approve").await;
        browser.see("Import finished").await;
        browser
            .screenshot(&format!("{name}-2{at}-{provider}"))
            .await;
        assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    }
    browser.goto(&app.url).await;
    browser.see("Airtable connected").await;
    browser.screenshot(&format!("{name}-23-dashboard")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.goto(&format!("{}/items", app.url)).await;
    browser.see("420 in all").await;
    browser.screenshot(&format!("{name}-24-items")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_somebody_connects_all_there_are() {
    connects_all_there_are(Look::default(), "scripts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_on_a_phone_somebody_connects_all_there_are() {
    let look = Look {
        scripts: false,
        width: 360,
        height: 740,
        dark: true,
    };
    connects_all_there_are(look, "phone-plain").await;
}

/// Connections that are open to this port, as the system counts them.
fn open_connections(app: &App) -> usize {
    let port = app
        .url
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    let port: u16 = port.expect("a port");
    let end = format!(":{port:04X}");
    let both = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    let all: String = both.into_iter().flatten().collect();
    let fields = all
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|it| it.len() > 3 && it[1].ends_with(&end) && it[3] == "01")
        .count()
}

/// Imports that are on are seen to go on, page by page, until they are over.
async fn watches_imports(look: Look, name: &str) {
    let stores = Stores::embedded();
    let start = Start::on(&stores).with("NOTION_RATE", "off");
    let sandbox = sandbox_for(&[start.port()], |options| {
        options.rate = Some(10_000);
        options.contacts = Some(4_000);
    });
    let at_sandbox = |start: Start, slug: &&str| start.provider_at(slug, &sandbox.url());
    let app = PROVIDERS.iter().fold(start, at_sandbox).go().await;
    let browser = Browser::open(look).await;
    let all = [
        ("HubSpot", Provider::HubSpot),
        ("Notion", Provider::Notion),
        ("Airtable", Provider::Airtable),
    ];
    for (provider, kind) in all {
        browser.goto(&app.url).await;
        browser.press(&format!("Connect {provider}")).await;
        browser.choose("account", "10k").await;
        browser.press("Approve").await;
        // Slow from its first pages on, until everything has been looked at.
        sandbox.dial(
            kind,
            Account::TenThousand,
            Turn::Slow(Duration::from_secs(2)),
        );
        browser.see("Importing from").await;
    }
    browser.mark_page().await;
    let before = browser.see_at(".joint .sum b").await;
    let between = browser.see_change(".joint .sum b", &before).await;
    browser.see_change(".joint .sum b", &between).await;
    assert!(browser.is_marked().await, "without loading the page again");
    browser.screenshot(&format!("{name}-30-connection")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());

    browser.goto(&app.url).await;
    browser.see_count(".connections .flow", 3).await;
    browser.mark_page().await;
    for provider in ["hubspot", "notion", "airtable"] {
        let count = format!("#{provider} .count b");
        let before = browser.see_at(&count).await;
        browser.see_change(&count, &before).await;
    }
    assert!(browser.is_marked().await);
    assert_eq!(browser.count(r"[hx-sse\:connect]").await, 1);
    let open = open_connections(&app);
    assert!((1..=4).contains(&open), "{open} connections");
    browser.see("calls in").await;
    browser.screenshot(&format!("{name}-31-dashboard")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());

    browser.press_in("#hubspot", "Harbour & Söhne").await;
    browser.press("Report").await;
    browser.see("Rate used").await;
    browser.screenshot(&format!("{name}-32-import")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.mark_page().await;
    for (_, kind) in all {
        sandbox.dial(kind, Account::TenThousand, Turn::Calm);
    }
    browser.see("Import finished").await;
    browser.see("Took").await;
    assert!(browser.is_marked().await);
    browser.screenshot(&format!("{name}-33-report")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_watches_imports_go_on() {
    watches_imports(Look::default(), "wide").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_in_the_dark_somebody_watches_imports_go_on() {
    let look = Look {
        width: 360,
        height: 740,
        dark: true,
        ..Look::default()
    };
    watches_imports(look, "phone-dark").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_that_could_not_be_asked_for_is_asked_for_again() {
    let stores = Stores::embedded();
    // A small budget, so that the import is still on when the page is looked at.
    let (app, sandbox) = App::with_sandbox_of(&stores, |options| options.rate = Some(4)).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("10k").await;
    let browser = Browser::open(Look::default()).await;
    browser.come_as(&ada).await;
    browser
        .carry("addEventListener('htmx:error', () => { document.title = 'cut off' })")
        .await;
    browser.cut_off(&["*/events"]).await;
    browser.goto(&format!("{}{connection}", app.url)).await;
    until("the progress is asked for", async || {
        let title: String = browser.ask("return document.title").await;
        title == "cut off"
    })
    .await;
    assert_eq!(browser.count("#alerts p").await, 0, "nobody is alarmed");
    browser.mark_page().await;
    let before = browser.see_at(".joint .sum b").await;
    browser.cut_off(&[]).await;
    browser.see_change(".joint .sum b", &before).await;
    assert!(browser.is_marked().await, "without loading the page again");
    app.stop().await;
    sandbox.stop().await;
}

/// A connection's imports, one under the other.
async fn reads_the_history(look: Look, name: &str) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let browser = Browser::open(look).await;
    connect(&browser, &app).await;
    browser.press("Import now").await;
    browser.see_count(".history tbody .c-name", 2).await;
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
        INSERT INTO runs (connection_id, cause, \"full\", state, created_at, started_at, finished_at)
        SELECT 1, 'schedule', FALSE, CASE i % 4 WHEN 0 THEN 'failed' ELSE 'done' END, i, 1780000000000, 1780000000000 + i * 7000 FROM n";
    execute_at(&stores.settings[0].1, many).await;
    browser.goto(&app.url).await;
    browser.press("Small Office").await;
    browser.see_count(".history tbody .c-name", 20).await;
    browser.screenshot(&format!("{name}-34-history")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.press("Load more").await;
    browser.see("That is everything.").await;
    browser.screenshot(&format!("{name}-35-older")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_somebody_reads_the_history() {
    reads_the_history(Look::default(), "scripts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_on_a_phone_somebody_reads_the_history() {
    let look = Look {
        scripts: false,
        width: 360,
        height: 740,
        dark: true,
    };
    reads_the_history(look, "phone-plain").await;
}

/// Searches, filters, sorts and takes each filter off again, and sees the view in the address.
async fn finds_what_they_look_for(look: Look, name: &str) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let scripts = look.scripts;
    let browser = Browser::open(look).await;
    connect(&browser, &app).await;
    browser.goto(&format!("{}/items", app.url)).await;
    browser.see("156 in all").await;

    let companies = format!(
        "{} found",
        browser.see_at(".kinds [href$='type=company'] .n").await
    );

    browser.fill("q", "ANGSTROM zoe").await;
    if !scripts {
        browser.press("Apply").await;
    }
    browser.see("1 found").await;
    browser.see_count("table.list tbody th", 1).await;
    browser.see_address("/items?q=ANGSTROM+zoe").await;
    browser.screenshot(&format!("{name}-30-search")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());

    browser.fill("q", "no such thing").await;
    if !scripts {
        browser.press("Apply").await;
    }
    browser.see("Nothing matches.").await;
    browser.see_address("/items?q=no+such+thing").await;
    browser.screenshot(&format!("{name}-31-nothing")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.press("Show all items").await;
    browser.see("156 in all").await;
    browser.see_address("/items").await;
    assert_eq!(browser.value("q").await, "");

    browser.press_at(".kinds [href$='type=company']").await;
    browser.see(&companies).await;
    browser.see_address("/items?type=company").await;
    browser.fill("q", "e").await;
    if !scripts {
        browser.press("Apply").await;
    }
    browser.see_address("/items?type=company&q=e").await;
    browser.see_count(".chips li", 3).await;
    browser.screenshot(&format!("{name}-32-filters")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.press_at(".chips li:first-child .off").await;
    browser.see_address("/items?type=company").await;
    browser.see(&companies).await;
    assert_eq!(browser.value("q").await, "");
    browser.back().await;
    browser.see_address("/items?type=company&q=e").await;
    browser.see_count(".chips li", 3).await;
    assert_eq!(browser.value("q").await, "e");
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_somebody_finds_what_they_look_for() {
    finds_what_they_look_for(Look::default(), "scripts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_on_a_phone_somebody_finds_what_they_look_for() {
    let look = Look {
        scripts: false,
        width: 360,
        height: 740,
        dark: true,
    };
    finds_what_they_look_for(look, "phone-plain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_on_a_phone_in_the_dark_somebody_finds_what_they_look_for() {
    let look = Look {
        width: 360,
        height: 740,
        dark: true,
        ..Look::default()
    };
    finds_what_they_look_for(look, "phone-dark").await;
}

/// With nothing but the keyboard: the focus stays where it was while the list changes below it.
#[tokio::test(flavor = "multi_thread")]
async fn who_types_a_search_keeps_the_focus_and_what_they_typed() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let browser = Browser::open(Look::default()).await;
    connect(&browser, &app).await;
    browser.goto(&format!("{}/items", app.url)).await;
    // Each letter in turn; every answer but the last is overtaken or replaced.
    for letter in ["a", "n", "g", "s", "T"] {
        browser.type_on("q", letter).await;
    }
    browser.see("1 found").await;
    browser.see_address("/items?q=angsT").await;
    assert_eq!(browser.value("q").await, "angsT");
    assert_eq!(browser.focused().await, "q");
    browser.back().await;
    browser.see("156 in all").await;
    browser.see_address("/items").await;
    app.stop().await;
    sandbox.stop().await;
}
