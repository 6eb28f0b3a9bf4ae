//! `GET /`: the welcome page for visitors, the dashboard for who is signed in.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::App;
use super::errors::Result;
use super::fragment;
use super::guard::{SignedIn, Who};
use super::live::{self, Picture};
use super::page::{Chrome, Here, LifeView, Notice, ProviderView, StateView, When, grouped};
use super::run_view::{Sums, asked_to_wait, rate_used, time_left};
use super::schedule::next_import;
use super::urls;
use super::weeks::{self, WeeksChart};
use crate::item::{ConnectionId, RunId};
use crate::providers::{Description, Kind};
use crate::store::{Connection, ConnectionState, KindCount, Run, RunState, SignIn};

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
    /// Beside the cards: it does not change with them.
    weeks: Option<WeeksChart>,
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

    fn has_items(&self) -> bool {
        let mut connections = self.connections.iter();
        connections.any(|connection| !connection.kinds.is_empty())
    }
}

/// One connection's line on its provider's card.
#[derive(Template)]
#[template(path = "connections/_card.html")]
struct ConnectionCard {
    id: ConnectionId,
    provider: ProviderView,
    on: bool,
    label: String,
    person: String,
    state: StateView,
    works: bool,
    items: String,
    /// Of each type, where there is any.
    kinds: Vec<KindView>,
    /// What to do before the approval runs out.
    warning: Option<String>,
    last_import: Option<When>,
    next_import: Option<String>,
    /// How the last import ended, where it did not reach its end.
    trouble: Option<Trouble>,
    progress: Option<Progress>,
}

/// Drawn by a template, which escapes what is in it.
impl askama::filters::HtmlSafe for ConnectionCard {}

/// How many items of one type, in the provider's words, and where they are listed.
struct KindView {
    count: String,
    address: String,
}

/// An import that is on.
struct Progress {
    run: RunId,
    /// What it has brought, and what that took.
    so_far: String,
    cost: String,
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
    let notice = query.declined(&app);
    match &who.0 {
        Some(sign_in) => dashboard(&req, &app, sign_in, notice).await,
        None => welcome(&app, notice, query.connect.as_deref()),
    }
}

impl HomeQuery {
    pub fn declined(&self, app: &App) -> Option<Notice> {
        let slug = self.declined.as_deref()?;
        let name = app.providers.find(slug)?.description().name;
        Some(Notice {
            tone: "note",
            text: format!("{name} not connected: you declined."),
        })
    }
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
    let Cards { cards, live } = Cards::of(app, sign_in).await?;
    let mut page = DashboardPage {
        chrome: Chrome::new("Connections", Here::Home, Some(sign_in))
            .with_notice(notice)
            .reloading(live),
        cards,
        live,
        weeks: None,
    };
    if fragment::is_wanted(req) {
        return Ok(fragment::html(page.as_cards().render()?));
    }
    page.weeks = weeks_chart(app, sign_in, &page.cards).await?;
    Ok(fragment::html(page.render()?))
}

/// The last weeks of the providers that items have come from, if any have.
async fn weeks_chart(
    app: &App,
    sign_in: &SignIn,
    cards: &[ProviderCard],
) -> Result<Option<WeeksChart>> {
    let with_items = cards.iter().filter(|card| card.has_items());
    let providers: Vec<ProviderView> = with_items.map(|card| card.provider.clone()).collect();
    if providers.is_empty() {
        return Ok(None);
    }
    let now = Utc::now();
    let (first, last) = weeks::shown(now);
    let counted = app.store.weeks(sign_in.workspace_id, first, last).await?;
    Ok(Some(WeeksChart::new(providers, &counted, now)))
}

/// `GET /imports/events`: one stream for all cards, for a browser opens only a few to one host.
pub async fn imports_events(
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
) -> Result<HttpResponse> {
    Ok(live::events(app, sign_in, async |app, sign_in| {
        let Cards { cards, live } = Cards::of(app, sign_in).await?;
        CardsPicture::draw(cards, live, sign_in)
    }))
}

struct Cards {
    cards: Vec<ProviderCard>,
    /// Whether an import is on.
    live: bool,
}

impl Cards {
    async fn of(app: &App, sign_in: &SignIn) -> Result<Self> {
        // Runs first: one that has ended by now has all its items counted in what is read next.
        let runs = app.store.latest_runs(sign_in.workspace_id).await?;
        let known = Known {
            connections: app.store.connections(sign_in.workspace_id).await?,
            kinds: app.store.kinds(sign_in.workspace_id).await?,
            runs,
            now: Utc::now(),
        };
        let cards = app
            .providers
            .descriptions()
            .map(|provider| provider_card(app, provider, &known))
            .filter(|card| card.on || !card.connections.is_empty());
        Ok(Self {
            cards: cards.collect(),
            live: known.runs.iter().any(|run| !run.state.is_finished()),
        })
    }
}

/// What the cards are made of.
struct Known {
    connections: Vec<Connection>,
    kinds: Vec<KindCount>,
    runs: Vec<Run>,
    now: DateTime<Utc>,
}

/// The cards as a browser has them: line by line, so that of many only those are sent that change.
struct CardsPicture {
    whole: String,
    lines: BTreeMap<ConnectionId, (bool, String)>,
    live: bool,
}

