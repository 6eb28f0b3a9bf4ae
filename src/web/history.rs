//! `GET /connections/{id}/imports`: what was imported when, and what it brought.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::errors::{Result, WebError};
use super::guard::SignedIn;
use super::page::{Chrome, Here, ProviderView, StateView, When, grouped};
use super::run_view::{Sums, outcome, took};
use super::{App, fragment, urls};
use crate::item::{ConnectionId, RunId};
use crate::store::{Run, SignIn, StreamProgress};

/// Imports on one page.
const PAGE: usize = 20;

/// Where to go on.
#[derive(Deserialize)]
pub struct HistoryQuery {
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "connections/history.html")]
struct HistoryPage {
    chrome: Chrome,
    provider: ProviderView,
    connection: ConnectionId,
    account: String,
    history: History,
}

/// Rows of imports that are over, with the way to older ones.
#[derive(Template)]
#[template(path = "connections/_history.html")]
pub struct History {
    pub rows: Vec<Row>,
    older: Option<String>,
}

/// Drawn by a template, which escapes what is in it.
impl askama::filters::HtmlSafe for History {}

/// An import that is over.
pub struct Row {
    id: RunId,
    when: When,
    cause: &'static str,
    state: StateView,
    /// With the word for each, as the table's head has it.
    numbers: Vec<(&'static str, String)>,
    coverage: &'static str,
}

/// `GET /connections/{connection}/imports`
pub async fn connection_imports(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
    query: web::Query<HistoryQuery>,
) -> Result<HttpResponse> {
    let id: ConnectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let connection = app.store.connection(sign_in.workspace_id, id).await?;
    let connection = connection.ok_or(WebError::NotFound)?;
    let provider = app.providers.describe(&connection.provider);
    let provider = provider.ok_or(WebError::NotFound)?;
    let before = query.before.as_deref().filter(|text| !text.is_empty());
    let before = before.map(|text| text.parse::<i64>()).transpose();
    let before = before.map_err(|_| WebError::BadQuery("before", "names no import".into()))?;
    let history = History::of(&app, &sign_in, id, before).await?;
    let html = match fragment::is_wanted(&req) {
        true => history.render()?,
        false => {
            let title = format!("Imports of {}", connection.account_name);
            let page = HistoryPage {
                chrome: Chrome::new(title, Here::Home, Some(&sign_in)),
                provider: provider.into(),
                connection: id,
                account: connection.account_name,
                history,
            };
            page.render()?
        }
    };
    Ok(fragment::html(html))
}

impl History {
    /// The newest of a connection, or those before that one.
    pub async fn of(
        app: &App,
        sign_in: &SignIn,
        connection: ConnectionId,
        before: Option<i64>,
    ) -> Result<Self> {
        let workspace = sign_in.workspace_id;
        // One more than is shown, to know whether there are older ones.
        let runs = app
            .store
            .runs(workspace, Some(connection), before, PAGE + 1);
        let mut runs = runs.await?;
        let more = runs.len() > PAGE;
        runs.truncate(PAGE);
        let last = runs.last().filter(|_| more);
        let older = last.map(|last| urls::connection_imports_before(connection, last.id));
        let now = Utc::now();
        // One that is on is told of elsewhere, as it goes.
        let rows = runs.iter().filter_map(|run| Row::new(run, now)).collect();
        Ok(Self { rows, older })
    }
}

impl Row {
    fn new(run: &Run, now: DateTime<Utc>) -> Option<Self> {
        let sums = Sums::of(run);
        let none = || "none".to_owned();
        Some(Self {
            id: run.id,
            when: When::new(run.finished_at?, now),
            cause: cause(run),
            state: outcome(run),
            numbers: vec![
                ("added", grouped(sums.added)),
                ("changed", grouped(sums.changed)),
                ("unchanged", grouped(sums.unchanged)),
                ("removed", grouped(sums.removed)),
                ("skipped", grouped(sums.skipped)),
                ("calls", grouped(sums.calls)),
                ("waited", sums.waited().unwrap_or_else(none)),
                ("took", took(run).unwrap_or_else(none)),
            ],
            coverage: coverage(&run.streams),
        })
    }
}

fn cause(run: &Run) -> &'static str {
    match (run.cause.as_str(), run.full) {
        ("connect", _) => "Connected",
        ("hand", false) => "By hand",
        ("hand", true) => "By hand, everything",
        (_, false) => "By itself",
        (_, true) => "By itself, everything",
    }
}

/// As much as is known of the least known.
fn coverage(streams: &[StreamProgress]) -> &'static str {
    let any = |it: fn(&StreamProgress) -> bool| streams.iter().any(it);
    match streams {
        [] => "Nothing read",
        _ if any(|it| it.partial > 0 || it.done < it.sources) => "Incomplete",
        _ if any(|it| it.unknown > 0) => "Not known",
        _ => "Complete",
    }
}
