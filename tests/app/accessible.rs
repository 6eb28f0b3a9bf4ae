//! What axe finds on every page, in both themes, on a wide screen and on a phone.

use crate::support::browser::{Browser, Look, required};
use crate::support::tour::{Act, Stop, Tour};

/// The rules of WCAG 2.0 to 2.2, A and AA, and what axe holds to be good practice.
/// A page is looked at from its top: what is half under the bar while one scrolls can be scrolled to.
pub const AXE: &str = "const done = arguments[0];
    scrollTo(0, 0);
    const ends = document.getAnimations().filter(it => it.effect.getComputedTiming().iterations !== Infinity);
    Promise.all(ends.map(it => it.finished)).then(() => axe.run(document, { runOnly:
        ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })).then(found => done(
        found.violations.flatMap(it => it.nodes.map(node => `${it.id}: ${node.html} ${node.failureSummary}`))),
        error => done([`${error}`]))";

fn looks() -> impl Iterator<Item = Look> {
    let sizes = [(1440, 900), (360, 740)];
    let both = sizes.map(|size| [(size, false), (size, true)]);
    both.into_iter()
        .flatten()
        .map(|((width, height), dark)| Look {
            width,
            height,
            dark,
            ..Look::default()
        })
}

async fn arrive(browser: &Browser, stop: &Stop) {
    browser.come_as(&stop.who).await;
    let address = match stop.address.starts_with('/') {
        true => format!("{}{}", stop.who.app, stop.address),
        false => stop.address.clone(),
    };
    browser.goto(&address).await;
    for act in stop.then {
        match act {
            Act::Press(css) => browser.press_at(css).await,
            Act::Fill(name, text) => browser.fill(name, text).await,
            Act::See(css) => {
                browser.see_at(css).await;
            }
        }
    }
}

/// Looks at one page, and writes down what is wrong with it.
async fn look_at(browser: &Browser, stop: &Stop, look: &Look, wrong: &mut Vec<String>) {
    arrive(browser, stop).await;
    let theme = if look.dark { "dark" } else { "light" };
    let place = format!("{}, {theme}, {} wide", stop.name, look.width);
    let found: Vec<String> = browser.ask_later(AXE).await;
    let sticking = browser.sticking_out().await;
    let shots = format!(
        "tour-{}-{theme}-{}",
        look.width,
        stop.name.replace(' ', "-")
    );
    browser.screenshot(&shots).await;
    let all = found.into_iter().chain(sticking);
    wrong.extend(all.map(|it| format!("{place}: {it}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_any_page_in_either_theme_at_any_width() {
    let mut tour = Tour::begin().await;
    let browser = Browser::open(Look::default()).await;
    browser
        .carry(&std::fs::read_to_string(required("TEST_AXE")).expect("axe"))
        .await;
    let mut wrong = Vec::new();
    let calm = tour.calm().await;
    for look in looks() {
        browser.look(&look).await;
        for stop in calm.iter().chain(&tour.importing().await) {
            look_at(&browser, stop, &look, &mut wrong).await;
        }
    }
    let trouble = tour.in_trouble().await;
    for look in looks() {
        browser.look(&look).await;
        for stop in &trouble {
            look_at(&browser, stop, &look, &mut wrong).await;
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{} in all",
        wrong.join("\n"),
        wrong.len()
    );
}
