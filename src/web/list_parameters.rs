//! The parameters of the list: one reading of them for the page, the fragment, the export and programs.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use url::form_urlencoded;

use super::errors::{Result, WebError};
use super::parameters::Parameters;
use crate::export::Format;
use crate::item::{ConnectionId, WorkspaceId, words};
use crate::providers::Providers;
use crate::store::{Above, Connection, Filters, ListQuery, Mark, Sort, SortBy, Store};
use crate::vault::{Owner, Vault};

pub const LIMIT: usize = 50;
pub const LARGEST_LIMIT: usize = 200;
/// Words in one search; nobody types more.
const MOST_WORDS: usize = 32;

/// Those that choose and order come first, those about a part of the list last.
const NAMES: [&str; 11] = [
    "provider",
    "connection",
    "type",
    "q",
    "parent",
    "in",
    "modified_since",
    "gone",
    "sort",
    "limit",
    "cursor",
];
const OF_A_PART: usize = 2;

/// A view of the list, as its address says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListParameters {
    pub provider: Option<String>,
    pub connection: Option<ConnectionId>,
    pub kind: Option<String>,
    pub q: Option<String>,
    pub parent: Option<Above>,
    pub modified_since: Option<Since>,
    pub gone: bool,
    pub sort: Sort,
    pub limit: Option<usize>,
    pub cursor: Option<String>,
}

/// A moment, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Since {
    pub text: String,
    pub time: DateTime<Utc>,
}

impl Since {
    /// Whether it was written without a time of day.
    pub fn is_date(&self) -> bool {
        !self.text.contains(':')
    }
}

impl ListParameters {
    /// Reads them as far as that needs no look at what is stored.
    pub fn parse(query: &str) -> Result<Self> {
        Self::read(Parameters::parse(query, &NAMES)?)
    }

    /// Reads those of the whole list: which part of it is not asked.
    pub fn parse_whole(query: &str) -> Result<Self> {
        let names = &NAMES[..NAMES.len() - OF_A_PART];
        Self::read(Parameters::parse(query, names)?)
    }

    fn read(mut given: Parameters) -> Result<Self> {
        let container = given.take("in");
        let above = |id| Above { id, container };
        Ok(Self {
            connection: given.number("connection", "names no connection")?,
            limit: limit(&given)?,
            provider: given.take("provider"),
            kind: given.take("type"),
            q: given.take("q").map(search).transpose()?.flatten(),
            parent: given.take("parent").map(above),
            modified_since: given.take("modified_since").map(since).transpose()?,
            gone: given.take("gone").map(gone).transpose()?.unwrap_or(false),
            sort: given
                .take("sort")
                .map(sort)
                .transpose()?
                .unwrap_or_default(),
            cursor: given.take("cursor"),
        })
    }

