//! How the list is read, and what stands above an item.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::db::on;
use super::items::NO_TIME;
use super::{Result, Store, time};
use crate::item::ConnectionId;

/// Lists merged in one statement. SQLite takes 500 terms.
const LISTS: usize = 100;

/// A place in the list: the sort key of the last row shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mark(i64, i64);

/// Which part of the list is wanted: newest first.
pub struct ListQuery<'a> {
    pub connections: &'a [ConnectionId],
    pub after: Option<Mark>,
    pub limit: usize,
}

/// One row of the list.
#[derive(Clone, Debug)]
pub struct ListRow {
    pub id: i64,
    pub connection: ConnectionId,
    pub kind: String,
    pub name: String,
    pub url: Option<String>,
    pub created: Option<DateTime<Utc>>,
    pub modified: Option<DateTime<Utc>>,
    pub mark: Mark,
}

/// Rows of the list, and where they go on.
pub struct Span {
    pub rows: Vec<ListRow>,
    pub next: Option<Mark>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    connection_id: ConnectionId,
    kind: String,
    name: String,
    url: Option<String>,
    created_at: i64,
    modified_at: i64,
}

impl From<Row> for ListRow {
    fn from(row: Row) -> Self {
        let known = |ms| (ms != NO_TIME).then(|| time(ms));
        Self {
            id: row.id,
            connection: row.connection_id,
            kind: row.kind,
            name: row.name,
            url: row.url,
            created: known(row.created_at),
            modified: known(row.modified_at),
            mark: Mark(row.modified_at, row.id),
        }
    }
}

impl Store {
    /// A part of the list over all the given connections.
    ///
    /// Each connection's own list comes from its index, in order and no longer than asked for, and the
    /// database merges them: the cost does not depend on how many items there are.
    pub async fn list(&self, query: &ListQuery<'_>) -> Result<Span> {
        let wanted = query.limit + 1;
        let mut rows: Vec<Row> = Vec::new();
        for connections in query.connections.chunks(LISTS) {
            let part: Vec<Row> = on!(self.pools.read, db => {
                let mut sql = QueryBuilder::new("SELECT * FROM (");
                for (at, connection) in connections.iter().enumerate() {
                    sql.push(if at == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
                    sql.push("SELECT id, connection_id, type AS kind, name, url, created_at, modified_at
                        FROM items WHERE gone_at IS NULL AND connection_id = ").push_bind(*connection);
                    if let Some(Mark(modified_at, id)) = query.after {
                        sql.push(" AND (modified_at, id) < (").push_bind(modified_at)
                            .push(", ").push_bind(id).push(")");
                    }
                    sql.push(" ORDER BY modified_at DESC, id DESC LIMIT ").push_bind(wanted as i64)
                        .push(") AS list").push(at);
                }
                sql.push(") AS merged ORDER BY modified_at DESC, id DESC LIMIT ").push_bind(wanted as i64);
                sql.build_query_as().fetch_all(db).await
            })?;
            rows.extend(part);
        }
        rows.sort_by_key(|row| std::cmp::Reverse((row.modified_at, row.id)));
        let more = rows.len() > query.limit;
        rows.truncate(query.limit);
        let rows: Vec<ListRow> = rows.into_iter().map(ListRow::from).collect();
        let next = rows.last().filter(|_| more).map(|row| row.mark);
        Ok(Span { rows, next })
    }
}

/// How far up a path is followed; what is deeper shows its last steps.
const DEEPEST: i32 = 60;

#[derive(sqlx::FromRow)]
struct Step {
    item: i64,
    above: i64,
    name: String,
}

impl Store {
    /// The names of what each of these items stands in, outermost first. They are looked up as they are
    /// now, so a renamed parent is right everywhere; one that is not here ends the path.
    pub async fn paths(&self, items: &[i64]) -> Result<HashMap<i64, Vec<String>>> {
        if items.is_empty() {
            return Ok(HashMap::new());
        }
        let steps: Vec<Step> = on!(self.pools.read, db => {
            let mut sql = QueryBuilder::new(
                "WITH RECURSIVE up (item, depth, above) AS (
                    SELECT i.id, 0, i.id FROM items i WHERE i.parent_id IS NOT NULL AND i.id IN (");
            let mut list = sql.separated(", ");
            items.iter().for_each(|id| { list.push_bind(*id); });
            sql.push(") UNION ALL
                    SELECT up.item, up.depth + 1, p.id FROM up JOIN items i ON i.id = up.above
                    JOIN items p ON p.connection_id = i.connection_id AND p.container = i.parent_container
                        AND p.type = i.parent_kind AND p.provider_id = i.parent_id AND p.gone_at IS NULL
                    WHERE up.depth < ").push_bind(DEEPEST)
                .push(") SELECT up.item, up.above, i.name FROM up JOIN items i ON i.id = up.above
                    WHERE up.depth > 0 ORDER BY up.item, up.depth");
            sql.build_query_as().fetch_all(db).await
        })?;
        Ok(paths(steps))
    }
}

/// Steps come from the inside out. Pages may name each other as parent: a path ends before it comes
/// round.
fn paths(steps: Vec<Step>) -> HashMap<i64, Vec<String>> {
    let mut paths: HashMap<i64, Vec<String>> = HashMap::new();
    let mut passed: HashSet<(i64, i64)> = HashSet::new();
    let mut round: HashSet<i64> = HashSet::new();
    for Step { item, above, name } in steps {
        if above == item || round.contains(&item) || !passed.insert((item, above)) {
            round.insert(item);
        } else {
            paths.entry(item).or_default().push(name);
        }
    }
    paths.values_mut().for_each(|path| path.reverse());
    paths
}
