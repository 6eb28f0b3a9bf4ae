//! The change feed: what became of items, in an order in which nothing is missed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::db::{Done, Either, Tx, deadline, on, within};
use super::list::{ListRow, ROW, Row};
use super::sql::Sql;
use super::{Result, Store, now, time};
use crate::item::{ConnectionId, WorkspaceId};

/// How long a change is kept.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Changes forgotten in one step.
const STEP: i64 = 500;
/// Changes looked at for one answer: many in a row may be of a connection that is there no more.
const LOOK: i64 = 2_000;
/// Tells our locks on PostgreSQL from others; a workspace's id is added.
const LOCKS: i64 = 0x6665_6564_0000_0000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Changed,
    Deleted,
    ConnectionRemoved,
}

impl ChangeKind {
    const ALL: [Self; 4] = [
        Self::Added,
        Self::Changed,
        Self::Deleted,
        Self::ConnectionRemoved,
    ];

    /// As it is stored, and as programs see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::ConnectionRemoved => "connection_removed",
        }
    }

    /// `None` for what a newer Tributary wrote.
    fn from_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One change. Its item is as it is now, not as it was then.
#[derive(Clone, Debug)]
pub struct Change {
    pub seq: i64,
    pub kind: ChangeKind,
    pub at: DateTime<Utc>,
    pub connection: ConnectionId,
    /// `None` where it is about the connection.
    pub item: Option<ListRow>,
}

/// A part of the feed.
pub struct Feed {
    pub changes: Vec<Change>,
    /// How far it reaches: the next part begins behind this.
    pub last: i64,
}

/// Changes of one kind that a transaction has made, and not told yet.
pub(super) struct News {
    connection: ConnectionId,
    kind: ChangeKind,
    /// Null for the connection itself.
    items: Vec<Option<i64>>,
}

#[derive(sqlx::FromRow)]
struct Told {
    seq: i64,
    kind: String,
    at: i64,
    connection_id: ConnectionId,
    item_id: Option<i64>,
    is_here: bool,
}

impl Tx {
    /// Has the feed tell what became of items, when all else is written.
    pub(super) fn tell(
        &mut self,
        connection: ConnectionId,
        kind: ChangeKind,
        items: impl IntoIterator<Item = i64>,
    ) {
        let items = items.into_iter().map(Some);
        let known = |it: &&mut News| it.connection == connection && it.kind == kind;
        match self.news.iter_mut().find(known) {
            Some(news) => news.items.extend(items),
            None => self.news.push(News {
                connection,
                kind,
                items: items.collect(),
            }),
        }
    }

    /// Has the feed tell that a connection is there no more, and nothing of what was in it.
    pub(super) fn tell_removed(&mut self, connection: ConnectionId) {
        self.news.push(News {
            connection,
            kind: ChangeKind::ConnectionRemoved,
            items: vec![None],
        });
    }

    /// Writes what there is to tell, as the last thing before the commit: who has the feed makes the
    /// whole workspace wait.
    pub(super) async fn write_news(&mut self) -> Result<()> {
        let news = std::mem::take(&mut self.news);
        for news in news.iter().filter(|news| !news.items.is_empty()) {
            self.take_feed(news.connection).await?;
            let ids = match self.open {
                Either::Sqlite(_) => "json_each($4)",
                Either::Postgres(_) => "json_array_elements_text($4::json)",
            };
            let sql = AssertSqlSafe(format!(
                "INSERT INTO changes (workspace_id, connection_id, kind, at, item_id)
                 SELECT c.workspace_id, c.id, $2, $3, CAST(ids.value AS BIGINT)
                 FROM connections c, {ids} AS ids WHERE c.id = $1"
            ));
            let items = serde_json::to_string(&news.items).expect("numbers are JSON");
            within!(self, db => sqlx::query(sql).bind(news.connection).bind(news.kind.as_str())
                .bind(now()).bind(items).execute(db).await.map(Done::rows))?;
        }
        Ok(())
    }

    /// Numbers are given out in order, but on PostgreSQL transactions are not seen in the order of their
    /// numbers: a reader could be past a number before it is there, and miss it for good. So whoever
    /// writes changes of a workspace holds a lock from before the first number until the end of the
    /// transaction: a lower number is always seen first. SQLite has one writer anyway.
    async fn take_feed(&mut self, connection: ConnectionId) -> Result<()> {
        let Either::Postgres(tx) = &mut self.open else {
            return Ok(());
        };
        let lock = "SELECT pg_advisory_xact_lock($2 + workspace_id) FROM connections WHERE id = $1";
        let lock = sqlx::query(lock).bind(connection).bind(LOCKS);
        deadline(lock.execute(&mut **tx)).await?;
        Ok(())
    }
}

