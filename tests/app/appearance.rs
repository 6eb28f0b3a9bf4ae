//! Light, dark, or as the system has it: a browser's own choice.

use reqwest::header::COOKIE;
use reqwest::{Method, StatusCode};

use crate::accessible::AXE;
use crate::support::app::{App, Stores};
use crate::support::browser::{Browser, Look, required};
use crate::support::visitor::{Seen, Visitor};

/// The ground of a page.
const LIGHT: &str = "rgb(250, 247, 240)";
const DARK: &str = "rgb(19, 32, 31)";

async fn sees(browser: &Browser, ground: &str, chosen: &str) {
    let pressed = format!(".schemes [value={chosen}][aria-pressed=true]");
    browser.see_at(&pressed).await;
    let seen: String = browser
        .ask("return getComputedStyle(document.body).backgroundColor")
        .await;
    assert_eq!(seen, ground, "{chosen}");
}

fn drawn(page: &Seen) -> (String, String) {
    let meta = page.attribute("meta[name=color-scheme]", "content");
    let root = page.attribute("html", "data-scheme");
    (root.expect("a scheme"), meta.expect("a scheme"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_is_kept_by_the_browser_and_drawn_on_every_page() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut eve = Visitor::of(&app.url);
    let form = [("scheme", "dark"), ("from", "/docs/errors")];
    let chosen = eve.clone().post("/appearance", &form).await;
    assert_eq!(
        (chosen.status, chosen.location()),
        (StatusCode::SEE_OTHER, "/docs/errors")
    );
    let cookie = chosen.header("set-cookie").expect("a cookie");
    let (pair, how) = cookie.split_once("; ").expect("how it is kept");
    assert_eq!(how, "HttpOnly; SameSite=Lax; Path=/; Max-Age=34560000");
    for path in ["/", "/docs/errors", "/nowhere"] {
        let kept = [(COOKIE.as_str(), pair)];
        let page = eve.send(Method::GET, path, &[], &kept).await;
        assert_eq!(drawn(&page), ("dark".into(), "dark".into()), "{path}");
        let page = eve.get(path).await;
        assert_eq!(drawn(&page), ("system".into(), "light dark".into()));
    }
    let odd = [(COOKIE.as_str(), "tributary-scheme=purple")];
    let page = eve.send(Method::GET, "/", &[], &odd).await;
    assert_eq!(drawn(&page), ("system".into(), "light dark".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_choice_is_the_systems_and_no_way_back_leads_away() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    for scheme in ["system", "purple", ""] {
        let form = [("scheme", scheme), ("from", "//evil.example/")];
        let chosen = Visitor::of(&app.url).post("/appearance", &form).await;
        assert_eq!(chosen.location(), "/");
        let cookie = chosen.header("set-cookie").expect("a cookie");
        assert!(cookie.ends_with("Max-Age=0"), "{cookie}");
    }
    let nothing = Visitor::of(&app.url).post("/appearance", &[]).await;
    assert_eq!(nothing.location(), "/");
    // An error's address may hold what is nobody's business.
    let path = "/integrations/hubspot/oauth2callback?code=secret-code&state=x";
    let refused = Visitor::of(&app.url).get(path).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(!refused.body.contains("secret-code"));
}

/// On a light machine and on a dark one, each the other way round and back.
async fn chooses(look: Look, name: &str) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let scripts = look.scripts;
    let browser = Browser::open(look).await;
    browser.come_as(&ada).await;
    for dark in [false, true] {
        let look = Look {
            dark,
            ..Look::default()
        };
        browser.look(&look).await;
        let [(own, here), (other, there)] = match dark {
            false => [("Light", LIGHT), ("Dark", DARK)],
            true => [("Dark", DARK), ("Light", LIGHT)],
        };
        browser.goto(&format!("{}/items?q=a", app.url)).await;
        sees(&browser, here, "system").await;
        browser.press_in(".schemes", other).await;
        sees(&browser, there, &other.to_lowercase()).await;
        browser.see_address("/items?q=a").await;
        browser.screenshot(&format!("{name}-50-{other}")).await;
        browser.goto(&app.url).await;
        sees(&browser, there, &other.to_lowercase()).await;
        browser.press_in(".schemes", own).await;
        sees(&browser, here, &own.to_lowercase()).await;
        browser.press_in(".schemes", "System").await;
        sees(&browser, here, "system").await;
    }
    if scripts {
        // The address has changed since the page was drawn.
        browser.goto(&format!("{}/items", app.url)).await;
        browser.fill("q", "ANGSTROM").await;
        browser.see_address("/items?q=ANGSTROM").await;
        browser.press_in(".schemes", "Light").await;
        browser
            .see_at(".schemes [value=light][aria-pressed=true]")
            .await;
        browser.see_address("/items?q=ANGSTROM").await;
    }
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_somebody_chooses_against_their_system() {
    chooses(Look::default(), "scripts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_somebody_chooses_against_their_system() {
    let look = Look {
        scripts: false,
        ..Look::default()
    };
    chooses(look, "plain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_in_a_chosen_theme_at_any_width() {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    let browser = Browser::open(Look::default()).await;
    let axe = std::fs::read_to_string(required("TEST_AXE")).expect("axe");
    browser.carry(&axe).await;
    let mut wrong = Vec::new();
    for (width, height, dark, choice) in [
        (1440, 900, false, "Dark"),
        (1440, 900, true, "Light"),
        (360, 740, false, "Dark"),
        (360, 740, true, "Light"),
    ] {
        let look = Look {
            width,
            height,
            dark,
            ..Look::default()
        };
        browser.look(&look).await;
        for (who, path) in [
            (Visitor::of(&app.url), "/"),
            (ada.clone(), "/"),
            (ada.clone(), "/items"),
            (ada.clone(), "/workspace"),
        ] {
            browser.come_as(&who).await;
            browser.goto(&format!("{}{path}", app.url)).await;
            browser.press_in(".schemes", choice).await;
            browser
                .see_at(".schemes :not([value=system])[aria-pressed=true]")
                .await;
            let found: Vec<String> = browser.ask_later(AXE).await;
            let name = format!("appearance-{width}-{choice}{}", path.replace('/', "-"));
            browser.screenshot(&name).await;
            let sticking = browser.sticking_out().await;
            let all = found.into_iter().chain(sticking);
            wrong.extend(all.map(|it| format!("{path}, {choice}, {width}: {it}")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    app.stop().await;
    sandbox.stop().await;
}
