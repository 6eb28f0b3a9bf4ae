//! Airtable, bases, tables and records, through the real application and the sandbox.

use std::collections::HashSet;
use std::time::Duration;

use tributary::sandbox::{Account, Edit, Options, Provider, Sandbox, Turn};

use crate::support::app::{App, Start, Stores, sandbox_for, until, until_within};
use crate::support::visitor::{Seen, Visitor};

/// Its records, bases and tables.
const SMALL: u64 = 120 + 4 + 6;
/// Who it is, two pages of bases, the tables of each, and the records of each.
const CALLS_OF_SMALL: u64 = 1 + 2 + 4 + 6;

/// An application that leaves pacing to the sandbox, which allows any.
async fn unhurried(stores: &Stores, change: impl FnOnce(&mut Options)) -> (App, Sandbox) {
    let start = Start::on(stores).with("AIRTABLE_RATE", "off");
    let sandbox = sandbox_for(&[start.port()], |options| {
        options.rate = Some(10_000);
        change(options);
    });
    let app = start.provider_at("airtable", &sandbox.url()).go().await;
    (app, sandbox)
}

/// Somebody whose account of this name was imported, and where its connection is.
async fn imported(app: &App, account: &str) -> (Visitor, String, Seen) {
    let mut visitor = Visitor::of(&app.url);
    let connection = visitor.connect_to("airtable", account).await;
    let page = visitor.imported(&connection).await;
    (visitor, connection, page)
}

async fn import_again(visitor: &mut Visitor, connection: &str) -> Seen {
    visitor.post("/integrations/airtable/load", &[]).await;
    visitor.imported(connection).await
}

/// The addresses of all items here.
async fn items(visitor: &mut Visitor) -> Vec<String> {
    let mut items = Vec::new();
    let mut next = Some("/items?limit=200".to_owned());
    while let Some(path) = next {
        let page = visitor.get(&path).await;
        items.extend(page.attributes("table.list a.out", "href"));
        next = page.attribute("a#more", "href");
    }
    items
}

fn assert_finished(page: &Seen, items: u64) {
    assert_eq!(
        page.texts(".run h2"),
        ["Import finished"],
        "{}",
        page.text()
    );
    assert_eq!(page.count_of(".sum b"), items);
}

