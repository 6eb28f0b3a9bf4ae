//! Forms that are not taken: they come back with what was typed, and say beside the field what is wrong.

use reqwest::StatusCode;

use crate::support::app::{App, Stores};
use crate::support::browser::{Browser, Look};
use crate::support::visitor::{Seen, Visitor};

/// Says of one field that it is at fault, and how.
fn assert_at_fault(page: &Seen, field: &str, said: &str) {
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let at_fault = page.attributes("[aria-invalid=true]", "name");
    assert_eq!(at_fault, [field], "{}", page.text());
    let spoken = page.attribute("[aria-invalid=true]", "aria-describedby");
    let spoken = page.texts(&format!("#{}[role=alert]", spoken.expect("words")));
    assert_eq!(spoken, [said]);
    assert_eq!(page.attributes("[autofocus]", "name"), [field]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_made_is_asked_for_again_as_it_was_typed() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("empty").await;
    let long = "x".repeat(101);
    let missing = "This is missing: say what the key is for.";
    let days = "This must be a number of days from 1 to 3650, or empty.";
    for (name, scope, ends, field, said) in [
        (" ", "import", "365", "name", missing),
        (
            &long,
            "read",
            "",
            "name",
            "This is longer than 100 characters.",
        ),
        ("<b>n</b>", "read import", "soon", "expires_in_days", days),
        ("n", "write", "45", "scope", "This must be read or import."),
    ] {
        let form = [("name", name), ("scope", scope), ("expires_in_days", ends)];
        let page = ada.post("/keys", &form).await;
        assert_at_fault(&page, field, said);
        assert_eq!(page.attribute("#name", "value").as_deref(), Some(name));
        let ticked = page.attributes("[name=scope][checked]", "value").join(" ");
        assert_eq!(ticked, scope.replace("write", ""));
        let chosen = page.attributes("#days option[selected]", "value");
        assert_eq!(chosen, [ends]);
        assert_eq!(page.count("[data-api-key], table.list"), 0, "none was made");
    }
    let unsaid = [("name", "n"), ("expires_in_days", "")];
    let page = ada.post("/keys", &unsaid).await;
    let said = "This is missing: choose read, import or both.";
    assert_at_fault(&page, "scope", said);
    let twice = [("name", "one"), ("name", "two"), ("scope", "read")];
    let page = ada.post("/keys", &twice).await;
    assert_at_fault(&page, "name", "This is given twice.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_or_an_invitation_that_cannot_be_is_asked_for_again() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("empty").await;
    let before = ada.get("/workspace").await.texts("h1");
    let long = "é".repeat(101);
    for (name, said) in [
        (" ", "This is missing."),
        (&long, "This is longer than 100 characters."),
    ] {
        let page = ada.post("/workspace", &[("name", name)]).await;
        assert_at_fault(&page, "name", said);
        assert_eq!(page.attribute("#name", "value").as_deref(), Some(name));
        assert_eq!(page.texts("h1"), before, "it is called as it was");
    }
    let page = ada.post("/workspace", &[]).await;
    assert_at_fault(&page, "name", "This is missing.");
    let page = ada.post("/workspace/invites", &[("role", "king")]).await;
    assert_at_fault(&page, "role", "This must be owner or member.");
    let chosen = page.attributes("#role option[selected]", "value");
    assert_eq!(chosen, ["king"]);
    assert_eq!(page.count("[data-invitation]"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_given_twice_is_named_by_every_form() {
    let stores = Stores::embedded();
    let (app, _sandbox) = App::with_sandbox(&stores).await;
    let mut ada = Visitor::of(&app.url);
    let connection = ada.connect("empty").await;
    let (schedule, removals) = (
        format!("{connection}/schedule"),
        format!("{connection}/removals"),
    );
    for (path, field) in [
        ("/integrations/hubspot/authorize", "connection"),
        ("/integrations/hubspot/authorize", "join"),
        ("/integrations/hubspot/load", "connection"),
        ("/integrations/hubspot/load", "full"),
        (&schedule, "every"),
        (&removals, "stream"),
        ("/workspace", "workspace"),
        ("/workspace", "member"),
    ] {
        let seen = ada.post(path, &[(field, "1"), (field, "2")]).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        let said = format!("“{field}” is given twice");
        assert!(seen.text().contains(&said), "{path}: {}", seen.text());
    }
}

/// What a browser lets through is said by the page, and is put right there.
async fn puts_right_what_was_not_taken(look: Look, name: &str) {
    let stores = Stores::embedded();
    let (app, sandbox) = App::with_sandbox(&stores).await;
    let browser = Browser::open(look).await;
    let mut ada = Visitor::of(&app.url);
    ada.connect("empty").await;
    browser.come_as(&ada).await;
    browser.goto(&format!("{}/keys", app.url)).await;
    browser.fill("name", "   ").await;
    browser.press("Make key").await;
    browser
        .see("This is missing: say what the key is for.")
        .await;
    browser.see_at("#name:focus").await;
    browser.screenshot(&format!("{name}-40-not-taken")).await;
    assert_eq!(browser.sticking_out().await, Vec::<String>::new());
    browser.fill("name", "Report").await;
    browser.press("Make key").await;
    browser.see_at("[data-api-key]").await;
    browser.goto(&format!("{}/workspace", app.url)).await;
    browser.fill("name", "   ").await;
    browser.press("Save").await;
    browser.see("This is missing.").await;
    assert_eq!(browser.value("name").await, "   ");
    browser.see_at("#name:focus").await;
    app.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_somebody_puts_right_what_was_not_taken() {
    puts_right_what_was_not_taken(Look::default(), "scripts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_on_a_phone_somebody_puts_right_what_was_not_taken() {
    let look = Look {
        scripts: false,
        width: 360,
        height: 740,
        dark: true,
    };
    puts_right_what_was_not_taken(look, "phone-plain").await;
}
