use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};

use super::accounts::Account;
use super::dial::{Edit, Fault, Left, Provider, Setting, Span, Turn};
use super::overlay::Overlay;
use super::page::page;
use super::params::Params;
use super::world::World;

/// More than anybody needs, and few enough to add up.
const MOST: u32 = 1_000_000;

/// The sandbox's own page: what it plays, and what is to go wrong with it.
#[derive(Template)]
#[template(path = "sandbox/dial.html")]
struct DialPage {
    providers: Vec<ProviderRow>,
    accounts: Vec<(&'static str, &'static str)>,
    kinds: Vec<&'static str>,
    standing: Vec<Line>,
}

struct ProviderRow {
    slug: &'static str,
    name: &'static str,
    calls: u64,
}

/// Where the dial stands for an account.
struct Line {
    provider: &'static str,
    account: &'static str,
    says: Vec<String>,
}

/// What a form asked for.
struct Wish {
    provider: Provider,
    accounts: Vec<Account>,
    turn: Turn,
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(show))
        .route("/dial", web::post().to(turn));
}

async fn show(world: web::Data<World>) -> HttpResponse {
    let row = |provider: Provider| ProviderRow {
        slug: provider.slug(),
        name: provider.name(),
        calls: world.calls.of(provider).get(),
    };
    let template = DialPage {
        providers: Provider::ALL.map(row).into(),
        accounts: Account::ALL
            .map(|account| (account.slug(), account.profile().label))
            .into(),
        kinds: Provider::ALL.map(Provider::kinds).concat(),
        standing: standing(&world),
    };
    page(StatusCode::OK, &template)
}

async fn turn(request: HttpRequest, world: web::Data<World>, body: web::Bytes) -> HttpResponse {
    if is_cross_site(&request) {
        return HttpResponse::Forbidden().body("this form is for the sandbox's own page\n");
    }
    match Wish::read(&Params::parse(&body)) {
        Ok(wish) => {
            for account in wish.accounts {
                world.turn(wish.provider, account, wish.turn);
            }
            HttpResponse::SeeOther()
                .insert_header((LOCATION, "/"))
                .finish()
        }
        Err(message) => HttpResponse::UnprocessableEntity().body(format!("{message}\n")),
    }
}

/// Browsers say where a form stood; what says nothing is no browser.
fn is_cross_site(request: &HttpRequest) -> bool {
    let site = request.headers().get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

impl Wish {
    fn read(form: &Params) -> Result<Wish, String> {
        let provider = form.get("provider").and_then(Provider::from_slug);
        let provider = provider.ok_or("provider: hubspot, notion or airtable")?;
        let accounts = match form.get("account") {
            None => Account::ALL.into(),
            Some(slug) => vec![Account::from_slug(slug).ok_or("account: there is none like this")?],
        };
        Ok(Wish {
            provider,
            accounts,
            turn: turn_in(form, provider)?,
        })
    }
}

fn turn_in(form: &Params, provider: Provider) -> Result<Turn, String> {
    let number = || number(form);
    let seconds = || number().map(|number| Duration::from_secs(number.into()));
    let edit = |edit: fn(u32) -> Edit| Ok(Turn::Records(kind(form, provider)?, edit(number()?)));
    match form.get("turn").unwrap_or_default() {
        "expire" => Ok(Turn::ExpireTokens),
        "revoke" => Ok(Turn::Revoke),
        "too-many" => Ok(Turn::Fail(Fault::TooMany, span(form)?)),
        "bad-gateway" => Ok(Turn::Fail(Fault::BadGateway, span(form)?)),
        "cut" => Ok(Turn::Fail(Fault::Cut, span(form)?)),
        "slow" => Ok(Turn::Slow(seconds()?)),
        "index-delay" => Ok(Turn::DelayIndex(seconds()?)),
        "add" => edit(Edit::Add),
        "change" => edit(Edit::Change),
        "delete" => edit(Edit::Delete),
        "calm" => Ok(Turn::Calm),
        other => Err(format!("turn: the dial cannot be turned to {other:?}")),
    }
}

fn number(form: &Params) -> Result<u32, String> {
    let number = form.get("number").and_then(|text| text.parse().ok());
    number
        .filter(|number| *number <= MOST)
        .ok_or_else(|| format!("number: from 0 to {MOST}"))
}

fn span(form: &Params) -> Result<Span, String> {
    let number = number(form)?;
    match form.get("unit") {
        None | Some("requests") => Ok(Span::Requests(number)),
        Some("seconds") => Ok(Span::Lasting(Duration::from_secs(number.into()))),
        Some(_) => Err("unit: requests or seconds".to_owned()),
    }
}

fn kind(form: &Params, provider: Provider) -> Result<&'static str, String> {
    let kinds = provider.kinds();
    let asked = form.get("kind").unwrap_or(kinds[0]);
    let found = kinds.iter().find(|kind| **kind == asked);
    found
        .copied()
        .ok_or_else(|| format!("kind: {} has {}", provider.name(), kinds.join(", ")))
}