impl Store {
    /// What has become of a workspace's items since a change, the oldest first; without one since the
    /// oldest that is kept. `None` where some behind it are kept no more. Changes of items whose connection
    /// was removed are left out, for that it was is told.
    pub async fn changes(
        &self,
        workspace: WorkspaceId,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Option<Feed>> {
        let mut from = after;
        loop {
            let Some(feed) = self.some_changes(workspace, from, limit).await? else {
                return Ok(None);
            };
            // Where none is left to tell of those that were looked at, there may be some behind them.
            if !feed.changes.is_empty() || Some(feed.last) == from {
                return Ok(Some(feed));
            }
            from = Some(feed.last);
        }
    }

    async fn some_changes(
        &self,
        workspace: WorkspaceId,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Option<Feed>> {
        let told: Vec<Told> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT h.seq, h.kind, h.at, h.connection_id, h.item_id, c.id IS NOT NULL AS is_here
             FROM (SELECT * FROM changes WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT $3) h
             LEFT JOIN connections c ON c.id = h.connection_id AND c.disconnected_at IS NULL
             ORDER BY h.seq")
            .bind(workspace).bind(after.unwrap_or(0)).bind(LOOK).fetch_all(db).await)?;
        // Only now: what was forgotten meanwhile is not missed without a word.
        let forgotten = self.forgotten_changes(workspace).await?;
        if after.is_some_and(|after| after < forgotten) {
            return Ok(None);
        }
        let mut last = after.unwrap_or(forgotten);
        let mut wanted = Vec::new();
        for told in told {
            if wanted.len() == limit {
                break;
            }
            last = told.seq;
            if told.is_here || told.item_id.is_none() {
                wanted.push(told);
            }
        }
        let changes = self.with_items(wanted).await?;
        Ok(Some(Feed { changes, last }))
    }

    async fn with_items(&self, told: Vec<Told>) -> Result<Vec<Change>> {
        let ids: Vec<i64> = told.iter().filter_map(|told| told.item_id).collect();
        let mut sql = Sql::on(&self.pools.read);
        sql.push("SELECT ").push(ROW).push(" FROM items i WHERE ");
        sql.id_in(ids);
        let rows: Vec<Row> = sql.all(&self.pools.read).await?;
        let rows: HashMap<i64, ListRow> = rows
            .into_iter()
            .map(ListRow::from)
            .map(|row| (row.id, row))
            .collect();
        let change = |told: Told| {
            let item = match told.item_id {
                // Erased since.
                Some(id) => Some(rows.get(&id)?.clone()),
                None => None,
            };
            Some(Change {
                seq: told.seq,
                kind: ChangeKind::from_str(&told.kind)?,
                at: time(told.at),
                connection: told.connection_id,
                item,
            })
        };
        Ok(told.into_iter().filter_map(change).collect())
    }

    async fn forgotten_changes(&self, workspace: WorkspaceId) -> Result<i64> {
        let seq: Option<i64> = on!(self.pools.read, db => sqlx::query_scalar(
            "SELECT seq FROM changes_forgotten WHERE workspace_id = $1")
            .bind(workspace).fetch_optional(db).await)?;
        Ok(seq.unwrap_or(0))
    }

    /// Forgets some changes that are too old, notes up to which, and says how many.
    pub async fn forget_old_changes(&self, at: DateTime<Utc>) -> Result<usize> {
        let mut tx = self.begin().await?;
        // The oldest have the lowest numbers, so no index by time is kept for this.
        let gone: Vec<(WorkspaceId, i64)> = within!(tx, db => sqlx::query_as(
            "DELETE FROM changes WHERE seq IN (SELECT seq FROM changes ORDER BY seq LIMIT $2) AND at < $1
             RETURNING workspace_id, seq")
            .bind((at - KEPT).timestamp_millis()).bind(STEP).fetch_all(db).await)?;
        if gone.is_empty() {
            return Ok(0);
        }
        let mut latest: BTreeMap<WorkspaceId, i64> = BTreeMap::new();
        for (workspace, seq) in &gone {
            let latest = latest.entry(*workspace).or_default();
            *latest = (*latest).max(*seq);
        }
        within!(tx, db => {
            let mut sql = QueryBuilder::new("INSERT INTO changes_forgotten (workspace_id, seq) ");
            sql.push_values(&latest, |mut row, (workspace, seq)| {
                row.push_bind(*workspace).push_bind(*seq);
            });
            sql.push(" ON CONFLICT (workspace_id) DO UPDATE SET seq = excluded.seq
                WHERE excluded.seq > changes_forgotten.seq");
            sql.build().execute(db).await.map(Done::rows)
        })?;
        tx.commit().await?;
        Ok(gone.len())
    }
}
