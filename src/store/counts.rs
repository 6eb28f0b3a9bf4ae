//! How many items fit: exactly, or that they are at least so many.

use std::collections::BTreeMap;

use super::list::Filters;
use super::marks::{PARTS, Stock};
use super::names::Candidates;
use super::sql::Sql;
use super::{Result, Store};

/// Counting goes no further.
const MOST: i64 = 10_000;
/// Of more items than these, it is only said how many of these fit.
const SAMPLE: usize = 12_000;

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
    pub fn of(&self, kind: &str) -> Count {
        let mut count = self.by_kind.get(kind).copied().unwrap_or_default();
        count.or_more |= self.or_more;
        count
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

impl Store {
    /// How many items of each type fit; a type of which none do may be left out.
    pub async fn counts(&self, filters: &Filters) -> Result<Counts> {
        if filters.connections.is_empty() {
            Ok(Counts::default())
        } else if filters.wants_a_look() {
            self.count_candidates(filters).await
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
        for parts in parts.chunks(PARTS) {
            let mut sql = Sql::on(&self.pools.read);
            for (at, (stock, gone)) in parts.iter().enumerate() {
                sql.push(if at == 0 {
                    "SELECT "
                } else {
                    " UNION ALL SELECT "
                });
                sql.push("CAST(")
                    .bind(stock.kind.as_str())
                    .push(" AS TEXT) AS kind, COUNT(*) AS n FROM (");
                filters.part(&mut sql, stock, *gone);
                sql.push(" LIMIT ").bind(MOST + 1).push(") AS part");
            }
            for Counted { kind, n } in sql.all(&self.pools.read).await? {
                *counts.by_kind.entry(kind).or_default() += up_to_most(n);
            }
        }
        Ok(counts)
    }

    /// Looks at those that may fit, or at some of them.
    async fn count_candidates(&self, filters: &Filters) -> Result<Counts> {
        let Candidates { mut ids, whole } = self.candidates(filters, SAMPLE).await?;
        ids.truncate(SAMPLE);
        let mut sql = Sql::on(&self.pools.read);
        filters.count(&mut sql, ids);
        let counted: Vec<Counted> = sql.all(&self.pools.read).await?;
        let count = |it: Counted| (it.kind, up_to_most(it.n));
        Ok(Counts {
            by_kind: counted.into_iter().map(count).collect(),
            or_more: !whole,
        })
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