    /// The connections that they leave of those of a workspace. A value that names nothing is at fault.
    pub fn choose<'a>(
        &self,
        providers: &Providers,
        all: &'a [Connection],
    ) -> Result<Vec<&'a Connection>> {
        if let Some(slug) = &self.provider
            && providers.describe(slug).is_none()
        {
            return Err(WebError::BadQuery("provider", "names no provider".into()));
        }
        if let Some(id) = self.connection
            && all.iter().all(|connection| connection.id != id)
        {
            return Err(WebError::BadQuery(
                "connection",
                "names no connection".into(),
            ));
        }
        if let Some(kind) = &self.kind
            && providers.descriptions().all(|it| it.kind(kind).is_none())
        {
            return Err(WebError::BadQuery("type", "names no type".into()));
        }
        let of_provider = |it: &Connection| {
            self.provider
                .as_ref()
                .is_none_or(|slug| *slug == it.provider)
        };
        let is_it = |it: &Connection| self.connection.is_none_or(|id| id == it.id);
        Ok(all
            .iter()
            .filter(|it| of_provider(it) && is_it(it))
            .collect())
    }

    /// What is asked of the store, among these connections.
    pub fn filters(&self, connections: &[&Connection]) -> Filters {
        Filters {
            connections: connections.iter().map(|connection| connection.id).collect(),
            kind: self.kind.clone(),
            words: self.q.as_deref().map(words).unwrap_or_default(),
            parent: self.parent.clone(),
            modified_since: self.modified_since.as_ref().map(|since| since.time),
            gone: self.gone,
        }
    }

    /// The part of the list that is asked for.
    pub fn query(
        &self,
        vault: &Vault,
        workspace: WorkspaceId,
        filters: Filters,
    ) -> Result<ListQuery> {
        let read = |text: &String| self.read_cursor(vault, workspace, text);
        Ok(ListQuery {
            filters,
            sort: self.sort,
            after: self.cursor.as_ref().map(read).transpose()?,
            limit: self.limit.unwrap_or(LIMIT),
        })
    }

    /// A cursor goes on with this list and with no other: it is bound to the workspace, the filters and
    /// the order.
    pub fn write_cursor(&self, vault: &Vault, workspace: WorkspaceId, mark: &Mark) -> String {
        let plain = serde_json::to_vec(mark).expect("numbers and a name are JSON");
        super::cursor::write(vault, &self.list(workspace), &plain)
    }

    fn read_cursor(&self, vault: &Vault, workspace: WorkspaceId, text: &str) -> Result<Mark> {
        let plain = super::cursor::read(vault, &self.list(workspace), text);
        let mark = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        mark.ok_or_else(|| WebError::BadQuery("cursor", "does not belong to this list".into()))
    }

    fn list(&self, workspace: WorkspaceId) -> Owner {
        Owner::new("list", format!("{workspace}/{}", self.as_query()))
    }

    /// The same view from its beginning, as an address says it: what is as usual is left out.
    fn as_query(&self) -> String {
        let connection = self.connection.map(|id| id.to_string());
        let parent = self.parent.as_ref();
        let given = [
            ("provider", self.provider.as_deref()),
            ("connection", connection.as_deref()),
            ("type", self.kind.as_deref()),
            ("q", self.q.as_deref()),
            ("parent", parent.map(|above| above.id.as_str())),
            ("in", parent.and_then(|above| above.container.as_deref())),
            (
                "modified_since",
                self.modified_since
                    .as_ref()
                    .map(|since| since.text.as_str()),
            ),
            ("gone", self.gone.then_some("1")),
            (
                "sort",
                (self.sort != Sort::default()).then(|| sort_name(self.sort)),
            ),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in given {
            query.extend_pairs(value.map(|value| (name, value)));
        }
        query.finish()
    }

    /// Where this view begins.
    pub fn address(&self) -> String {
        self.address_with(None)
    }

    /// Where it goes on behind a cursor.
    pub fn address_behind(&self, cursor: &str) -> String {
        self.address_with(Some(cursor))
    }

    /// Where all of it is to be had in another format.
    pub fn address_of_export(&self, format: Format) -> String {
        match self.as_query().as_str() {
            "" => super::urls::export(format),
            query => format!("{}?{query}", super::urls::export(format)),
        }
    }

    fn address_with(&self, cursor: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(self.as_query());
        query.extend_pairs(self.limit.map(|limit| ("limit", limit.to_string())));
        query.extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
        match query.finish().as_str() {
            "" => super::urls::items().into(),
            query => format!("{}?{query}", super::urls::items()),
        }
    }
}

/// The name of the parent that is asked for, where no row tells it. One that names nothing is at fault.
pub async fn parent(store: &Store, filters: &Filters, is_empty: bool) -> Result<Option<String>> {
    let Some(above) = filters.parent.as_ref().filter(|_| is_empty) else {
        return Ok(None);
    };
    let name = store.name_above(&filters.connections, above).await?;
    let unknown = || WebError::BadQuery("parent", "names no item".into());
    name.map(Some).ok_or_else(unknown)
}

