//! Which items a list shows, in what order: the marks of its rows, without the rows.
//!
//! Each connection's items of one type stand in one index in each order, so a list is merged from the
//! beginnings of such parts, and costs the same however many items there are. What only few items have,
//! a rare word or a parent, is looked up instead, and those few are sorted, as are those that are many
//! and yet not met on the way: rosters tell of them.

use std::borrow::Cow;
use std::pin::pin;

use futures_util::StreamExt;

use super::list::{Filters, ListQuery, Mark, SortBy};
use super::list_sql::{ALL, Line, Part};
use super::names::{Candidates, Found, Member};
use super::sql::Sql;
use super::{Result, Store};
use crate::item::ConnectionId;

/// Parts in one statement. SQLite takes 500 terms.
pub(super) const PARTS: usize = 100;
/// All steps of a first walk together.
const FARTHEST: i64 = 60_000;
/// Walks before another way is taken, and how much further the next one goes along a part.
const WALKS: usize = 3;
const FURTHER: i64 = 4;
/// How far is looked in one way before another one is taken. All ways give the same list.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The most looks at items that are taken before an index is walked along.
    pub few: usize,
    /// How far each part is at least walked along for items that may all stand at its end.
    pub steps: usize,
    /// The most looks that are taken where such a walk has found too little.
    pub many: usize,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            few: 15_000,
            steps: 100,
            many: 300_000,
        }
    }
}

impl Reach {
    /// Where so many of all items fit, looking at each of them costs as much as meeting the wanted ones
    /// on a walk.
    fn few(&self, wanted: usize, all: i64) -> usize {
        let even = wanted.saturating_mul(all.max(0) as usize).isqrt();
        self.few.min(even)
    }

    /// Whether so many looks cost no more than a walk of that length.
    fn is_near(&self, looks: usize, walk: i64) -> bool {
        looks <= self.few && looks as i64 <= walk
    }

    /// Has a walk go along each part by what it holds of all, some times as far as it takes on average to
    /// meet what is wanted.
    fn shorten(&self, parts: &mut [Part<'_>], average: i64, all: i64) {
        let together = average.saturating_mul(3).min(FARTHEST);
        for part in parts {
            let share = match part.holds {
                Some(n) if all > 0 => together * n / all,
                _ => together,
            };
            part.steps = share.max(self.steps as i64);
        }
    }
}

/// Where a walk along a part came to its end, and the part goes on behind it.
#[derive(sqlx::FromRow)]
struct End {
    part: i64,
    #[sqlx(flatten)]
    mark: Mark,
}

/// A connection's items of one type, and how many of them are not gone.
#[derive(sqlx::FromRow)]
pub(super) struct Stock {
    pub connection_id: ConnectionId,
    pub kind: String,
    pub n: i64,
}

/// The first of what is met in any order, and a few more.
struct First<'q> {
    query: &'q ListQuery,
    wanted: usize,
    marks: Vec<Mark>,
    /// Nothing behind it is among the first.
    last: Option<Mark>,
}

impl<'q> First<'q> {
    fn new(query: &'q ListQuery, wanted: usize) -> Self {
        Self {
            query,
            wanted,
            marks: Vec::new(),
            last: None,
        }
    }

    fn meet(&mut self, id: i64, it: &Member<'_>) {
        let sort = self.query.sort;
        let mark = sort.mark_of(id, it);
        let last = self.last.as_ref();
        let is_early = last.is_none_or(|last| sort.compare(&mark, last).is_lt());
        if is_early && self.query.is_behind(&mark) {
            self.marks.push(mark);
            if self.marks.len() > 4 * self.wanted {
                self.drop_late();
            }
        }
    }

    fn drop_late(&mut self) {
        let sort = self.query.sort;
        let (_, last, _) = self
            .marks
            .select_nth_unstable_by(self.wanted, |a, b| sort.compare(a, b));
        self.last = Some(last.clone());
        self.marks.truncate(self.wanted);
    }
}

impl Store {
    /// The first `wanted` marks of the list, behind the one that the query names.
    pub(super) async fn marks(
        &self,
        query: &ListQuery,
        wanted: usize,
        found: &Found,
    ) -> Result<Vec<Mark>> {
        if query.filters.connections.is_empty() {
            return Ok(Vec::new());
        }
        let stock = self.stock(&query.filters).await?;
        let mut parts = parts(query, &stock);
        if query.filters.words.is_empty() && !query.sorts_children() {
            return self.walk(query, &parts, wanted).await;
        }
        let all: i64 = stock.iter().map(|stock| stock.n).sum();
        let few = self.reach.few(wanted, all);
        let candidates = self.candidates(&query.filters, few, found).await?;
        // So many may fit that a walk meets them soon, unless they all stand at its end.
        let average = wanted as i64 * all / candidates.number().max(1) as i64;
        if candidates.whole && self.reach.is_near(candidates.looks(), average) {
            return self.first(query, &candidates, wanted).await;
        }
        self.reach.shorten(&mut parts, average, all);
        if let Some(found) = self.walk_some(query, &mut parts, wanted).await? {
            return Ok(found);
        }
        let many = self.reach.many;
        let candidates = self.both(&query.filters, candidates, many).await?;
        if candidates.whole && candidates.looks() <= many {
            return self.first(query, &candidates, wanted).await;
        }
        parts.iter_mut().for_each(|part| part.steps = ALL);
        self.walk(query, &parts, wanted).await
    }

