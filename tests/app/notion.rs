//! Notion, from the approval to the list: what is shared comes whole, once, whatever happens meanwhile.

use std::collections::HashSet;

use tributary::sandbox::{Account, Edit, Options, Provider, Sandbox, Turn};

use crate::support::app::{App, Start, Stores, sandbox_for};
use crate::support::visitor::{Seen, Visitor};

const NOTION: &str = "notion";
/// The small account's pages, and its seven databases with seven data sources.
const SMALL: u64 = 120 + 7 + 7;

/// An application that keeps to no budget but the sandbox's.
async fn app(stores: &Stores, change: impl FnOnce(&mut Options)) -> (App, Sandbox) {
    let start = Start::on(stores).with("NOTION_RATE", "off");
    let sandbox = sandbox_for(&[start.port()], |options| {
        options.rate = Some(1_000_000);
        change(options);
    });
    let app = start.provider_at(NOTION, &sandbox.url()).go().await;
    (app, sandbox)
}

/// Every item's address, each of which holds the item's id.
async fn urls(visitor: &mut Visitor) -> Vec<String> {
    let (mut urls, mut next) = (Vec::new(), Some("/items?limit=200".to_owned()));
    while let Some(path) = next {
        let page = visitor.get(&path).await;
        urls.extend(page.attributes("table.list a.out", "href"));
        next = page.attribute("a#more", "href");
    }
    urls
}

async fn import_again(visitor: &mut Visitor, connection: &str) -> Seen {
    let id = connection.rsplit_once('/').expect("an id").1;
    visitor
        .post("/integrations/notion/load", &[("connection", id)])
        .await;
    visitor.imported(connection).await
}

fn turn(sandbox: &Sandbox, edit: Edit) {
    sandbox.dial(
        Provider::Notion,
        Account::Small,
        Turn::Records("pages", edit),
    );
}

