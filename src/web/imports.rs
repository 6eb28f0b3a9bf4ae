//! `GET /imports/{id}`: one import, and how much of each list it has.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};

use super::errors::{Result, WebError};
use super::guard::SignedIn;
use super::page::{Chrome, Here, ProviderView, StateView, When, capital, grouped, length};
use super::{App, fragment, urls};
use crate::item::{ConnectionId, RunId};
use crate::providers::Description;
use crate::store::{Coverage, Covered, Run, RunState, StreamProgress};

/// Lines of the report at most; the worst come first.
const LINES: i64 = 500;

#[derive(Template)]
#[template(path = "imports/show.html", blocks = ["progress"])]
struct ImportPage {
    chrome: Chrome,
    provider: ProviderView,
    connection: ConnectionId,
    account: String,
    run: RunView,
    report: Vec<ReportLine>,
    /// Lists that the report leaves out; all of them are complete.
    more: Option<String>,
}

/// A line of the coverage report.
struct ReportLine {
    what: String,
    items: String,
    state: StateView,
    why: String,
}

/// A run, as pages show it.
pub struct RunView {
    pub id: RunId,
    pub state: StateView,
    pub headline: String,
    pub live: bool,
    pub streams: Vec<StreamView>,
    pub added: String,
    pub changed: String,
    pub unchanged: String,
    pub calls: String,
    /// How long the provider made it wait, where it did.
    pub waited: Option<String>,
    pub started: Option<When>,
    pub finished: Option<When>,
    pub duration: Option<String>,
    pub problem: Option<String>,
}

/// A stream of a run.
pub struct StreamView {
    pub name: String,
    /// `120`, or `120 of 4,000`.
    pub fetched: String,
    /// How it was read, once it was; the line is full then.
    pub done: Option<&'static str>,
}

/// `GET /imports/{run}`
pub async fn import_show(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let id: RunId = id.parse().map_err(|_| WebError::NotFound)?;
    let run = app.store.run(sign_in.workspace_id, id).await?;
    let run = run.ok_or(WebError::NotFound)?;
    let connection = app
        .store
        .connection(sign_in.workspace_id, run.connection)
        .await?;
    let connection = connection.ok_or(WebError::NotFound)?;
    let provider = app.providers.describe(&connection.provider);
    let provider = provider.ok_or(WebError::NotFound)?;
    let report = app.store.coverage(id, LINES).await?;
    let lists: i64 = run.streams.iter().map(|stream| stream.sources).sum();
    let view = RunView::new(&run, provider, Utc::now());
    let title = format!("Import of {}", connection.account_name);
    let page = ImportPage {
        chrome: Chrome::new(title, Here::Home, Some(&sign_in)).reloading(view.live),
        provider: provider.into(),
        connection: connection.id,
        account: connection.account_name,
        run: view,
        report: report
            .into_iter()
            .map(|line| ReportLine::new(line, provider))
            .collect(),
        more: (lists > LINES).then(|| grouped(lists - LINES)),
    };
    let html = match fragment::is_wanted(&req) {
        true => page.as_progress().render()?,
        false => page.render()?,
    };
    Ok(fragment::html(html))
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
    fn new(line: Covered, provider: &Description) -> Self {
        let stream = provider.stream(&line.stream);
        let stream = capital(stream.map_or(line.stream.as_str(), |stream| stream.many));
        let (class, word) = match line.coverage {
            Some(Coverage::Complete) => ("connected", "Complete"),
            Some(Coverage::Partial) => ("reconnect", "Incomplete"),
            Some(Coverage::Unknown) => ("waiting", "Not known"),
            None => ("cancelled", "Not read"),
        };
        Self {
            what: match line.label.as_str() {
                "" => stream,
                label => format!("{stream}: {label}"),
            },
            items: grouped(line.fetched),
            state: StateView { class, word },
            why: line.reason.unwrap_or_default(),
        }
    }
}

impl RunView {
    pub fn new(run: &Run, provider: &Description, now: DateTime<Utc>) -> Self {
        let sum = |count: fn(&StreamProgress) -> i64| run.streams.iter().map(count).sum::<i64>();
        let ended = run.finished_at.unwrap_or(now);
        let took = |started: DateTime<Utc>| length((ended - started).to_std().unwrap_or_default());
        let waits = run
            .pulse
            .waiting_until
            .filter(|until| *until > now && !run.state.is_finished());
        let waited = std::time::Duration::from_millis(sum(|it| it.waited_ms).unsigned_abs());
        Self {
            id: run.id,
            state: match (waits, run.state) {
                (Some(_), _) => StateView {
                    class: "waiting",
                    word: "Waiting",
                },
                // To call it complete would be more than anybody knows.
                (None, RunState::Done) if sum(|stream| stream.unknown) > 0 => StateView {
                    class: "connected",
                    word: "Read to its end",
                },
                (None, state) => state.into(),
            },
            headline: match waits {
                Some(until) => {
                    let wait = (until - now).to_std().unwrap_or_default();
                    format!("{} asked us to wait {}", provider.name, length(wait))
                }
                None => headline(run.state, provider.name),
            },
            live: !run.state.is_finished(),
            streams: run
                .streams
                .iter()
                .filter(|stream| is_worth_a_line(stream, provider))
                .map(|stream| StreamView::new(stream, provider))
                .collect(),
            added: grouped(sum(|stream| stream.added)),
            changed: grouped(sum(|stream| stream.changed)),
            unchanged: grouped(sum(|stream| stream.unchanged)),
            calls: grouped(sum(|stream| stream.calls)),
            waited: (waited.as_secs() > 0).then(|| length(waited)),
            started: run.started_at.map(|time| When::new(time, now)),
            finished: run.finished_at.map(|time| When::new(time, now)),
            duration: run.started_at.map(took),
            problem: run.error_message.clone(),
        }
    }
}

/// Lists that are opened on the way and bring nothing say nothing to anybody.
fn is_worth_a_line(stream: &StreamProgress, provider: &Description) -> bool {
    let root = provider
        .stream(&stream.name)
        .is_some_and(|known| known.root);
    root || stream.fetched > 0 || stream.partial > 0
}

impl StreamView {
    fn new(stream: &StreamProgress, provider: &Description) -> Self {
        let words = provider.stream(&stream.name);
        let fetched = grouped(stream.fetched);
        Self {
            name: capital(words.map_or(stream.name.as_str(), |words| words.many)),
            fetched: match stream.total.filter(|total| *total > stream.fetched) {
                Some(total) => format!("{fetched} of {}", grouped(total)),
                None => fetched,
            },
            done: match stream {
                StreamProgress { partial: 1.., .. } => None,
                StreamProgress { done, sources, .. } if done < sources => None,
                StreamProgress { unknown: 1.., .. } => Some("read to its end"),
                _ => Some("complete"),
            },
        }
    }
}

fn headline(state: RunState, name: &str) -> String {
    match state {
        RunState::Queued => format!("About to import from {name}"),
        RunState::Running => format!("Importing from {name}"),
        RunState::Done => "Import finished".into(),
        RunState::Partial => "Import incomplete".into(),
        RunState::Failed => "Import failed".into(),
        RunState::Cancelled => "Import cancelled".into(),
    }
}