/// Every order, as an address names it.
pub const SORTS: [(&str, Sort); 6] = [
    (
        "-modified",
        Sort {
            by: SortBy::Modified,
            descending: true,
        },
    ),
    (
        "modified",
        Sort {
            by: SortBy::Modified,
            descending: false,
        },
    ),
    (
        "-created",
        Sort {
            by: SortBy::Created,
            descending: true,
        },
    ),
    (
        "created",
        Sort {
            by: SortBy::Created,
            descending: false,
        },
    ),
    (
        "name",
        Sort {
            by: SortBy::Name,
            descending: false,
        },
    ),
    (
        "-name",
        Sort {
            by: SortBy::Name,
            descending: true,
        },
    ),
];

pub fn sort_name(sort: Sort) -> &'static str {
    SORTS
        .iter()
        .find(|(_, it)| *it == sort)
        .map_or("", |(name, _)| name)
}

fn sort(text: String) -> Result<Sort> {
    let known = SORTS.iter().find(|(name, _)| *name == text);
    known.map(|(_, sort)| *sort).ok_or_else(|| {
        WebError::BadQuery(
            "sort",
            "is not name, created or modified, with - in front for descending".into(),
        )
    })
}

/// How many are wanted at once.
pub fn limit(given: &Parameters) -> Result<Option<usize>> {
    let wrong = format!("is not a number from 1 to {LARGEST_LIMIT}");
    match given.number("limit", &wrong)? {
        Some(limit) if !(1..=LARGEST_LIMIT).contains(&limit) => {
            Err(WebError::BadQuery("limit", wrong))
        }
        limit => Ok(limit),
    }
}

/// Nothing but blanks is no search.
fn search(text: String) -> Result<Option<String>> {
    match words(&text).len() {
        0 => Ok(None),
        1..=MOST_WORDS => Ok(Some(text.split_whitespace().collect::<Vec<_>>().join(" "))),
        _ => Err(WebError::BadQuery(
            "q",
            format!("has more than {MOST_WORDS} words"),
        )),
    }
}

fn gone(text: String) -> Result<bool> {
    match text.as_str() {
        "1" => Ok(true),
        _ => Err(WebError::BadQuery("gone", "is not 1".into())),
    }
}

const DAY: &str = "%Y-%m-%d";

