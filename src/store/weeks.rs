//! How many items were created and changed in each week: counted as items are written, in the same
//! transaction, so that a look at it costs the same at a million items as at a thousand.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::AssertSqlSafe;

use super::db::{Done, Either, Tx, on, within};
use super::{Result, Store, now};
use crate::item::{ConnectionId, WorkspaceId};

/// Older weeks are not counted, so that a first import of old records costs nothing here. These are more
/// than anybody looks at, so that a clock that is wrong for a while does no harm.
const KEPT: i64 = 26;

const DAY: i64 = 24 * 3_600 * 1_000;
const WEEK: i64 = 7 * DAY;
/// The first of January 1970 was a Thursday.
const SINCE_MONDAY: i64 = 3 * DAY;

/// A week from Monday to Sunday, in UTC. That of the first of January 1970 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct Week(i64);

impl Week {
    pub fn of(time: DateTime<Utc>) -> Self {
        Self::of_ms(time.timestamp_millis())
    }

    fn of_ms(ms: i64) -> Self {
        Self((ms + SINCE_MONDAY).div_euclid(WEEK))
    }

    /// So many weeks earlier.
    pub fn back(self, weeks: i64) -> Self {
        Self(self.0 - weeks)
    }

    /// How many weeks later than another.
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    pub fn monday(self) -> NaiveDate {
        let days = TimeDelta::try_milliseconds(self.0.saturating_mul(WEEK) - SINCE_MONDAY);
        let day = days.and_then(|days| DateTime::UNIX_EPOCH.checked_add_signed(days));
        day.unwrap_or_default().date_naive()
    }
}

/// What became of the items of a workspace's accounts at one provider, in one week.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WeekCount {
    pub provider: String,
    pub week: Week,
    pub created: i64,
    pub changed: i64,
}

/// What a transaction does to the counts of a connection's weeks.
pub(super) struct WeekNews {
    since: Week,
    /// How many more, or fewer, were created and changed.
    by_week: BTreeMap<Week, (i64, i64)>,
}

impl WeekNews {
    pub fn new() -> Self {
        Self {
            since: Week::of_ms(now()).back(KEPT),
            by_week: BTreeMap::new(),
        }
    }

    /// An item with these times is there.
    pub fn add(&mut self, created: i64, modified: i64) {
        self.note(created, modified, 1);
    }

    /// It is there no more.
    pub fn take(&mut self, created: i64, modified: i64) {
        self.note(created, modified, -1);
    }

    /// The rule: an item counts as created in the week in which it was, and as changed in that of its last
    /// change where this is a later one. So it counts once in a week at most: providers touch what they
    /// have just made, and everything new would count twice. What has no time is long ago.
    fn note(&mut self, created: i64, modified: i64, n: i64) {
        let (created, changed) = (Week::of_ms(created), Week::of_ms(modified));
        if created >= self.since {
            self.by_week.entry(created).or_default().0 += n;
        }
        if changed > created && changed >= self.since {
            self.by_week.entry(changed).or_default().1 += n;
        }
    }
}

impl Tx {
    /// Brings the counts of a connection's weeks up to date: in one statement, or none where nothing
    /// recent has changed.
    pub(super) async fn count_weeks(
        &mut self,
        connection: ConnectionId,
        news: WeekNews,
    ) -> Result<()> {
        let changed = news.by_week.into_iter().filter(|(_, n)| *n != (0, 0));
        let rows: Vec<_> = changed.map(|(week, (a, b))| (week.0, a, b)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let list = match self.open {
            Either::Sqlite(_) => "json_each($2)",
            Either::Postgres(_) => "json_array_elements($2::json)",
        };
        // As one value, so that it is prepared once, however many weeks there are.
        let sql = AssertSqlSafe(format!(
            "INSERT INTO item_weeks (connection_id, week, created, changed)
             SELECT $1, CAST(it.value->>0 AS BIGINT), CAST(it.value->>1 AS BIGINT), CAST(it.value->>2 AS BIGINT)
             FROM {list} AS it WHERE TRUE
             ON CONFLICT (connection_id, week) DO UPDATE SET
                created = item_weeks.created + excluded.created,
                changed = item_weeks.changed + excluded.changed"
        ));
        let rows = serde_json::to_string(&rows).expect("numbers are JSON");
        within!(self, db => sqlx::query(sql).bind(connection).bind(rows).execute(db).await.map(Done::rows))?;
        Ok(())
    }
}

impl Store {
    /// What became of a workspace's items at each provider from the first of these weeks to the last.
    pub async fn weeks(
        &self,
        workspace: WorkspaceId,
        first: Week,
        last: Week,
    ) -> Result<Vec<WeekCount>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT c.provider, w.week, CAST(SUM(w.created) AS BIGINT) AS created,
                CAST(SUM(w.changed) AS BIGINT) AS changed
             FROM connections c JOIN item_weeks w ON w.connection_id = c.id
             WHERE c.workspace_id = $1 AND c.disconnected_at IS NULL AND w.week BETWEEN $2 AND $3
             GROUP BY c.provider, w.week")
            .bind(workspace).bind(first).bind(last).fetch_all(db).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday() {
        let week = |text: &str| Week::of(text.parse().unwrap());
        assert_eq!(week("1970-01-01T00:00:00Z"), Week(0));
        assert_eq!(week("1969-12-28T23:59:59.999Z"), Week(-1));
        let sunday = week("2026-11-22T23:59:59.999Z");
        let monday = week("2026-11-23T00:00:00Z");
        assert_eq!((monday.since(sunday), monday.back(1)), (1, sunday));
        assert_eq!(monday.monday().to_string(), "2026-11-23");
        assert_eq!(sunday.monday().to_string(), "2026-11-16");
    }

    #[test]
    fn an_item_counts_once_in_a_week_and_what_has_no_time_in_none() {
        let none = super::super::items::NO_TIME;
        let today = now();
        let counted = |created, modified| {
            let mut news = WeekNews::new();
            news.add(created, modified);
            news.by_week.into_values().collect::<Vec<_>>()
        };
        assert_eq!(counted(today, today + 1), [(1, 0)]);
        assert_eq!(counted(today - WEEK, today), [(1, 0), (0, 1)]);
        assert_eq!(counted(none, today), [(0, 1)]);
        assert_eq!(counted(today - 100 * WEEK, today), [(0, 1)]);
        assert_eq!(counted(today, none), [(1, 0)]);
        assert_eq!(counted(none, none), []);
        assert_eq!(counted(today - 100 * WEEK, today - 99 * WEEK), []);
    }
}
