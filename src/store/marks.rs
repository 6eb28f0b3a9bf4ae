//! Which items a list shows, in what order: the marks of its rows, without the rows.
//!
//! Each connection's items of one type stand in one index in each order, so a list is merged from the
//! beginnings of such parts, and costs the same however many items there are. What only few items have,
//! a rare word or a parent, is looked up instead, and those few are sorted.

use super::list::{Filters, ListQuery, Mark, SortBy};
use super::list_sql::{ALL, Line, Part};
use super::names::Candidates;
use super::sql::Sql;
use super::{Result, Store};
use crate::item::ConnectionId;

/// Parts in one statement. SQLite takes 500 terms.
pub(super) const PARTS: usize = 100;
/// Items that are looked at one by one sooner than that an index is walked along.
const FEW: usize = 10_000;
/// How far an index is walked along for items that may all stand at its end.
const STEPS: i64 = 30_000;
/// Items that are looked at one by one where such a walk has found too little.
const MANY: usize = 300_000;

/// A connection's items of one type, and how many of them are not gone.
#[derive(sqlx::FromRow)]
pub(super) struct Stock {
    pub connection_id: ConnectionId,
    pub kind: String,
    pub n: i64,
}

impl Store {
    /// The first `wanted` marks of the list, behind the one that the query names.
    pub(super) async fn marks(&self, query: &ListQuery, wanted: usize) -> Result<Vec<Mark>> {
        if query.filters.connections.is_empty() {
            return Ok(Vec::new());
        }
        let stock = self.stock(&query.filters).await?;
        let parts = parts(query, &stock);
        if query.filters.words.is_empty() && !query.sorts_children() {
            return self.walk(query, &parts, ALL, wanted).await;
        }
        let few = self.candidates(&query.filters, FEW).await?;
        if few.whole {
            return self.sort(query, few.ids, wanted).await;
        }
        // So many may fit that a walk meets them soon, unless they all stand at its end.
        let found = self.walk(query, &parts, STEPS, wanted).await?;
        if found.len() == wanted {
            return Ok(found);
        }
        let many = self.candidates(&query.filters, MANY).await?;
        if many.whole {
            return self.sort(query, many.ids, wanted).await;
        }
        self.walk(query, &parts, ALL, wanted).await
    }

    /// What there is of each type in the connections that are asked for.
    pub(super) async fn stock(&self, filters: &Filters) -> Result<Vec<Stock>> {
        let mut sql = Sql::on(&self.pools.read);
        sql.push("SELECT connection_id, type AS kind, n FROM item_counts WHERE connection_id IN ");
        sql.bind_all(filters.connections.iter().map(|id| id.0));
        if let Some(kind) = &filters.kind {
            sql.push(" AND type = ").bind(kind.as_str());
        }
        if !filters.gone {
            sql.push(" AND n > 0");
        }
        sql.all(&self.pools.read).await
    }

    /// Walks along the parts in the list's order, along each no further than `steps`.
    async fn walk(
        &self,
        query: &ListQuery,
        parts: &[Part<'_>],
        steps: i64,
        wanted: usize,
    ) -> Result<Vec<Mark>> {
        let mut marks: Vec<Mark> = Vec::new();
        for parts in parts.chunks(PARTS) {
            let mut sql = Sql::on(&self.pools.read);
            for (at, part) in parts.iter().enumerate() {
                sql.push(if at == 0 {
                    "SELECT * FROM ("
                } else {
                    " UNION ALL SELECT * FROM ("
                });
                query.part(&mut sql, part, steps, wanted);
                sql.push(") AS part");
            }
            marks.extend(sql.all::<Mark>(&self.pools.read).await?);
        }
        query.sort.arrange(&mut marks);
        marks.truncate(wanted);
        Ok(marks)
    }

    /// Looks at each of these items, and sorts those that fit.
    async fn sort(&self, query: &ListQuery, ids: Vec<i64>, wanted: usize) -> Result<Vec<Mark>> {
        let mut sql = Sql::on(&self.pools.read);
        query.sorted(&mut sql, ids, wanted);
        let mut marks: Vec<Mark> = sql.all(&self.pools.read).await?;
        query.sort.arrange(&mut marks);
        marks.truncate(wanted);
        Ok(marks)
    }

    /// Items of which all are that fit, by their names or by what they stand in: whichever are fewer.
    pub(super) async fn candidates(&self, filters: &Filters, most: usize) -> Result<Candidates> {
        let children = match &filters.parent {
            Some(_) => self.children(filters, most).await?,
            None => Candidates::too_many(),
        };
        if children.whole || filters.words.is_empty() {
            return Ok(children);
        }
        self.named(&filters.connections, &filters.words, most).await
    }

    async fn children(&self, filters: &Filters, most: usize) -> Result<Candidates> {
        let mut ids: Vec<i64> = Vec::new();
        for &gone in filters.gone_or_not() {
            let mut sql = Sql::on(&self.pools.read);
            filters.children(&mut sql, gone);
            sql.push(" LIMIT ").bind(most as i64 + 1);
            let found: Vec<(i64,)> = sql.all(&self.pools.read).await?;
            ids.extend(found.into_iter().map(|(id,)| id));
        }
        let whole = ids.len() <= most;
        Ok(Candidates { ids, whole })
    }
}

/// The parts of the list that hold anything.
fn parts<'a>(query: &'a ListQuery, stock: &'a [Stock]) -> Vec<Part<'a>> {
    let filters = &query.filters;
    let lines: Vec<(ConnectionId, Line<'a>)> = match &filters.parent {
        // The index over parents is in this order too.
        Some(above) if query.sort.by == SortBy::Modified => {
            let line = |id: &ConnectionId| (*id, Line::Parent(&above.id));
            filters.connections.iter().map(line).collect()
        }
        _ => {
            let line = |stock: &'a Stock| (stock.connection_id, Line::Kind(&stock.kind));
            stock.iter().map(line).collect()
        }
    };
    let mut parts = Vec::new();
    for (connection, line) in lines {
        for &gone in filters.gone_or_not() {
            let stretch = |&timeless| Part {
                connection,
                line,
                gone,
                timeless,
            };
            parts.extend(query.sort.stretches().iter().map(stretch));
        }
    }
    parts
}
