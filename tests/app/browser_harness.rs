//! The browser harness itself: a test that means to do without scripts must really be without them.

use actix_web::web::{Html, Query, get};
use actix_web::{App, HttpServer};
use serde::Deserialize;

use crate::support::browser::{Browser, Look};

const PAGE: &str = r#"<!doctype html>
<meta name="viewport" content="width=device-width">
<title>Colours</title>
<noscript>no scripts here</noscript>
<p id="scripted"></p>
<p hidden>not to be seen</p>
<form action="/chosen">
  <input type="radio" name="colour" value="red" checked>
  <label><input type="radio" name="colour" value="blue" hidden>Blue</label>
  <input name="shade" value="dark">
  <button>Choose</button>
  <button hidden>Choose</button>
  <input type="submit" value="Choose too">
</form>
<nav><a href="/?again">Again</a></nav>
<footer><a href="/?foot">Again</a></footer>
<script>
  scripted.textContent = `scripts here, ${innerWidth} wide, dark ${matchMedia('(prefers-color-scheme: dark)').matches}`;
  console.error('a complaint');
</script>"#;

#[derive(Deserialize)]
struct Choice {
    colour: String,
    shade: String,
}

async fn chosen(choice: Query<Choice>) -> Html {
    Html::new(format!(
        "<p>{} {} was chosen</p><a href='/'>Back</a>",
        choice.shade, choice.colour
    ))
}

fn serve() -> String {
    let server = HttpServer::new(|| {
        App::new()
            .route("/", get().to(async || Html::new(PAGE)))
            .route("/chosen", get().to(chosen))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .expect("a free port");
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    format!("http://{address}/")
}

async fn choose_dark_blue(browser: &Browser) {
    browser.choose("colour", "blue").await;
    browser.fill("shade", "pale").await;
    browser.press("Choose").await;
    browser.see("pale blue was chosen").await;
    assert_eq!(browser.url().await.query(), Some("colour=blue&shade=pale"));
    browser.press("Back").await;
    browser.see("Blue").await;
    browser.press("Choose too").await;
    browser.see("dark red was chosen").await;
}

#[actix_web::test]
async fn with_scripts_a_page_runs_them_and_complaints_are_heard() {
    let browser = Browser::open(Look::default()).await;
    browser.goto(&serve()).await;
    browser.see("scripts here, 1440 wide, dark false").await;
    let text = browser.text().await;
    assert!(
        !text.contains("no scripts") && !text.contains("not to be seen"),
        "{text}"
    );
    assert_eq!(browser.count("input[type=radio]").await, 2);
    let complaints = browser.console_errors().await;
    assert!(
        complaints.iter().any(|text| text.contains("a complaint")),
        "{complaints:?}"
    );
    choose_dark_blue(&browser).await;
}

#[actix_web::test]
async fn without_scripts_a_page_runs_none_and_can_be_used() {
    let browser = Browser::open(Look {
        scripts: false,
        ..Look::default()
    })
    .await;
    browser.goto(&serve()).await;
    browser.see("no scripts here").await;
    assert!(!browser.text().await.contains("scripts here, "));
    choose_dark_blue(&browser).await;
}

#[actix_web::test]
async fn a_dark_phone_is_narrow_and_dark() {
    let browser = Browser::open(Look {
        width: 360,
        height: 740,
        dark: true,
        ..Look::default()
    })
    .await;
    browser.goto(&serve()).await;
    let told = browser.see_at("#scripted").await;
    assert_eq!(told, "scripts here, 360 wide, dark true");
    browser.press_in("footer", "Again").await;
    browser.see("360 wide, dark true").await;
    assert_eq!(browser.url().await.query(), Some("foot"));
    browser.screenshot("a-dark-phone").await;
}
