//! What was created and changed in each week: counted as items are written, shown on the dashboard.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tributary::item::{ConnectionId, Item, RunId};
use tributary::sandbox::{Account, Provider, Sandbox, Turn};
use tributary::store::{Store, Week};

use crate::list::Dice;
use crate::store::{account, approve, at_ms, begin_run, contact, key_of, save, sign_in};
use crate::support::app::{App, PROVIDERS, Start, Stores, sandbox_for, until};
use crate::support::browser::{Browser, Look};
use crate::support::database::{Database, execute, execute_at, number, on_both_databases, text_at};
use crate::support::visitor::{Seen, Visitor};

on_both_databases! {
    whatever_comes_changes_and_goes_the_weeks_are_those_of_the_items_there_are,
    weeks_from_before_they_were_counted_are_counted_when_the_database_is_opened,
    a_workspace_sees_the_weeks_of_its_own_connections_alone,
}

/// Where the counts of weeks and those of the items that are there part; of recent weeks, but not of the
/// oldest that are kept, for which time goes on meanwhile.
const WRONG: &str = "
    WITH weeks AS (
        SELECT connection_id, (created_at + 259200000) / 604800000 AS created,
            (modified_at + 259200000) / 604800000 AS changed
        FROM items WHERE gone_at IS NULL
    ), met AS (
        SELECT connection_id, created AS week, 1 AS created, 0 AS changed FROM weeks
        UNION ALL SELECT connection_id, changed, 0, 1 FROM weeks WHERE changed > created
        UNION ALL SELECT connection_id, week, -created, -changed FROM item_weeks
    )
    SELECT COUNT(*) FROM (
        SELECT connection_id, week FROM met
        WHERE week > (SELECT (now + 259200000) / 604800000 - 20 FROM clock)
        GROUP BY connection_id, week HAVING SUM(created) <> 0 OR SUM(changed) <> 0) AS wrong";

/// Some recent, some long ago, some ahead of our clock, some unknown.
fn some_time(dice: &mut Dice) -> Option<i64> {
    let days = match dice.roll(8) {
        0 => return None,
        1 => 400 + dice.roll(400) as i64,
        2 => -(dice.roll(20) as i64),
        _ => dice.roll(100) as i64,
    };
    Some((Utc::now() - TimeDelta::days(days)).timestamp_millis())
}

fn some_item(dice: &mut Dice, id: usize) -> Item {
    Item {
        created: some_time(dice).and_then(at_ms),
        modified: some_time(dice).and_then(at_ms),
        name: format!("{}", dice.roll(1_000)),
        ..contact(id)
    }
}

async fn two_connections(store: &Store) -> Vec<(ConnectionId, RunId)> {
    let workspace = sign_in(store, "h/hubspot/1").await.workspace;
    let mut both = Vec::new();
    for key in ["a", "b"] {
        let connection = approve(store, &account(workspace, key)).await.connection;
        both.push((connection, begin_run(store, connection).await));
    }
    both
}

async fn remove(store: &Store, connection: ConnectionId, items: &[Item]) {
    let gone: Vec<_> = items.iter().map(key_of).collect();
    let mut tx = store.begin().await.expect("a transaction");
    tx.remove_items(connection, &gone).await.expect("removed");
    tx.commit().await.expect("a commit");
}

/// Adds, changes, brings back and removes items of one of these connections.
async fn go_on(store: &Store, connections: &[(ConnectionId, RunId)], dice: &mut Dice) {
    let (connection, run) = *dice.pick(connections);
    let some: BTreeSet<usize> = (0..=dice.roll(40)).map(|_| dice.roll(120)).collect();
    let page: Vec<Item> = some.into_iter().map(|id| some_item(dice, id)).collect();
    if dice.roll(3) == 0 {
        remove(store, connection, &page).await;
    } else {
        save(store, connection, run, &page).await;
    }
}

