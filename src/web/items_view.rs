//! What stands around the rows of the list: the form, the filters that are on, the types, the orders.

use super::App;
use super::list_parameters::{ListParameters, SORTS, Since};
use super::page::{Choice, capital, exact, grouped};
use crate::providers::Kind;
use crate::store::{Connection, Count, Counts, Sort, SortBy};

/// The form above the list, as it is filled in.
pub struct Controls {
    pub q: String,
    /// Each left empty where there is nothing to choose between.
    pub providers: Vec<Choice>,
    pub connections: Vec<Choice>,
    pub sorts: Vec<Choice>,
    pub since: String,
    /// A date can be chosen; a time that came with an address is carried along as it is.
    pub since_is_date: bool,
    pub gone: bool,
    /// What the form carries along and does not show.
    pub carried: Vec<(&'static str, String)>,
}

impl Controls {
    pub fn new(app: &App, all: &[Connection], view: &ListParameters) -> Self {
        let connections = connections(all, view);
        let providers = providers(app, all, view);
        let since = view.modified_since.as_ref();
        let parent = view.parent.as_ref();
        let carried = [
            ("type", view.kind.clone()),
            ("parent", parent.map(|above| above.id.clone())),
            ("in", parent.and_then(|above| above.container.clone())),
            ("limit", view.limit.map(|limit| limit.to_string())),
            (
                "provider",
                view.provider.clone().filter(|_| providers.is_empty()),
            ),
            (
                "connection",
                view.connection
                    .map(|id| id.to_string())
                    .filter(|_| connections.is_empty()),
            ),
        ];
        let value = |(name, value): (&'static str, Option<String>)| Some((name, value?));
        Self {
            q: view.q.clone().unwrap_or_default(),
            providers,
            connections,
            sorts: sorts(view.sort),
            since: since.map(|it| it.text.clone()).unwrap_or_default(),
            since_is_date: since.is_none_or(Since::is_date),
            gone: view.gone,
            carried: carried.into_iter().filter_map(value).collect(),
        }
    }
}

fn providers(app: &App, all: &[Connection], view: &ListParameters) -> Vec<Choice> {
    let here = app
        .providers
        .descriptions()
        .filter(|it| all.iter().any(|c| c.provider == it.slug));
    let choices: Vec<Choice> = here
        .map(|it| Choice {
            value: it.slug.into(),
            label: it.name.into(),
            chosen: view.provider.as_deref() == Some(it.slug),
        })
        .collect();
    worth_choosing(choices)
}

fn connections(all: &[Connection], view: &ListParameters) -> Vec<Choice> {
    let of_provider = |it: &&Connection| {
        view.provider
            .as_ref()
            .is_none_or(|slug| *slug == it.provider)
    };
    let choice = |it: &Connection| Choice {
        value: it.id.to_string(),
        label: it.account_name.clone(),
        chosen: view.connection == Some(it.id),
    };
    worth_choosing(all.iter().filter(of_provider).map(choice).collect())
}

/// Among one there is nothing to choose, and a choice that is not listed must not be lost.
fn worth_choosing(choices: Vec<Choice>) -> Vec<Choice> {
    if choices.len() > 1 {
        choices
    } else {
        Vec::new()
    }
}

fn sorts(chosen: Sort) -> Vec<Choice> {
    let label = |sort: &Sort| match (sort.by, sort.descending) {
        (SortBy::Name, false) => "Name, A to Z",
        (SortBy::Name, true) => "Name, Z to A",
        (SortBy::Created, false) => "Created, oldest first",
        (SortBy::Created, true) => "Created, newest first",
        (SortBy::Modified, false) => "Modified, oldest first",
        (SortBy::Modified, true) => "Modified, newest first",
    };
    let choice = |(name, sort): &(&str, Sort)| Choice {
        value: (*name).into(),
        label: label(sort).into(),
        chosen: *sort == chosen,
    };
    SORTS.iter().map(choice).collect()
}

/// A filter that is on, and the view without it.
pub struct Chip {
    pub what: &'static str,
    pub value: String,
    pub without: String,
}

/// The filters that are on. `parent` is what the one that is asked for is called.
pub fn chips(
    app: &App,
    chosen: &[&Connection],
    view: &ListParameters,
    parent: Option<String>,
) -> Vec<Chip> {
    let start = ListParameters {
        cursor: None,
        ..view.clone()
    };
    let mut chips = Vec::new();
    let mut chip = |what, value, without: &dyn Fn(&mut ListParameters)| {
        let Some(value) = value else { return };
        let mut view = start.clone();
        without(&mut view);
        chips.push(Chip {
            what,
            value,
            without: view.address(),
        });
    };
    let provider = view
        .provider
        .as_deref()
        .and_then(|slug| app.providers.describe(slug));
    let account = |id| {
        chosen
            .iter()
            .find(|it| it.id == id)
            .map(|it| it.account_name.clone())
    };
    let above = view
        .parent
        .as_ref()
        .map(|above| parent.unwrap_or_else(|| above.id.clone()));
    let since = view.modified_since.as_ref().map(in_words);
    chip("Search", view.q.clone(), &|view| view.q = None);
    chip("Provider", provider.map(|it| it.name.to_owned()), &|view| {
        view.provider = None
    });
    chip("Account", view.connection.and_then(account), &|view| {
        view.connection = None
    });
    chip(
        "Type",
        view.kind.as_deref().map(|kind| kind_label(app, kind)),
        &|view| view.kind = None,
    );
    chip("In", above, &|view| view.parent = None);
    chip("Changed since", since, &|view| view.modified_since = None);
    chip("With", view.gone.then(|| "removed ones".into()), &|view| {
        view.gone = false
    });
    chips
}

fn in_words(since: &Since) -> String {
    match since.is_date() {
        true => since.time.format("%-d %B %Y").to_string(),
        false => exact(since.time),
    }
}

/// A type to choose, with how many there are.
pub struct KindLink {
    pub label: String,
    pub count: String,
    pub address: String,
    pub chosen: bool,
}

/// The types that there are, with all of them in front; none where there is only one.
pub fn kinds(app: &App, view: &ListParameters, counts: &Counts) -> Vec<KindLink> {
    let link = |kind: Option<&str>, count: Count| KindLink {
        label: kind.map_or("All".into(), |kind| kind_label(app, kind)),
        count: counted(count),
        address: ListParameters {
            kind: kind.map(str::to_owned),
            cursor: None,
            ..view.clone()
        }
        .address(),
        chosen: view.kind.as_deref() == kind,
    };
    let all = app.providers.descriptions().flat_map(|it| it.kinds);
    let mut links = vec![link(None, counts.total())];
    for Kind { name, .. } in all {
        let count = counts.of(name);
        if count.n > 0 || view.kind.as_deref() == Some(name) {
            links.push(link(Some(name), count));
        }
    }
    if links.len() > 2 || view.kind.is_some() {
        links
    } else {
        Vec::new()
    }
}

/// A column that the list can be sorted by.
pub struct Column {
    pub label: &'static str,
    pub address: String,
    /// As programs that read pages aloud know it.
    pub sorted: Option<&'static str>,
}

/// Name, modified and created: each sorts by itself, and the other way round where it does already.
pub fn columns(view: &ListParameters) -> Vec<Column> {
    let column = |(label, by, first): (&'static str, SortBy, bool)| {
        let is_it = view.sort.by == by;
        let descending = if is_it { !view.sort.descending } else { first };
        let sort = Sort { by, descending };
        Column {
            label,
            address: ListParameters {
                sort,
                cursor: None,
                ..view.clone()
            }
            .address(),
            sorted: is_it.then_some(if view.sort.descending {
                "descending"
            } else {
                "ascending"
            }),
        }
    };
    let columns = [
        ("Name", SortBy::Name, false),
        ("Modified", SortBy::Modified, true),
        ("Created", SortBy::Created, true),
    ];
    columns.into_iter().map(column).collect()
}

/// How many are in the view.
pub fn found(view: &ListParameters, counts: &Counts) -> String {
    let count = match &view.kind {
        Some(kind) => counts.of(kind),
        None => counts.total(),
    };
    counted(count)
}

fn counted(count: Count) -> String {
    let more = if count.or_more { "+" } else { "" };
    format!("{}{more}", grouped(count.n))
}

pub fn heading(app: &App, connections: &[&Connection], view: &ListParameters) -> String {
    let provider = view
        .provider
        .as_deref()
        .and_then(|slug| app.providers.describe(slug));
    match (view.connection, connections, provider) {
        (Some(_), [connection], _) => format!("Items of {}", connection.account_name),
        (_, _, Some(provider)) => format!("{} items", provider.name),
        _ => "Items".into(),
    }
}

fn kind_label(app: &App, name: &str) -> String {
    let kind = app.providers.descriptions().find_map(|it| it.kind(name));
    capital(kind.map_or(name, |kind| kind.many))
}
