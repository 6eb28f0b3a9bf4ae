//! How many items fit: exactly, or that they are at least so many.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::StreamExt;

use super::db::on;
use super::list::{Filters, ListQuery, Span};
use super::marks::{PARTS, Stock};
use super::names::Found;
use super::sql::Sql;
use super::{Result, Store};
use crate::item::{ConnectionId, WorkspaceId};

/// Counting goes no further.
const MOST: i64 = 10_000;
/// Of more items than these, it is only said how many of these fit.
const SAMPLE: usize = 10_500;

/// How many there are, or at least are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub n: i64,
    pub or_more: bool,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.n += other.n;
        self.or_more |= other.or_more;
    }
}

/// How many there are of each type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub by_kind: BTreeMap<String, Count>,
    /// Whether there may be more of any type, also of one that is not listed.
    pub or_more: bool,
}

impl Counts {
    /// Learns from a page of the list, be it of one type or of all: what it shows is there, and where it
    /// is the whole list nothing else is.
    pub(super) fn learn(&mut self, query: &ListQuery, page: &Span) {
        let kind = query.filters.kind.as_deref();
        let is_all = query.after.is_none() && page.next.is_none();
        if is_all && kind.is_none() {
            *self = Self::default();
        }
        let mut met: BTreeMap<&str, i64> = kind.map(|kind| (kind, 0)).into_iter().collect();
        for row in &page.rows {
            *met.entry(&row.kind).or_default() += 1;
        }
        for (kind, n) in met {
            let known = self.of(kind);
            let at_least = Count {
                n: known.n.max(n),
                ..known
            };
            let count = if is_all { exactly(n) } else { at_least };
            self.by_kind.insert(kind.to_owned(), count);
        }
    }

    pub fn of(&self, kind: &str) -> Count {
        let none = Count {
            n: 0,
            or_more: self.or_more,
        };
        self.by_kind.get(kind).copied().unwrap_or(none)
    }

    pub fn total(&self) -> Count {
        let none = Count {
            n: 0,
            or_more: self.or_more,
        };
        self.by_kind.values().fold(none, |mut total, count| {
            total += *count;
            total
        })
    }
}

#[derive(sqlx::FromRow)]
struct Counted {
    kind: String,
    n: i64,
}

/// How many items of one type there are in a connection.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct KindCount {
    pub connection_id: ConnectionId,
    pub kind: String,
    pub n: i64,
}