async fn whatever_comes_changes_and_goes_the_weeks_are_those_of_the_items_there_are(at: Database) {
    let store = at.open().await;
    let connections = two_connections(&store).await;
    let mut dice = Dice(7);
    for _ in 0..60 {
        go_on(&store, &connections, &mut dice).await;
        assert_eq!(number(store.reader(), WRONG).await, 0);
    }
    let counted = "SELECT COUNT(*) FROM item_weeks WHERE created > 0 AND changed > 0";
    assert!(number(store.reader(), counted).await > 20);
    let old = "SELECT COUNT(*) FROM item_weeks
        WHERE week < (SELECT (now + 259200000) / 604800000 - 27 FROM clock)";
    assert_eq!(
        number(store.reader(), old).await,
        0,
        "old weeks are not kept"
    );
    let gone = "SELECT COUNT(*) FROM items WHERE gone_at IS NOT NULL";
    assert!(number(store.reader(), gone).await > 20);
    // What a listing does not name goes another way than what is shown to be gone.
    let (connection, run) = connections[0];
    let ids: Vec<i64> = (1..400).collect();
    let dropped = store.drop_items(connection, RunId(run.0 + 1), &ids).await;
    dropped.expect("dropped");
    assert_eq!(number(store.reader(), WRONG).await, 0);
}

async fn weeks_from_before_they_were_counted_are_counted_when_the_database_is_opened(at: Database) {
    let store = at.open().await;
    let connections = two_connections(&store).await;
    let mut dice = Dice(11);
    for _ in 0..20 {
        go_on(&store, &connections, &mut dice).await;
    }
    let before = "DROP TABLE item_weeks; DELETE FROM _sqlx_migrations WHERE version = 13";
    execute(store.writer(), before).await;
    store.close().await;
    let store = at.open().await;
    assert_eq!(number(store.reader(), WRONG).await, 0);
    assert!(number(store.reader(), "SELECT COUNT(*) FROM item_weeks").await > 20);
    for _ in 0..20 {
        go_on(&store, &connections, &mut dice).await;
    }
    assert_eq!(number(store.reader(), WRONG).await, 0);
}

async fn a_workspace_sees_the_weeks_of_its_own_connections_alone(at: Database) {
    let store = at.open().await;
    let now = Utc::now();
    let this = Week::of(now);
    let mut own = BTreeMap::new();
    for (subject, items) in [("h/hubspot/1", 2), ("h/hubspot/2", 3)] {
        let workspace = sign_in(&store, subject).await.workspace;
        let new = account(workspace, subject);
        let connection = approve(&store, &new).await.connection;
        let run = begin_run(&store, connection).await;
        let item = |id| Item {
            created: Some(now - TimeDelta::weeks(1)),
            modified: Some(now),
            ..contact(id)
        };
        let page: Vec<Item> = (0..items).map(item).collect();
        save(&store, connection, run, &page).await;
        own.insert(items, workspace);
    }
    for (items, workspace) in own {
        let weeks = store.weeks(workspace, this.back(1), this.back(-1)).await;
        let mut weeks = weeks.expect("weeks");
        weeks.sort_by_key(|it| it.week);
        let counts = weeks.iter().map(|it| (it.created, it.changed));
        assert_eq!(counts.collect::<Vec<_>>(), [(items, 0), (0, items)]);
        let weeks = store.weeks(workspace, this.back(9), this.back(2)).await;
        assert!(weeks.expect("no weeks").is_empty());
    }
}

/// Something in each of the last weeks, some before them and some after.
const SOME: &str = "DELETE FROM item_weeks;
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19)
    INSERT INTO item_weeks (connection_id, week, created, changed)
    SELECT c.id, (SELECT (now + 259200000) / 604800000 FROM clock) + 1 - i,
        (i * 7 + c.id * 5) % 23, (i * 11 + c.id * 3) % 31 FROM n, connections c";

/// One number for each of the last weeks and each provider, as the database has them.
const CREATED: &str = "SELECT group_concat(n, ' ') FROM (
    SELECT SUM(w.created) AS n FROM item_weeks w JOIN connections c ON c.id = w.connection_id
    WHERE w.week - (SELECT (now + 259200000) / 604800000 FROM clock) BETWEEN -11 AND 0
    GROUP BY w.week, c.provider
    ORDER BY w.week, CASE c.provider WHEN 'hubspot' THEN 1 WHEN 'notion' THEN 2 ELSE 3 END)";
