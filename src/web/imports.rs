//! `GET /imports/{id}`: one import, and how much of each list it has.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::Utc;

use super::errors::{Result, WebError};
use super::guard::SignedIn;
use super::live::{self, Part};
use super::page::{Chrome, Here, ProviderView, StateView, capital, grouped};
use super::run_view::RunView;
use super::{App, fragment, urls};
use crate::item::{ConnectionId, RunId};
use crate::providers::Description;
use crate::store::{Coverage, Covered, RunState, SignIn};

/// Lines of the report at most; the worst come first. While the run is on they are sent again and again.
const LINES: i64 = 500;
const LINES_LIVE: i64 = 50;

#[derive(Template)]
#[template(path = "imports/show.html", blocks = ["progress"])]
struct ImportPage {
    chrome: Chrome,
    provider: ProviderView,
    connection: ConnectionId,
    account: String,
    run: RunView,
    report: Vec<ReportLine>,
    /// How many lists the report leaves out.
    more: Option<String>,
}

/// A line of the coverage report.
struct ReportLine {
    what: String,
    items: String,
    state: StateView,
    why: String,
}

/// `GET /imports/{run}`
pub async fn import_show(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let page = page(&app, &sign_in, id.parse().map_err(|_| WebError::NotFound)?).await?;
    let html = match fragment::is_wanted(&req) {
        true => page.as_progress().render()?,
        false => page.render()?,
    };
    Ok(fragment::html(html))
}

/// `GET /imports/{run}/events`
pub async fn import_events(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let id: RunId = id.parse().map_err(|_| WebError::NotFound)?;
    let run = app.store.run(sign_in.workspace_id, id).await?;
    run.ok_or(WebError::NotFound)?;
    Ok(live::events(app, sign_in, async move |app, sign_in| {
        let page = page(app, sign_in, id).await?;
        Ok(Part {
            html: page.as_progress().render()?,
            over: !page.run.live,
        })
    }))
}

async fn page(app: &App, sign_in: &SignIn, id: RunId) -> Result<ImportPage> {
    let workspace = sign_in.workspace_id;
    let run = app.store.run(workspace, id).await?;
    let run = run.ok_or(WebError::NotFound)?;
    let connection = app.store.connection(workspace, run.connection).await?;
    let connection = connection.ok_or(WebError::NotFound)?;
    let provider = app.providers.describe(&connection.provider);
    let provider = provider.ok_or(WebError::NotFound)?;
    let view = RunView::new(&run, provider, Utc::now());
    let live = view.live;
    let lines = if live { LINES_LIVE } else { LINES };
    let report = app.store.coverage(id, lines).await?;
    let lists: i64 = run.streams.iter().map(|stream| stream.sources).sum();
    let told: i64 = report.iter().map(|line| line.folded.max(1)).sum();
    let title = format!("Import of {}", connection.account_name);
    Ok(ImportPage {
        chrome: Chrome::new(title, Here::Home, Some(sign_in)).reloading(live),
        provider: provider.into(),
        connection: connection.id,
        account: connection.account_name,
        run: view,
        report: report
            .into_iter()
            .map(|line| ReportLine::new(line, provider, live))
            .collect(),
        more: (lists > told).then(|| grouped(lists - told)),
    })
}

/// `POST /imports/{run}/cancel`: ends it after the pages at hand; what was read stays.
pub async fn import_cancel(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let id: RunId = id.parse().map_err(|_| WebError::NotFound)?;
    let run = app.store.run(sign_in.workspace_id, id).await?;
    run.ok_or(WebError::NotFound)?;
    // Whoever drives it finds it ended when the next page is to be stored.
    app.store.finish_run(id, RunState::Cancelled, None).await?;
    Ok(fragment::redirect(&req, &urls::import(id)))
}

impl ReportLine {
    fn new(line: Covered, provider: &Description, live: bool) -> Self {
        let stream = provider.stream(&line.stream);
        let stream = capital(stream.map_or(line.stream.as_str(), |stream| stream.many));
        let (class, word) = match line.coverage {
            Some(Coverage::Complete) => ("connected", "Complete"),
            Some(Coverage::Partial) => ("reconnect", "Incomplete"),
            Some(Coverage::Unknown) => ("waiting", "Not known"),
            None if !live => ("cancelled", "Not read"),
            None if line.fetched > 0 => ("running", "Being read"),
            None => ("waiting", "Not yet"),
        };
        Self {
            what: match (line.folded, line.label.as_str()) {
                (0, "") => stream,
                (0, label) => format!("{stream}: {label}"),
                (1, _) => format!("{stream}: one list"),
                (lists, _) => format!("{stream}: {} lists", grouped(lists)),
            },
            items: grouped(line.fetched),
            state: StateView { class, word },
            why: line.reason.unwrap_or_default(),
        }
    }
}
