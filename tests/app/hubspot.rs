//! HubSpot's own ways: companies as parents, changes by search, records that are merged away, rights that
//! were not granted.

use std::time::Duration;

use reqwest::StatusCode;
use tributary::sandbox::{Account, Edit, Fault, Options, Provider, Sandbox, Span, Turn};

use crate::support::app::{App, Stores, until};
use crate::support::visitor::{Seen, Visitor};

/// A connected account whose first import has ended.
async fn imported(
    account: &str,
    change: impl FnOnce(&mut Options),
) -> (Visitor, String, App, Sandbox, Stores) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_provider("hubspot", &stores, |options| {
        options.rate = Some(10_000);
        change(options);
    })
    .await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect(account).await;
    ada.imported(&connection).await;
    (ada, connection, app, sandbox, stores)
}

async fn import_again(visitor: &mut Visitor, connection: &str, full: &str) -> Seen {
    let id = connection.rsplit('/').next().expect("an id");
    let form = [("connection", id), ("full", full)];
    let seen = visitor.post("/integrations/hubspot/load", &form).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
    visitor.imported(connection).await
}

/// Added, changed and unchanged, as the page counts them.
fn figures(page: &Seen) -> Vec<String> {
    page.texts(".figures dd")[..3].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_and_a_deal_stand_in_their_company() {
    let (mut ada, _, _app, _sandbox, _stores) = imported("small", |_| {}).await;
    let list = ada.get("/items?limit=200").await;
    let places = list.texts("td.c-account");
    let kinds = list.texts("td.c-kind");
    let in_company = |kind: &str| {
        let all = kinds.iter().zip(&places).filter(|(of, _)| *of == kind);
        all.filter(|(_, place)| place.starts_with("Small Office / "))
            .count()
    };
    // Of ten contacts one has no company and one has none that is its own.
    assert_eq!(in_company("Contact"), 96);
    assert!(in_company("Deal") > 0);
    assert_eq!(in_company("Company"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_is_found_by_a_handful_of_calls() {
    let (mut ada, connection, _app, sandbox, _stores) =
        imported("10k", |options| options.contacts = Some(5_000)).await;
    let before = sandbox.calls();
    assert_eq!(
        figures(&import_again(&mut ada, &connection, "").await),
        ["0", "0", "0"]
    );
    assert!(
        sandbox.calls() - before <= 4,
        "{} calls",
        sandbox.calls() - before
    );

    for edit in [Edit::Change(5), Edit::Add(3)] {
        sandbox.dial(
            Provider::HubSpot,
            Account::TenThousand,
            Turn::Records("contacts", edit),
        );
    }
    let before = sandbox.calls();
    let page = import_again(&mut ada, &connection, "").await;
    assert_eq!(figures(&page), ["3", "5", "0"], "{}", page.text());
    assert!(
        sandbox.calls() - before <= 6,
        "{} calls",
        sandbox.calls() - before
    );
    assert_eq!(page.count_of(".sum b"), 6_503);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_changes_at_once_than_a_search_gives_are_all_found() {
    let (mut ada, connection, _app, sandbox, _stores) =
        imported("10k", |options| options.contacts = Some(10_600)).await;
    let all = Turn::Records("contacts", Edit::Change(10_500));
    sandbox.dial(Provider::HubSpot, Account::TenThousand, all);
    let page = import_again(&mut ada, &connection, "").await;
    assert_eq!(
        page.texts(".run h2"),
        ["Import finished"],
        "{}",
        page.text()
    );
    assert_eq!(figures(&page), ["0", "10,500", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_and_a_search_write_the_same_record_alike() {
    let (mut ada, connection, _app, sandbox, _stores) = imported("small", |_| {}).await;
    sandbox.dial(
        Provider::HubSpot,
        Account::Small,
        Turn::Records("contacts", Edit::Change(5)),
    );
    import_again(&mut ada, &connection, "").await;
    let page = import_again(&mut ada, &connection, "1").await;
    assert_eq!(figures(&page), ["0", "0", "156"], "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_merged_into_another_is_gone_when_the_other_is_seen() {
    let (mut ada, connection, _app, sandbox, _stores) = imported("small", |_| {}).await;
    // The second of each three is merged into the first record of all, which changes by that.
    sandbox.dial(
        Provider::HubSpot,
        Account::Small,
        Turn::Records("contacts", Edit::Delete(3)),
    );
    sandbox.dial(
        Provider::HubSpot,
        Account::Small,
        Turn::Records("contacts", Edit::Change(1)),
    );
    let page = import_again(&mut ada, &connection, "").await;
    assert_eq!(page.count_of(".sum b"), 155, "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_was_not_granted_is_named_and_the_rest_is_read() {
    let (mut ada, connection, _app, _sandbox, _stores) = imported("empty", |_| {}).await;
    let page = ada.get(&connection).await;
    assert_eq!(page.texts(".run h2"), ["Import incomplete"]);
    let rights = page.texts(".details li");
    let of = |name: &str| {
        let right = rights.iter().find(|right| right.starts_with(name));
        right
            .unwrap_or_else(|| panic!("{name} in {rights:?}"))
            .clone()
    };
    assert_eq!(
        of("crm.objects.deals.read"),
        "crm.objects.deals.read, not granted; needed for deals"
    );
    assert!(of("crm.objects.contacts.read").contains(", granted"));
    assert_eq!(
        page.texts(".notice:has([name=connection]) > span"),
        ["Not granted: crm.objects.deals.read. What it is needed for is not imported."]
    );
    assert_eq!(page.texts(".notice button"), ["Approve again"]);

    let report = page.attribute(".run-head a", "href").expect("a report");
    let report = ada.get(&report).await;
    let lines: Vec<_> = report.texts("table.report th[scope=row]");
    assert_eq!(lines, ["Deals", "Companies", "Contacts"]);
    assert_eq!(
        report.texts("table.report .state"),
        ["Incomplete", "Complete", "Complete"]
    );
    assert!(report.texts("td.c-why")[0].contains("crm.objects.deals.read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_the_provider_asks_for_is_seen_and_ends() {
    let (mut ada, connection, _app, sandbox, _stores) = imported("small", |_| {}).await;
    let lasting = Span::Lasting(Duration::from_secs(3));
    sandbox.dial(
        Provider::HubSpot,
        Account::Small,
        Turn::Fail(Fault::TooMany, lasting),
    );
    let id = connection.rsplit('/').next().expect("an id").to_owned();
    ada.post(
        "/integrations/hubspot/load",
        &[("connection", &id), ("full", "1")],
    )
    .await;
    until("the page says what it waits for", async || {
        let page = ada.get(&connection).await;
        page.texts(".run h2")[0].starts_with("HubSpot asked us to wait")
    })
    .await;
    until("it has gone on", async || {
        ada.get(&connection).await.texts(".run h2") == ["Import finished"]
    })
    .await;
    assert_eq!(figures(&ada.get(&connection).await), ["0", "0", "156"]);
}
