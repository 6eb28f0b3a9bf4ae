//! What the list's filters are: in SQL, and of an item that a roster tells of.

use super::list::Filters;
use super::list_sql::{ALL, COLUMNS};
use super::marks::Stock;
use super::names::Member;
use super::sql::Sql;

impl Filters {
    /// Whether rows have to be looked at for more than their connection, type and times.
    pub(super) fn wants_a_look(&self) -> bool {
        !self.words.is_empty() || self.parent.is_some()
    }

    /// Whether the index over parents alone can tell how many there are.
    pub(super) fn is_about_children_alone(&self) -> bool {
        let container = self.parent.as_ref().map(|above| &above.container);
        container == Some(&None) && self.words.is_empty()
    }

    /// Whether an item that has the words is one of those, as far as its roster knows it: what it stands
    /// in is in none.
    pub(super) fn fit(&self, it: &Member<'_>) -> bool {
        let since = self.modified_since.map(|since| since.timestamp_millis());
        (self.gone || !it.is_gone)
            && self.kind.as_ref().is_none_or(|kind| kind == it.kind)
            && since.is_none_or(|since| it.times.modified >= since)
    }

    pub(super) fn gone_is(gone: bool) -> &'static str {
        if gone {
            " AND gone_at IS NOT NULL"
        } else {
            " AND gone_at IS NULL"
        }
    }

    /// Live ones, and those that are gone where they are asked for: each kind has its own indexes.
    pub(super) fn gone_or_not(&self) -> &'static [bool] {
        if self.gone { &[false, true] } else { &[false] }
    }

    pub(super) fn words(&self, sql: &mut Sql) {
        for word in &self.words {
            sql.push(" AND COALESCE(folded, sort_name) LIKE ");
            sql.bind(like(word).as_str()).push(" ESCAPE '\\'");
        }
    }

    pub(super) fn container(&self, sql: &mut Sql) {
        if let Some(container) = self.parent.as_ref().and_then(|it| it.container.as_deref()) {
            sql.push(" AND parent_container = ").bind(container);
        }
    }

    pub(super) fn since(&self, sql: &mut Sql) {
        if let Some(since) = self.modified_since {
            sql.push(" AND modified_at >= ")
                .bind(since.timestamp_millis());
        }
    }

    pub(super) fn kind(&self, sql: &mut Sql) {
        if let Some(kind) = &self.kind {
            sql.push(" AND type = ").bind(kind.as_str());
        }
    }

    /// Every condition, on items of whatever connection.
    pub(super) fn all(&self, sql: &mut Sql) {
        sql.push("connection_id IN ")
            .bind_all(self.connections.iter().map(|id| id.0));
        if !self.gone {
            sql.push(Self::gone_is(false));
        }
        if let Some(above) = &self.parent {
            sql.push(" AND parent_id = ").bind(above.id.as_str());
        }
        self.kind(sql);
        self.container(sql);
        self.since(sql);
        self.words(sql);
    }

    /// The children that the filters are about, from the index over parents, which has their types and
    /// times too.
    pub(super) fn children(&self, sql: &mut Sql, gone: bool) {
        let Some(above) = &self.parent else { return };
        sql.push("SELECT id, connection_id, type FROM (");
        sql.push("SELECT id, connection_id, type FROM items WHERE connection_id IN ");
        sql.bind_all(self.connections.iter().map(|id| id.0));
        sql.push(" AND parent_id = ")
            .bind(above.id.as_str())
            .push(Self::gone_is(gone));
        self.since(sql);
        sql.push(" LIMIT ")
            .bind(ALL)
            .push(") AS all_children WHERE TRUE");
        self.kind(sql);
    }

    /// What is in stock of one type, as far as its times fit.
    pub(super) fn part(&self, sql: &mut Sql, stock: &Stock, gone: bool) {
        sql.push("SELECT id FROM items WHERE connection_id = ")
            .bind(stock.connection_id.0);
        sql.push(" AND type = ")
            .bind(stock.kind.as_str())
            .push(Self::gone_is(gone));
        self.since(sql);
    }

    /// How many of these items fit, by type.
    pub(super) fn count(&self, sql: &mut Sql, ids: Vec<i64>) {
        sql.push("SELECT type AS kind, COUNT(*) AS n FROM (SELECT ")
            .push(COLUMNS);
        sql.push(" FROM items WHERE ")
            .id_in(ids)
            .push(" LIMIT ")
            .bind(ALL);
        sql.push(") AS these WHERE ");
        self.all(sql);
        sql.push(" GROUP BY type");
    }
}

/// A pattern for names that hold this text, whatever it means to `LIKE`.
fn like(word: &str) -> String {
    let mut pattern = String::from("%");
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_a_pattern_is_plain_text() {
        assert_eq!(like("100%_\\"), "%100\\%\\_\\\\%");
    }
}