const CHANGED: &str = "SELECT group_concat(n, ' ') FROM (
    SELECT SUM(w.changed) AS n FROM item_weeks w JOIN connections c ON c.id = w.connection_id
    WHERE w.week - (SELECT (now + 259200000) / 604800000 FROM clock) BETWEEN -11 AND 0
    GROUP BY w.week, c.provider
    ORDER BY w.week, CASE c.provider WHEN 'hubspot' THEN 1 WHEN 'notion' THEN 2 ELSE 3 END)";

async fn with_all_providers(stores: &Stores) -> (App, Sandbox) {
    let start = Start::on(stores).with("NOTION_RATE", "off");
    let sandbox = sandbox_for(&[start.port()], |options| {
        options.rate = Some(10_000);
        options.contacts = Some(4_000);
    });
    let at_sandbox = |start: Start, slug: &&str| start.provider_at(slug, &sandbox.url());
    let app = PROVIDERS.iter().fold(start, at_sandbox).go().await;
    (app, sandbox)
}

fn numbers(page: &Seen, css: &str) -> Vec<i64> {
    let number = |text: &String| text.replace(',', "").parse().expect("a number");
    page.texts(css).iter().map(number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_says_in_numbers_what_it_draws() {
    let stores = Stores::embedded();
    let (app, _sandbox) = with_all_providers(&stores).await;
    let mut ada = Visitor::of(&app.url);
    for (slug, account) in [
        ("hubspot", "small"),
        ("hubspot", "empty"),
        ("notion", "small"),
        ("airtable", "small"),
    ] {
        let connection = ada.connect_to(slug, account).await;
        ada.imported(&connection).await;
    }
    let database = &stores.settings[0].1;
    execute_at(database, SOME).await;
    let page = ada.get("/").await;
    let mut drawn = 0;
    let mut sums = [0, 0];
    for (at, (name, sql)) in [("Created", CREATED), ("Changed", CHANGED)]
        .iter()
        .enumerate()
    {
        let table = format!("#weeks table:nth-of-type({})", at + 1);
        let texts = |css: &str| page.texts(&format!("{table} {css}"));
        assert_eq!(texts("caption"), [*name]);
        assert_eq!(
            texts("thead th"),
            ["Week of", "HubSpot", "Notion", "Airtable"]
        );
        let shown = numbers(&page, &format!("{table} tbody td"));
        let known = text_at(database, sql).await;
        let known: Vec<i64> = known
            .split(' ')
            .map(|n| n.parse().expect("a number"))
            .collect();
        assert_eq!((known.len(), &shown), (36, &known), "{name}");
        drawn += shown.iter().filter(|n| **n > 0).count();
        sums[at] = shown.iter().sum::<i64>();
        let total = numbers(&page, &format!("{table} tfoot td"));
        assert_eq!(total.iter().sum::<i64>(), sums[at]);
    }
    let said = page.attribute("#weeks svg[role=img]", "aria-label");
    let said = said.expect("the picture's name").replace(',', "");
    assert!(
        said.starts_with(&format!("{} created {} changed since", sums[0], sums[1])),
        "{said}"
    );
    assert_eq!(page.count("#weeks rect:not(.week)"), drawn);
    assert_eq!(page.count("#weeks g"), 12);
    assert_eq!(page.count("[style]"), 0);
    // The cards alone, as they are drawn again and again, come without it.
    assert!(!ada.fragment("/").await.body.contains("id=\"weeks\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_drawn_where_there_is_nothing_to_show() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let empty = ada.connect("empty").await;
    ada.imported(&empty).await;
    assert_eq!(ada.get("/").await.count("#weeks"), 0);
    let small = ada.connect("small").await;
    ada.imported(&small).await;
    execute_at(&stores.settings[0].1, "DELETE FROM item_weeks").await;
    let page = ada.get("/").await;
    assert_eq!(
        page.count("#weeks svg[role=img], #weeks table, #weeks li"),
        0
    );
    let text = page.texts("#weeks").join("");
    assert!(
        text.contains("Nothing was created or changed in the last 12 weeks"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_says_what_it_holds_when_it_was_and_will_be_imported_and_has_one_thing_to_press() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let how = async |ada: &mut Visitor| ada.get("/").await.texts(".connections .how").join("");
    let soon = async || how(&mut ada).await.contains("Next import in 1");
    until("the next import is planned", soon).await;
    let page = ada.get("/").await;
    assert_eq!(page.texts(".what > a"), ["156 items"]);
    assert_eq!(
        page.texts(".what p a"),
        ["120 contacts", "24 companies", "12 deals"]
    );
    assert!(
        how(&mut ada)
            .await
            .starts_with("Connected Imported just now Next import in 1")
    );
    assert_eq!(page.texts(".connections button"), ["Import now"]);
    let address = &page.attributes(".what p a", "href")[1];
    assert_eq!(ada.all_names(address).await.len(), 24);

    ada.post(&format!("{connection}/schedule"), &[("every", "off")])
        .await;
    let by_hand = async || how(&mut ada).await.ends_with("Imported by hand only");
    until("it is by hand", by_hand).await;

    sandbox.revoke_all();
    ada.post("/integrations/hubspot/load", &[]).await;
    let ended = async || ada.get("/").await.texts(".connections button") == ["Reconnect"];
    until("its approval has ended", ended).await;
    let told = how(&mut ada).await;
    assert!(
        told.contains("Import failed") && told.ends_with("Imported just now"),
        "{told}"
    );
}

/// The weeks of three providers, of one, and those of a connection whose import is on.
async fn sees_the_weeks(look: Look, name: &str) {
    let stores = Stores::embedded();
    let (app, sandbox) = with_all_providers(&stores).await;
    let database = &stores.settings[0].1;
    let browser = Browser::open(look).await;
    for provider in ["HubSpot", "Notion", "Airtable"] {
        browser.goto(&app.url).await;
        browser.press(&format!("Connect {provider}")).await;
        browser.see("Sandbox").await;
        browser.press("Approve").await;
        browser.see("Import finished").await;
    }
    execute_at(database, SOME).await;
    browser.goto(&app.url).await;
    browser.see("Created and changed").await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.screenshot(&format!("{name}-40-weeks")).await;
    browser.open_details("The numbers of each week").await;
    browser.see("In all").await;
    browser.screenshot(&format!("{name}-41-numbers")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());

    let huge = "UPDATE item_weeks SET created = 1234567 WHERE connection_id = 2
        AND week = (SELECT (now + 259200000) / 604800000 FROM clock)";
    execute_at(database, huge).await;
    browser.goto(&app.url).await;
    browser.see("1,234,").await;
    browser.screenshot(&format!("{name}-42-huge")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());

    browser
        .press_in("#hubspot", "Connect another account")
        .await;
    browser.choose("account", "10k").await;
    browser.press("Approve").await;
    sandbox.dial(
        Provider::HubSpot,
        Account::TenThousand,
        Turn::Slow(Duration::from_secs(2)),
    );
    browser.see("Importing from").await;
    browser.goto(&app.url).await;
    browser.see_count(".connections .flow", 1).await;
    browser.open_details("The numbers of each week").await;
    browser.mark_page().await;
    let before = browser.see_at("#weeks li .soft").await;
    execute_at(
        database,
        "UPDATE item_weeks SET changed = changed + 9000 WHERE connection_id = 1",
    )
    .await;
    sandbox.dial(Provider::HubSpot, Account::TenThousand, Turn::Calm);
    browser.see_change("#weeks li .soft", &before).await;
    assert!(browser.is_marked().await, "without loading the page again");
    assert_eq!(browser.count("#weeks").await, 1);
    assert_eq!(
        browser.count("#weeks details[open]").await,
        1,
        "it stays open"
    );
    browser.screenshot(&format!("{name}-43-watched")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_sees_the_weeks() {
    sees_the_weeks(Look::default(), "light").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_in_the_dark_somebody_sees_the_weeks() {
    let look = Look {
        width: 360,
        height: 740,
        dark: true,
        ..Look::default()
    };
    sees_the_weeks(look, "phone-dark").await;
}
