//! Nothing but the keyboard: where the focus goes, and that it can always be seen.

use std::time::Duration;

use tributary::sandbox::{Account, Provider, Turn};

use crate::support::app::{App, Start, Stores, sandbox_for};
use crate::support::browser::{Browser, Key, Look};
use crate::support::visitor::Visitor;

/// What has the focus, and what is wrong with how that is shown: it must be outlined and must not be covered.
const FOCUS: &str = "const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
    if (at === document.body) return '';
    const within = (from, to, most) => (Math.max(from, 0) + Math.min(to, most)) / 2;
    const met = document.elementFromPoint(within(box.left, box.right, innerWidth), within(box.top, box.bottom, innerHeight));
    const name = `${at.tagName} ${at.id} ${at.textContent.trim().slice(0, 40)}`;
    if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) return `${name} has no outline`;
    if (!met || !(at.contains(met) || met.contains(at) || at.labels?.[0]?.contains(met))) return `${name} is covered by ${met?.outerHTML.slice(0, 80)}`;
    return ''";

/// How many steps from one end of a page to the other are too many.
const FAR: usize = 150;

async fn is_on(browser: &Browser, css: &str) -> bool {
    let script = format!("return document.activeElement.matches(`{css}`)");
    browser.ask(&script).await
}

async fn assert_seen(browser: &Browser) {
    let wrong: String = browser.ask(FOCUS).await;
    assert_eq!(wrong, "", "at {}", browser.url().await);
}

/// Goes on with Tab until this has the focus, which is to be seen at each step.
async fn tab_to(browser: &Browser, css: &str) {
    for _ in 0..FAR {
        browser.strike(Key::Tab).await;
        assert_seen(browser).await;
        if is_on(browser, css).await {
            return;
        }
    }
    panic!("no way to {css} at {}", browser.url().await);
}

/// Waits until the focus has come here by itself.
async fn see_focus(browser: &Browser, css: &str) {
    browser.see_count(&format!(":is({css}):focus"), 1).await;
    assert_seen(browser).await;
}

async fn skips_to_the_content(browser: &Browser, app: &App) {
    browser.goto(&format!("{}/items?limit=5", app.url)).await;
    tab_to(browser, ".skip").await;
    browser.strike(Key::Enter).await;
    see_focus(browser, "#main").await;
}

async fn searches_and_filters(browser: &Browser) {
    tab_to(browser, "[name=q]").await;
    browser.strike(Key::Letter('e')).await;
    browser.see_address("/items?limit=5&q=e").await;
    see_focus(browser, "[name=q]").await;
    tab_to(browser, "[name=provider]").await;
    browser.strike(Key::Down).await;
    browser
        .see_address("/items?limit=5&q=e&provider=hubspot")
        .await;
    see_focus(browser, "[name=provider]").await;
    for left in [1, 0] {
        tab_to(browser, ".chips .off").await;
        browser.strike(Key::Enter).await;
        browser.see_count(".chips .off", left).await;
        see_focus(browser, "#found").await;
    }
}

async fn sorts(browser: &Browser, look: &Look) {
    if look.width > 640 {
        tab_to(browser, "#sort-Name").await;
        browser.strike(Key::Enter).await;
        browser.see_count("[aria-sort=ascending]", 1).await;
        see_focus(browser, "#sort-Name").await;
    }
}

/// The first of what came has the focus; from there an item is opened and closed again.
async fn reads_on_and_opens_an_item(browser: &Browser, app: &App) {
    browser.goto(&format!("{}/items?limit=5", app.url)).await;
    tab_to(browser, "#more").await;
    browser.strike(Key::Enter).await;
    browser.see_count("table.list tbody th", 10).await;
    let first_new = "tr:nth-child(6) .name";
    see_focus(browser, first_new).await;
    browser.strike(Key::Enter).await;
    see_focus(browser, "#item-name").await;
    // Round the whole page: nothing that has the focus is under the item.
    tab_to(browser, ".beside .close").await;
    tab_to(browser, ".home").await;
    browser.strike(Key::Escape).await;
    browser.see_count("#beside article", 0).await;
    see_focus(browser, first_new).await;
    tab_to(browser, ".exports a").await;
}

async fn opens_a_tree(browser: &Browser, app: &App, connection: &str) {
    browser.goto(&format!("{}{connection}", app.url)).await;
    tab_to(browser, ".level > li:nth-child(2) > details > summary").await;
    browser.strike(Key::Enter).await;
    tab_to(browser, ".level > li:nth-child(2) > details > .open").await;
    browser.see_at(".below .level summary").await;
    tab_to(browser, ".below .level summary").await;
    browser.strike(Key::Space).await;
    browser.see_at(".below .below .level a").await;
    tab_to(browser, ".below .below .level a").await;
}

async fn makes_a_key(browser: &Browser, app: &App) {
    browser.goto(&format!("{}/keys", app.url)).await;
    tab_to(browser, "[name=name]").await;
    browser.strike(Key::Letter('k')).await;
    tab_to(browser, "[value=import]").await;
    browser.strike(Key::Space).await;
    tab_to(browser, ".form button").await;
    browser.strike(Key::Enter).await;
    browser.see_at("[data-api-key]").await;
    browser.see("read, import").await;
    tab_to(browser, "[data-api-key]").await;
}

async fn imports_and_cancels(browser: &Browser, app: &App, connection: &str) {
    browser.goto(&format!("{}{connection}", app.url)).await;
    tab_to(browser, ".page-head form:last-child button").await;
    browser.strike(Key::Enter).await;
    browser.see_at(".run form button").await;
    tab_to(browser, ".run form button").await;
    browser.strike(Key::Enter).await;
    browser.see("Cancelled").await;
}

async fn goes_everywhere_by_keyboard(look: Look) {
    let stores = Stores::embedded();
    let start = Start::on(&stores);
    let sandbox = sandbox_for(&[start.port()], |options| options.rate = Some(100_000));
    let start = start.hubspot_at(&sandbox.url());
    let app = start.provider_at("airtable", &sandbox.url()).go().await;
    let mut ada = Visitor::of(&app.url);
    let mut connections = Vec::new();
    for slug in ["hubspot", "airtable"] {
        let connection = ada.connect_to(slug, "small").await;
        ada.imported(&connection).await;
        connections.push(connection);
    }
    let browser = Browser::open(Look { ..look }).await;
    browser.come_as(&ada).await;
    skips_to_the_content(&browser, &app).await;
    searches_and_filters(&browser).await;
    sorts(&browser, &look).await;
    reads_on_and_opens_an_item(&browser, &app).await;
    opens_a_tree(&browser, &app, &connections[1]).await;
    makes_a_key(&browser, &app).await;
    let slow = Turn::Slow(Duration::from_secs(8));
    sandbox.dial(Provider::HubSpot, Account::Small, slow);
    imports_and_cancels(&browser, &app, &connections[0]).await;
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_but_the_keyboard_everything_can_be_done_and_the_focus_is_seen() {
    goes_everywhere_by_keyboard(Look::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_narrow_window_the_keyboard_reaches_as_far() {
    let look = Look {
        width: 360,
        height: 740,
        ..Look::default()
    };
    goes_everywhere_by_keyboard(look).await;
}