impl CardsPicture {
    fn draw(cards: Vec<ProviderCard>, live: bool, sign_in: &SignIn) -> Result<Self> {
        let all = cards.iter().flat_map(|card| &card.connections);
        let line = |it: &ConnectionCard| Ok((it.id, (it.works, it.render()?)));
        let lines = all.map(line).collect::<Result<_>>()?;
        let page = DashboardPage {
            chrome: Chrome::new("", Here::Home, Some(sign_in)),
            cards,
            live,
            weeks: None,
        };
        let whole = page.as_cards().render()?;
        Ok(Self { whole, lines, live })
    }

    /// What a card says over its lines.
    fn frame(&self) -> impl Iterator<Item = (&ConnectionId, bool)> {
        self.lines.iter().map(|(id, (works, _))| (id, *works))
    }
}

impl Picture for CardsPicture {
    fn since(&self, last: Option<&Self>) -> String {
        let Some(last) = last.filter(|last| last.frame().eq(self.frame())) else {
            return self.whole.clone();
        };
        let changed = self
            .lines
            .iter()
            .filter(|(id, line)| last.lines.get(id) != Some(line));
        let partial = |(id, (_, html)): (&ConnectionId, &(bool, String))| {
            format!(
                "<hx-partial hx-target=\"#connection-{id}\" hx-swap=\"outerMorph\">{html}</hx-partial>"
            )
        };
        changed.map(partial).collect()
    }

    fn is_over(&self) -> bool {
        !self.live
    }
}

fn provider_card(app: &App, provider: &Description, known: &Known) -> ProviderCard {
    let all = known.connections.iter();
    let own = all.filter(|connection| connection.provider == provider.slug);
    let on = app.providers.find(provider.slug).is_some();
    ProviderCard {
        provider: provider.into(),
        on,
        connections: own
            .map(|connection| connection_card(connection, provider, on, known))
            .collect(),
    }
}

fn connection_card(
    connection: &Connection,
    provider: &Description,
    on: bool,
    known: &Known,
) -> ConnectionCard {
    let now = known.now;
    let mut runs = known.runs.iter();
    let run = runs.find(|run| run.connection == connection.id);
    let live = run.filter(|run| !run.state.is_finished());
    let own = |it: &&KindCount| it.connection_id == connection.id;
    let kinds: Vec<&KindCount> = known.kinds.iter().filter(own).collect();
    ConnectionCard {
        id: connection.id,
        provider: provider.into(),
        on,
        label: connection.account_name.clone(),
        person: connection.person.clone(),
        state: connection.state.into(),
        works: connection.state == ConnectionState::Connected,
        items: grouped(kinds.iter().map(|it| it.n).sum()),
        kinds: kind_views(&kinds, provider),
        warning: warning(connection, provider, now),
        last_import: last_import(connection, run).map(|time| When::new(time, now)),
        next_import: next_import(connection, now).filter(|_| on),
        trouble: run.and_then(|run| trouble(run, now)),
        progress: live.map(|run| Progress::new(run, provider, now)),
    }
}

/// In the provider's order.
fn kind_views(kinds: &[&KindCount], provider: &Description) -> Vec<KindView> {
    let view = |kind: &Kind| {
        let it = kinds.iter().find(|it| it.kind == kind.name)?;
        let word = if it.n == 1 { kind.one } else { kind.many };
        Some(KindView {
            count: format!("{} {word}", grouped(it.n)),
            address: urls::connection_kind(it.connection_id, kind.name),
        })
    };
    provider.kinds.iter().filter_map(view).collect()
}

fn warning(connection: &Connection, provider: &Description, now: DateTime<Utc>) -> Option<String> {
    let life = LifeView::new(&connection.life, provider.name, now);
    let works = connection.state == ConnectionState::Connected;
    (works && life.warns).then_some(life.text)
}

/// When it was last imported from, unless that is said of the run with its trouble.
fn last_import(connection: &Connection, run: Option<&Run>) -> Option<DateTime<Utc>> {
    let told = run.filter(|run| run.state == RunState::Partial);
    let told = told.and_then(|run| run.finished_at);
    connection.last_import_at.filter(|at| Some(*at) != told)
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

impl Progress {
    fn new(run: &Run, provider: &Description, now: DateTime<Utc>) -> Self {
        let sums = Sums::of(run);
        let calls = match sums.calls {
            1 => "1 call".into(),
            calls => format!("{} calls", grouped(calls)),
        };
        let waited = sums.waited().map(|waited| format!("waited {waited}"));
        let left = time_left(run, now).map(|left| format!("{left} left"));
        let cost = [Some(calls), run.pulse.rate.map(rate_used), waited, left];
        Self {
            run: run.id,
            so_far: so_far(run, provider, now),
            cost: cost.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        }
    }
}

fn so_far(run: &Run, provider: &Description, now: DateTime<Utc>) -> String {
    let so_far = run.streams.iter().filter_map(|stream| {
        let words = provider.stream(&stream.name)?;
        let word = if stream.fetched == 1 {
            words.one
        } else {
            words.many
        };
        let worth_it = words.root || stream.fetched > 0;
        worth_it.then(|| format!("{} {word}", grouped(stream.fetched)))
    });
    let so_far = so_far.collect::<Vec<_>>().join(", ");
    match (asked_to_wait(run, provider, now), so_far.as_str()) {
        (Some(wait), "") => wait,
        (Some(wait), _) => format!("{wait}; {so_far} so far"),
        (None, "") => "Import is starting".into(),
        (None, _) => format!("Importing: {so_far} so far"),
    }
}
