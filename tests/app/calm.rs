//! What arrives by itself moves nothing that was there, and nothing moves for who asks for that.

use std::time::Duration;

use tributary::sandbox::{Account, Provider, Turn};

use crate::support::app::{App, Stores};
use crate::support::browser::{Browser, Look};
use crate::support::visitor::Visitor;

/// Notes how far things were moved, from the first moment of a page, but by what a person has just done.
const WATCH: &str = "window.shifts = []; new PerformanceObserver(list => {
        for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts.push(
            [shift.value, shift.sources.map(it => `${it.node?.outerHTML?.slice(0, 80)} ${JSON.stringify(it.previousRect)} ${JSON.stringify(it.currentRect)}`).join('; ')]);
    }).observe({ type: 'layout-shift', buffered: true })";

/// The most of a page that may be moved: half of what counts as good for people.
const MOST: f64 = 0.05;

async fn assert_calm(browser: &Browser, place: &str) {
    let shifts: Vec<(f64, String)> = browser.ask("return window.shifts").await;
    let sum: f64 = shifts.iter().map(|(value, _)| value).sum();
    assert!(sum < MOST, "{place} jumps by {sum}: {shifts:#?}");
}

/// Somebody whose account of ten thousand is imported slowly.
async fn while_importing(
    stores: &Stores,
    look: Look,
) -> (App, tributary::sandbox::Sandbox, Browser) {
    let (app, sandbox) = App::with_sandbox_of(stores, |options| {
        options.rate = Some(10_000);
        options.contacts = Some(4_000);
    })
    .await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("10k").await;
    let slow = Turn::Slow(Duration::from_secs(1));
    sandbox.dial(Provider::HubSpot, Account::TenThousand, slow);
    let browser = Browser::open(look).await;
    browser.carry(WATCH).await;
    browser.come_as(&ada).await;
    (app, sandbox, browser)
}

async fn stands_still_while_records_come(look: Look) {
    let stores = Stores::embedded();
    let (app, sandbox, browser) = while_importing(&stores, look).await;
    for (path, number) in [
        ("/", "#hubspot .count b"),
        ("/connections/1", ".joint .sum b"),
    ] {
        browser.goto(&format!("{}{path}", app.url)).await;
        let before = browser.see_at(number).await;
        let between = browser.see_change(number, &before).await;
        browser.see_change(number, &between).await;
        assert_calm(&browser, path).await;
    }
    sandbox.dial(Provider::HubSpot, Account::TenThousand, Turn::Calm);
    browser.see("Import finished").await;
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_stand_still_while_records_come() {
    stands_still_while_records_come(Look::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_pages_stand_still_while_records_come() {
    let look = Look {
        width: 360,
        height: 740,
        ..Look::default()
    };
    stands_still_while_records_come(look).await;
}

/// Where everything is that a search is not to move: the tools, how many were found, and the columns.
const PLACES: &str = "return [...document.querySelectorAll('.filters, .filters *, #found, .kinds, #results .list, #results thead th')]
    .filter(it => it.checkVisibility()).map(it => it.getBoundingClientRect()).flatMap(it => [it.x, it.y])";

async fn stands_still_while_searched(look: Look) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let browser = Browser::open(look).await;
    browser.carry(WATCH).await;
    browser.come_as(&ada).await;
    browser.goto(&format!("{}/items", app.url)).await;
    let before: Vec<f64> = browser.ask(PLACES).await;
    for (letter, seen) in [("a", "q=a"), ("n", "q=an"), ("g", "q=ang")] {
        browser.type_on("q", letter).await;
        browser.see_address(&format!("/items?{seen}")).await;
        assert_eq!(browser.focused().await, "q");
        assert_eq!(browser.ask::<Vec<f64>>(PLACES).await, before, "{seen}");
    }
    assert_calm(&browser, "/items").await;
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_stands_still_while_somebody_searches() {
    stands_still_while_searched(Look::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_the_list_stands_still_while_somebody_searches() {
    let look = Look {
        width: 360,
        height: 740,
        ..Look::default()
    };
    stands_still_while_searched(look).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_for_whoever_asks_for_less_motion() {
    let stores = Stores::embedded();
    let (app, sandbox, browser) = while_importing(&stores, Look::default()).await;
    let moving = "return document.getAnimations().length";
    let page = format!("{}/connections/1", app.url);
    browser.goto(&page).await;
    browser.see_at(".flow").await;
    assert!(browser.ask::<u32>(moving).await > 0, "streams move");
    browser.prefer("prefers-reduced-motion", "reduce").await;
    assert_eq!(browser.ask::<u32>(moving).await, 0);
    browser.press_at("table.list a.name").await;
    browser.see_at("#item-name").await;
    assert_eq!(browser.ask::<u32>(moving).await, 0);
    app.stop().await;
    sandbox.stop().await;
}
