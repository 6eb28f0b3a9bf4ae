//! `GET /connections/{id}`: one connection, and its import while it runs.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::App;
use super::errors::{Result, WebError};
use super::fragment;
use super::guard::SignedIn;
use super::history::History;
use super::items;
use super::live::{self, Part};
use super::page::{
    Choice, Chrome, Here, ItemRow, LifeView, Notice, ProviderView, StateView, When, grouped, length,
};
use super::removals::RemovalView;
use super::run_view::RunView;
use super::schedule::next_import;
use super::tree::Level;
use crate::import::Every;
use crate::item::ConnectionId;
use crate::providers::{Configured, Description};
use crate::store::{Connection, ConnectionState, ListQuery, RunState, SignIn, WayInState};

/// Items shown on the connection's own page.
const NEWEST: usize = 12;

#[derive(Template)]
#[template(path = "connections/show.html")]
struct ConnectionPage {
    chrome: Chrome,
    progress: ConnectionProgress,
    provider: ProviderView,
    on: bool,
    /// Whether the provider lets us end the approval there.
    revokes: bool,
    id: ConnectionId,
    person: String,
    account_id: String,
    created: When,
    schedule: Vec<Choice>,
    way_in: WayInState,
    scopes: Vec<ScopeView>,
    history: History,
    /// Where its trees begin, if its items hold others.
    tree: Option<Level>,
}

/// The part that changes while an import is on.
#[derive(Template)]
#[template(path = "connections/_progress.html")]
struct ConnectionProgress {
    provider: ProviderView,
    /// Whether the provider has credentials here, so that something can be imported.
    on: bool,
    connection: ConnectionView,
    run: Option<RunView>,
    /// Why there may be nothing, where an import has ended without anything.
    shares_nothing: Option<&'static str>,
    /// What was asked for and not granted.
    lacks: String,
    /// What imports take of a month's calls, where those are limited.
    cost: Option<String>,
    newest: Vec<ItemRow>,
    /// What a person is asked before it is removed.
    removals: Vec<RemovalView>,
}

/// Drawn by a template, which escapes what is in it.
impl askama::filters::HtmlSafe for ConnectionProgress {}

impl ConnectionProgress {
    fn is_live(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.live)
    }
}

/// A right that is asked for.
struct ScopeView {
    name: String,
    /// `None` where the provider does not say what it granted.
    granted: Option<bool>,
    needed_for: &'static str,
}

impl ScopeView {
    fn all(provider: &Configured, granted: &[String]) -> Vec<Self> {
        let known = provider.description().scopes;
        let view = |name: &String| Self {
            name: name.clone(),
            granted: (!granted.is_empty()).then(|| granted.contains(name)),
            needed_for: known
                .iter()
                .find(|scope| scope.name == name)
                .map_or("", |scope| scope.needed_for),
        };
        provider.scopes.iter().map(view).collect()
    }
}

struct ConnectionView {
    id: ConnectionId,
    label: String,
    person: String,
    state: StateView,
    works: bool,
    /// Why it does not work, and what to do.
    reason: Option<String>,
    life: LifeView,
    /// When it is imported from next, where that is known.
    next_import: Option<String>,
    created: When,
    items: String,
    item_word: &'static str,
}

/// What a redirect tells the page.
#[derive(Deserialize)]
pub struct ConnectionQuery {
    /// The connection whose Reconnect was pressed, when another account was approved.
    instead_of: Option<String>,
}

/// `GET /connections/{connection}`
pub async fn connection_show(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
    query: web::Query<ConnectionQuery>,
) -> Result<HttpResponse> {
    let id: ConnectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let progress = progress(&app, &sign_in, id).await?;
    if fragment::is_wanted(&req) {
        return Ok(fragment::html(progress.render()?));
    }
    let connection = app.store.connection(sign_in.workspace_id, id).await?;
    let connection = connection.ok_or(WebError::NotFound)?;
    let provider = app.providers.describe(&connection.provider);
    let provider = provider.ok_or(WebError::NotFound)?;
    let notice = instead_of(&app, &sign_in, query.instead_of.as_deref()).await?;
    let page = ConnectionPage {
        chrome: Chrome::new(&connection.account_name, Here::Home, Some(&sign_in))
            .with_notice(notice)
            .reloading(progress.is_live()),
        progress,
        provider: provider.into(),
        on: app.providers.find(provider.slug).is_some(),
        revokes: provider.revoke_path.is_some(),
        way_in: app.store.way_in_of(id, sign_in.user_id).await?,
        history: History::of(&app, &sign_in, id, None).await?,
        tree: Level::roots(&app, provider, id).await?,
        scopes: app
            .providers
            .find(provider.slug)
            .map(|provider| ScopeView::all(provider, &connection.scopes))
            .unwrap_or_default(),
        schedule: schedule(connection.every_ms),
        created: When::new(connection.created_at, Utc::now()),
        person: connection.person,
        account_id: connection.account_id,
        id,
    };
    Ok(fragment::html(page.render()?))
}