/// Only those accounts where the dial says anything.
fn standing(world: &World) -> Vec<Line> {
    let now = Utc::now();
    let mut lines = Vec::new();
    for provider in Provider::ALL {
        for account in Account::ALL {
            let says = in_words(&world.dial.setting(provider, account), now);
            if !says.is_empty() {
                lines.push(Line {
                    provider: provider.name(),
                    account: account.profile().label,
                    says,
                });
            }
        }
    }
    lines
}

fn in_words(setting: &Setting, now: DateTime<Utc>) -> Vec<String> {
    let faults = setting.faults.iter();
    let faults = faults.filter(|(_, left)| left.is_any(now));
    let mut says: Vec<String> = faults
        .map(|(fault, left)| fault_in_words(*fault, *left, now))
        .collect();
    if !setting.delay.is_zero() {
        says.push(format!("answers {} s later", setting.delay.as_secs_f32()));
    }
    if !setting.index_delay.is_zero() {
        let seconds = setting.index_delay.as_secs_f32();
        says.push(format!("search is {seconds} s behind"));
    }
    for (kind, overlay) in &setting.overlays {
        says.push(overlay_in_words(kind, overlay));
    }
    says
}

fn fault_in_words(fault: Fault, left: Left, now: DateTime<Utc>) -> String {
    let fault = match fault {
        Fault::TooMany => "answers 429",
        Fault::BadGateway => "answers 502",
        Fault::Cut => "cuts connections",
    };
    match left {
        Left::Requests(count) => format!("{fault} to the next {count}"),
        Left::Until(end) => format!("{fault} for another {} s", (end - now).num_seconds() + 1),
    }
}

fn overlay_in_words(kind: &str, overlay: &Overlay) -> String {
    let (added, changed, deleted) = (overlay.added(), overlay.changed(), overlay.deleted());
    format!("{kind}: {added} added, {changed} changed, {deleted} deleted")
}

#[cfg(test)]
mod tests {
    use crate::sandbox::testing::{options, visit};

    const DETAILS: &str = "/account-info/2026-09/details";

    #[tokio::test]
    async fn the_page_needs_no_script_and_says_where_the_dial_stands() {
        let visit = visit(options());
        let form = [
            ("provider", "hubspot"),
            ("account", "small"),
            ("turn", "add"),
            ("number", "3"),
        ];
        let answer = visit.post("/dial", &form).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, "/")
        );
        let page = visit.get("/").await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains("<script"));
        assert!(
            page.text
                .contains("contacts: 3 added, 0 changed, 0 deleted")
        );
    }

    #[tokio::test]
    async fn a_turn_the_dial_does_not_know_is_refused() {
        let visit = visit(options());
        let good = [("provider", "hubspot"), ("turn", "cut"), ("number", "1")];
        let bad = [
            ("provider", "other"),
            ("account", "other"),
            ("turn", "other"),
            ("number", "-1"),
            ("unit", "years"),
        ];
        for (name, value) in bad {
            let rest = good.iter().filter(|(other, _)| *other != name);
            let form: Vec<_> = rest.copied().chain([(name, value)]).collect();
            let answer = visit.post("/dial", &form).await;
            assert_eq!(answer.status, 422);
            assert!(answer.text.starts_with(name), "{}", answer.text);
        }
    }

    #[tokio::test]
    async fn a_form_on_another_site_cannot_turn_the_dial() {
        let visit = visit(options());
        let form = [("provider", "hubspot"), ("turn", "revoke")];
        for (site, status) in [
            ("cross-site", 403),
            ("same-site", 403),
            ("same-origin", 303),
        ] {
            let answer = visit.post_from(site, "/dial", &form).await;
            assert_eq!(answer.status, status);
        }
    }

    #[tokio::test]
    async fn tokens_expire_and_grants_end_for_one_account_or_for_all() {
        let visit = visit(options());
        let (small, _) = visit.connect("small").await;
        let (empty, _) = visit.connect("empty").await;
        let form = [
            ("provider", "hubspot"),
            ("account", "small"),
            ("turn", "expire"),
        ];
        visit.post("/dial", &form).await;
        assert_eq!(visit.read(DETAILS, &small).await.status, 401);
        assert_eq!(visit.read(DETAILS, &empty).await.status, 200);
        visit
            .post("/dial", &[("provider", "hubspot"), ("turn", "revoke")])
            .await;
        assert_eq!(visit.read(DETAILS, &empty).await.status, 401);
    }
}
