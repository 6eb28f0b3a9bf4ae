//! `GET /`: the welcome page for visitors, the dashboard for who is signed in.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::App;
use super::errors::Result;
use super::fragment;
use super::guard::Who;
use super::page::{Chrome, Here, LifeView, Notice, ProviderView, StateView, When, grouped};
use crate::item::ConnectionId;
use crate::providers::Description;
use crate::store::{Connection, ConnectionState, Run, RunState, SignIn};

/// What a redirect tells the page it leads to: names of things, never words.
#[derive(Deserialize)]
pub struct HomeQuery {
    /// A provider that was declined.
    declined: Option<String>,
    /// A provider that somebody pressed Connect for under another of this machine's names.
    connect: Option<String>,
}

#[derive(Template)]
#[template(path = "welcome.html")]
struct WelcomePage {
    chrome: Chrome,
    providers: Vec<ProviderView>,
    came_from_elsewhere: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "dashboard.html", blocks = ["cards"])]
struct DashboardPage {
    chrome: Chrome,
    cards: Vec<ProviderCard>,
    live: bool,
}

struct ProviderCard {
    provider: ProviderView,
    /// Whether it has credentials here, so that something can be connected and imported.
    on: bool,
    connections: Vec<ConnectionCard>,
}

impl ProviderCard {
    fn is_connected(&self) -> bool {
        self.connections.iter().any(|connection| connection.works)
    }
}

struct ConnectionCard {
    id: ConnectionId,
    label: String,
    person: String,
    state: StateView,
    works: bool,
    items: String,
    /// What to do before the approval runs out.
    warning: Option<String>,
    last_import: Option<When>,
    /// How the last import ended, where it did not reach its end.
    trouble: Option<Trouble>,
    /// What an import that is on has brought so far.
    progress: Option<String>,
}

struct Trouble {
    state: StateView,
    headline: &'static str,
    when: When,
}

/// `GET /`
pub async fn home_show(
    req: HttpRequest,
    app: web::Data<App>,
    who: Who,
    query: web::Query<HomeQuery>,
) -> Result<HttpResponse> {
    let notice = declined(&app, query.declined.as_deref());
    match &who.0 {
        Some(sign_in) => dashboard(&req, &app, sign_in, notice).await,
        None => welcome(&app, notice, query.connect.as_deref()),
    }
}

fn declined(app: &App, slug: Option<&str>) -> Option<Notice> {
    let name = app.providers.find(slug?)?.description().name;
    Some(Notice {
        tone: "note",
        text: format!("{name} not connected: you declined."),
    })
}

fn welcome(app: &App, notice: Option<Notice>, connect: Option<&str>) -> Result<HttpResponse> {
    let page = WelcomePage {
        chrome: Chrome::new("", Here::Home, None).with_notice(notice),
        providers: app
            .providers
            .iter()
            .map(|provider| provider.description().into())
            .collect(),
        came_from_elsewhere: connect
            .and_then(|slug| app.providers.find(slug))
            .map(|p| p.description().name),
    };
    Ok(fragment::html(page.render()?))
}

async fn dashboard(
    req: &HttpRequest,
    app: &App,
    sign_in: &SignIn,
    notice: Option<Notice>,
) -> Result<HttpResponse> {
    // Runs first: one that has ended by now has all its items counted in what is read next.
    let runs = app.store.latest_runs(sign_in.workspace_id).await?;
    let live = runs.iter().any(|run| !run.state.is_finished());
    let connections = app.store.connections(sign_in.workspace_id).await?;
    let now = Utc::now();
    let cards: Vec<ProviderCard> = app
        .providers
        .descriptions()
        .map(|provider| provider_card(app, provider, &connections, &runs, now))
        .filter(|card| card.on || !card.connections.is_empty())
        .collect();
    let page = DashboardPage {
        chrome: Chrome::new("Connections", Here::Home, Some(sign_in))
            .with_notice(notice)
            .reloading(live),
        cards,
        live,
    };
    let html = if fragment::is_wanted(req) {
        page.as_cards().render()?
    } else {
        page.render()?
    };
    Ok(fragment::html(html))
}

fn provider_card(
    app: &App,
    provider: &Description,
    connections: &[Connection],
    runs: &[Run],
    now: DateTime<Utc>,
) -> ProviderCard {
    let own = connections
        .iter()
        .filter(|connection| connection.provider == provider.slug);
    let card = |connection: &Connection| {
        let run = runs.iter().find(|run| run.connection == connection.id);
        let live = run.filter(|run| !run.state.is_finished());
        ConnectionCard {
            id: connection.id,
            label: connection.account_name.clone(),
            person: connection.person.clone(),
            state: connection.state.into(),
            works: connection.state == ConnectionState::Connected,
            items: grouped(connection.items),
            warning: warning(connection, provider, now),
            last_import: connection.last_import_at.map(|time| When::new(time, now)),
            trouble: run.and_then(|run| trouble(run, now)),
            progress: live.map(|run| progress(run, provider)),
        }
    };
    ProviderCard {
        provider: provider.into(),
        on: app.providers.find(provider.slug).is_some(),
        connections: own.map(card).collect(),
    }
}

fn warning(connection: &Connection, provider: &Description, now: DateTime<Utc>) -> Option<String> {
    let life = LifeView::new(&connection.life, provider.name, now);
    let works = connection.state == ConnectionState::Connected;
    (works && life.warns).then_some(life.text)
}

fn trouble(run: &Run, now: DateTime<Utc>) -> Option<Trouble> {
    let headline = match run.state {
        RunState::Partial => "Import incomplete",
        RunState::Failed => "Import failed",
        _ => return None,
    };
    Some(Trouble {
        state: run.state.into(),
        headline,
        when: When::new(run.finished_at?, now),
    })
}

fn progress(run: &Run, provider: &Description) -> String {
    let so_far = run.streams.iter().filter_map(|stream| {
        let words = provider.stream(&stream.name)?;
        Some(format!(
            "{} {}",
            grouped(stream.fetched),
            if stream.fetched == 1 {
                words.one
            } else {
                words.many
            }
        ))
    });
    match so_far.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "Import is starting".into(),
        some => format!("Importing: {some} so far"),
    }
}
