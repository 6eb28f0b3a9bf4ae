//! What stands in something, level by level.

use askama::Template;

use super::errors::Result;
use super::page::capital;
use super::{App, urls};
use crate::item::ConnectionId;
use crate::providers::Description;
use crate::store::{Above, Filters, ListQuery, ListRow, Sort, SortBy};

/// Items of one level at once; the list has the others.
const MOST: usize = 100;

/// What stands in one thing.
pub struct Level {
    pub nodes: Vec<Node>,
    /// The list of all of them, where they are more.
    pub all: Option<String>,
}

/// One item of a level.
pub struct Node {
    pub name: String,
    pub kind: String,
    pub address: String,
    /// Whether others may stand in it, and are to be had from this address.
    pub below: Option<String>,
}

/// A level by itself, as it is put under its item.
#[derive(Template)]
#[template(path = "items/_level.html")]
pub struct Branch {
    pub level: Level,
}

impl Level {
    /// What stands in an item.
    pub async fn below(app: &App, provider: &Description, item: &ListRow) -> Result<Self> {
        let above = Above {
            id: item.provider_id.clone(),
            container: Some(item.container.clone()),
        };
        let query = ListQuery {
            filters: Filters {
                connections: vec![item.connection],
                parent: Some(above),
                ..Filters::default()
            },
            sort: Sort {
                by: SortBy::Name,
                descending: false,
            },
            after: None,
            limit: MOST,
        };
        let span = app.store.list(&query).await?;
        let all = span.next.map(|_| urls::items_in(item));
        Ok(Self::of(span.rows, provider, all))
    }

    /// Where the trees of a connection begin. A provider whose items hold no others has none.
    pub async fn roots(
        app: &App,
        provider: &Description,
        connection: ConnectionId,
    ) -> Result<Option<Self>> {
        let holders = provider.kinds.iter().filter(|kind| kind.directory);
        let holders: Vec<&str> = holders.map(|kind| kind.name).collect();
        if holders.is_empty() {
            return Ok(None);
        }
        let mut roots = app.store.roots(connection, &holders, MOST + 1).await?;
        let all = (roots.len() > MOST).then(|| urls::connection_items(connection));
        roots.truncate(MOST);
        Ok(Some(Self::of(roots, provider, all)))
    }

    fn of(rows: Vec<ListRow>, provider: &Description, all: Option<String>) -> Self {
        let nodes = rows
            .into_iter()
            .map(|row| Node::new(row, provider))
            .collect();
        Self { nodes, all }
    }
}

impl Node {
    fn new(row: ListRow, provider: &Description) -> Self {
        let kind = provider.kind(&row.kind);
        Self {
            address: urls::item(&row),
            below: kind
                .filter(|kind| kind.directory)
                .map(|_| urls::item_tree(&row)),
            kind: capital(kind.map_or(row.kind.as_str(), |kind| kind.one)),
            name: row.name,
        }
    }
}