    /// Walks so far as the parts say. Behind the end of one, something that was not reached may stand
    /// before what another has: where that takes away too much of what was found, it goes on along those
    /// that end too early. `None` where too little is met.
    async fn walk_some(
        &self,
        query: &ListQuery,
        parts: &mut [Part<'_>],
        wanted: usize,
    ) -> Result<Option<Vec<Mark>>> {
        for _ in 0..WALKS {
            let found = self.walk(query, parts, wanted).await?;
            let ends = self.ends(query, parts).await?;
            if ends.is_empty() {
                return Ok(Some(found));
            }
            let Some(last) = found.last().filter(|_| found.len() == wanted) else {
                return Ok(None);
            };
            let before = |end: &&End| query.sort.compare(&end.mark, last).is_lt();
            let too_early: Vec<&End> = ends.iter().filter(before).collect();
            if too_early.is_empty() {
                return Ok(Some(found));
            }
            for end in too_early {
                parts[end.part as usize].steps *= FURTHER;
            }
        }
        Ok(None)
    }

    async fn ends(&self, query: &ListQuery, parts: &[Part<'_>]) -> Result<Vec<End>> {
        let mut ends = Vec::new();
        for chunk in (0..).zip(parts).collect::<Vec<_>>().chunks(PARTS) {
            let mut sql = Sql::on(&self.pools.read);
            for (at, (place, part)) in chunk.iter().enumerate() {
                sql.push(if at == 0 { "" } else { " UNION ALL " })
                    .push("SELECT CAST(")
                    .bind(*place)
                    .push(" AS BIGINT) AS part, ends.* FROM (");
                query.end(&mut sql, part);
                sql.push(") AS ends");
            }
            ends.extend(sql.all::<End>(&self.pools.read).await?);
        }
        Ok(ends)
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

    /// Walks along the parts in the list's order.
    async fn walk(
        &self,
        query: &ListQuery,
        parts: &[Part<'_>],
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
                query.part(&mut sql, part, wanted);
                sql.push(") AS part");
            }
            marks.extend(sql.all::<Mark>(&self.pools.read).await?);
        }
        query.sort.arrange(&mut marks);
        marks.truncate(wanted);
        Ok(marks)
    }

    /// The first of these items that fit: each of them is looked at.
    async fn first(&self, query: &ListQuery, of: &Candidates, wanted: usize) -> Result<Vec<Mark>> {
        let mut first = First::new(query, wanted);
        let mut ids = of.ids.clone();
        let with_times = query.sort.by != SortBy::Name || query.filters.modified_since.is_some();
        let mut rosters = pin!(self.rosters(&of.dense, with_times));
        while let Some(rosters) = rosters.next().await {
            let rosters = rosters?;
            rosters.each(&query.filters, |id, it| first.meet(id, &it));
            ids.extend(rosters.missing());
        }
        let mut marks = first.marks;
        marks.extend(self.first_rows(query, &ids, wanted).await?);
        query.sort.arrange(&mut marks);
        marks.truncate(wanted);
        Ok(marks)
    }

    async fn first_rows(&self, query: &ListQuery, ids: &[i64], wanted: usize) -> Result<Vec<Mark>> {
        let mut marks: Vec<Mark> = Vec::new();
        for &stretch in query.sort.stretches() {
            if !ids.is_empty() && marks.len() < wanted {
                let mut sql = Sql::on(&self.pools.read);
                query.sorted(&mut sql, stretch, ids, wanted - marks.len());
                marks.extend(sql.all::<Mark>(&self.pools.read).await?);
            }
        }
        Ok(marks)
    }

    /// Items of which all are that fit: the children, where they are so few, or else those whose names
    /// may do.
    pub(super) async fn candidates<'f>(
        &self,
        filters: &Filters,
        few: usize,
        found: &'f Found,
    ) -> Result<Cow<'f, Candidates>> {
        if filters.parent.is_none() {
            return Ok(Cow::Borrowed(found.candidates(self, filters).await?));
        }
        let children = self.children(filters, few).await?;
        if children.whole || filters.words.is_empty() {
            return Ok(Cow::Owned(children));
        }
        Ok(Cow::Owned(found.candidates(self, filters).await?.in_rows()))
    }

    /// What is left of candidates where all that an item must be is looked up.
    async fn both<'f>(
        &self,
        filters: &Filters,
        found: Cow<'f, Candidates>,
        most: usize,
    ) -> Result<Cow<'f, Candidates>> {
        if filters.parent.is_none() {
            return Ok(found);
        }
        let mut children = self.children(filters, most).await?;
        match (found.whole && !filters.words.is_empty(), children.whole) {
            (true, true) => {
                children.retain(&found);
                Ok(Cow::Owned(children))
            }
            (true, false) => Ok(found),
            (false, _) => Ok(Cow::Owned(children)),
        }
    }
}

/// The parts of the list that hold anything.
fn parts<'a>(query: &'a ListQuery, stock: &'a [Stock]) -> Vec<Part<'a>> {
    let filters = &query.filters;
    let lines: Vec<(ConnectionId, Line<'a>, Option<i64>)> = match &filters.parent {
        // The index over parents is in this order too.
        Some(above) if query.sort.by == SortBy::Modified => {
            let line = |id: &ConnectionId| (*id, Line::Parent(&above.id), None);
            filters.connections.iter().map(line).collect()
        }
        _ => {
            let line = |it: &'a Stock| (it.connection_id, Line::Kind(&it.kind), Some(it.n));
            stock.iter().map(line).collect()
        }
    };
    let mut parts = Vec::new();
    for (connection, line, holds) in lines {
        for &gone in filters.gone_or_not() {
            let stretch = |&timeless| Part {
                connection,
                line,
                gone,
                timeless,
                holds: holds.filter(|_| !gone),
                steps: ALL,
            };
            parts.extend(query.sort.stretches().iter().map(stretch));
        }
    }
    parts
}