#[tokio::test(flavor = "multi_thread")]
async fn bases_tables_and_records_come_once_each() {
    let stores = Stores::embedded();
    let (app, sandbox) = unhurried(&stores, |_| {}).await;
    let (mut mara, _, page) = imported(&app, "small").await;
    assert_finished(&page, SMALL);
    assert_eq!(page.texts("h1"), ["mara@smalloffice.example"]);
    let items = items(&mut mara).await;
    assert_eq!(items.len() as u64, SMALL);
    assert_eq!(items.iter().collect::<HashSet<_>>().len(), items.len());
    assert_eq!(sandbox.calls_of(Provider::Airtable), CALLS_OF_SMALL);
    // Two imports a day; who it is was asked before.
    let cost = format!("up to {} calls a month", (CALLS_OF_SMALL - 1) * 60);
    assert!(page.text().contains(&cost), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_is_read_to_its_end_beside_all_others() {
    let stores = Stores::embedded();
    let (app, sandbox) = unhurried(&stores, |_| {}).await;
    let (_, _, page) = imported(&app, "10k").await;
    assert_finished(&page, 12_500 + 7 + 30);
    let calls = sandbox.calls_of(Provider::Airtable);
    // Who it is, three pages of bases, the tables of each, and a page more of each table than it has
    // hundreds.
    assert!(calls <= 1 + 3 + 7 + 125 + 30, "{calls} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_stopped_goes_on_from_where_each_table_was() {
    let stores = Stores::embedded();
    let (app, sandbox) = unhurried(&stores, |_| {}).await;
    let mut tomas = Visitor::of(&app.url);
    let connection = tomas.connect_to("airtable", "10k").await;
    until("some records are there", async || {
        tomas.get(&connection).await.count_of(".sum b") > 500
    })
    .await;
    app.stop().await;
    let start = Start::on(&stores).with("AIRTABLE_RATE", "off");
    let app = start.provider_at("airtable", &sandbox.url()).go().await;
    let mut tomas = tomas.at(&app.url);
    let before = tomas.get(&connection).await.count_of(".sum b");
    assert!(before < 12_537, "it was over before it could be stopped");
    assert_finished(&tomas.imported(&connection).await, 12_537);
    // As many as without a stop, and the pages that were on their way.
    let calls = sandbox.calls_of(Provider::Airtable);
    assert!(calls <= 1 + 3 + 7 + 125 + 30 + 12, "{calls} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pace_of_its_own_is_never_too_fast_for_airtable() {
    let contacts = |options: &mut Options| options.contacts = Some(1_500);
    let (stores, unpaced) = (Stores::embedded(), Stores::embedded());
    let (app, sandbox) = App::with_provider("airtable", &stores, contacts).await;
    let (_, _, page) = imported(&app, "10k").await;
    assert_finished(&page, 1_500 + 7 + 30);
    let (app, generous) = unhurried(&unpaced, contacts).await;
    imported(&app, "10k").await;
    // Nothing was refused, so nothing was asked twice.
    let calls = [&sandbox, &generous].map(|it| it.calls_of(Provider::Airtable));
    assert_eq!(calls[0], calls[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_and_redis_hold_it_once_too() {
    let stores = Stores::scaled().await;
    let (app, _sandbox) = unhurried(&stores, |_| {}).await;
    let (mut mara, connection, page) = imported(&app, "small").await;
    assert_finished(&page, SMALL);
    assert_finished(&import_again(&mut mara, &connection).await, SMALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_shares_no_base_is_empty() {
    let stores = Stores::embedded();
    let (app, sandbox) = unhurried(&stores, |_| {}).await;
    let (_, _, page) = imported(&app, "empty").await;
    assert_finished(&page, 0);
    assert_eq!(sandbox.calls_of(Provider::Airtable), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_named_by_whatever_their_primary_field_holds() {
    let stores = Stores::embedded();
    let (app, _sandbox) = unhurried(&stores, |_| {}).await;
    let (mut mara, _, _) = imported(&app, "small").await;
    let names = mara.all_names("/items?limit=200").await;
    for name in [
        "9007199254740993",
        "0",
        "1e+21",
        "1299.5",
        "true",
        "led by blanks",
        "2026-01-31",
        "<script>alert(1)</script>",
        "王小明",
        "Red, Blau, Öl",
        "Ada, Grace",
        "1, 2.5",
        "Plan (final).pdf, été.png",
        "Mara Lindqvist",
        "old@smalloffice.example",
        "4006381333931",
        "Open",
        "A short summary",
        "Événements 2026",
        "Every kind of name",
    ] {
        assert!(names.iter().any(|it| it == name), "{name} in {names:?}");
    }
    assert!(names.iter().any(|name| name == "Unnamed record"));
    assert!(
        names
            .iter()
            .all(|name| !name.contains(['{', '}']) && !name.contains("#ERROR"))
    );
    assert_eq!(
        names.iter().filter(|name| *name == "Office").count(),
        2,
        "a base and its copy"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_again_asks_for_what_has_changed_and_changes_nothing_else() {
    let stores = Stores::embedded();
    let (app, sandbox) = unhurried(&stores, |_| {}).await;
    let (mut mara, connection, _) = imported(&app, "small").await;
    let page = import_again(&mut mara, &connection).await;
    assert_finished(&page, SMALL);
    // Bases and tables are read whole; of the records none has changed.
    assert_eq!(page.texts(".figures dd")[..3], ["0", "0", "10"]);
    mara.post("/integrations/airtable/load", &[("full", "1")])
        .await;
    let page = mara.imported(&connection).await;
    assert_eq!(page.texts(".figures dd")[..3], ["0", "0", "130"]);

    for edit in [Edit::Change(3), Edit::Add(2)] {
        let turn = Turn::Records("records", edit);
        sandbox.dial(Provider::Airtable, Account::Small, turn);
    }
    let page = import_again(&mut mara, &connection).await;
    assert_finished(&page, SMALL + 2);
    assert_eq!(page.texts(".figures dd")[..3], ["2", "3", "10"]);
    let names = mara.all_names("/items?limit=200").await;
    let changed = names.iter().filter(|name| name.ends_with("(changed)"));
    assert_eq!(changed.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_renewed_once_with_a_refresh_token_that_changes_each_time() {
    let stores = Stores::embedded();
    let (app, sandbox) = unhurried(&stores, |_| {}).await;
    let (mut mara, connection, _) = imported(&app, "small").await;
    for renewals in 1..=2 {
        sandbox.expire_access_tokens();
        let page = import_again(&mut mara, &connection).await;
        assert_finished(&page, SMALL);
        assert_eq!(sandbox.token_requests(), 1 + renewals);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_ended_says_reconnect_and_keeps_the_items() {
    let stores = Stores::embedded();
    let (app, sandbox) = unhurried(&stores, |_| {}).await;
    let (mut mara, connection, _) = imported(&app, "small").await;
    sandbox.revoke_all();
    let page = import_again(&mut mara, &connection).await;
    assert_eq!(page.texts(".run h2"), ["Import failed"]);
    assert!(page.texts("main button").contains(&"Reconnect".to_owned()));
    assert_eq!(page.count_of(".sum b"), SMALL);
    assert_eq!(mara.connect_to("airtable", "small").await, connection);
    assert_finished(&mara.imported(&connection).await, SMALL);
}

/// The records that can be read, the bases, and the tables.
const FAULTS: u64 = (2_000 - 50 - 50 - 50) + 5 + 10;
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn one_base_or_table_that_fails_stops_no_other_and_is_said_in_words() {
    let stores = Stores::embedded();
    let (app, sandbox) = unhurried(&stores, |_| {}).await;
    let mut ines = Visitor::of(&app.url);
    let connection = ines.connect_to("airtable", "faults").await;
    // Airtable shuts two bases out for half a minute each, one after the other if need be.
    until_within(PATIENCE, "the import has ended", async || {
        let figures = ines.get(&connection).await.texts(".figures dt");
        figures.contains(&"Finished".to_owned())
    })
    .await;
    let page = ines.imported(&connection).await;
    assert_eq!(
        page.texts(".run h2"),
        ["Import incomplete"],
        "{}",
        page.text()
    );
    assert_eq!(page.count_of(".sum b"), FAULTS);
    for said in [
        "monthly API calls are used up",
        "3 other lists are incomplete too",
    ] {
        assert!(page.text().contains(said), "{}", page.text());
    }
    let calls = sandbox.calls_of(Provider::Airtable);
    assert!(calls <= 60, "{calls} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_disconnects_is_told_where_to_end_the_approval() {
    let stores = Stores::embedded();
    let (app, _sandbox) = unhurried(&stores, |_| {}).await;
    let (mut mara, connection, _) = imported(&app, "small").await;
    let receipt = mara.post(&format!("{connection}/disconnect"), &[]).await;
    assert!(
        receipt.text().contains("lets nobody but you end it"),
        "{}",
        receipt.text()
    );
    let link = receipt.attribute(".kept a", "href");
    assert_eq!(link.as_deref(), Some("https://airtable.com/account"));
    assert_eq!(mara.all_names("/items").await.len(), 0);
}