/// A date, from its first moment in UTC on, or an RFC 3339 time.
fn since(text: String) -> Result<Since> {
    let day = NaiveDate::parse_from_str(&text, DAY).ok();
    // As it would be written: the reader takes blanks and missing zeros too.
    let day = day.filter(|day| day.format(DAY).to_string() == text);
    let day = day.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let time = day.or_else(|| {
        DateTime::parse_from_rfc3339(&text)
            .ok()
            .map(|time| time.to_utc())
    });
    match time {
        Some(time) => Ok(Since { text, time }),
        None => Err(WebError::BadQuery(
            "modified_since",
            "is not a date such as 2026-01-31, nor a time such as 2026-01-31T09:30:00Z".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{Key, KeyRing};

    fn parse(query: &str) -> ListParameters {
        ListParameters::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    fn problem(query: &str) -> &'static str {
        match ListParameters::parse(query) {
            Err(WebError::BadQuery(name, _)) => name,
            other => panic!("{query} gave {other:?}"),
        }
    }

    #[test]
    fn an_empty_parameter_counts_as_absent_and_an_unknown_one_is_ignored() {
        let empty: Vec<String> = NAMES.iter().map(|name| format!("{name}=")).collect();
        assert_eq!(parse(&empty.join("&")), ListParameters::default());
        assert_eq!(parse("x=1&x=2&q=+%20"), ListParameters::default());
        assert_eq!(parse("limit=200").limit, Some(200));
        assert_eq!(parse("q=%CC%81").q.as_deref(), Some("\u{301}"));
    }

    #[test]
    fn a_parameter_that_cannot_be_used_is_named() {
        for (query, name) in [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=-1", "limit"),
            ("limit=ten", "limit"),
            ("limit=%2B5", "limit"),
            ("limit=+5", "limit"),
            ("connection=%2B1", "connection"),
            ("connection=x", "connection"),
            ("q=a%00b", "q"),
            ("limit=5&limit=5", "limit"),
            ("q=a&q=b", "q"),
            ("gone=0", "gone"),
            ("gone=yes", "gone"),
            ("sort=size", "sort"),
            ("sort=--name", "sort"),
            ("modified_since=yesterday", "modified_since"),
            ("modified_since=2026-02-30", "modified_since"),
            ("modified_since=2026-2-3", "modified_since"),
            ("modified_since=26-02-03", "modified_since"),
            ("modified_since=%2B2026-02-03", "modified_since"),
            ("modified_since=2026-02-+3", "modified_since"),
            ("modified_since=+2026-02-03", "modified_since"),
            ("modified_since=2026-02-03T10:00:00", "modified_since"),
        ] {
            assert_eq!(problem(query), name, "{query}");
        }
        let many: Vec<String> = (0..33).map(|n| format!("w{n}")).collect();
        assert_eq!(problem(&format!("q={}", many.join("+"))), "q");
    }

    #[test]
    fn a_date_begins_with_its_first_moment_and_a_time_may_have_an_offset() {
        let since = |text: &str| {
            parse(&format!("modified_since={text}"))
                .modified_since
                .unwrap()
                .time
        };
        assert_eq!(
            since("2026-01-31").to_rfc3339(),
            "2026-01-31T00:00:00+00:00"
        );
        assert_eq!(
            since("2026-01-31T01:00:00%2B02:00").to_rfc3339(),
            "2026-01-30T23:00:00+00:00"
        );
    }

    #[test]
    fn an_address_says_the_view_and_reads_back_as_the_same() {
        for query in [
            "",
            "provider=x&connection=7&type=contact&q=a%26b+%C3%A9&parent=p&in=c&modified_since=2026-01-31&gone=1&sort=-name&limit=7",
            "sort=created",
        ] {
            let view = parse(query);
            let address = view.address();
            let (path, again) = address.split_once('?').unwrap_or((&address, ""));
            assert_eq!(path, "/items");
            assert_eq!(parse(again), view);
        }
        assert_eq!(parse("sort=-modified&cursor=x").address(), "/items");
    }

    #[test]
    fn a_cursor_goes_on_with_its_own_list_and_with_no_other() {
        let vault = Vault::new(KeyRing::new(vec![Key::random()]).unwrap());
        let mark: Mark = serde_json::from_str(r#"{"at":5,"name":"","id":7}"#).unwrap();
        let one = WorkspaceId(1);
        let all = parse("");
        let cursor = all.write_cursor(&vault, one, &mark);
        assert_eq!(all.read_cursor(&vault, one, &cursor).unwrap(), mark);
        assert_eq!(
            parse("limit=9").read_cursor(&vault, one, &cursor).unwrap(),
            mark
        );
        assert!(all.read_cursor(&vault, WorkspaceId(2), &cursor).is_err());
        for other in [
            "provider=x",
            "connection=1",
            "type=t",
            "q=a",
            "parent=p",
            "modified_since=2026-01-31",
            "gone=1",
            "sort=name",
        ] {
            assert!(
                parse(other).read_cursor(&vault, one, &cursor).is_err(),
                "{other}"
            );
        }
        assert!(all.read_cursor(&vault, one, "nonsense").is_err());
    }

    #[test]
    fn whoever_wants_the_whole_list_is_not_asked_which_part() {
        let whole = |query| ListParameters::parse_whole(query).unwrap();
        let view = whole("limit=none&limit=5&cursor=x&type=contact");
        assert_eq!(view, parse("type=contact"));
        assert!(ListParameters::parse_whole("sort=size").is_err());
    }
}