impl Store {
    /// What there is of each type in each connection of a workspace.
    pub async fn kinds(&self, workspace: WorkspaceId) -> Result<Vec<KindCount>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT k.connection_id, k.type AS kind, k.n
             FROM connections c JOIN item_counts k ON k.connection_id = c.id
             WHERE c.workspace_id = $1 AND c.disconnected_at IS NULL AND k.n > 0")
            .bind(workspace).fetch_all(db).await)
    }

    /// How many items of each type fit; a type of which none do may be left out.
    pub async fn counts(&self, filters: &Filters) -> Result<Counts> {
        self.count(filters, &Found::default()).await
    }

    pub(super) async fn count(&self, filters: &Filters, found: &Found) -> Result<Counts> {
        if filters.connections.is_empty() {
            Ok(Counts::default())
        } else if filters.is_about_children_alone() {
            self.count_children(filters).await
        } else if filters.wants_a_look() {
            self.count_candidates(filters, found).await
        } else {
            self.count_stock(filters).await
        }
    }

    /// What is in stock is known; what is only a part of it is counted in its index.
    async fn count_stock(&self, filters: &Filters) -> Result<Counts> {
        let mut counts = Counts::default();
        let stock = self.stock(filters).await?;
        let mut parts: Vec<(&Stock, bool)> = Vec::new();
        for stock in &stock {
            if filters.modified_since.is_none() {
                *counts.by_kind.entry(stock.kind.clone()).or_default() += exactly(stock.n);
            } else {
                parts.push((stock, false));
            }
            if filters.gone {
                parts.push((stock, true));
            }
        }
        let mut kinds: Vec<&str> = parts.iter().map(|(stock, _)| stock.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            let mut of_kind = parts.clone();
            of_kind.retain(|(stock, _)| stock.kind == kind);
            for parts in of_kind.chunks(PARTS) {
                let count = up_to_most(self.count_parts(filters, parts).await?);
                *counts.by_kind.entry(kind.to_owned()).or_default() += count;
                if count.or_more {
                    break;
                }
            }
        }
        Ok(counts)
    }

    /// Stops as soon as there are more than are counted.
    async fn count_parts(&self, filters: &Filters, parts: &[(&Stock, bool)]) -> Result<i64> {
        let mut sql = Sql::on(&self.pools.read);
        sql.push("SELECT COUNT(*) FROM (");
        for (at, (stock, gone)) in parts.iter().enumerate() {
            sql.push(if at == 0 { "" } else { " UNION ALL " });
            filters.part(&mut sql, stock, *gone);
        }
        sql.push(" LIMIT ").bind(MOST + 1).push(") AS parts");
        let counted: Vec<(i64,)> = sql.all(&self.pools.read).await?;
        Ok(counted.first().map_or(0, |(n,)| *n))
    }

    /// Their index knows their types and times.
    async fn count_children(&self, filters: &Filters) -> Result<Counts> {
        let mut counts = Counts::default();
        for &gone in filters.gone_or_not() {
            let mut sql = Sql::on(&self.pools.read);
            sql.push("SELECT type AS kind, COUNT(*) AS n FROM (");
            filters.children(&mut sql, gone);
            sql.push(" LIMIT ")
                .bind(MOST + 1)
                .push(") AS children GROUP BY type");
            let counted: Vec<Counted> = sql.all(&self.pools.read).await?;
            counts.or_more |= counted.iter().map(|it| it.n).sum::<i64>() > MOST;
            for Counted { kind, n } in counted {
                *counts.by_kind.entry(kind).or_default() += up_to_most(n);
            }
        }
        for count in counts.by_kind.values_mut() {
            count.or_more |= counts.or_more;
        }
        Ok(counts)
    }

    /// Looks at those that may fit, as far as it takes to know how many there are.
    async fn count_candidates(&self, filters: &Filters, found: &Found) -> Result<Counts> {
        let candidates = self.candidates(filters, SAMPLE, found).await?;
        let mut by_kind = BTreeMap::new();
        let mut ids = candidates.ids.clone();
        let mut rosters = pin!(self.rosters(&candidates.dense, filters.modified_since.is_some()));
        while let Some(rosters) = rosters.next().await {
            let rosters = rosters?;
            rosters.each(filters, |_, it| match by_kind.get_mut(it.kind) {
                Some(n) => *n += 1,
                None => _ = by_kind.insert(it.kind.to_owned(), 1),
            });
            if by_kind.values().sum::<i64>() > MOST {
                return Ok(counted(by_kind, false));
            }
            ids.extend(rosters.missing());
        }
        let all = candidates.whole && ids.len() <= SAMPLE;
        ids.truncate(SAMPLE);
        for Counted { kind, n } in self.count_rows(filters, ids).await? {
            *by_kind.entry(kind).or_default() += n;
        }
        Ok(counted(by_kind, all))
    }

    async fn count_rows(&self, filters: &Filters, ids: Vec<i64>) -> Result<Vec<Counted>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::on(&self.pools.read);
        filters.count(&mut sql, ids);
        sql.all(&self.pools.read).await
    }
}

/// What was counted of all of them, or of some.
fn counted(by_kind: BTreeMap<String, i64>, all: bool) -> Counts {
    let count = |(kind, n): (String, i64)| {
        let or_more = !all || n > MOST;
        let n = n.min(MOST);
        (kind, Count { n, or_more })
    };
    Counts {
        by_kind: by_kind.into_iter().map(count).collect(),
        or_more: !all,
    }
}

fn exactly(n: i64) -> Count {
    Count { n, or_more: false }
}

fn up_to_most(n: i64) -> Count {
    Count {
        n: n.min(MOST),
        or_more: n > MOST,
    }
}
