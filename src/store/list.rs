//! The list: one query for the page, the export and programs.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::counts::Counts;
use super::items::NO_TIME;
use super::names::Found;
use super::sql::Sql;
use super::{Result, Store, time};
use crate::item::ConnectionId;

/// Which items are wanted. What is empty or `None` leaves all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filters {
    /// Those of one workspace that the reader chose: nothing else is ever looked at.
    pub connections: Vec<ConnectionId>,
    pub kind: Option<String>,
    /// Folded, each to be found somewhere in the folded name: see [`crate::item::words`].
    pub words: Vec<String>,
    pub parent: Option<Above>,
    /// At this moment or later; leaves out what has no time.
    pub modified_since: Option<DateTime<Utc>>,
    /// With those that are gone at their provider.
    pub gone: bool,
}

/// What an item stands in, as its provider names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Above {
    pub id: String,
    /// Where one id stands in several.
    pub container: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    Name,
    Created,
    Modified,
}

/// The order of the list: ties by id, what has no time last in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub by: SortBy,
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self {
            by: SortBy::Modified,
            descending: true,
        }
    }
}

/// Which part of the list is wanted.
pub struct ListQuery {
    pub filters: Filters,
    pub sort: Sort,
    pub after: Option<Mark>,
    pub limit: usize,
}

impl ListQuery {
    /// What one connection brought last.
    pub fn newest(connection: ConnectionId, limit: usize) -> Self {
        let filters = Filters {
            connections: vec![connection],
            ..Filters::default()
        };
        Self {
            filters,
            sort: Sort::default(),
            after: None,
            limit,
        }
    }

    /// Whether it is about a parent's children in an order that no index has.
    pub(super) fn sorts_children(&self) -> bool {
        self.filters.parent.is_some() && self.sort.by != SortBy::Modified
    }
}

/// A place in the list: what its order goes by, of the last row shown.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::FromRow)]
pub struct Mark {
    /// Zero where names are sorted by.
    pub(super) at: i64,
    /// Empty where times are sorted by.
    pub(super) name: String,
    pub(super) id: i64,
}

/// One row of the list.
#[derive(Clone, Debug)]
pub struct ListRow {
    pub id: i64,
    pub connection: ConnectionId,
    pub container: String,
    pub kind: String,
    pub provider_id: String,
    pub name: String,
    pub url: Option<String>,
    pub created: Option<DateTime<Utc>>,
    pub modified: Option<DateTime<Utc>>,
    /// The provider's id of what it stands in.
    pub parent_id: Option<String>,
    /// Since when it is gone at its provider.
    pub gone: Option<DateTime<Utc>>,
}

/// Rows of the list, and where they go on.
pub struct Span {
    pub rows: Vec<ListRow>,
    pub next: Option<Mark>,
}

/// The columns of a [`Row`], of items called `i`.
pub(super) const ROW: &str =
    "i.id, i.connection_id, i.container, i.type AS kind, i.provider_id, i.name, i.url,
    i.created_at, i.modified_at, i.parent_id, i.gone_at";

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: i64,
    connection_id: ConnectionId,
    container: String,
    kind: String,
    provider_id: String,
    name: String,
    url: Option<String>,
    created_at: i64,
    modified_at: i64,
    parent_id: Option<String>,
    gone_at: Option<i64>,
}

impl From<Row> for ListRow {
    fn from(row: Row) -> Self {
        let known = |ms| (ms != NO_TIME).then(|| time(ms));
        Self {
            id: row.id,
            connection: row.connection_id,
            container: row.container,
            kind: row.kind,
            provider_id: row.provider_id,
            name: row.name,
            url: row.url,
            created: known(row.created_at),
            modified: known(row.modified_at),
            parent_id: row.parent_id,
            gone: row.gone_at.map(time),
        }
    }
}

impl Store {
    /// A part of the list.
    ///
    /// First which items, in what order, from indexes that hold just that; then their rows. An item that
    /// is changed in between stands where it stood.
    pub async fn list(&self, query: &ListQuery) -> Result<Span> {
        self.span(query, &Found::default()).await
    }

    /// The same, and how many items of each type fit, whichever of them is asked for.
    pub async fn list_and_counts(&self, query: &ListQuery) -> Result<(Span, Counts)> {
        let found = Found::default();
        let filters = Filters {
            kind: None,
            ..query.filters.clone()
        };
        let counts = self.count(&filters, &found);
        let (span, mut counts) = tokio::try_join!(self.span(query, &found), counts)?;
        counts.learn(query, &span);
        Ok((span, counts))
    }

    async fn span(&self, query: &ListQuery, found: &Found) -> Result<Span> {
        let mut marks = self.marks(query, query.limit + 1, found).await?;
        let more = marks.len() > query.limit;
        marks.truncate(query.limit);
        let next = marks.last().filter(|_| more).cloned();
        Ok(Span {
            rows: self
                .rows(marks.iter().map(|mark| mark.id).collect())
                .await?,
            next,
        })
    }

    /// The rows of these items, in their order.
    pub(super) async fn rows(&self, ids: Vec<i64>) -> Result<Vec<ListRow>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::on(&self.pools.read);
        sql.push("SELECT ");
        sql.push(ROW).push(" FROM items i WHERE ");
        sql.id_in(ids.clone());
        let rows: Vec<Row> = sql.all(&self.pools.read).await?;
        let mut rows: HashMap<i64, Row> = rows.into_iter().map(|row| (row.id, row)).collect();
        let in_order = ids.iter().filter_map(|id| rows.remove(id));
        Ok(in_order.map(ListRow::from).collect())
    }
}
