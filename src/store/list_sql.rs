//! What the list's order and its parts are in SQL.

use std::cmp::Ordering;

use super::items::NO_TIME;
use super::list::{Filters, ListQuery, Mark, Sort, SortBy};
use super::names::Member;
use super::sql::Sql;
use crate::item::{ConnectionId, sort_key};

/// No bound, but still one: behind a `LIMIT` a database reads what stands in front of it in the order
/// that is asked for, and does not choose another index by the conditions outside.
pub(super) const ALL: i64 = i64::MAX;

/// What conditions and order are about.
pub(super) const COLUMNS: &str =
    "id, connection_id, type, gone_at, parent_id, parent_container, created_at, modified_at,
    sort_name, folded";

/// A stretch of the list that one index has in the list's order.
pub(super) struct Part<'a> {
    pub connection: ConnectionId,
    pub line: Line<'a>,
    pub gone: bool,
    /// Where items without a time would stand first: only those, or only the others.
    pub timeless: Option<bool>,
    /// How many items, where that is known.
    pub holds: Option<i64>,
    /// How far it is walked along.
    pub steps: i64,
}

#[derive(Clone, Copy)]
pub(super) enum Line<'a> {
    Kind(&'a str),
    Parent(&'a str),
}

impl Sort {
    fn column(self) -> &'static str {
        match self.by {
            SortBy::Name => "sort_name",
            SortBy::Created => "created_at",
            SortBy::Modified => "modified_at",
        }
    }

    /// The columns of a [`Mark`].
    fn mark(self) -> &'static str {
        match self.by {
            SortBy::Name => "CAST(0 AS BIGINT) AS at, sort_name AS name, id",
            SortBy::Created => "created_at AS at, '' AS name, id",
            SortBy::Modified => "modified_at AS at, '' AS name, id",
        }
    }

    /// The mark of an item that a roster tells of.
    pub(super) fn mark_of(self, id: i64, it: &Member<'_>) -> Mark {
        let (at, name) = match self.by {
            SortBy::Name => (0, sort_key(&it.name.whole()).to_owned()),
            SortBy::Created => (it.times.created, String::new()),
            SortBy::Modified => (it.times.modified, String::new()),
        };
        Mark { at, name, id }
    }

    fn direction(self) -> &'static str {
        if self.descending { "DESC" } else { "ASC" }
    }

    /// Whether items without a time, which count as the smallest one, would stand first.
    fn has_timeless_end(self) -> bool {
        self.by != SortBy::Name && !self.descending
    }

    /// Which of the two stretches a part can be read in, where its order needs two.
    pub(super) fn stretches(self) -> &'static [Option<bool>] {
        match self.has_timeless_end() {
            true => &[Some(false), Some(true)],
            false => &[None],
        }
    }

    /// Which of two marks comes first in the list.
    pub(super) fn compare(self, a: &Mark, b: &Mark) -> Ordering {
        let timeless = |mark: &Mark| self.has_timeless_end() && mark.at == NO_TIME;
        let order = (timeless(a), a.at, &a.name, a.id).cmp(&(timeless(b), b.at, &b.name, b.id));
        if self.descending {
            order.reverse()
        } else {
            order
        }
    }

    /// Brings marks of several parts into the list's order.
    pub(super) fn arrange(self, marks: &mut [Mark]) {
        marks.sort_by(|a, b| self.compare(a, b));
    }
}

impl ListQuery {
    /// Whether something with this mark stands behind the place that is asked for.
    pub(super) fn is_behind(&self, mark: &Mark) -> bool {
        let after = self.after.as_ref();
        after.is_none_or(|after| self.sort.compare(mark, after).is_gt())
    }

    /// One part in the list's order, at most `wanted` marks of those that fit among its steps.
    pub(super) fn part(&self, sql: &mut Sql, part: &Part<'_>, wanted: usize) {
        let (sort, filters) = (self.sort, &self.filters);
        sql.push("SELECT ")
            .push(sort.mark())
            .push(" FROM (SELECT ")
            .push(COLUMNS);
        self.line(sql, part);
        sql.push(" LIMIT ").bind(part.steps);
        sql.push(") AS line WHERE TRUE");
        match part.line {
            Line::Kind(_) => {
                if let Some(above) = &filters.parent {
                    sql.push(" AND parent_id = ").bind(above.id.as_str());
                }
            }
            Line::Parent(_) => filters.kind(sql),
        }
        if sort.by != SortBy::Modified {
            filters.since(sql);
        }
        filters.container(sql);
        filters.words(sql);
        sql.push(" LIMIT ").bind(wanted as i64);
    }

    /// The last mark of a part that a walk reaches, if it goes on behind it.
    pub(super) fn end(&self, sql: &mut Sql, part: &Part<'_>) {
        sql.push("SELECT ").push(self.sort.mark());
        self.line(sql, part);
        sql.push(" LIMIT 1 OFFSET ").bind(part.steps.max(1) - 1);
    }

    /// A part as its index has it.
    fn line(&self, sql: &mut Sql, part: &Part<'_>) {
        sql.push(" FROM items WHERE connection_id = ")
            .bind(part.connection.0);
        match part.line {
            Line::Kind(kind) => sql.push(" AND type = ").bind(kind),
            Line::Parent(id) => sql.push(" AND parent_id = ").bind(id),
        };
        sql.push(Filters::gone_is(part.gone));
        self.stretch(sql, part.timeless);
        if self.sort.by == SortBy::Modified {
            self.filters.since(sql);
        }
        self.order(sql);
    }

    /// Where a part begins.
    fn stretch(&self, sql: &mut Sql, timeless: Option<bool>) {
        let column = self.sort.column();
        let after = self.after.as_ref();
        match (timeless, after) {
            (None, None) => {}
            (Some(false), None) => {
                sql.push(" AND ").push(column).push(" > ").bind(NO_TIME);
            }
            (Some(true), _) => {
                sql.push(" AND ").push(column).push(" = ").bind(NO_TIME);
                if let Some(after) = after.filter(|after| after.at == NO_TIME) {
                    sql.push(" AND id > ").bind(after.id);
                }
            }
            (Some(false), Some(after)) if after.at == NO_TIME => {
                sql.push(" AND FALSE");
            }
            (_, Some(after)) => {
                sql.push(" AND (").push(column).push(", id) ");
                sql.push(if self.sort.descending { "< (" } else { "> (" });
                match self.sort.by {
                    SortBy::Name => sql.bind(after.name.as_str()),
                    _ => sql.bind(after.at),
                };
                sql.push(", ").bind(after.id).push(")");
            }
        }
    }

    /// Those of these items that fit, sorted, as far as they are of this stretch.
    pub(super) fn sorted(&self, sql: &mut Sql, stretch: Option<bool>, ids: &[i64], wanted: usize) {
        sql.push("SELECT ")
            .push(self.sort.mark())
            .push(" FROM (SELECT ")
            .push(COLUMNS);
        sql.push(" FROM items WHERE ").id_in(ids.to_vec());
        sql.push(" LIMIT ").bind(ALL).push(") AS these WHERE ");
        self.filters.all(sql);
        self.stretch(sql, stretch);
        self.order(sql);
        sql.push(" LIMIT ").bind(wanted as i64);
    }

    fn order(&self, sql: &mut Sql) {
        let direction = self.sort.direction();
        sql.push(" ORDER BY ")
            .push(self.sort.column())
            .push(" ")
            .push(direction);
        sql.push(", id ").push(direction);
    }
}