async fn brings_the_small_account(stores: Stores) {
    // With the budget that Notion gives, so that whoever tries it need not wait.
    let (app, sandbox) = App::with_provider(NOTION, &stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "small").await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    assert_eq!(page.texts("h1"), ["Small Office"]);
    assert!(!page.text().contains("Nothing was shared"));
    let urls = urls(&mut ada).await;
    assert_eq!(urls.len() as u64, SMALL);
    assert_eq!(urls.iter().collect::<HashSet<_>>().len() as u64, SMALL);
    assert!(sandbox.calls() <= 180, "{} calls", sandbox.calls());
    let kinds = ada
        .get("/items?limit=200")
        .await
        .texts("table.list td.c-kind");
    let of = |kind: &str| kinds.iter().filter(|it| *it == kind).count();
    assert_eq!([of("Page"), of("Database"), of("Data source")], [120, 7, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_comes_once_what_search_leaves_out_too() {
    brings_the_small_account(Stores::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_and_redis_hold_it_too() {
    brings_the_small_account(Stores::scaled().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_the_titles_that_people_see() {
    let stores = Stores::embedded();
    let (app, _sandbox) = app(&stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "small").await;
    ada.imported(&connection).await;
    let names = ada.all_names("/items").await;
    let count = |name: &str| names.iter().filter(|it| *it == name).count();
    assert_eq!(
        count("Plan for Frühstück 🥐"),
        1,
        "several runs are one title"
    );
    assert_eq!(count("Line one line two and three"), 1);
    // Two pages without a title, one of blanks, and the database that holds nothing.
    assert_eq!(count("Untitled"), 4);
    // A data source without a title has that of its entry, or else its database's.
    assert_eq!(count("Vendors"), 2);
    assert_eq!(count("Named only as a database"), 2);
    assert!(names.iter().all(|name| name.chars().count() <= 1_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_again_changes_nothing_and_asks_little() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "small").await;
    ada.imported(&connection).await;
    let before = sandbox.calls();
    let page = import_again(&mut ada, &connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    assert_eq!(page.texts(".figures dd")[..2], ["0", "0"]);
    // The data sources, their databases and their rows, one page of the search, and a little more.
    let calls = sandbox.calls() - before;
    assert!(calls <= 25, "{calls} calls");
    let id = connection.rsplit_once('/').expect("an id").1.to_owned();
    let form = [("connection", id.as_str()), ("full", "1")];
    ada.post("/integrations/notion/load", &form).await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".figures dd")[..2], ["0", "0"]);
    assert_eq!(page.count_of(".sum b"), SMALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_and_added_since_is_found() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "small").await;
    ada.imported(&connection).await;
    turn(&sandbox, Edit::Change(3));
    turn(&sandbox, Edit::Add(4));
    let before = sandbox.calls();
    let page = import_again(&mut ada, &connection).await;
    assert_eq!(page.texts(".figures dd")[..2], ["4", "3"]);
    // A change is not walked through further than what stands right in it.
    let calls = sandbox.calls() - before;
    assert!(calls <= 60, "{calls} calls");
    let names = ada.all_names("/items").await;
    assert_eq!(names.len() as u64, SMALL + 4);
    assert_eq!(
        names.iter().filter(|it| it.ends_with("(edit 1)")).count(),
        3
    );
    assert_eq!(
        names.iter().filter(|it| it.starts_with("New page")).count(),
        4
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_found_before_search_has_heard_of_them() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "small").await;
    ada.imported(&connection).await;
    let hour = std::time::Duration::from_secs(3_600);
    sandbox.dial(Provider::Notion, Account::Small, Turn::DelayIndex(hour));
    turn(&sandbox, Edit::Add(1));
    import_again(&mut ada, &connection).await;
    assert!(
        ada.all_names("/items")
            .await
            .contains(&"New page 1".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_account_comes_whole() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |options| options.contacts = Some(3_000)).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "10k").await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    // Its pages, and 31 data sources in 31 databases, one of which holds two and one none.
    assert_eq!(page.count_of(".sum b"), 3_000 + 31 + 31);
    // A call for each page, since any may hold others, for each block that holds some, and a few more.
    assert!(sandbox.calls() <= 4_500, "{} calls", sandbox.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_shared_nothing_has_nothing() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "empty").await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    assert_eq!((page.count_of(".sum b"), sandbox.calls()), (0, 2));
    assert!(page.text().contains("Nothing was shared with Tributary"));
    assert!(
        page.texts("main button")
            .contains(&"Approve again".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_approves_again_may_share_what_has_been_there_for_long_so_everything_is_read() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "small").await;
    ada.imported(&connection).await;
    let first = sandbox.calls();
    assert_eq!(ada.connect_to(NOTION, "small").await, connection);
    ada.imported(&connection).await;
    assert_eq!(sandbox.calls(), 2 * first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_faults_is_read_as_one_without() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |options| options.contacts = Some(160)).await;
    let (mut ada, mut bob) = (Visitor::of(&app.url), Visitor::of(&app.url));
    // The two accounts have the same pages by the same names.
    let calm = bob.connect_to(NOTION, "10k").await;
    bob.imported(&calm).await;
    let calls = sandbox.calls();
    let connection = ada.connect_to(NOTION, "faults").await;
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
    let (mut rough, mut calm) = (ada.all_names("/items").await, bob.all_names("/items").await);
    rough.sort_unstable();
    calm.sort_unstable();
    assert_eq!(rough, calm);
    // Of sixty calls seventeen go wrong, some of them with a search to begin again.
    let rough = sandbox.calls() - calls;
    assert!(rough < calls * 2, "{rough} calls in place of {calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_renewed_with_a_refresh_token_that_is_new_each_time() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "small").await;
    ada.imported(&connection).await;
    for renewals in 1..=2 {
        sandbox.expire_access_tokens();
        let page = import_again(&mut ada, &connection).await;
        assert_eq!(page.texts(".run h2"), ["Import finished"]);
        assert_eq!(sandbox.token_requests(), 1 + renewals);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_approval_says_reconnect_and_keeps_the_items() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "small").await;
    ada.imported(&connection).await;
    sandbox.revoke_all();
    let page = import_again(&mut ada, &connection).await;
    assert_eq!(page.texts(".run h2"), ["Import failed"]);
    assert!(page.texts("main button").contains(&"Reconnect".to_owned()));
    assert_eq!(page.count_of(".sum b"), SMALL);
    assert_eq!(ada.connect_to(NOTION, "small").await, connection);
    let page = ada.imported(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_without_a_refresh_token_ends_with_its_access_token() {
    let stores = Stores::embedded();
    let (app, sandbox) = app(&stores, |_| {}).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect_to(NOTION, "empty").await;
    ada.imported(&connection).await;
    sandbox.expire_access_tokens();
    let page = import_again(&mut ada, &connection).await;
    assert_eq!(page.texts(".run h2"), ["Import failed"]);
    assert!(page.texts("main button").contains(&"Reconnect".to_owned()));
    assert_eq!(
        sandbox.token_requests(),
        1,
        "there is nothing to renew with"
    );
}