/// `GET /connections/{connection}/events`
pub async fn connection_events(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let id: ConnectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let connection = app.store.connection(sign_in.workspace_id, id).await?;
    connection.ok_or(WebError::NotFound)?;
    Ok(live::events(app, sign_in, async move |app, sign_in| {
        let progress = progress(app, sign_in, id).await?;
        Ok(Part {
            html: progress.render()?,
            over: !progress.is_live(),
        })
    }))
}

async fn progress(app: &App, sign_in: &SignIn, id: ConnectionId) -> Result<ConnectionProgress> {
    // The run first: where it has ended, the connection that is read next counts all its items.
    let run = app.store.latest_run(id).await?;
    let connection = app.store.connection(sign_in.workspace_id, id).await?;
    let connection = connection.ok_or(WebError::NotFound)?;
    let provider = app.providers.describe(&connection.provider);
    let provider = provider.ok_or(WebError::NotFound)?;
    let now = Utc::now();
    let newest = ListQuery::newest(id, NEWEST);
    let newest = app.store.list(&newest).await?;
    let read = run.as_ref().is_some_and(|run| run.state == RunState::Done);
    let cost = match provider.allowance {
        Some(allowance) => {
            let calls = app.store.calls_of_full_run(id).await?;
            calls.map(|calls| cost(calls, provider.every, allowance))
        }
        None => None,
    };
    let configured = app.providers.find(provider.slug);
    let lacks: Vec<&str> = configured
        .into_iter()
        .flat_map(|it| it.missing(&connection.scopes))
        .collect();
    Ok(ConnectionProgress {
        provider: provider.into(),
        on: configured.is_some(),
        lacks: lacks.join(", "),
        shares_nothing: provider
            .shares_nothing
            .filter(|_| read && connection.items == 0),
        removals: RemovalView::all(&app.store.questions(id).await?, provider),
        newest: items::rows(app, newest.rows, &[&connection]).await?,
        connection: connection_view(connection, provider, now),
        run: run.map(|run| RunView::new(&run, provider, now)),
        cost,
    })
}

fn connection_view(
    connection: Connection,
    provider: &Description,
    now: DateTime<Utc>,
) -> ConnectionView {
    ConnectionView {
        next_import: next_import(&connection, now),
        id: connection.id,
        label: connection.account_name,
        person: connection.person,
        state: connection.state.into(),
        works: connection.state == ConnectionState::Connected,
        reason: (connection.state == ConnectionState::Reconnect)
            .then(|| ended(provider.name, connection.reason.as_deref())),
        life: LifeView::new(&connection.life, provider.name, now),
        created: When::new(connection.created_at, now),
        items: grouped(connection.items),
        item_word: if connection.items == 1 {
            "item"
        } else {
            "items"
        },
    }
}

/// Says that another account was approved than the one that needs it.
async fn instead_of(app: &App, sign_in: &SignIn, wanted: Option<&str>) -> Result<Option<Notice>> {
    let Some(id) = wanted.and_then(|text| text.parse().ok()) else {
        return Ok(None);
    };
    let wanted = app.store.connection(sign_in.workspace_id, id).await?;
    Ok(wanted.map(|wanted| Notice {
        tone: "note",
        text: format!(
            "You approved another account, so it stands here as a connection of its own. {} still \
             waits to be reconnected.",
            wanted.account_name
        ),
    }))
}

/// The answers to how often.
const EVERY: [(&str, &str); 7] = [
    ("", "As usual"),
    ("15m", "Every 15 minutes"),
    ("1h", "Every hour"),
    ("6h", "Every 6 hours"),
    ("12h", "Every 12 hours"),
    ("1d", "Every day"),
    ("off", "By hand only"),
];

fn schedule(every_ms: Option<i64>) -> Vec<Choice> {
    let own = every_ms.map_or(String::new(), |ms| Every::from_ms(ms).to_string());
    Choice::among(&EVERY, &own, "As a program has set it")
}

/// What is shown of a grant that the provider has ended.
fn ended(name: &str, said: Option<&str>) -> String {
    let said = said
        .map(|said| format!(" It said: “{said}”."))
        .unwrap_or_default();
    format!(
        "{name} has ended this approval.{said} The items stay. Press Reconnect and approve again."
    )
}

const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);

/// What a month of imports takes in calls, at most: those that ask only for changes take fewer.
fn cost(calls: i64, every: Duration, allowance: &str) -> String {
    let imports = MONTH.as_secs() / every.as_secs().max(1);
    let calls = calls.saturating_mul(i64::try_from(imports).unwrap_or(i64::MAX));
    format!(
        "One import every {} takes up to {} calls a month, which count towards {allowance}.",
        length(every),
        grouped(calls)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_months_calls_are_those_of_all_its_imports() {
        assert_eq!(
            cost(52, Duration::from_secs(12 * 3_600), "the plan’s calls"),
            "One import every 12 hours takes up to 3,120 calls a month, which count towards the plan’s calls."
        );
    }
}
